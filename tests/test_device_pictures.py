"""Pictures on a device, a pretended one: the pixels that a processor makes, few operations, and the right stream."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from pretend_cuda import DEVICE, Log, pretend_cuda

from signboard import device_pictures
from signboard.device_pictures import cut, cut_all, is_uploaded, kind_of, part_of, pixels_of, resize_uploaded, upload
from signboard.geometry import FloatArray, ImageArray, rectify, resize_image
from signboard.recognition.recognizer import resize_crop


@pytest.fixture(scope="module")
def pictures() -> list[ImageArray]:
    """Two pictures of soft and of sharp edges."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (h // 6, w // 6, 3), dtype=np.uint8) for h, w in ((480, 600), (300, 420))]
    return [
        cv2.resize(noise[0], (600, 480), interpolation=cv2.INTER_CUBIC).astype(np.uint8),
        cv2.resize(noise[1], (420, 300), interpolation=cv2.INTER_NEAREST).astype(np.uint8),
    ]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    with pretend_cuda(monkeypatch) as log:
        yield log


def _polygons() -> Iterator[FloatArray]:
    """Turned and slanted quads, some of them low, some high, some partly outside, and bent strips of ten points."""
    rng = np.random.default_rng(1)
    for number, (width, height, bent) in enumerate(itertools.product((9, 60, 300), (8, 40, 160), (False, True))):
        x = np.linspace(-width / 2, width / 2, 5 if bent else 2)
        bow = x * x / width / 2 if bent else 0 * x
        ring = np.concatenate([np.stack([x, bow - height / 2], 1), np.stack([x, bow + height / 2], 1)[::-1]])
        turn = 0.4 * number
        matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        yield (ring @ matrix + rng.uniform(0, 400, 2) + rng.uniform(-1, 1, ring.shape)).astype(np.float32)


@pytest.mark.parametrize("size", [(240, 300), (64, 512), (100, 70), (600, 700), (480, 600)])
def test_resized_as_on_a_processor(log: Log, pictures: list[ImageArray], size: tuple[int, int]) -> None:
    there, _ = upload(pictures, DEVICE)
    found = resize_uploaded(there, size).cpu().numpy().astype(int)
    difference = np.abs(found - resize_image(pictures[0], size))
    assert found.shape == (*size, 3) and difference.max() <= 1 and (difference > 0).mean() < 0.2


def test_cut_out_as_on_a_processor(log: Log, pictures: list[ImageArray]) -> None:
    there = upload(pictures, DEVICE)
    jobs = [(i, polygon) for polygon in _polygons() for i in (0, 1)]
    cuts = [cut(there[i], polygon, 32) for i, polygon in jobs]
    expected = [rectify(pictures[i], polygon, 32) for i, polygon in jobs]
    assert [one.shape for one in cuts] == [crop.shape for crop in expected]
    assert all((pixels_of(one) == crop).all() for one, crop in zip(cuts, expected, strict=True))
    assert len({kind_of(one) for one in cuts}) == 4  # straight and bent, reduced first and not
    for columns in (48, 160):
        batch = cut_all(cuts, columns, 64).cpu().numpy()  # type: ignore[arg-type]
        assert batch.shape == (64, 32, columns, 3) and not batch[len(cuts) :].any()
        for found, crop in zip(batch, expected, strict=False):
            difference = np.abs(found.astype(int) - resize_crop(crop, 32, columns))
            assert difference.max() <= 1 and (difference > 0).mean() < 0.1


def test_many_crops_take_as_many_operations_as_one(log: Log, pictures: list[ImageArray]) -> None:
    there = upload(pictures, DEVICE)
    straight = [p for p in _polygons() if len(p) == 4]
    cuts = [one for one in (cut(picture, p, 48) for picture in there for p in straight) if not kind_of(one)[1]]
    counts = []
    for some in (cuts[:1], cuts):
        log.calls.clear()
        cut_all(some, 64, len(some))  # type: ignore[arg-type]
        counts.append(len(log.calls))
    assert len(cuts) >= 8 and counts[0] == counts[1] <= 75


def test_parts_of_a_picture_are_there_already(log: Log, pictures: list[ImageArray]) -> None:
    _, there = upload(pictures, DEVICE)
    part = part_of(part_of(there, 10, 20, 400, 290), 5, 6, 300, 200)
    assert is_uploaded(part) and (part == pictures[1][26:220, 15:310]).all()
    assert (resize_uploaded(part, part.shape[:2]).cpu().numpy() == part).all()
    polygon = np.array([[20, 30], [120, 35], [118, 70], [18, 65]], np.float32)
    found = cut_all([cut(part, polygon, 32)], 96, 1).cpu().numpy()[0]  # type: ignore[list-item]
    assert np.abs(found.astype(int) - resize_crop(rectify(pictures[1][26:220, 15:310], polygon, 32), 32, 96)).max() <= 1
    assert [copy for copy in log.copies if copy[0] == "H2D" and copy[1] == torch.uint8] == [
        ("H2D", torch.uint8, picture.size) for picture in pictures
    ]


def test_used_on_another_stream_they_are_waited_for_and_kept(log: Log, pictures: list[ImageArray]) -> None:
    there, _ = upload(pictures, DEVICE)
    arrived = next(call[3] for call in log.calls if call[2] == "RECORD")

    def use() -> None:
        torch.cuda.set_stream(torch.cuda.Stream(DEVICE))
        resize_uploaded(there, (64, 64))

    thread = threading.Thread(target=use, name="another")
    thread.start()
    thread.join()
    first, second = [call for call in log.calls if call[0] == "another"][:2]
    assert first[1] > 0 and first[2:] == ("wait_event", arrived)  # before anything else
    assert second[2:] == ("record_stream", first[1])


def test_some_stay_on_the_processor(log: Log, pictures: list[ImageArray], monkeypatch: pytest.MonkeyPatch) -> None:
    polygon = next(_polygons())
    assert [is_uploaded(picture) for picture in upload(pictures, torch.device("cpu"))] == [False, False]
    assert not is_uploaded(upload(pictures, DEVICE)[0][1:])  # made from one that is there
    monkeypatch.setattr(device_pictures, "_MOST_PIXELS", 200_000)
    large, small = upload(pictures, DEVICE)
    assert (is_uploaded(large), is_uploaded(small)) == (False, True)
    assert (cut(large, polygon, 32) == rectify(pictures[0], polygon, 32)).all()  # type: ignore[attr-defined]

    def full(*_: object, **__: object) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch, "empty", full)
    assert [is_uploaded(picture) for picture in upload(pictures, DEVICE)] == [False, False]
