"""Several processes read, and one that is killed loses no photo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from signboard import processes
from signboard.cli import app
from signboard.errors import ConfigError
from signboard.processes import ProcessError, ReaderProcesses
from signboard.reading import Reading

DEFAULTS = ReaderProcesses.__init__.__kwdefaults__ or {}
OPTIONS: dict[str, Any] = {"min_confidence": None, "translate": False}


def street(folder: Path, *special: str, count: int = 20) -> list[Path]:
    """Photos in `folder`, those with the names `special` in the middle."""
    folder.mkdir(exist_ok=True)
    names = [f"{number:02}.jpg" for number in range(count)]
    names[count // 2 : count // 2] = special
    for name in names:
        Image.new("RGB", (32, 32)).save(folder / name)
    return [folder / name for name in names]


def read(photos: list[Path], reader: str = "processes_fake:ProcessReader", count: int = 2) -> list[Reading]:
    with ReaderProcesses(count, OPTIONS, reader=reader) as pool:
        return list(pool.read_many(photos))


def test_readings_come_in_order_from_all_processes(tmp_path: Path) -> None:
    photos = street(tmp_path, "slow.jpg", count=40)
    (tmp_path / "07.jpg").write_bytes(b"no photo")
    readings = read(photos)
    assert [reading.source for reading in readings] == [str(photo) for photo in photos]
    assert [Path(r.source).name for r in readings if r.error is not None] == ["07.jpg"]
    assert [r.text for r in readings if r.error is None] == [p.stem for p in photos if p.name != "07.jpg"]
    assert len({reading.warnings for reading in readings}) == 2
    assert (str(os.getpid()),) not in {reading.warnings for reading in readings}


def test_no_photos_are_no_readings() -> None:
    assert read([]) == []


@pytest.mark.parametrize("count", [1, 2])
def test_a_process_that_dies_costs_its_photo_only(tmp_path: Path, count: int) -> None:
    photos = street(tmp_path, "deadly.jpg")
    readings = read(photos, count=count)
    assert [reading.source for reading in readings] == [str(photo) for photo in photos]
    (failed,) = (reading for reading in readings if reading.error is not None)
    assert failed.error == (
        f"{tmp_path / 'deadly.jpg'}: the process that read it was ended by SIGKILL, perhaps for want of memory"
    )


def test_a_process_that_dies_by_chance_costs_nothing(tmp_path: Path) -> None:
    photos = street(tmp_path, "once.jpg")
    readings = read(photos)
    assert [reading.text for reading in readings] == [photo.stem for photo in photos]
    assert (tmp_path / "once.mark").exists()
    # Nor where it had that photo alone.
    (tmp_path / "once.mark").unlink()
    (alone,) = read([tmp_path / "once.jpg"], count=1)
    assert alone.text == "once" and (tmp_path / "once.mark").exists()


def test_a_reader_that_fails_costs_its_photo_only(tmp_path: Path) -> None:
    photos = street(tmp_path, "bug.jpg")
    readings = read(photos)
    assert [r.error for r in readings if r.error is not None] == [
        f"{tmp_path / 'bug.jpg'}: the process that read it ended with code 1"
    ]
    assert len(readings) == 21


def test_a_reader_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^weights.json: not there$"):
        read(street(tmp_path), "processes_fake:unable")
    with pytest.raises(ProcessError, match="ended with code 3 before it could begin"):
        read(street(tmp_path), "processes_fake:stillborn")


def test_photos_are_drawn_as_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_AHEAD", 6)
    drawn = 0

    def draw() -> Any:
        nonlocal drawn
        for photo in street(tmp_path, count=40):
            drawn += 1
            yield photo

    with ReaderProcesses(2, OPTIONS, reader="processes_fake:ProcessReader") as pool:
        readings = pool.read_many(draw())
        for number in range(1, 41):
            next(readings)
            assert drawn <= number + 6
        assert next(readings, None) is None


def test_streams_one_after_the_other_and_one_left_early(tmp_path: Path) -> None:
    photos = street(tmp_path, *(f"slow{number}.jpg" for number in range(6)), count=30)
    with ReaderProcesses(2, OPTIONS, reader="processes_fake:ProcessReader") as pool:
        first, second = list(pool.read_many(photos[:7])), list(pool.read_many(photos[7:]))
        assert [reading.text for reading in first + second] == [photo.stem for photo in photos]
        assert len({reading.warnings for reading in second}) == 2
        pids = {int(reading.warnings[0]) for reading in second}
        third = pool.read_many(photos)
        assert next(third).text == "00"
        third.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_command_reads_in_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ReaderProcesses.__init__, "__kwdefaults__", {**DEFAULTS, "reader": "processes_fake:ProcessReader"}
    )
    photos = street(tmp_path / "photos", "deadly.jpg")
    result = CliRunner().invoke(app, ["run", str(tmp_path / "photos"), "--processes", "2", "--format", "csv"])
    assert result.exit_code == 1
    assert "deadly.jpg: the process that read it was ended by SIGKILL" in result.stderr
    assert f"{len(photos) - 1} read, 0 empty, 1 failed" in result.stderr
    rows = [line for line in result.stdout.splitlines()[1:] if line]
    assert len(rows) == len(photos)


@pytest.mark.parametrize(("device", "count"), [("cpu", 2), ("cuda", 1)])
def test_more_than_one_only_on_a_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, count: int
) -> None:
    monkeypatch.setenv("SIGNBOARD_FAKE_DEVICE", device)
    photos = street(tmp_path, *(f"slow{number}.jpg" for number in range(8)), count=40)
    with ReaderProcesses(2, OPTIONS, on_cpu_only=True, reader="processes_fake:ProcessReader") as pool:
        readings = list(pool.read_many(photos))
    assert [reading.text for reading in readings] == [photo.stem for photo in photos]
    assert len({reading.warnings for reading in readings}) == count


@pytest.mark.parametrize(("batch_size", "largest"), [("auto", 8), (3, 8), (20, 20)])
def test_a_process_takes_as_many_photos_as_go_through_the_networks_together(
    tmp_path: Path, batch_size: int | str, largest: int
) -> None:
    photos = street(tmp_path, count=60)
    with ReaderProcesses(1, OPTIONS, batch_size=batch_size, reader="processes_fake:ProcessReader") as pool:
        groups = [reading.metadata["group"] for reading in pool.read_many(photos)]
    assert groups[:7] == [1, 2, 2, 4, 4, 4, 4] and groups[7] == largest


def test_how_many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "usable_cores", lambda: 8)
    free: list[int | None] = [64_000_000_000, 7_000_000_000, 500_000_000, None]
    monkeypatch.setattr(processes, "free_memory", lambda: free[0])
    assert [processes.choose_processes(photos) for photos in (1, 63, 64, 10**6)] == [1, 1, 8, 8]
    found = []
    while free:
        found.append(processes.choose_processes(1000))
        free.pop(0)
    assert found == [8, 4, 1, 2]


@pytest.mark.parametrize("option", [["--ray"], ["--sequence"]])
def test_what_goes_with_one_process_only(tmp_path: Path, option: list[str]) -> None:
    street(tmp_path / "photos")
    result = CliRunner().invoke(app, ["run", str(tmp_path / "photos"), "--processes", "2", *option])
    assert result.exit_code == 2 and "--processes" in result.stderr
