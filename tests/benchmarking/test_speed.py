"""What the benchmarks compute: the figures themselves need the networks and an idle machine."""

from __future__ import annotations

import dataclasses
import runpy
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from signboard.benchmarking import memory, options, parts, stages, tables, throughput, timing
from signboard.benchmarking.options import SpeedOptions
from signboard.reading import Reading, Sign


def test_stage_clock_counts_every_moment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def spend(seconds: float) -> None:
        now[0] += seconds

    clock = stages.StageClock()
    inner = clock.wrap("crop", lambda: spend(2))

    def outer_body() -> str:
        spend(1)
        inner()
        inner()
        return "done"

    outer = clock.wrap("detect", outer_body)
    assert outer() == "done"
    assert dict(clock.seconds) == {"crop": 4, "detect": 1}

    def fails() -> None:
        spend(3)
        raise ValueError

    with pytest.raises(ValueError):
        clock.wrap("layout", fails)()
    assert clock.seconds["layout"] == 3
    assert outer() == "done"  # nothing stayed open
    assert clock.seconds["detect"] == 2


def test_stage_clock_names_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(Thing=SimpleNamespace(work=lambda: 5))
    monkeypatch.setitem(sys.modules, "some_module", module)  # type: ignore[arg-type]
    clock = stages.StageClock()
    clock.install({"work": ("some_module:Thing.work",)})
    assert module.Thing.work() == 5
    assert "work" in clock.seconds
    with pytest.raises(LookupError, match=r"stage play: there is no some_module:Thing\.play"):
        clock.install({"play": ("some_module:Thing.play",)})


def test_stages_are_those_of_the_reader() -> None:
    for stage, places in stages.STAGES.items():
        for place in places:
            owner, name = stages.find_function(stage, place)
            assert callable(getattr(owner, name))


@pytest.mark.parametrize(("other", "words"), [(0.02, "98.0 % of the wall time."), (0.2, "less than 90 %")])
def test_stages_that_do_not_add_up_are_named(other: float, words: str) -> None:
    seconds = {"decode": 0.1, "detect": 0.9 - other, "other": other, "wall": 1.0}
    assert words in tables.report("stages", {"photos": 3, "rounds": 1, "seconds": seconds})


def test_covered() -> None:
    assert throughput.covered([]) == 0
    assert throughput.covered([(0, 2), (1, 3), (1, 2), (5, 6)]) == 4


def test_find_photos(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/c.PNG", "notes.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    found = options.find_photos([tmp_path], 3)
    assert [Path(path).name for path in found] == ["c.PNG", "b.jpg", "c.PNG"]
    assert options.find_photos([], 3) == ()


def test_report() -> None:
    figures = {"photos": 4, "rounds": 3, "seconds": {"detect": 0.3, "other": 0.1, "wall": 0.4}}
    text = tables.report("stages", figures)
    assert "4 photos one by one, median of 3 rounds" in text
    assert "| detect | 300.0 | 75.0 % |" in text
    assert "| wall | 400.0 | 100.0 % |" in text
    assert "| peak mib | 1234 |" in tables.report("memory", {"peak_mib": 1234.4})


def test_usage_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benchmark.py"))["main"]
    commands = [
        ["--photos", str(tmp_path)],
        ["--photos", str(tmp_path / "gone.jpg")],
        ["--parts", "tea"],
        ["--parts", "peers"],
        ["--photos", str(tmp_path), "--batch-size", "many"],
    ]
    for command in commands:
        with pytest.raises(SystemExit) as stopped:
            main(command)
        assert stopped.value.code == 2
    assert "gone.jpg: no such photo" in capsys.readouterr().err


def test_the_area_that_the_detector_sees_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from signboard.detection import Detector, DetectorConfig, DetectorNetwork

    for name in ("probability_maps", "detect"):
        monkeypatch.setattr(Detector, name, getattr(Detector, name))  # put back afterwards
    area = stages.SeenArea()
    area.install()
    network = DetectorNetwork(DetectorConfig(width=0.125, neck=16))
    photo = np.zeros((96, 160, 3), np.uint8)
    Detector(network, side=160).detect([photo, photo])
    assert (area.seen, area.whole) == (2 * 96 * 160, 2 * 96 * 160)
    Detector(network, side=160, coarse_side=64).detect([photo])
    assert area.whole == 3 * 96 * 160 < area.seen


def test_figures_outside_the_networks_are_reported() -> None:
    figures = {"photos": 3, "rounds": 1, "seconds": {"decode": 0.1, "other": 0.0, "wall": 0.1}}
    text = tables.report("stages", figures | {"outside_networks_seconds": 0.0204, "detector_area": 0.615})
    assert "Outside the networks: 20.4 ms a photo." in text and "sees 0.61 times" in text.replace("0.62", "0.61")


@pytest.mark.parametrize("value", ["0", "1,-2", "one"])
def test_threads_are_numbers_from_one(value: str) -> None:
    assert options.numbers("1,2") == (1, 2)
    with pytest.raises(ValueError):
        options.numbers(value)


def test_settings_are_a_name_and_a_value() -> None:
    assert options.setting("rapidocr=/a=b") == ("rapidocr", "/a=b")
    assert options.number_or_auto("auto") == "auto" and options.number_or_auto("4") == 4
    for value in ("rapidocr", "=x", "x="):
        with pytest.raises(ValueError):
            options.setting(value)


def test_ways_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    order = []

    def way(name: str, seconds: float) -> None:
        order.append(name)
        now[0] += seconds

    taken = timing.in_turn({"a": lambda: way("a", 1), "b": lambda: way("b", 2)}, 3)
    assert order == ["a", "b"] * 3
    assert taken == {"a": [1, 1, 1], "b": [2, 2, 2]}


def test_a_process_is_timed_and_its_failure_named() -> None:
    took = timing.run_process([sys.executable, "-c", "sum(range(10**6))"])
    assert took.wall > 0 and took.cpu > 0
    with pytest.raises(RuntimeError, match="code 3: what happened"):
        timing.run_process([sys.executable, "-c", "import sys; print('what happened', file=sys.stderr); sys.exit(3)"])


class OnePhoto:
    """A reader whose seconds are those of a clock in the test's hand: one by one a photo takes two, in batches one."""

    def __init__(self, now: list[float]) -> None:
        self._now = now

    def read(self, photo: str) -> Reading:
        self._now[0] += 2
        return Reading(photo, 1, 1, error="broken" if photo == "bad" else None)

    def read_many(self, photos: Sequence[str], **_: Any) -> Iterator[Reading]:
        for photo in photos:
            self._now[0] += 1
            yield Reading(photo, 1, 1, (Sign((), ()),), error="broken" if photo == "bad" else None)


def test_batches_are_compared_with_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(throughput, "make_reader", lambda options: OnePhoto(now))
    figures = throughput.measure_batch(SpeedOptions(photos=("a", "bad", "c"), rounds=2))
    assert figures == {
        "photos": 3, "rounds": 2, "failed": 1, "one_by_one_per_second": 0.5, "batched_per_second": 1.0, "ratio": 2.0,
        "different_texts": 0,
    }  # fmt: skip


def test_memory_is_that_of_the_reader_and_not_of_making_its_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    photo = tmp_path / "a.jpg"
    Image.new("RGB", (40, 30), "red").save(photo)
    sizes: list[tuple[int, int]] = []

    class Opens:
        def read(self, path: str) -> Reading:
            with Image.open(path) as opened:
                sizes.append(opened.size)
            return Reading(path, 1, 1)

        def read_many(self, paths: Sequence[str], **_: Any) -> Iterator[Reading]:
            return (self.read(path) for path in paths)

    monkeypatch.setattr(memory, "make_reader", lambda options: Opens())
    figures = memory.measure_memory(SpeedOptions(photos=(str(photo),)))
    assert len(sizes) == 5 and all(abs(w * h - 12e6) < 20_000 for w, h in sizes)
    assert 0 < figures["before_mib"] <= figures["loaded_mib"] <= figures["one_by_one_mib"] <= figures["batched_mib"]
    assert figures["failed"] == 0
    soaked = memory.measure_soak(SpeedOptions(photos=(str(photo),) * 2, soak_photos=20))
    assert soaked["photos"] == 20 and soaked["different_photos"] == 2 and soaked["failed"] == 0
    assert min(soaked[f"{mark}_mib"] for mark in ("tenth", "half", "end", "peak")) > 0


def test_options_go_to_the_child_and_figures_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def run(command: Sequence[str], *, input: str, env: dict[str, str], **_: Any) -> SimpleNamespace:
        sent.append((command[-1], input, env["OMP_NUM_THREADS"]))
        return SimpleNamespace(returncode=0, stdout='a library said this\n{"photos": 3}\n')

    monkeypatch.setattr(parts.subprocess, "run", run)
    given = SpeedOptions(photos=("a.jpg",), threads=1, pythons={"rapidocr": "/python"})
    assert parts.in_child("batch", given) == {"photos": 3}
    ((part, text, threads),) = sent
    assert (part, threads) == ("batch", "1")
    assert dataclasses.replace(SpeedOptions(**parts.json.loads(text)), photos=("a.jpg",), sets=(), peer_threads=(1, 2),
                               systems=given.systems) == given  # fmt: skip


def test_a_part_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(options: SpeedOptions) -> dict[str, Any]:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(parts, "PARENT_PARTS", {"startup": broken, "peers": lambda options: {"systems": []}})
    monkeypatch.setattr(parts, "in_child", lambda part, options: {"photos": 2})
    assert dict(parts.measure(["startup", "batch", "peers"], SpeedOptions())) == {
        "startup": None, "batch": {"photos": 2}, "peers": {"systems": []},
    }  # fmt: skip
    said = capsys.readouterr()
    assert "startup: no such thing" in said.err and "| photos | 2 |" in said.out


def test_peers_are_compared_for_each_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = []

    class Fake:
        def __init__(self, name: str, threads: int) -> None:
            self.name, self.threads = name, threads

        def close(self) -> None:
            closed.append((self.name, self.threads))

    seconds = {("signboard", 1): 0.2, ("rapidocr", 1): 0.8, ("signboard", 2): 0.1, ("rapidocr", 2): 0.5}

    def compare(path: Path, split: str | None, workers: Sequence[Fake], limit: int | None) -> list[dict[str, Any]]:
        return [
            {"set": path.name, "system": worker.name.title(), "name": worker.name, "peak_mib": None,
             "seconds_a_photo": seconds[worker.name, worker.threads]}
            for worker in workers
        ]  # fmt: skip

    monkeypatch.setattr(parts, "start_workers", lambda names, threads, *_: [Fake(name, threads) for name in names])
    monkeypatch.setattr(parts, "compare_set", compare)
    given = SpeedOptions(sets=("/x/boards",), systems=("signboard", "rapidocr"))
    found = parts.measure_peers(given)["systems"]
    assert [(row["name"], row["threads"], row["times_signboards_seconds"]) for row in found] == [
        ("signboard", 1, 1.0), ("rapidocr", 1, 4.0), ("signboard", 2, 1.0), ("rapidocr", 2, 5.0),
    ]  # fmt: skip
    assert closed == [("signboard", 1), ("rapidocr", 1), ("signboard", 2), ("rapidocr", 2)]
    said = capsys.readouterr().out
    assert "boards: signboard takes 0.25 of the time of Rapidocr" in said and "takes 0.20 of" in said
    monkeypatch.setattr(parts, "start_workers", lambda *_: [])
    with pytest.raises(RuntimeError, match="none of the systems"):
        parts.measure_peers(given)


def test_a_system_that_read_nothing_has_no_ratio() -> None:
    from signboard.training.peers import with_ratios

    rows = [
        {"set": "a", "name": "signboard", "seconds_a_photo": None},
        {"set": "a", "name": "rapidocr", "seconds_a_photo": 1.0},
        {"set": "b", "name": "rapidocr", "seconds_a_photo": 1.0},
    ]
    assert with_ratios(rows) == rows
