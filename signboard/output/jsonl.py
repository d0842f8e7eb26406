"""JSON lines: one photo a line, the whole result. The schema is in docs/output-schema.md. Also reads them back."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from signboard.errors import DataError
from signboard.output.sink import OutputError, Piece, TextFormat
from signboard.reading import Alternative, Line, Polygon, Reading, Sign, Word

Part = TypeVar("Part")

SCHEMA = "signboard/1"
"""Name and version of the rows. The number grows when an old program would misread a new row."""


def to_dict(reading: Reading, *, position: bool = False) -> dict[str, Any]:
    """The row of a reading as plain JSON values. `position` keeps the photo's GPS position, which is private."""
    return {
        "schema": SCHEMA,
        "source": reading.source,
        "page": reading.page,
        "width": reading.width,
        "height": reading.height,
        "text": reading.text,
        "signs": [_sign(sign) for sign in reading.signs],
        "error": reading.error,
        "warnings": list(reading.warnings),
        "metadata": {key: value for key, value in reading.metadata.items() if position or key != "gps"},
    }


def dumps(reading: Reading, *, position: bool = False) -> str:
    """The row of a reading as one line of JSON, without its newline."""
    return one_line(to_dict(reading, position=position))


def one_line(row: dict[str, Any]) -> str:
    """A row as one line of JSON, without its newline.

    Text stays readable (no \\u escapes), unless a file name holds bytes that are no text; then the row is ASCII.
    """
    line = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        line = json.dumps(row, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    # Legal in JSON, but some readers of lines split there.
    return line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")


def from_dict(row: dict[str, Any]) -> Reading:
    """The reading of a row.

    Raises:
        DataError: the row is of another schema, or something in it is missing or not what the schema says.
    """
    if not isinstance(row, dict) or row.get("schema") != SCHEMA:
        found = row.get("schema") if isinstance(row, dict) else type(row).__name__
        raise DataError(f"not a row of schema {SCHEMA!r} but of {found!r}")
    try:
        return Reading(
            source=_name(row["source"]),
            width=_number(row["width"], 0),
            height=_number(row["height"], 0),
            signs=tuple(_read_sign(sign) for sign in row["signs"]),
            error=None if row["error"] is None else _text(row["error"]),
            warnings=tuple(_text(warning) for warning in row["warnings"]),
            metadata=_read_metadata(row["metadata"], signs=bool(row["signs"])),
            page=_number(row.get("page", 1), 1),  # rows of earlier versions have none
        )
    except KeyError as error:
        raise DataError(f"a row of schema {SCHEMA!r} has no key {error}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"a damaged row of schema {SCHEMA!r}: {error}") from None


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[Reading]:
    """The readings of a file of JSON lines, one at a time.

    Raises:
        DataError: a line that is no row, named by its number.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield from_dict(json.loads(line))
            except (ValueError, RecursionError, DataError) as error:
                raise DataError(f"{os.fspath(path)}: line {number}: {error}") from None


def _polygon(polygon: Polygon) -> list[list[float]]:
    # A hundredth of a pixel is finer than any detector.
    return [[round(float(x), 2), round(float(y), 2)] for x, y in polygon]


def _sign(sign: Sign) -> dict[str, Any]:
    return {"text": sign.text, "polygon": _polygon(sign.polygon), "lines": [_line(line) for line in sign.lines]}


def _line(line: Line) -> dict[str, Any]:
    row: dict[str, Any] = {"text": line.text, "polygon": _polygon(line.polygon)}
    if line.romanized is not None:
        row["romanized"] = line.romanized
    if line.translation is not None:
        row["translation"] = line.translation
    row["words"] = [_word(word) for word in line.words]
    return row


def _word(word: Word) -> dict[str, Any]:
    row: dict[str, Any] = {
        "text": word.text,
        "polygon": _polygon(word.polygon),
        "confidence": round(word.confidence, 4),
        "detection_score": round(word.detection_score, 4),
        "script": word.script,
        "rotation": word.rotation,
    }
    if word.alternatives:
        row["alternatives"] = [{"text": a.text, "confidence": round(a.confidence, 4)} for a in word.alternatives]
    return row


def _name(value: Any) -> str:
    """The name of a photo: any string, as systems allow any."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} stands where a text belongs")
    return value


def _text(value: Any) -> str:
    _name(value).encode("utf-8", "surrogateescape")  # half a character cannot be written to other formats
    return str(value)


def _number(value: Any, low: float = -math.inf, high: float = math.inf) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.40} stands where a number belongs")
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"the number {value!r:.40} cannot be, where it stands")
    return value


def _read_polygon(points: list[list[float]]) -> Polygon:
    polygon = tuple((float(_number(x)), float(_number(y))) for x, y in points)
    if len(polygon) < 3:
        raise ValueError("a polygon of fewer than three points")
    return polygon


def _read_metadata(row: dict[str, Any], *, signs: bool) -> dict[str, Any]:
    """The metadata of a row, without those that are null; what this program knows of them is as the schema says."""
    gps = row.get("gps")
    if gps is not None:
        for name, limit in (("latitude", 90.0), ("longitude", 180.0)):
            _number(gps[name], -limit, limit)
        for name, limit in (("altitude", math.inf), ("bearing", 360.0)):
            if gps.get(name) is not None:
                _number(gps[name], -limit, limit)
    if row.get("time") is not None:
        _text(row["time"])
    video = row.get("video")
    if video is not None:
        _number(video["sign"], 0)
        if video["signs"] is not None:
            _number(video["signs"], 0)
        for name in ("first", "last", "best", "frame", "seen") if signs else ():
            _number(video[name], 0)
        for at in video.get("track", ()):
            _number(at["time"])
            _read_polygon(at["polygon"])
    return {key: value for key, value in row.items() if value is not None}


def _read_sign(row: dict[str, Any]) -> Sign:
    return Sign(_some(_read_line(line) for line in row["lines"]), _read_polygon(row["polygon"]))


def _read_line(row: dict[str, Any]) -> Line:
    words = _some(_read_word(word) for word in row["words"])
    said = (None if row.get(name) is None else _text(row[name]) for name in ("romanized", "translation"))
    return Line(words, _read_polygon(row["polygon"]), *said)


def _read_word(row: dict[str, Any]) -> Word:
    return Word(
        text=_text(row["text"]),
        polygon=_read_polygon(row["polygon"]),
        confidence=_number(row["confidence"], 0, 1),
        detection_score=_number(row["detection_score"], 0, 1),
        script=_text(row["script"]),
        rotation=_number(row["rotation"]),
        alternatives=tuple(
            Alternative(_text(a["text"]), _number(a["confidence"], 0, 1)) for a in row.get("alternatives", ())
        ),
    )


def _some(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The lines of a sign or the words of a line, at least one."""
    if not (some := tuple(parts)):
        raise ValueError("a sign without lines, or a line without words")
    return some


def pieces(file: BinaryIO, name: str) -> Iterator[Piece]:
    """The photos of an interrupted file. A last line without its newline was being written, and is not counted.

    Raises:
        OutputError: the file is not JSON lines of this schema.
    """
    position = 0
    for number, line in enumerate(file, start=1):
        if not line.endswith(b"\n"):
            if number == 1 and not _may_begin_row(line):
                raise OutputError(f"{name}: not a file of JSON lines, --resume cannot go on with it")
            return
        try:
            reading = from_dict(json.loads(line))
        except (ValueError, RecursionError, DataError):
            raise OutputError(
                f"{name}: line {number} is no JSON line of schema {SCHEMA!r}, --resume cannot go on with this file"
            ) from None
        yield Piece(reading.source, reading.page, reading.error is not None, position, position := position + len(line))


def _may_begin_row(line: bytes) -> bool:
    """Whether these bytes are the beginning of a row: nothing else may be cut away."""
    start = b'{"schema":"' + SCHEMA.encode() + b'"'
    return line.startswith(start) or start.startswith(line)


def _body(reading: Reading, index: int, position: bool) -> str:
    return dumps(reading, position=position) + "\n"


FORMAT = TextFormat("jsonl", (".jsonl", ".ndjson"), _body, pieces=pieces)
