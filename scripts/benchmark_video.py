"""Measure how videos are read: each sign once, texts right, and how fast, on videos that are made for it.

    python scripts/benchmark_video.py signs [--videos 24] [--seed 0]      # drawn boards, truth known
    python scripts/benchmark_video.py photos --set DIR [--split val]      # a camera moves over labelled photos
    python scripts/benchmark_video.py speed [--seconds 20]                # times real time at 2 frames a second

signs   eight kinds of videos: a pan, a zoom, a way there and back, a bus that hides the sign, two signs that say the
        same side by side, signs that say the same far apart, boards near and far that move apart, a hand that shakes
photos  each photo panned and zoomed over as a video; words are compared with the labels and with what the reader
        says of the photo itself
speed   1280 x 720 at 25 frames a second; use an idle machine
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator

from signboard.photo import load_photo
from signboard.synthesis.videos import View, draw_board, make_video, paste, view_at, wall
from signboard.voting import plain, similarity

SIZE = (1280, 720)
KINDS = ("pan", "zoom", "return", "bus", "twins", "repeats", "depth", "shake")

HINDI = (
    "शर्मा मिष्ठान भंडार", "महात्मा गांधी मार्ग", "नगर पालिका", "सरकारी अस्पताल", "रेलवे स्टेशन", "पुलिस थाना",
    "भारतीय स्टेट बैंक", "पुस्तक भंडार", "गुप्ता जनरल स्टोर", "प्रवेश निषेध", "राजकीय विद्यालय", "डाक घर",
    "जल संस्थान", "किराना दुकान", "दवाखाना", "टिकट खिड़की",
)  # fmt: skip
ENGLISH = (
    "SHARMA SWEETS", "Mahatma Gandhi Road", "CITY HOSPITAL", "Railway Station", "POLICE STATION", "Book House",
    "GUPTA GENERAL STORE", "NO PARKING", "Government School", "POST OFFICE", "Medical Hall", "TICKET COUNTER",
    "Lake View Hotel", "GREEN PARK", "Tailors and Drapers", "Mobile Repair", "Phone 98765 43210", "Sector 12",
)  # fmt: skip


@dataclass
class Made:
    """A video, and the texts of its signs."""

    path: Path
    signs: list[str]
    kind: str = ""


@dataclass
class Score:
    """Counts over videos."""

    signs: int = 0
    once: int = 0
    right: int = 0
    extra: int = 0
    notes: list[str] = field(default_factory=list)


def texts(rng: Generator, count: int) -> list[list[str]]:
    """Lines of `count` boards, no line twice."""
    hindi, english = list(rng.permutation(HINDI)), list(rng.permutation(ENGLISH))
    boards = []
    for _ in range(count):
        lines = [str(hindi.pop())] if rng.random() < 0.6 else []
        if not lines or rng.random() < 0.7:
            lines.append(str(english.pop()))
        boards.append(lines)
    return boards


def row_of_boards(rng: Generator, boards: Sequence[Sequence[str]], gap: int) -> tuple[np.ndarray, list[int]]:
    """A wall with the boards side by side, and the middle of each."""
    scene = wall(gap * (len(boards) + 1), 1300, int(rng.integers(1 << 30)))
    middles = []
    for number, lines in enumerate(boards):
        board = draw_board(rng, lines, int(rng.integers(520, 760)))
        left = gap * (number + 1) - board.shape[1] // 2
        paste(scene, board, left, 650 - board.shape[0] // 2 + int(rng.integers(-60, 60)))
        middles.append(gap * (number + 1))
    return scene, middles


def make(kind: str, folder: Path, rng: Generator) -> Made:
    """One video of a kind."""
    path = folder / f"{kind}-{rng.integers(1 << 30)}.mp4"
    look: dict[str, Any] = {"shake": 2.0, "blurred": 0.25, "noise": 3.0, "seed": int(rng.integers(1 << 30))}
    over: Callable[[np.ndarray, float], None] | None = None
    boards = texts(rng, {"zoom": 1, "bus": 1, "twins": 1, "return": 2, "repeats": 2, "depth": 4}.get(kind, 4))
    if kind == "repeats":
        boards = [boards[0], boards[1], boards[0]]
    if kind == "twins":
        boards = [boards[0], boards[0]]
    gap = 780 if kind == "twins" else int(rng.integers(900, 1300))
    scene, middles = row_of_boards(rng, boards, gap)
    start, end = float(middles[0]), float(middles[-1])
    zoom = float(rng.uniform(0.8, 1.1))
    y = 650.0
    if kind == "zoom":
        points: list[tuple[float, View]] = [(0, (start, y, 0.3, 0)), (6, (start, y, 1.3, 2)), (8, (start, y, 1.3, 2))]
    elif kind == "return":
        points = [(0, (start, y, zoom, 0)), (3, (end, y, zoom, 1)), (5, (end, y, zoom, 1)), (8, (start, y, zoom, 0)),
                  (9, (start, y, zoom, 0))]  # fmt: skip
    elif kind == "bus":
        points = [(0, (start, y, zoom, 0)), (9, (start + 60, y, zoom, 0))]
        bus = draw_board(rng, ["DTC 505"], 1500)
        bus = np.concatenate([bus, np.full((700, 1500, 3), bus[2, 2], np.uint8)])[:640]
        boards = [*boards, ["DTC 505"]]

        def over(frame: np.ndarray, now: float) -> None:
            left = round(1280 - 900 * (now - 3))
            a, b = max(left, 0), min(left + bus.shape[1], frame.shape[1])
            if a < b:
                frame[40 : 40 + len(bus), a:b] = bus[:, a - left : b - left]

    elif kind == "twins":
        middle = (start + end) / 2
        points = [(0, (middle - 100, y, 0.8, 0)), (3, (middle + 100, y, 0.8, 1)), (6, (middle, y, 0.7, 0))]
    elif kind == "shake":
        look |= {"shake": 8.0, "blurred": 0.5}
        points = [(0, (start, y, zoom, 0)), (2.5 * len(middles), (end, y, zoom, 0))]
    else:
        seconds = len(middles) * float(rng.uniform(1.6, 2.6))
        points = [(0, (start, y, zoom, 0)), (seconds, (end, y, zoom, float(rng.uniform(-3, 3)))),
                  (seconds + 1, (end, y, zoom, 0))]  # fmt: skip
    if kind == "depth":
        near = draw_board(rng, ["WAY OUT"], 420)
        boards = [*boards, ["WAY OUT"]]

        def over(frame: np.ndarray, now: float) -> None:
            x = view_at(points, now)[0]
            left = round(640 + 1.6 * zoom * (start + 700 - x) - 210)
            a, b = max(left, 0), min(left + near.shape[1], frame.shape[1])
            top = 720 - len(near) - 10
            if a < b:
                frame[top : top + len(near), a:b] = near[:, a - left : b - left]

    make_video(path, scene, points, size=SIZE, over=over, **look)
    return Made(path, ["\n".join(lines) for lines in boards], kind)


def score_signs(made: Made, found: Sequence[str], score: Score) -> None:
    """Adds a video's signs to the counts: each sign belongs to at most one that was found, the likest first."""
    pairs = sorted(
        ((similarity(sign, text), i, j) for i, sign in enumerate(made.signs) for j, text in enumerate(found)),
        reverse=True,
    )
    of: dict[int, int] = {}
    for alike, i, j in pairs:
        if alike >= 0.5 and i not in of and j not in of.values():
            of[i] = j
    extra = [text for j, text in enumerate(found) if j not in of.values()]
    for i, sign in enumerate(made.signs):
        doubles = [text for text in extra if similarity(sign, text) >= 0.5]
        score.once += i in of and not doubles
        score.right += i in of and plain(found[of[i]]) == plain(sign)
        if i not in of:
            score.notes.append(f"{made.kind}: missed {sign!r}")
        elif plain(found[of[i]]) != plain(sign):
            score.notes.append(f"{made.kind}: {sign!r} read as {found[of[i]]!r}")
    score.signs += len(made.signs)
    score.extra += len(extra)
    score.notes += [f"{made.kind}: extra {text!r}" for text in extra]


def read(reader: Any, path: Path, **options: Any) -> tuple[list[Any], float, float]:
    """(signs, seconds it took, seconds of video)."""
    from signboard.video import follow, open_source

    source = open_source(str(path))
    begin = time.perf_counter()
    signs = list(follow(reader, source, **options))
    spent = time.perf_counter() - begin
    source.close()
    assert source.fault() is None
    return signs, spent, source.duration or 0.0


def measure_signs(reader: Any, options: argparse.Namespace) -> None:
    """Prints a row for each kind of video, and one for all."""
    rng = np.random.default_rng(options.seed)
    scores = {kind: Score() for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.videos):
            made = make(KINDS[number % len(KINDS)], Path(folder), rng)
            signs, _, _ = read(reader, made.path)
            score_signs(made, [sign.sign.text for sign in signs], scores[made.kind])
            if options.keep is not None:
                made.path.replace(options.keep / made.path.name)
            else:
                made.path.unlink()
    print("| kind | signs | exactly once | text right | extra |\n| --- | ---: | ---: | ---: | ---: |")
    total = Score()
    for kind, score in scores.items():
        if not score.signs:
            continue
        print(f"| {kind} | {score.signs} | {score.once} | {score.right} | {score.extra} |")
        for name in ("signs", "once", "right", "extra", "notes"):
            setattr(total, name, getattr(total, name) + getattr(score, name))
    share = 100 / max(total.signs, 1)
    print(f"| all | {total.signs} | {share * total.once:.1f} % | {share * total.right:.1f} % | {total.extra} |")
    print("\n".join(total.notes))


def camera_path(width: int, height: int, rng: Generator) -> list[tuple[float, View]]:
    """A camera that shows all of a photo, goes near, and pans over it."""
    whole = min(SIZE[0] / width, SIZE[1] / height)
    near = 1.35 * whole
    x, y = width / 2, height / 2
    left, right = width / 2 - 0.1 * width, width / 2 + 0.1 * width
    turn = float(rng.uniform(-3, 3))
    return [(0, (x, y, 0.92 * whole, 0)), (1.5, (x, y, 0.92 * whole, 0)), (3, (left, y, near, turn)),
            (4.5, (right, y, near, 0)), (6, (x, y, 0.95 * whole, 0))]  # fmt: skip


def measure_photos(reader: Any, options: argparse.Namespace) -> None:
    """Prints how many labelled words each way of reading has, and how often a video has a word too often."""
    rows = [json.loads(line) for line in (options.set / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["split"] == options.split][: options.photos]
    rng = np.random.default_rng(options.seed)
    counts = dict.fromkeys(("words", "photo", "video", "too often"), 0)
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            pixels = load_photo(options.set / row["image"]).pixels
            height, width = pixels.shape[:2]
            scale = min(1.0, 1600 / max(height, width))
            pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
            height, width = pixels.shape[:2]
            path = make_video(Path(folder) / "photo.mp4", pixels, camera_path(width, height, rng), size=SIZE, shake=1.5,
                              blurred=0.2, noise=2, seed=int(rng.integers(1 << 30)))  # fmt: skip
            signs, _, _ = read(reader, path)
            labelled = [plain(word["text"]) for word in row["words"] if word["text"] and not word["ignore"]]
            whole = min(1.0, SIZE[0] / width, SIZE[1] / height)
            frame = cv2.resize(pixels, None, fx=whole, fy=whole, interpolation=cv2.INTER_AREA)
            still = [plain(word.text) for word in reader.read(np.asarray(frame)).words]
            moving = [plain(word.text) for sign in signs for line in sign.sign.lines for word in line.words]
            for text in set(labelled):
                counts["words"] += labelled.count(text)
                counts["photo"] += min(still.count(text), labelled.count(text))
                counts["video"] += min(moving.count(text), labelled.count(text))
                counts["too often"] += max(0, moving.count(text) - max(labelled.count(text), still.count(text)))
            if options.verbose:
                lost, new = sorted(set(labelled) - set(moving)), sorted(set(moving) - set(still))
                print(row["image"], "labels but not video:", lost, "video but not photo:", new, flush=True)
    share = 100 / max(counts["words"], 1)
    print(
        f"{len(rows)} photos, {counts['words']} words; read on the photo at {SIZE[0]} x {SIZE[1]} "
        f"{share * counts['photo']:.1f} %, on the video {share * counts['video']:.1f} %; "
        f"{counts['too often']} words of the videos more often than they are there"
    )


def measure_speed(reader: Any, options: argparse.Namespace) -> None:
    """Prints how many seconds of video are read in a second."""
    import torch

    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        scene, middles = row_of_boards(rng, texts(rng, 6), 1000)
        points = [(0.0, (middles[0], 650.0, 0.9, 0.0)), (float(options.seconds), (middles[-1], 650.0, 0.9, 0.0))]
        path = make_video(Path(folder) / "pan.mp4", scene, points, size=SIZE, shake=2, blurred=0.2, noise=2)
        read(reader, path)  # the first run warms everything up
        paces = []
        for _ in range(options.rounds):
            frames: list[int] = []
            _, spent, seconds = read(reader, path, progress=lambda done, count, frames=frames: frames.append(count))
            paces.append(seconds / spent)
            print(f"{seconds:.1f} s of video, {frames[-1]} frames read, {spent:.2f} s: {paces[-1]:.2f} x real time")
    print(f"median {np.median(paces):.2f} x real time, {torch.get_num_threads()} threads, {platform.processor()}")


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", choices=("signs", "photos", "speed"))
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--photos", type=int, default=1000, help="at most so many photos of the set")
    parser.add_argument("--set", type=Path, help="a folder with labels.jsonl")
    parser.add_argument("--split", default="val")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of torch")
    parser.add_argument("--keep", type=Path, help="a folder that the made videos are kept in")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.measure == "photos" and options.set is None:
        parser.error("photos needs --set DIR")
    import torch

    from signboard.memory import settle_memory

    if options.threads:
        torch.set_num_threads(options.threads)
    settle_memory("auto", "auto")
    from signboard.reader import Reader

    {"signs": measure_signs, "photos": measure_photos, "speed": measure_speed}[options.measure](Reader(), options)


if __name__ == "__main__":
    main()
