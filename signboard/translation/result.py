"""What a translation is: the English of a text and the parts that it is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of the text and what became of it.

    Attributes:
        text: the piece as it stands in the text.
        english: what stands for it in the translation; "" when English leaves it out.
        source: "glossary" (the sign glossary), "network" (the translation network's own words), "loanword" (an English
            word found by its sound), "place" (the gazetteer), "transliterated" (spelled in Latin letters: a sound, no
            meaning), or "kept" (Latin, digits, other scripts, the sign's own English).
        confidence: 0 to 1; see `Translation.confidence`.
    """

    text: str
    english: str
    source: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Translation:
    """A text, its English, and how each part was found.

    Attributes:
        text: as given.
        english: the translation; equals the text where there is no Devanagari in it.
        romanized: the text in Latin letters as people write them.
        parts: in the order of the text, spaces and punctuation left out.
        confidence: 0 to 1: the share of texts of signs of such confidence that are right word for word, measured on
            texts the network was not trained on. 0 for empty text, 1 for text that needs no translation.
        matched_line: set by `translate_lines` only: index of the line of the same sign that already says this in
            English; `english` is then that line's text.
        continues: set by `translate_lines` only: index of the line that begins the phrase which this line goes on with;
            that line's `english` and `parts` are those of the whole phrase, here they are empty.
    """

    text: str
    english: str
    romanized: str
    parts: tuple[Part, ...]
    confidence: float
    matched_line: int | None = None
    continues: int | None = None
