"""Lettering for drawn pictures: typefaces in any mix of both scripts, cards with lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from signboard.errors import DataError

Colour = tuple[int, int, int]

# Ink and ground.
COLOURS: tuple[tuple[Colour, Colour], ...] = (
    ((20, 20, 20), (240, 240, 235)),
    ((255, 255, 255), (10, 70, 40)),
    ((250, 220, 40), (25, 25, 30)),
    ((255, 255, 255), (170, 20, 25)),
    ((20, 40, 120), (250, 250, 250)),
)
_OWN = Path(__file__).parents[1] / "output" / "fonts" / "Mukta-SemiBold.ttf"
_NO_RUPEE = ("PTSerif",)  # these have the sign of another currency in its place


@dataclass(frozen=True)
class Drawn:
    """A picture, what is to be read on it, and what it is an example of."""

    picture: Image.Image
    text: str
    about: str


class Lettering:
    """A typeface at a size, made of the files that hold its scripts.

    Args:
        fonts: folder of typefaces, one folder a family, as scripts/fetch_fonts.py makes it.
        name: how the name of a file begins: Roboto-latin-400.
        size: pixels.

    Raises:
        DataError: there is no such file.
    """

    def __init__(self, fonts: Path, name: str, size: int) -> None:
        files = sorted(fonts.glob(f"*/{name}*.ttf"), key=lambda path: ("italic" in path.name, path.name))[:1]
        if not files:
            raise DataError(f"{fonts}: no file {name}*.ttf; scripts/fetch_fonts.py fetches typefaces")
        first = files[0]
        for script in ("latin", "latin-ext", "devanagari"):
            path = first.with_name(first.name.replace("-latin-", f"-{script}-").replace("-devanagari-", f"-{script}-"))
            if path != first and path.is_file():
                files.append(path)
        files.append(_OWN)
        self.size = size
        self._no_rupee = name.startswith(_NO_RUPEE)
        self._fonts = [ImageFont.truetype(str(path), size) for path in files]
        self._empty = [bytes(font.getmask("\U0010ffff")) for font in self._fonts]

    def _runs(self, text: str) -> Iterator[tuple[ImageFont.FreeTypeFont, str]]:
        run, last = "", self._fonts[0]
        for c in text:
            font = last
            if c == "₹" and self._no_rupee:
                font = self._fonts[-1]
            elif not c.isspace() and not self._holds(last, c):
                font = next((font for font in self._fonts if self._holds(font, c)), last)
            if font is not last and run:
                yield last, run
                run = ""
            run, last = run + c, font
        if run:
            yield last, run

    def _holds(self, font: ImageFont.FreeTypeFont, character: str) -> bool:
        return bytes(font.getmask(character)) != self._empty[self._fonts.index(font)]

    def box(self, text: str) -> tuple[float, float, float, float]:
        """The ink of `text` whose baseline begins at (0, 0)."""
        x, boxes = 0.0, []
        for font, run in self._runs(text):
            left, top, right, bottom = font.getbbox(run, anchor="ls")
            boxes.append((x + left, top, x + right, bottom))
            x += font.getlength(run)
        table = np.array(boxes)
        return (*table[:, :2].min(axis=0).tolist(), *table[:, 2:].max(axis=0).tolist())

    def write(self, picture: Image.Image, at: tuple[float, float], text: str, ink: Colour) -> None:
        """Draw `text` with its baseline beginning at `at`."""
        draw = ImageDraw.Draw(picture)
        x, y = at
        for font, run in self._runs(text):
            draw.text((x, y), run, ink, font, anchor="ls")
            x += font.getlength(run)


def card(face: Lettering, lines: Sequence[str], ink: Colour, ground: Colour, margin: int = 60) -> Image.Image:
    """Lines of text below one another with a margin around them."""
    boxes = [face.box(line) for line in lines]
    step = round(1.6 * face.size)
    width = round(max(box[2] for box in boxes)) + 2 * margin
    top = round(-min(box[1] for box in boxes[:1]))
    picture = Image.new("RGB", (width, 2 * margin + top + round(boxes[-1][3]) + step * (len(lines) - 1)), ground)
    for row, line in enumerate(lines):
        face.write(picture, (margin, margin + top + step * row), line, ink)
    return picture


__all__ = ["COLOURS", "Colour", "Drawn", "Lettering", "card"]
