"""The queue between requests and networks: photos of many clients are read in batches, each answer is its photo's own.

Threads take photos from the queue. A photo that comes alone is read at once with all processor threads; what arrives
meanwhile is read together, in groups that share the recogniser's passes. Photos of a request take turns with those of
others, and large ones never occupy all threads, so that neither many photos nor a slow one hold up somebody else's.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any

from signboard.errors import SignboardError
from signboard.photo import PhotoSource
from signboard.reading import Reading
from signboard.server.crew import Crew
from signboard.server.metrics import Metrics
from signboard.server.readers import ReadOptions

# Of photos that are read together all wait for the slowest: those with more pixels than this are read alone.
LARGE_PIXELS = 8_000_000
# How long a photo may wait for others whose requests are being received, in seconds.
WINDOW = 0.004


class QueueFullError(Exception):
    """More photos wait than may. `retry_after` is about how many seconds it will take to read them."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many photos are waiting; try again in {retry_after} s")
        self.retry_after = retry_after


class ClosedError(Exception):
    """The service is stopping, or could not load its networks."""


@dataclass(eq=False, slots=True)
class Job:
    """One photo in the queue."""

    data: PhotoSource
    options: ReadOptions
    large: bool
    future: Future[Reading] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class BatchQueue:
    """Reads photos with a few threads, in batches.

    Args:
        reader_for: gives the reader for options; called from the threads.
        limit: photos that may wait.
        window: seconds that a photo waits for others whose requests are being received.
        metrics: where seconds and photos are counted.
    """

    def __init__(
        self,
        reader_for: Callable[[ReadOptions], Any],
        *,
        limit: int = 128,
        window: float = WINDOW,
        metrics: Metrics | None = None,
    ) -> None:
        self._reader_for, self._limit, self._window = reader_for, limit, window
        self._crew = Crew()
        self.metrics = metrics or Metrics()
        self._changed = threading.Condition()
        # (turn, serial, job): see `submit`.
        self._waiting: list[tuple[int, int, Job]] = []
        self._serial = itertools.count()
        self._turn = 0
        self._busy = self._busy_large = self._gathering = 0
        self._crowd_until = 0.0  # as long as this, a batch of several is just done and their clients may send more
        self._arriving = 0
        self._open, self._failure = True, "the service is stopping"
        self._pace = 0.2  # seconds a photo, a running mean
        self._threads: list[threading.Thread] = []

    def start(self, crew: Crew) -> None:
        """Starts the crew's threads; photos that wait already are read."""
        self._crew = crew
        for number in range(crew.workers):
            thread = threading.Thread(target=self._work, name=f"signboard-serve-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self, reason: str = "the service is stopping") -> None:
        """Takes no more photos. Those that wait get a `ClosedError`; those that are being read are finished."""
        with self._changed:
            self._open, self._failure = False, reason
            waiting, self._waiting = self._waiting, []
            self._changed.notify_all()
        for _, _, job in waiting:
            _fail(job, ClosedError(reason))
        self.metrics.waiting.set(0)

    def join(self, timeout: float) -> None:
        """Waits for the threads after `close`, so many seconds at most."""
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def arriving(self, change: int) -> None:
        """Says that one request more (or less) is being received, whose photos may share a batch."""
        with self._changed:
            self._arriving += change
            self._changed.notify_all()

    def check_room(self, photos: int = 1) -> None:
        """Raises QueueFullError when so many photos more may not wait, ClosedError when none may."""
        with self._changed:
            self._check(photos)

    def submit(self, photos: Sequence[tuple[PhotoSource, int]], options: ReadOptions) -> list[Future[Reading]]:
        """Puts the photos of one request in the queue; a future each, in their order.

        A future that is cancelled before its photo's turn costs nothing.

        Args:
            photos: each the bytes of its file or a page of it, and its pixels as far as they are known (0 if not).

        Raises:
            QueueFullError: all of them together find no room; none was put in.
            ClosedError: the service takes no photos any more.
        """
        jobs = [Job(data, options, options.tile or pixels > LARGE_PIXELS) for data, pixels in photos]
        with self._changed:
            self._check(len(jobs))
            # The first photo of a request is on a par with the next one of every other request.
            for number, job in enumerate(jobs):
                heapq.heappush(self._waiting, (self._turn + number, next(self._serial), job))
            self.metrics.waiting.set(len(self._waiting))
            self._changed.notify_all()
        return [job.future for job in jobs]

    # Inside -----------------------------------------------------------------------------------------------------------

    def _check(self, photos: int) -> None:
        if not self._open:
            raise ClosedError(self._failure)
        if len(self._waiting) + photos > self._limit:
            self._waiting = [entry for entry in self._waiting if not entry[2].future.cancelled()]
            heapq.heapify(self._waiting)
        if len(self._waiting) + photos > self._limit:
            raise QueueFullError(max(1, round(self._pace * len(self._waiting) / self._crew.workers)))

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            jobs, alone = taken
            begin = time.monotonic()
            for job in jobs:
                self.metrics.seconds.labels("queue").observe(begin - job.since)
            self.metrics.batch.observe(len(jobs))
            self.metrics.reading.inc(len(jobs))
            try:
                self._crew.before(alone)
                self._read(jobs)
                self._crew.after(len(jobs))
            except BaseException as error:  # a thread that dies would leave its clients waiting
                traceback.print_exc(file=sys.stderr)
                for job in jobs:
                    _fail(job, error if isinstance(error, Exception) else RuntimeError(repr(error)))
            finally:
                took = time.monotonic() - begin
                self.metrics.seconds.labels("read").observe(took)
                self.metrics.reading.dec(len(jobs))
                with self._changed:
                    self._pace += 0.1 * (took / len(jobs) - self._pace)
                    self._busy -= 1
                    if len(jobs) > 1:
                        self._crowd_until = time.monotonic() + 4 * self._window
                    self._busy_large -= jobs[0].large
                    self._changed.notify_all()

    def _take(self) -> tuple[list[Job], bool] | None:
        """The next photos to read together, and whether there is nothing else to do; None at the end."""
        with self._changed:
            while True:
                if not self._open:
                    return None
                if (first := self._pop(None)) is not None:
                    break
                self._changed.wait()
            self._busy += 1
            self._busy_large += first.large
            jobs = [first] if first.large else self._gather(first)
            self.metrics.waiting.set(len(self._waiting))
            return jobs, len(jobs) == 1 and self._busy == 1 and not self._waiting

    def _gather(self, first: Job) -> list[Job]:
        """`first` and what waits to be read with it, after a moment for what is on its way."""
        self._gathering += 1
        end = time.monotonic() + self._window
        while self._open and len(self._waiting) + self._gathering < self._crew.group * self._crew.workers:
            now = time.monotonic()
            if now >= end or not (self._arriving or now < self._crowd_until):
                break
            self._changed.wait(end - now)
        # What waits is shared out, so that no thread is left without work.
        photos, threads = len(self._waiting) + self._gathering, self._crew.workers - self._busy + self._gathering
        share = min(self._crew.group, -(-photos // threads))
        jobs = [first]
        while len(jobs) < share and (job := self._pop(first.options)) is not None:
            jobs.append(job)
        self._gathering -= 1
        return jobs

    def _pop(self, like: ReadOptions | None) -> Job | None:
        """The next photo whose turn it is, of these options if they are given; None when none may be read now."""
        passed: list[tuple[int, int, Job]] = []
        found: Job | None = None
        while self._waiting:
            entry = heapq.heappop(self._waiting)
            turn, _, job = entry
            may = not job.large or (like is None and self._busy_large < max(1, self._crew.workers - 1))
            if not may or (like is not None and job.options != like):
                passed.append(entry)
                continue
            if job.future.set_running_or_notify_cancel():
                self._turn = max(self._turn, turn)
                found = job
                break
        for entry in passed:
            heapq.heappush(self._waiting, entry)
        return found

    def _read(self, jobs: Sequence[Job]) -> None:
        """Reads the photos and fills their futures."""
        reader = self._reader_for(jobs[0].options)
        if len(jobs) > 1:
            try:
                photos = [job.data for job in jobs]
                readings = list(reader.read_many(photos, batch_size=len(photos), workers=1))
                pairs = list(zip(jobs, readings, strict=True))
            except Exception:
                # One of them is at fault: each on its own, and only that one fails.
                traceback.print_exc(file=sys.stderr)
            else:
                for job, reading in pairs:
                    _finish(job, reading)
                return
        for job in jobs:
            _finish(job, _read_one(reader, job.data))


def _read_one(reader: Any, data: PhotoSource) -> Reading:
    try:
        reading: Reading = reader.read(data)
        return reading
    except SignboardError as error:
        return Reading("", 0, 0, error=str(error))
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return Reading("", 0, 0, error=f"photo: could not be read, {type(error).__name__} in the reader")


def _finish(job: Job, reading: Reading) -> None:
    # A future may have failed meanwhile, when the queue was closed.
    with contextlib.suppress(InvalidStateError):
        job.future.set_result(reading)


def _fail(job: Job, error: Exception) -> None:
    with contextlib.suppress(InvalidStateError):
        job.future.set_exception(error)
