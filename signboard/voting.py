"""How alike two texts are, and which of several readings of the same text is most likely right."""

from __future__ import annotations

import difflib
import functools
import unicodedata
from collections.abc import Mapping

# Readings that are compared with each other; those with less weight than these have no chance of winning.
_CANDIDATES = 24


@functools.lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """`text` for comparison: letters, marks and digits only, compatibility forms and case folded, single spaces.

    Where nothing would be left (an arrow, a dash) the text stays as it is.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(char if unicodedata.category(char)[0] in "LMN" else " " for char in folded)
    return " ".join(kept.split()) or " ".join(folded.split())


@functools.lru_cache(maxsize=65536)
def similarity(a: str, b: str) -> float:
    """0 for texts that have nothing in common to 1 for the same text, case and punctuation aside. Symmetric.

    Twice the characters in matching blocks over all characters (Ratcliff and Obershelp, "Pattern Matching: The Gestalt
    Approach", 1988), as `difflib` computes it.
    """
    a, b = sorted((plain(a), plain(b)))
    if a == b:
        return 1.0
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()


@functools.lru_cache(maxsize=65536)
def contained(part: str, whole: str) -> float:
    """0 to 1: the share of `part`'s characters that stand in `whole` in one piece, case and punctuation aside."""
    part, whole = plain(part), plain(whole)
    if not part:
        return 0.0
    match = difflib.SequenceMatcher(None, part, whole, autojunk=False).find_longest_match()
    return match.size / len(part)


def elect(votes: Mapping[str, float]) -> str:
    """The text that is nearest to all readings, each counted by its weight: their set median.

    With a clear majority that is the majority's text; when every reading has another mistake it is the one that
    shares most with the others. Independent of the order of `votes`.

    Args:
        votes: weight by text, at least one.
    """
    ranked = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))[:_CANDIDATES]
    scores = {text: sum(weight * _agreement(text, other) for other, weight in ranked) for text, _ in ranked}
    return min(ranked, key=lambda vote: (-round(scores[vote[0]], 9), -vote[1], vote[0]))[0]


def _agreement(text: str, other: str) -> float:
    """1 for the same text to the letter; what differs counts twice, so that near misses do not outvote the text."""
    if text == other:
        return 1.0
    return max(0.0, 2 * similarity(text, other) - 1) * 0.98
