"""Words in scripts that are not read here, so that a recogniser can learn to leave them out: India has many."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from numpy.random import Generator

from signboard.errors import DataError

from .fonts import Face

# First code point of the block of each script that is laid out like Devanagari's (The Unicode Standard, chapter 12).
_BLOCKS = {
    "bengali": 0x0980, "gurmukhi": 0x0A00, "gujarati": 0x0A80, "oriya": 0x0B00, "tamil": 0x0B80, "telugu": 0x0C00,
    "kannada": 0x0C80, "malayalam": 0x0D00,
}  # fmt: skip
# Places in such a block.
_CONSONANTS, _VOWELS, _SIGNS = range(0x15, 0x3A), range(0x05, 0x15), range(0x3E, 0x4D)
_ANUSVARA, _VIRAMA = 0x02, 0x4D
_URDU = "ابپتٹثجچحخدڈذرڑزژسشصضطظعغفقکگلمنوہھءیے"
_MEITEI = ("".join(map(chr, range(0xABC0, 0xABDB))), "".join(map(chr, range(0xABE3, 0xABEB))))
SCRIPTS = (*_BLOCKS, "arabic", "meetei-mayek")
_SUBSET = re.compile(f"-({'|'.join(SCRIPTS)})-(\\d+)-normal$")


def _assigned(base: int, places: Iterable[int]) -> str:
    return "".join(chr(base + place) for place in places if unicodedata.category(chr(base + place)) != "Cn")


_LETTERS = {
    script: tuple(_assigned(base, places) for places in (_CONSONANTS, _VOWELS, _SIGNS))
    for script, base in _BLOCKS.items()
}


def _pick(rng: Generator, letters: str) -> str:
    return letters[int(rng.integers(len(letters)))]


def foreign_word(rng: Generator, script: str) -> str:
    """A string that looks like a word in `script`, one of `SCRIPTS`, to those who cannot read it."""
    if script == "arabic":
        return "".join(_pick(rng, _URDU) for _ in range(int(rng.integers(2, 8))))
    syllables = int(rng.integers(2, 6))  # one alone may look like a letter or digit that is read
    if script == "meetei-mayek":
        return "".join(
            _pick(rng, _MEITEI[0]) + (_pick(rng, _MEITEI[1]) if rng.random() < 0.5 else "") for _ in range(syllables)
        )
    consonants, vowels, signs = _LETTERS[script]
    base = _BLOCKS[script]
    text = _pick(rng, vowels) if rng.random() < 0.15 else ""
    for _ in range(syllables):
        text += _pick(rng, consonants)
        if rng.random() < 0.12:
            text += chr(base + _VIRAMA) + _pick(rng, consonants)
        if rng.random() < 0.6:
            text += _pick(rng, signs)
        if rng.random() < 0.06 and unicodedata.category(chr(base + _ANUSVARA)) != "Cn":
            text += chr(base + _ANUSVARA)
    return text


class ForeignWords:
    """Draws words and the faces to draw them with.

    Args:
        folder: typefaces as `scripts/fetch_fonts.py` names their files: `<family>-<script>-<weight>-normal.ttf`.

    Raises:
        DataError: there is no such face.
    """

    def __init__(self, folder: Path | str) -> None:
        self.faces: dict[str, tuple[Face, ...]] = {}
        for path in sorted(Path(folder).rglob("*.ttf")):
            found = _SUBSET.search(path.stem)
            if found:
                face = Face(str(path), path.parent.name, int(found[2]), frozenset())
                self.faces[found[1]] = (*self.faces.get(found[1], ()), face)
        if not self.faces:
            raise DataError(f"{folder}: no typeface of another script; run scripts/fetch_fonts.py {folder}")

    def draw(self, rng: Generator) -> list[tuple[str, Face]]:
        """A word with its face, as the one run of a text; scripts are as likely whatever their number of faces."""
        script = list(self.faces)[int(rng.integers(len(self.faces)))]
        faces = self.faces[script]
        return [(foreign_word(rng, script), faces[int(rng.integers(len(faces)))])]
