"""ALTO XML 4.3 (Library of Congress): one file a photo, as the standard and the tools that read it expect."""

from __future__ import annotations

from signboard.output import markup
from signboard.output.sink import TextFormat
from signboard.reading import Line, Polygon, Reading, Sign, Word

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"


def _body(reading: Reading, index: int, position: bool) -> str:
    page = f'WIDTH="{reading.width}" HEIGHT="{reading.height}"'
    name, _, number = markup.program().partition(" ")
    signs = "".join(_sign(sign, count, reading) for count, sign in enumerate(reading.signs, start=1))
    # The standard has no place for an error but a comment.
    error = f"<!-- {_comment(reading.error)} -->\n" if reading.error is not None else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<alto xmlns="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" SCHEMAVERSION="4.3"\n'
        f'  xsi:schemaLocation="{NAMESPACE} http://www.loc.gov/standards/alto/v4/alto-4-3.xsd">\n'
        f"{error}<Description>\n<MeasurementUnit>pixel</MeasurementUnit>\n"
        f"<sourceImageInformation><fileName>{markup.escape(reading.source)}</fileName></sourceImageInformation>\n"
        '<Processing ID="reading"><processingSoftware>'
        f"<softwareName>{name}</softwareName><softwareVersion>{markup.escape(number)}</softwareVersion>"
        "</processingSoftware></Processing>\n"
        "</Description>\n<Layout>\n"
        f'<Page ID="page_1" PHYSICAL_IMG_NR="1" {page}>\n<PrintSpace HPOS="0" VPOS="0" {page}>\n'
        f"{signs}</PrintSpace>\n</Page>\n</Layout>\n</alto>\n"
    )


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
    lines = "".join(_line(line, f"{number}_{count}", reading) for count, line in enumerate(sign.lines, start=1))
    return (
        f'<TextBlock ID="sign_{number}" {_place(sign.polygon, reading)}>{_shape(sign.polygon)}\n{lines}</TextBlock>\n'
    )


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


FORMAT = TextFormat("alto", (".xml", ".alto"), _body, one_photo_a_file=True)
