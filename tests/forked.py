"""Waits for what forked children answer, and tells one that hangs from one that a busy machine keeps waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty
from typing import Any


class ChildrenHang(Exception):
    """All children that still run slept, or worked, for too long, or all have ended, and none has answered."""


def state(process: BaseProcess) -> tuple[bool, int]:
    """Whether a process sleeps, and the time it has had on a processor, in ticks.

    As Linux says it; elsewhere nobody says so, and it never counts as asleep.
    """
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return False, 0
    return fields[0] == "S", int(fields[11]) + int(fields[12])


def answer(queue: Any, processes: Sequence[BaseProcess], limit: float = 30.0, work: float = 60.0) -> Any:
    """What a child puts into `queue`, however long that takes on a busy machine.

    A child that waits for a lock sleeps, or turns in a circle; one that waits for a processor is ready to run.

    Args:
        limit: seconds for which all children may sleep without any time on a processor.
        work: seconds on a processor that all of them may use.

    Raises:
        ChildrenHang: they slept for longer, or worked for longer, or none is alive any more.
    """
    since, before = time.monotonic(), None
    ticks = os.sysconf("SC_CLK_TCK")
    while True:
        try:
            return queue.get(timeout=limit / 30)
        except Empty:
            now = [state(process) for process in processes if process.is_alive()]
        if now and all(used > work * ticks for _, used in now):
            raise ChildrenHang(f"no answer, though they worked; (asleep, ticks) of each child alive: {now}")
        if now != before or not all(sleeps for sleeps, _ in now):
            since, before = time.monotonic(), now
        elif time.monotonic() - since >= limit:
            raise ChildrenHang(f"no answer; (asleep, ticks) of each child alive: {now}")


__all__ = ["ChildrenHang", "answer", "state"]
