"""Plain text: what the signs say, sign by sign, for people."""

from __future__ import annotations

from signboard.output.sink import TextFormat
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
    notes = [note for note in (line.romanized, line.translation) if note and note != line.text]
    return line.text + (f"\n    {' = '.join(notes)}" if notes else "")


def _titled(reading: Reading, index: int, position: bool) -> str:
    """The text under the photo's name; an error stands where the text would be."""
    body = f"error: {reading.error}" if reading.error is not None else render(reading) or "(no text)"
    name = "".join(char if char.isprintable() else repr(char)[1:-1] for char in reading.source)
    return f"== {name} ==\n{body}\n"


def _single(reading: Reading, index: int, position: bool) -> str:
    text = render(reading)
    return text + "\n" if text else ""


FORMAT = TextFormat("text", (".txt",), _titled, separator="\n")

SINGLE = TextFormat("text", (), _single)
"""On standard output, for one photo: the text alone. Errors and "no text" go to standard error."""

SEVERAL = TextFormat(
    "text", (), lambda reading, *rest: "" if reading.error else _titled(reading, *rest), separator="\n"
)
"""On standard output, for several photos."""
