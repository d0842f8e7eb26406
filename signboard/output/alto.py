"""ALTO XML 4.3 (Library of Congress): one file a photo, as the standard and the tools that read it expect."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from signboard.output import markup
from signboard.output.sink import OutputError, Piece, TextFormat
from signboard.reading import Line, Polygon, Reading, Sign, Word

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_START = f'<?xml version="1.0" encoding="UTF-8"?>\n<alto xmlns="{NAMESPACE}"'


def _body(reading: Reading, index: int, position: bool) -> str:
    page = f'WIDTH="{reading.width}" HEIGHT="{reading.height}"'
    name, _, number = markup.program().partition(" ")
    signs = "".join(_sign(sign, count, reading) for count, sign in enumerate(reading.signs, start=1))
    # The standard has no place for an error but a comment.
    error = f"<!-- {_comment(reading.error)} -->\n" if reading.error is not None else ""
    return (
        f'{_START} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" SCHEMAVERSION="4.3"\n'
        f'  xsi:schemaLocation="{NAMESPACE} http://www.loc.gov/standards/alto/v4/alto-4-3.xsd">\n'
        f"{_record(reading)}{error}<Description>\n<MeasurementUnit>pixel</MeasurementUnit>\n"
        f"<sourceImageInformation><fileName>{markup.escape(reading.source)}</fileName></sourceImageInformation>\n"
        '<Processing ID="reading"><processingSoftware>'
        f"<softwareName>{name}</softwareName><softwareVersion>{markup.escape(number)}</softwareVersion>"
        "</processingSoftware></Processing>\n"
        "</Description>\n<Layout>\n"
        f'<Page ID="page_1" PHYSICAL_IMG_NR="{reading.page}" {page}>\n<PrintSpace HPOS="0" VPOS="0" {page}>\n'
        f"{signs}</PrintSpace>\n</Page>\n</Layout>\n</alto>\n"
    )


def _record(reading: Reading) -> str:
    """A comment that says exactly which photo this is: the standard's elements hold no name that is no XML text."""
    record = json.dumps([reading.source, reading.page, reading.error is not None])
    # No comment may hold two hyphens.
    return f"<!-- photo: {record.replace('-', chr(92) + 'u002d')} -->\n"


_RECORD = re.compile(r"<!-- photo: (\[.*\]) -->")
_FILE_NAME = re.compile(r"<fileName>(.*?)</fileName>", re.DOTALL)


def pieces(file: BinaryIO, name: str) -> Iterator[Piece]:
    """The photo of a file, when the file is whole.

    Raises:
        OutputError: the file is not ALTO by this program.
    """
    data = file.read()
    start = _START.encode()
    if not data.startswith(start):
        if data and not start.startswith(data):
            raise OutputError(f"{name}: not ALTO by this program, --resume cannot go on with it")
        return
    if not data.endswith(b"</alto>\n"):
        return
    text = data.decode("utf-8", "replace")
    record, file_name = _RECORD.search(text), _FILE_NAME.search(text)
    if record is not None:
        source, page, failed = json.loads(record[1])
        yield Piece(source, page, failed, 0, len(data))
    elif file_name is not None:  # by an earlier version
        yield Piece(html.unescape(file_name[1]), 1, False, 0, len(data))


def _comment(text: str) -> str:
    return markup.escape(text).replace("--", "- -")


def _place(polygon: Polygon, reading: Reading) -> str:
    left, top, right, bottom = markup.box(polygon, reading.width, reading.height)
    return f'HPOS="{left}" VPOS="{top}" WIDTH="{right - left}" HEIGHT="{bottom - top}"'


def _shape(polygon: Polygon) -> str:
    points = " ".join(f"{round(x)},{round(y)}" for x, y in polygon)
    return f'<Shape><Polygon POINTS="{points}"/></Shape>'


def _language(words: tuple[Word, ...]) -> str:
    code = markup.language(words)
    return f' LANG="{code}"' if code else ""


def _sign(sign: Sign, number: int, reading: Reading) -> str:
    """A block for the sign; several where its lines run in different directions, which is a matter of blocks."""
    blocks = []
    numbered = enumerate(sign.lines, start=1)
    for part, (angle, group) in enumerate(
        itertools.groupby(numbered, key=lambda pair: markup.turned(pair[1])), start=1
    ):
        lines = "".join(_line(line, f"{number}_{count}", reading) for count, line in group)
        name = f"sign_{number}" if part == 1 else f"sign_{number}_part_{part}"
        turned = f' ROTATION="{angle}"' if angle else ""
        place = f"{_place(sign.polygon, reading)}{turned}"
        blocks.append(f'<TextBlock ID="{name}" {place}>{_shape(sign.polygon)}\n{lines}</TextBlock>\n')
    return "".join(blocks)


def _line(line: Line, name: str, reading: Reading) -> str:
    # String has no empty CONTENT in the standard: words that could not be read are left out.
    words = [word for word in line.words if word.text]
    if not words:
        return ""
    strings = "<SP/>".join(_word(word, f"{name}_{count}", reading) for count, word in enumerate(words, start=1))
    place = f"{_place(line.polygon, reading)}{_language(line.words)}"
    return f'<TextLine ID="line_{name}" {place}>{_shape(line.polygon)}\n{strings}</TextLine>\n'


def _word(word: Word, name: str, reading: Reading) -> str:
    return (
        f'<String ID="word_{name}" CONTENT="{markup.escape(word.text)}" WC="{word.confidence:.4f}" '
        f"{_place(word.polygon, reading)}{_language((word,))}>{_shape(word.polygon)}</String>"
    )


FORMAT = TextFormat("alto", (".xml", ".alto"), _body, pieces=pieces, one_photo_a_file=True)
