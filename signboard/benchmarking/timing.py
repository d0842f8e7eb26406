"""Seconds of the clock and of the processor."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Seconds(NamedTuple):
    """What a piece of work took: by the clock, and of all processors together."""

    wall: float
    cpu: float


def timed(work: Callable[[], object]) -> float:
    """Seconds by the clock."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round. The ways take turns, so that a busy machine slows all alike."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            taken[name].append(timed(work))
    return taken


def run_process(command: Sequence[str]) -> Seconds:
    """What a process took from its start to its end.

    Raises:
        RuntimeError: it failed.
    """
    before, begin = os.times(), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    wall, after = time.perf_counter() - begin, os.times()
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(f"{' '.join(command[-3:])} ended with code {done.returncode}: {lines[-1] if lines else ''}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Seconds(wall, cpu)
