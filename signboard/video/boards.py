"""Parts signs that layout put together although the wall shows between them: boards that hang near one another.

Layout sees places alone. Here the picture is looked at, too: between two words of one board lies the board.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from signboard.geometry import ImageArray, text_quad, text_size
from signboard.pipeline.layout import arrange
from signboard.reading import Reading, Sign, Word

# Colours that differ by more than this are of different things (8-bit L*a*b*, Euclidean).
_OTHER = 20.0
# The wall shows where a stripe of it, so wide in heights of the smaller word, lies across the way between two words ...
_STRIPE = 0.2
# ... and reaches so far to both sides of the way, in heights of the taller word: emblems and arrows do not.
_REACH = 0.9
_LINES = 5  # parallel ways that are looked along
# Where the ground of a word is looked at: so far around it, in heights.
_AROUND = 0.3
_STEPS = 10  # for each side of the word


def part_boards(reading: Reading, pixels: ImageArray) -> Reading:
    """The reading with signs parted whose words stand on different boards.

    Args:
        reading: polygons in pixels of `pixels`.
        pixels: (H, W, 3) uint8 RGB, the frame that was read.
    """
    signs: list[Sign] = []
    for sign in reading.signs:
        groups = _groups([word for line in sign.lines for word in line.words], pixels)
        signs += [sign] if len(groups) == 1 else [part for words in groups for part in arrange(words)]
    return reading if len(signs) == len(reading.signs) else dataclasses.replace(reading, signs=tuple(signs))


def _groups(words: Sequence[Word], pixels: ImageArray) -> list[list[Word]]:
    """The words of one sign, those of a board together: linked are any two that the wall does not part."""
    if len(words) < 2:
        return [list(words)]
    quads = np.array([text_quad(np.asarray(word.polygon, np.float32)) for word in words], np.float64)  # (n, 4, 2)
    heights = np.array([max(text_size(quad.astype(np.float32))[1], 1.0) for quad in quads])
    margin = (1 + _REACH) * heights.max()
    low = np.maximum(np.floor(quads.min(axis=(0, 1)) - margin), 0).astype(int)
    high = np.ceil(quads.max(axis=(0, 1)) + margin).astype(int)
    crop = pixels[low[1] : high[1], low[0] : high[0]]
    if crop.size == 0:
        return [list(words)]
    picture = np.asarray(cv2.blur(crop, (3, 3)), np.uint8)
    quads -= low
    grounds = [_ground(picture, quad, height) for quad, height in zip(quads, heights, strict=True)]
    owner = list(range(len(words)))

    def root(i: int) -> int:
        while owner[i] != i:
            i = owner[i]
        return i

    for i, j in combinations(range(len(words)), 2):
        a, b = root(i), root(j)
        if a != b and not _parted(picture, quads[[i, j]], heights[[i, j]], (grounds[i], grounds[j])):
            owner[max(a, b)] = min(a, b)
    groups: dict[int, list[Word]] = {}
    for i, word in enumerate(words):
        groups.setdefault(root(i), []).append(word)
    return list(groups.values())


def _ground(picture: ImageArray, quad: NDArray[np.float64], height: float) -> NDArray[np.float32]:
    """The colour (3,) around a word: the median along its outline (4, 2), grown a little."""
    centre = quad.mean(axis=0)
    sizes = np.maximum(np.linalg.norm(quad - centre, axis=1, keepdims=True), 1e-6)
    grown = quad + (quad - centre) / sizes * (_AROUND * height * 2**0.5)
    shares = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    outline = np.concatenate([a + shares * (b - a) for a, b in zip(grown, np.roll(grown, -1, axis=0), strict=True)])
    return np.asarray(np.median(_at(picture, outline), axis=0), np.float32)


def _parted(
    picture: ImageArray,
    quads: NDArray[np.float64],
    heights: NDArray[np.float64],
    grounds: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> bool:
    """Whether a stripe that is the ground of neither word lies across the way from one to the other.

    Args:
        picture: (h, w, 3) uint8 RGB.
        quads, heights: of the two words, (2, 4, 2) and (2,), pixels of `picture`.
    """
    first, second = quads.mean(axis=1)
    way = second - first
    length = float(np.linalg.norm(way))
    if length < 2.0:
        return False
    across = np.array([-way[1], way[0]]) / length
    steps = first + np.linspace(0, 1, max(int(length), 2))[:, None] * way  # (s, 2), a pixel apart
    offsets = np.linspace(-_REACH, _REACH, _LINES) * heights.max()
    points = steps[None] + offsets[:, None, None] * across  # (lines, s, 2)
    seen = _at(picture, points.reshape(-1, 2)).reshape(*points.shape[:2], 3)
    other = np.all([np.linalg.norm(seen - ground, axis=2) > _OTHER for ground in grounds], axis=0)
    middle = len(offsets) // 2
    for quad in quads:  # letters are no wall
        other[:, _inside(quad, points[middle])] = False
    return _longest_run(other.all(axis=0)) >= max(_STRIPE * heights.min(), 3.0)


def _at(picture: ImageArray, points: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n, 3) L*a*b* at points (n, 2) of a picture (h, w, 3) RGB, those at the edge for points outside."""
    x, y = np.floor(points).astype(int).T
    found = picture[np.clip(y, 0, picture.shape[0] - 1), np.clip(x, 0, picture.shape[1] - 1)]
    return np.asarray(cv2.cvtColor(found[None], cv2.COLOR_RGB2LAB)[0], np.float32)


def _inside(quad: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) whether points (n, 2) lie in a convex quad (4, 2), clockwise."""
    sides = np.roll(quad, -1, axis=0) - quad
    off = points[:, None] - quad  # (n, 4, 2)
    return np.asarray((sides[:, 0] * off[..., 1] - sides[:, 1] * off[..., 0] >= 0).all(axis=1))


def _longest_run(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
