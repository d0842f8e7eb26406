"""Looking finely only where small text may be: which parts of a photo, and how they fit on one small canvas.

Most of a street photo is wall and sky. A network that has seen the photo at half size knows where text may be, and the
parts around those places, packed side by side, are a fraction of the photo at its full size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from signboard.geometry import FloatArray, ImageArray

CELL = 16  # pixels of the large picture: parts begin and end at multiples of it
_AROUND = 2  # cells around one with text that are looked at, too
# A canvas is one of few sizes, as kernels are compiled for each: so many pixels wide and high.
_WIDTHS = (640, 1536)
_HEIGHTS = (64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536)
# Parts of more than this share of the picture are no gain: then all of it is looked at.
_WORTH = 0.75


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the large picture and where it lies on the canvas, all in pixels, multiples of `CELL`."""

    top: int
    left: int
    height: int
    width: int
    canvas_top: int
    canvas_left: int

    @property
    def source(self) -> tuple[slice, slice]:
        """Rows and columns of the picture."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    @property
    def target(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas."""
        rows = slice(self.canvas_top, self.canvas_top + self.height)
        return rows, slice(self.canvas_left, self.canvas_left + self.width)


@dataclass(frozen=True, slots=True)
class Canvas:
    """Parts of a picture of (height, width) `size`, packed on a canvas of (height, width) `packed`."""

    size: tuple[int, int]
    packed: tuple[int, int]
    parts: tuple[Part, ...]

    @property
    def share(self) -> float:
        """The canvas's area over the picture's."""
        return self.packed[0] * self.packed[1] / (self.size[0] * self.size[1])

    def cut(self, picture: ImageArray, background: int) -> ImageArray:
        """The canvas (*packed, 3) uint8 of a picture (*size, 3) uint8; `background` is what no part covers."""
        canvas = np.full((*self.packed, 3), background, np.uint8)
        for part in self.parts:
            canvas[part.target] = picture[part.source]
        return canvas

    def restore(self, values: FloatArray) -> FloatArray:
        """A map (*size) float32 of the picture from one of the canvas (*packed); 0 where there is no part."""
        result = np.zeros(self.size, np.float32)
        for part in self.parts:
            view = result[part.source]
            np.maximum(view, values[part.target], out=view)  # parts may overlap
        return result


def cells_with_text(
    probability: FloatArray, size: tuple[int, int], least: float, without: Sequence[FloatArray] = ()
) -> NDArray[np.bool_]:
    """Which cells of a picture may hold text by a coarser map of it, and those around them.

    Args:
        probability: (h, w) of the whole picture; each cell is as many of its pixels as any other.
        size: (height, width) of the picture, multiples of `CELL`.
        least: probability from which a pixel may be text.
        without: polygons (N, 2), pixels of the map: what lies inside them does not count.

    Returns:
        (height / CELL, width / CELL)
    """
    rows, columns = size[0] // CELL, size[1] // CELL
    likely = (probability > least).view(np.uint8)
    for polygon in without:
        cv2.fillPoly(likely, [np.round(polygon).astype(np.int32)], 0)
    cells = likely.reshape(rows, -1, likely.shape[1]).max(axis=1).reshape(rows, columns, -1).max(axis=2)
    return np.asarray(cv2.dilate(cells, np.ones((2 * _AROUND + 1, 2 * _AROUND + 1), np.uint8)) > 0)


def plan(cells: NDArray[np.bool_]) -> Canvas | None:
    """The canvas of the parts of a picture whose cells (rows, columns) are set; None if all of it is no more work."""
    size = (cells.shape[0] * CELL, cells.shape[1] * CELL)
    boxes = _boxes(cells)
    best: Canvas | None = None
    for width in {min(width, size[1]) for width in _WIDTHS}:
        if all(box[3] - box[1] <= width // CELL for box in boxes):
            canvas = _packed(boxes, size, width)
            if best is None or canvas.share < best.share:
                best = canvas
    return best if best is not None and best.share <= _WORTH else None


def _boxes(cells: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """(top, left, bottom, right), in cells, of rectangles that cover all set cells, joined where that is less area."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(cells.astype(np.uint8), connectivity=8)
    boxes = [(int(y), int(x), int(y + h), int(x + w)) for x, y, w, h, _ in stats[1:count]]
    joined = True
    while joined:
        joined = False
        for i, a in enumerate(boxes):
            for j in range(i + 1, len(boxes)):
                b = boxes[j]
                both = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
                if _area(both) <= _area(a) + _area(b):
                    boxes[i] = both
                    del boxes[j]
                    joined = True
                    break
            if joined:
                break
    return boxes


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _packed(boxes: Sequence[tuple[int, int, int, int]], size: tuple[int, int], width: int) -> Canvas:
    """The boxes on shelves, the highest first, each on the first shelf that has room (first fit, decreasing height)."""
    shelves: list[tuple[int, int]] = []  # (top, free from this column on)
    parts = []
    bottom = 0
    for top, left, end, right in sorted(boxes, key=lambda box: (box[0] - box[2], box)):
        h, w = (end - top) * CELL, (right - left) * CELL
        for i, (shelf, used) in enumerate(shelves):
            if used + w <= width:
                shelves[i] = (shelf, used + w)
                break
        else:
            shelf, used = bottom, 0
            shelves.append((shelf, w))
            bottom += h
        parts.append(Part(top * CELL, left * CELL, h, w, shelf, used))
    height = next((height for height in _HEIGHTS if height >= bottom), -(-bottom // 64) * 64)
    return Canvas(size, (height, width), tuple(parts))


__all__ = ["CELL", "Canvas", "Part", "cells_with_text", "plan"]
