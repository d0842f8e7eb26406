"""When and where a video was taken."""

from __future__ import annotations

import datetime
import struct
from pathlib import Path

import pytest
from video_fakes import texture, write_video

from signboard.errors import ConfigError
from signboard.video.clock import GpxTrack, creation_time, parse_time

UTC = datetime.UTC
NOON = datetime.datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


@pytest.mark.parametrize("version", [0, 1])
def test_mp4_says_when_it_was_made(tmp_path: Path, version: int) -> None:
    seconds = int((NOON - datetime.datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())
    mvhd = box(b"mvhd", bytes([version, 0, 0, 0]) + struct.pack(">Q" if version else ">I", seconds) + bytes(80))
    path = tmp_path / "a.mp4"
    path.write_bytes(box(b"ftyp", b"isom") + box(b"mdat", bytes(1000)) + box(b"moov", box(b"free", b"") + mvhd))
    assert creation_time(str(path)) == NOON


def test_matroska_says_when_it_was_made(tmp_path: Path) -> None:
    nanoseconds = int((NOON - datetime.datetime(2001, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9
    path = tmp_path / "a.mkv"
    path.write_bytes(b"\x1aE\xdf\xa3" + bytes(60) + b"\x44\x61\x88" + struct.pack(">q", nanoseconds) + bytes(50))
    assert creation_time(str(path)) == NOON


def test_no_time_is_no_time(tmp_path: Path) -> None:
    assert creation_time(str(write_video(tmp_path / "a.mp4", [texture(64, 64)] * 3))) is None
    assert creation_time(str(tmp_path / "none.mp4")) is None
    for body in (b"", b"\0" * 40, box(b"moov", box(b"mvhd", b"")), struct.pack(">I4s", 3, b"moov"), b"\x1aE\xdf\xa3"):
        (tmp_path / "bad.mp4").write_bytes(body)
        assert creation_time(str(tmp_path / "bad.mp4")) is None


def test_times_without_a_zone_are_utc() -> None:
    assert (
        parse_time("2026-05-01T12:00:00") == parse_time("2026-05-01T17:30:00+05:30") == parse_time("2026-05-01T12:00Z")
    )


def track(*points: tuple[float, float, float]) -> GpxTrack:
    return GpxTrack([(NOON + datetime.timedelta(seconds=s), lat, lon, None) for s, lat, lon in points])


def at(where: GpxTrack, seconds: float) -> tuple[float, float] | None:
    position = where.at(NOON + datetime.timedelta(seconds=seconds))
    return None if position is None else (position["latitude"], position["longitude"])


def test_positions_lie_between_points_and_not_in_holes() -> None:
    where = track((60, 28.62, 77.22), (0, 28.60, 77.20), (600, 28.70, 77.30))
    assert at(where, 0) == (28.6, 77.2)
    assert at(where, 15) == pytest.approx((28.605, 77.205))
    assert at(where, 60) == pytest.approx((28.62, 77.22))
    assert at(where, 300) is None  # nine minutes without a point
    assert at(where, -5) == (28.6, 77.2) and at(where, -20) is None
    assert at(where, 605) == (28.7, 77.3) and at(where, 700) is None


def test_over_the_date_line() -> None:
    where = track((0, 0.0, 179.99), (10, 0.0, -179.99))
    found = at(where, 2.5)
    assert found is not None and found[1] == pytest.approx(179.995)
    assert at(where, 7.5)[1] == pytest.approx(-179.995)  # type: ignore[index]


def test_a_file_with_several_tracks_and_points_without_a_time(tmp_path: Path) -> None:
    path = tmp_path / "t.gpx"
    path.write_text(
        '<gpx xmlns="http://www.topografix.com/GPX/1/0"><wpt lat="1" lon="1"/><trk><trkseg>'
        '<trkpt lat="1" lon="2"/><trkpt lat="10" lon="20"><time>2026-05-01T12:00:00Z</time></trkpt></trkseg></trk>'
        '<trk><trkseg><trkpt lat="11" lon="21"><ele>5</ele><time>2026-05-01T12:01:00Z</time></trkpt></trkseg></trk>'
        "</gpx>"
    )
    where = GpxTrack.load(path)
    assert where.at(NOON) == {"latitude": 10.0, "longitude": 20.0}
    assert where.at(NOON + datetime.timedelta(minutes=1)) == {"latitude": 11.0, "longitude": 21.0, "altitude": 5.0}


@pytest.mark.parametrize(
    "text", ["", "hello", '<gpx><trkpt lat="95" lon="0"><time>2026-05-01T12:00:00Z</time></trkpt></gpx>',
             '<gpx><trkpt lat="a" lon="0"><time>2026-05-01T12:00:00Z</time></trkpt></gpx>',
             '<gpx><trkpt lat="1" lon="0"><time>yesterday</time></trkpt></gpx>', "<gpx/>"],
)  # fmt: skip
def test_what_is_no_track_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.gpx").write_text(text)
    with pytest.raises(ConfigError, match=r"t\.gpx"):
        GpxTrack.load(tmp_path / "t.gpx")
