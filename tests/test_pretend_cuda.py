"""The whole chain on a pretend GPU: the same texts, nothing cast in a pass, copies behind their pass, few shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pretend_cuda import DEVICE, Fake, Log, pretend_cuda, watch

from signboard import Reader
from signboard.detection import Detector, DetectorConfig, DetectorNetwork
from signboard.errors import ConfigError
from signboard.photo import load_photo
from signboard.recognition import Recognizer, RecognizerConfig, RecognizerNetwork

SAMPLES = sorted((Path(__file__).resolve().parents[1] / "data" / "samples").glob("*.jpg"))[:1]


def _networks(device: str, dtype: torch.dtype) -> tuple[Detector, Recognizer]:
    """Untrained networks that find and read something everywhere."""
    torch.manual_seed(1)
    detector = DetectorNetwork(DetectorConfig(width=0.125, neck=16))
    recognizer = RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1))
    found = Detector(detector, side=160, threshold=0.12, box_threshold=0.0, device=device, dtype=dtype)
    return found, Recognizer(recognizer, device=device, dtype=dtype)


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    """Noise of four sizes, four times each."""
    rng = np.random.default_rng(0)
    sizes = [(160, 120), (120, 160), (150, 100), (90, 90)] * 4
    blocks = [rng.integers(0, 256, (h // 10, w // 10, 3), dtype=np.uint8) for w, h in sizes]
    pictures = zip(sizes, blocks, strict=True)
    return [np.asarray(Image.fromarray(b).resize(s, Image.Resampling.NEAREST)) for s, b in pictures]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    with pretend_cuda(monkeypatch) as log:
        yield log


def test_what_the_pretend_device_finds(log: Log) -> None:
    there, here = torch.ones(3).to(DEVICE), torch.ones(3)
    assert there.device == DEVICE and isinstance(there * 2, Fake) and (there * 2).cpu().tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="in one operation"):
        there + here
    with pytest.raises(RuntimeError, match="two types"):
        torch.mm(there[None], there[:, None].half())
    before = log.count("SYNC")
    assert float(there.sum()) == 3.0 and log.count("SYNC") == before + 1


def test_texts_are_those_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [reading.text for reading in Reader(device="cpu", precision="fp32").read_many(SAMPLES)]
    with pretend_cuda(monkeypatch) as log:
        reader = Reader(device="cuda:0")
        log.copies.clear()
        assert [reading.text for reading in reader.read_many(SAMPLES)] == expected
        # Pixels go up once, those of the photos, and no crop of them comes back.
        pixels = [values for what, dtype, values in log.copies if what == "H2D" and dtype == torch.uint8]
        assert pixels == [load_photo(path).pixels.size for path in SAMPLES]
        assert not [copy for copy in log.copies if copy[0] == "D2H" and copy[1] == torch.uint8]


def test_a_gpu_that_is_not_there_is_said(log: Log) -> None:
    with pytest.raises(ConfigError, match=r"'cuda:7': there is no such GPU; this machine has cuda:0"):
        Reader(device="cuda:7")


@pytest.fixture
def reader(log: Log) -> Reader:
    detector, recognizer = _networks("cuda:0", torch.float16)
    watch(detector._folded, "detector")
    watch(recognizer._running, "recognizer")
    log.calls.clear()
    # Untrained networks guess, and a photo on which all is guessed would say nothing.
    return Reader(device="cuda:0", detector=detector, recognizer=recognizer, without=["repetition"])


def test_nothing_is_cast_in_a_pass(reader: Reader, log: Log, photos: list[np.ndarray]) -> None:
    readings = list(reader.read_many(photos[:8]))
    assert all(reading.error is None for reading in readings) and sum(len(r.words) for r in readings) > 8
    assert {name for name, *_ in log.forwards} == {"detector", "recognizer"}
    assert [call for call in log.within_forwards() if call[2] in ("CAST", "SYNC", "H2D", "D2H")] == []


def test_results_are_copied_behind_their_pass_and_waited_for_after_the_next_began(
    reader: Reader, log: Log, photos: list[np.ndarray]
) -> None:
    reader.detector.detect(photos[:4])  # four sizes: four passes of the fine picture
    ends = [(begin, end) for name, _, begin, end in log.forwards if name == "detector"]
    records = [i for i, call in enumerate(log.calls) if call[2] == "RECORD"]
    waits = {call[3]: i for i, call in reversed(list(enumerate(log.calls))) if call[2] == "WAIT"}
    assert len(ends) >= 3 and len(records) == len(ends)
    for (_, end), record, (next_begin, next_end) in zip(ends, records, ends[1:], strict=False):
        assert end <= record <= next_begin
        assert waits[log.calls[record][3]] > next_end
    assert not [call for call in log.calls if call[2] == "D2H" and call[3] == "waits"]


def test_the_processor_waits_seldom(reader: Reader, log: Log, photos: list[np.ndarray]) -> None:
    readings = list(reader.read_many(photos))
    assert all(reading.error is None for reading in readings)
    assert not [call for call in log.calls if call[2] == "SYNC" or call[3] == "waits"]
    assert log.count("WAIT") <= len(log.forwards)  # one a pass


@pytest.mark.parametrize("tile", [False, True])
def test_pixels_go_up_once_and_no_crop_comes_back(
    reader: Reader, log: Log, photos: list[np.ndarray], tile: bool
) -> None:
    # A whole picture that may be a word, and letters below each other, are shrunk, or put in a row, on the processor.
    without = ["repetition", "whole-picture", "vertical-text"]
    reader = Reader(device="cuda:0", detector=reader.detector, recognizer=reader.recognizer, without=without, tile=tile)
    some = [np.concatenate([photos[0]] * 3)] if tile else photos[:6]
    log.copies.clear()
    readings = list(reader.read_many(some))
    assert all(reading.error is None and reading.words for reading in readings)
    pixels = [values for what, dtype, values in log.copies if what == "H2D" and dtype == torch.uint8]
    assert pixels == [photo.size for photo in some]
    assert not [copy for copy in log.copies if copy[0] == "D2H" and copy[1] == torch.uint8]
    # Besides, a few numbers a crop: no more than a hundredth of its pixels.
    numbers = sum(values for what, dtype, values in log.copies if what == "H2D" and dtype != torch.uint8)
    crops = sum(np.prod(shape) for name, shape, _, _ in log.forwards if name == "recognizer")
    assert 0 < numbers < 0.01 * crops


def test_networks_meet_few_shapes(reader: Reader, log: Log, photos: list[np.ndarray]) -> None:
    list(reader.read_many(photos))
    shapes = {(name, shape) for name, shape, _, _ in log.forwards}
    counts = {shape[0] for name, shape in shapes if name == "recognizer"}
    assert all(count & (count - 1) == 0 for count in counts)
    assert len([1 for name, _ in shapes if name == "detector"]) <= 4
    widths = {shape[3] for name, shape in shapes if name == "recognizer"}
    assert len([1 for name, _ in shapes if name == "recognizer"]) <= 4 * len(widths)


def test_two_streams_of_photos_share_one_cuda_stream(reader: Reader, log: Log, photos: list[np.ndarray]) -> None:
    for _ in range(2):
        assert len(list(reader.read_many(photos[:6], batch_size=2))) == 6
    finding = {(thread, stream) for thread, stream, *_ in log.calls if thread.startswith("signboard-find")}
    assert len(finding) == 1 and next(iter(finding))[1] > 0
