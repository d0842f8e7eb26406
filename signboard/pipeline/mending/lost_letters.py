"""Words that lost their first or last letter: a little more of the photo is read there."""

from __future__ import annotations

from dataclasses import replace

from signboard.geometry import FloatArray, ImageArray, grow_sides, text_size
from signboard.pipeline.mending.orientation import main_rotation
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import UNSURE, ReadWord, cut_out
from signboard.recognition.charset import letters_of
from signboard.recognition.language import LanguageModel

# How far beyond a word a lost first or last letter is looked for, in heights of the text.
_LOST = 0.8


def one_letter_more(text: str, longer: str, before: bool) -> bool:
    """Whether `longer` is `text` with one letter more `before` it, or behind it; case and marks do not count."""
    old, new = letters_of(text), letters_of(longer)
    if " " in longer or len(new) != len(old) + 1:
        return False
    return new.endswith(old) if before else new.startswith(old)


class RestoreLostLetters:
    """Words that a first or last letter was cut off from, made whole.

    Asked about are texts that are no words but become one with a letter more (BUILDE): a little more of the photo is
    read there, and taken if it says such a word.

    Args:
        language: says what is a word.
        height: rows of a crop, pixels.
    """

    name = "lost-letters"

    def __init__(self, language: LanguageModel, height: int) -> None:
        self.language = language
        self.height = height

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """See `MendingStep`."""
        jobs: list[tuple[int, bool]] = []  # (word, whether the letter may be missing before it)
        way = main_rotation(words)
        for i, word in enumerate(words):
            if word.rotation == way and len(word.polygon) == 4 and word.confidence >= UNSURE:
                before, behind = self.language.lacks_letter(word.text)
                jobs += [(i, first) for first, lacks in ((True, before), (False, behind)) if lacks]
        if not jobs:
            return words
        crops = [
            cut_out(picture, _wider(words[i].polygon, first, _LOST * text_size(words[i].polygon)[1]), self.height)
            for i, first in jobs
        ]
        result = list(words)
        for (i, first), reading in zip(jobs, (yield crops), strict=True):
            word = words[i]
            if one_letter_more(word.text, reading.text, first) and self.language.is_word(reading.text):
                quad = _wider(word.polygon, first, text_size(word.polygon)[0] / max(len(word.text), 1))
                result[i] = replace(word, text=reading.text, confidence=reading.confidence, polygon=quad)
        return result


def _wider(quad: FloatArray, before: bool, by: float) -> FloatArray:
    """`quad` (4, 2) with its side before or behind the text moved outwards by so many pixels."""
    return grow_sides(quad, by if before else 0.0, 0.0, 0.0 if before else by, 0.0)


__all__ = ["RestoreLostLetters", "one_letter_more"]
