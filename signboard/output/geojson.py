"""GeoJSON (RFC 7946): one point a sign, where the photo was taken. A map's own format, so positions always are in it.

The point is where the camera stood, not where the sign hangs; `bearing` says which way it looked, when it knew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from signboard.output.jsonl import one_line
from signboard.output.sink import OutputError, Piece, TextFormat
from signboard.reading import Reading, Sign

VIDEO = ("sign", "signs", "first", "last", "best", "frame", "seen", "track")
"""Keys of `metadata.video` that stand in the features of a video's signs."""


def features(reading: Reading) -> list[dict[str, Any]]:
    """A feature for every sign with text; one without a text, with its error, for a photo that could not be read.

    Photos without EXIF position have `"geometry": null`, as RFC 7946, section 3.2, has it for unlocated features.
    """
    gps = reading.metadata.get("gps")
    geometry = None
    if gps is not None:
        place = [gps["longitude"], gps["latitude"]]  # longitude first (section 3.1.1)
        if "altitude" in gps:
            place.append(gps["altitude"])
        geometry = {"type": "Point", "coordinates": place}
    common: dict[str, Any] = {"source": reading.source}
    if reading.page > 1:
        common["page"] = reading.page
    if gps is not None and "bearing" in gps:
        common["bearing"] = gps["bearing"]
        common["bearing_reference"] = gps.get("bearing_reference", "true")
    if "time" in reading.metadata:
        common["time"] = reading.metadata["time"]
    video = reading.metadata.get("video")
    if reading.warnings:
        common["warnings"] = list(reading.warnings)
    if reading.error is not None:
        rows = [common | {"error": reading.error}]
    else:
        rows = [common | _sign(sign, number) for number, sign in enumerate(reading.signs, start=1) if sign.text]
    if video is not None:
        rows = [row | {key: video[key] for key in VIDEO if video.get(key) is not None} for row in rows]
    return [{"type": "Feature", "geometry": geometry, "properties": row} for row in rows]


def _sign(sign: Sign, number: int) -> dict[str, Any]:
    words = [word for line in sign.lines for word in line.words if word.text]
    row: dict[str, Any] = {
        "text": sign.text,
        "sign": number,
        "confidence": round(sum(word.confidence for word in words) / len(words), 4),
        "scripts": sorted({word.script for word in words}),
        "polygon": [[round(x, 2), round(y, 2)] for x, y in sign.polygon],
    }
    for name in ("romanized", "translation"):
        lines = [getattr(line, name) for line in sign.lines if getattr(line, name)]
        if lines:
            row[name] = "\n".join(lines)
    return row


def _body(reading: Reading, index: int, position: bool) -> str:
    # A line a photo: an interrupted file is cut after the last whole one.
    return ",".join(one_line(feature) for feature in features(reading))


_CLOSING = '\n],"empty":'


def _closing(photos: list[tuple[str, int]]) -> str:
    """The tail of a complete file. Photos without text have no features: a member of its own names them."""
    names = [source if page == 1 else [source, page] for source, page in photos]
    return f"{_CLOSING}{json.dumps(names)}}}\n"


def pieces(file: BinaryIO, name: str) -> Iterator[Piece]:
    """The photos of an interrupted file.

    Raises:
        OutputError: a line is not the features of one photo.
    """
    position = file.tell()
    for line in file:
        start, position = position, position + len(line)
        if not line.endswith(b"\n"):
            return
        if line.startswith(_CLOSING.strip().encode()):
            for entry in json.loads(line.strip()[len(_CLOSING) - 1 : -1]):
                source, page = (entry, 1) if isinstance(entry, str) else entry
                yield Piece(source, page, False, position, position)
        if line.startswith(b"]"):
            return
        body = line.rstrip(b",\n")
        if not body:
            continue
        try:
            properties = json.loads(b"[" + body + b"]")[0]["properties"]
            source, page, failed = properties["source"], properties.get("page", 1), "error" in properties
        except (ValueError, LookupError, TypeError):
            raise OutputError(f"{name}: not GeoJSON by this program, --resume cannot go on with it") from None
        yield Piece(source, page, failed, start, start + len(body))


FORMAT = TextFormat(
    "geojson",
    (".geojson",),
    _body,
    head=lambda: '{"type":"FeatureCollection","features":[\n',
    tail=lambda: "\n]}\n",
    separator=",\n",
    pieces=pieces,
    closing=_closing,
)
