"""How alike two spellings are, and how far a Latin line says what a Hindi line says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

_WORD = re.compile(r"[a-z]+|[0-9]+")
# Words too common in English to prove anything.
_WEAK = {"of", "the", "and", "for", "in", "on", "to", "a", "an", "is", "are", "at", "by", "s"}


def _skeleton(word: str) -> str:
    """Consonants as they sound, for spellings that differ in vowels: kashmere, kashmiri."""
    word = (
        word.replace("w", "v")
        .replace("ck", "k")
        .replace("c", "k")
        .replace("q", "k")
        .replace("z", "j")
        .replace("f", "ph")
    )
    return re.sub(r"(.)\1+", r"\1", re.sub("[aeiouyh]", "", word))


def alike(a: str, b: str) -> bool:
    """Whether two lower-case words are spellings of one."""
    if a == b:
        return True
    if a.isdigit() or b.isdigit() or (a[0] != b[0] and _skeleton(a)[:1] != _skeleton(b)[:1]):
        return False
    bones = _skeleton(a)
    if len(bones) >= 2 and bones == _skeleton(b):
        return True
    return min(len(a), len(b)) >= 3 and SequenceMatcher(None, a, b).ratio() >= 0.75


def similarity(sayings: Sequence[tuple[str, str]], said: str) -> float:
    """How far a Latin line says what a Hindi line says: 0 nothing, 1 all of it and nothing else.

    Args:
        sayings: for each piece of the Hindi line its English and its Latin spelling; either may be "".
        said: the Latin line.

    Returns:
        Harmonic mean of the share of the Hindi pieces found in the Latin line and the share of its words explained.
    """
    words = [w for w in _WORD.findall(said.lower()) if w not in _WEAK]
    explained: set[int] = set()
    found = total = 0.0
    for pair in sayings:
        best: set[int] = set()
        share = 0.0
        for saying in pair:
            mine = [w for w in _WORD.findall(saying.lower()) if w not in _WEAK]
            hits = {i: w for w in mine for i, other in enumerate(words) if alike(w, other)}
            if mine and len(set(hits.values())) / len(set(mine)) > share:
                share, best = len(set(hits.values())) / len(set(mine)), set(hits)
        weight = max((len(_WORD.findall(saying.lower())) for saying in pair), default=0)
        total += weight
        found += weight * share
        explained |= best
    if not total or not words:
        return 0.0
    recall, precision = found / total, len(explained) / len(words)
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0
