"""Photos that are one word: people crop before they read, and then nothing around the word shows where it is."""

from __future__ import annotations

import unicodedata

import numpy as np

from signboard.device_pictures import cut
from signboard.geometry import FloatArray, ImageArray
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import ReadWord
from signboard.recognition.charset import letters_of
from signboard.recognition.courses import best_supported, courses
from signboard.recognition.recognizer import CropReading, with_border

# The largest word found must take so much of the picture's height; on ordinary photos it does not.
_TALL = 0.45
# Width over height of pictures that may be a word.
_PROPORTIONS = (0.4, 25.0)
_MOST_WORDS = 3  # found on the picture
# How sure the reading of the whole must be where nothing was found: if it reads the same with a border around it, and
# if not; where it says two letters or digits; where it says one, which both must say.
_LEAST, _LEAST_OTHER, _LEAST_SHORT, _LEAST_SINGLE = 0.5, 0.6, 0.8, 0.9
# What pictures of so few rows say: they are words that were cut out, not photos.
_TINY, _LEAST_TINY = 64, 0.3
# Readings less sure than this are tried along other courses, too; those of less than two characters only on pictures of
# so few rows: letters around a badge may say nothing when they are read straight on.
_SURE, _CUT_OUT = 0.9, 200
# Words found that take less of the picture's width are pieces of a whole that says more and is as sure as this.
_PIECES, _LEAST_WHOLE = 0.7, 0.7


def may_be_one_word(height: int, width: int, words: list[ReadWord]) -> bool:
    """Whether the picture may be a single word: nothing, or little more than one large word, was found on it."""
    if not _PROPORTIONS[0] <= width / max(height, 1) <= _PROPORTIONS[1] or len(words) > _MOST_WORDS:
        return False
    if not words:
        return True
    low = max(float(word.polygon[:, 1].min()) for word in words)
    high = min(float(word.polygon[:, 1].max()) for word in words)
    return high > low and _share(height, words) >= _TALL  # on one line


def _share(height: int, words: list[ReadWord]) -> float:
    """What the tallest word takes of the picture's height."""
    return max(float(np.ptp(word.polygon[:, 1])) for word in words) / max(height, 1)


def takes_whole(reading: CropReading, words: list[ReadWord], *, height: int, width: int, same: bool = True) -> bool:
    """Whether what the whole picture says is to be believed, and not the words found on it.

    Args:
        reading: of the whole picture, or of it with a border, the surer one.
        height, width: of the picture, pixels.
        same: whether both readings say the same, neither as a guess: what leaves are read as changes with the crop.
    """
    letters = sum(unicodedata.category(c)[0] in "LN" for c in reading.text)
    if letters == 0 or " " in reading.text:
        return False
    if not words:
        if letters == 1:
            return same and reading.confidence >= _LEAST_SINGLE
        least = _LEAST_SHORT if letters == 2 else _LEAST if same else _LEAST_OTHER
        return reading.confidence >= (_LEAST_TINY if height <= _TINY and letters > 2 else least)
    if len(words) > 1 and any(word.text.casefold() == reading.text.casefold() for word in words):
        return False  # one of several
    if reading.confidence >= _LEAST_WHOLE and _is_pieces_of(words, reading.text, width):
        return True
    return reading.confidence > min(word.confidence for word in words) and letters > 1


def _is_pieces_of(words: list[ReadWord], whole: str, width: int) -> bool:
    """Whether the words, left to right, are some of the letters of `whole`, and leave much of the width free."""
    left = [float(word.polygon[:, 0].min()) for word in words]
    found = "".join(words[i].text for i in np.argsort(left)).casefold()
    rest = iter(whole.casefold())
    if len(found) >= len(whole) or not all(letter in rest for letter in found):
        return False
    return sum(float(np.ptp(word.polygon[:, 0])) for word in words) < _PIECES * width


class ReadWholePicture:
    """A picture that may be one word is read as one, too, and the surer reading counts.

    Args:
        min_confidence: readings with less do not count.
        height: rows of a crop, pixels.
    """

    name = "whole-picture"

    def __init__(self, min_confidence: float, height: int) -> None:
        self.min_confidence = min_confidence
        self.height = height

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """See `MendingStep`. The word has the best detection score of those it stands for, 0 where none was found."""
        height, width = picture.shape[:2]
        if not may_be_one_word(height, width, words):
            return words
        readings = yield [picture, with_border(picture)]
        reading = max(readings, key=lambda reading: reading.confidence)
        texts = {reading.text.casefold() for reading in readings}
        same = len(texts) == 1 and all(reading.confidence >= self.min_confidence for reading in readings)
        sure = max([reading.confidence, *(word.confidence for word in words)])
        if (len(reading.text) > 1 or _TINY < height <= _CUT_OUT) and sure < _SURE:
            looks = yield [cut(picture, polygon, self.height) for polygon in courses(height, width)]
            before = reading.text, reading.confidence
            text, confidence = best_supported(before, [(look.text, look.confidence) for look in looks])
            if (text, confidence) != before:
                same = sum(look.text.casefold() == text.casefold() for look in looks) > 1
                reading = CropReading(text, confidence)
        if reading.confidence < self.min_confidence or not takes_whole(
            reading, words, height=height, width=width, same=same
        ):
            return words
        if len(words) == 1 and _says_the_same(words[0].text, reading.text):
            return words
        score = max((word.score for word in words), default=0.0)
        return [ReadWord(reading.text, reading.confidence, _frame_of(height, width), score=score)]


def _says_the_same(text: str, whole: str) -> bool:
    """Whether the whole picture says what the word says, perhaps without a comma that was looked for."""
    return text == whole or (len(whole) < len(text) and letters_of(text) == letters_of(whole))


def _frame_of(height: int, width: int) -> FloatArray:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


__all__ = ["ReadWholePicture", "may_be_one_word", "takes_whole"]
