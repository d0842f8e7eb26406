"""Which lines of a sign are one phrase that the sign breaks over two or more lines: "प्रवेश" / "निषेध"."""

from __future__ import annotations

from collections.abc import Sequence

from signboard.translation.glossary import Glossary
from signboard.translation.units import COPULA, FINITE, FORBIDDEN, GENITIVE, NEGATION, Unit, split

#: The most lines that are read as one phrase.
MOST_LINES = 4
#: A line with more words than this is running text, and so is what two lines make together.
MOST_WORDS = 24
# After these a noun must follow, whatever it is.
_OPEN = GENITIVE | {"के लिए", "हेतु", "द्वारा", "बिना", "कृपया", "कृप्या", "के अंतर्गत", "की ओर से"}
# With these no line begins anew.
_CLOSE = {"सख्त मना है", "संख्या", "नंबर"}
_POLITE = {"कृपया", "कृप्या"}


def broken_phrases(lines: Sequence[str], glossary: Glossary) -> list[range]:
    """Runs of neighbouring lines, each of two lines or more, that are better read as one phrase.

    A run is one phrase when at each of its borders an entry of the glossary goes across and takes all of one of the two
    lines, or when the grammar cannot end there: a line that begins with "of" (का), a prohibition or a bare verb; a line
    that ends with "for" (के लिए), "please" or "and"; a number and its unit.

    Args:
        lines: Hindi lines from top to bottom, nothing between them.
    """
    out: list[range] = []
    start = 0
    while start < len(lines):
        stop = start + 1
        for candidate in range(start + 2, min(len(lines), start + MOST_LINES) + 1):
            if _is_one(lines[start:candidate], glossary):
                stop = candidate
        if stop > start + 1:
            out.append(range(start, stop))
        start = stop
    return out


def _is_one(lines: Sequence[str], glossary: Glossary) -> bool:
    """Whether every border between the lines lies inside a phrase."""
    if sum(len(line.split()) for line in lines) > MOST_WORDS or any(len(line) > 200 for line in lines):
        return False
    counts = []
    for line in lines:
        pieces = split(line, glossary)
        counts.append(sum(_words(unit) for piece in pieces if not isinstance(piece, str) for unit in piece))
    borders, total = [], 0
    for count in counts:
        borders.append(total)  # where the line begins, in words
        total += count
    pieces = split(" ".join(lines), glossary)
    if total != sum(_words(unit) for piece in pieces if not isinstance(piece, str) for unit in piece):
        return False  # joined, the words are others: a dot that ended a line may now stand inside an abbreviation
    return all(
        _goes_on(pieces, border, (border - before, count))
        for border, before, count in zip(borders[1:], borders, counts[1:], strict=False)
    )


def _words(unit: Unit) -> int:
    return len(unit.text.split())


def _goes_on(pieces: list[list[Unit] | str], border: int, lengths: tuple[int, int]) -> bool:
    """Whether the phrase goes on across a border, given in words from the start, between lines of these lengths."""
    at = 0
    for piece in pieces:
        if isinstance(piece, str):
            continue
        for i, unit in enumerate(piece):
            end = at + _words(unit)
            if at < border < end:
                return border - at >= lengths[0] or end - border >= lengths[1]
            if end == border:
                if i + 1 == len(piece):
                    return False  # punctuation stands there
                return _grammar_goes_on(piece[: i + 1], piece[i + 1 :], lengths)
            at = end
    return False


def _grammar_goes_on(left: list[Unit], right: list[Unit], lengths: tuple[int, int]) -> bool:
    """Whether the clause that ends at a line's end needs the next line, by the words on both sides of the border."""
    last, first = left[-1], right[0]
    line = _line(left[::-1], lengths[0])[::-1]  # the units of the two lines themselves
    following = _line(right, lengths[1])
    if last.lemma in COPULA or last.kind == "phrase" or (last.kind == "verb" and last.form in FINITE):
        return False
    says = any(u.lemma in FORBIDDEN | _CLOSE or (u.kind == "verb" and u.form in FINITE) for u in following)
    if last.lemma in _OPEN or last.kind == "conjunction":
        return True
    if last.kind == "verb" and (last.form == "after" or (last.form == "infinitive" and last.text.endswith("ने"))):
        return True
    if first.kind in ("postposition", "conjunction") or first.lemma in COPULA | FORBIDDEN | NEGATION | _CLOSE:
        return True
    if last.kind == "number" and (first.kind == "unit" or first.lemma == "बजे"):
        return True
    if last.lemma == "से" and following[-1].lemma == "तक":
        return True
    if says and any(u.lemma in _POLITE for u in line):
        return True
    if last.kind == "postposition" or all(u.kind == "adverb" for u in line):
        return says or any(u.kind == "verb" for u in following)
    # A predicate with nothing else: what it is said of stands in the line above.
    bare = [u for u in following if u.lemma not in COPULA and u.kind != "adverb"]
    if len(bare) != 1:
        return False
    if bare[0].kind == "adjective":
        return following[-1].lemma in COPULA
    return bare[0].kind == "verb" and bare[0].form in FINITE


def _line(units: list[Unit], words: int) -> list[Unit]:
    """The first units that make up so many words."""
    out: list[Unit] = []
    for unit in units:
        if words <= 0:
            break
        out.append(unit)
        words -= _words(unit)
    return out
