"""Photos that are one word: people crop before they read, and then nothing around the word shows where it is."""

from __future__ import annotations

import unicodedata

import numpy as np

from signboard.geometry import FloatArray, ImageArray
from signboard.pipeline.mending.fragments import letters_of
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import ReadWord
from signboard.recognition.recognizer import CropReading, with_border

# The largest word found must take so much of the picture's height; on ordinary photos it does not.
_TALL = 0.45
# Width over height of pictures that may be a word.
_PROPORTIONS = (0.4, 25.0)
_MOST_WORDS = 3  # found on the picture
# How sure the reading of the whole must be where nothing was found: if it reads the same with a border around it, and
# if not; where it says two letters or digits; where it says one, which both must say.
_LEAST, _LEAST_OTHER, _LEAST_SHORT, _LEAST_SINGLE = 0.5, 0.6, 0.8, 0.9


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


def takes_whole(reading: CropReading, words: list[ReadWord], *, same: bool = True) -> bool:
    """Whether what the whole picture says is to be believed, and not the words found on it.

    Args:
        reading: of the whole picture, or of it with a border, the surer one.
        same: whether both readings say the same, neither as a guess: what leaves are read as changes with the crop.
    """
    letters = sum(unicodedata.category(c)[0] in "LN" for c in reading.text)
    if letters == 0 or " " in reading.text:
        return False
    if not words:
        if letters == 1:
            return same and reading.confidence >= _LEAST_SINGLE
        least = _LEAST_SHORT if letters == 2 else _LEAST if same else _LEAST_OTHER
        return reading.confidence >= least
    if len(words) > 1 and any(word.text.casefold() == reading.text.casefold() for word in words):
        return False  # one of several
    return reading.confidence > min(word.confidence for word in words) and letters > 1


class ReadWholePicture:
    """A picture that may be one word is read as one, too, and the surer reading counts.

    Args:
        min_confidence: readings with less do not count.
    """

    name = "whole-picture"

    def __init__(self, min_confidence: float) -> None:
        self.min_confidence = min_confidence

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """See `MendingStep`. The word has the best detection score of those it stands for, 0 where none was found."""
        height, width = picture.shape[:2]
        if not may_be_one_word(height, width, words):
            return words
        readings = yield [picture, with_border(picture)]
        reading = max(readings, key=lambda reading: reading.confidence)
        texts = {reading.text.casefold() for reading in readings}
        same = len(texts) == 1 and all(reading.confidence >= self.min_confidence for reading in readings)
        if reading.confidence < self.min_confidence or not takes_whole(reading, words, same=same):
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
