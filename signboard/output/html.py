"""The report: one self-contained page with thumbnails, readings, a search box and a filter by confidence.

The page loads nothing from anywhere; its pictures are inside it. It streams: photos are added one by one, and the
browser lays out only those in sight, so that thousands of photos stay quick to scroll.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from signboard.output import markup
from signboard.output.sink import TextFormat
from signboard.reading import Line, Reading, Word

Thumbnail = Callable[[Reading], bytes | None]
"""The bytes of a small JPEG of a photo; None when there is none."""

_OPENING = '<article data-source="'
_TEMPLATE = Path(__file__).parent / "report.html"
_MARK = "<!-- photos -->\n"


def report(thumbnail: Thumbnail) -> TextFormat:
    """The report as a format whose photos get their pictures from `thumbnail`."""
    head, tail = _TEMPLATE.read_text(encoding="utf-8").split(_MARK)
    head = head.replace("{program}", markup.escape(markup.program()))

    return TextFormat(
        "html",
        (".html",),
        lambda reading, index, position: _article(reading, thumbnail(reading)),
        head=lambda: head,
        tail=lambda: tail,
        pieces=lambda file, name: markup.pieces(file, _OPENING),
    )


def _article(reading: Reading, thumbnail: bytes | None) -> str:
    state = "failed" if reading.error is not None else "text" if reading.text else "empty"
    name = markup.escape("".join(char if char.isprintable() else repr(char)[1:-1] for char in reading.source))
    name += f", page {reading.page}" if reading.page > 1 else ""
    parts = [f'{_OPENING}{markup.source_attribute(reading.source, reading.page)}" data-state="{state}">\n']
    if thumbnail is not None:
        picture = base64.b64encode(thumbnail).decode("ascii")
        outlines = "".join(_outline(word) for word in reading.words if word.text)
        parts.append(
            f'<figure><img alt="" loading="lazy" decoding="async" src="data:image/jpeg;base64,{picture}">'
            f'<svg viewBox="0 0 {reading.width} {reading.height}" preserveAspectRatio="none" aria-hidden="true">'
            f"{outlines}</svg></figure>\n"
        )
    parts.append(f"<div><h2>{name}</h2>\n")
    if reading.error is not None:
        parts.append(f'<p class="error">{markup.escape(reading.error)}</p>\n')
    elif state == "empty":
        parts.append('<p class="none">no text found</p>\n')
    for sign in reading.signs:
        if sign.text:
            parts.append('<p class="sign">' + "<br>".join(_line(line) for line in sign.lines if line.text) + "</p>\n")
    for warning in reading.warnings:
        parts.append(f'<p class="warning">{markup.escape(warning)}</p>\n')
    parts.append(f"</div></article>{markup.END}\n")
    return "".join(parts)


def _line(line: Line) -> str:
    words = " ".join(_word(word) for word in line.words if word.text)
    notes = [note for note in (line.romanized, line.translation) if note and note != line.text]
    return words + "".join(f'<br><span class="note">{markup.escape(note)}</span>' for note in notes)


def _word(word: Word) -> str:
    code = markup.language([word])
    lang = f' lang="{code}"' if code else ""
    percent = round(100 * word.confidence)
    return f'<span class="w"{lang} data-c="{percent}" title="{percent} %">{markup.escape(word.text)}</span>'


def _outline(word: Word) -> str:
    points = " ".join(f"{round(x)},{round(y)}" for x, y in word.polygon)
    return f'<polygon points="{points}"/>'
