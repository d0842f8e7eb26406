"""Which line of a sign says in English what another says in Hindi, so that nothing is translated twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from signboard.translation.broken import broken_phrases
from signboard.translation.likeness import SAME, similarity
from signboard.translation.result import Part, Translation
from signboard.translation.translator import Translator, default_translator
from signboard.translation.units import DEVANAGARI

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
    latin = {i for i, line in enumerate(lines) if _LATIN.search(line)} - set(hindi)
    groups = broken_phrases(lines, translator.glossary)
    spans = [*(range(i, i + 1) for i in hindi), *groups]
    found = dict(zip(spans, translator.translate_many([" ".join(lines[i] for i in s) for s in spans]), strict=True))
    matches: dict[range, range] = {}
    if latin:
        english = {range(j, j + 1): lines[j] for j in latin}
        if groups:
            english |= {range(j, j + 2): f"{lines[j]} {lines[j + 1]}" for j in latin if j + 1 in latin}
        spelled = _spelled(found.values(), translator)
        # The lines' own English stands unless the phrase as a whole has a better one.
        alone = _match({span: found[span] for span in spans[: len(hindi)]}, english, spelled)
        groups = [group for group in groups if not all(range(i, i + 1) in alone for i in group)]
        matches = _match({span: found[span] for span in (*groups, *spans[: len(hindi)])}, english, spelled)
        groups = [group for group in groups if not any(range(i, i + 1) in matches for i in group)]
    out: list[Translation | None] = [None] * len(lines)
    for span in (*spans[: len(hindi)], *groups):
        whole = found[span]
        if span in matches:
            said = " ".join(lines[j].strip() for j in matches[span])
            part = Part(lines[span.start], said, "kept", 0.95)
            whole = replace(whole, english=said, parts=(part,), confidence=0.95, matched_line=matches[span].start)
        for i in span:
            own = replace(whole, text=lines[i], romanized=found[range(i, i + 1)].romanized)
            out[i] = own if i == span.start else replace(own, english="", parts=(), continues=span.start)
    return out


def _spelled(translations: Iterable[Translation], translator: Translator) -> dict[str, str]:
    """The Latin spelling of every part."""
    pieces = [part.text for translation in translations for part in translation.parts]
    return dict(zip(pieces, translator.romanize_many(pieces), strict=True))


def _match(
    hindi: Mapping[range, Translation], latin: Mapping[range, str], spelled: Mapping[str, str]
) -> dict[range, range]:
    """For each run of Hindi lines the Latin lines that say it; no line is used twice."""
    scored = []
    for i, translation in hindi.items():
        sayings = [(p.english, spelled[p.text]) for p in translation.parts if p.english or p.source != "network"]
        for j, line in latin.items():
            score = similarity(sayings, line)
            if score >= SAME:
                # Among equals the nearer line: the lower one first, as English mostly stands below.
                near = score - 0.01 * abs(i.start - j.start) + 0.001 * (j.start > i.start)
                scored.append((near, i.start, j.start, i, j))
    out: dict[range, range] = {}
    taken: set[int] = set()
    for *_, i, j in sorted(scored, key=lambda match: match[:3], reverse=True):
        if taken.isdisjoint((*i, *j)):
            out[i] = j
            taken |= {*i, *j}
    return out
