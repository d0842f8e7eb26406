"""The whole chain for a video: frames are chosen and read, words followed, and each sign comes out once."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, Protocol

from signboard.geometry import ImageArray
from signboard.reading import Line, Polygon, Reading, Sign
from signboard.video.boards import part_boards
from signboard.video.following import FollowedSign, Follower
from signboard.video.motion import Transform
from signboard.video.selection import Pick, pick_frames
from signboard.video.source import FrameSource


class FrameReader(Protocol):
    """What reads the frames: `signboard.Reader`."""

    def read_many(
        self, photos: Iterable[Any], *, batch_size: int | Literal["auto"] = "auto", workers: int | None = None
    ) -> Iterator[Reading]:
        """Readings of arrays (H, W, 3) uint8 RGB, in their order."""


def follow(
    reader: FrameReader,
    source: FrameSource,
    *,
    rate: float = 2.0,
    memory: float = 20.0,
    batch_size: int | Literal["auto"] = "auto",
    workers: int | None = None,
    motions: list[tuple[int, float, Transform]] | None = None,
    progress: Callable[[float, int], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[FollowedSign]:
    """Each sign of a video once, when it has been out of sight for `memory` seconds or the video ends.

    Args:
        source: an open source of frames; it is not closed.
        rate: frames read a second, at most.
        memory: seconds after which a sign that comes back is another one.
        batch_size, workers: as for `Reader.read_many`. From a live source frames are read one by one, the newest first.
        motions: see `pick_frames`.
        progress: called with the seconds of video done and the number of frames read, after each.
        stopped: asked before each frame; once it says so, no more are taken.
    """
    picks = pick_frames(source, rate=rate, motions=motions)
    if source.live:
        picks = _newest(picks, stopped)
        batch_size = 1
    waiting: deque[Pick] = deque()

    def pixels() -> Iterator[ImageArray]:
        for pick in picks:
            if stopped():
                return
            waiting.append(pick)
            assert pick.pixels is not None
            yield pick.pixels

    follower = Follower(memory=memory)
    last: Pick | None = None
    readings = reader.read_many(pixels(), batch_size=batch_size, workers=workers)
    for count, reading in enumerate(readings, start=1):
        pick = waiting.popleft()
        assert pick.pixels is not None
        reading = part_boards(reading, pick.pixels)
        pick.pixels = None
        if last is not None:
            follower.extend(last.until)
        last = pick
        yield from follower.add(_enlarged(reading, pick), frame=pick.index, time=pick.time, motion=pick.motion)
        if progress is not None:
            progress(pick.time, count)
    if last is not None:
        follower.extend(last.until)
    yield from follower.finish()


def _newest(picks: Iterator[Pick], stopped: Callable[[], bool]) -> Iterator[Pick]:
    """Picks of a live source, taken in a thread of their own: while one is read only the newest waits."""
    ready: queue.Queue[Pick | Exception | None] = queue.Queue()
    over = threading.Event()

    def take() -> None:
        try:
            for pick in picks:
                if over.is_set() or stopped():
                    break
                ready.put(pick)
            ready.put(None)
        except Exception as error:
            ready.put(error)

    thread = threading.Thread(target=take, name="signboard-frames", daemon=True)
    thread.start()
    try:
        while not stopped():
            try:
                pick = ready.get(timeout=0.2)
            except queue.Empty:
                continue
            # The motions of the picks that are dropped are part of the next one's.
            while isinstance(pick, Pick) and not ready.empty():
                newer = ready.get_nowait()
                if not isinstance(newer, Pick):
                    yield pick
                    pick = newer
                    break
                newer.motion = pick.motion.then(newer.motion)
                pick = newer
            if pick is None:
                return
            if isinstance(pick, Exception):
                raise pick
            yield pick
    finally:
        over.set()
        thread.join(timeout=15.0)  # a stream that does not answer gives up after ten


def _enlarged(reading: Reading, pick: Pick) -> Reading:
    """A frame's reading in pixels of the source, where the frame was read smaller."""
    if reading.width in (0, pick.width):
        return reading
    scale = pick.width / reading.width

    def larger(polygon: Polygon) -> Polygon:
        return tuple((x * scale, y * scale) for x, y in polygon)

    signs = tuple(
        Sign(
            tuple(
                Line(
                    tuple(dataclasses.replace(word, polygon=larger(word.polygon)) for word in line.words),
                    larger(line.polygon),
                )
                for line in sign.lines
            ),
            larger(sign.polygon),
        )
        for sign in reading.signs
    )
    return dataclasses.replace(reading, width=pick.width, height=pick.height, signs=signs)
