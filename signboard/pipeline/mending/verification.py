"""Which of the places that the detector found are words: what both networks say of a place, weighed together.

A region that the detector is rather sure of, read with confidence as a word of some length, is one; the texture of a
wall is seldom read as more than a letter or two. Either network's own threshold must be strict without the other.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from signboard.errors import WeightsError
from signboard.geometry import ImageArray
from signboard.pipeline.mending.fragments import next_on_line
from signboard.pipeline.mending.number_text import CURRENCY, is_sure_piece
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import ReadWord
from signboard.weights import numbers_of


@dataclass(frozen=True, slots=True)
class Verifier:
    """A logistic model of "this is a word, and its box fits".

    Attributes:
        candidates: the detector's score from which on a place is read at all, 0 to 1.
        bias, score, confidence: the model's constant, and its weights of the detector's score and of the reading's
            confidence, both 0 to 1.
        single, double: added for readings of one letter or digit, or none, and of two.
    """

    candidates: float
    bias: float
    score: float
    confidence: float
    single: float
    double: float

    def probability(self, text: str, confidence: float, score: float) -> float:
        """How probable it is, 0 to 1, that a place is a word, by its reading and the scores of both networks."""
        one, two = length_terms(text)
        logit = self.bias + self.score * score + self.confidence * confidence + self.single * one + self.double * two
        return 1.0 / (1.0 + math.exp(min(-logit, 700.0)))

    def accepts(self, text: str, confidence: float, score: float) -> bool:
        """Whether the place is more probably a word than not."""
        return self.probability(text, confidence, score) >= 0.5

    def to_card(self, detector: dict[str, Any]) -> dict[str, Any]:
        """The section of a recogniser's card, for use with the weights of this detector's card."""
        return {**asdict(self), "detector": detector["sha256"]}


def from_cards(detector: dict[str, Any], recognizer: dict[str, Any]) -> Verifier | None:
    """The recogniser's `verifier`, if its card has one, and for this detector's weights; else None.

    Raises:
        WeightsError: the section is damaged or not complete.
    """
    table = recognizer.get("verifier", recognizer.get("sifting"))  # cards before 0.2 say "sifting"
    if not table:
        return None
    where = "the recogniser's card: verifier"
    if not isinstance(table, dict) or "detector" not in table:
        raise WeightsError(f"{where}: 'detector' is missing")
    section = {name: value for name, value in table.items() if name != "detector"}
    verifier = Verifier(**numbers_of(section, [field.name for field in fields(Verifier)], where))
    return verifier if table["detector"] == detector.get("sha256") else None


def length_terms(text: str) -> tuple[float, float]:
    """(1 if `text` has at most one letter or digit, 1 if it has two); signs above and below letters count."""
    length = sum(c.isalnum() or unicodedata.category(c).startswith("M") for c in text)
    return float(length <= 1), float(length == 2)


# Where so many places of a photo are guesses, by their share, at least of so many places, it shows leaves or bars, and
# what reads well by chance, and says no more than three letters or digits, must be this probable.
_GUESS, _GUESSES, _LEAST_PLACES, _SHORT, _DOUBTED = 0.5, 0.6, 4, 3, 0.87


# A sign of currency this sure is as much a word as the number that it stands so near before, in heights.
_SURE_SIGN, _NEAR = 0.5, 0.9


def numbers_behind(words: Sequence[ReadWord]) -> list[ReadWord | None]:
    """For each word that is a sign of currency, the number right behind it on its line; None for all others."""
    if not any(word.text in CURRENCY and word.text for word in words):
        return [None] * len(words)
    which = [i for i, word in enumerate(words) if len(word.polygon) == 4]
    found: list[ReadWord | None] = [None] * len(words)
    for a, b, _ in next_on_line([words[i].polygon for i in which], least=-0.5, most=_NEAR, alike=2.5, off=0.6):
        sign, number = words[which[a]], words[which[b]]
        if sign.text in CURRENCY and sign.confidence >= _SURE_SIGN and is_sure_piece(number.text):
            found[which[a]] = number
    return found


class RejectNonWords:
    """Leaves out the places that are no words. Comes behind all steps that put pieces together.

    Args:
        min_confidence: words read with less are left out.
        verifier: what both networks say together; None: the confidence alone decides.
    """

    name = "verification"

    def __init__(self, min_confidence: float, verifier: Verifier | None) -> None:
        self.min_confidence = min_confidence
        self.verifier = verifier

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """See `MendingStep`."""
        yield from ()  # nothing is read again
        guesses = sum(word.confidence < _GUESS for word in words)
        doubted = len(words) >= _LEAST_PLACES and guesses >= _GUESSES * len(words)
        kept = {id(word) for word in words if self._is_word(word, doubted)}
        return [
            word for word, number in zip(words, numbers_behind(words), strict=True) if {id(word), id(number)} & kept
        ]

    def _is_word(self, word: ReadWord, doubted: bool) -> bool:
        if word.confidence < self.min_confidence:
            return False
        if self.verifier is None:
            return True
        least = _DOUBTED if doubted and sum(c.isalnum() for c in word.text) <= _SHORT else 0.5
        return self.verifier.probability(word.text, word.confidence, word.score) >= least


__all__ = ["RejectNonWords", "Verifier", "from_cards", "length_terms"]
