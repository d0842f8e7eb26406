"""English words with copies of units, as the phrase network says them, to and from plain English."""

from __future__ import annotations

import re

from signboard.translation.english import gerund, participle, plural, third_person

_INFLECT = {"+s": plural, "+ing": gerund, "+ed": participle, "+3": third_person}
_WORD = re.compile(r"'s\b|[^\W_]+(?:[.'’/:,-][^\W_]+)*[%.]?|,", re.UNICODE)


def words_of(english: str) -> list[str]:
    """Lower-case words, commas and 's of an English phrase, in order; other marks are left out."""
    text = re.sub(r"(?<=\w)['’]s\b", " 's", english.lower())
    found = (word if word in ("'s", ",") else word.rstrip("." if len(word) > 3 else "") for word in _WORD.findall(text))
    return [word for word in found if word]


def inflect(english: str, form: str) -> str:
    """A copied unit's English in one of the forms of `FORMS`: "shop", "+s" -> "shops"."""
    return _INFLECT[form](english) if form in _INFLECT else english


def copy(unit: int) -> str:
    """How "unit number u is said here" is written in a list of words."""
    return f"<{unit}>"
