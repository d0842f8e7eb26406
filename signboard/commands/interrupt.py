"""What ends a run before its time: Ctrl-C, SIGTERM, and somebody who has read enough of standard output."""

from __future__ import annotations

import os
import signal
import sys
import threading
import types
from typing import Any


class Stop:
    """Turns the first Ctrl-C or SIGTERM into a wish to stop after the photo in hand; a second one stops at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.signal = number
        for other in self._old:
            signal.signal(other, signal.SIG_DFL)


def let_go_of_stdout() -> None:
    """Python flushes standard output once more on its way out, and would fail again: give it a place to."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
