"""Plain text: what the signs say, sign by sign, for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from signboard.output.sink import OutputError, Piece, TextFormat
from signboard.reading import Line, Reading


def render(reading: Reading) -> str:
    """The signs' lines, a blank line between two signs; under a line its Latin letters and English, when known."""
    blocks = []
    for sign in reading.signs:
        lines = [_line(line) for line in sign.lines if line.text]
        if lines:
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _line(line: Line) -> str:
    notes = [_flat(note) for note in (line.romanized, line.translation) if note and note != line.text]
    return _flat(line.text) + (f"\n    {' = '.join(notes)}" if notes else "")


def _flat(text: str) -> str:
    return " ".join(text.splitlines())


_TITLE = re.compile(r"== (.*?)(?:, page (\d+))? ==")


def _title(source: str, page: int) -> str:
    """The line over a photo's text. Names that it could not be read back from stand in quotes."""
    plain = source.isprintable() and not source.startswith('"') and not re.search(r", page \d+$", source)
    name = source
    if not plain:
        quoted = json.dumps(source, ensure_ascii=False)
        name = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in quoted)
    return f"== {name} ==" if page == 1 else f"== {name}, page {page} =="


def _photo(title: str) -> tuple[str, int] | None:
    """(source, page) of a title; None when the line is none."""
    found = _TITLE.fullmatch(title)
    if found is None:
        return None
    name, page = found[1], int(found[2] or 1)
    if name.startswith('"'):
        try:
            name = json.loads(name)
        except ValueError:
            return None
    return name, page


def _titled(reading: Reading, index: int, position: bool) -> str:
    """The text under the photo's name; an error stands where the text would be."""
    body = f"error: {reading.error}" if reading.error is not None else render(reading) or "(no text)"
    # A sign may say what a title looks like.
    lines = [f" {line}" if line.startswith("== ") else line for line in body.split("\n")]
    return "\n".join([_title(reading.source, reading.page), *lines, ""])


def _single(reading: Reading, index: int, position: bool) -> str:
    text = render(reading)
    return text + "\n" if text else ""


def pieces(file: BinaryIO, name: str) -> Iterator[Piece]:
    """The photos of an interrupted file. The last one is whole when the file's two empty lines are behind it.

    Raises:
        OutputError: the file does not begin with a photo's title.
    """
    photo: tuple[str, int] | None = None
    start = position = number = 0
    failed = False
    last = b""
    for line in file:
        title = _photo(line[:-1].decode("utf-8", "replace")) if line.endswith(b"\n") else None
        if position == 0 and title is None:
            if line.endswith(b"\n") or not line.startswith(b"== "[: len(line)]):
                raise OutputError(f"{name}: not text by this program, --resume cannot go on with it")
            return
        if title is not None:
            if photo is not None:
                yield Piece(*photo, failed, start, position - len(FORMAT.separator))
            photo, start, number, failed = title, position, 0, False
        elif number == 0:
            failed, number = line.startswith(b"error: "), 1
        position += len(line)
        last = (last + line)[-len(_TAIL) - 1 :]
    if photo is not None and last == b"\n" + _TAIL.encode():
        yield Piece(*photo, failed, start, position - len(_TAIL))


# Two empty lines are nowhere inside the text: they say that the last photo is whole.
_TAIL = "\n\n"

FORMAT = TextFormat("text", (".txt",), _titled, tail=lambda: _TAIL, separator="\n", pieces=pieces)

SINGLE = TextFormat("text", (), _single)
"""On standard output, for one photo: the text alone. Errors and "no text" go to standard error."""

SEVERAL = TextFormat(
    "text", (), lambda reading, *rest: "" if reading.error else _titled(reading, *rest), separator="\n"
)
"""On standard output, for several photos."""
