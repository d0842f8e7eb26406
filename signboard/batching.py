"""Batches on their way to the device and back, so that a GPU neither waits for pictures nor for its results' reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from signboard.geometry import ImageArray

A = TypeVar("A")


def to_device(pictures: Sequence[ImageArray], device: torch.device, *, count: int | None = None) -> Tensor:
    """Pictures (H, W, 3) uint8, all of one size, as a batch (N, H, W, 3) uint8 on `device`.

    On CUDA the pictures are stacked straight into page-locked memory and copied from there while this thread goes on.
    PyTorch keeps that memory until the copy is done and then gives it to the next batch.

    Args:
        count: N; black pictures fill up what `pictures` lack. None: as many as there are.
    """
    shape = (count or len(pictures), *pictures[0].shape)
    if device.type != "cuda":
        batch = np.zeros(shape, np.uint8)
        np.stack(pictures, out=batch[: len(pictures)])
        return torch.from_numpy(batch).to(device)
    pinned = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
    np.stack(pictures, out=pinned.numpy()[: len(pictures)])
    pinned[len(pictures) :] = 0
    return pinned.to(device, non_blocking=True)


def pinned_copy(array: NDArray[Any]) -> Tensor:
    """A copy of an array in page-locked memory, from where it goes to a CUDA device while this thread goes on."""
    pinned = torch.empty(array.shape, dtype=getattr(torch, array.dtype.name), pin_memory=True)
    np.copyto(pinned.numpy(), array)
    return pinned


def chosen_rows(tensor: Tensor, rows: Sequence[int]) -> Tensor:
    """`tensor[rows]` of a tensor (N, ...) on any device, without waiting for it."""
    if tensor.device.type != "cuda":
        return tensor[list(rows)]
    return tensor[pinned_copy(np.array(rows, np.int64)).to(tensor.device, non_blocking=True)]


class Fetched:
    """A tensor that is copied to the processor's memory, in its turn behind the pass that makes it.

    The copy is begun when this is made, so that it does not wait for passes that are begun later; `numpy` waits for it.

    Args:
        tensor: on any device.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._event: Any = None
        self._host = tensor
        if tensor.device.type == "cuda":
            self._host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._host.copy_(tensor, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(tensor.device))  # which may not be the current device's
        elif tensor.device.type != "cpu":
            self._host = tensor.cpu()

    def numpy(self) -> NDArray[Any]:
        """The values, once they have arrived."""
        if self._event is not None:
            self._event.synchronize()
            self._event = None
        return self._host.numpy()


def one_ahead(batches: Iterable[A]) -> Iterator[A]:
    """The same items, each given out once the next one is made.

    When making one hands work to a GPU and using one waits for its result, the GPU has the next work already.
    """
    batches = iter(batches)
    for last in batches:
        for item in batches:
            yield last
            last = item
        yield last


def power_of_two(count: int, most: int) -> int:
    """The least power of two that is `count` or more; `most` where that is less: batches of few different sizes."""
    return min(1 << (count - 1).bit_length(), most)


__all__ = ["Fetched", "chosen_rows", "one_ahead", "pinned_copy", "power_of_two", "to_device"]
