"""A progress bar on standard error, and the last line of a run."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO, TypeVar

Item = TypeVar("Item")


class Progress:
    """One line that is drawn over and over: share done, photos per second, time left. Silent unless `shown`.

    Args:
        total: how many there are.
        shown: draw it; None: where standard error is a terminal.
        unit: what is counted.
    """

    def __init__(
        self, total: int, *, shown: bool | None = None, stream: TextIO | None = None, unit: str = "photos"
    ) -> None:
        self.total, self.done = total, 0
        self._before, self._unit = 0, unit
        shown = sys.stderr.isatty() if shown is None else shown
        self._shown, self._stream = shown, stream if stream is not None else sys.stderr
        self._begin = time.monotonic()
        self._drawn = 0.0

    def begin(self, done: int) -> None:
        """The clock starts now; so many were done before."""
        self.done = self._before = done
        self._begin = time.monotonic()

    def step(self) -> None:
        """One more is done."""
        self.to(self.done + 1)

    def to(self, done: int) -> None:
        """So many are done."""
        self.done = done
        now = time.monotonic()
        # Five times a second is smooth enough, and a terminal over a network is slow.
        if self._shown and (now - self._drawn > 0.2 or self.done == self.total):
            self._drawn = now
            self._draw(now)

    def say(self, message: str) -> None:
        """A line of its own above the bar."""
        self.clear()
        put(message + "\n", self._stream)

    def clear(self) -> None:
        """Takes the bar away."""
        if self._shown:
            put("\r\x1b[K", self._stream)

    def _draw(self, now: float) -> None:
        rate = (self.done - self._before) / max(now - self._begin, 1e-9)
        left = duration((self.total - self.done) / rate) if rate > 0 else "?"
        numbers = f" {self.done}/{self.total}  {speed(rate)} {self._unit}/s  {left} left"
        width = shutil.get_terminal_size().columns - len(numbers) - 3
        bar = ""
        if width >= 10:
            width = min(width, 40)
            full = round(width * self.done / max(self.total, 1))
            bar = "[" + "#" * full + "." * (width - full) + "]"
        put("\r\x1b[K" + bar + numbers, self._stream)


def put(text: str, stream: TextIO | None = None) -> None:
    """Text to standard error, or to `stream`, at once. A terminal that is gone, or a full disk, stops no work."""
    with contextlib.suppress(OSError):
        print(text, end="", file=stream if stream is not None else sys.stderr, flush=True)


def tracked(items: Iterable[Item], unit: str = "photos", *, total: int | None = None) -> Iterator[Item]:
    """The items one by one, with a bar while standard error is a terminal; `total` where they have no length."""
    if total is None:
        items = items if isinstance(items, Sequence) else list(items)
        total = len(items)
    bar = Progress(total, unit=unit)
    try:
        for item in items:
            yield item
            bar.step()
    finally:
        bar.clear()


def speed(rate: float) -> str:
    """A rate with as many digits as say something."""
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 1 else f"{rate:.2f}"


def duration(seconds: float) -> str:
    """ "42 s", "3:07" or "2:03:00"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
