"""The whole chain on untrained, tiny networks: streams, order, bad files, batches, threads."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from signboard import Reader, Reading
from signboard.detection import Detections, Detector, DetectorConfig, DetectorNetwork
from signboard.errors import PhotoError, SignboardError
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
    # Untrained networks guess, and a photo on which all is guessed would say nothing.
    return Reader(device="cpu", detector=detector, recognizer=recognizer, without=["repetition"])


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


def test_pictures_and_places_of_any_kind(reader: Reader, photos: list[Path]) -> None:
    pixels = np.asarray(Image.open(photos[0]).convert("RGB"))
    quad = np.array([[20, 20], [100, 20], [100, 60], [20, 60]], np.float32)
    (expected,) = reader.read_at(pixels, [quad])
    found = len(reader.detect(pixels))
    opaque = np.full(pixels.shape[:2], 255, np.uint8)
    for picture in (photos[0], pixels / 255, np.dstack([pixels, opaque]), pixels.astype(">u2") * 257):
        assert reader.read_at(picture, [quad.tolist()]) == [expected] and len(reader.detect(picture)) == found
    assert reader.read(pixels.astype(">u2") * 257) == reader.read(pixels)
    for picture in (np.zeros((0, 0, 3), np.uint8), pixels.astype(np.int64), "absent.jpg"):
        with pytest.raises(PhotoError):
            reader.read_at(picture, [quad])
        with pytest.raises(PhotoError):
            reader.detect(picture)
    for polygon in (quad * np.nan, quad[:3], quad[0], np.zeros((4, 3)), "text", [[1, 2], [3]]):
        with pytest.raises(SignboardError, match=r"polygons\[1\]"):
            reader.read_at(pixels, [quad, polygon])  # type: ignore[list-item]


def test_what_is_no_list_of_photos_or_no_number_is_said(reader: Reader, photos: list[Path]) -> None:
    for one in (str(photos[0]), photos[0], b"bytes"):
        with pytest.raises(SignboardError, match="photos: "):
            reader.read_many(one)  # type: ignore[arg-type]
    for option in ({"batch_size": "many"}, {"batch_size": 0}, {"workers": 0}, {"workers": 1.5}):
        with pytest.raises(SignboardError, match=next(iter(option))):
            reader.read_many(photos, **option)  # type: ignore[arg-type]
    assert len(list(reader.read_many(photos, batch_size=np.int64(2)))) == len(photos)  # type: ignore[arg-type]


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

    reader = Reader(
        device="cpu", detector=Joined(), recognizer=_Lines(part_confidence), without=["repetition", "fragments"]
    )
    words = reader.read(pixels).words
    assert [word.text for word in words] == ["x", "x"]
    (left, right) = (np.array(word.polygon) for word in words)
    assert left[:, 0].min() == pytest.approx(36) and 160 < left[:, 0].max() < 200
    assert 200 < right[:, 0].min() < 240 and right[:, 0].max() == pytest.approx(364)
    # Parts that read badly on their own keep what they were read as together.
    assert all(word.confidence == confidence and word.detection_score == 0.9 for word in words)
