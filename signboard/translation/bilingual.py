"""Which line of a sign says in English what another says in Hindi, so that nothing is translated twice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from signboard.translation.translator import Translation, Translator

#: From this similarity a Latin line counts as the English of a Hindi one.
SAME = 0.6
_DEVANAGARI = re.compile("[ऀ-ॣॱ-ॿ]")
_LATIN = re.compile("[A-Za-z]")
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


def _alike(a: str, b: str) -> bool:
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
            hits = {i: w for w in mine for i, other in enumerate(words) if _alike(w, other)}
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


def translate_lines(lines: Sequence[str], translator: Translator | None = None) -> list[Translation | None]:
    """Translations for the lines of one sign, top to bottom; English that stands on the sign is taken from it.

    Returns:
        For each line: None when there is no Devanagari in it (nothing to translate). Otherwise its `Translation`;
        where another line of the sign already says it in English, `matched_line` is that line's index, `english`
        is that line's text, and the one part has the source "kept": show or draw nothing new for it.
    """
    from signboard.translation.translator import Part, default_translator

    translator = translator or default_translator()
    hindi = [i for i, line in enumerate(lines) if _DEVANAGARI.search(line)]
    latin = [i for i, line in enumerate(lines) if _LATIN.search(line) and i not in hindi]
    out: list[Translation | None] = [None] * len(lines)
    for i, found in zip(hindi, translator.translate_many([lines[i] for i in hindi]), strict=True):
        out[i] = found
    if not hindi or not latin:
        return out
    pieces = [part.text for i in hindi if (t := out[i]) is not None for part in t.parts]
    spelled = dict(zip(pieces, translator.romanize_many(pieces), strict=True))
    scored = []
    for i in hindi:
        translation = out[i]
        if translation is None:
            continue
        sayings = [(p.english, spelled[p.text]) for p in translation.parts if p.source != "pattern" or p.english]
        for j in latin:
            score = similarity(sayings, lines[j])
            if score >= SAME:
                # Among equals the nearer line: the lower one first, as English mostly stands below.
                scored.append((score - 0.01 * abs(i - j) + 0.001 * (j > i), i, j))
    taken: set[int] = set()
    matched: set[int] = set()
    for _, i, j in sorted(scored, reverse=True):
        best = out[i]
        if i in matched or j in taken or best is None:
            continue
        matched.add(i)
        taken.add(j)
        english = lines[j].strip()
        part = Part(lines[i], english, "kept", 0.95)
        out[i] = replace(best, english=english, parts=(part,), confidence=0.95, matched_line=j)
    return out
