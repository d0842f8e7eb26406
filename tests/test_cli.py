"""`signboard run` as a person meets it: what goes where, what bad input says, and that no work is ever lost."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cli_fake
import numpy as np
import pytest
from PIL import ExifTags, Image
from test_photo import header_of_png
from typer.testing import CliRunner

from signboard.checks import outputs
from signboard.checks.damaged_files import seeds
from signboard.checks.resuming import killed_and_resumed
from signboard.cli import app
from signboard.commands import readers
from signboard.commands.inputs import find_photos
from signboard.errors import WeightsError
from signboard.output import jsonl
from signboard.progress import Progress, duration, speed, tracked

FAKE = [sys.executable, str(Path(cli_fake.__file__))]


@pytest.fixture(autouse=True)
def fake_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    cli_fake.FakeReader.made = []
    monkeypatch.setattr(readers, "make_reader", cli_fake.FakeReader)


def photo(path: Path, size: tuple[int, int] = (64, 48), **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 150)).save(path, **options)
    return path


def call(*arguments: str | Path, stdin: str | bytes | None = None) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin, catch_exceptions=False)
    assert "Traceback" not in result.stderr
    return result


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sources(path: Path) -> list[str]:
    return [row["source"] for row in rows(path)]


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """A folder as surveys have them: subfolders, other files, hidden files, bad photos between good ones."""
    folder = tmp_path / "photos"
    for name in ("b.jpg", "a.png", "sub/z.JPG", "sub/deep/y.webp", "wall.bmp", "थाना.tiff"):
        kind = {"kind": "JPEG"} if name.endswith("JPG") else {}
        photo(folder / name, **({"format": kind["kind"]} if kind else {}))
    data = io.BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(data, "JPEG")
    (folder / "cut.jpg").write_bytes(data.getvalue()[:9000])
    (folder / "empty.jpg").touch()
    (folder / "no picture.jpg").write_text("hello")
    photo(folder / "dot.png", (1, 1))
    photo(folder / ".hidden.jpg")
    photo(folder / ".trash" / "c.jpg")
    (folder / "notes.txt").write_text("not a photo")
    return folder


ORDER = ["a.png", "b.jpg", "cut.jpg", "dot.png", "empty.jpg", "no picture.jpg", "sub/deep/y.webp", "sub/z.JPG",
         "wall.bmp", "थाना.tiff"]  # fmt: skip
BAD = ["cut.jpg", "dot.png", "empty.jpg", "no picture.jpg"]


# One photo ------------------------------------------------------------------------------------------------------------


def test_the_text_goes_to_standard_output_and_nothing_else(tmp_path: Path) -> None:
    result = call("run", photo(tmp_path / "stop.jpg"))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "stop\n", "")


def test_no_text_is_said_on_standard_error(tmp_path: Path) -> None:
    path = photo(tmp_path / "wall.jpg")
    assert call("run", path).stderr == f"signboard: {path}: no text found\n"
    result = call("run", path, "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_warnings_are_said(tmp_path: Path) -> None:
    path = photo(tmp_path / "small.jpg")
    assert call("run", path).stderr == f"signboard: {path}: text may be too small\n"
    # In a file they stand in the photo's row, and the last line counts them.
    photo(tmp_path / "large.jpg")
    output, report = tmp_path / "a.jsonl", tmp_path / "a.html"
    result = call("run", tmp_path, "--output", output, "--html", report)
    assert [row["warnings"] for row in rows(output)] == [[], ["text may be too small"]]
    assert result.stderr.startswith("2 read, 0 empty, 0 failed, ") and result.stderr.endswith("; 1 with warnings\n")
    assert '<p class="warning">text may be too small</p>' in report.read_text(encoding="utf-8")


def test_json_is_the_whole_result(tmp_path: Path) -> None:
    path = photo(tmp_path / "stop.jpg")
    result = call("run", path, "--json")
    assert result.stdout.count("\n") == 1
    reading = jsonl.from_dict(json.loads(result.stdout))
    assert reading.source == str(path) and reading.text == "stop" and reading.words[0].confidence == 0.9


def test_options_reach_the_reader(tmp_path: Path) -> None:
    path = photo(tmp_path / "doubt.jpg")
    assert call("run", path).stdout == "doubt\n"
    assert call("run", path, "--min-confidence", "0.5").stdout == ""
    call("run", path, "--device", "cuda:1", "--precision", "bf16", "--detection-threshold", "0.4", "--translate")
    assert cli_fake.FakeReader.made[-1] == {
        "device": "cuda:1", "min_confidence": None, "detection_threshold": 0.4, "precision": "bf16",
        "translate": True, "tile": False, "n_best": 1,
    }  # fmt: skip
    call("run", path, "--tile", "--n-best", "3")
    assert cli_fake.FakeReader.made[-1]["tile"] is True and cli_fake.FakeReader.made[-1]["n_best"] == 3


def test_ray_takes_an_address_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str | None, list[str], bool]] = []

    def on_cluster(paths: Any, *, address: str | None, reader_options: dict[str, Any], **_: Any) -> Any:
        asked.append((address, [Path(path).name for path in paths], reader_options["tile"]))
        return iter(())

    monkeypatch.setattr("signboard.cluster.read_on_cluster", on_cluster)
    monkeypatch.chdir(tmp_path)
    path = photo(tmp_path / "a.jpg")
    for arguments, address in (
        (["--ray", path], None),
        ([path, "--ray"], None),
        ([path, "--ray", "--tile"], None),
        (["--ray", "ray://head:10001", path], "ray://head:10001"),
        ([path, "--ray", "head:6379"], "head:6379"),
        (["--ray=auto", path], "auto"),
        (["--ray", "auto", path], "auto"),
        (["--ray", "--", path], None),
    ):
        assert call("run", *arguments).exit_code == 0
        assert asked.pop() == (address, ["a.jpg"], "--tile" in arguments)
    photo(tmp_path / "auto", format="JPEG")  # what is there as a file is a photo
    call("run", "--ray", "auto")
    assert asked.pop() == (None, ["auto"], False)
    assert "--ray [ADDRESS]" in " ".join(call("run", "--help").stdout.split())


def test_exif_rotated_photos_are_read_and_annotated_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = photo(tmp_path / "side.jpg", (64, 48), exif=exif)
    result = call("run", path, "--json", "--annotate", tmp_path / "out.png")
    row = json.loads(result.stdout)
    assert (row["width"], row["height"]) == (48, 64)
    assert Image.open(tmp_path / "out.png").size == (48, 64)


@pytest.mark.parametrize("name", ["out.jpg", "out.png"])
def test_annotate_one_photo(name: str, tmp_path: Path) -> None:
    path = photo(tmp_path / "stop.jpg", (200, 150))
    assert call("run", path, "--annotate", tmp_path / name).exit_code == 0
    drawn = np.array(Image.open(tmp_path / name).convert("RGB")).astype(int)
    assert drawn.shape == (150, 200, 3) and (abs(drawn - [90, 120, 150]).sum(axis=2) > 100).sum() > 50


def test_version() -> None:
    result = call("--version")
    assert result.exit_code == 0 and result.stdout.startswith("signboard ")


# Bad input: one line on standard error, exit code 1 -------------------------------------------------------------------


def test_each_bad_photo_is_one_line(street: Path, tmp_path: Path) -> None:
    (tmp_path / "pipe").mkdir()
    for path in [*(street / name for name in BAD), tmp_path / "gone.jpg", tmp_path / ("x" * 300 + ".jpg")]:
        result = call("run", path)
        assert (result.exit_code, result.stdout) == (1, ""), path
        assert result.stderr.count("\n") == 1 and path.name in result.stderr and result.stderr.startswith("signboard: ")


def test_a_decompression_bomb_is_one_line(tmp_path: Path) -> None:
    # In a process of its own: a warning of Pillow's must not come out as a second line.
    path = tmp_path / "bomb.png"
    path.write_bytes(header_of_png(16_000, 10_000))
    done = subprocess.run([*FAKE, "run", str(path)], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "megapixels" in done.stderr


def test_heic_without_its_package_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    photo(tmp_path / "in" / "a.jpg")
    (tmp_path / "in" / "b.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    result = call("run", tmp_path / "in")
    assert result.exit_code == 1 and "pip install 'signboard[heic]'" in result.stderr
    assert "1 read, 0 empty, 1 failed" in result.stderr


def test_a_bomb_and_a_file_without_permission_stop_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, output = tmp_path / "in", tmp_path / "a.jsonl"
    for name in ("a.jpg", "c.jpg", "e.jpg"):
        photo(folder / name)
    (folder / "b.png").write_bytes(header_of_png(16_000, 10_000))
    (folder / "d.jpg").write_bytes((folder / "a.jpg").read_bytes())
    (folder / "f.jpg").symlink_to(tmp_path / "gone.jpg")
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        # Not with chmod: the tests may run as root, which may read everything.
        if path.name == "d.jpg":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    result = call("run", folder, "--output", output)
    monkeypatch.undo()
    assert result.exit_code == 1 and "3 read, 0 empty, 3 failed" in result.stderr
    assert [Path(source).name for source in sources(output)] == [f"{letter}.{'png' if letter == 'b' else 'jpg'}"
                                                                 for letter in "abcdef"]  # fmt: skip
    errors = [row["error"] for row in rows(output) if row["error"]]
    for word, error in zip(("megapixels", "permission denied", "no such file"), errors, strict=True):
        assert word in error
    assert result.stderr.count("\n") == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "tpu"], "--device tpu"),
        (["--precision", "int3"], "--precision int3"),
        (["--batch-size", "0"], "--batch-size 0"),
        (["--batch-size", "many"], "--batch-size many"),
        (["--format", "yaml"], "must be one of jsonl, csv"),
        (["--format", "csv", "--json"], "exclude each other"),
        (["--format", "parquet"], "--output FILE"),
        (["--resume"], "--resume needs"),
        (["--output", "{}/out.jsonl", "--resume", "--overwrite"], "exclude each other"),
        (["--output", "{}/out.docx"], "stands for no format"),
        (["--output", "{}/no/such/out.jsonl"], "does not exist"),
        (["--output", "{}/stop.jpg/out.jsonl"], "cannot be written, not a directory"),
        (["--annotate", "{}/no/such/out.jpg"], "does not exist"),
        (["--html", "{}/no/such/out.html"], "does not exist"),
        (["--output", "{}", "--format", "jsonl"], "is a folder"),
        (["--output", "{}/stop.jpg", "--format", "jsonl", "--overwrite"], "is one of the photos"),
        (["--html", "{}/stop.jpg", "--overwrite"], "is one of the photos"),
        (["--annotate", "{}/stop.jpg"], "is one of the photos"),
        (["--annotate", "{}"], "write over the photo"),
        (["--output", "{}/link.jsonl", "--overwrite"], "is one of the photos"),
        (["--min-confidence", "1.5"], "min-confidence"),
        (["--no-such-option"], "no-such-option"),
    ],
)
def test_commands_that_make_no_sense_end_with_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    path = photo(tmp_path / "stop.jpg")
    before = path.read_bytes()
    (tmp_path / "link.jsonl").symlink_to(path)
    result = call("run", path, *(argument.format(tmp_path) for argument in arguments))
    assert result.exit_code == 2 and words in result.stderr and result.stdout == ""
    assert path.read_bytes() == before and not cli_fake.FakeReader.made


def test_nothing_to_read(tmp_path: Path) -> None:
    result = call("run", tmp_path)
    assert result.exit_code == 2 and "nothing to read" in result.stderr
    assert call("run").exit_code == 2


def test_weights_that_cannot_be_loaded_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise WeightsError("weights/detector.safetensors: does not match its card")

    monkeypatch.setattr(readers, "make_reader", broken)
    result = call("run", photo(tmp_path / "a.jpg"))
    assert (
        result.exit_code == 2 and result.stderr == "signboard: weights/detector.safetensors: does not match its card\n"
    )


# Many photos ----------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_in_order_each_photo_once_bad_ones_too(street: Path, tmp_path: Path) -> None:
    output = tmp_path / "signs.jsonl"
    result = call("run", street, "--output", output)
    assert result.exit_code == 1 and result.stdout == ""
    assert sources(output) == [str(street / name) for name in ORDER]
    assert [row["source"] for row in rows(output) if row["error"]] == [str(street / name) for name in BAD]
    assert [row["text"] for row in rows(output) if not row["error"]] == ["a", "b", "y", "z", "", "थाना"]
    lines = result.stderr.splitlines()
    assert (
        len(lines) == 5
        and lines[-1].startswith("5 read, 1 empty, 4 failed, ")
        and lines[-1].endswith(" photos/s; 1 file that is no photo left out")
    )


def test_text_of_several_photos_stands_under_their_names(tmp_path: Path) -> None:
    one, two = photo(tmp_path / "one.jpg"), photo(tmp_path / "wall.jpg")
    result = call("run", one, tmp_path / "gone.jpg", two)
    assert result.exit_code == 1 and result.stdout == f"== {one} ==\none\n\n== {two} ==\n(no text)\n"
    assert "gone.jpg: no such file" in result.stderr


def test_inputs_of_every_kind(street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(street)
    listed = b"b.jpg\r\n\nsub/z.JPG\n./a.png\n"
    found = list(find_photos(["*.png", "-", "sub", "a.png", "**/*.webp", "none*.jpg"], stdin_lines=io.BytesIO(listed)))
    assert [(item.path, item.error is None) for item in found] == [
        ("a.png", True), ("dot.png", True), ("b.jpg", True), ("sub/z.JPG", True), ("sub/deep/y.webp", True),
        ("none*.jpg", False),
    ]  # fmt: skip
    assert [item.path for item in find_photos([".", "b.jpg"], recursive=False)] == [
        f"./{name}" for name in ORDER if "/" not in name
    ]
    assert call("run", "-", stdin=listed).stdout.count("==") == 6


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    path = photo(tmp_path / "a[1]*.jpg")
    photo(tmp_path / "a1.jpg")
    assert [item.path for item in find_photos([str(path)])] == [str(path)]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_lists_of_every_kind(mark: bytes, end: bytes, street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(street)
    names = ["b.jpg", "थाना.tiff", "sub/z.JPG"]
    result = call("run", "-", "--json", stdin=mark + end.join(name.encode() for name in names) + end)
    assert result.exit_code == 0 and [json.loads(line)["source"] for line in result.stdout.splitlines()] == names


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be"])
def test_lists_by_powershell(coding: str, street: Path) -> None:
    text = f"\ufeff{street / 'b.jpg'}\r\n{street / 'थाना.tiff'}\r\n"
    result = call("run", "-", "--json", stdin=text.encode(coding))
    assert result.exit_code == 0 and result.stdout.count("\n") == 2


def test_a_name_with_a_newline_goes_through_a_list_of_null_bytes(street: Path) -> None:
    path = photo(street / "two\nlines.jpg")
    result = call("run", "-", "--json", stdin=os.fsencode(path) + b"\0")
    assert json.loads(result.stdout)["source"] == str(path)


# What a folder holds --------------------------------------------------------------------------------------------------


def test_pictures_of_a_folder_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name, data in seeds().items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    expected = len(seeds()) + 2  # a TIFF has three pages
    for name in ("IMG_0001", "scan.JPG.download", "a.jfif", "b.jpe", "c.image", "photo.2024-03-09"):
        photo(folder / name, format="JPEG")
        expected += 1
    photo(folder / "d.dat", format="PNG")
    for name, data in {
        "notes.txt": b"not a photo", "a.pdf": b"%PDF-1.4", "empty": b"", "film.mp4": b"\0\0\0\x18ftypisom",
        "BM": b"BM.", "raw.nef": seeds()["plain.tif"], "raw.DNG": seeds()["plain.tif"],
    }.items():  # fmt: skip
        (folder / name).write_bytes(data)
    (folder / ".hidden").write_bytes(b"x")
    os.mkfifo(folder / "pipe")  # is not opened, else this would hang
    output = folder / "signs.jsonl"
    for extra in ([], ["--resume"]):
        result = call("run", folder, "--output", output, "--html", folder / "report.html", *extra)
        assert result.exit_code == 0 and result.stderr.endswith("; 8 files that are no photos left out\n"), (
            result.stderr
        )
    assert len(rows(output)) == expected + 1 and all(row["error"] is None for row in rows(output))
    for name in (path.name for path in folder.iterdir()):
        if name not in {"raw.nef", "raw.DNG", "pipe"} and (folder / name).stat().st_size > 20:
            assert any(source.endswith(f"/{name}") for source in sources(output)) or "signs" in name or "rep" in name


def test_a_folder_without_pictures_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    result = call("run", tmp_path)
    assert result.exit_code == 2 and result.stderr.endswith("1 file that is no photo left out\n")
    assert "nothing to read" in result.stderr


# Pages ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A TIFF of three pages, one of one, and a JPEG."""
    folder = tmp_path / "scans"
    folder.mkdir()
    first, *others = [Image.new("RGB", (40 + number, 30), (90, 120, 150)) for number in range(3)]
    first.save(folder / "three.tif", save_all=True, append_images=others)
    first.save(folder / "one.tiff")
    first.save(folder / "photo.jpg")
    return folder


def test_every_page_of_a_tiff_is_a_row(scans: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.jsonl"
    result = call("run", scans, "--output", output, "--annotate", tmp_path / "drawn", "--html", tmp_path / "a.html")
    assert result.exit_code == 0 and "5 read, 0 empty, 0 failed" in result.stderr
    found = [(Path(row["source"]).name, row["page"], row["width"]) for row in rows(output)]
    assert found == [
        ("one.tiff", 1, 40), ("photo.jpg", 1, 40), ("three.tif", 1, 40), ("three.tif", 2, 41), ("three.tif", 3, 42)
    ]  # fmt: skip
    assert not any(row["warnings"] for row in rows(output))
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == [
        "one.jpg", "photo.jpg", "three-page1.jpg", "three-page2.jpg", "three-page3.jpg"
    ]  # fmt: skip
    assert [Image.open(tmp_path / "drawn" / f"three-page{n}.jpg").width for n in (1, 2, 3)] == [40, 41, 42]
    assert "three.tif, page 3</h2>" in (tmp_path / "a.html").read_text(encoding="utf-8")
    back = [(reading.source, reading.page) for reading in jsonl.read_jsonl(output)]
    assert back[-1] == (str(scans / "three.tif"), 3)
    assert f"== {scans / 'three.tif'}, page 2 ==" in call("convert", output).stdout
    assert call("run", scans / "three.tif", "--annotate", tmp_path / "x.jpg").exit_code == 2


def test_one_page_of_a_tiff(scans: Path) -> None:
    result = call("run", scans / "three.tif", "--page", "2", "--json")
    assert result.exit_code == 0
    assert [(json.loads(line)["page"], json.loads(line)["width"]) for line in result.stdout.splitlines()] == [(2, 41)]
    result = call("run", scans / "three.tif", scans / "photo.jpg", "--page", "4", "--json")
    assert result.exit_code == 1 and "three.tif: there is no page 4, the file has 3" in result.stderr
    assert "photo.jpg: there is no page 4, the file has one" in result.stderr
    assert [json.loads(line)["page"] for line in result.stdout.splitlines()] == [4, 4]
    assert call("run", scans, "--page", "0").exit_code == 2


def test_a_damaged_page_is_that_pages_error(scans: Path, tmp_path: Path) -> None:
    path = scans / "three.tif"
    image = Image.open(path)
    image.seek(1)
    offset = image.tag_v2[273][0]  # where its pixels begin
    data = path.read_bytes()
    path.write_bytes(data[:offset] + data[offset:].replace(bytes([90, 120, 150]), b"", 1))
    small = tmp_path / "cut.tif"
    small.write_bytes(path.read_bytes()[:-900])
    output = tmp_path / "a.jsonl"
    assert call("run", small, "--output", output).exit_code in (0, 1)
    assert len(rows(output)) >= 1


def test_frames_of_an_animation_are_told(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 30), (90 * number, 120, 150)) for number in range(3)]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    result = call("run", path)
    assert result.stderr == f"signboard: {path}: only the first frame was read: the animation has 3\n"


def test_links_in_circles_and_to_other_folders(street: Path) -> None:
    (street / "sub" / "up").symlink_to(street)
    (street / "self.jpg").symlink_to(street / "self.jpg")
    (street / "again").symlink_to(street / "sub")
    found = [os.path.relpath(item.path, street) for item in find_photos([str(street)])]
    assert len(found) == len(ORDER) + 1 and "self.jpg" in found
    assert sum(name.endswith("z.JPG") for name in found) == 1
    result = call("run", street / "self.jpg")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1


def test_folders_that_cannot_be_entered_are_failures(street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        # Not with chmod: the tests may run as root, which may enter everything.
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    (failed,) = [item for item in find_photos([str(street)]) if item.error]
    assert failed.path.endswith("sub") and failed.error == "folder, cannot be read, permission denied"
    result = call("run", street, "--json")
    assert result.exit_code == 1 and "sub: folder, cannot be read, permission denied" in result.stderr
    assert sum(json.loads(line)["error"] is not None for line in result.stdout.splitlines()) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text are a matter of Linux")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(path, "wb") as file:  # noqa: PTH123 - a path of bytes
        Image.new("RGB", (32, 32)).save(file, "JPEG")
    result = call("run", tmp_path, "--json")
    assert result.exit_code == 0
    assert os.fsencode(json.loads(result.stdout)["source"]) == path
    assert call("run", tmp_path, "--output", tmp_path / "a.csv").exit_code == 0


def test_annotated_pictures_keep_their_folders(street: Path, tmp_path: Path) -> None:
    photo(street / "b.png")
    folder = street / "drawn"
    result = call("run", street, "--annotate", folder, "--output", tmp_path / "a.jsonl")
    assert result.exit_code == 1
    made = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert made == ["a.png", "b.jpg", "b.png", "sub/deep/y.webp", "sub/z.JPG", "wall.jpg", "थाना.jpg"]
    # A second run does not read them as photos.
    call("run", street, "--annotate", folder, "--output", tmp_path / "b.jsonl", "--overwrite")
    assert sources(tmp_path / "b.jsonl") == sources(tmp_path / "a.jsonl")
    assert call("run", street, "--annotate", tmp_path / "one.jpg").exit_code == 2


def test_alto_is_one_file_a_photo(street: Path, tmp_path: Path) -> None:
    folder = tmp_path / "alto"
    assert call("run", street, "--format", "alto", "--output", folder).exit_code == 1
    made = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert made == sorted(str(Path(name).with_suffix(".xml")) for name in ORDER)
    assert call("run", street, "--format", "alto", "--output", folder).exit_code == 2
    (folder / "b.xml").unlink()
    result = call("run", street, "--format", "alto", "--output", folder, "--resume")
    assert (folder / "b.xml").exists() and "1 read, 0 empty, 0 failed" in result.stderr
    assert call("run", street, "--output", tmp_path / "all.xml").exit_code == 2
    assert call("run", street / "a.png", "--output", tmp_path / "one.xml").exit_code == 0


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.hocr", "a.geojson", "a.parquet"])
def test_every_format_by_its_ending(name: str, street: Path, tmp_path: Path) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    assert call("run", street, "--output", tmp_path / name).exit_code == 1
    data = (tmp_path / name).read_bytes()
    assert len(data) > 300
    if not name.endswith("parquet"):
        assert "थाना" in data.decode() and "cut.jpg" in data.decode()


def test_positions_are_kept_only_when_asked(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (28.0, 36.0, 50.0), 3: "E", 4: (77.0, 12.0, 32.4)})
    path = photo(tmp_path / "stop.jpg", exif=exif)
    assert "gps" not in call("run", path, "--json").stdout
    assert json.loads(call("run", path, "--json", "--with-position").stdout)["metadata"]["gps"]["latitude"] > 28
    place = json.loads(call("run", path, "--format", "geojson").stdout)["features"][0]["geometry"]
    assert place["coordinates"] == pytest.approx([77.209, 28.613889], abs=1e-5)
    call("run", path, "--annotate", tmp_path / "drawn.jpg")
    assert not Image.open(tmp_path / "drawn.jpg").getexif()


def test_the_report(street: Path, tmp_path: Path) -> None:
    result = call("run", street, "--html", tmp_path / "report.html", "--output", tmp_path / "a.jsonl")
    assert result.exit_code == 1
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<article") == 10 and page.count("data:image/jpeg;base64,") == 6 and page.endswith("</html>\n")


def test_convert(street: Path, tmp_path: Path) -> None:
    rows_path = tmp_path / "signs.jsonl"
    call("run", street, "--output", rows_path)
    call("run", street, "--output", tmp_path / "direct.csv")
    assert call("convert", rows_path, "--output", tmp_path / "converted.csv").exit_code == 0
    assert (tmp_path / "converted.csv").read_bytes() == (tmp_path / "direct.csv").read_bytes()
    assert "== " in call("convert", rows_path).stdout
    assert call("convert", rows_path, "--output", tmp_path / "alto", "--format", "alto").exit_code == 0
    assert call("convert", rows_path, "--output", rows_path).exit_code == 2
    assert call("convert", tmp_path / "gone.jsonl").exit_code == 2
    assert call("convert", tmp_path / "direct.csv").exit_code == 1


# Never lose work ------------------------------------------------------------------------------------------------------


def test_resume_skips_what_is_there(street: Path, tmp_path: Path) -> None:
    output = tmp_path / "signs.jsonl"
    call("run", street / "b.jpg", street / "cut.jpg", "--output", output)
    assert call("run", street, "--output", output).exit_code == 2  # neither --resume nor --overwrite
    result = call("run", street, "--output", output, "--resume")
    assert result.exit_code == 1 and "; 2 were there already" in result.stderr
    assert sorted(sources(output)) == sorted(str(street / name) for name in ORDER)
    made = len(cli_fake.FakeReader.made)
    result = call("run", street, "--output", output, "--resume")
    assert result.exit_code == 0 and "0 read, 0 empty, 0 failed" in result.stderr and "10 were there" in result.stderr
    assert len(cli_fake.FakeReader.made) == made  # the networks are not loaded for nothing
    assert call("run", street, "--output", output, "--overwrite").exit_code == 1
    assert sources(output) == [str(street / name) for name in ORDER]


def test_resume_onto_another_format_is_refused(street: Path, tmp_path: Path) -> None:
    call("run", street, "--output", tmp_path / "a.csv")
    before = (tmp_path / "a.csv").read_bytes()
    result = call("run", street, "--output", tmp_path / "a.csv", "--format", "jsonl", "--resume")
    assert result.exit_code == 2 and "cannot go on" in result.stderr and result.stderr.count("\n") == 1
    assert (tmp_path / "a.csv").read_bytes() == before


def test_resume_of_rows_and_report_together(street: Path, tmp_path: Path) -> None:
    output, report = tmp_path / "a.jsonl", tmp_path / "a.html"
    call("run", street, "--output", output, "--html", report)
    whole = (output.read_bytes(), report.read_bytes())
    output.write_bytes(b"".join(output.read_bytes().splitlines(keepends=True)[:4]) + b'{"schema":"signb')
    call("run", street, "--output", output, "--html", report, "--resume")
    assert (output.read_bytes(), report.read_bytes()) == whole


def every_output(folder: Path) -> dict[str, list[str | Path]]:
    """The options of a run into each format."""
    folder.mkdir(exist_ok=True)
    files: dict[str, list[str | Path]] = {
        name: ["--output", folder / f"out.{name}"] for name in ("jsonl", "csv", "txt", "hocr", "geojson", "parquet")
    }
    return files | {
        "alto": ["--output", folder / "out", "--format", "alto"],
        "html": ["--html", folder / "out.html", "--output", os.devnull, "--format", "jsonl"],
    }


FORMATS = ("jsonl", "csv", "txt", "hocr", "geojson", "parquet", "alto")


def in_output(folder: Path, name: str) -> list[str]:
    """The names of the photos in a format's output, read with the format's own tools."""
    from signboard.output import formats

    path = folder / f"out.{name}"
    if name == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
        return [Path(source).name for source in parquet.read_table(path)["source"].to_pylist()]
    files = sorted((folder / "out").rglob("*.xml")) if name == "alto" else [path]
    form = formats.FORMATS["alto" if name == "alto" else formats.by_suffix(path) or ""]
    found = []
    for file in files:
        with file.open("rb") as stream:
            stream.seek(len(form.head().encode()))
            assert form.pieces is not None
            found += [Path(piece.source).name for piece in form.pieces(stream, str(file))]
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_resume_knows_a_photo_whichever_way_it_was_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    for letter in "abc":
        photo(folder / f"{letter}.jpg")
    photo(folder / "wall.jpg")
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    options = every_output(tmp_path / "target")[name]
    assert call("run", "a.jpg", "wall.jpg", *options).exit_code == 0
    for more in (["./a.jpg", "wall.jpg"], [folder / "a.jpg", "b.jpg"], ["../photos/a.jpg", "../link/b.jpg"], ["."],
                 [tmp_path / "link"]):  # fmt: skip
        assert call("run", *more, *options, "--resume").exit_code == 0
    assert sorted(in_output(tmp_path / "target", name)) == ["a.jpg", "b.jpg", "c.jpg", "wall.jpg"]


@pytest.mark.parametrize("name", FORMATS)
def test_resume_reads_photos_of_the_same_name_in_another_folder(name: str, tmp_path: Path) -> None:
    """Two cameras, two memory cards: DSC0001.jpg is on both."""
    for card in ("A", "B"):
        photo(tmp_path / card / "DSC0001.jpg")
        photo(tmp_path / card / "DSC0002.jpg")
    options = every_output(tmp_path / "target")[name]
    assert call("run", tmp_path / "A", *options).exit_code == 0
    for _ in range(2):
        assert call("run", tmp_path / "B", *options, "--resume").exit_code == 0
    assert sorted(in_output(tmp_path / "target", name)) == ["DSC0001.jpg"] * 2 + ["DSC0002.jpg"] * 2


@pytest.mark.parametrize("name", FORMATS)
def test_resume_after_a_photo_of_like_name_was_added(name: str, tmp_path: Path) -> None:
    photo(tmp_path / "photos" / "gate.png")
    options = every_output(tmp_path / "target")[name]
    call("run", tmp_path / "photos", *options)
    photo(tmp_path / "photos" / "gate.jpg")  # comes before the other one
    result = call("run", tmp_path / "photos", *options, "--resume")
    assert "1 read, 0 empty, 0 failed" in result.stderr and "1 were there" in result.stderr
    assert sorted(in_output(tmp_path / "target", name)) == ["gate.jpg", "gate.png"]


@pytest.mark.parametrize("name", FORMATS)
def test_photos_that_failed_are_named_and_read_again_when_asked(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for letter in "ac":
        photo(folder / f"{letter}.jpg")
    for letter in "bde":
        (folder / f"{letter}.jpg").write_bytes(b"half a photo")
    options = every_output(tmp_path / "target")[name]
    assert call("run", folder, *options).exit_code == 1
    photo(folder / "b.jpg")
    photo(folder / "d.jpg")
    photo(folder / "f.jpg")
    result = call("run", folder, *options, "--resume")
    assert result.exit_code == 0 and "1 read, 0 empty, 0 failed" in result.stderr
    assert "3 photos failed in an earlier run" in result.stderr and "--retry-failed" in result.stderr
    assert all(str(folder / f"{letter}.jpg") in result.stderr for letter in "bde")
    result = call("run", folder, *options, "--retry-failed")
    assert result.exit_code == 1 and "2 read, 0 empty, 1 failed" in result.stderr and "3 were there" in result.stderr
    assert sorted(in_output(tmp_path / "target", name)) == [f"{letter}.jpg" for letter in "abcdef"]
    (folder / "e.jpg").unlink()  # what is gone need not be named again
    result = call("run", folder, *options, "--resume")
    assert "--retry-failed" not in result.stderr
    assert not [path for path in (tmp_path / "target").rglob("*") if path.suffix in {".part", ".new"}]


def test_failed_photos_of_a_report_are_read_again(tmp_path: Path) -> None:
    photo(tmp_path / "photos" / "a.jpg")
    (tmp_path / "photos" / "b.jpg").write_bytes(b"half a photo")
    options = ["--html", tmp_path / "a.html", "--output", tmp_path / "a.jsonl"]
    assert call("run", tmp_path / "photos", *options).exit_code == 1
    photo(tmp_path / "photos" / "b.jpg")
    assert call("run", tmp_path / "photos", *options, "--retry-failed").exit_code == 0
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("<article") == 2 and 'data-state="failed"' not in page and page.endswith("</html>\n")


def test_ids_of_hocr_stay_unique_when_photos_are_read_again(tmp_path: Path) -> None:
    for letter in "acd":
        photo(tmp_path / "photos" / f"{letter}.jpg")
    (tmp_path / "photos" / "b.jpg").write_bytes(b"half a photo")
    options = ["--output", tmp_path / "a.hocr"]
    call("run", tmp_path / "photos", *options)
    for letter in "be":
        photo(tmp_path / "photos" / f"{letter}.jpg")
        call("run", tmp_path / "photos", *options, "--retry-failed")
    identifiers = re.findall(r'id="(\w+)"', (tmp_path / "a.hocr").read_text(encoding="utf-8"))
    assert len(identifiers) == len(set(identifiers)) and sum(name.startswith("page") for name in identifiers) == 5


def test_alto_of_other_programs_and_photos_is_never_replaced(tmp_path: Path) -> None:
    photo(tmp_path / "photos" / "a.jpg")
    folder = tmp_path / "alto"
    folder.mkdir()
    (folder / "a.xml").write_text("<alto>another program's</alto>")
    assert call("run", tmp_path / "photos", "--output", folder, "--format", "alto", "--resume").exit_code == 0
    assert (folder / "a.xml").read_text() == "<alto>another program's</alto>" and (folder / "a~2.xml").exists()
    one = tmp_path / "one.xml"
    other = photo(tmp_path / "b.jpg")
    call("run", other, "--output", one)
    before = one.read_bytes()
    result = call("run", tmp_path / "photos" / "a.jpg", "--output", one, "--resume")
    assert result.exit_code == 2 and "is of another photo" in result.stderr and one.read_bytes() == before
    assert "1 were there already" in call("run", other, "--output", one, "--resume").stderr


def test_parquet_of_a_killed_run_is_not_dropped_unasked(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    for letter in "ab":
        photo(tmp_path / "photos" / f"{letter}.jpg")
    output = tmp_path / "out.parquet"
    rows_before = tmp_path / "out.parquet.part"
    call("run", tmp_path / "photos" / "a.jpg", "--output", tmp_path / "a.jsonl")
    rows_before.write_bytes((tmp_path / "a.jsonl").read_bytes() + b'{"schema":"sign')
    result = call("run", tmp_path / "photos", "--output", output)
    assert result.exit_code == 2 and "rows of an interrupted run" in result.stderr and rows_before.exists()
    result = call("run", tmp_path / "photos", "--output", output, "--resume")
    assert result.exit_code == 0 and "1 were there already" in result.stderr and not rows_before.exists()
    assert in_output(tmp_path, "parquet") == ["a.jpg", "b.jpg"]
    # Killed between the new file and the removal of the rows that went into it.
    rows_before.write_bytes((tmp_path / "a.jsonl").read_bytes())
    photo(tmp_path / "photos" / "c.jpg")
    assert call("run", tmp_path / "photos", "--output", output, "--resume").exit_code == 0
    assert in_output(tmp_path, "parquet") == ["a.jpg", "b.jpg", "c.jpg"]
    other = tmp_path / "other.parquet"
    other.write_bytes(b"PAR1 of another kind")
    result = call("run", tmp_path / "photos", "--output", other, "--resume")
    assert result.exit_code == 2 and "cannot go on" in result.stderr


def test_pictures_are_replaced_only_when_asked(tmp_path: Path) -> None:
    path = photo(tmp_path / "photos" / "a.jpg", (200, 150))
    drawn = tmp_path / "drawn.png"
    drawn.write_bytes(b"a person's own picture")
    result = call("run", path, "--annotate", drawn)
    assert result.exit_code == 2 and "already there; --overwrite" in result.stderr and not cli_fake.FakeReader.made
    assert drawn.read_bytes() == b"a person's own picture"
    folder = tmp_path / "drawn"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"mine")
    assert call("run", tmp_path / "photos", "--annotate", folder).exit_code == 2
    assert call("run", path, "--annotate", drawn, "--overwrite").exit_code == 0
    assert Image.open(drawn).size == (200, 150)
    # A resumed run leaves what is there, and knows its own picture again.
    rows_path = tmp_path / "a.jsonl"
    for _ in range(2):
        rows_path.unlink(missing_ok=True)
        assert call("run", path, "--annotate", folder, "--output", rows_path, "--resume").exit_code == 0
    assert sorted(file.name for file in folder.iterdir()) == ["a.jpg", "a~2.jpg"]
    assert (folder / "a.jpg").read_bytes() == b"mine" and Image.open(folder / "a~2.jpg").size == (200, 150)


def test_pictures_that_are_missing_are_drawn_by_a_resumed_run(tmp_path: Path) -> None:
    photo(tmp_path / "photos" / "a.jpg")
    (tmp_path / "photos" / "b.jpg").write_bytes(b"half a photo")
    output, folder = tmp_path / "a.jsonl", tmp_path / "drawn"
    call("run", tmp_path / "photos", "--output", output)
    call("run", tmp_path / "photos", "--output", output, "--annotate", folder, "--resume")
    assert (folder / "a.jpg").exists() and len(rows(output)) == 2


def test_a_picture_that_cannot_be_drawn_costs_nothing_else(tmp_path: Path) -> None:
    photo(tmp_path / "photos" / "long.png", (17_000, 20))  # WebP ends at 16,383 pixels
    photo(tmp_path / "photos" / "next.jpg")
    output, drawn = tmp_path / "a.jsonl", tmp_path / "x.webp"
    result = call("run", tmp_path / "photos" / "long.png", "--output", output, "--annotate", drawn)
    assert result.exit_code == 1 and result.stderr.count("\n") == 2 and "long.png: not annotated, " in result.stderr
    assert [row["error"] for row in rows(output)] == [None] and not drawn.exists()


@pytest.mark.parametrize("command", ["run", "convert"])
def test_a_dash_is_standard_output(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = photo(tmp_path / "stop.jpg")
    call("run", path, "--output", "a.jsonl")
    source = path if command == "run" else "a.jsonl"
    for options in (["-o", "-"], ["--output", "-"]):
        assert call(command, source, *options).stdout == "stop\n"
        assert "stop" in call(command, source, *options, "--format", "csv").stdout
    assert not (tmp_path / "-").exists()
    assert call("run", path, "-o", "-", "--resume").exit_code == 2
    for option in ("--annotate", "--html"):
        result = call("run", path, option, "-")
        assert result.exit_code == 2 and "must be a file" in result.stderr


def test_csv_that_no_spreadsheet_takes_for_formulas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.jpg", "+91 98100.jpg", "-5.jpg", "@home.jpg", "'=2.jpg", "'plain.jpg", "plain.jpg"]
    for name in names:
        photo(tmp_path / name)
    for _ in range(2):
        call("run", "--output", "a.csv", "--csv-safe", "--resume", "--", *names)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["source"] for row in found] == [
        "'=1+1.jpg", "'+91 98100.jpg", "'-5.jpg", "'@home.jpg", "''=2.jpg", "'plain.jpg", "plain.jpg"
    ]  # fmt: skip
    assert [row["text"] for row in found][:2] == ["'=1+1", "'+91 98100"]
    assert not any(value[:1] in "=+-@" for row in found for value in row.values() if value)
    call("run", "--output", "b.csv", "--", *names)
    assert "\n=1+1.jpg," in (tmp_path / "b.csv").read_text()
    call("run", "--output", "a.jsonl", "--", *names)
    assert call("convert", "a.jsonl", "--output", "c.csv", "--csv-safe").exit_code == 0
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()
    assert call("run", "plain.jpg", "--csv-safe").exit_code == 2
    assert call("convert", "a.jsonl", "--csv-safe").exit_code == 2


def test_a_fault_of_the_program_loses_nothing_and_is_one_line(tmp_path: Path) -> None:
    for name in ("a", "bug", "c"):
        photo(tmp_path / "photos" / f"{name}.jpg")
    output = tmp_path / "a.jsonl"
    result = call("run", tmp_path / "photos", "--output", output)
    assert result.exit_code == 1 and result.stderr.count("\n") == 1
    assert "failed after 1 photos" in result.stderr and "ZeroDivisionError: by a bug" in result.stderr
    assert "--debug" in result.stderr and [Path(source).name for source in sources(output)] == ["a.jpg"]
    command = [*FAKE, "run", str(tmp_path / "photos"), "--output", str(output), "--resume", "--debug"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 1 and "cli_fake.py" in done.stderr and "Traceback" in done.stderr


def test_debug_says_where_a_photo_failed(tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    path.write_bytes(seeds()["rgb.png"][:-60])
    assert call("run", path).stderr.count("\n") == 1
    command = [*FAKE, "run", str(path), "--debug"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 1 and "Traceback" in done.stderr and "photo.py" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("signboard: ")


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 here")
@pytest.mark.parametrize("name", outputs.FORMATS)
def test_killed_and_resumed_every_photo_is_there_once(name: str, tmp_path: Path) -> None:
    """A kill at a random moment; scripts/fuzz_resume.py does many."""
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    killed_and_resumed(name, tmp_path, count=24, kills=1, rng=random.Random(name))


class Run:
    """A run in a process of its own that waits before photo number `hold` until it is told to go on."""

    def __init__(self, gate: Path, arguments: Sequence[str | Path], hold: int = -1) -> None:
        self.gate = gate
        gate.unlink(missing_ok=True)
        environment = os.environ | {"SIGNBOARD_FAKE_HOLD": str(hold), "SIGNBOARD_FAKE_GATE": str(gate)}
        command = [*FAKE, *(str(argument) for argument in arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)

    def wait_for_rows(self, path: Path, count: int) -> None:
        """Until so many rows are written and the reader waits before the next photo."""
        end = time.monotonic() + 300
        while time.monotonic() < end and self.process.poll() is None:
            held = self.gate.with_suffix(".held").exists()
            if held and path.exists() and path.read_bytes().count(b"\n") >= count:
                return
            time.sleep(0.02)
        self.process.kill()
        raise AssertionError(f"no {count} rows: {self.process.communicate()!r}")

    def go_on(self) -> None:
        self.gate.touch()

    def finish(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=300)
        text = errors.decode("utf-8", "replace")
        assert "Traceback" not in text and "Exception ignored" not in text, text
        return self.process.returncode, text


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for number in range(12):
        photo(tmp_path / "many" / f"{number:03}.jpg", (32, 32))
    return tmp_path / "many"


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 here")
def test_kill_9_then_resume_loses_and_doubles_nothing(many: Path, tmp_path: Path) -> None:
    output, gate = tmp_path / "signs.jsonl", tmp_path / "gate"
    for there in (3, 8):
        resume = ["--resume"] if output.exists() else []
        done = len(sources(output)) if resume else 0
        run = Run(gate, ["run", many, "--tile", "--output", output, *resume], hold=there - done)
        run.wait_for_rows(output, there)
        run.process.kill()
        run.process.communicate()
        assert len(sources(output)) == there
    # Half a row, as a crash in the middle of a write leaves it.
    with output.open("ab") as file:
        file.write(b'{"schema":"signboard/1","source":"half')
    code, errors = Run(gate, ["run", many, "--output", output, "--resume"]).finish()
    assert code == 0 and "4 read, 0 empty, 0 failed" in errors and "8 were there already" in errors
    assert sources(output) == [str(path) for path in sorted(many.iterdir())]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_finish_the_photo_in_hand(number: signal.Signals, many: Path, tmp_path: Path) -> None:
    output, gate = tmp_path / "signs.jsonl", tmp_path / "gate"
    run = Run(gate, ["run", many, "--output", output], hold=4)
    run.wait_for_rows(output, 4)
    run.process.send_signal(number)
    run.go_on()
    code, errors = run.finish()
    assert code == 128 + number and errors.count("\n") == 1
    assert "interrupted after 5 photos, 7 left" in errors and "--resume" in errors
    assert sources(output) == [str(path) for path in sorted(many.iterdir())[:5]]
    assert call("run", many, "--output", output, "--resume").exit_code == 0
    assert sources(output) == [str(path) for path in sorted(many.iterdir())]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
def test_a_second_signal_stops_at_once(many: Path, tmp_path: Path) -> None:
    output = tmp_path / "signs.jsonl"
    run = Run(tmp_path / "gate", ["run", many, "--output", output], hold=2)
    run.wait_for_rows(output, 2)
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(timeout=300) == -signal.SIGINT
    run.process.communicate()
    assert len(sources(output)) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="locks are another matter there")
def test_two_runs_onto_one_file(many: Path, tmp_path: Path) -> None:
    output = tmp_path / "signs.jsonl"
    first = Run(tmp_path / "gate", ["run", many, "--output", output], hold=3)
    first.wait_for_rows(output, 3)
    for option in ("--resume", "--overwrite"):
        result = call("run", many, "--output", output, option)
        assert result.exit_code == 2 and "another run is writing to it" in result.stderr
        assert result.stderr.count("\n") == 1
    first.go_on()
    assert first.finish()[0] == 0
    assert sources(output) == [str(path) for path in sorted(many.iterdir())]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line(many: Path) -> None:
    result = call("run", many, "--output", "/dev/full", "--format", "jsonl")
    assert result.exit_code == 1 and result.stderr == "signboard: /dev/full: disk full\n"
    with Path("/dev/full").open("wb") as full:
        command = [*FAKE, "run", str(many), "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=300, check=False)
    assert done.returncode == 1 and b"disk full" in done.stderr and done.stderr.count(b"\n") == 1
    for command in (["--version"], ["backbones"], ["translate", "थाना"]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run([*FAKE, *command], stdout=full, stderr=subprocess.PIPE, timeout=300, check=False)
        assert done.returncode == 1 and done.stderr == b"signboard: disk full\n", command


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("errors", ["2>&-", "2>/dev/full"])
def test_nowhere_to_complain_stops_no_run(street: Path, tmp_path: Path, errors: str) -> None:
    command = f'"$@" run {street} -o {tmp_path}/a.jsonl {errors}'
    done = subprocess.run(["bash", "-c", command, "", *FAKE], capture_output=True, timeout=300, check=False)
    assert done.returncode == 1 and done.stdout == b""
    assert sources(tmp_path / "a.jsonl") == [str(street / name) for name in ORDER]


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX closes the streams")
def test_closed_streams_are_said(tmp_path: Path) -> None:
    def closed(command: str) -> tuple[int, bytes]:
        done = subprocess.run(["bash", "-c", command, "", *FAKE], capture_output=True, timeout=300, check=False)
        return done.returncode, done.stderr

    path = photo(tmp_path / "stop.jpg")
    assert closed(f'"$@" run {path} >&-') == (1, b"signboard: standard output: bad file descriptor\n")
    assert closed('"$@" run - <&-') == (2, b"signboard: nothing to read: no photos in -\n")
    assert closed(f'"$@" run {path} -q -o {tmp_path}/a.jsonl >&-') == (0, b"")
    assert sources(tmp_path / "a.jsonl") == [str(path)]


def test_names_that_the_system_refuses_are_said(tmp_path: Path) -> None:
    path, long = photo(tmp_path / "stop.jpg"), tmp_path / ("x" * 300)
    call("run", path, "-o", tmp_path / "a.jsonl")
    for arguments in (
        ("run", path, "-o", f"{long}.jsonl"),
        ("run", path, "-o", f"{long}.parquet"),
        ("run", path, "--annotate", f"{long}.jpg"),
        ("run", f"{long}.mp4"),
        ("convert", tmp_path / "a.jsonl", "-o", f"{long}.csv"),
        ("merge", f"{long}.jsonl"),
    ):
        result = call(*arguments)
        assert result.exit_code == 2, arguments
        assert result.stderr.startswith(f"signboard: {long}.") and result.stderr.endswith(": file name too long\n")


def test_photos_with_long_names_are_no_less_photos(tmp_path: Path) -> None:
    folder, drawn, alto = tmp_path / "photos", tmp_path / "drawn", tmp_path / "alto"
    photo(folder / ("x" * 251 + ".jpg"))
    photo(folder / ("x" * 250 + "y.jpg"))
    photo(folder / ("y" * 255), format="PNG")
    for options in (["--annotate", drawn], ["--format", "alto", "-o", alto]):
        assert call("run", folder, *options).exit_code == 0
    assert len(list(drawn.iterdir())) == len(list(alto.iterdir())) == 3
    result = call("run", folder, "--format", "alto", "-o", alto, "--resume")
    assert result.exit_code == 0 and "3 were there already" in result.stderr and len(list(alto.iterdir())) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are another matter there")
def test_whoever_reads_the_output_may_go_away(many: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "gate", ["run", many, "--json"], hold=2)
    assert run.process.stdout is not None and run.process.stderr is not None
    run.process.stdout.readline()
    run.process.stdout.close()
    run.go_on()
    errors = run.process.stderr.read()
    run.process.stderr.close()
    assert run.process.wait(timeout=300) == 1 and errors == b""


# Start-up and progress ------------------------------------------------------------------------------------------------


def test_python_m_signboard(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "signboard", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0 and "Usage: signboard [OPTIONS] COMMAND" in done.stdout


def test_help_imports_no_network_library() -> None:
    code = (
        "import sys; sys.argv = ['signboard', '--help']\n"
        "from signboard.cli import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'numpy', 'PIL', 'cv2', 'pydantic') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "run" in done.stdout and "convert" in done.stdout and done.stderr == "[]\n"


def test_run_works_with_sockets_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert call("run", photo(tmp_path / "stop.jpg")).stdout == "stop\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(Terminal):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "input/output error")


def test_progress_says_rate_and_time_left() -> None:
    stream = Terminal()
    progress = Progress(2, shown=True, stream=stream)
    progress.step()
    progress.step()
    text = stream.getvalue()
    assert "1/2" in text and "2/2" in text and "photos/s" in text and "left" in text
    silent = Terminal()
    Progress(2, shown=False, stream=silent).step()
    assert silent.getvalue() == ""
    assert list(tracked(iter("ab"))) == ["a", "b"] and list(tracked([])) == []
    Progress(1, shown=True, stream=(gone := Gone())).step()
    Progress(1, shown=True, stream=gone).say("a line")
    resumed = Progress(10, shown=True, stream=(stream := Terminal()), unit="steps")
    resumed.begin(8)
    time.sleep(0.01)
    resumed.to(10)
    rate = float(re.search(r"10/10  ([\d.]+) steps/s", stream.getvalue())[1])  # type: ignore[index]
    assert rate < 201, "the eight that were done before count for nothing"
    assert [duration(seconds) for seconds in (0, 59.4, 60, 3599, 7380)] == ["0 s", "59 s", "1:00", "59:59", "2:03:00"]
    assert [speed(rate) for rate in (0.123, 4.56, 123.4)] == ["0.12", "4.6", "123"]
