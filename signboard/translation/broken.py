"""Which lines of a sign are one phrase that the sign breaks over two or more lines: "प्रवेश" / "निषेध"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from signboard.translation.glossary import Glossary
from signboard.translation.units import COPULA, DEVANAGARI, FINITE, FORBIDDEN, GENITIVE, NEGATION, POLITE, Unit, split

#: The most lines that are read as one phrase.
MOST_LINES = 4
#: Lines that make more words than this together are running text.
MOST_WORDS = 24
# After these a noun must follow, whatever it is.
_OPEN = GENITIVE | POLITE | {"के लिए", "हेतु", "द्वारा", "बिना", "के अंतर्गत", "की ओर से"}
# With these no line begins anew.
_CLOSE = {"सख्त मना है", "संख्या", "नंबर"} | FORBIDDEN


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
    joined = _units(" ".join(lines), glossary)
    borders = list(accumulate((_words(_units(line, glossary)) for line in lines), initial=0))
    if borders[-1] != _words(joined):
        return False  # joined, the words are others: a dot that ended a line may now stand inside an abbreviation
    spans = pairwise(borders)
    return all(_goes_on(joined, start, border, stop) for (start, border), (_, stop) in pairwise(spans))


def _units(text: str, glossary: Glossary) -> list[Unit | None]:
    """The units of a text, None for a mark between them."""
    return [unit for piece in split(text, glossary) for unit in ([None] if isinstance(piece, str) else piece)]


def _words(units: Iterable[Unit | None]) -> int:
    return sum(len(unit.text.split()) for unit in units if unit is not None)


def _goes_on(units: list[Unit | None], start: int, border: int, stop: int) -> bool:
    """Whether the phrase goes on across a border between two lines; both lines are given by their words' numbers."""
    line: list[Unit] = []
    following: list[Unit] = []
    at = 0
    for unit in units:
        if unit is None:
            if at >= border:
                break
            line.clear()
            continue
        end = at + _words([unit])
        if at < border < end:
            return at <= start or end >= stop
        if start < end <= border:
            line.append(unit)
        elif border <= at < stop:
            following.append(unit)
        at = end
    return bool(line and following) and _grammar_goes_on(line, following)


def _grammar_goes_on(line: list[Unit], following: list[Unit]) -> bool:
    """Whether the clause that ends at a line's end needs the next line."""
    last, first = line[-1], following[0]
    if last.lemma in COPULA or last.kind == "phrase" or _finite(last):
        return False
    says = any(u.lemma in _CLOSE or _finite(u) for u in following)
    # A predicate with nothing else: what it is said of stands in the line above.
    bare = [u for u in following if u.lemma not in COPULA and u.kind != "adverb"]
    predicate = len(bare) == 1 and (_finite(bare[0]) or (bare[0].kind == "adjective" and following[-1].lemma in COPULA))
    leads = last.kind == "postposition" or all(u.kind == "adverb" for u in line)
    return (
        predicate
        or last.lemma in _OPEN
        or last.kind == "conjunction"
        or last.form in ("after", "infinitive")
        or first.kind in ("postposition", "conjunction")
        or first.lemma in COPULA | NEGATION | _CLOSE
        or (last.kind == "number" and (first.kind == "unit" or first.lemma == "बजे"))
        or (last.lemma == "से" and following[-1].lemma == "तक")
        or (says and any(u.lemma in POLITE for u in line))
        or (leads and (says or any(u.kind == "verb" for u in following)))
    )


def _finite(unit: Unit) -> bool:
    """Whether it is a verb that makes a sentence."""
    return unit.kind == "verb" and unit.form in FINITE
