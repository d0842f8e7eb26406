"""Work in batches that the device's memory holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from signboard.detection import Detections
from signboard.pipeline.finding import Finder, InBatches


class Small:
    """A device with memory for so many items."""

    def __init__(self, holds: int) -> None:
        self.holds = holds
        self.sizes: list[int] = []

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.sizes.append(len(items))
        if len(items) > self.holds:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [10 * item for item in items]


def test_too_little_memory_halves_the_batch_and_what_fits_is_remembered() -> None:
    device = Small(2)
    work = InBatches(device, 5)
    assert work(range(5)) == [0, 10, 20, 30, 40]
    assert device.sizes == [5, 2, 2, 1]
    device.sizes.clear()
    assert work(range(4)) == [0, 10, 20, 30]
    assert device.sizes == [2, 2]


@pytest.mark.parametrize(("most", "sizes"), [(None, [7]), (3, [3, 3, 1]), (7, [7])])
def test_a_batch_holds_so_many(most: int | None, sizes: list[int]) -> None:
    device = Small(100)
    assert InBatches(device, most)(range(7)) == [10 * i for i in range(7)]
    assert device.sizes == sizes
    assert InBatches(device, most)([]) == []


def test_one_item_that_is_too_much_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        InBatches(Small(0))(range(3))


def test_regions_of_the_next_photo_begin_with_what_fitted() -> None:
    sizes: list[int] = []

    class Cramped:
        side = 128

        def detect(self, photos: Sequence[np.ndarray], **_: object) -> list[Detections]:
            sizes.append(len(photos))
            if len(photos) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return [Detections([], []) for _ in photos]

    finder = Finder(Cramped(), threshold=0.5, candidates=None, tile=True, batch=16)  # type: ignore[arg-type]
    photo = np.zeros((300, 400, 3), np.uint8)
    assert len(finder.find([photo])[0]) == 0 and max(sizes) > 2
    sizes.clear()
    finder.find([photo])
    assert sizes and max(sizes) <= 2
