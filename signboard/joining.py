"""Words that were found in pieces: which neighbours may be one word, and whether reading them as one says so."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from signboard.geometry import FloatArray, text_quad, text_size

# In heights of the text: how far pieces of a word may run into each other, and how far apart they may stand.
_OVERLAP, _APART = -0.4, 0.35
# A reading of both pieces as one must be at least this sure.
_LEAST = 0.85


def next_on_line(
    quads: Sequence[FloatArray], *, least: float, most: float, alike: float = 1.4
) -> list[tuple[int, int, float]]:
    """The word to the right of each word on its line: (word, its neighbour, the gap in heights of the first).

    Args:
        quads: (4, 2) each, pixels, clockwise from the text's top-left.
        least, most: gaps, in heights of the first word, between which a neighbour counts; negative ones overlap.
        alike: heights may differ by this factor.
    """
    if len(quads) < 2:
        return []
    corners = np.stack(quads).astype(np.float64)
    heights = np.array([max(text_size(quad)[1], 1.0) for quad in quads])
    middles = corners.mean(axis=1)
    found = []
    for i, first in enumerate(corners):
        height = heights[i]
        right = (first[1] - first[0]) / max(float(np.linalg.norm(first[1] - first[0])), 1e-3)
        down = np.array([-right[1], right[0]])
        tops, bottoms = (corners[:, 0] - first[1]) @ down, (corners[:, 3] - first[2]) @ down
        gaps = ((corners[:, 0] - first[1]) @ right + (corners[:, 3] - first[2]) @ right) / 2
        likely = (
            (np.abs(np.log(heights / height)) < np.log(alike))
            & (np.maximum(np.abs(tops), np.abs(bottoms)) < 0.4 * height)
            & (least * height < gaps)
            & (gaps < most * height)
            & ((middles - middles[i]) @ right > 0)
        )
        likely[i] = False
        if likely.any():
            j = int(np.where(likely, gaps, np.inf).argmin())
            found.append((i, j, float(gaps[j] / height)))
    return found


def around(first: FloatArray, second: FloatArray) -> FloatArray:
    """The quad (4, 2) from the left side of `first` to the right side of `second`, its neighbour on the line."""
    return np.stack([first[0], second[1], second[2], first[3]])


def pieces(words: Sequence[tuple[str, FloatArray]]) -> list[tuple[int, int, FloatArray]]:
    """Neighbours that may be pieces of one word: (first, second, the quad (4, 2) around both); each word once at most.

    Boxes of different words seldom touch, so those that do are asked about; of others, those with a single letter on
    one side, which is what is lost most often.

    Args:
        words: (text, polygon (4, 2) in pixels, clockwise from the text's top-left) each.
    """
    quads = [text_quad(polygon).astype(np.float32) for _, polygon in words]
    single = [sum(unicodedata.category(c)[0] in "LN" for c in text) <= 1 for text, _ in words]
    taken: set[int] = set()
    found = []
    for i, j, gap in sorted(next_on_line(quads, least=_OVERLAP, most=_APART, alike=1.6), key=lambda pair: pair[2]):
        if i in taken or j in taken or (gap > 0 and not (single[i] or single[j])):
            continue
        taken |= {i, j}
        found.append((i, j, around(quads[i], quads[j])))
    return found


def one_word(text: str, confidence: float, first: float, second: float) -> bool:
    """Whether the reading `text` of two pieces as one is to be believed, and not the pieces with their confidences."""
    return bool(text) and " " not in text and confidence >= max(_LEAST, min(first, second))
