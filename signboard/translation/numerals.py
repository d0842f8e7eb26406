"""Numbers in words: prices, hours, measures, and numbers of several words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signboard.translation.glossary import Entry, Glossary

#: Words for the currency, behind a price.
RUPEES = {"रुपया", "रुपये", "रुपए", "रु.", "रू."}
_HOUR = "बजे"
_LARGE = {"सौ": 100, "हजार": 1_000, "लाख": 100_000, "करोड़": 10_000_000}
_PARTS = {"साढ़े": 0.5, "सवा": 0.25, "पौने": -0.25}
_MIXED = {"डेढ़": 1.5, "ढाई": 2.5, "पौन": 0.75}
_BELOW_TWENTY = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ENGLISH = {
    **{word: i for i, word in enumerate(_BELOW_TWENTY)},
    **{ten: 10 * i for i, ten in enumerate(_TENS, 2)},
    **{f"{ten}-{one}": 10 * i + j for i, ten in enumerate(_TENS, 2) for j, one in enumerate(_BELOW_TWENTY[1:10], 1)},
}


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number in words: how many words it has, and its value."""

    words: int
    value: float


def read_numeral(words: Sequence[str], glossary: Glossary) -> Numeral | None:
    """The number that the first words say, of as many words as possible; None where they say none.

    साढ़े तीन सौ is 350, डेढ़ लाख 150,000, पौने दो 1.75.
    """
    total, i, smallest = 0.0, 0, 0
    while i < len(words):
        lemma, j, part = _lemma(words, i, glossary), i, 0.0
        if lemma in _PARTS:
            part, j = _PARTS[lemma], i + 1
        count = _count(words, j, glossary)
        if count is not None:
            count, j = count + part, j + 1
        elif lemma == "सवा":
            count = 1.25
        elif j > i:
            break
        large = _LARGE.get(_lemma(words, j, glossary))
        if count is None and large is None:
            break
        if large is None:  # the last part: दो सौ पचास
            if count is None or (smallest and count >= smallest):
                break
            return Numeral(j, total + count)
        if smallest and large >= smallest:
            if count is not None:
                break
            total *= large  # दो सौ करोड़
        else:
            total += (1 if count is None else count) * large
        i, smallest = j + 1, large
    return Numeral(i, total) if i else None


def said_number(words: Sequence[str], i: int, glossary: Glossary) -> tuple[int, str] | None:
    """The number that starts at word i, with its unit, and where they end; None where it stays a word of its own.

    Prices of one word stay words (चालीस रुपये is forty rupees); hours and longer numbers become digits.

    Args:
        words: the words of a clause, "" for what is not Devanagari.
    """
    numeral = read_numeral(words[i:], glossary)
    if numeral is None:
        return None
    end = i + numeral.words
    following = words[end] if end < len(words) else ""
    longest = range(end + 1, min(len(words), end + 3) + 1)
    if any(glossary.lookup(" ".join(words[i:j])) for j in longest):
        return None  # चौबीस घंटे, छप्पन भोग are entries
    # दो से चार बजे: both are hours.
    other = read_numeral(words[end + 1 :], glossary) if following == "से" else None
    after = end + 1 + other.words if other else end
    hour = (words[after] if after < len(words) else "") == _HOUR
    if hour and numeral.value < 13:
        minutes = round(numeral.value * 60)
        hours = minutes // 60 or 12
        return end, f"{hours}:{minutes % 60:02}" if minutes % 60 else str(hours)
    said = _written(numeral.value)
    if following in RUPEES:
        entry = _entry(words, i, glossary)
        one_word = numeral.words == 1 and numeral.value.is_integer() and entry is not None
        return end + 1, f"{entry.english} rupees" if one_word and entry else f"Rs {said}"
    in_digits = numeral.words > 1 or not numeral.value.is_integer()
    match = glossary.lookup(following) if following else None
    if match is not None and match.entry.part_of_speech == "unit" and in_digits:
        return end + 1, f"{said} {match.english}"
    return (end, said) if numeral.words > 1 else None


def _entry(words: Sequence[str], i: int, glossary: Glossary) -> Entry | None:
    match = glossary.lookup(words[i]) if i < len(words) and words[i] else None
    sure = match is not None and match.entry.part_of_speech == "number" and match.confidence >= 0.9
    return match.entry if match is not None and sure else None


def _lemma(words: Sequence[str], i: int, glossary: Glossary) -> str:
    entry = _entry(words, i, glossary)
    return entry.hindi if entry else ""


def _count(words: Sequence[str], i: int, glossary: Glossary) -> float | None:
    """A number below a hundred, 1.5 or 2.5."""
    entry = _entry(words, i, glossary)
    if entry is None:
        return None
    return _MIXED.get(entry.hindi, _ENGLISH.get(entry.english))


def _written(value: float) -> str:
    """Lakh and crore as signs write them, the rest in digits."""
    for size, name in ((10_000_000, "crore"), (100_000, "lakh")):
        if value >= size and round(value / size, 2) == value / size:
            return f"{value / size:g} {name}"
    return f"{value:.10g}"
