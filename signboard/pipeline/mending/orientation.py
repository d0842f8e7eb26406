"""Photos that are upside down: their words decide together which way up the photo is.

A single word may read well upside down (NO and ON, STATION as NOILVLS); all words of a photo seldom do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

from signboard.geometry import ImageArray, rotate_polygon_start, text_size
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import ReadWord, cut_out

# Words are asked the other way up when one of them reads well that way, at least so sure, and not so well this way ...
_TURNED = 0.5
# ... or when all words together are no surer than this; upright photos are seldom less sure.
_DOUBT = 0.75
# So much surer must the words be the other way up, all together, to be turned.
_MARGIN = 0.05
# On photos that lie on their side: the share of words that run one way; boxes no longer than this times their width;
# how much less sure what stands in those may be read along the others.
_MOST, _SQUARE, _LESS = 0.6, 1.7, 0.6
_UNKNOWN = 0.8  # what a text counts that is no known word


def weight_of(text: str) -> float:
    """How much a word counts in the vote: by its letters and digits; one that reads the same both ways says little."""
    letters = sum(unicodedata.category(c)[0] in "LN" for c in text)
    return 0.0 if set(text) <= set("oO0NHISXZxszl1I8|-=69") and letters < 4 else float(min(letters, 8))


def turned(word: ReadWord) -> ReadWord:
    """`word` with its polygon begun at the other end, for text that runs the other way."""
    return replace(word, polygon=rotate_polygon_start(word.polygon, 180), rotation=(word.rotation + 180) % 360)


def in_doubt(words: Sequence[ReadWord]) -> bool:
    """Whether level words may stand on their heads: some read best so, or all read badly."""
    if any(word.rotation == 180 and word.confidence >= _TURNED for word in words):
        return True
    weights = [weight_of(word.text) for word in words]
    total = sum(weights)
    sure = sum(w * word.confidence for w, word in zip(weights, words, strict=True))
    return total > 0 and sure < _DOUBT * total


def support(
    words: Sequence[ReadWord], others: Sequence[tuple[str, float]], is_word: Callable[[str], bool]
) -> tuple[float, float]:
    """(how sure words are as they were read, how sure the other way up): means from 0 to 1, known words count more.

    Args:
        words: as they were read.
        others: text and confidence of each, read the other way up.
    """
    here = there = total = 0.0
    for word, (text, confidence) in zip(words, others, strict=True):
        weight = max(weight_of(word.text), weight_of(text))
        here += weight * word.confidence * (1.0 if is_word(word.text) else _UNKNOWN)
        there += weight * confidence * (1.0 if is_word(text) else _UNKNOWN)
        total += weight
    return (here / total, there / total) if total else (0.0, 0.0)


class DecideOrientation:
    """Words that stand on their heads, all or none of a photo.

    Asked again are only photos on which some words read best upside down, or all words badly.

    Args:
        threshold: places with a lower detection score have no vote.
        is_word: whether a text is a known word (`LanguageModel.is_word`).
        height: rows of a crop, pixels.
    """

    name = "orientation"

    def __init__(self, threshold: float, is_word: Callable[[str], bool], height: int) -> None:
        self.threshold = threshold
        self.is_word = is_word
        self.height = height

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """See `MendingStep`."""
        for level in ((0, 180), (90, 270)):
            which = [i for i, word in enumerate(words) if word.rotation in level]
            likely = [words[i] for i in which if words[i].score >= self.threshold]
            if not likely or not in_doubt(likely if level[0] == 0 else _as_level(likely)):
                continue
            others = [turned(words[i]) for i in which]
            readings = yield [cut_out(picture, word.polygon, self.height) for word in others]
            others = [replace(w, text=r.text, confidence=r.confidence) for w, r in zip(others, readings, strict=True)]
            both = list(zip([words[i] for i in which], others, strict=True))
            first = [a if a.rotation == level[0] else b for a, b in both]
            second = [b if a.rotation == level[0] else a for a, b in both]
            votes = [i for i, word in enumerate(first) if word.score >= self.threshold]
            up, down = support(
                [first[i] for i in votes], [(second[i].text, second[i].confidence) for i in votes], self.is_word
            )
            if abs(up - down) < _MARGIN:
                continue
            words = list(words)
            for i, word in zip(which, first if up > down else second, strict=True):
                words[i] = word
        return (yield from self._along_the_rest(picture, words))

    def _along_the_rest(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """Words that run across those of a photo that lies on its side are read along them: 12 stands in a square."""
        weights = dict.fromkeys((0, 90, 180, 270), 0.0)
        for word in words:
            weights[word.rotation] += weight_of(word.text) if word.score >= self.threshold else 0.0
        way = max(weights, key=lambda way: (weights[way], -way))
        across = [i for i, word in enumerate(words) if (word.rotation - way) % 180]
        if way % 180 == 0 or not across or weights[way] < _MOST * sum(weights.values()):
            return words
        along = [_turned_to(words[i], way) for i in across]
        result = list(words)
        for i, word, reading in zip(
            across, along, (yield [cut_out(picture, word.polygon, self.height) for word in along]), strict=True
        ):
            width, height = text_size(word.polygon)
            square = max(width, height) < _SQUARE * min(width, height)
            if reading.confidence >= words[i].confidence * (_LESS if square else 1.0):
                result[i] = replace(word, text=reading.text, confidence=reading.confidence)
        return result


def main_rotation(words: Sequence[ReadWord]) -> int:
    """The way that most of a photo's words run, by `ReadWord.rotation`; 0 where there are none."""
    ways = [word.rotation for word in words]
    return max((0, 180, 90, 270), key=lambda way: (ways.count(way), way == 0))


def _turned_to(word: ReadWord, way: int) -> ReadWord:
    return replace(word, polygon=rotate_polygon_start(word.polygon, (way - word.rotation) % 360), rotation=way)


def _as_level(words: Sequence[ReadWord]) -> list[ReadWord]:
    """Words that run down or up, those that run the rarer way as if upside down."""
    ways = [word.rotation for word in words]
    rarer = min((90, 270), key=lambda way: (ways.count(way), way))
    return [replace(word, rotation=180 if word.rotation == rarer else 0) for word in words]


__all__ = ["DecideOrientation", "in_doubt", "main_rotation", "support", "turned", "weight_of"]
