"""Numbers in words: prices, hours, measures, and numbers of several words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile

from signboard.translation.glossary import Entry, Glossary
from signboard.translation.grammar import TABLES, word_set

#: Words for the currency, behind a price.
RUPEES = word_set("rupees")
_NUMERALS = TABLES["numerals"]
_BELOW_TWENTY, _TENS = _NUMERALS["below_twenty"].split(), _NUMERALS["tens"].split()
_VALUES: dict[str, float] = _NUMERALS["values"] | {word: i for i, word in enumerate(_BELOW_TWENTY)}
_VALUES |= {ten: 10 * i for i, ten in enumerate(_TENS, 2)}
_VALUES |= {f"{ten}-{_BELOW_TWENTY[j]}": 10 * i + j for i, ten in enumerate(_TENS, 2) for j in range(1, 10)}


def read_numeral(words: Sequence[str], glossary: Glossary) -> tuple[int, float] | None:
    """How many of the first words say one number, as many as possible, and its value; None where they say none.

    साढ़े तीन सौ is 350, डेढ़ लाख 150,000, पौने दो 1.75.
    """
    known = takewhile(bool, (_entry(word, glossary) for word in words))
    entries = {i: entry for i, entry in enumerate(known) if entry is not None}
    total, i, smallest = 0.0, 0, math.inf
    while i in entries:
        part = _NUMERALS["parts"].get(entries[i].hindi)
        j = i if part is None else i + 1
        count = _VALUES.get(entries[j].hindi, _VALUES.get(entries[j].english)) if j in entries else None
        if count is not None:
            count, j = count + (part or 0), j + 1
        elif part is not None:
            if entries[i].hindi != "सवा":
                break
            count = 1.25  # सवा सौ
        large = _NUMERALS["large"].get(entries[j].hindi) if j in entries else None
        if large is None:  # the last part: दो सौ पचास
            if count is not None and count < smallest:
                return j, total + count
            break
        if large < smallest:
            total += (1 if count is None else count) * large
        elif count is None:
            total *= large  # दो सौ करोड़
        else:
            break
        i, smallest = j + 1, large
    return (i, total) if i else None


def said_number(words: Sequence[str], glossary: Glossary) -> tuple[int, str] | None:
    """The number that the first words say, with its unit, and how many they are; None where it stays a word of its own.

    Prices of one word stay words (चालीस रुपये is forty rupees); hours and longer numbers become digits.

    Args:
        words: the words of a clause, "" for what is not Devanagari.
    """
    numeral = read_numeral(words, glossary)
    if numeral is None:
        return None
    end, value = numeral
    if any(glossary.lookup(" ".join(words[:more])) for more in range(end + 1, min(len(words), end + 2) + 1)):
        return None  # चौबीस घंटे, छप्पन भोग are entries
    following = words[end] if end < len(words) else ""
    # दो से चार बजे: both are hours.
    other = read_numeral(words[end + 1 :], glossary) if following == "से" else None
    after = end + 1 + other[0] if other else end
    if words[after : after + 1] == ["बजे"] and value < 13:
        hours, minutes = divmod(round(value * 60), 60)
        return end, f"{hours or 12}:{minutes:02}" if minutes else str(hours)
    entry, in_digits = _entry(words[0], glossary), end > 1 or not value.is_integer()
    if following in RUPEES and entry is not None:
        return end + 1, f"Rs {_written(value)}" if in_digits else f"{entry.english} rupees"
    match = glossary.lookup(following)
    if in_digits and match is not None and match.entry.part_of_speech == "unit":
        return end + 1, f"{_written(value)} {match.english}"
    return (end, _written(value)) if end > 1 else None


def _entry(word: str, glossary: Glossary) -> Entry | None:
    """The entry of a word for a number."""
    match = glossary.lookup(word) if word else None
    return match.entry if match and match.entry.part_of_speech == "number" and match.confidence >= 0.9 else None


def _written(value: float) -> str:
    """Lakh and crore as signs write them, the rest in digits."""
    for size, name in ((10_000_000, "crore"), (100_000, "lakh")):
        if value >= size and round(value / size, 2) == value / size:
            return f"{value / size:g} {name}"
    return f"{value:.10g}"
