"""Words written downwards, one upright letter below the other, which are found letter by letter. Pure functions."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from signboard.geometry import FloatArray, ImageArray, rectify
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import ReadWord

# Fewer letters in a column are more often no word.
_LEAST = 3
# Of a column's letters, so many must be letters and not digits: O and I are read as 0 and 1 without their neighbours.
_LETTERS = 0.6
# In letter heights: the free space between two letters of a stack, and what must be free beside each of them.
_GAP = (-0.3, 1.3)
_BESIDE = 1.0
# In letter widths: how far a letter's middle may lie from that of the one above it; I is narrow.
_OFF_CENTRE = 0.4
_SIZES = 1.7


def letter(text: str) -> bool:
    """Whether `text` is a single letter, digit or akshara without punctuation."""
    bases = [c for c in text if unicodedata.category(c)[0] in "LN"]
    marks = [c for c in text if unicodedata.category(c)[0] == "M"]
    return len(bases) == 1 and len(bases) + len(marks) == len(text)


def vertical_words(words: Sequence[tuple[str, FloatArray]]) -> list[list[int]]:
    """Which of a photo's words are letters of words written downwards: indices from top to bottom, a list a word.

    Letters of a stack stand below one another, are about equally large, follow closely, and have nothing beside them:
    the first letters of lines of text, or a keypad, are no stacks.

    Args:
        words: (text, polygon (N, 2) in pixels) each, y down.
    """
    if len(words) < _LEAST:
        return []
    low = np.array([polygon.min(axis=0) for _, polygon in words], np.float64)
    high = np.array([polygon.max(axis=0) for _, polygon in words], np.float64)
    size = np.maximum(high - low, 1e-3)
    middle = (low + high) / 2
    alone = [
        i for i, (text, _) in enumerate(words) if letter(text) and size[i, 0] < 2 * size[i, 1] and _free(i, low, high)
    ]
    following: dict[int, int] = {}
    for i in alone:
        below = []
        for j in alone:
            gap = (low[j, 1] - high[i, 1]) / size[[i, j], 1].mean()
            if (
                i != j
                and middle[j, 1] > middle[i, 1]
                and _GAP[0] <= gap <= _GAP[1]
                and abs(middle[i, 0] - middle[j, 0]) <= _OFF_CENTRE * size[[i, j], 0].max()
                and size[[i, j], 1].max() <= _SIZES * size[[i, j], 1].min()
            ):
                below.append((float(gap), j))
        if below and (nearest := min(below)[1]) not in following.values():
            following[i] = nearest
    found = []
    for i in sorted(set(following) - set(following.values())):
        chain = [i]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        letters = sum(words[k][0][0].isalpha() for k in chain)
        if len(chain) >= _LEAST and letters >= _LETTERS * len(chain):
            found.append(chain)
    return found


def _free(index: int, low: NDArray[np.float64], high: NDArray[np.float64]) -> bool:
    """Whether no other box stands on the same row within `_BESIDE` heights of box `index`."""
    height = high[index, 1] - low[index, 1]
    rows = np.minimum(high[:, 1], high[index, 1]) - np.maximum(low[:, 1], low[index, 1])
    apart = np.maximum(low[:, 0] - high[index, 0], low[index, 0] - high[:, 0])
    near = (rows > 0.4 * np.minimum(high[:, 1] - low[:, 1], height)) & (apart < _BESIDE * height)
    near[index] = False
    return not bool(near.any())


def box(polygons: Sequence[FloatArray]) -> FloatArray:
    """The upright rectangle (4, 2) around polygons, from its top-left."""
    points = np.concatenate(list(polygons))
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def side_by_side(pixels: ImageArray, polygons: Sequence[FloatArray], height: int) -> ImageArray:
    """The letters inside polygons, cut out upright and set next to each other: a crop (height, W, 3) of one line."""
    return np.concatenate([rectify(pixels, box([polygon]), height) for polygon in polygons], axis=1)


class JoinVerticalText:
    """Letters that stand below one another, joined to words.

    Args:
        threshold: places with a lower detection score are no letters of a column.
        height: rows of a crop, pixels.
    """

    name = "vertical-text"

    def __init__(self, threshold: float, height: int) -> None:
        self.threshold = threshold
        self.height = height

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """See `MendingStep`. A joined word has the lowest of its letters' detection scores."""
        sure = [word for word in words if word.score >= self.threshold]
        unsure = [word for word in words if word.score < self.threshold]
        columns = [[sure[i] for i in column] for column in vertical_words([(w.text, w.polygon) for w in sure])]
        if not columns:
            return sure + unsure
        joined = []
        crops = [side_by_side(picture, [word.polygon for word in column], self.height) for column in columns]
        for column, reading in zip(columns, (yield crops), strict=True):
            apart = "".join(word.text for word in column)
            least = min(word.confidence for word in column)
            text, confidence = reading.text.replace(" ", ""), reading.confidence
            if confidence < least and len(text) != len(apart):
                text, confidence = apart, least
            place = box([word.polygon for word in column])
            joined.append(ReadWord(text, confidence, place, score=min(word.score for word in column)))
        members = {id(word) for column in columns for word in column}
        return [word for word in sure if id(word) not in members] + joined + unsure


__all__ = ["JoinVerticalText", "box", "letter", "side_by_side", "vertical_words"]
