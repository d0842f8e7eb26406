"""Forks wait until no thread is inside the networks: a lock of the libraries held then is held for ever in the child.

The matrix libraries know nothing of forks. A thread that multiplies, or that has just ended and gives its buffers back,
holds locks of theirs; a child that is forked then waits for them, mostly by turning in a circle.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

# A fork waits no longer than so many seconds for other threads: it may come from what they wait for themselves.
_PATIENCE = 60.0
# ... and no longer than this for one that has ended for Python, and still gives back what it has.
_ENDING = 2.0
_TASKS = Path("/proc/self/task")
_MOST_SEEN = 64  # from so many threads on those that are gone are forgotten


def _lives(number: int) -> bool:
    """Whether there is a thread with this number, as Linux says it; elsewhere nobody does."""
    return (_TASKS / str(number)).exists()


class ForkGate:
    """Lets threads into the networks one by one or side by side, and forks only while none of them is inside.

    Args:
        patience: seconds that a fork waits for threads inside.
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self.patience = patience
        self._reset()

    def _reset(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._inside: Counter[int] = Counter()  # how often each thread is inside
        self._seen: dict[int, threading.Thread] = {}  # those that were, by the system's number
        self._forking = False

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """While a thread is in here no other one forks; the thread itself may."""
        own = threading.get_ident()
        with self._changed:
            while self._forking and not self._inside[own]:
                self._changed.wait()
            self._inside[own] += 1
            self._seen[threading.get_native_id()] = threading.current_thread()
            if len(self._seen) > _MOST_SEEN:
                self._seen = {number: thread for number, thread in self._seen.items() if _lives(number)}
        try:
            yield
        finally:
            with self._changed:
                self._inside[own] -= 1
                if not self._inside[own]:
                    del self._inside[own]
                self._changed.notify_all()

    def before_fork(self) -> None:
        """Waits until no other thread is inside, and keeps them out; called right before a fork."""
        own, until = threading.get_ident(), time.monotonic() + self.patience
        self._changed.acquire()
        self._forking = True
        while any(thread != own for thread in self._inside) and time.monotonic() < until:
            self._changed.wait(max(0.0, until - time.monotonic()))
        until = time.monotonic() + _ENDING
        for number in [number for number, thread in self._seen.items() if not thread.is_alive()]:
            while _lives(number) and time.monotonic() < until:
                time.sleep(0.001)
            del self._seen[number]

    def after_fork_in_parent(self) -> None:
        """Lets threads in again."""
        self._forking = False
        self._changed.notify_all()
        self._changed.release()

    def after_fork_in_child(self) -> None:
        """Begins anew: the other threads do not live on in the child."""
        own = threading.get_ident()
        times = self._inside[own]
        self._reset()
        if times:  # the fork came from inside
            self._inside[own] = times


GATE = ForkGate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=GATE.before_fork,
        after_in_parent=GATE.after_fork_in_parent,
        after_in_child=GATE.after_fork_in_child,
    )

__all__ = ["GATE", "ForkGate"]
