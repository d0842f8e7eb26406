"""Readers for Ray's workers in the tests: one reads names, and dies hard on a photo the first time; one has windows."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import torch
from cli_fake import FakeReader

from signboard.photo import Photo
from signboard.pipeline.schedule import Schedule
from signboard.reading import Reading


class MortalReader(FakeReader):
    """Kills its own process, as an out-of-memory killer would, at the photo "deadly.jpg"; the next one survives."""

    def read_many(self, photos: Iterable[Any], **options: Any) -> Iterator[Reading]:
        for photo in photos:
            if isinstance(photo, str):
                (Path(photo).parent / f"{os.getpid()}.pid").touch()
            if isinstance(photo, str) and photo.endswith("deadly.jpg"):
                mark = Path(photo).with_suffix(".mark")
                if not mark.exists():
                    mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            if isinstance(photo, bytes):  # from a store: the fake reads names, and there is none
                yield Reading("", 32, 32)
            else:
                yield from super().read_many([photo], **options)


class AheadReader:
    """Finds and reads nothing, with the schedule of a GPU.

    It fails unless, of the photos that are handed to it together, those of the next window are being looked at while
    those of one are read.
    """

    def __init__(self, **_: Any) -> None:
        self.windows: list[int] = []
        self._begun: list[Event] = []  # of each window, whether it is being looked at
        self._found = self._done = 0
        self._schedule = Schedule(
            self._find, self._read, device=torch.device("cpu"), decode_side=None, window=32, ahead=True
        )

    def read_many(self, photos: Iterable[Any], *, batch_size: int) -> Iterator[Reading]:
        given = list(photos)
        self._begun = [Event() for _ in range(0, len(given), batch_size)]
        self._found = self._done = 0
        return self._schedule.many(iter(given), window=batch_size, workers=1)

    def _find(self, photos: Sequence[Photo]) -> list[int]:
        self._begun[self._found].set()
        self._found += 1
        return [len(photos)] * len(photos)

    def _read(self, photos: Sequence[Photo], found: Sequence[int]) -> list[Reading]:
        self._done += 1
        if not all(begun.wait(20) for begun in self._begun[: self._done + 1]):
            raise TimeoutError("nobody looks at the next window")
        self.windows.append(len(photos))
        return [Reading(photo.source, photo.width, photo.height) for photo in photos]
