"""The result tree: what was read on a photo. Plain frozen data; knows nothing of networks or formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Point = tuple[float, float]
Polygon = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another reading of a word: its text and its confidence, 0 to 1, on the same scale as `Word.confidence`."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Word:
    """One word on a photo.

    Attributes:
        text: what it says, Unicode NFC, memory (logical) order. May be empty when nothing could be read.
        polygon: at least four (x, y) points, pixels of the EXIF-upright photo, clockwise from the text's top-left.
        confidence: 0 to 1, how sure the reading is, over the emitted characters; 0 for empty text.
        detection_score: 0 to 1, how sure the detector is that there is text here.
        script: "latin", "devanagari", "digits", "mixed" or "other", derived from `text`.
        rotation: degrees counter-clockwise (0, 90, 180, 270) that the crop was turned to be read.
        alternatives: what it may say instead, the likeliest first; empty unless they were asked for.
    """

    text: str
    polygon: Polygon
    confidence: float
    detection_score: float
    script: str
    rotation: int = 0
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """Words that stand side by side, in reading order. `translation` is English for the line when it was asked for."""

    words: tuple[Word, ...]
    polygon: Polygon
    romanized: str | None = None
    translation: str | None = None

    @property
    def text(self) -> str:
        """The words' texts joined by single spaces; words without text are left out."""
        return " ".join(word.text for word in self.words if word.text)


@dataclass(frozen=True, slots=True)
class Sign:
    """Lines that belong together on one board, top to bottom."""

    lines: tuple[Line, ...]
    polygon: Polygon

    @property
    def text(self) -> str:
        """The lines' texts joined by newlines; empty lines are left out."""
        return "\n".join(line.text for line in self.lines if line.text)


@dataclass(frozen=True, slots=True)
class Reading:
    """All that was read on one photo, or the error that kept it from being read.

    Attributes:
        source: the path or name the photo came under, "" for an array.
        width, height: pixels of the EXIF-upright photo; 0 when it could not be opened.
        signs: in reading order; an empty tuple when there is no text.
        error: one line when the photo could not be read, else None.
        warnings: things a user should know (text too small at this size, ...).
        metadata: facts about the photo that some formats use, e.g. GPS position; plain JSON values.
        page: which page of the file, from 1; more than 1 only in a TIFF of several pages.
    """

    source: str
    width: int
    height: int
    signs: tuple[Sign, ...] = ()
    error: str | None = None
    warnings: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    page: int = 1

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines of all signs, in reading order."""
        return tuple(line for sign in self.signs for line in sign.lines)

    @property
    def words(self) -> tuple[Word, ...]:
        """All words of all signs, in reading order."""
        return tuple(word for line in self.lines for word in line.words)

    @property
    def text(self) -> str:
        """The signs' texts, a blank line between two signs."""
        return "\n\n".join(sign.text for sign in self.signs if sign.text)

    def __iter__(self) -> Iterator[Sign]:
        return iter(self.signs)
