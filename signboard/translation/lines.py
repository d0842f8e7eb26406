"""The lines of one sign: which are one phrase that the sign breaks, and which say in English what others say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise, takewhile

from signboard.translation.glossary import Glossary
from signboard.translation.grammar import word_set
from signboard.translation.result import Part, Translation
from signboard.translation.spelling import SAME, similarity
from signboard.translation.translator import Translator, default_translator
from signboard.translation.units import COPULA, DEVANAGARI, FINITE, FORBIDDEN, GENITIVE, NEGATION, POLITE, Unit, split

#: The most lines that are read as one phrase.
MOST_LINES = 4
#: Lines that make more words than this together are running text.
MOST_WORDS = 24
# With these no line begins anew.
_CLOSE = word_set("close") | FORBIDDEN


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
    hindi = [range(i, i + 1) for i, line in enumerate(lines) if DEVANAGARI.search(line)]
    latin = {i for i, line in enumerate(lines) if re.search("[A-Za-z]", line)} - {span.start for span in hindi}
    groups = broken_phrases(lines, translator.glossary)
    spans = [*hindi, *groups]
    found = dict(zip(spans, translator.translate_many([" ".join(lines[i] for i in s) for s in spans]), strict=True))
    matches: dict[range, range] = {}
    if latin:
        english = {range(j, j + 1): lines[j] for j in latin}
        if groups:
            english |= {range(j, j + 2): f"{lines[j]} {lines[j + 1]}" for j in latin if j + 1 in latin}
        pieces = [part.text for translation in found.values() for part in translation.parts]
        spelled = dict(zip(pieces, translator.romanize_many(pieces), strict=True))
        # The lines' own English stands unless the phrase as a whole has a better one.
        alone = _match({span: found[span] for span in hindi}, english, spelled)
        groups = [group for group in groups if not all(range(i, i + 1) in alone for i in group)]
        matches = _match({span: found[span] for span in (*groups, *hindi)}, english, spelled)
        groups = [group for group in groups if not any(range(i, i + 1) in matches for i in group)]
    out: list[Translation | None] = [None] * len(lines)
    for span in (*hindi, *groups):
        whole = found[span]
        if span in matches:
            said = " ".join(lines[j].strip() for j in matches[span])
            part = Part(lines[span.start], said, "kept", 0.95)
            whole = replace(whole, english=said, parts=(part,), confidence=0.95, matched_line=matches[span].start)
        for i in span:
            own = replace(whole, text=lines[i], romanized=found[range(i, i + 1)].romanized)
            out[i] = own if i == span.start else replace(own, english="", parts=(), continues=span.start)
    return out


def _match(
    hindi: Mapping[range, Translation], latin: Mapping[range, str], said: Mapping[str, str]
) -> dict[range, range]:
    """For each run of Hindi lines the Latin lines that say it; no line is used twice."""
    scored = []
    for i, translation in hindi.items():
        sayings = [(p.english, said[p.text]) for p in translation.parts if p.english or p.source != "network"]
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


def broken_phrases(lines: Sequence[str], glossary: Glossary) -> list[range]:
    """Runs of neighbouring lines, each of two lines or more, that are better read as one phrase.

    A run is one phrase when at each of its borders an entry of the glossary goes across and takes all of one of the two
    lines, or when the grammar cannot end there: a line that begins with "of" (का), a prohibition or a bare verb; a line
    that ends with "for" (के लिए), "please" or "and"; a number and its unit.

    Args:
        lines: from top to bottom; those without Devanagari belong to no phrase.
    """
    out: list[range] = []
    start = 0
    while start < len(lines):
        ends = range(min(len(lines), start + MOST_LINES), start + 1, -1)
        stop = next((end for end in ends if _is_one(lines[start:end], glossary)), start + 1)
        if stop > start + 1:
            out.append(range(start, stop))
        start = stop
    return out


def _is_one(lines: Sequence[str], glossary: Glossary) -> bool:
    """Whether every border between the lines lies inside a phrase."""
    if not all(map(DEVANAGARI.search, lines)) or sum(len(line.split()) for line in lines) > MOST_WORDS:
        return False
    spans = _spans(" ".join(lines), glossary)
    borders = list(accumulate((_spans(line, glossary)[-1][2] for line in lines), initial=0))
    if borders[-1] != spans[-1][2]:
        return False  # joined, the words are others: a dot that ended a line may now stand inside an abbreviation
    return all(_goes_on(spans, start, border, stop) for (start, border), (_, stop) in pairwise(pairwise(borders)))


#: A unit, or None for a mark, with the numbers of its first word and of the word behind it.
_Span = tuple[Unit | None, int, int]


def _spans(text: str, glossary: Glossary) -> list[_Span]:
    """The units of a text and the marks between them."""
    pieces = split(text, glossary)
    units = [unit for piece in pieces for unit in ([None] if isinstance(piece, str) else piece)]
    ends = list(accumulate((len(unit.text.split()) if unit else 0 for unit in units), initial=0))
    return [(unit, first, end) for unit, (first, end) in zip(units, pairwise(ends), strict=True)]


def _goes_on(spans: Sequence[_Span], start: int, border: int, stop: int) -> bool:
    """Whether the phrase goes on across a border between two lines; both lines are given by their words' numbers."""
    for unit, first, end in spans:
        if first < border < end:
            return first <= start or end >= stop or (unit is not None and unit.kind == "verb")
    before = [unit for unit, _, end in spans if start < end <= border]
    line = [unit for unit in takewhile(bool, reversed(before)) if unit][::-1]
    behind = [unit for unit, first, _ in spans if border <= first < stop]
    following = [unit for unit in takewhile(bool, behind) if unit]
    if not line or not following:
        return False
    sentence = [unit for unit in takewhile(bool, reversed([u for u, _, end in spans if end <= border])) if unit]
    rest = [unit for unit, first, _ in spans if unit and first >= border]
    unfinished = any(u.lemma in word_set("subjects") for u in sentence) and not any(map(_is_predicate, sentence))
    return (unfinished and any(map(_is_predicate, rest))) or _grammar_goes_on(line, following)


def _is_finite(unit: Unit) -> bool:
    return unit.kind == "verb" and unit.form in FINITE


def _is_predicate(unit: Unit) -> bool:
    """Whether a unit can be the verb of a sentence, है included."""
    return unit.lemma in COPULA or _is_finite(unit)


def _grammar_goes_on(line: list[Unit], following: list[Unit]) -> bool:
    """Whether the clause that ends at a line's end needs the next line."""
    last, first = line[-1], following[0]
    if last.kind == "phrase" or _is_predicate(last):
        return False
    says = any(u.lemma in _CLOSE or _is_finite(u) for u in following)
    # A predicate with nothing else: what it is said of stands in the line above.
    bare = [u for u in following if u.lemma not in COPULA and u.kind != "adverb"]
    is_so = following[-1].lemma in COPULA
    predicate = len(bare) == 1 and (_is_finite(bare[0]) or (bare[0].kind == "adjective" and is_so))
    leads = last.kind == "postposition" or all(u.kind == "adverb" for u in line)
    return (
        (predicate and last.lemma not in word_set("headings"))
        or last.lemma in GENITIVE | POLITE | word_set("open")
        or last.kind == "conjunction"
        or last.form in ("after", "infinitive")
        or first.kind in ("postposition", "conjunction")
        or first.lemma in COPULA | NEGATION | _CLOSE
        or (last.kind == "number" and (first.kind == "unit" or first.lemma == "बजे"))
        or (last.lemma == "से" and following[-1].lemma == "तक")
        or (says and any(u.lemma in POLITE for u in line))
        or (leads and (says or any(u.kind == "verb" for u in following)))
    )
