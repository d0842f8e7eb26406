"""Readers that know no networks, and frames and words made for the purpose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from signboard.pipeline.layout import arrange
from signboard.reading import Reading, Word
from signboard.script import script_of

SIZE = (320, 240)
# Colours that stand for words, as painted; a video codec changes them a little.
PATCHES = {(220, 40, 40): "HOTEL", (40, 60, 220): "BANK", (40, 190, 60): "SCHOOL"}


def word(text: str, left: float, top: float, *, wide: float = 80, tall: float = 20, confidence: float = 0.9) -> Word:
    polygon = ((left, top), (left + wide, top), (left + wide, top + tall), (left, top + tall))
    return Word(text, polygon, confidence, 0.9, script_of(text))


def reading(*words: Word, size: tuple[int, int] = (640, 480)) -> Reading:
    return Reading("", *size, arrange(words))


class PatchReader:
    """Reads patches of colour: each says its word, with a confidence that falls with blur."""

    made: list[dict[str, Any]] = []  # noqa: RUF012 - what the tests look at
    frames = 0

    def __init__(self, **options: Any) -> None:
        PatchReader.made.append(options)

    def read_many(
        self, photos: Iterable[Any], *, batch_size: int | str = "auto", workers: int | None = None
    ) -> Iterator[Reading]:
        for photo in photos:
            PatchReader.frames += 1
            yield self.read(photo)

    def read(self, pixels: np.ndarray) -> Reading:
        height, width = pixels.shape[:2]
        words = []
        for color, text in PATCHES.items():
            near = (np.abs(pixels.astype(int) - color).max(axis=2) < 60).astype(np.uint8)
            count, _, boxes, _ = cv2.connectedComponentsWithStats(near)
            for left, top, wide, tall, area in boxes[1:count].tolist():
                if area > 150:
                    words.append(word(text, left, top, wide=wide, tall=tall))
        return reading(*words, size=(width, height))


def texture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Grey blotches with corners to follow, no colours of patches."""
    rng = np.random.default_rng(seed)
    small = rng.integers(90, 190, (height // 8 + 1, width // 8 + 1)).astype(np.uint8)
    grey = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.repeat(grey[:, :, None], 3, axis=2)


def patch(scene: np.ndarray, color: Sequence[int], left: int, top: int, wide: int = 60, tall: int = 24) -> None:
    scene[top : top + tall, left : left + wide] = color


def write_video(path: Path, frames: Iterable[np.ndarray], *, rate: float = 10.0, kind: str = "mp4v") -> Path:
    """Frames (H, W, 3) RGB as a video file."""
    writer = None
    for frame in frames:
        if writer is None:
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*kind), rate, (frame.shape[1], frame.shape[0]))
            assert writer.isOpened()
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    assert writer is not None
    writer.release()
    return path


def pan(scene: np.ndarray, lefts: Iterable[float], size: tuple[int, int] = SIZE) -> Iterator[np.ndarray]:
    """Frames of `size` (width, height) cut out of a scene at these left edges."""
    for left in lefts:
        x = round(left)
        yield scene[: size[1], x : x + size[0]]
