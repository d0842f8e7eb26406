"""Photos that are upside down: their words decide together which way up the photo is.

A single word may read well upside down (NO and ON, STATION as NOILVLS); all words of a photo seldom do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

import numpy as np

from signboard.device_pictures import Crop
from signboard.geometry import ImageArray, rotate_polygon_start, text_size
from signboard.pipeline.mending.number_text import is_piece
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import ReadWord, cut_out
from signboard.recognition.recognizer import CropReading

# Words are asked the other way up when one of them reads well that way, at least so sure, and not so well this way ...
_TURNED = 0.5
# ... or when all words together are no surer than this; upright photos are seldom less sure.
_DOUBT = 0.75
# So many words are asked first, those with the most letters; the others only if these speak for the other way.
_VOTERS = 4
# So much surer must the words be one way up than the other, all together; and to be upside down this sure, with so many
# letters in words that are sure.
_MARGIN, _LEAST, _LETTERS, _SURE = 0.05, 0.5, 4, 0.7
_MARGIN_NUMBERS = 0.5  # ... to be upside down, where all are numbers as they hang
# On photos that lie on their side: the share of words that run one way; boxes no longer than this times their width;
# how much less sure what stands in those may be read along the others.
_MOST, _SQUARE, _LESS = 0.6, 1.7, 0.6
_UNKNOWN = 0.8  # what a text counts that is no known word and no number
_NUMBER = re.compile(r"\W*\d[\d/.,:-]{3,}\W*")
_ONE_WAY_UP = re.compile(r"[23457\u0966-\u096f]")  # the other digits look like digits upside down, too


def weight_of(text: str) -> float:
    """How much a word counts in the vote: by its letters and digits; one that reads the same both ways says little."""
    letters = sum(unicodedata.category(c)[0] in "LN" for c in text)
    return 0.0 if set(text) <= set("oO0NHISXZxszl1I8|-=69") and letters < 4 else float(min(letters, 8))


def turned(word: ReadWord) -> ReadWord:
    """`word` with its polygon begun at the other end, for text that runs the other way."""
    return turned_to(word, (word.rotation + 180) % 360)


def in_doubt(words: Sequence[ReadWord]) -> bool:
    """Whether level words may stand on their heads: some read best so, or all read badly."""
    if any(word.rotation == 180 and word.confidence >= _TURNED for word in words):
        return True
    weights = [weight_of(word.text) for word in words]
    total = sum(weights)
    sure = sum(w * word.confidence for w, word in zip(weights, words, strict=True))
    return total > 0 and sure < _DOUBT * total


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and bool(_ONE_WAY_UP.search(text))


def support(
    up: Sequence[tuple[str, float]], down: Sequence[tuple[str, float]], is_word: Callable[[str], bool]
) -> tuple[float, float]:
    """How sure words are one way up, and the other way up: means from 0 to 1, known words and numbers count more.

    Args:
        up, down: text and confidence of each word both ways up.
    """
    weights = [max(weight_of(a), weight_of(b)) for (a, _), (b, _) in zip(up, down, strict=True)]
    total = sum(weights)

    def mean(some: Sequence[tuple[str, float]]) -> float:
        parts = (
            w * c * (1.0 if is_word(t) or _is_number(t) else _UNKNOWN) for w, (t, c) in zip(weights, some, strict=True)
        )
        return sum(parts) / total if total else 0.0

    return mean(up), mean(down)


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
        for first, second in ((0, 180), (90, 270)):
            which = [i for i, word in enumerate(words) if word.rotation in (first, second)]
            likely = sorted(
                (i for i in which if words[i].score >= self.threshold), key=lambda i: -weight_of(words[i].text)
            )
            if not self._is_asked([words[i] for i in likely], first):
                continue
            likely = likely[:_VOTERS]
            known = yield from self._other_way_up(picture, words, likely)
            way = self._vote([words[i] for i in likely], [known[i] for i in likely], first, second)
            # The others are asked only if they run the other way.
            late = [i for i in which if i not in known and words[i].rotation == (second if way == first else first)]
            if way is None or not any(words[i].rotation != way for i in which):
                continue
            known |= yield from self._other_way_up(picture, words, late)
            words = [
                replace(turned(word), text=known[i].text, confidence=known[i].confidence)
                if i in known and word.rotation != way
                else word
                for i, word in enumerate(words)
            ]
        return (yield from self._along_the_rest(picture, words))

    def _other_way_up(
        self, picture: ImageArray, words: list[ReadWord], which: Sequence[int]
    ) -> Generator[Sequence[Crop], list[CropReading], dict[int, CropReading]]:
        """What some of the words say turned by 180 degrees; those that were read so before are not read again."""
        known = {i: reading for i in which if (reading := words[i].other_way_up) is not None}
        unread = [i for i in which if i not in known]
        if unread:
            crops = [cut_out(picture, turned(words[i]).polygon, self.height) for i in unread]
            known |= zip(unread, (yield crops), strict=True)
        return known

    def _is_asked(self, likely: list[ReadWord], first: int) -> bool:
        if first == 0:
            return bool(likely) and in_doubt(likely)
        return len({word.rotation for word in likely}) > 1  # both ways were tried when they were read

    def _vote(self, words: list[ReadWord], others: list[CropReading], first: int, second: int) -> int | None:
        """Which of two ways the words run, by how sure they are that way; None where they do not say."""
        read = [(word.text, word.confidence) for word in words]
        asked = [(reading.text, reading.confidence) for reading in others]
        pairs = [(a, b) if word.rotation == first else (b, a) for word, a, b in zip(words, read, asked, strict=True)]
        up, down = support([a for a, _ in pairs], [b for _, b in pairs], self.is_word)
        if abs(up - down) < _MARGIN:
            return None
        if up > down:
            return first
        if first == 0 and down - up < _MARGIN_NUMBERS and all(is_piece(text) for (text, _), _ in pairs):
            return first  # digits read as other digits upside down, but what stands on its head seldom as numbers alone
        # Few photos are upside down; more must speak for it than a letter or two.
        sure = sum(weight_of(text) for text, confidence in (b for _, b in pairs) if confidence >= _SURE)
        return second if down >= _LEAST and sure >= _LETTERS else None

    def _along_the_rest(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """Words that run across those of a photo that lies on its side are read along them: 12 stands in a square."""
        weights = dict.fromkeys((0, 90, 180, 270), 0.0)
        for word in words:
            weights[word.rotation] += weight_of(word.text) if word.score >= self.threshold else 0.0
        way = max(weights, key=lambda way: (weights[way], -way))
        across = [i for i, word in enumerate(words) if (word.rotation - way) % 180]
        if way % 180 == 0 or not across or weights[way] < _MOST * sum(weights.values()):
            return words
        along = [turned_to(words[i], way) for i in across]
        result = list(words)
        for i, word, reading in zip(
            across, along, (yield [cut_out(picture, word.polygon, self.height) for word in along]), strict=True
        ):
            width, height = text_size(word.polygon)
            square = max(width, height) < _SQUARE * min(width, height)
            if reading.confidence >= words[i].confidence * (_LESS if square else 1.0):
                result[i] = replace(word, text=reading.text, confidence=reading.confidence)
        return result


def upside_down(words: Sequence[ReadWord]) -> bool:
    """Whether most of a photo's text runs upside down."""
    weights = [(weight_of(word.text), word.rotation == 180) for word in words]
    return 2 * sum(w for w, turned in weights if turned) > sum(w for w, _ in weights)


def from_turned(word: ReadWord, height: int, width: int) -> ReadWord:
    """A word that was read on a picture (height, width) turned by 180 degrees, as it is on the picture itself."""
    polygon = (np.array([width, height]) - word.polygon).astype(np.float32)
    return replace(word, polygon=polygon, rotation=(word.rotation + 180) % 360)


def main_rotation(words: Sequence[ReadWord]) -> int:
    """The way that most of a photo's words run, by `ReadWord.rotation`; 0 where there are none."""
    ways = [word.rotation for word in words]
    return max((0, 180, 90, 270), key=lambda way: (ways.count(way), way == 0))


def turned_to(word: ReadWord, way: int) -> ReadWord:
    """`word` with its polygon begun where text begins that runs `way`, see `reading.Word.rotation`."""
    polygon = rotate_polygon_start(word.polygon, (way - word.rotation) % 360)
    return replace(word, polygon=polygon, rotation=way, other_way_up=None)


__all__ = [
    "DecideOrientation", "from_turned", "in_doubt", "main_rotation", "support", "turned", "turned_to", "upside_down",
    "weight_of",
]  # fmt: skip
