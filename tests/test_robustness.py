"""One bad photo never stops the others, whatever goes wrong on it, and nothing is lost without a word."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from forked import ChildrenHang, answer
from PIL import Image
from typer.testing import CliRunner

from signboard import Reader, SignboardError
from signboard.cli import app
from signboard.commands import readers
from signboard.detection import Detections, Detector, DetectorConfig, DetectorNetwork
from signboard.errors import PhotoError
from signboard.photo import Page
from signboard.recognition import Recognizer, RecognizerConfig, RecognizerNetwork
from signboard.recognition.recognizer import CropReading

CASES = Path(__file__).parent / "cases"
POISON = (255, 0, 255)

ERRORS: dict[str, Callable[[], Exception]] = {
    "RuntimeError": lambda: RuntimeError("shape '[1, 2]' is invalid\nfor input of size 3"),
    "ValueError": lambda: ValueError("zero-size array"),
    "IndexError": lambda: IndexError("index 3 is out of bounds"),
    "KeyError": lambda: KeyError("ॐ"),
    "TypeError": lambda: TypeError(),
    "AssertionError": lambda: AssertionError(),
    "ZeroDivisionError": lambda: ZeroDivisionError("division by zero"),
    "OverflowError": lambda: OverflowError("cannot convert float infinity to integer"),
    "RecursionError": lambda: RecursionError("maximum recursion depth exceeded"),
    "MemoryError": lambda: MemoryError(),
    "FloatingPointError": lambda: FloatingPointError("invalid value"),
    "StopIteration": lambda: StopIteration(),
    "cv2.error": lambda: cv2.error("OpenCV(4.9) error: (-215:Assertion failed) !_src.empty()"),
    "OutOfMemoryError": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
}


class Poisoned:
    """What raises on poisoned photos, told by the colour of their first pixel; None raises nothing."""

    error: Callable[[], Exception] | None = None

    @classmethod
    def check(cls, pictures: Sequence[Any]) -> None:
        if cls.error is not None and any(tuple(map(int, picture[0, 0])) == POISON for picture in pictures):
            raise cls.error()


class PoisonedDetector(Detector, Poisoned):
    """Finds one word on every picture."""

    def detect(self, pictures: Any, **options: Any) -> list[Detections]:
        self.check(pictures)
        quad = np.array([[10, 10], [70, 10], [70, 40], [10, 40]], np.float32)
        return [Detections.of([(quad, 0.9)]) for _ in pictures]


class PoisonedRecognizer(Recognizer, Poisoned):
    """Reads how bright a word is."""

    def read_lines(self, crops: Any) -> list[CropReading]:
        self.check(crops)
        return [CropReading(f"N{int(crop.mean())}", 0.9, ()) for crop in crops]


@pytest.fixture(scope="module")
def reader() -> Reader:
    detector = PoisonedDetector(DetectorNetwork(DetectorConfig(width=0.125, neck=16)), side=160)
    recognizer = PoisonedRecognizer(RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1)))
    return Reader(device="cpu", detector=detector, recognizer=recognizer)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Nine photos; the fourth and the last are poisoned, the sixth is none."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(9):
        path = tmp_path / f"{number}.png"
        blocks = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        image = Image.fromarray(blocks).resize((160, 120), Image.Resampling.NEAREST)
        if number in (3, 8):
            image = Image.new("RGB", (160, 120), POISON)  # all over, so that crops begin with it, too
        image.save(path)
        paths.append(path)
    paths[5].write_bytes(b"no photo")
    return paths


@pytest.fixture(params=[PoisonedDetector, PoisonedRecognizer], ids=["detector", "recognizer"])
def stage(request: pytest.FixtureRequest) -> Iterator[type[Poisoned]]:
    yield request.param
    request.param.error = None


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("options", [{}, {"batch_size": 1}, {"batch_size": 4, "workers": 2}], ids=str)
def test_whatever_a_network_raises_is_this_photos_row(
    error: str, options: dict[str, Any], stage: type[Poisoned], reader: Reader, photos: list[Path]
) -> None:
    before = dict(zip(photos, reader.read_many(photos), strict=True))
    assert all(reading.words for photo, reading in before.items() if photo != photos[5])
    stage.error = staticmethod(ERRORS[error])
    readings = list(reader.read_many(photos, **options))
    assert [reading.source for reading in readings] == [str(path) for path in photos]
    assert [number for number, reading in enumerate(readings) if reading.error is not None] == [3, 5, 8]
    for number, reading in enumerate(readings):
        if reading.error is None:
            assert [word.text for word in reading.words] == [word.text for word in before[photos[number]].words]
            continue
        assert str(photos[number]) in reading.error and "\n" not in reading.error and not reading.signs
        memory = error in {"MemoryError", "OutOfMemoryError"}
        assert number == 5 or ("memory" if memory else error.removeprefix("cv2.")) in reading.error


@pytest.mark.parametrize("error", ["RuntimeError", "IndexError", "MemoryError"])
def test_reading_one_photo_raises_an_error_of_ours_with_its_name(
    error: str, stage: type[Poisoned], reader: Reader, photos: list[Path]
) -> None:
    stage.error = staticmethod(ERRORS[error])
    with pytest.raises(SignboardError, match=r"3\.png") as caught:
        reader.read(photos[3])
    assert type(caught.value.__cause__).__name__ == error
    with pytest.raises(PhotoError, match=r"5\.png"):
        reader.read(photos[5])
    assert reader.read(photos[0]).error is None


def test_a_run_goes_on_behind_a_photo_that_cannot_be_read(
    stage: type[Poisoned], reader: Reader, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "make_reader", lambda **_: reader)
    stage.error = staticmethod(ERRORS["RuntimeError"])
    output = tmp_path / "a.jsonl"
    result = CliRunner().invoke(app, ["run", str(tmp_path), "--output", str(output)], catch_exceptions=False)
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert result.exit_code == 1 and [row["source"] for row in rows] == [str(path) for path in photos]
    assert [number for number, row in enumerate(rows) if row["error"]] == [3, 5, 8]
    assert "RuntimeError" in rows[3]["error"] and (rows[3]["width"], rows[3]["height"]) == (160, 120)
    assert result.stderr.count("\n") == 4 and "Traceback" not in result.stderr
    result = CliRunner().invoke(app, ["run", str(photos[3]), "--debug"], catch_exceptions=False)
    stage.error = None
    result = CliRunner().invoke(
        app, ["run", str(tmp_path), "--output", str(output), "--retry-failed"], catch_exceptions=False
    )
    assert result.exit_code == 1 and ", 1 failed" in result.stderr and "6 were there already" in result.stderr


def test_sources_that_are_none_are_rows(reader: Reader, photos: list[Path]) -> None:
    sources: list[Any] = [photos[0], 3, None, np.zeros((4, 4, 4, 4)), b"", "", str(photos[1])]
    readings = list(reader.read_many(sources))
    assert [reading.error is None for reading in readings] == [True, False, False, False, False, False, True]
    assert all("\n" not in reading.error for reading in readings if reading.error)


# Fork -----------------------------------------------------------------------------------------------------------------

FORKED = """
    import multiprocessing, sys
    import numpy as np
    import torch
    from forked import answer
    from signboard import Reader, SignboardError
    from signboard.detection import Detections, Detector, DetectorConfig, DetectorNetwork
    from signboard.recognition import Recognizer, RecognizerConfig, RecognizerNetwork

    class OneWord(Detector):
        def detect(self, pictures, **options):
            super().detect(pictures, **options)  # the network runs, and finds nothing
            quad = np.array([[10, 10], [300, 10], [300, 60], [10, 60]], np.float32)
            return [Detections.of([(quad, 0.9)]) for _ in pictures]

    torch.set_num_threads(2)
    torch.manual_seed(1)
    detector = OneWord(DetectorNetwork(DetectorConfig(width=0.25)), side=320, threshold=0.999, box_threshold=0.999)
    recognizer = Recognizer(RecognizerNetwork(RecognizerConfig(width=0.25, mixer=32, mixer_layers=1)))
    reader = Reader(device="cpu", detector=detector, recognizer=recognizer, without=["repetition"])
    texts = [reader.read(sys.argv[1]).text, [r.text for r in reader.read_many(sys.argv[1:] * 3)]]

    def work(queue):
        try:
            queue.put([reader.read(sys.argv[1]).text, [r.text for r in reader.read_many(sys.argv[1:] * 3)]])
        except SignboardError as error:
            queue.put(str(error))

    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=work, args=(queue,), daemon=True) for _ in range(2)]
    for process in processes:
        process.start()
    answers = [answer(queue, processes) for _ in processes]
    print("same" if all(answer == texts for answer in answers) else answers)
    print("parent", reader.read(sys.argv[1]).text == texts[0])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_reads_or_says_at_once_why_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "a.png"
    Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).resize((640, 480)).save(path)
    command = [sys.executable, "-c", textwrap.dedent(FORKED), str(path)]
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONPATH": paths}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    first, *_, last = done.stdout.splitlines()
    assert last == "parent True"
    assert first == "same" or "fork" in first, done.stdout


def _waits(lock: Any, queue: Any) -> None:
    with lock:
        queue.put("never")


def _works_long(queue: Any, seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    queue.put("done")


def _turns(queue: Any) -> None:
    while True:
        pass


def _ends(queue: Any) -> None:
    return


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="this system does not say which process sleeps")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("hangs", ["a lock that nobody gives back", "a circle", "it ended", ""])
def test_children_that_hang_are_told_from_those_that_work(hangs: str) -> None:
    context = multiprocessing.get_context("fork")
    queue, lock = context.Queue(), threading.Lock()
    targets: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {
        "a lock that nobody gives back": (_waits, (lock, queue)),  # held when it is forked, as a library's may be
        "a circle": (_turns, (queue,)),  # as a lock that is asked for without a pause
        "it ended": (_ends, (queue,)),
        "": (_works_long, (queue, 2.0)),
    }
    with lock:
        child = context.Process(target=targets[hangs][0], args=targets[hangs][1], daemon=True)
        child.start()
    try:
        if hangs:
            with pytest.raises(ChildrenHang):
                answer(queue, [child], limit=1.0, work=1.0)
        else:
            assert answer(queue, [child], limit=1.0, work=30.0) == "done"
    finally:
        child.kill()
        child.join()


# The cases that were lost, with the weights as shipped ----------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> Reader:
    return Reader(device="cpu")


HOSPITAL = {"CITY", "HOSPITAL", "शहर", "अस्पताल", "OPEN", "24", "HOURS"}
EXPECTED: dict[str, set[str]] = {
    **{
        f"crash/{name}.jpg": HOSPITAL
        for name in ("gps_time_ffffffff", "turned_datetime_is_rational", "turned_make_is_float")
    },
    **{f"lost/{name}.jpg": HOSPITAL for name in ("turned_imagewidth_negative", "turned_xresolution_is_text")},
    **{f"lost/{name}.png": HOSPITAL for name in ("png_comment_bad_crc", "png_text_2MB_unpacked")},
    "lost/white_on_transparent.png": {"MAIN", "STREET", "EXIT", "14"},
}


@pytest.mark.slow
def test_lost_photos_are_read(shipped: Reader) -> None:
    paths = [str(CASES / name) for name in EXPECTED]
    for reading, wanted in zip(shipped.read_many(paths), EXPECTED.values(), strict=True):
        assert reading.error is None and set(reading.text.split()) == wanted, (reading.source, reading.text)


@pytest.mark.slow
def test_both_pages_are_read(shipped: Reader) -> None:
    path = str(CASES / "lost" / "two_pages.tif")
    first, second = shipped.read_many([Page(path, 1), Page(path, 2)])
    assert set(first.text.split()) == HOSPITAL and set(second.text.split()) == {"PLATFORM", "2", "TO", "DELHI"}
