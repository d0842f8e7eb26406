"""Files are valid after every photo, locked, repaired after a crash, and say clearly why they cannot be written."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from output_samples import NAMES, empty, failed, reading

from signboard.output import formats, html, jsonl
from signboard.output.sink import (
    FileSink,
    OutputError,
    OutputExistsError,
    StreamSink,
    TextFormat,
    WriteOptions,
    unique_names,
    write_whole,
)
from signboard.reading import Reading

REPORT = html.report(lambda reading: None if reading.error else b"\xff\xd8picture")


def parse_html(data: bytes) -> None:
    text = data.decode("utf-8")
    assert text.endswith("</html>\n") and text.count("<article") == text.count("</article>")


def parse_csv(data: bytes) -> None:
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))
    assert all(None not in row and None not in row.values() for row in rows)


PARSERS: dict[str, Callable[[bytes], Any]] = {
    "jsonl": lambda data: [json.loads(line) for line in data.splitlines()],
    "csv": parse_csv,
    "text": lambda data: data.decode("utf-8"),
    "hocr": ElementTree.fromstring,
    "geojson": json.loads,
    "html": parse_html,
}
FILES = [form for form in formats.FORMATS.values() if not form.one_photo_a_file] + [REPORT]


def several() -> list[Reading]:
    return [empty(), reading(), failed(), *(reading(name) for name in NAMES if "\udcff" not in name)]


def by_name(form: TextFormat) -> str:
    return form.name


@pytest.mark.parametrize("form", FILES, ids=by_name)
def test_the_file_is_valid_after_every_photo(form: TextFormat, tmp_path: Path) -> None:
    path = tmp_path / "out"
    sink = FileSink(form, path)
    PARSERS[form.name](path.read_bytes())
    for item in several():
        sink.write(item)
        PARSERS[form.name](path.read_bytes())
    sink.close()


@pytest.mark.parametrize("form", FILES, ids=by_name)
@pytest.mark.parametrize("lost", [0, 1, 7, 60, 400])
def test_resume_repairs_what_a_crash_left(form: TextFormat, lost: int, tmp_path: Path) -> None:
    items = several()
    whole = tmp_path / "whole"
    sink = FileSink(form, whole)
    for item in items:
        sink.write(item)
    sink.close()
    # A crash in the middle of writing: the first four photos, and the end of the file is missing.
    path = tmp_path / "out"
    sink = FileSink(form, path)
    for item in items[:4]:
        sink.write(item)
    sink.close()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - lost])
    sink = FileSink(form, path, WriteOptions(resume=True))
    done = [item for item in items if sink.has(item.source)]
    if form.name == "geojson" and lost:
        # Photos without text are noted at the end of a complete file only, and read again after a crash.
        assert not sink.has(empty().source)
        done.insert(0, empty())
        sink.write(empty())
    assert done == items[: len(done)] and len(done) >= 2
    for item in items[len(done) :]:
        sink.write(item)
    sink.close()
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("form", FILES, ids=by_name)
def test_resume_of_every_prefix_of_a_small_file(form: TextFormat, tmp_path: Path) -> None:
    path = tmp_path / "out"
    sink = FileSink(form, path)
    sink.write(reading())
    sink.close()
    data = path.read_bytes()
    step = max(1, len(data) // 40)
    for size in [*range(0, len(data), step), len(data)]:
        path.write_bytes(data[:size])
        sink = FileSink(form, path, WriteOptions(resume=True))
        if not sink.has(reading().source):
            sink.write(reading())
        sink.close()
        assert path.read_bytes() == data


@pytest.mark.parametrize("form", FILES, ids=by_name)
@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n", b'{"a": 1}\n', b"no newline at the end", b"\xff\xd8\xff\xe0 a photo"]
)
def test_resume_refuses_a_file_of_another_format(form: TextFormat, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(content)
    with pytest.raises(OutputError, match="cannot go on") as caught:
        FileSink(form, path, WriteOptions(resume=True))
    assert path.read_bytes() == content and "\n" not in str(caught.value)


def test_results_are_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = FileSink(jsonl.FORMAT, path)
    sink.write(reading())
    sink.close()
    before = path.read_bytes()
    with pytest.raises(OutputExistsError, match="--overwrite"):
        FileSink(jsonl.FORMAT, path)
    assert path.read_bytes() == before
    sink = FileSink(jsonl.FORMAT, path, WriteOptions(overwrite=True))
    sink.write(empty())
    sink.close()
    assert [item.source for item in jsonl.read_jsonl(path)] == [empty().source]


def test_an_empty_file_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").touch()
    FileSink(jsonl.FORMAT, tmp_path / "out.jsonl").close()


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_run_is_refused(resume: bool, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = FileSink(jsonl.FORMAT, path)
    sink.write(reading())
    with pytest.raises(OutputError, match="another run"):
        FileSink(jsonl.FORMAT, path, WriteOptions(resume=resume, overwrite=not resume))
    sink.write(empty())
    sink.close()
    assert len(list(jsonl.read_jsonl(path))) == 2
    FileSink(jsonl.FORMAT, path, WriteOptions(resume=True)).close()


def test_paths_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, words in (
        (tmp_path / "no" / "such" / "a.jsonl", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "file" / "a.jsonl", "cannot be written"),
        (tmp_path / ("x" * 300), "cannot be written"),
    ):
        with pytest.raises(OutputError, match=words) as caught:
            FileSink(jsonl.FORMAT, path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied")

    # Not with chmod: the tests may run as root, which may write everywhere.
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match="cannot be written, permission denied"):
        FileSink(jsonl.FORMAT, tmp_path / "a.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_device_is_a_clear_error() -> None:
    with pytest.raises(OutputError, match="disk full"), Path("/dev/full").open("wb", buffering=0) as stream:
        StreamSink(jsonl.FORMAT, stream).write(reading())


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes here")
@pytest.mark.parametrize("form", ["jsonl", "csv", "hocr", "geojson"])
def test_a_file_that_can_grow_no_more_stays_valid(form: str, tmp_path: Path) -> None:
    """A limit on the file's size fails like a full disk does: in the middle of a write."""
    path = tmp_path / "out"
    code = f"""
        import resource, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from output_samples import reading
        from signboard.output.formats import FORMATS
        from signboard.output.sink import FileSink, OutputError
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        sink = FileSink(FORMATS[{form!r}], Path({str(path)!r}))
        for number in range(100):
            try:
                sink.write(reading(f"{{number}}.jpg"))
            except OutputError as error:
                print(number, error)
                break
        sink.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120, check=True
    )
    number, _, message = done.stdout.strip().partition(" ")
    assert "too large" in message and "what was written before is whole" in message
    data = path.read_bytes()
    PARSERS[form](data)
    assert int(number) >= 1 and len(data) <= 6000
    assert data.count(f"{int(number) - 1}.jpg".encode()) and not data.count(f"{number}.jpg".encode())
    if form == "jsonl":
        assert [item.source for item in jsonl.read_jsonl(path)] == [f"{index}.jpg" for index in range(int(number))]


def test_names_are_unique_on_any_file_system() -> None:
    names = {"1": "a/x.jpg", "2": "a/X.jpg", "3": "b/x.jpg", "4": "a/x.jpg", "5": "a/x~2.jpg"}
    assert unique_names(names) == {
        "1": "a/x.jpg", "2": "a/X~2.jpg", "3": "b/x.jpg", "4": "a/x~3.jpg", "5": "a/x~2~2.jpg"
    }  # fmt: skip


def test_long_names_leave_room_for_a_number_and_the_ending_of_a_part(tmp_path: Path) -> None:
    names = {"1": "a/" + "x" * 251 + ".xml", "2": "a/" + "x" * 250 + "y.xml", "3": "थ" * 85}
    unique = unique_names(names)
    assert len(set(unique.values())) == 3 and unique["1"].endswith("x.xml") and unique["2"].endswith("~2.xml")
    for name in unique.values():
        write_whole(tmp_path / name, b"whole")
    with pytest.raises(OutputError, match="name too long"):
        write_whole(tmp_path / names["1"], b"whole")


def test_a_file_does_not_get_the_name_of_a_folder() -> None:
    names = {"1": "x.jpg", "2": "X.jpg/in.jpg", "3": "b/c.jpg", "4": "b/c.jpg/d/in.jpg"}
    assert unique_names(names) == {"1": "x~2.jpg", "2": "X.jpg/in.jpg", "3": "b/c~2.jpg", "4": "b/c.jpg/d/in.jpg"}


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders there")
def test_no_file_takes_the_place_of_a_device(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for write in (
        lambda: write_whole(pipe, b"whole"),
        lambda: FileSink(jsonl.FORMAT, pipe, WriteOptions(overwrite=True)),
    ):
        with pytest.raises(OutputError, match="is not a regular file"):
            write()
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


# Parquet --------------------------------------------------------------------------------------------------------------


def test_parquet_rows_are_the_json_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    from signboard.output.parquet import ParquetSink

    path = tmp_path / "signs.parquet"
    with pytest.raises(OutputError, match="is not a regular file"):
        ParquetSink(Path(os.devnull), WriteOptions(resume=True))
    items = [reading(), empty(), failed(), reading(NAMES[3])]
    sink = ParquetSink(path)
    with pytest.raises(OutputError, match="another run"):
        ParquetSink(path, WriteOptions(overwrite=True))
    for item in items:
        sink.write(item)
    assert not path.exists()
    sink.close()
    sink.close()
    rows = parquet.read_table(path).to_pylist()
    assert len(rows) == 4 and list(tmp_path.iterdir()) == [path]
    expected = jsonl.to_dict(reading())
    assert rows[0]["latitude"] is None and rows[0]["time"] == "2024-03-09T06:07:08Z"
    assert rows[0]["text"] == expected["text"] and rows[0]["warnings"] == expected["warnings"]
    first, wanted = rows[0]["signs"][0]["lines"][0], expected["signs"][0]["lines"][0]
    assert first["translation"] == wanted["translation"]
    assert [word["text"] for word in first["words"]] == [word["text"] for word in wanted["words"]]
    assert first["words"][0]["polygon"][1] == pytest.approx(wanted["words"][0]["polygon"][1], abs=1e-3)
    assert rows[1]["signs"] == [] and "truncated" in rows[2]["error"] and "\\udcff" in rows[3]["source"]
    with pytest.raises(OutputExistsError):
        ParquetSink(path)
    again = ParquetSink(path, WriteOptions(overwrite=True, position=True))
    again.write(reading())
    again.close()
    assert parquet.read_table(path).to_pylist()[0]["latitude"] == 28.6139


def test_parquet_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from signboard.output.parquet import ParquetSink

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match=r"pip install 'signboard\[parquet\]'"):
        ParquetSink(tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())
