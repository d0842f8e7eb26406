"""Devanagari to Latin letters and Hindi signs to English: starts from text, knows nothing of pictures."""

from signboard.translation.lines import translate_lines
from signboard.translation.result import Part, Translation
from signboard.translation.translator import Translator, romanize, translate
from signboard.translation.transliteration import Spelling, Transliterator, to_iso15919

__all__ = [
    "Part",
    "Spelling",
    "Translation",
    "Translator",
    "Transliterator",
    "romanize",
    "to_iso15919",
    "translate",
    "translate_lines",
]
