"""The closed word lists of `grammar.toml`, and the little English grammar of signs: gerunds, plurals, capitals."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

#: The file's keys and values.
TABLES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("grammar.toml").read_text(encoding="utf-8"))


@cache
def word_set(key: str, section: str = "") -> frozenset[str]:
    """The list of that name, a text with blanks between the words or an array of texts."""
    found = (TABLES[section] if section else TABLES)[key]
    return frozenset(found.split() if isinstance(found, str) else found)


#: Words that stay small inside a title.
SMALL = word_set("small", "english")
#: Words that only grammar needs.
FUNCTION = SMALL | word_set("function", "english") | {""}


def _first(phrase: str, ending: str, irregular: Mapping[str, str]) -> str:
    """The phrase, its first word with -s, -ing or -ed as English spells it: goes, stopping, carried."""
    word, space, rest = phrase.partition(" ")
    return (irregular.get(word) or _ended(word, ending)) + space + rest


def _ended(word: str, ending: str) -> str:
    ies = word.endswith("y") and word[-2:-1] not in "aeiou"
    if ending == "s":
        return f"{word[:-1]}ies" if ies else word + ("es" if word.endswith(("s", "sh", "ch", "x", "z")) else "s")
    if word in word_set("doubled", "english"):
        word += word[-1]
    elif word.endswith("e") and (ending == "ed" or (not word.endswith(("ee", "ye")) and len(word) > 2)):
        word = f"{word[:-2]}y" if word.endswith("ie") and ending == "ing" else word[:-1]
    elif ending == "ed" and ies:
        word = f"{word[:-1]}i"
    return word + ending


def gerund(phrase: str) -> str:
    """ "take photographs" -> "taking photographs"."""
    return _first(phrase, "ing", {})


def participle(phrase: str) -> str:
    """ "repair punctures" -> "repaired punctures"."""
    return _first(phrase, "ed", TABLES["participles"])


def plural(phrase: str) -> str:
    """ "sweet shop" -> "sweet shops"; what is not counted, plural already, or ends in a name stays."""
    head, of, tail = phrase.partition(" of ")
    before, space, word = head.rpartition(" ")
    low = word.lower()
    many = low.endswith("s") and not low.endswith(("ss", "us"))
    word = TABLES["plurals"].get(low) or (word if many or uncounted(word) else _ended(word, "s"))
    return f"{before}{space}{word}{of}{tail}"


def uncounted(phrase: str) -> bool:
    """Whether it ends in a word that English does not count: footwear is, not are."""
    return phrase.rpartition(" ")[2].lower() in word_set("uncounted", "english")


def upper_first(text: str) -> str:
    """A capital where the first letter is, behind quotes' marks too, but not behind a digit; the rest untouched."""
    return re.sub(r"[^\W_]", lambda first: first[0].upper(), text, count=1)


def inflect(english: str, form: str) -> str:
    """English in a form that the network asks for: "shop", "+s" -> "shops"; another form changes nothing."""
    if form == "+3":  # makes
        return _first(english, "s", {"be": "is", "do": "does", "go": "goes"})
    return {"+s": plural, "+ing": gerund, "+ed": participle}.get(form, str)(english)
