"""hOCR 1.2: XHTML with the places of pages, areas, lines and words in title attributes. One page a photo."""

from __future__ import annotations

from signboard.output import markup
from signboard.output.sink import TextFormat
from signboard.reading import Line, Polygon, Reading, Word

_OPENING = '<div class="ocr_page" data-source="'


def _head() -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
        '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml">\n<head>\n<title>Signs</title>\n'
        '<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />\n'
        f'<meta name="ocr-system" content="{markup.escape(markup.program())}" />\n'
        '<meta name="ocr-capabilities" '
        'content="ocr_page ocr_carea ocr_line ocrx_word ocrp_wconf ocrp_poly ocrp_lang" />\n'
        '<meta name="ocr-langs" content="en hi" />\n<meta name="ocr-scripts" content="Latn Deva" />\n'
        "</head>\n<body>\n"
    )


def _tail() -> str:
    return "</body>\n</html>\n"


def _body(reading: Reading, index: int, position: bool) -> str:
    # Quotes in the image's name are doubled escapes in hOCR's own syntax; leave them out of it instead.
    image = markup.escape(reading.source.replace('"', "'"))
    parts = [
        f'{_OPENING}{markup.source_attribute(reading.source, reading.page)}" id="page_{index + 1}" '
        f'title="image &quot;{image}&quot;; bbox 0 0 {reading.width} {reading.height}; ppageno {index}">\n'
    ]
    if reading.error is not None:
        parts.append(f'<p class="error">{markup.escape(reading.error)}</p>\n')
    word_number = line_number = 0
    for sign_number, sign in enumerate(reading.signs, start=1):
        name = f"{index + 1}_{sign_number}"
        parts.append(f'<div class="ocr_carea" id="sign_{name}" title="{_place(sign.polygon, reading)}">\n')
        for line in sign.lines:
            line_number += 1
            parts.append(_line(line, f"{index + 1}_{line_number}", reading))
            words = []
            for word in line.words:
                word_number += 1
                words.append(_word(word, f"{index + 1}_{word_number}", reading))
            parts.append(" ".join(words) + "</span>\n")
        parts.append("</div>\n")
    parts.append(f"</div>{markup.END}\n")
    return "".join(parts)


def _place(polygon: Polygon, reading: Reading) -> str:
    left, top, right, bottom = markup.box(polygon, reading.width, reading.height)
    points = " ".join(f"{round(value)}" for point in polygon for value in point)
    return f"bbox {left} {top} {right} {bottom}; poly {points}"


def _line(line: Line, name: str, reading: Reading) -> str:
    angle = markup.turned(line)
    turned = f"; textangle {angle}" if angle else ""
    return f'<span class="ocr_line" id="line_{name}" title="{_place(line.polygon, reading)}{turned}">'


def _word(word: Word, name: str, reading: Reading) -> str:
    code = markup.language([word])
    lang = f' lang="{code}" xml:lang="{code}"' if code else ""
    title = f"{_place(word.polygon, reading)}; x_wconf {round(100 * word.confidence)}"
    return f'<span class="ocrx_word" id="word_{name}"{lang} title="{title}">{markup.escape(word.text)}</span>'


FORMAT = TextFormat(
    "hocr",
    (".hocr", ".hocr.html"),
    _body,
    head=_head,
    tail=_tail,
    pieces=lambda file, name: markup.pieces(file, _OPENING),
)
