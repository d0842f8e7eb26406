"""The whole chain on untrained, tiny networks: streams, order, bad files, batches, threads."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from signboard import Reader, Reading
from signboard.detection import Detections, Detector, DetectorConfig, DetectorNetwork
from signboard.errors import PhotoError, SignboardError
from signboard.photo import Photo, load_photo
from signboard.reader import _at_spaces, _ReadWord
from signboard.recognition import Recognizer, RecognizerConfig, RecognizerNetwork
from signboard.recognition.recognizer import CropReading


@pytest.fixture(scope="module")
def reader() -> Reader:
    """A reader whose networks know nothing but find and read something everywhere."""
    torch.manual_seed(1)
    detector = Detector(
        DetectorNetwork(DetectorConfig(width=0.125, neck=16)), side=160, threshold=0.12, box_threshold=0.0
    )
    recognizer = Recognizer(RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1)))
    return Reader(device="cpu", detector=detector, recognizer=recognizer)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    paths = []
    for i, (width, height) in enumerate([(160, 120), (120, 160), (160, 120), (300, 100), (90, 90)]):
        blocks = rng.integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8)
        paths.append(folder / f"{i}.png")
        Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST).save(paths[-1])
    return paths


def _same(a: Reading, b: Reading) -> bool:
    return [w.text for w in a.words] == [w.text for w in b.words] and all(
        np.allclose(v.polygon, w.polygon, atol=0.6) and abs(v.confidence - w.confidence) < 1e-3
        for v, w in zip(a.words, b.words, strict=True)
    )


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two processor threads, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_on_a_processor_photos_are_read_side_by_side_and_come_in_order(
    reader: Reader, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    several = [photos[0], empty, *photos[1:]]
    singles = [reader.read(p) for p in photos]
    met = threading.Barrier(2, timeout=30)  # broken, an error, unless two photos are in hand at once
    find, first, names = Reader._find, list(map(str, photos[:2])), set()

    def together(self: Reader, opened: list[Photo]) -> list[Detections]:
        names.add(threading.current_thread().name)
        assert torch.get_num_threads() == 1
        if str(opened[0].source) in first:
            met.wait()
        return find(self, opened)

    monkeypatch.setattr(Reader, "_find", together)
    readings = list(reader.read_many(several, workers=2))
    assert [r.source for r in readings] == [str(p) for p in several]
    assert readings[1].error
    assert all(_same(a, b) for a, b in zip(singles, [readings[0], *readings[2:]], strict=True))
    assert len(names) == 2 and all(name.startswith("signboard-read") for name in names)
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_side_by_side_reads_large_photos_apart(
    reader: Reader, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    several = [*photos, *photos]
    singles = [reader.read(p) for p in several]
    together: list[int] = []
    read_found = Reader._read_found

    def counted(self: Reader, opened: list[Photo], found: list[Detections]) -> list[Reading]:
        together.append(len(opened))
        return read_found(self, opened, found)

    monkeypatch.setattr(Reader, "_read_found", counted)
    assert len(list(reader.read_many(several, workers=2))) == len(several)
    assert max(together) > 1
    together.clear()
    monkeypatch.setattr("signboard.reader._GROUP_PIXELS", 1)
    readings = list(reader.read_many(several, workers=2))
    assert set(together) == {1} and len(together) == len(several)
    assert all(_same(a, b) for a, b in zip(singles, readings, strict=True))


@pytest.mark.usefixtures("two_threads")
def test_side_by_side_draws_photos_as_needed_and_can_be_left(reader: Reader, photos: list[Path]) -> None:
    drawn = 0

    def endless() -> Iterator[Path]:
        nonlocal drawn
        while True:
            drawn += 1
            yield photos[0]

    stream = reader.read_many(endless(), workers=2)
    assert isinstance(next(stream), Reading)
    assert drawn <= 6  # a photo for each thread, then two for each
    stream.close()  # type: ignore[attr-defined]
    assert drawn <= 6 and torch.get_num_threads() == 2


def test_batches_equal_singles_in_any_order(reader: Reader, photos: list[Path]) -> None:
    singles = [reader.read(p) for p in photos]
    assert sum(len(r.words) for r in singles) > 5
    for size in (1, 2, 8):
        together = list(reader.read_many(photos, batch_size=size))
        assert [r.source for r in together] == [str(p) for p in photos]
        assert all(_same(a, b) for a, b in zip(singles, together, strict=True))
    backwards = list(reader.read_many(reversed(photos)))[::-1]
    assert all(_same(a, b) for a, b in zip(singles, backwards, strict=True))


def test_a_bad_file_is_a_result_in_its_place(reader: Reader, photos: list[Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()
    readings = list(reader.read_many([photos[0], empty, tmp_path / "absent.jpg", photos[1]]))
    assert [r.error is None for r in readings] == [True, False, False, True]
    assert "empty.jpg" in str(readings[1].error) and "absent.jpg" in str(readings[2].error)
    with pytest.raises(PhotoError, match=r"empty\.jpg"):
        reader.read(empty)


def test_reading_many_is_a_stream(reader: Reader, photos: list[Path]) -> None:
    drawn = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal drawn
        while True:
            drawn += 1
            yield photos[drawn % len(photos)]

    stream = reader.read_many(endless(), batch_size=2)
    for _ in range(6):
        next(stream)
    assert drawn <= 12
    stream.close()  # type: ignore[attr-defined]


def test_finding_ahead_changes_nothing_but_the_order_of_work(
    reader: Reader, photos: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # What read_many does on CUDA, here on the processor: words of a window are found in a thread of its own.
    empty = tmp_path / "empty.jpg"
    empty.touch()
    several = [photos[4], empty, photos[1], photos[4], empty]
    before = list(reader.read_many(several, batch_size=2))
    steps: list[tuple[str, int, str]] = []
    find, read = reader._find, reader._read_found

    def note_find(some: list[Photo]) -> list[Detections]:
        steps.append(("find", len(some), threading.current_thread().name))
        return find(some)

    def note_read(some: list[Photo], found: list[Detections]) -> list[Reading]:
        steps.append(("read", len(some), threading.current_thread().name))
        return read(some, found)

    monkeypatch.setattr(reader, "_overlap", True)
    monkeypatch.setattr(reader, "_find", note_find)
    monkeypatch.setattr(reader, "_read_found", note_read)
    after = list(reader.read_many(several, batch_size=2))
    assert [r.source for r in after] == [r.source for r in before]
    assert all(_same(a, b) and (a.error is None) == (b.error is None) for a, b in zip(before, after, strict=True))
    assert sorted(n for kind, n, _ in steps if kind == "find") == sorted(n for kind, n, _ in steps if kind == "read")
    assert {name.split("_")[0] for kind, _, name in steps if kind == "find"} == {"signboard-find"}
    assert {name for kind, _, name in steps if kind == "read"} == {threading.current_thread().name}
    # An error in that thread comes out here, and a stream that is given up leaves no thread behind.
    monkeypatch.setattr(reader, "_find", lambda some: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(reader.read_many(several, batch_size=2))
    monkeypatch.setattr(reader, "_find", note_find)
    stream = reader.read_many(several, batch_size=2)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("signboard-")]


def test_too_little_memory_halves_the_batch(
    reader: Reader, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = [load_photo(path) for path in photos]
    before = reader._find(opened)
    detect, sizes = reader.detector.detect, []

    def small(some: list[np.ndarray], **_: object) -> list[Detections]:
        sizes.append(len(some))
        if len(some) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return detect(some)

    monkeypatch.setattr(reader, "_together", 5)
    monkeypatch.setattr(reader.detector, "detect", small)
    after = reader._find(opened)
    assert sizes == [5, 2, 3, 1, 2] and [len(found) for found in after] == [len(found) for found in before]
    monkeypatch.setattr(
        reader.detector, "detect", lambda some, **_: (_ for _ in ()).throw(torch.OutOfMemoryError("no"))
    )
    with pytest.raises(torch.OutOfMemoryError):
        reader._find(opened[:1])


def test_half_precision_reads_much_the_same(reader: Reader, photos: list[Path]) -> None:
    half = Detector(reader.detector.network, side=160, threshold=0.12, box_threshold=0.0, dtype=torch.bfloat16)
    batch = torch.zeros((1, 96, 160, 3), dtype=torch.uint8)
    full = reader.detector.probability_maps(batch)
    maps = half.probability_maps(batch)
    assert maps.dtype == torch.float32 and torch.allclose(maps, full, atol=0.02) and not torch.equal(maps, full)


def test_threads_share_a_reader(reader: Reader, photos: list[Path]) -> None:
    alone = [reader.read(p) for p in photos]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        shared = list(pool.map(reader.read, photos * 2))
    assert all(_same(a, b) for a, b in zip(alone * 2, shared, strict=True))


def test_words_are_plain_numbers_inside_the_photo(reader: Reader, photos: list[Path]) -> None:
    reading = reader.read(photos[3])
    assert (reading.width, reading.height) == (300, 100)
    for word in reading.words:
        assert all(type(v) is float for point in word.polygon for v in point)
        assert all(0 <= x <= 300 and 0 <= y <= 100 for x, y in word.polygon)
        assert 0 <= word.confidence <= 1 and 0 <= word.detection_score <= 1
        assert (word.confidence == 0) == (word.text == "")


def test_arrays_bytes_and_pictures_read_alike(reader: Reader, photos: list[Path]) -> None:
    path = photos[0]
    with Image.open(path) as picture:
        forms = [path, str(path), path.read_bytes(), picture.convert("RGB"), np.asarray(picture.convert("RGB"))]
    readings = [reader.read(form) for form in forms]
    assert all(_same(readings[0], r) for r in readings[1:])


def test_bad_options_are_said(reader: Reader) -> None:
    with pytest.raises(SignboardError, match="min_confidence"):
        Reader(min_confidence=1.5)
    with pytest.raises(SignboardError, match="device 'tpu'"):
        Reader(device="tpu")
    with pytest.raises(SignboardError, match="precision"):
        Reader(device="cpu", precision="int3")
    with pytest.raises(SignboardError, match="batch_size"):
        reader.read_many([], batch_size=0)
    if not torch.cuda.is_available():
        with pytest.raises(SignboardError, match="no CUDA"):
            Reader(device="cuda")


def test_nothing_to_read_gives_nothing(reader: Reader) -> None:
    assert list(reader.read_many([])) == []


class _Lines(Recognizer):
    """A recogniser that reads the dark shapes of a crop, one letter each, with a space where the gap is wide."""

    def __init__(self, part_confidence: float) -> None:
        self.height, self.card, self.part_confidence = 32, {}, part_confidence
        self.language = None

    def read_lines(self, crops: Sequence[np.ndarray]) -> list[CropReading]:
        readings = []
        for crop in crops:
            ink = np.flatnonzero((crop.mean(axis=2) < 128).mean(axis=0) > 0.3)
            breaks = np.flatnonzero(np.diff(ink) > 16)
            gaps = tuple(float(ink[b] + ink[b + 1]) / 2 / crop.shape[1] for b in breaks)
            readings.append(CropReading(" ".join("x" * (len(gaps) + 1)), 0.9 if gaps else self.part_confidence, gaps))
        return readings


@pytest.mark.parametrize(("part_confidence", "confidence"), [(0.8, 0.8), (0.1, 0.9)])
def test_words_that_the_detector_joined_are_parted_at_their_space(part_confidence: float, confidence: float) -> None:
    pixels = np.full((100, 400, 3), 255, np.uint8)
    pixels[30:70, 40:160] = pixels[30:70, 240:360] = 0

    class Joined(Detector):
        def __init__(self) -> None:
            self.side = 400
            self.card, self.box_threshold = {}, 0.5

        def detect(self, photos: Sequence[np.ndarray], **_: object) -> list[Detections]:
            return [Detections([np.array([[36, 26], [364, 26], [364, 74], [36, 74]], np.float32)], [0.9])]

    reader = Reader(device="cpu", detector=Joined(), recognizer=_Lines(part_confidence))
    words = reader.read(pixels).words
    assert [word.text for word in words] == ["x", "x"]
    (left, right) = (np.array(word.polygon) for word in words)
    assert left[:, 0].min() == pytest.approx(36) and 160 < left[:, 0].max() < 200
    assert 200 < right[:, 0].min() < 240 and right[:, 0].max() == pytest.approx(364)
    # Parts that read badly on their own keep what they were read as together.
    assert all(word.confidence == confidence and word.detection_score == 0.9 for word in words)


def test_a_reading_is_cut_at_its_spaces() -> None:
    line = _ReadWord("AB CDE F", 0.7, np.array([[0, 0], [80, 0], [80, 10], [0, 10]], np.float32), 90)
    words = _at_spaces(line, ())
    assert [(word.text, word.confidence, word.rotation) for word in words] == [(t, 0.7, 90) for t in ("AB", "CDE", "F")]
    # Spaces are the third and the seventh of eight equally wide characters; a fifth of the height is left free.
    edges = [(float(word.polygon[:, 0].min()), float(word.polygon[:, 0].max())) for word in words]
    assert np.allclose(edges, [(0, 24), (26, 64), (66, 80)], atol=0.01)
    assert [float(word.polygon[:, 0].max()) for word in _at_spaces(line, (0.5, 0.75))] == pytest.approx([39, 59, 80])
    assert _at_spaces(line._replace(text="AB"), ()) == [line._replace(text="AB")]


def test_only_likely_words_are_tried_upside_down(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []

    def unsure(crops: Sequence[np.ndarray]) -> list[CropReading]:
        shown.append(len(crops))
        return [CropReading("a", 0.1)] * len(crops)

    monkeypatch.setattr(reader.recognizer, "read_lines", unsure)
    pixels = np.zeros((60, 200, 3), np.uint8)
    quads = [np.array([[x, 10], [x + 50, 10], [x + 50, 30], [x, 30]], np.float32) for x in (10, 70, 130)]
    reader._read_words([pixels] * 3, quads, likely=[True, False, True])
    assert shown == [3, 2]
