"""Reads photos in several processes of this machine, each with a reader of its own.

Python works on one thing at a time in a process, so that with many cores, or a GPU, one process is busy with cutting
out words while the rest waits. The process that starts the others hands out the photos and gives back the readings in
the photos' order. When a process dies, a library has crashed or the memory was not enough, the photos it had are read
again, each on its own, by one that takes its place; a photo whose second process dies, too, is an error.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import logging
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from signboard.errors import ConfigError, SignboardError
from signboard.memory import free_memory, give_back_memory, loading, settle_memory
from signboard.photo import Page, printable
from signboard.reading import Reading

READER = "signboard.processes:make_reader"

# Photos that a process takes at once, more if more go through the networks together: few at first, so that a folder of
# few photos keeps all of them busy.
_FIRST_GROUPS = (1, 2, 4)
_GROUP = 8
# Photos that are being read and readings that wait for one before them, at most.
_AHEAD = 512

# Where nobody says how many processes read: with fewer photos one does, and each must find so much memory free.
_WORTH_IT = 64
_BYTES_EACH = 1_500_000_000
_AT_MOST = 16

Source = str | Path | Page


class ProcessError(SignboardError):
    """The processes that read end before they have read anything."""


@dataclass
class _Child:
    """A process that reads, and the numbers of the photos it was given and has not answered."""

    process: Any
    link: Connection
    ready: bool = False
    given: deque[int] = field(default_factory=deque)
    sizes: Iterator[int] = field(default_factory=lambda: iter(_FIRST_GROUPS))


def choose_processes(photos: int) -> int:
    """How many processes read so many photos best: one for a few, else one a core as far as the memory goes."""
    if photos < _WORTH_IT:
        return 1
    free = free_memory()
    room = 2 if free is None else free // _BYTES_EACH
    return max(1, min(usable_cores(), room, _AT_MOST))


class ReaderProcesses:
    """Processes that read photos, until `close` ends them; also a context manager. For one stream of photos at a time.

    Each needs the memory of one reader; the cores are shared out among them. Programs that make this in their main
    module guard it by `if __name__ == "__main__":`, as `multiprocessing` asks.

    Args:
        processes: how many. On a GPU each holds its own copy of the networks there.
        reader_options: for `Reader`, in each process.
        batch_size, workers: as for `Reader.read_many`, in each process.
        on_cpu_only: start one process, and the others only if its networks run on the processor.
        reader: "module:name" of what makes the reader.
    """

    def __init__(
        self,
        processes: int,
        reader_options: dict[str, Any],
        *,
        batch_size: int | str = "auto",
        workers: int | None = None,
        on_cpu_only: bool = False,
        reader: str = READER,
    ) -> None:
        threads = max(1, usable_cores() // processes)
        self._arguments = (reader, reader_options, batch_size, workers or threads, threads)
        self._children: list[_Child] = []
        self._taken: dict[int, Source] = {}  # not answered yet
        self._again: deque[int] = deque()  # of these, the ones to be read on their own
        self._doubted: set[int] = set()  # given to a process that died
        self._readings: dict[int, Reading] = {}
        self._group = max(_GROUP, batch_size) if isinstance(batch_size, int) else _GROUP
        self._waiting = processes - 1 if on_cpu_only else 0  # processes to start when the first one is ready
        for _ in range(processes - self._waiting):
            self._start()

    def __enter__(self) -> ReaderProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read_many(self, photos: Iterable[Source]) -> Generator[Reading, None, None]:
        """Readings of photos in their order, as a stream. One that is left before its end ends the processes.

        Args:
            photos: paths, or pages of them; drawn from as needed.

        Raises:
            ConfigError: the reader cannot be made as asked for.
            ProcessError: the processes end before they have read anything.
        """
        fresh = enumerate(photos)
        self._doubted.clear()
        due = 0
        try:
            while True:
                for child in self._children:
                    if child.ready and not child.given:
                        self._give(child, fresh)
                if due in self._readings:
                    yield self._readings.pop(due)
                    due += 1
                    self._listen(0)
                elif not self._taken and any(child.ready for child in self._children):
                    return  # one that is ready was offered photos, and there are no more
                else:
                    self._listen(None)
        finally:
            if self._taken:
                self.close()

    def close(self) -> None:
        """Ends the processes, whatever they are doing."""
        for child in self._children:
            child.link.close()
            child.process.terminate()
        for child in self._children:
            child.process.join(5)
            if child.process.is_alive():
                child.process.kill()
                child.process.join()
        self._children.clear()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # threads of the matrix libraries do not survive a fork
        ours, theirs = context.Pipe()
        debug = logging.getLogger("signboard").isEnabledFor(logging.DEBUG)
        process = context.Process(target=_serve, args=(theirs, debug, *self._arguments), daemon=True)
        process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        self._children.append(_Child(process, ours))

    def _give(self, child: _Child, fresh: Iterator[tuple[int, Source]]) -> None:
        """Hands photos to a process that waits for some: those that are read again before new ones."""
        if self._again:
            numbers = [self._again.popleft()]
        else:
            waiting = len(self._taken) + len(self._readings)
            some = dict(itertools.islice(fresh, min(next(child.sizes, self._group), _AHEAD - waiting)))
            self._taken.update(some)
            numbers = list(some)
        if numbers:
            child.given.extend(numbers)
            with contextlib.suppress(OSError):  # it has died: listening to it will tell
                child.link.send([self._taken[number] for number in numbers])

    def _listen(self, seconds: float | None) -> None:
        """Takes what processes have to say, waiting for it so long, or until there is something."""
        for link in wait([child.link for child in self._children], seconds):
            child = next(child for child in self._children if child.link is link)
            try:
                said = child.link.recv()
            except (EOFError, OSError):
                self._replace(child)
                continue
            if isinstance(said, SignboardError):
                raise ConfigError(str(said))
            if isinstance(said, Reading):
                number = child.given.popleft()
                del self._taken[number]
                self._readings[number] = said
            else:
                child.ready = True
                for _ in range(self._waiting if said == "cpu" else 0):
                    self._start()
                self._waiting = 0

    def _replace(self, child: _Child) -> None:
        """Puts a new process in the place of one that has died, and has its photos read again."""
        child.process.join()
        child.link.close()
        self._children.remove(child)
        died = _ending(child.process.exitcode)
        if not child.ready:  # nor would another be
            if not self._children:
                raise ProcessError(f"a process that was to read photos {died} before it could begin")
            return
        if len(child.given) == 1 and child.given[0] in self._doubted:
            number = child.given[0]
            name = printable(os.fspath(self._taken.pop(number)))
            error = f"{name}: the process that read it {died}"
            self._readings[number] = Reading(source=name, width=0, height=0, error=error)
        else:
            self._again.extend(child.given)
            self._doubted.update(child.given)
        self._start()


def _ending(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was ended by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")


def _serve(
    link: Connection,
    debug: bool,
    reader: str,
    options: dict[str, Any],
    batch_size: int | str,
    workers: int,
    threads: int,
) -> None:
    """A process that reads: makes the reader, then answers each photo of each group with its reading."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first decides what it means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if debug:
        logging.getLogger("signboard").addHandler(logging.StreamHandler())
        logging.getLogger("signboard").setLevel(logging.DEBUG)
    module, _, name = reader.partition(":")
    try:
        reads = getattr(importlib.import_module(module), name)(**options)
    except SignboardError as error:
        link.send(error)
        return
    if torch := sys.modules.get("torch"):  # tests have readers without
        torch.set_num_threads(min(threads, torch.get_num_threads()))
    try:
        link.send(reads.device.type)
        while True:
            for reading in reads.read_many(link.recv(), batch_size=batch_size, workers=workers):
                link.send(reading)
            give_back_memory()
    except (EOFError, OSError):  # the process that started this one has ended
        return
    except Exception as error:  # of the reader itself: what a photo does to it is a reading
        logging.getLogger("signboard").debug("a process that reads failed", exc_info=error)
        raise SystemExit(1) from None


def make_reader(**options: Any) -> Any:
    """A `Reader(**options)` in a process that is there to read: its memory and collector are set up for that."""
    with loading():
        settle_memory(str(options.get("precision", "auto")), str(options.get("device", "auto")))
        from signboard.reader import Reader

        return Reader(**options)


def usable_cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


__all__ = ["ProcessError", "ReaderProcesses", "choose_processes", "make_reader", "usable_cores"]
