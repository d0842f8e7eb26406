"""`signboard run` on videos as a person meets it: rows, positions, annotated copies, errors and going on."""

from __future__ import annotations

import csv
import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner
from video_fakes import PATCHES, PatchReader, pan, patch, texture, write_video

from signboard.cli import app
from signboard.commands import readers
from signboard.output.jsonl import dumps, read_jsonl
from signboard.pipeline.layout import arrange
from signboard.reading import Reading, Word
from signboard.video import follow
from signboard.video.rows import FORMATS

RED, BLUE, GREEN = PATCHES
GPX = """<?xml version="1.0"?>
<gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="28.600000" lon="77.200000"><ele>210</ele><time>2026-05-01T05:00:00Z</time></trkpt>
<trkpt lat="28.600000" lon="77.201000"><ele>220</ele><time>2026-05-01T05:00:10Z</time></trkpt>
</trkseg></trk></gpx>"""


@pytest.fixture(autouse=True)
def fake_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    PatchReader.made, PatchReader.frames = [], 0
    monkeypatch.setattr(readers, "make_reader", PatchReader)


def call(*arguments: str | Path) -> Any:
    result = CliRunner().invoke(app, ["run", *map(str, arguments)], catch_exceptions=False)
    assert "Traceback" not in result.stderr
    return result


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def street() -> Iterator[np.ndarray]:
    """Four seconds, 10 frames a second: HOTEL, then BANK and SCHOOL pass."""
    scene = texture(1100, 240)
    patch(scene, RED, 150, 60)
    patch(scene, BLUE, 600, 60)
    patch(scene, GREEN, 600, 180)
    return pan(scene, np.linspace(0, 700, 40))


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    return write_video(tmp_path / "walk.mp4", street())


def test_each_sign_once_with_its_times(walk: Path, tmp_path: Path) -> None:
    result = call(walk)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["HOTEL", "BANK", "SCHOOL"]
    assert lines[0].startswith("0:00.") and " - 0:0" in lines[0]
    result = call(walk, "--output", tmp_path / "a.jsonl")
    found = rows(tmp_path / "a.jsonl")
    assert [row["text"] for row in found] == ["HOTEL", "BANK", "SCHOOL"]
    assert all(row["schema"] == "signboard/1" and row["source"] == str(walk) for row in found)
    video = found[1]["metadata"]["video"]
    assert (video["sign"], video["signs"]) == (2, 3) and video["first"] < video["best"] + 1e-6 <= video["last"] + 1e-6
    assert 1.0 < video["first"] < 2.6 and 2.8 < video["last"] < 4.1
    assert video["votes"] == [[["BANK", 1.0]]]
    lefts = [min(x for x, _ in at["polygon"]) for at in video["track"]]
    assert lefts == sorted(lefts, reverse=True) and lefts[0] - lefts[-1] > 80
    assert (found[1]["width"], found[1]["height"]) == (320, 240)
    assert "3 signs on 1 videos, 0 failed" in result.stderr
    assert [reading.text for reading in read_jsonl(tmp_path / "a.jsonl")] == ["HOTEL", "BANK", "SCHOOL"]


def test_csv_and_geojson(walk: Path, tmp_path: Path) -> None:
    (tmp_path / "track.gpx").write_text(GPX)
    where = ("--gpx", tmp_path / "track.gpx", "--start", "2026-05-01T10:30:00+05:30")
    assert call(walk, "-o", tmp_path / "a.csv", *where).exit_code == 0
    table = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text(encoding="utf-8"))))
    assert [row["text"] for row in table] == ["HOTEL", "BANK", "SCHOOL"]
    assert call(walk, "-o", tmp_path / "a.geojson", *where).exit_code == 0
    places = json.loads((tmp_path / "a.geojson").read_text(encoding="utf-8"))
    assert [feature["properties"]["text"] for feature in places["features"]] == ["HOTEL", "BANK", "SCHOOL"]
    for row, feature in zip(table, places["features"], strict=True):
        best = float(row["best"])
        assert feature["properties"]["best"] == best and feature["properties"]["seen"] == int(row["seen"])
        # A thousandth of a degree in ten seconds.
        assert feature["geometry"]["coordinates"] == pytest.approx([77.2 + best / 10000, 28.6, 210 + best], abs=0.06)
        assert float(row["longitude"]) == pytest.approx(77.2 + best / 10000, abs=1e-6)
        assert row["time"].startswith("2026-05-01T10:30:0") and row["time"].endswith("+05:30")


def test_positions_are_in_json_lines_when_a_track_is_given(walk: Path, tmp_path: Path) -> None:
    (tmp_path / "track.gpx").write_text(GPX)
    call(walk, "-o", tmp_path / "a.jsonl", "--gpx", tmp_path / "track.gpx", "--start", "2026-05-01T05:00:00")
    assert all(row["metadata"]["gps"]["latitude"] == 28.6 for row in rows(tmp_path / "a.jsonl"))
    # Ten seconds before and after the track nobody knows.
    call(walk, "-o", tmp_path / "b.jsonl", "--gpx", tmp_path / "track.gpx", "--start", "2026-05-01T06:00:00Z")
    assert not any("gps" in row["metadata"] for row in rows(tmp_path / "b.jsonl"))


def test_without_a_time_there_are_no_positions(walk: Path, tmp_path: Path) -> None:
    (tmp_path / "track.gpx").write_text(GPX)
    result = call(walk, "-o", tmp_path / "a.jsonl", "--gpx", tmp_path / "track.gpx")
    assert result.exit_code == 1 and "--start" in result.stderr
    (row,) = rows(tmp_path / "a.jsonl")
    assert "does not say when it was made" in row["error"]


def test_a_broken_video_is_a_row_and_the_others_are_read(walk: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(walk.read_bytes()[:3000])
    result = call(tmp_path / "bad.mp4", walk, tmp_path / "none.mp4", "-o", tmp_path / "a.jsonl")
    assert result.exit_code == 1
    found = rows(tmp_path / "a.jsonl")
    assert [row["error"] is not None for row in found] == [True, False, False, False, True]
    assert str(tmp_path / "bad.mp4") in found[0]["error"] and "no such file" in found[-1]["error"]
    assert "3 signs on 1 videos, 2 failed" in result.stderr
    call(tmp_path / "bad.mp4", "-o", tmp_path / "a.csv")
    assert "not a video" in (tmp_path / "a.csv").read_text()
    call(tmp_path / "bad.mp4", "-o", tmp_path / "a.geojson")
    assert json.loads((tmp_path / "a.geojson").read_text())["features"][0]["properties"]["error"]


def test_what_was_read_before_the_damage_is_kept(tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.avi", street(), kind="MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 5])
    result = call(path, "-o", tmp_path / "a.jsonl")
    found = rows(tmp_path / "a.jsonl")
    assert result.exit_code == 1 and "ends after" in found[0]["error"]
    assert [row["text"] for row in found[1:]] == ["HOTEL"]
    assert call(path, "-o", tmp_path / "a.jsonl", "--resume").exit_code == 0
    assert rows(tmp_path / "a.jsonl") == found


def test_no_text(tmp_path: Path) -> None:
    path = write_video(tmp_path / "wall.mp4", pan(texture(700, 240), range(0, 300, 10)))
    result = call(path)
    assert (result.exit_code, result.stdout) == (0, "") and f"{path}: no text found" in result.stderr
    call(path, "-o", tmp_path / "a.jsonl")
    (row,) = rows(tmp_path / "a.jsonl")
    assert row["signs"] == [] and row["error"] is None and row["metadata"]["video"] == {"sign": 0, "signs": 0}
    call(path, "-o", tmp_path / "a.geojson")
    assert json.loads((tmp_path / "a.geojson").read_text()) == {
        "type": "FeatureCollection", "features": [], "empty": [str(path)],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.geojson"])
def test_resume_goes_on_after_any_byte(walk: Path, tmp_path: Path, name: str) -> None:
    second = write_video(tmp_path / "two.mp4", street())
    wall = write_video(tmp_path / "wall.mp4", pan(texture(700, 240), range(0, 60, 10)))
    output = tmp_path / name
    assert call(walk, wall, second, "-o", output).exit_code == 0
    whole = output.read_bytes()
    begin = len(whole.splitlines(keepends=True)[0]) if name == "a.csv" else 1
    for cut in (begin, len(whole) // 5, len(whole) // 2, len(whole) - 3, len(whole)):
        output.write_bytes(whole[:cut])
        assert call(walk, wall, second, "-o", output, "--resume").exit_code == 0
        assert output.read_bytes() == whole
    PatchReader.frames = 0
    assert call(walk, wall, second, "-o", output, "--resume").exit_code == 0
    assert PatchReader.frames == 0
    assert "--overwrite" in call(walk, "-o", output).stderr


def test_resume_refuses_what_is_not_its_own(walk: Path, tmp_path: Path) -> None:
    for name, text in (
        ("a.jsonl", '{"schema":"signboard/1","source":"a.jpg"}\n'),
        ("a.csv", "a,b\n1,2\n"),
        ("a.geojson", '{"type":"FeatureCollection","features":[\n{"type":"Feature","properties":{"source":"a"}}\n]}\n'),
        ("b.geojson", '{"type":"Point"}\n'),
    ):
        (tmp_path / name).write_text(text)
        result = call(walk, "-o", tmp_path / name, "--resume")
        assert result.exit_code == 2 and "--resume" in result.stderr
        assert (tmp_path / name).read_text() == text
    result = call(walk, "-o", tmp_path / "a.txt", "--resume")
    assert result.exit_code == 2 and "JSON lines, CSV and GeoJSON" in result.stderr


def test_rows_keep_their_times_through_convert(walk: Path, tmp_path: Path) -> None:
    second = write_video(tmp_path / "two.mp4", street())
    wall = write_video(tmp_path / "wall.mp4", pan(texture(700, 240), range(0, 60, 10)))
    videos, source = (walk, wall, second), tmp_path / "a.jsonl"
    assert call(*videos, "-o", source).exit_code == 0

    def convert(*arguments: str | Path) -> Any:
        return CliRunner().invoke(app, ["convert", str(source), *map(str, arguments)], catch_exceptions=False)

    for name in ("b.jsonl", "b.csv", "b.geojson", "b.txt"):
        call(*videos, "-o", tmp_path / f"run-{name}")
        result = convert("-o", tmp_path / name, *(("--format", "text") if name == "b.txt" else ()))
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / name).read_bytes() == (tmp_path / f"run-{name}").read_bytes()
    assert convert().stdout == (tmp_path / "b.txt").read_text(encoding="utf-8")
    (feature, *_) = json.loads((tmp_path / "b.geojson").read_text(encoding="utf-8"))["features"]
    video = rows(source)[0]["metadata"]["video"]
    assert {key: feature["properties"][key] for key in ("first", "last", "best", "frame", "seen", "track")} == {
        key: video[key] for key in ("first", "last", "best", "frame", "seen", "track")
    }
    for name in ("hocr", "alto"):
        result = convert("--format", name)
        assert result.exit_code == 2 and f"{name}: describes photos" in result.stderr
    assert "an output must be another file" in convert("-o", source).stderr


def test_parquet_has_a_column_for_videos(walk: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    call(walk, "-o", tmp_path / "a.jsonl")
    arguments = ["convert", str(tmp_path / "a.jsonl"), "-o", str(tmp_path / "a.parquet")]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    found = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    for row, line in zip(found, rows(tmp_path / "a.jsonl"), strict=True):
        video = line["metadata"]["video"]
        assert row["video"]["first"] == video["first"] and row["video"]["frame"] == video["frame"]
        assert [at["time"] for at in row["video"]["track"]] == [at["time"] for at in video["track"]]


def test_rows_of_photos_and_videos_together(walk: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    call(walk, "-o", source)
    photo = Reading("a.jpg", 4, 3, arrange([Word("EXIT", ((0, 0), (4, 0), (4, 2), (0, 2)), 0.9, 0.9, "latin")]))
    with source.open("a", encoding="utf-8") as file:
        file.write(dumps(photo) + "\n")
    run = CliRunner().invoke
    assert run(app, ["convert", str(source), "-o", str(tmp_path / "b.geojson")]).exit_code == 0
    features = json.loads((tmp_path / "b.geojson").read_text(encoding="utf-8"))["features"]
    assert ["first" in feature["properties"] for feature in features] == [True] * 3 + [False]
    result = run(app, ["convert", str(source), "-o", str(tmp_path / "b.csv")])
    assert result.exit_code == 2 and "photos and of videos" in result.stderr


def test_a_spreadsheet_takes_no_sign_for_a_formula(walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATCHES, RED, "=SUM(A1)")
    output = tmp_path / "a.csv"
    assert call(walk, "-o", output, "--csv-safe").exit_code == 0
    table = list(csv.DictReader(io.StringIO(output.read_text(encoding="utf-8"))))
    assert table[0]["text"] == "'=SUM(A1)" and table[1]["text"] == "BANK"
    PatchReader.frames = 0
    assert call(walk, "-o", output, "--csv-safe", "--resume").exit_code == 0 and PatchReader.frames == 0
    result = call(walk, "-o", tmp_path / "a.jsonl", "--csv-safe")
    assert result.exit_code == 2 and "--csv-safe" in result.stderr


def test_the_annotated_copy_shows_the_signs(walk: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    assert call(walk, "--annotate", target, "-o", tmp_path / "a.jsonl").exit_code == 0
    before, after = cv2.VideoCapture(str(walk)), cv2.VideoCapture(str(target))
    assert after.get(cv2.CAP_PROP_FRAME_COUNT) == 40 and after.get(cv2.CAP_PROP_FPS) == 10
    sign = rows(tmp_path / "a.jsonl")[0]["metadata"]["video"]
    for index in range(40):
        ok, frame = after.read()
        assert ok
        _, plain = before.read()
        changed = np.abs(frame.astype(int) - plain).max(axis=2) > 60
        if index == 5:  # 0.5 s: HOTEL is 150 - 90 pixels from the left
            assert sign["first"] <= 0.5
            ys, xs = np.nonzero(changed)
            assert 40 < xs.min() < 75 and ys.max() < 100 and changed.sum() > 300
            green = (frame[..., 1] > 130) & (frame[..., 2] < 110) & (frame[..., 0] < 130)
            assert green[55:92, 55:128].sum() > 80  # the outline runs around the patch
    assert not list(tmp_path.glob("*.part*"))


def test_a_name_for_each_annotated_copy(walk: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    second = write_video(tmp_path / "b" / "walk.mp4", street())
    assert call(walk, second, "--annotate", tmp_path / "out").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["walk.mp4", "walk~2.mp4"]
    for target in (walk, tmp_path / "x.jpg", tmp_path / "no" / "x.mp4", tmp_path):
        result = call(walk, "--annotate", target)
        assert result.exit_code == 2 and "--annotate" in result.stderr
    assert call(walk, second, "--annotate", tmp_path / "one.mp4").exit_code == 2


def test_a_folder_of_frames(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, frame in enumerate(street()):
        if index not in (20, 21):
            Image.fromarray(frame).save(folder / f"frame_{index:04}.png")
    assert call(folder, "--sequence", "--frame-rate", "10", "-o", tmp_path / "a.jsonl").exit_code == 0
    found = rows(tmp_path / "a.jsonl")
    assert [row["text"] for row in found] == ["HOTEL", "BANK", "SCHOOL"]
    assert found[-1]["metadata"]["video"]["last"] == pytest.approx(3.3, abs=0.2)
    result = call(tmp_path / "none", "--sequence")
    assert result.exit_code == 1 and "no such folder" in result.stderr


def test_several_videos_stand_under_their_names(walk: Path, tmp_path: Path) -> None:
    second = write_video(tmp_path / "two.mp4", street())
    out = call(walk, second).stdout.splitlines()
    assert out[0] == f"== {walk} ==" and out[4] == f"== {second} ==" and len(out) == 8
    assert call(str(tmp_path / "*.mp4")).stdout.splitlines()[0] == f"== {second} =="


def test_hindi_is_translated_once(walk: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(PATCHES, RED, "प्रवेश निषेध")
    assert call(walk, "--translate", "-o", tmp_path / "a.jsonl").exit_code == 0
    line = rows(tmp_path / "a.jsonl")[0]["signs"][0]["lines"][0]
    assert line["translation"] == "No entry" and line["romanized"].startswith("pravesh")
    assert PatchReader.made[-1]["translate"] is False  # the frames are not
    assert "(pravesh nishedh = No entry)" in call(walk, "--translate").stdout


def test_options_that_do_not_go_together(walk: Path, tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    Image.new("RGB", (64, 64)).save(photo)
    (tmp_path / "bad.gpx").write_text("<gpx>")
    (tmp_path / "none.gpx").write_text("<gpx></gpx>")
    for arguments, named in (
        ((walk, photo), "a.jpg"),
        ((photo, "--gpx", tmp_path / "x.gpx"), "--gpx"),
        ((walk, "--retry-failed", "-o", tmp_path / "a.jsonl"), "--retry-failed"),
        ((walk, "--html", tmp_path / "a.html"), "--html"),
        ((walk, "-o", tmp_path / "a.parquet"), "a.parquet"),
        ((walk, "--format", "hocr"), "hocr"),
        ((walk, "--start", "noon"), "noon"),
        ((walk, "--gpx", tmp_path / "x.gpx"), "no such file"),
        ((walk, "--gpx", tmp_path / "bad.gpx"), "not a GPX"),
        ((walk, "--gpx", tmp_path / "none.gpx"), "no track points"),
        ((walk, "-o", walk, "--format", "jsonl", "--overwrite"), "walk.mp4"),
        (("0", "--annotate", tmp_path / "a.mp4"), "0"),
    ):
        result = call(*arguments)
        assert result.exit_code == 2, arguments
        assert named in result.stderr and result.stderr.count("\n") == 1
    assert walk.stat().st_size > 1000


def test_ctrl_c_leaves_no_half_of_a_video(walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = write_video(tmp_path / "two.mp4", street())
    output = tmp_path / "a.jsonl"

    class Interrupted(PatchReader):
        def read(self, pixels: np.ndarray) -> Any:
            if PatchReader.frames == 11:  # in the second video
                signal.raise_signal(signal.SIGINT)
            return super().read(pixels)

    monkeypatch.setattr(readers, "make_reader", Interrupted)
    result = call(walk, second, "-o", output)
    assert result.exit_code == 130 and "interrupted" in result.stderr
    assert {row["source"] for row in rows(output)} == {str(walk)}
    monkeypatch.setattr(readers, "make_reader", PatchReader)
    assert call(walk, second, "-o", output, "--resume").exit_code == 0
    assert [row["source"] for row in rows(output)] == [str(walk)] * 3 + [str(second)] * 3


def test_a_live_source_writes_each_sign_when_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from signboard.video import source as sources

    path = write_video(tmp_path / "walk.mp4", street())

    class Stream(sources.Capture):
        """A file that says of itself that it is a stream, and that it broke off."""

        def __init__(self, name: str, **_: Any) -> None:
            super().__init__(str(path), live=False)
            self.live = True

        def grab(self) -> float | None:
            self.live = False  # its times are the file's, and it is not opened again at its end
            try:
                return super().grab()
            finally:
                self.live = True

        def fault(self) -> str:
            return "the stream broke off"

    monkeypatch.setattr(sources, "open_source", Stream)

    class Slow(PatchReader):
        """The stream's frames come at once; a moment for each keeps them from being dropped."""

    monkeypatch.setattr(readers, "make_reader", Slow)
    output = tmp_path / "a.jsonl"
    result = call("rtsp://camera/1", "-o", output, "--sample-rate", "2")
    found = rows(output)
    assert result.exit_code == 1 and "broke off" in result.stderr
    assert found[-1]["error"] == "rtsp://camera/1: the stream broke off"
    assert all(row["metadata"]["video"]["signs"] is None for row in found)
    assert [row["metadata"]["video"]["sign"] for row in found[:-1]] == list(range(1, len(found)))


def test_the_python_call(walk: Path) -> None:
    from signboard.video import open_source

    source = open_source(str(walk))
    signs = list(follow(PatchReader(), source))
    source.close()
    assert [sign.sign.text for sign in signs] == ["HOTEL", "BANK", "SCHOOL"]
    assert signs[0].confidence == pytest.approx(0.9)


def test_every_format_is_written_as_utf_8_text() -> None:
    assert set(FORMATS) == {"jsonl", "csv", "geojson", "text"}
