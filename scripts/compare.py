"""Compare `signboard` with RapidOCR, Tesseract and EasyOCR on labelled photos: same photos, threads and scorer.

Installs nothing: systems that cannot be imported are named and left out. Each system runs in a process of its own, and
every photo is read by all of them in turn, so that a busy machine slows all alike. Pixels are decoded before the clock
starts. The readings of systems that return lines are cut into words at white space, in proportion to the number of
characters, before they are scored; that favours them.

    python scripts/compare.py --set DIR [--set DIR ...] [--split val] [--threads 2] [--json out.json]

A system that lives in another environment: --python rapidocr=/path/to/python.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from PIL import Image, ImageOps

# The workers below run in the systems' own environments: at the top level only the standard library, NumPy and Pillow.

TESSERACT_SECONDS = 300

Reading = tuple[list[list[float]], str, float]  # polygon, text, confidence


# ---- the systems, inside a worker --------------------------------------------------------------------------------


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

        self.engine = RapidOCR(
            params={
                "Global.log_level": "critical",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        self.version = f"RapidOCR {version('rapidocr')}"

    def read(self, pixels: np.ndarray) -> list[Reading]:
        result = self.engine(np.ascontiguousarray(pixels[..., ::-1]), use_det=True, use_cls=True, use_rec=True)
        if getattr(result, "boxes", None) is None or result.txts is None:
            return []
        found = zip(result.boxes, result.txts, result.scores, strict=True)
        return [(np.asarray(box, float).tolist(), text, float(score)) for box, text, score in found]

    def read_crop(self, pixels: np.ndarray) -> tuple[str, float]:
        result = self.engine(np.ascontiguousarray(pixels[..., ::-1]), use_det=False, use_cls=False, use_rec=True)
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


SYSTEMS = {"signboard": Signboard, "rapidocr": RapidOcr, "tesseract": Tesseract, "easyocr": EasyOcr}


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
        system = SYSTEMS[name](threads, options)
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


# ---- the parent --------------------------------------------------------------------------------------------------


class Worker:
    """A system in a process of its own. `version` is empty and `missing` says why when it is not there."""

    def __init__(self, name: str, threads: int, python: str, options: dict[str, Any]) -> None:
        self.name = name
        limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
        command = [python, str(Path(__file__).resolve()), "--worker", name, "--threads", str(threads)]
        self.process = subprocess.Popen(
            [*command, "--options", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if options.get("verbose") else subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=os.environ | {limit: str(threads) for limit in limits} | {"PYTHONUTF8": "1"},
        )
        first = self._receive()
        self.missing: str = first.get("missing", "")
        self.version: str = first.get("version", "")
        self.load_seconds: float = first.get("load_seconds", 0.0)

    def _receive(self) -> dict[str, Any]:
        stdout: TextIO = self.process.stdout  # type: ignore[assignment]
        line = stdout.readline()
        if not line:
            self.process.wait()
            return {"missing": f"its process ended with code {self.process.returncode}", "error": "the process ended"}
        return json.loads(line)

    def ask(self, **request: str) -> dict[str, Any]:
        """Send a request ("photo" or "crop" with a path, or "memory") and wait for the answer."""
        stdin: TextIO = self.process.stdin  # type: ignore[assignment]
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
        except BrokenPipeError:
            return {"error": "the process ended"}
        return self._receive()

    def close(self) -> None:
        """End the process."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(timeout=60)


def split_line(polygon: np.ndarray, text: str) -> list[tuple[np.ndarray, str]]:
    """Cut a line into its words at white space, by the share of characters along its quad.

    Args:
        polygon: (4, 2) pixels, clockwise from the text's top-left; other polygons are not cut.
        text: what the line says.

    Returns:
        (polygon, text) of each word, in order.
    """
    words = text.split()
    if len(words) < 2 or len(polygon) != 4:
        return [(polygon, text.strip())]
    line = " ".join(words)
    top_left, top_right, bottom_right, bottom_left = np.asarray(polygon, dtype=np.float64)
    pieces, at = [], 0
    for word in words:
        start, end = at / len(line), (at + len(word)) / len(line)
        piece = [
            top_left + start * (top_right - top_left),
            top_left + end * (top_right - top_left),
            bottom_left + end * (bottom_right - bottom_left),
            bottom_left + start * (bottom_right - bottom_left),
        ]
        pieces.append((np.array(piece), word))
        at += len(word) + 1
    return pieces


def start_workers(names: Sequence[str], threads: int, pythons: dict[str, str], options: dict[str, Any]) -> list[Worker]:
    """The systems that are there; the others are named on stderr."""
    workers = []
    for name in names:
        worker = Worker(name, threads, pythons.get(name, sys.executable), options)
        if worker.missing:
            print(f"{name}: left out, {worker.missing}", file=sys.stderr)
        else:
            workers.append(worker)
    return workers


def compare_set(path: Path, split: str | None, workers: Sequence[Worker], limit: int | None) -> list[dict[str, Any]]:
    """Scores of every system on one set, a plain dict each, ready for JSON."""
    from signboard.training.adapters import SceneSample, WordSample, load_scenes, load_words, read_rgb
    from signboard.training.evaluation import (
        ReadWord,
        is_word_set,
        report_json,
        scene_crops,
        score_photos,
        score_words,
    )

    scenes: list[SceneSample] = [] if is_word_set(path) else load_scenes(path, split)[:limit]
    with tempfile.TemporaryDirectory() as folder:
        crops: list[tuple[str, WordSample]] = []
        pairs = (
            scene_crops(sample for sample in scenes if sample.level == "word")
            if scenes
            else ((read_rgb(sample), sample) for sample in load_words(path, split)[:limit])
        )
        for index, (pixels, labelled) in enumerate(pairs):
            file = str(Path(folder) / f"{index}.png")
            Image.fromarray(pixels).save(file, compress_level=1)
            crops.append((file, labelled))

        photo_answers: dict[str, list[dict[str, Any]]] = {worker.name: [] for worker in workers}
        crop_answers: dict[str, list[dict[str, Any]]] = {worker.name: [] for worker in workers}
        for worker in workers if scenes else []:
            worker.ask(photo=str(scenes[0].image))  # warm up: not scored, not timed
        for done, sample in enumerate(scenes, 1):
            for worker in workers:
                photo_answers[worker.name].append(worker.ask(photo=str(sample.image)))
            _progress(f"{path.name}: photo {done} of {len(scenes)}", done == len(scenes))
        for done, (file, _) in enumerate(crops, 1):
            for worker in workers:
                crop_answers[worker.name].append(worker.ask(crop=file))
            if done % 20 == 0 or done == len(crops):
                _progress(f"{path.name}: word {done} of {len(crops)}", done == len(crops))

        results = []
        for worker in workers:
            answers = {
                str(sample.image): answer for sample, answer in zip(scenes, photo_answers[worker.name], strict=True)
            }

            def read(sample: SceneSample, answers: dict[str, dict[str, Any]] = answers) -> list[ReadWord]:
                return [
                    ReadWord(piece, word, confidence)
                    for polygon, text, confidence in answers[str(sample.image)].get("words", [])
                    for piece, word in split_line(np.asarray(polygon, dtype=np.float64), text)
                ]

            result: dict[str, Any] = {"set": path.name, "system": worker.version, "name": worker.name}
            if scenes:
                result |= report_json(score_photos(read, scenes, source=path.name))
                times = [answer["seconds"] for answer in answers.values() if "seconds" in answer]
                result["seconds_a_photo"] = statistics.median(times) if times else None
            if crops:
                texts = iter(crop_answers[worker.name])

                def read_crops(batch: list[np.ndarray], texts: Any = texts) -> list[tuple[str, float]]:
                    replies = [next(texts) for _ in batch]
                    return [(reply.get("text", ""), reply.get("confidence", 0.0)) for reply in replies]

                placeholder = np.zeros((1, 1, 3), np.uint8)
                samples = [(placeholder, labelled) for _, labelled in crops]
                result["words"] = report_json(score_words(read_crops, samples, source=path.name))
            failed = [a for a in photo_answers[worker.name] + crop_answers[worker.name] if "error" in a]
            if failed:
                result["failed"] = len(failed)
                print(f"{worker.name}: {len(failed)} failed, the first: {failed[0]['error']}", file=sys.stderr)
            result["load_seconds"] = worker.load_seconds
            result["peak_mib"] = worker.ask(memory="").get("peak_mib")
            results.append(result)
    return results


def _progress(text: str, last: bool) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="\n" if last else "", file=sys.stderr, flush=True)


def table(results: Sequence[dict[str, Any]]) -> str:
    """The results as one Markdown table."""
    from signboard.training.evaluation import markdown_table, percent

    def share(value: float | None) -> str:
        return "–" if value is None else percent(value)

    rows = []
    for result in results:
        words, scripts = result.get("words", {}), result.get("words", {}).get("by_script", {})
        photos = result.get("detection", {}).get("photos")
        seconds, memory = result.get("seconds_a_photo"), result.get("peak_mib")
        row = [
            result["set"],
            result["system"],
            "–" if photos is None else photos,
            share(result.get("detection", {}).get("h_mean")),
            share(result.get("end_to_end", {}).get("h_mean")),
            share(result.get("bag_of_words", {}).get("h_mean")),
            words.get("all", {}).get("words", "–"),
            share(words.get("all", {}).get("accuracy")),
            share(scripts.get("latin", {}).get("accuracy")),
            share(scripts.get("devanagari", {}).get("accuracy")),
            "–" if seconds is None else f"{seconds:.2f}",
            "–" if not memory else f"{memory:.0f}",
        ]
        rows.append(row)
    headers = ["set", "system", "photos", "detection H", "end to end H", "bag of words F1", "words", "accuracy"]
    return markdown_table([*headers, "Latin", "Devanagari", "s a photo", "peak MiB"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--set", type=Path, action="append", dest="sets", help="a labelled set; may be repeated")
    parser.add_argument("--split", choices=("train", "val", "test"), help="only this split")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="which to run, separated by commas")
    parser.add_argument("--python", action="append", default=[], metavar="SYSTEM=PATH", help="interpreter of a system")
    parser.add_argument("--threads", type=int, default=2, help="processor threads for each (default 2)")
    parser.add_argument("--limit", type=int, help="only the first photos (or words) of a set")
    parser.add_argument("--tesseract-languages", default="hin+eng")
    parser.add_argument("--easyocr-languages", default="hi+en")
    parser.add_argument("--weights-detector", help="card of a detector, instead of the shipped one")
    parser.add_argument("--weights-recognizer", help="card of a recogniser, instead of the shipped one")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--verbose", action="store_true", help="show what the systems print")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--options", default="{}", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.worker:
        work(args.worker, args.threads, json.loads(args.options))
        return 0
    if not args.sets:
        parser.error("name at least one --set")
    names = args.systems.split(",")
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown or args.threads < 1:
        parser.error(f"unknown system {unknown[0]!r}" if unknown else "--threads must be at least 1")
    pythons = dict(item.split("=", 1) for item in args.python if "=" in item)
    if len(pythons) != len(args.python) or set(pythons) - set(SYSTEMS):
        parser.error("--python takes SYSTEM=PATH")

    from signboard.errors import SignboardError

    weights = {"detector": args.weights_detector, "recognizer": args.weights_recognizer}
    options = {
        "weights": {key: value for key, value in weights.items() if value},
        "tesseract_languages": args.tesseract_languages,
        "easyocr_languages": args.easyocr_languages,
        "verbose": args.verbose,
    }
    workers = start_workers(names, args.threads, pythons, options)
    if not workers:
        print("none of the systems is installed here", file=sys.stderr)
        return 1
    results: list[dict[str, Any]] = []
    try:
        for path in args.sets:
            results += compare_set(path, args.split, workers, args.limit)
    except SignboardError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        for worker in workers:
            worker.close()
    print(table(results))
    if args.json:
        args.json.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
