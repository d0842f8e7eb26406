"""Batches on their way to the device and back, so that a GPU neither waits for pictures nor for its results' reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from signboard.geometry import ImageArray

A = TypeVar("A")


def to_device(pictures: Sequence[ImageArray], device: torch.device) -> Tensor:
    """Pictures (H, W, 3) uint8, all of one size, as a batch (N, H, W, 3) uint8 on `device`.

    On CUDA the pictures are stacked straight into page-locked memory and copied from there while this thread goes on.
    PyTorch keeps that memory until the copy is done and then gives it to the next batch.
    """
    if device.type != "cuda":
        return torch.from_numpy(np.stack(pictures)).to(device)
    batch = torch.empty((len(pictures), *pictures[0].shape), dtype=torch.uint8, pin_memory=True)
    np.stack(pictures, out=batch.numpy())
    return batch.to(device, non_blocking=True)


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
