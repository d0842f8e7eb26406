"""What the formats that are XML or HTML share: escaping, boxes, languages, and finding whole photos in a file."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import BinaryIO

from signboard.output.sink import OutputError, Recovered
from signboard.reading import Polygon, Word

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


def source_attribute(source: str) -> str:
    """The photo's name such that it can be read back exactly, whatever bytes it holds."""
    return html.escape(json.dumps(source), quote=True)


def recover(file: BinaryIO, name: str, opening: str, head: str) -> Recovered:
    """The photos of an interrupted file whose first line per photo is `opening` + `source_attribute` + a quote.

    Raises:
        OutputError: the file does not begin with `head`.
    """
    start = head.encode()
    found = file.read(len(start))
    if found != start:
        if start.startswith(found):
            return Recovered(frozenset(), 0)
        raise OutputError(f"{name}: not a file of this format by this program, --resume cannot go on with it")
    sources: set[str] = set()
    size = position = len(start)
    source: str | None = None
    mark, end = opening.encode(), END.encode() + b"\n"
    for line in file:
        position += len(line)
        if line.startswith(mark):
            value = line[len(mark) :].split(b'"', 1)[0].decode("utf-8", "replace")
            try:
                source = json.loads(html.unescape(value))
            except ValueError:
                source = None
        if line.endswith(end) and source is not None:
            sources.add(source)
            size, source = position, None
    return Recovered(frozenset(sources), size)
