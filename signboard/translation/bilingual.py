"""Which line of a sign says in English what another says in Hindi, so that nothing is translated twice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from signboard.translation.broken import broken_phrases
from signboard.translation.likeness import similarity
from signboard.translation.result import Part, Translation
from signboard.translation.translator import Translator, default_translator
from signboard.translation.units import DEVANAGARI

#: From this similarity a Latin line counts as the English of a Hindi one.
SAME = 0.6
_LATIN = re.compile("[A-Za-z]")


def translate_lines(lines: Sequence[str], translator: Translator | None = None) -> list[Translation | None]:
    """Translations for the lines of one sign, top to bottom; English that stands on the sign is taken from it.

    A phrase that the sign breaks over neighbouring lines ("प्रवेश" / "निषेध") is translated as one, unless its lines
    match English lines of the sign better one by one.

    Returns:
        For each line: None when there is no Devanagari in it (nothing to translate). Otherwise its `Translation`, with
        the line's own `text` and `romanized`. Where another line of the sign already says it in English,
        `matched_line` is that line's index, `english` is that line's text (with the next line's, where the English is
        broken over two), and the one part has the source "kept": show or draw nothing new for it. The first line of
        a broken phrase has the English of all of it; its other lines have `english` "" and `continues`, the index of
        the first.
    """
    translator = translator or default_translator()
    hindi = [i for i, line in enumerate(lines) if DEVANAGARI.search(line)]
    latin = [i for i, line in enumerate(lines) if _LATIN.search(line) and i not in set(hindi)]
    groups = _groups(lines, hindi, translator)
    texts = [lines[i] for i in hindi] + [" ".join(lines[i] for i in group) for group in groups]
    translated = translator.translate_many(texts)
    alone = dict(zip(hindi, translated, strict=False))
    whole = dict(zip(groups, translated[len(hindi) :], strict=True))
    out: list[Translation | None] = [alone.get(i) for i in range(len(lines))]

    matches: dict[range, tuple[float, range]] = {}
    if latin:
        singles = {range(i, i + 1): found for i, found in alone.items()}
        english = {range(j, j + 1): lines[j] for j in latin}
        pairs = {range(j, j + 2): f"{lines[j]} {lines[j + 1]}" for j in latin if j + 1 in set(latin)} if whole else {}
        spelled = _spelled([*singles.values(), *whole.values()], translator)
        matches = _match(singles, english, spelled)
        joined = _match(whole, {**english, **pairs}, spelled)
        for group in groups:
            # The lines' own English stands unless the phrase as a whole has a better one.
            apart = [matches[span] for i in group if (span := range(i, i + 1)) in matches]
            if len(apart) == len(group) or (apart and joined.get(group, (0.0,))[0] <= max(score for score, _ in apart)):
                del whole[group]
        if whole:
            kept = {span: found for span, found in singles.items() if not any(span.start in group for group in whole)}
            matches = _match({**kept, **whole}, {**english, **pairs}, spelled)
    for group, found in whole.items():
        for i in group:
            out[i] = replace(alone[i], english="", parts=(), confidence=found.confidence, continues=group.start)
        out[group.start] = replace(
            alone[group.start], english=found.english, parts=found.parts, confidence=found.confidence
        )
    for span, (_, where) in matches.items():
        said = " ".join(lines[j].strip() for j in where)
        for i in span:
            best = out[i]
            if best is None:
                continue
            part = Part(lines[i], said, "kept", 0.95)
            own = best.continues is None
            out[i] = replace(
                best,
                english=said if own else "",
                parts=(part,) if own else (),
                confidence=0.95,
                matched_line=where.start,
            )
    return out


def _groups(lines: Sequence[str], hindi: list[int], translator: Translator) -> list[range]:
    """Lines of the sign, by index, that make one phrase; only lines with nothing between them do."""
    groups: list[range] = []
    start = 0
    while start < len(hindi):
        stop = start + 1
        while stop < len(hindi) and hindi[stop] == hindi[stop - 1] + 1:
            stop += 1
        first = hindi[start]
        for run in broken_phrases([lines[i] for i in hindi[start:stop]], translator.glossary):
            groups.append(range(first + run.start, first + run.stop))
        start = stop
    return groups


def _spelled(translations: Sequence[Translation], translator: Translator) -> dict[str, str]:
    """The Latin spelling of every part."""
    pieces = [part.text for translation in translations for part in translation.parts]
    return dict(zip(pieces, translator.romanize_many(pieces), strict=True))


def _match(
    hindi: Mapping[range, Translation], latin: Mapping[range, str], spelled: Mapping[str, str]
) -> dict[range, tuple[float, range]]:
    """For each run of Hindi lines the Latin lines that say it, with their similarity; no line is used twice."""
    scored = []
    for i, translation in hindi.items():
        sayings = [(p.english, spelled[p.text]) for p in translation.parts if p.english or p.source != "network"]
        for j, line in latin.items():
            score = similarity(sayings, line)
            if score >= SAME:
                # Among equals the nearer line: the lower one first, as English mostly stands below.
                near = score - 0.01 * abs(i.start - j.start) + 0.001 * (j.start > i.start)
                scored.append((near, i, j))
    taken: set[int] = set()
    out: dict[range, tuple[float, range]] = {}
    for score, i, j in sorted(scored, key=lambda item: (item[0], item[1].start, item[2].start), reverse=True):
        if i not in out and not taken & set(j):
            out[i] = (score, j)
            taken |= set(j)
    return out
