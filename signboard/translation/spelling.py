"""Latin spellings of words that the glossary lacks: places, English words written by their sound, names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import SequenceMatcher
from functools import cache, lru_cache
from pathlib import Path

from signboard.translation.english import upper_first
from signboard.translation.glossary import fold
from signboard.translation.loanwords import FOREIGN, default_loanwords, sounds
from signboard.translation.result import Part
from signboard.translation.tables import TABLES
from signboard.translation.transliteration import WORD, Spelling

PLACES = Path(__file__).resolve().parent / "places.tsv"
# Words that only grammar needs, as people write them in Latin letters.
_GRAMMAR: dict[str, str] = TABLES["latin"]
#: From this probability a word is taken for English that is written by its sound.
LOANWORD = 0.5
#: From this one its Latin spelling is the English one, too.
_SURELY = 0.8
# The score at which a word of so many sounds is as likely a loanword as not: the longer, the less can it be chance.
_NEEDED = (9.0, 9.0, 2.9, 2.0, 0.9, -0.5, -1.3, -1.9, -2.5, -3.0)


def latin(word: str, spelling: Spelling) -> Spelling:
    """A word in Latin letters, lower case: grammar and English words as people write them, else as spelled."""
    if word in _GRAMMAR:
        return Spelling(_GRAMMAR[word], 1.0)
    english, chance = loanword(word, spelling.text)
    return Spelling(english, chance) if chance > _SURELY and not word.endswith("ों") else spelling


def name(text: str, spelled: Mapping[str, Spelling], foreign: bool = True) -> Part:
    """English for a word of a phrase: a place, a loanword (if it may be `foreign`), or its spelling with a capital."""
    place = places().get(fold(text))
    if place:
        return Part(text, place, "place", 0.9)
    words = WORD.findall(text)
    if len(words) == 1 and foreign:
        english, chance = loanword(text, spelled[words[0]].text)
        if chance > LOANWORD:
            return Part(text, english, "loanword", round(chance, 3))
    english = WORD.sub(lambda m: upper_first(spelled[m.group()].text), text)
    sure = 0.9 * min((spelled[word].confidence for word in words), default=0.0)
    # A lone virama or nukta has no sound.
    return Part(text, english, "transliterated", round(sure, 3)) if english else Part(text, text, "kept", 0.0)


@lru_cache(1 << 14)
def loanword(word: str, spelling: str) -> tuple[str, float]:
    """The English word that a Hindi spelling stands for, and the probability that it is one; "" and 0 for none.

    Args:
        word: in Devanagari.
    """
    found = default_loanwords().nearest(word, 6)
    if not found:
        return "", 0.0
    scored = [(score + 3 * SequenceMatcher(None, spelling, english).ratio() ** 2, english) for english, score in found]
    score, english = max(scored)
    length = len(sounds(word).replace("@", ""))
    needed = _NEEDED[min(length, len(_NEEDED) - 1)]
    if FOREIGN & set(word):
        needed -= 1.5
    return english, 1 / (1 + math.exp(-2 * (score - needed)))


@cache
def places() -> dict[str, str]:
    """The English spelling of known places, by the folded Hindi; the file is read once on first use."""
    rows = (line.split("\t") for line in PLACES.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {fold(hindi): english for hindi, english in rows}
