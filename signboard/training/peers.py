"""Other systems beside this one on labelled sets: same photos in turn, same threads, same scorer.

Each system runs in a process of its own (`peer_systems.py`), maybe in another environment. Every photo is read by all
of them in turn, so that a busy machine slows all alike.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from PIL import Image

from signboard.progress import tracked
from signboard.training import peer_systems
from signboard.training.adapters import SceneSample, WordSample, load_scenes, load_words, read_rgb
from signboard.training.evaluation import (
    ReadWord,
    is_word_set,
    markdown_table,
    percent,
    report_json,
    scene_crops,
    score_photos,
    score_words,
)

Answer = dict[str, Any]

# Seconds between two systems' turns: threads of the one that has just answered look for more work for a while, and the
# next one would have to share its cores with them (with two threads signboard then took up to a third longer).
_PAUSE = 0.2


class Worker:
    """A system in a process of its own. `version` is empty and `missing` says why when it is not there."""

    def __init__(self, name: str, threads: int, python: str, options: dict[str, Any]) -> None:
        self.name = name
        limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
        script = str(Path(peer_systems.__file__).resolve())
        self.process = subprocess.Popen(
            [python, script, name, str(threads), json.dumps(options)],
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
    """Scores of every system on one set, a plain dict each, ready for JSON.

    Raises:
        DataError: the set is missing or malformed, or has nothing in the split.
    """
    scenes: list[SceneSample] = [] if is_word_set(path) else load_scenes(path, split)[:limit]
    if scenes:
        pairs: Iterable[tuple[np.ndarray, WordSample]] = scene_crops(s for s in scenes if s.level == "word")
    else:
        pairs = ((read_rgb(sample), sample) for sample in load_words(path, split)[:limit])
    with tempfile.TemporaryDirectory() as folder:
        crops: list[tuple[str, WordSample]] = []
        for index, (pixels, labelled) in enumerate(pairs):
            file = str(Path(folder) / f"{index}.png")
            Image.fromarray(pixels).save(file, compress_level=1)
            crops.append((file, labelled))
        for worker in workers if scenes else []:
            worker.ask(photo=str(scenes[0].image))  # warm up: not scored, not timed
        photos = [[_after_a_pause(worker, sample.image) for worker in workers] for sample in tracked(scenes)]
        words = [[worker.ask(crop=file) for worker in workers] for file, _ in tracked(crops, "words")]
    labels = [labelled for _, labelled in crops]
    results = []
    for number, worker in enumerate(workers):
        of_photos, of_words = [row[number] for row in photos], [row[number] for row in words]
        results.append(_scored(worker, path.name, scenes, of_photos, labels, of_words))
    return results


def _after_a_pause(worker: Worker, photo: Path) -> Answer:
    time.sleep(_PAUSE)
    return worker.ask(photo=str(photo))


def _scored(
    worker: Worker,
    name: str,
    scenes: Sequence[SceneSample],
    photos: Sequence[Answer],
    labels: Sequence[WordSample],
    words: Sequence[Answer],
) -> dict[str, Any]:
    """The scores of one system's answers on the set `name`."""
    result: dict[str, Any] = {"set": name, "system": worker.version, "name": worker.name}
    if scenes:
        answers = {str(sample.image): answer for sample, answer in zip(scenes, photos, strict=True)}

        def read(sample: SceneSample) -> list[ReadWord]:
            return [
                ReadWord(piece, word, confidence)
                for polygon, text, confidence in answers[str(sample.image)].get("words", [])
                for piece, word in split_line(np.asarray(polygon, dtype=np.float64), text)
            ]

        result |= report_json(score_photos(read, scenes, source=name))
        times = [answer["seconds"] for answer in photos if "seconds" in answer]
        result["seconds_a_photo"] = statistics.median(times) if times else None
    if labels:
        told = iter(words)

        def read_crops(batch: Sequence[np.ndarray]) -> list[tuple[str, float]]:
            replies = [next(told) for _ in batch]
            return [(reply.get("text", ""), reply.get("confidence", 0.0)) for reply in replies]

        placeholder = np.zeros((1, 1, 3), np.uint8)
        samples = [(placeholder, labelled) for labelled in labels]
        result["words"] = report_json(score_words(read_crops, samples, source=name))
    failed = [answer for answer in (*photos, *words) if "error" in answer]
    if failed:
        result["failed"] = len(failed)
        print(f"{worker.name}: {len(failed)} failed, the first: {failed[0]['error']}", file=sys.stderr)
    result["load_seconds"] = worker.load_seconds
    result["peak_mib"] = worker.ask(memory="").get("peak_mib")
    return result


def with_ratios(results: Sequence[dict[str, Any]], name: str = "signboard") -> list[dict[str, Any]]:
    """The results, each with its seconds a photo over those that the system `name` took on the same set, where both are
    known, as `times_signboards_seconds`."""
    mine = {result["set"]: result.get("seconds_a_photo") for result in results if result["name"] == name}
    rated = []
    for result in results:
        own, seconds = mine.get(result["set"]), result.get("seconds_a_photo")
        rated.append(result | {"times_signboards_seconds": seconds / own} if own and seconds else dict(result))
    return rated


def table(results: Sequence[dict[str, Any]]) -> str:
    """The results as one Markdown table."""

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
