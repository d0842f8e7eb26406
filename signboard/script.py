"""Which script a text is written in: the one answer that reading, training and synthesis share."""

from __future__ import annotations

import unicodedata

#: Punctuation inside the Devanagari block: danda, double danda, abbreviation sign, high spacing dot.
DEVANAGARI_PUNCTUATION = frozenset("।॥॰ॱ")


def is_devanagari(character: str) -> bool:
    """Whether the character lies in the Devanagari block: letters, signs, digits, punctuation."""
    return "\u0900" <= character <= "\u097f"


def script_of(text: str) -> str:
    """One of "latin", "devanagari", "digits" (no letters), "mixed" (Latin and Devanagari letters) and "other"."""
    scripts = set()
    digits = False
    for character in unicodedata.normalize("NFC", text):
        if character.isdecimal():
            digits = True
        elif is_devanagari(character):
            if character not in DEVANAGARI_PUNCTUATION:
                scripts.add("devanagari")
        elif character.isalpha():
            latin = unicodedata.name(character, "").startswith(("LATIN", "FULLWIDTH LATIN"))
            scripts.add("latin" if latin else "other")
    if len(scripts) == 1:
        return scripts.pop()
    if scripts:
        return "mixed" if scripts == {"latin", "devanagari"} else "other"
    return "digits" if digits else "other"
