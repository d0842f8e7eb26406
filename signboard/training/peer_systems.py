"""Other systems that read text, and this one, each as a process that answers requests: one JSON line in, one out.

    python peer_systems.py SYSTEM THREADS OPTIONS(JSON)

This file runs in the other systems' own environments: at its top level there are only the standard library, NumPy and
Pillow. `peers.Worker` starts it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

if __name__ == "__main__":  # the modules' names of this folder would hide those of other packages
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

import numpy as np
from PIL import Image, ImageOps

TESSERACT_SECONDS = 300

Reading = tuple[list[list[float]], str, float]  # polygon, text, confidence


class System(Protocol):
    """What reads a photo, or one word's crop, (H, W, 3) uint8 RGB each."""

    version: str

    def read(self, pixels: np.ndarray) -> list[Reading]:
        """All words or lines of a photo."""
        ...

    def read_crop(self, pixels: np.ndarray) -> tuple[str, float]:
        """(text, confidence) of one word."""
        ...


class Signboard:
    """This project, with its shipped weights or with those of `options["weights"]`."""

    def __init__(self, threads: int, options: dict[str, Any]) -> None:
        from importlib.metadata import version

        from signboard.memory import settle_memory

        settle_memory("auto", "cpu")  # as `signboard run` does
        import torch

        torch.set_num_threads(threads)
        from signboard import Reader

        self.reader = Reader(device="cpu", **options.get("weights", {}))
        self.recognizer = self.reader.recognizer
        self.version = f"signboard {version('signboard')}"

    def read(self, pixels: np.ndarray) -> list[Reading]:
        result = self.reader.read(pixels)
        if result.error:
            raise RuntimeError(result.error)
        return [([list(point) for point in word.polygon], word.text, word.confidence) for word in result.words]

    def read_crop(self, pixels: np.ndarray) -> tuple[str, float]:
        text, confidence = self.recognizer.read_crops([pixels])[0]
        return text, confidence


class RapidOcr:
    """RapidOCR with its default models and settings. Returns lines."""

    def __init__(self, threads: int, options: dict[str, Any]) -> None:
        from importlib.metadata import version

        from rapidocr import RapidOCR

        # Its answer's type depends on the arguments of a call.
        self.engine: Any = RapidOCR(
            params={
                "Global.log_level": "critical",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        self.version = f"RapidOCR {version('rapidocr')}"

    def read(self, pixels: np.ndarray) -> list[Reading]:
        result: Any = self.engine(np.ascontiguousarray(pixels[..., ::-1]), use_det=True, use_cls=True, use_rec=True)
        if getattr(result, "boxes", None) is None or result.txts is None:
            return []
        found = zip(result.boxes, result.txts, result.scores, strict=True)
        return [(np.asarray(box, float).tolist(), text, float(score)) for box, text, score in found]

    def read_crop(self, pixels: np.ndarray) -> tuple[str, float]:
        result: Any = self.engine(np.ascontiguousarray(pixels[..., ::-1]), use_det=False, use_cls=False, use_rec=True)
        texts = getattr(result, "txts", None)
        return (texts[0], float(result.scores[0])) if texts else ("", 0.0)


class Tesseract:
    """The tesseract program, started once a photo, in its mode for sparse text."""

    def __init__(self, threads: int, options: dict[str, Any]) -> None:
        self.program = shutil.which("tesseract")
        if self.program is None:
            raise ImportError("no program named tesseract on the PATH")
        self.languages = options.get("tesseract_languages", "hin+eng")
        self.environment = os.environ | {"OMP_THREAD_LIMIT": str(threads)}
        there = self._run(["--list-langs"], b"").split()
        missing = [language for language in self.languages.split("+") if language not in there]
        if missing:
            raise ImportError(f"tesseract has no data for {', '.join(missing)}")
        self.version = " ".join(self._run(["--version"], b"").split()[:2]).capitalize() + f", {self.languages}"

    def _run(self, arguments: list[str], data: bytes) -> str:
        command = [str(self.program), *arguments]
        # Its OpenMP threads can spin for minutes on a busy machine: a photo over the limit counts as failed.
        done = subprocess.run(
            command, input=data, capture_output=True, env=self.environment, check=True, timeout=TESSERACT_SECONDS
        )
        return done.stdout.decode("utf-8")

    def _rows(self, pixels: np.ndarray, mode: int) -> list[dict[str, str]]:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PPM")
        table = self._run(["stdin", "stdout", "-l", self.languages, "--psm", str(mode), "tsv"], stream.getvalue())
        rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row for row in rows if row["level"] == "5" and row["text"].strip()]

    def read(self, pixels: np.ndarray) -> list[Reading]:
        readings: list[Reading] = []
        for row in self._rows(pixels, 11):
            x, y, width, height = (float(row[key]) for key in ("left", "top", "width", "height"))
            polygon = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
            readings.append((polygon, row["text"], float(row["conf"]) / 100))
        return readings

    def read_crop(self, pixels: np.ndarray) -> tuple[str, float]:
        # It expects some margin around a word.
        padded = np.pad(pixels, ((10, 10), (10, 10), (0, 0)), mode="edge")
        rows = self._rows(padded, 8)
        confidence = min((float(row["conf"]) / 100 for row in rows), default=0.0)
        return " ".join(row["text"] for row in rows), confidence


class EasyOcr:
    """EasyOCR with the models it finds on this machine. Returns lines."""

    def __init__(self, threads: int, options: dict[str, Any]) -> None:
        from importlib.metadata import version

        import easyocr
        import torch

        torch.set_num_threads(threads)
        languages = options.get("easyocr_languages", "hi+en").split("+")
        try:
            self.reader = easyocr.Reader(languages, gpu=False, download_enabled=False, verbose=False)
        except FileNotFoundError as error:
            raise ImportError(f"EasyOCR is there, its models are not ({error})") from None
        self.version = f"EasyOCR {version('easyocr')}, {'+'.join(languages)}"

    def read(self, pixels: np.ndarray) -> list[Reading]:
        found = self.reader.readtext(pixels)
        return [(np.asarray(box, float).tolist(), text, float(score)) for box, text, score in found]

    def read_crop(self, pixels: np.ndarray) -> tuple[str, float]:
        height, width = pixels.shape[:2]
        grey = np.asarray(Image.fromarray(pixels).convert("L"))
        found = self.reader.recognize(grey, horizontal_list=[[0, width, 0, height]], free_list=[])
        return (found[0][1], float(found[0][2])) if found else ("", 0.0)


SYSTEMS: dict[str, type] = {"signboard": Signboard, "rapidocr": RapidOcr, "tesseract": Tesseract, "easyocr": EasyOcr}


def open_pixels(path: str | Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB, EXIF-upright."""
    with Image.open(path) as image:
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))


def peak_memory(*, children: bool = True) -> float:
    """MiB: this process's peak, plus the peak of its largest child where it started any. 0 where unknown."""
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 2**20 if sys.platform == "darwin" else 2**10
    kinds = (resource.RUSAGE_SELF, *([resource.RUSAGE_CHILDREN] if children else []))
    return sum(resource.getrusage(kind).ru_maxrss for kind in kinds) / unit


def work(name: str, threads: int, options: dict[str, Any]) -> None:
    """Answer requests, one JSON line each, until the input ends."""
    # Libraries print to stdout; the answers go to a descriptor that they do not know.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value, ensure_ascii=False) + "\n")
        answers.flush()

    started = time.perf_counter()
    try:
        system: System = SYSTEMS[name](threads, options)
    except Exception as error:  # an import can fail in any way; the parent says so and goes on
        answer({"missing": f"{type(error).__name__}: {error}".splitlines()[0]})
        return
    answer({"version": system.version, "load_seconds": time.perf_counter() - started})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "photo" in request:
                pixels = open_pixels(request["photo"])
                started = time.perf_counter()
                words = system.read(pixels)
                answer({"words": words, "seconds": time.perf_counter() - started})
            elif "crop" in request:
                pixels = open_pixels(request["crop"])
                started = time.perf_counter()
                text, confidence = system.read_crop(pixels)
                answer({"text": text, "confidence": confidence, "seconds": time.perf_counter() - started})
            else:
                answer({"peak_mib": peak_memory()})
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}".splitlines()[0]})


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
