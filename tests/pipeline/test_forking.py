"""A fork waits until no other thread is where locks are held that the child would wait for."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from signboard.photo import Photo
from signboard.pipeline import forking
from signboard.pipeline.forking import GATE, ForkGate
from signboard.reading import Reading

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def waits(started: threading.Thread) -> bool:
    started.join(0.2)
    return started.is_alive()


def test_a_fork_waits_for_who_is_inside_and_keeps_others_out() -> None:
    gate, leave, entered = ForkGate(), threading.Event(), threading.Event()

    def work() -> None:
        with gate.inside():
            entered.set()
            with gate.inside():  # a stage in a stage
                leave.wait(10)

    def fork() -> None:
        gate.before_fork()
        forked.set()
        go_on.wait(10)
        gate.after_fork_in_parent()

    def enter() -> None:
        with gate.inside():
            pass

    forked, go_on = threading.Event(), threading.Event()
    worker, forker, other = (threading.Thread(target=target, daemon=True) for target in (work, fork, enter))
    worker.start()
    assert entered.wait(10)
    forker.start()
    assert waits(forker) and not forked.is_set()
    other.start()
    assert waits(other)
    leave.set()
    assert forked.wait(10) and waits(other)
    go_on.set()
    for thread in (worker, forker, other):
        thread.join(10)
        assert not thread.is_alive()


def test_a_fork_from_inside_does_not_wait_for_itself() -> None:
    gate = ForkGate(patience=60.0)
    started = time.monotonic()
    with gate.inside():
        gate.before_fork()
        gate.after_fork_in_child()
    gate.before_fork()
    gate.after_fork_in_parent()
    assert time.monotonic() - started < 10


def test_a_fork_waits_no_longer_than_its_patience() -> None:
    gate, leave, entered = ForkGate(patience=0.2), threading.Event(), threading.Event()

    def work() -> None:
        with gate.inside():
            entered.set()
            leave.wait(10)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    assert entered.wait(10)
    started = time.monotonic()
    gate.before_fork()
    gate.after_fork_in_parent()
    assert 0.2 <= time.monotonic() - started < 5
    leave.set()
    worker.join(10)


def test_a_fork_waits_for_threads_that_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, numbers = ForkGate(), []
    monkeypatch.setattr(forking, "_TASKS", tmp_path)

    def work() -> None:
        numbers.append(threading.get_native_id())
        with gate.inside():
            pass

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    there = tmp_path / str(numbers[0])  # for the system it has not ended yet
    there.touch()
    threading.Timer(0.3, there.unlink).start()
    started = time.monotonic()
    gate.before_fork()
    gate.after_fork_in_parent()
    assert 0.25 <= time.monotonic() - started < forking._ENDING + 5 and not there.exists()


def test_threads_that_are_gone_are_forgotten() -> None:
    gate = ForkGate()

    def work() -> None:
        with gate.inside():
            pass

    for _ in range(3 * forking._MOST_SEEN):
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
    assert len(gate._seen) <= forking._MOST_SEEN + 1


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_never_meets_a_lock_that_a_stage_holds() -> None:
    from test_schedule import Stages, make

    lock, stop = threading.Lock(), threading.Event()

    class Locking(Stages):
        def read(self, photos: list[Photo], found: list[int]) -> list[Reading]:  # type: ignore[override]
            with lock:
                time.sleep(0.02)
            return super().read(photos, found)

    schedule = make(Locking())

    def work() -> None:
        while not stop.is_set():
            schedule.one(np.zeros((8, 8, 3), np.uint8))

    workers = [threading.Thread(target=work, daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        codes = []
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                os._exit(0 if lock.acquire(timeout=2) else 7)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    finally:
        stop.set()
        for worker in workers:
            worker.join(10)
    assert codes == [0] * 10
    assert not GATE._forking
