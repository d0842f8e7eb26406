"""Batches that depend on nothing but the seed and their number, made by worker processes.

Batch t is made from random numbers seeded by (seed, pool of t), so a run that is stopped and resumed sees the same data
in the same order as one that never stopped.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

Batch = dict[str, Any]


class BatchSource(Protocol):
    """Where batches come from. Must be picklable: worker processes hold copies of it."""

    def pool(self, index: int) -> list[Batch]:
        """The batches of pool `index`, made from random numbers that depend on `index` alone."""
        ...


class _Pools(Dataset[list[Batch]]):
    def __init__(self, source: BatchSource) -> None:
        self.source = source

    def __getitem__(self, index: int) -> list[Batch]:
        return self.source.pool(index)

    def __len__(self) -> int:
        return sys.maxsize


class _Counting(Sampler[int]):
    def __init__(self, start: int, step: int) -> None:
        self.start, self.step = start, step

    def __iter__(self) -> Iterator[int]:
        index = self.start
        while True:
            yield index
            index += self.step


class Batches:
    """An endless stream of one rank's batches. `waited`: seconds that the last ones were waited for.

    Args:
        source: makes pools of batches.
        per_pool: batches of a pool.
        first: number of the first batch, counted on each rank.
        rank, world: pools go to the ranks in turn.
        workers, prefetch: processes, and pools that each makes ahead.
        pinned: whether batches are copied to page-locked memory, for CUDA.
        seed: of the loader's own random numbers.
    """

    def __init__(
        self,
        source: BatchSource,
        per_pool: int,
        *,
        first: int = 0,
        rank: int = 0,
        world: int = 1,
        workers: int = 0,
        prefetch: int = 2,
        pinned: bool = False,
        seed: int = 0,
    ) -> None:
        pool, self._skip = divmod(first, per_pool)
        loader = DataLoader(
            _Pools(source),
            batch_size=None,
            sampler=_Counting(pool * world + rank, world),
            num_workers=workers,
            prefetch_factor=prefetch if workers else None,
            pin_memory=pinned,
            worker_init_fn=_quiet_worker,
            # Its own random numbers: starting an iterator draws one, and must not shift the run's own.
            generator=torch.Generator().manual_seed(seed),
        )
        self._pools = _start_workers(loader)
        self._ready: list[Batch] = []
        self.waited = 0.0

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if not self._ready:
            begin = time.monotonic()
            self._ready = list(next(self._pools))[self._skip :]
            self._skip = 0
            self.waited += time.monotonic() - begin
        return self._ready.pop(0)


def _start_workers(loader: DataLoader[Any]) -> Iterator[Any]:
    """Start the loader's processes while OpenCV has one thread: a forked process would wait for threads it has not."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return iter(loader)
    finally:
        cv2.setNumThreads(before)


def _quiet_worker(_: int) -> None:
    """Worker processes make data on one thread each and leave signals to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


__all__ = ["Batch", "BatchSource", "Batches"]
