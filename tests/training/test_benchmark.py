"""The parts of the benchmark that compute: what it measures needs the networks and an idle machine."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from signboard.reading import Reading

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scripts_benchmark", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_stage_clock_counts_every_moment_once(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def spend(seconds: float) -> None:
        now[0] += seconds

    clock = benchmark.StageClock()
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


def test_stage_clock_names_what_is_not_there(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(Thing=SimpleNamespace(work=lambda: 5))
    monkeypatch.setitem(sys.modules, "some_module", module)  # type: ignore[arg-type]
    clock = benchmark.StageClock()
    clock.install({"work": ("some_module:Thing.work",)})
    assert module.Thing.work() == 5
    assert "work" in clock.seconds
    with pytest.raises(LookupError, match=r"stage play: there is no some_module:Thing\.play"):
        clock.install({"play": ("some_module:Thing.play",)})


def test_stages_are_those_of_the_reader(benchmark: ModuleType) -> None:
    for stage, places in benchmark.STAGES.items():
        for place in places:
            owner, name = benchmark.find_function(stage, place)
            assert callable(getattr(owner, name))


@pytest.mark.parametrize(("other", "words"), [(0.02, "98.0 % of the wall time."), (0.2, "less than 90 %")])
def test_stages_that_do_not_add_up_are_named(benchmark: ModuleType, other: float, words: str) -> None:
    seconds = {"decode": 0.1, "detect": 0.9 - other, "other": other, "wall": 1.0}
    assert words in benchmark.report("stages", {"photos": 3, "rounds": 1, "seconds": seconds})


def test_row_writer(benchmark: ModuleType, tmp_path: Path) -> None:
    writer = benchmark.row_writer(tmp_path / "rows.jsonl")
    writer.write(Reading("a.jpg", 4, 3))
    writer.close()
    assert '"a.jpg"' in (tmp_path / "rows.jsonl").read_text(encoding="utf-8")


def test_covered(benchmark: ModuleType) -> None:
    assert benchmark.covered([]) == 0
    assert benchmark.covered([(0, 2), (1, 3), (1, 2), (5, 6)]) == 4


def test_find_photos(benchmark: ModuleType, tmp_path: Path) -> None:
    for name in ("b.jpg", "a/c.PNG", "notes.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    found = benchmark.find_photos([tmp_path], 3)
    assert [Path(path).name for path in found] == ["c.PNG", "b.jpg", "c.PNG"]
    assert benchmark.find_photos([], 3) == []


def test_report(benchmark: ModuleType) -> None:
    figures = {"photos": 4, "rounds": 3, "seconds": {"detect": 0.3, "other": 0.1, "wall": 0.4}}
    text = benchmark.report("stages", figures)
    assert "4 photos one by one, median of 3 rounds" in text
    assert "| detect | 300.0 | 75.0 % |" in text
    assert "| wall | 400.0 | 100.0 % |" in text
    assert "| peak mib | 1234 |" in benchmark.report("memory", {"peak_mib": 1234.4})


def test_usage_errors(benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [
        ["--photos", str(tmp_path)],
        ["--photos", str(tmp_path / "gone.jpg")],
        ["--parts", "tea"],
        ["--parts", "peers"],
        ["--photos", str(tmp_path), "--batch-size", "many"],
    ]
    for command in commands:
        with pytest.raises(SystemExit) as stopped:
            benchmark.main(command)
        assert stopped.value.code == 2
    assert "gone.jpg: no such photo" in capsys.readouterr().err


def test_the_area_that_the_detector_sees_is_counted(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from signboard.detection import Detector, DetectorConfig, DetectorNetwork

    for name in ("probability_maps", "detect"):
        monkeypatch.setattr(Detector, name, getattr(Detector, name))  # put back afterwards
    area = benchmark.SeenArea()
    area.install()
    network = DetectorNetwork(DetectorConfig(width=0.125, neck=16))
    photo = np.zeros((96, 160, 3), np.uint8)
    Detector(network, side=160).detect([photo, photo])
    assert (area.seen, area.whole) == (2 * 96 * 160, 2 * 96 * 160)
    Detector(network, side=160, coarse_side=64).detect([photo])
    assert area.whole == 3 * 96 * 160 < area.seen


def test_figures_outside_the_networks_are_reported(benchmark: ModuleType) -> None:
    figures = {"photos": 3, "rounds": 1, "seconds": {"decode": 0.1, "other": 0.0, "wall": 0.1}}
    text = benchmark.report("stages", figures | {"outside_networks_seconds": 0.0204, "detector_area": 0.615})
    assert "Outside the networks: 20.4 ms a photo." in text and "sees 0.61 times" in text.replace("0.62", "0.61")


@pytest.mark.parametrize("value", ["0", "1,-2", "one"])
def test_threads_are_numbers_from_one(benchmark: ModuleType, value: str) -> None:
    assert benchmark._numbers("1,2") == (1, 2)
    with pytest.raises(ValueError):
        benchmark._numbers(value)
