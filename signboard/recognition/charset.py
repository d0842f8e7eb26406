"""The characters that the recogniser knows, and the order in which it writes them.

The network writes from left to right. Devanagari's vowel sign i (U+093F) is drawn left of the consonants that it
follows in memory, so labels are brought to visual order before training and readings back to memory order after it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
PUNCTUATION = " !\"#$%&'()*+,-./:;<=>?@[\\]_`{|}~–—‘’“”…•·°₹€£§©®«»¡¿№×"
ACCENTED = "ÀÂÄÆÇÈÉÊËÎÏÔÖÙÛÜŸŒÁÍÑÓÚàâäæçèéêëîïôöùûüÿœáíñóúß"
# U+0958..U+095F are absent: NFC spells them as consonant and nukta.
DEVANAGARI = "ऀँंःऄअआइईउऊऋऌऍऎएऐऑऒओऔकखगघङचछजझञटठडढणतथदधनऩपफबभमयरऱलळऴवशषसहऺऻ़ऽािीुूृॄॅॆेैॉॊोौ्ॎॏॐॖॗॠॡॢॣ।॥०१२३४५६७८९॰ॱॲॳॴॵॶॷॻॼॽॾॿ"
DEFAULT_CHARACTERS = DIGITS + LATIN + PUNCTUATION + ACCENTED + DEVANAGARI

_CONSONANT = "[\u0915-\u0939\u0958-\u095f\u0978-\u097f]"
_CLUSTER = f"{_CONSONANT}\u093c?(?:\u094d{_CONSONANT}\u093c?)*"
_TO_VISUAL = re.compile(f"({_CLUSTER})\u093f")
_TO_LOGICAL = re.compile(f"\u093f({_CLUSTER})")
_INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF, 0x00AD])


def normalize(text: str) -> str:
    """`text` as labels and readings spell it: NFC, no invisible joiners, runs of white space as one space, trimmed."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_INVISIBLE)).split())


def letters_of(text: str) -> str:
    """The letters, marks and digits of `text`, case folded."""
    return "".join(c for c in text.casefold() if unicodedata.category(c)[0] in "LMN")


def to_visual(text: str) -> str:
    """`text` with every vowel sign i moved before the consonant cluster that it is drawn left of."""
    return _TO_VISUAL.sub("\u093f\\1", text)


def to_logical(text: str) -> str:
    """The inverse of `to_visual`: exact for text in which every vowel sign i follows a consonant cluster."""
    return _TO_LOGICAL.sub("\\1\u093f", text)


class Charset:
    """Characters <-> class indices of a CTC network. Index 0 is the blank.

    Args:
        characters: each once, in the order of the network's classes from 1 on.

    Attributes:
        space: the class of the space, 0 where there is none.
    """

    def __init__(self, characters: Iterable[str] = DEFAULT_CHARACTERS) -> None:
        self.characters = tuple(characters)
        self._index = {c: i + 1 for i, c in enumerate(self.characters)}
        self.space = self._index.get(" ", 0)
        if len(self._index) != len(self.characters):
            seen: set[str] = set()
            twice = [c for c in self.characters if c in seen or seen.add(c)]  # type: ignore[func-returns-value]
            raise ValueError(f"charset lists {twice!r} more than once")

    def __len__(self) -> int:
        """Number of classes, the blank included."""
        return len(self.characters) + 1

    def missing(self, text: str) -> set[str]:
        """The characters of `text`, once normalised, that this charset does not have."""
        return {c for c in normalize(text) if c not in self._index}

    def encode(self, text: str) -> list[int]:
        """Class indices of `text` in visual order.

        Raises:
            KeyError: a character is not in the charset (see `missing`).
        """
        return [self._index[c] for c in to_visual(normalize(text))]

    def decode(self, indices: Sequence[int]) -> str:
        """The text of class indices without blanks, in memory order and NFC."""
        return normalize(to_logical("".join(self.characters[i - 1] for i in indices)))
