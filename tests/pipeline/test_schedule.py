"""When photos go through the stages: order, threads, windows, and failures that stay with their photo. No networks."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from signboard.errors import PhotoError, ReadingError
from signboard.photo import Photo
from signboard.pipeline import schedule as schedule_module
from signboard.pipeline.schedule import Schedule
from signboard.reading import Reading


class Stages:
    """Finds a photo's mean grey, and reads it as the photo's warning; notes who did what to how many."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, str]] = []

    def find(self, photos: Sequence[Photo]) -> list[int]:
        self.calls.append(("find", len(photos), threading.current_thread().name))
        return [round(float(photo.pixels.mean())) for photo in photos]

    def read(self, photos: Sequence[Photo], found: Sequence[int]) -> list[Reading]:
        self.calls.append(("read", len(photos), threading.current_thread().name))
        return [Reading(p.source, p.width, p.height, warnings=(str(f),)) for p, f in zip(photos, found, strict=True)]

    def counts(self, stage: str) -> list[int]:
        return [count for name, count, _ in self.calls if name == stage]


def make(stages: Stages, **options: Any) -> Schedule[int]:
    settings = {"device": torch.device("cpu"), "decode_side": None, "window": 4, "ahead": False} | options
    return Schedule(stages.find, stages.read, **settings)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten grey pictures of different sizes: number i has the grey 20 i."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(10):
        Image.new("RGB", (40 + i, 30), (20 * i,) * 3).save(folder / f"{i}.png")
    return sorted(folder.iterdir())


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two processor threads, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def greys(readings: Sequence[Reading]) -> list[str]:
    return [reading.error or reading.warnings[0] for reading in readings]


class Gone(Exception):
    pass


RIGHT = [str(20 * i) for i in range(10)]
WAYS = [{"window": None}, {"window": 1}, {"window": 3}, {"window": None, "workers": 1}]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ahead", [False, True])
def test_photos_before_a_failure_of_their_source_are_read(photos: list[Path], way: dict[str, Any], ahead: bool) -> None:
    def camera() -> Iterator[Path]:
        yield from photos[:7]
        raise Gone

    readings = []
    with pytest.raises(Gone):
        readings.extend(make(Stages(), ahead=ahead).many(camera(), **way))
    assert greys(readings) == RIGHT[:7]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ahead", [False, True])
def test_readings_come_in_the_order_of_the_photos(photos: list[Path], way: dict[str, Any], ahead: bool) -> None:
    readings = list(make(Stages(), ahead=ahead).many(iter(photos), **way))
    assert [r.source for r in readings] == [str(p) for p in photos]
    assert greys(readings) == RIGHT


@pytest.mark.usefixtures("two_threads")
def test_on_a_processor_two_threads_read_groups_side_by_side(photos: list[Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    stages = Stages()
    met = threading.Barrier(2, timeout=30)  # broken, an error, unless two photos are in hand at once
    find = stages.find

    def together(opened: Sequence[Photo]) -> list[int]:
        assert torch.get_num_threads() == 1
        if opened[0].source in (str(photos[0]), str(photos[1])):
            met.wait()
        return find(opened)

    stages.find = together  # type: ignore[method-assign]
    readings = list(make(stages).many(iter([photos[0], photos[1], empty, *photos[2:]]), workers=2))
    assert "empty" in (readings[2].error or "")
    assert greys([*readings[:2], *readings[3:]]) == RIGHT
    names = {name for stage, _, name in stages.calls}
    assert len(names) == 2 and all(name.startswith("signboard-read") for name in names)
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_groups_hold_fewer_photos_of_many_pixels(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    stages = Stages()
    assert greys(list(make(stages).many(iter(photos), workers=2))) == RIGHT
    assert max(stages.counts("read")) > 1
    stages = Stages()
    monkeypatch.setattr(schedule_module, "_GROUP_PIXELS", 1)
    assert greys(list(make(stages).many(iter(photos), workers=2))) == RIGHT
    assert stages.counts("read") == [1] * 10
    stages = Stages()
    monkeypatch.undo()
    assert greys(list(make(stages, one_by_one=True).many(iter(photos), workers=2))) == RIGHT
    assert stages.counts("find") == [1] * 10


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("way", "asked", "most"),
    [
        ({"window": None, "workers": 2}, 1, 6),  # a photo for each thread, then two for each
        ({"window": 2}, 6, 12),
    ],
)
def test_photos_are_drawn_as_needed_and_a_stream_can_be_left(
    photos: list[Path], way: dict[str, Any], asked: int, most: int
) -> None:
    drawn = 0

    def endless() -> Iterator[Path]:
        nonlocal drawn
        while True:
            drawn += 1
            yield photos[drawn % 10]

    stream = make(Stages()).many(endless(), **way)
    for _ in range(asked):
        next(stream)
    assert drawn <= most
    stream.close()  # type: ignore[attr-defined]
    assert drawn <= most and torch.get_num_threads() == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("signboard-")]


def test_photos_that_wait_are_bounded_by_their_pixels(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_module, "_AHEAD_PIXELS", 4 * 1500)
    monkeypatch.setattr(schedule_module, "_PIXELS_UNSEEN", 1500)
    stages = Stages()
    assert greys(list(make(stages).many(iter(photos), window=8, workers=1))) == RIGHT
    assert max(stages.counts("find")) <= 5
    monkeypatch.setattr(schedule_module, "_AHEAD_PIXELS", 1)  # one photo may always wait
    assert greys(list(make(stages).many(iter(photos), window=8, workers=1))) == RIGHT


def test_words_are_found_one_window_ahead_in_one_thread_for_all_streams(photos: list[Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()
    several = [photos[4], empty, photos[1], photos[4], empty]
    stages = Stages()
    schedule = make(stages, ahead=True)
    for _ in range(2):
        assert [r.warnings for r in schedule.many(iter(several), window=2)] == [("80",), (), ("20",), ("80",), ()]
    assert sorted(stages.counts("find")) == sorted(stages.counts("read"))
    finders = {name for stage, _, name in stages.calls if stage == "find"}
    assert finders == {"signboard-find_0"}
    assert {name for stage, _, name in stages.calls if stage == "read"} == {threading.current_thread().name}


def test_the_next_window_is_searched_while_one_is_read(photos: list[Path]) -> None:
    stages, begun = Stages(), threading.Semaphore(0)
    find, read = stages.find, stages.read

    def noted(some: Sequence[Photo]) -> list[int]:
        begun.release()
        return find(some)

    def waiting(some: Sequence[Photo], found: Sequence[int]) -> list[Reading]:
        # Before the first window is read, the search of the second one has begun, and so on.
        first, last = some[0].source == str(photos[0]), some[-1].source == str(photos[9])
        assert all(begun.acquire(timeout=10) for _ in range(2 if first else 0 if last else 1))
        return read(some, found)

    stages.find, stages.read = noted, waiting  # type: ignore[method-assign]
    assert greys(list(make(stages, ahead=True).many(iter(photos), window=2))) == RIGHT


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("stage", ["find", "read"])
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_photo_on_which_a_stage_fails_is_a_row_of_its_own(
    photos: list[Path], stage: str, ahead: bool, way: dict[str, Any]
) -> None:
    stages = Stages()
    work = getattr(stages, stage)

    def failing(some: Sequence[Photo], *rest: Any) -> list[Any]:
        if any(photo.source == str(photos[6]) for photo in some):
            raise IndexError("list index\nout of range")
        return work(some, *rest)  # type: ignore[no-any-return]

    setattr(stages, stage, failing)
    readings = list(make(stages, ahead=ahead).many(iter(photos), **way))
    bad = readings.pop(6)
    assert bad.error == f"{photos[6]}: reading failed, IndexError: list index out of range"
    assert (bad.source, bad.width, bad.height, bad.signs) == (str(photos[6]), 46, 30, ())
    assert greys(readings) == RIGHT[:6] + RIGHT[7:]


def test_reading_one_photo_raises_with_its_cause(photos: list[Path]) -> None:
    stages = Stages()
    schedule = make(stages)
    assert schedule.one(photos[3]).warnings == ("60",)
    with pytest.raises(PhotoError, match=r"nowhere\.jpg"):
        schedule.one("nowhere.jpg")
    schedule.read = lambda photos, found: [][0]
    with pytest.raises(ReadingError, match=r"3\.png: reading failed, IndexError") as caught:
        schedule.one(photos[3])
    assert isinstance(caught.value.__cause__, IndexError)
    schedule.find = lambda photos: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(ReadingError, match="too large for the memory"):
        schedule.one(photos[3])


def test_what_is_no_photo_is_a_row_too(photos: list[Path]) -> None:
    odd: list[Any] = [photos[1], None, np.zeros((3, 3, 7)), "", photos[2]]
    readings = list(make(Stages()).many(iter(odd), window=2))
    assert [bool(r.error) for r in readings] == [False, True, True, True, False]
    assert greys([readings[0], readings[4]]) == ["20", "40"]


def test_interrupts_are_not_swallowed(photos: list[Path]) -> None:
    stages = Stages()

    def interrupted(some: Sequence[Photo]) -> list[int]:
        raise KeyboardInterrupt

    stages.find = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        list(make(stages).many(iter(photos), window=2))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_reads_with_one_thread(photos: list[Path]) -> None:
    stages = Stages()

    def find(some: Sequence[Photo]) -> list[int]:
        torch.ones(600, 600) @ torch.ones(600, 600)
        return Stages().find(some)

    stages.find = find  # type: ignore[method-assign]
    schedule = make(stages)
    assert greys(list(schedule.many(iter(photos)))) == RIGHT
    torch.ones(600, 600) @ torch.ones(600, 600)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(schedule, photos, queue))
    child.start()
    try:
        assert queue.get(timeout=60) == (RIGHT, 1)
    finally:
        child.kill()
        child.join()


def _child(schedule: Schedule[int], photos: list[Path], queue: Any) -> None:
    queue.put((greys(list(schedule.many(iter(photos)))), torch.get_num_threads()))


def test_a_forked_child_on_cuda_is_told_so(photos: list[Path]) -> None:
    schedule = make(Stages(), device=torch.device("cuda"))
    schedule._process -= 1
    with pytest.raises(ReadingError, match="spawn"):
        schedule.many(iter(photos))


def test_a_schedule_that_was_used_can_be_pickled(photos: list[Path]) -> None:
    schedule = make(_Picklable(), ahead=True)
    before = greys(list(schedule.many(iter(photos), window=2)))
    again = pickle.loads(pickle.dumps(schedule))
    assert greys(list(again.many(iter(photos), window=2))) == before == RIGHT


class _Picklable(Stages):
    def __getstate__(self) -> dict[str, Any]:
        return {"calls": []}
