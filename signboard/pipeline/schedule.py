"""When which photo is opened, searched and read: threads, windows and streams. Knows nothing of what the stages do.

On a processor each thread takes small groups of photos through both stages; the networks of one photo are too little
work for many threads. On CUDA one thread finds words on a window of photos, on a stream of its own, while those of the
window before are cut out and read.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import cv2
import torch

from signboard.errors import PhotoError, ReadingError, SignboardError
from signboard.memory import give_back_memory
from signboard.photo import Photo, PhotoSource, load_photo, printable
from signboard.pipeline.forking import GATE
from signboard.reading import Reading

Found = TypeVar("Found")

# At most so many photos are read at once on a processor: each needs about 300 MB.
_SIDE_BY_SIDE = 4
# On a processor, free memory is given back after so many photos of a stream.
_GIVE_BACK = 16
# On a processor, a thread reads so many photos of a stream together, fewer when they have more pixels than this.
_GROUP = 8
_GROUP_PIXELS = 4_000_000
# Photos that are opened ahead wait with no more pixels than this in all, three bytes each; one may always wait.
_AHEAD_PIXELS = 200_000_000
# What a photo that is not opened yet is counted as.
_PIXELS_UNSEEN = 3_000_000


class Schedule(Generic[Found]):
    """Takes photos through the stages in order, and keeps a failure to the photo it belongs to.

    Args:
        find: what is found on each of some photos.
        read: the reading of each of some photos, given what was found on them.
        device: where the networks run.
        decode_side: see `photo.load_photo`.
        window: photos of a window by default.
        ahead: whether the words of the next window are found while those of one are read.
        one_by_one: whether photos are read one by one on a processor, too, not in groups.
    """

    def __init__(
        self,
        find: Callable[[Sequence[Photo]], list[Found]],
        read: Callable[[Sequence[Photo], Sequence[Found]], list[Reading]],
        *,
        device: torch.device,
        decode_side: int | None,
        window: int,
        ahead: bool,
        one_by_one: bool = False,
    ) -> None:
        self._find_stage = find
        self._read_stage = read
        self.device = device
        self.decode_side = decode_side
        self.window = window
        self.ahead = ahead
        self.one_by_one = one_by_one
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._finder: ThreadPoolExecutor | None = None

    def find(self, photos: Sequence[Photo]) -> list[Found]:
        """What is found on each of some photos."""
        with GATE.inside():
            return self._find_stage(photos)

    def read(self, photos: Sequence[Photo], found: Sequence[Found]) -> list[Reading]:
        """The reading of each of some photos, given what was found on them."""
        with GATE.inside():
            return self._read_stage(photos, found)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lock": None, "_finder": None}  # neither can travel between processes

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock(), _process=os.getpid())

    def one(self, photo: PhotoSource) -> Reading:
        """The reading of one photo.

        Raises:
            PhotoError: the photo cannot be opened.
            ReadingError: it can, but reading it failed; the cause is the exception's `__cause__`.
        """
        self._enter_process()
        opened = load_photo(photo, decode_side=self.decode_side)
        try:
            return self.read([opened], self.find([opened]))[0]
        except SignboardError:
            raise
        except Exception as error:
            raise _failed(opened, error) from error

    def many(
        self, photos: Iterator[PhotoSource], *, window: int | None = None, workers: int | None = None
    ) -> Iterator[Reading]:
        """The readings of many photos, in their order, as a stream; a photo that fails is a reading with its error.

        Args:
            window: photos that go through the stages together; None: by device.
            workers: threads; None: by the number of cores.
        """
        self._enter_process()
        failure: list[Exception] = []
        photos = _until_failure(photos, failure)
        threads = min(os.cpu_count() or 1, 8) if workers is None else max(1, workers)
        on_cpu = self.device.type == "cpu"
        if on_cpu and window is None and min(threads, torch.get_num_threads()) > 1:
            readings = self._groups(photos, min(threads, torch.get_num_threads(), _SIDE_BY_SIDE))
        else:
            readings = self._windows(photos, window or self.window, threads)
        return _to_the_end(readings, failure, give_back=on_cpu)

    def _enter_process(self) -> None:
        """Lets a forked child go on: the threads of the matrix libraries were not forked with it, so it uses none."""
        if self._process == os.getpid():
            return
        if self.device.type == "cuda":
            raise ReadingError(
                "a Reader on CUDA does not work in a forked process: make the Reader there, in a process that was "
                'started by "spawn"'
            )
        torch.set_num_threads(1)
        cv2.setNumThreads(0)
        self._lock = threading.Lock()
        self._finder = None
        self._process = os.getpid()

    def _groups(self, photos: Iterator[PhotoSource], readers: int) -> Generator[Reading, None, None]:
        """Readings in order, from threads that read a few photos each."""
        total = torch.get_num_threads()
        with contextlib.ExitStack() as stack:
            stack.callback(torch.set_num_threads, total)  # the matrix library's own setting is the process's
            pool = stack.enter_context(
                ThreadPoolExecutor(readers, "signboard-read", torch.set_num_threads, (max(1, total // readers),))
            )
            waiting: deque[Future[list[Reading]]] = deque()
            stack.callback(lambda: [future.cancel() for future in waiting])
            # Words of several photos share the recogniser's passes. The first groups are small: a folder of few
            # photos keeps all threads busy, too.
            sizes = itertools.repeat(1) if self.one_by_one else itertools.chain((1, 2), itertools.repeat(_GROUP))
            size = itertools.chain.from_iterable(itertools.repeat(n, readers) for n in sizes)
            while True:
                while len(waiting) < 2 * readers and (group := list(itertools.islice(photos, next(size)))):
                    waiting.append(pool.submit(self._read_group, group))
                if not waiting:
                    return
                yield from waiting.popleft().result()

    def _read_group(self, photos: Sequence[PhotoSource]) -> list[Reading]:
        """The readings of a few photos, those with many pixels apart."""
        readings: list[Reading] = []
        window: list[Photo | Reading] = []
        pixels = 0
        for number, source in enumerate(photos, 1):
            window.append(opened := self._open(source))
            pixels += _pixels(opened)
            if number == len(photos) or pixels > _GROUP_PIXELS:
                good = [photo for photo in window if isinstance(photo, Photo)]
                readings += _in_order(window, self._read_found(good, self._found(good)))
                window, pixels = [], 0
        return readings

    def _windows(self, photos: Iterator[PhotoSource], size: int, threads: int) -> Generator[Reading, None, None]:
        """Readings in order, a window of photos after the other; photos are opened ahead by other threads."""
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(threads, thread_name_prefix="signboard-decode"))
            waiting: deque[Future[Photo | Reading]] = deque()
            stack.callback(lambda: [future.cancel() for future in waiting])

            def opened() -> Iterator[list[Photo | Reading]]:
                while True:
                    held = sum(_pixels(f.result()) if f.done() else _PIXELS_UNSEEN for f in waiting)
                    while len(waiting) < 2 * size and (held < _AHEAD_PIXELS or not waiting):
                        if not (some := list(itertools.islice(photos, 1))):
                            break
                        waiting.append(pool.submit(self._open, some[0]))
                        held += _PIXELS_UNSEEN
                    if not waiting:
                        return
                    yield [waiting.popleft().result() for _ in range(min(size, len(waiting)))]

            for window, found in self._one_ahead(opened()):
                yield from _in_order(window, self._read_found([p for p in window if isinstance(p, Photo)], found))

    def _one_ahead(
        self, windows: Iterator[list[Photo | Reading]]
    ) -> Iterator[tuple[list[Photo | Reading], list[Found | Reading]]]:
        """Each window with what was found on its photos; with `ahead`, one window ahead of what is asked for."""
        last: tuple[list[Photo | Reading], Future[list[Found | Reading]]] | None = None
        for window in windows:
            photos = [p for p in window if isinstance(p, Photo)]
            if not self.ahead:
                yield window, self._found(photos)
                continue
            job = self._finding_thread().submit(self._found, photos)
            if last is not None:
                yield last[0], last[1].result()
            last = window, job
        if last is not None:
            yield last[0], last[1].result()

    def _finding_thread(self) -> ThreadPoolExecutor:
        """The thread that finds words ahead, one for all streams of photos, with one CUDA stream."""
        with self._lock:
            if self._finder is None:
                self._finder = ThreadPoolExecutor(
                    1, "signboard-find", initializer=_use_own_stream, initargs=(self.device,)
                )
            return self._finder

    def _open(self, photo: PhotoSource) -> Photo | Reading:
        """The opened photo, or the reading that says why it could not be opened."""
        name = os.fspath(photo) if isinstance(photo, str | os.PathLike) else ""
        try:
            return load_photo(photo, decode_side=self.decode_side)
        except PhotoError as error:
            message = str(error)
        except Exception as error:  # of a source that is none, or of an image library
            message = (
                f"{name or 'photo'}: cannot be opened, {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            )
            _report(error)
        return Reading(source=printable(str(name)), width=0, height=0, error=printable(message))

    def _found(self, photos: Sequence[Photo]) -> list[Found | Reading]:
        """What was found on each photo, or the reading that says why that failed."""

        def alone(i: int) -> Found | Reading:
            try:
                return self.find([photos[i]])[0]
            except Exception as error:
                return _error_reading(photos[i], error)

        if not photos:
            return []
        try:
            return list(self.find(photos))
        except Exception:  # of one photo, as a rule
            return [alone(i) for i in range(len(photos))]

    def _read_found(self, photos: Sequence[Photo], found: Sequence[Found | Reading]) -> list[Reading]:
        """The reading of each photo; of each on which a stage fails, a reading with its error."""

        def alone(i: int) -> Reading:
            try:
                return self.read([photos[i]], [pairs[i][1]])[0]
            except Exception as error:
                return _error_reading(photos[i], error)

        pairs = [(photo, f) for photo, f in zip(photos, found, strict=True) if not isinstance(f, Reading)]
        photos = [photo for photo, _ in pairs]
        readings: list[Reading] = []
        if pairs:
            try:
                readings = self.read(photos, [f for _, f in pairs])
            except Exception:  # of one photo, as a rule
                readings = [alone(i) for i in range(len(pairs))]
        read = iter(readings)
        return [f if isinstance(f, Reading) else next(read) for f in found]


def _in_order(window: Sequence[Photo | Reading], readings: Sequence[Reading]) -> Iterator[Reading]:
    """The reading of each photo of a window: its error, or the next of `readings`."""
    read = iter(readings)
    return (item if isinstance(item, Reading) else next(read) for item in window)


def _pixels(photo: Photo | Reading) -> int:
    return photo.pixels.size // 3 if isinstance(photo, Photo) else 0


def _failed(photo: Photo, error: Exception) -> ReadingError:
    name = printable(photo.source) or "photo"
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return ReadingError(f"{name}: too large for the memory there is; make it smaller, or use --device cpu")
    return ReadingError(f"{name}: reading failed, {_reason(error)}")


def _reason(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    return type(error).__name__ + (f": {said}" if said else "")


def _error_reading(photo: Photo, error: Exception) -> Reading:
    """The row of a photo that was opened and could not be read."""
    message = str(error) if isinstance(error, SignboardError) else str(_failed(photo, error))
    _report(error)
    return Reading(
        source=printable(photo.source),
        width=photo.width,
        height=photo.height,
        error=message,
        metadata=photo.metadata,
        page=photo.page,
    )


def _report(error: Exception) -> None:
    """Shows where a failure came from to those who asked for it by `logging` (`signboard run --debug`)."""
    import logging

    logging.getLogger("signboard").debug("reading failed", exc_info=error)


def _use_own_stream(device: torch.device) -> None:
    """Gives this thread a CUDA stream of its own, so that its copies and kernels do not queue behind another's."""
    if device.type == "cuda":
        torch.cuda.set_stream(torch.cuda.Stream(device))


def _until_failure(photos: Iterator[PhotoSource], failure: list[Exception]) -> Iterator[PhotoSource]:
    """The photos until the iterator fails; its exception goes into `failure`."""
    try:
        yield from photos
    except Exception as error:
        failure.append(error)


def _to_the_end(
    readings: Generator[Reading, None, None], failure: Sequence[Exception], *, give_back: bool
) -> Generator[Reading, None, None]:
    """`readings`, and behind them the failure of what gives the photos; free memory is given back now and then."""
    with contextlib.closing(readings):
        for done, reading in enumerate(readings, 1):
            yield reading
            if give_back and done % _GIVE_BACK == 0:
                give_back_memory()
    if failure:
        raise failure[0]


__all__ = ["Schedule"]
