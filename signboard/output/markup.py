"""What the formats that are XML or HTML share: escaping, boxes, languages, and finding whole photos in a file."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import BinaryIO

from signboard.output.sink import Piece
from signboard.reading import Line, Polygon, Word

END = "<!-- end of photo -->"
"""Stands behind each photo, on the same line as its last tag: an interrupted file is cut after the last of these."""


def escape(text: str) -> str:
    """`text` inside an element or a quoted attribute. What XML 1.0 does not allow becomes U+FFFD."""
    return html.escape("".join(char if _allowed(char) else "�" for char in text), quote=True)


def _allowed(char: str) -> bool:
    code = ord(char)
    return char in "\t\n\r" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def box(polygon: Polygon, width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) in whole pixels around a polygon, inside the photo, at least one pixel wide."""
    xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
    left = min(max(math.floor(min(xs)), 0), max(width - 1, 0))
    top = min(max(math.floor(min(ys)), 0), max(height - 1, 0))
    right = max(min(math.ceil(max(xs)), width), left + 1)
    bottom = max(min(math.ceil(max(ys)), height), top + 1)
    return left, top, right, bottom


def language(words: Sequence[Word]) -> str | None:
    """ "hi" or "en" by the script that most letters are in; None for digits and other scripts."""
    counts = {"hi": 0, "en": 0}
    for word in words:
        counts["hi"] += sum("\u0900" <= char <= "\u097f" for char in word.text)
        counts["en"] += sum(char.isascii() and char.isalpha() for char in word.text)
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else None


def program() -> str:
    """Name and version for the formats that record who wrote them."""
    try:
        return f"signboard {version('signboard')}"
    except PackageNotFoundError:
        return "signboard"


def turned(line: Line) -> int:
    """How a line of text runs, degrees counter-clockwise: 0 as usual, 90 from the bottom to the top, 180, 270."""
    words = [word for word in line.words if word.text] or line.words
    rotations = [word.rotation for word in words]
    # `Word.rotation` is how its crop was turned to be upright: back by as much is how it stands on the photo.
    return (360 - max(set(rotations), key=rotations.count)) % 360


def source_attribute(source: str, page: int = 1) -> str:
    """The photo's name and page such that they can be read back exactly, whatever bytes the name holds."""
    return html.escape(json.dumps(source if page == 1 else [source, page]), quote=True)


_NUMBER = re.compile(rb' id="page_(\d+)"')
_FAILED = b'<p class="error">'


def pieces(file: BinaryIO, opening: str) -> Iterator[Piece]:
    """The photos of an interrupted file whose first line per photo is `opening` + `source_attribute` + a quote."""
    start = position = file.tell()
    photo: tuple[str, int] | None = None
    number: int | None = None
    failed = False
    mark, end = opening.encode(), END.encode() + b"\n"
    for line in file:
        if line.startswith(mark):
            start, failed = position, False
            found = _NUMBER.search(line)
            number = int(found[1]) - 1 if found else None
            photo = _source(line[len(mark) :].split(b'"', 1)[0].decode("utf-8", "replace"))
        position += len(line)
        failed = failed or line.startswith(_FAILED)
        # What stands inside the lines is escaped: the mark of the end is in none of them.
        if line.endswith(end) and photo is not None:
            yield Piece(*photo, failed, start, position, number)
            photo = None


def _source(attribute: str) -> tuple[str, int] | None:
    try:
        value = json.loads(html.unescape(attribute))
        return (value, 1) if isinstance(value, str) else (str(value[0]), int(value[1]))
    except (ValueError, TypeError, LookupError):
        return None
