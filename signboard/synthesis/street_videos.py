"""Videos of drawn boards of eight kinds, from a pan to a bus that hides the sign, and the texts of their signs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from signboard.synthesis.videos import View, draw_board, make_video, paste, view_at, wall

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


@dataclass(frozen=True)
class MadeVideo:
    """A video, and the texts of its signs."""

    path: Path
    signs: list[str]
    kind: str = ""


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


def make(kind: str, folder: Path, rng: Generator) -> MadeVideo:
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
    return MadeVideo(path, ["\n".join(lines) for lines in boards], kind)


def camera_path(width: int, height: int, rng: Generator) -> list[tuple[float, View]]:
    """A camera that shows all of a photo, goes near, and pans over it."""
    whole = min(SIZE[0] / width, SIZE[1] / height)
    near = 1.35 * whole
    x, y = width / 2, height / 2
    left, right = width / 2 - 0.1 * width, width / 2 + 0.1 * width
    turn = float(rng.uniform(-3, 3))
    return [(0, (x, y, 0.92 * whole, 0)), (1.5, (x, y, 0.92 * whole, 0)), (3, (left, y, near, turn)),
            (4.5, (right, y, near, 0)), (6, (x, y, 0.95 * whole, 0))]  # fmt: skip
