"""How the service answers: JSON that always encodes, one line for what went wrong, readings in any text format."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from signboard.output import csv, geojson, hocr, jsonl, text
from signboard.output.sink import StreamSink, TextFormat
from signboard.reading import Reading

TYPES = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "text": "text/plain; charset=utf-8",
    "geojson": "application/geo+json",
    "hocr": "text/html; charset=utf-8",
}
"""The formats of `?format=` and their media types."""

_FORMATS: dict[str, TextFormat] = {
    "jsonl": jsonl.FORMAT,
    "csv": csv.FORMAT,
    "text": text.FORMAT,
    "geojson": geojson.FORMAT,
    "hocr": hocr.FORMAT,
}


def to_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Any JSON value. Text stays readable; what is no UTF-8 (half of a surrogate pair) is escaped."""
    body = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        data = body.encode()
    except UnicodeEncodeError:
        data = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    return Response(data, status, headers, TYPES["json"])


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """What went wrong, in one line: {"detail": ...}."""
    return to_json({"detail": detail}, status, headers)


def render(readings: Sequence[Reading], form: str, *, position: bool) -> bytes:
    """The readings in a format of `TYPES`, as `signboard run` writes them; "json" is {"readings": [rows]}."""
    if form == "json":
        # The rows are JSON already, and escape what is no UTF-8.
        rows = ",".join(jsonl.dumps(reading, position=position) for reading in readings)
        return f'{{"readings":[{rows}]}}'.encode()
    pieces = _FORMATS[form]
    if form == "text" and len(readings) == 1 and readings[0].error is None:
        pieces = text.SINGLE
    buffer = io.BytesIO()
    sink = StreamSink(pieces, buffer, position=position)
    for reading in readings:
        sink.write(reading)
    sink.close()
    return buffer.getvalue()
