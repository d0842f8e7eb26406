"""CSV: one word a row. A photo without words, or that could not be read, has one row with an empty text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from signboard.output.sink import OutputError, Piece, TextFormat
from signboard.reading import Line, Reading, Word

COLUMNS = (
    "source",
    "word",  # number of the word on its photo, from 1; 0 on a photo without words
    "words",  # how many words the photo has
    "sign",  # numbers from 1
    "line",
    "text",
    "confidence",
    "detection_score",
    "script",
    "rotation",
    "polygon",  # "x y x y ...", pixels of the upright photo
    "line_text",
    "romanized",
    "translation",
    "width",
    "height",
    "latitude",  # empty unless positions were asked for
    "longitude",
    "error",
    "warnings",  # joined by "; "
    "page",  # of the file, from 1
)


def rows(reading: Reading, *, position: bool = False) -> Iterator[dict[str, Any]]:
    """The rows of one photo, as dictionaries with all of `COLUMNS`."""
    gps = reading.metadata.get("gps", {}) if position else {}
    common: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    common |= {
        "source": reading.source,
        "words": len(reading.words),
        "width": reading.width,
        "height": reading.height,
        "latitude": gps.get("latitude", ""),
        "longitude": gps.get("longitude", ""),
        "error": reading.error or "",
        "warnings": "; ".join(reading.warnings),
        "page": reading.page,
    }
    if not reading.words:
        yield common | {"word": 0}
        return
    number = 0
    for sign_number, sign in enumerate(reading.signs, start=1):
        for line_number, line in enumerate(sign.lines, start=1):
            for word in line.words:
                number += 1
                yield common | _word(word, line) | {"word": number, "sign": sign_number, "line": line_number}


def _word(word: Word, line: Line) -> dict[str, Any]:
    return {
        "text": word.text,
        "confidence": round(word.confidence, 4),
        "detection_score": round(word.detection_score, 4),
        "script": word.script,
        "rotation": word.rotation,
        "polygon": " ".join(f"{value:.2f}".rstrip("0").rstrip(".") for point in word.polygon for value in point),
        "line_text": line.text,
        "romanized": line.romanized or "",
        "translation": line.translation or "",
    }


def format_row(values: list[Any]) -> str:
    """One row as CSV, with its newline."""
    buffer = io.StringIO()
    # Left to itself, the module does not quote a lone carriage return, which ends a row for every reader.
    hard = any("\r" in value for value in values if isinstance(value, str))
    csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL if hard else csv.QUOTE_MINIMAL).writerow(values)
    return buffer.getvalue()


def _head() -> str:
    return format_row(list(COLUMNS))


_TEXTS = frozenset({"source", "text", "line_text", "romanized", "translation", "error", "warnings"})
# What spreadsheets take for a formula; also behind apostrophes, so that the one put before it can be told from them.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def _guarded(value: str) -> str:
    return f"'{value}" if _FORMULA.match(value) else value


def _body(reading: Reading, index: int, position: bool) -> str:
    return "".join(format_row([row[name] for name in COLUMNS]) for row in rows(reading, position=position))


def guarded(row: dict[str, Any], columns: Sequence[str]) -> list[Any]:
    """The values of a row in the order of `columns`, texts so that no spreadsheet takes them for formulas."""
    return [_guarded(row[name]) if name in _TEXTS else row[name] for name in columns]


def unguarded(value: str) -> str:
    """A text as it was before `guarded`."""
    return value[1:] if value.startswith("'") and _FORMULA.match(value) else value


def _safe_body(reading: Reading, index: int, position: bool) -> str:
    return "".join(format_row(guarded(row, COLUMNS)) for row in rows(reading, position=position))


def pieces(file: BinaryIO, name: str) -> Iterator[Piece]:
    """The photos of an interrupted file, those of them whose last row is there and whole.

    Raises:
        OutputError: the file is not a CSV with these columns.
    """
    start = file.tell()
    for row, position in whole_rows(file, name, COLUMNS):
        if row["word"] == row["words"]:
            yield Piece(row["source"], int(row["page"]), bool(row["error"]), start, position)
            start = position


def whole_rows(file: BinaryIO, name: str, columns: Sequence[str]) -> Iterator[tuple[dict[str, str], int]]:
    """The rows of an interrupted file that are whole, from where it stands, each with the place where it ends (bytes).

    Raises:
        OutputError: a row has other columns.
    """
    position = file.tell()
    record = b""
    for line in file:
        position += len(line)
        record += line
        # A quoted field may go over several lines; its row is whole when its quotes are even.
        if record.count(b'"') % 2 or not line.endswith(b"\n"):
            continue
        values = next(csv.reader([record.decode("utf-8", "surrogateescape")]), [])
        record = b""
        if len(values) != len(columns):
            raise OutputError(f"{name}: a row with {len(values)} columns, --resume cannot go on with this file")
        yield dict(zip(columns, values, strict=True)), position


def _safe_pieces(file: BinaryIO, name: str) -> Iterator[Piece]:
    return (piece._replace(source=unguarded(piece.source)) for piece in pieces(file, name))


FORMAT = TextFormat("csv", (".csv",), _body, head=_head, pieces=pieces)

SAFE = TextFormat("csv", (), _safe_body, head=_head, pieces=_safe_pieces)
"""Texts that a spreadsheet would take for a formula begin with an apostrophe, which makes it show them as they are."""
