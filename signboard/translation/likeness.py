"""How alike two spellings are, and how far a Latin line says what a Hindi line says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from signboard.translation.tables import word_set

#: From this similarity a Latin line counts as the English of a Hindi one.
SAME = 0.6
_WORD = re.compile(r"[a-z]+|[0-9]+")


def _skeleton(word: str) -> str:
    """Consonants as they sound, for spellings that differ in vowels: kashmere, kashmiri."""
    for old, new in (("w", "v"), ("ck", "k"), ("c", "k"), ("q", "k"), ("z", "j"), ("f", "ph")):
        word = word.replace(old, new)
    return re.sub(r"(.)\1+", r"\1", re.sub("[aeiouyh]", "", word))


def alike(a: str, b: str) -> bool:
    """Whether two lower-case words are spellings of one."""
    bones, others = _skeleton(a), _skeleton(b)
    if a == b or a.isdigit() or b.isdigit() or (a[0] != b[0] and bones[:1] != others[:1]):
        return a == b
    close = min(len(a), len(b)) >= 3 and SequenceMatcher(None, a, b).ratio() >= 0.75
    return close or (len(bones) >= 2 and bones == others)


def similarity(sayings: Sequence[tuple[str, str]], said: str) -> float:
    """How far a Latin line says what a Hindi line says: 0 nothing, 1 all of it and nothing else.

    Args:
        sayings: for each piece of the Hindi line its English and its Latin spelling; either may be "".
        said: the Latin line.

    Returns:
        Harmonic mean of the share of the Hindi pieces found in the Latin line and the share of its words explained.
    """
    words = _strong(said)
    explained: set[int] = set()
    found = total = 0.0
    for pair in sayings:
        scored = []
        for mine in map(_strong, pair):
            hits = {i: w for w in mine for i, other in enumerate(words) if alike(w, other)}
            scored.append((len(set(hits.values())) / max(len(set(mine)), 1), hits))
        share, best = max(scored, key=lambda score: score[0])
        weight = max(len(_WORD.findall(saying.lower())) for saying in pair)
        total, found = total + weight, found + weight * share
        explained |= best.keys()
    recall, precision = found / max(total, 1), len(explained) / max(len(words), 1)
    return 2 * recall * precision / (recall + precision) if recall and precision else 0.0


def _strong(text: str) -> list[str]:
    """The words that prove something: those that are not too common in English."""
    return [word for word in _WORD.findall(text.lower()) if word not in word_set("weak", "english")]
