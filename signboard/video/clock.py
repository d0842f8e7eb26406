"""When a video was taken, and where: its creation time, and positions along a GPX track by time."""

from __future__ import annotations

import bisect
import datetime
import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

from signboard.errors import ConfigError

# Clocks of a video count from here (ISO/IEC 14496-12, "Movie Header Box"; Matroska, "DateUTC").
_MP4_EPOCH = datetime.datetime(1904, 1, 1, tzinfo=datetime.UTC)
_MATROSKA_EPOCH = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
# Cameras whose clock was never set write their epoch or zero.
_EARLIEST = datetime.datetime(1990, 1, 1, tzinfo=datetime.UTC)
_MATROSKA_HEAD = 1 << 20
# Between two points of a track that are further apart in time than this, and so long beyond its ends, nobody knows.
_GAP, _BEYOND = 120.0, 10.0


def parse_time(text: str) -> datetime.datetime:
    """A moment as ISO 8601 writes it; without a zone it is UTC.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)


def creation_time(path: str) -> datetime.datetime | None:
    """When an MP4, MOV, 3GP, MKV or WebM file says that it was made (UTC); None when it does not say.

    Phones differ in what they mean by it: the moment when recording began, or when it ended.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(12)
            file.seek(0)
            moment = _matroska_time(file) if head.startswith(b"\x1aE\xdf\xa3") else _mp4_time(file)
    except (OSError, ValueError, IndexError, OverflowError, struct.error):
        return None
    return moment if moment is not None and moment >= _EARLIEST else None


def _mp4_time(file: BinaryIO) -> datetime.datetime | None:
    end = file.seek(0, io.SEEK_END)
    moov = _box(file, 0, end, b"moov")
    mvhd = _box(file, *moov, b"mvhd") if moov is not None else None
    if mvhd is None:
        return None
    file.seek(mvhd[0])
    version = file.read(4)[0]
    seconds = struct.unpack(">Q", file.read(8))[0] if version == 1 else struct.unpack(">I", file.read(4))[0]
    return _MP4_EPOCH + datetime.timedelta(seconds=seconds)


def _box(file: BinaryIO, start: int, end: int, kind: bytes) -> tuple[int, int] | None:
    """Where the contents of a box (ISO/IEC 14496-12, section 4.2) of this kind begin and end; None without one."""
    while start + 8 <= end:
        file.seek(start)
        size, found = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", file.read(8))[0], 16
        elif size == 0:
            size = end - start
        if size < head:
            return None
        if found == kind:
            return start + head, min(start + size, end)
        start += size
    return None


def _matroska_time(file: BinaryIO) -> datetime.datetime | None:
    head = file.read(_MATROSKA_HEAD)
    place = head.find(b"\x44\x61\x88")  # DateUTC, a date of eight bytes
    if place < 0:
        return None
    nanoseconds = struct.unpack(">q", head[place + 3 : place + 11])[0]
    return _MATROSKA_EPOCH + datetime.timedelta(microseconds=nanoseconds / 1000)


class GpxTrack:
    """Where somebody was, by time."""

    def __init__(self, points: Sequence[tuple[datetime.datetime, float, float, float | None]]) -> None:
        """From (time, latitude, longitude, altitude in metres or None), in any order; at least one."""
        self._points = sorted(points, key=lambda point: point[0])
        self._times = [point[0].timestamp() for point in self._points]

    @classmethod
    def load(cls, path: Path) -> GpxTrack:
        """Reads a GPX file (Topografix, GPX 1.0 or 1.1): all points of all its tracks that have a time.

        Raises:
            ConfigError: it cannot be read, is no GPX, or has no points with a time.
        """
        points = []
        try:
            with path.open("rb") as file:
                for _, element in ElementTree.iterparse(file):
                    if element.tag.rpartition("}")[2] == "trkpt":
                        point = _point(element)
                        points += [point] if point is not None else []
                        element.clear()
        except OSError as error:
            why = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read, {error.strerror}"
            raise ConfigError(f"{path}: {why}") from None
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            raise ConfigError(f"{path}: not a GPX file, {error}") from None
        if not points:
            raise ConfigError(f"{path}: has no track points with a time")
        return cls(points)

    def at(self, moment: datetime.datetime) -> dict[str, Any] | None:
        """The position at a moment with a zone, between the points around it; None where the track has a hole.

        Returns:
            "latitude" and "longitude" in degrees (WGS 84), and "altitude" in metres where the track has it.
        """
        now = moment.timestamp()
        after = bisect.bisect_left(self._times, now)
        if after == len(self._points) or (after == 0 and self._times[0] != now):
            end = self._points[-1 if after else 0]
            return _position(*end[1:]) if abs(end[0].timestamp() - now) <= _BEYOND else None
        if self._times[after] == now:
            return _position(*self._points[after][1:])
        _, south, west, low = self._points[after - 1]
        _, north, east, high = self._points[after]
        span = self._times[after] - self._times[after - 1]
        if span > _GAP:
            return None
        share = (now - self._times[after - 1]) / span
        turn = (east - west + 180) % 360 - 180  # the short way, also over the date line
        longitude = (west + share * turn + 180) % 360 - 180
        altitude = low + share * (high - low) if low is not None and high is not None else None
        return _position(south + share * (north - south), longitude, altitude)


def _point(element: ElementTree.Element) -> tuple[datetime.datetime, float, float, float | None] | None:
    texts = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in element}
    if not texts.get("time"):
        return None
    latitude, longitude = float(element.get("lat", "nan")), float(element.get("lon", "nan"))
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError(f"a point at {element.get('lat')}, {element.get('lon')}")
    try:
        altitude: float | None = float(texts.get("ele", ""))
    except ValueError:
        altitude = None
    return parse_time(texts["time"]), latitude, longitude, altitude


def _position(latitude: float, longitude: float, altitude: float | None) -> dict[str, Any]:
    position = {"latitude": round(latitude, 7), "longitude": round(longitude, 7)}  # about a centimetre
    return position if altitude is None else position | {"altitude": round(altitude, 1)}
