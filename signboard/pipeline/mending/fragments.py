"""Merging fragments: which neighbours may be one word, and whether reading them as one says so."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signboard.geometry import FloatArray, ImageArray, text_quad, text_size
from signboard.pipeline.mending.number_marks import marked
from signboard.pipeline.mending.orientation import main_rotation
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import ReadWord, cut_out
from signboard.recognition.charset import letters_of
from signboard.recognition.recognizer import CropReading

# Words are merged in so many rounds: two pieces, then up to four, then eight.
_ROUNDS = 3
# In heights of the text: how far pieces of a word may run into each other, how far single letters may stand apart from
# the rest, how far any pieces may that are no words but make one.
_OVERLAP, _APART, _FAR_APART = -0.6, 0.35, 0.5
# ... and how far a single letter may stand from a piece when a letter between them was lost, too. Then the reading of
# both must be this sure, hold what was read of both, and at most so many letters more.
_LOST_BETWEEN, _LEAST_FAR, _MORE = 1.1, 0.95, 2
# How much the heights of pieces may differ; of those with a single letter, "Gg".
_ALIKE, _ALIKE_SINGLE = 1.6, 1.9
# A merged reading never loses one of these: they come from the picture itself (see `numbers`).
FRACTIONS = "½¼¾⅓⅔"
# How sure a reading of both pieces as one must be, at least: of two words; of what is a word while the pieces are not;
# of others, and how much less sure than the less sure piece those may be.
_LEAST, _LEAST_KNOWN, _LEAST_UNKNOWN, _LESS = 0.85, 0.6, 0.65, 0.2
# How sure a reading of two neighbours must be that makes the unsure one as sure, or takes a mark away between them.
_LEAST_CONFIRMED, _LEAST_PARTED = 0.75, 0.7
_FAR_IN = 0.25  # boxes that overlap by so many heights share most of a character
# Boxes share a character when they overlap by so much of its width.
_SHARED = 0.5


def next_on_line(
    quads: Sequence[FloatArray], *, least: float, most: float, alike: float = 1.4, off: float = 0.4
) -> list[tuple[int, int, float]]:
    """The word to the right of each word on its line: (word, its neighbour, the gap in heights of the first).

    Args:
        quads: (4, 2) each, pixels, clockwise from the text's top-left.
        least, most: gaps, in heights of the first word, between which a neighbour counts; negative ones overlap.
        alike: heights may differ by this factor.
        off: tops and feet may differ by so much, in heights of the first word.
    """
    if len(quads) < 2:
        return []
    corners = np.stack(quads).astype(np.float64)
    heights = np.array([max(text_size(quad)[1], 1.0) for quad in quads])
    middles = corners.mean(axis=1)
    right = corners[:, 1] - corners[:, 0]
    right /= np.maximum(np.hypot(right[:, 0], right[:, 1]), 1e-3)[:, None]
    down = np.stack([-right[:, 1], right[:, 0]], axis=1)

    def distances(
        points: NDArray[np.float64], origins: NDArray[np.float64], axes: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """How far each point lies from each word's origin along its axis: (words, points)."""
        return axes @ points.T - (axes * origins).sum(axis=1)[:, None]

    ends, feet = corners[:, 1], corners[:, 2]
    tops, bottoms = distances(corners[:, 0], ends, down), distances(corners[:, 3], feet, down)
    gaps = (distances(corners[:, 0], ends, right) + distances(corners[:, 3], feet, right)) / 2
    height = heights[:, None]
    likely = (
        (np.abs(np.log(heights / height)) < np.log(alike))
        & (np.maximum(np.abs(tops), np.abs(bottoms)) < off * height)
        & (least * height < gaps)
        & (gaps < most * height)
        & (distances(middles, middles, right) > 0)
    )
    np.fill_diagonal(likely, False)
    nearest = np.where(likely, gaps, np.inf).argmin(axis=1)
    return [(i, j, float(gaps[i, j] / heights[i])) for i, j in enumerate(nearest.tolist()) if likely[i, j]]


def around(first: FloatArray, second: FloatArray) -> FloatArray:
    """The quad (4, 2) from the left side of `first` to the right side of `second`, its neighbour on the line."""
    return np.stack([first[0], second[1], second[2], first[3]])


class Pair(NamedTuple):
    """Two neighbours on a line, by their places in a list of words, the quad (4, 2) around both.

    `far`: they are one word only if a letter between them was lost, so far do they stand apart, or differ in height.
    `gap`: between them, in heights.
    """

    first: int
    second: int
    quad: FloatArray
    far: bool = False
    gap: float = 0.0


def merge_candidates(
    words: Sequence[tuple[str, FloatArray]], is_word: Callable[[str], bool] = lambda text: False
) -> list[Pair]:
    """Neighbours that may be pieces of one word; each word once at most.

    Boxes of different words seldom touch, so those that do are asked about; of others, those with a single letter on
    one side, which is what is lost most often, and those whose texts make a word together but are not both words.

    Args:
        words: (text, polygon (4, 2) in pixels, clockwise from the text's top-left) each.
        is_word: whether a text is a known word (`LanguageModel.is_word`).
    """
    quads = [text_quad(polygon).astype(np.float32) for _, polygon in words]
    single = [sum(unicodedata.category(c)[0] in "LN" for c in text) <= 1 for text, _ in words]
    near = []
    for i, j, gap in next_on_line(quads, least=_OVERLAP, most=_FAR_APART, alike=_ALIKE):
        first, second = words[i][0], words[j][0]
        makes_one = is_word(first + second) and not (is_word(first) and is_word(second))
        if makes_one or gap <= 0 or (gap < _APART and (single[i] or single[j])):
            near.append((0 if makes_one else 1, gap, i, j))
    asked = {(i, j) for _, _, i, j in near}
    for i, j, gap in next_on_line(quads, least=_OVERLAP, most=_LOST_BETWEEN, alike=_ALIKE_SINGLE):
        first, second = words[i][0], words[j][0]
        letter = (single[i] or single[j]) and not (first.isdecimal() or second.isdecimal())
        if letter and (i, j) not in asked and not (is_word(first) and is_word(second)):
            near.append((2, gap, i, j))
    taken: set[int] = set()
    found = []
    for rank, gap, i, j in sorted(near):
        if i not in taken and j not in taken:
            taken |= {i, j}
            found.append(Pair(i, j, around(quads[i], quads[j]), rank == 2, gap))
    return found


def accepts_merge(
    text: str,
    confidence: float,
    first: tuple[str, float],
    second: tuple[str, float],
    is_word: Callable[[str], bool] = lambda text: False,
    *,
    far: bool = False,
) -> bool:
    """Whether the reading `text` of two pieces as one is to be believed, and not the pieces.

    Args:
        first, second: text and confidence of each piece.
        is_word, far: as for `pieces` and `Pair`.
    """
    if not text or " " in text or any(c in first[0] + second[0] and c not in text for c in FRACTIONS):
        return False
    if far:
        before, behind, whole = letters_of(first[0]), letters_of(second[0]), letters_of(text)
        return (
            confidence >= _LEAST_FAR
            and whole.startswith(before)
            and whole.endswith(behind)
            and len(text) > len(first[0]) + len(second[0])
            and len(whole) - len(before) - len(behind) <= _MORE
        )
    least = min(first[1], second[1])
    if is_word(first[0]) and is_word(second[0]):
        return confidence >= max(_LEAST, least)
    return confidence >= (_LEAST_KNOWN if is_word(text) else max(_LEAST_UNKNOWN, least - _LESS))


def confirmed(reading: CropReading, first: ReadWord, second: ReadWord, gap: float) -> list[ReadWord]:
    """Two neighbours as a reading of both says them in two words; empty where that says nothing new.

    It makes an unsure one as sure as itself, and takes away what boxes that run into each other have twice, or take for
    a mark: RJ2 27, RJ! 59.

    Args:
        gap: between them, in heights; negative: their boxes overlap.
    """
    parts = reading.text.split(" ")
    texts = [first.text, second.text]
    sure = [max(word.confidence, reading.confidence) for word in (first, second)]
    if parts == texts:
        if reading.confidence < _LEAST_CONFIRMED or min(sure) <= min(first.confidence, second.confidence):
            return []
    else:
        far_in = gap <= -_FAR_IN and reading.confidence >= _LEAST_FAR
        if gap >= 0 or reading.confidence < _LEAST_PARTED or not _without_edge(parts, texts, far_in):
            return []
    return [replace(w, text=t, confidence=c) for w, t, c in zip((first, second), parts, sure, strict=True)]


def _without_edge(parts: list[str], texts: list[str], far_in: bool) -> bool:
    """Whether `parts` are `texts` but for one character where they meet, that both have, or that is a mark.

    Args:
        far_in: their boxes share so much that it may be any: 102 and ZS, whose Z is the 2.
    """
    if len(parts) != 2 or not all(parts):
        return False
    (one, other), (first, second) = parts, texts
    twice = far_in or first[-1:] == second[:1]
    marks = [unicodedata.category(c)[0] == "P" for c in (first[-1], second[0])]
    return ((one, other) == (first[:-1], second) and (twice or marks[0])) or (
        (one, other) == (first, second[1:]) and (twice or marks[1])
    )


def without_twice(first: ReadWord, second: ReadWord) -> list[ReadWord]:
    """Two neighbours whose boxes share a character that both say, with it in the surer one only; else empty.

    Only beside digits, which say nothing of what stands next to them: 18JT3 3729.
    """
    shared, digits = first.text[-1:], first.text + second.text
    if shared != second.text[:1] or not any(c.isdecimal() for c in digits):
        return []
    less, more = (0, 1) if first.confidence <= second.confidence else (1, 0)
    words = [first, second]
    if len(words[less].text) < 2:
        return []
    right = (first.polygon[1] - first.polygon[0]) / max(float(np.linalg.norm(first.polygon[1] - first.polygon[0])), 1.0)
    overlap = float((first.polygon[1] - second.polygon[0] + first.polygon[2] - second.polygon[3]) @ right) / 2
    if overlap < _SHARED * text_size(words[more].polygon)[0] / max(len(words[more].text), 1):
        return []
    words[less] = replace(words[less], text=words[less].text[:-1] if less == 0 else words[less].text[1:])
    return words


class MergeFragments:
    """Words that were found in pieces, put together.

    Args:
        is_word: whether a text is a known word (`LanguageModel.is_word`).
        height: rows of a crop, pixels.
    """

    name = "fragments"

    def __init__(self, is_word: Callable[[str], bool], height: int) -> None:
        self.is_word = is_word
        self.height = height

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """See `MendingStep`. A merged word has the lower one of its pieces' detection scores."""
        readings: dict[bytes, CropReading] = {}  # of quads: pairs that stay apart come up in each round
        way = main_rotation(words)
        for _ in range(_ROUNDS):
            level = [word for word in words if word.rotation == way and len(word.polygon) == 4]
            pairs = merge_candidates([(word.text, word.polygon) for word in level], self.is_word)
            new = {pair.quad.tobytes(): pair.quad for pair in pairs if pair.quad.tobytes() not in readings}
            if new:
                crops = [cut_out(picture, quad, self.height) for quad in new.values()]
                readings |= zip(new, (yield crops), strict=True)
            merged: list[ReadWord] = []
            gone: set[int] = set()
            for i, j, quad, far, gap in pairs:
                reading = readings[quad.tobytes()]
                first, second = level[i], level[j]
                before, behind = (first.text, first.confidence), (second.text, second.confidence)
                if accepts_merge(reading.text, reading.confidence, before, behind, self.is_word, far=far):
                    gone |= {id(first), id(second)}
                    score = min(first.score, second.score)
                    merged.append(marked(picture, ReadWord(reading.text, reading.confidence, quad, way, score)))
                elif both := confirmed(reading, first, second, gap) or without_twice(first, second):
                    gone |= {id(first), id(second)}
                    merged += both
            if not merged:
                break
            words = [word for word in words if id(word) not in gone] + merged
        return words


__all__ = [
    "MergeFragments", "Pair", "accepts_merge", "around", "confirmed", "merge_candidates", "next_on_line",
    "without_twice",
]  # fmt: skip
