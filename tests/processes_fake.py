"""A reader for the tests of several processes: it reads names, and dies or fails hard on some of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cli_fake import FakeReader

from signboard.errors import SignboardError
from signboard.reading import Reading


class ProcessReader(FakeReader):
    """Says in `warnings` which process read a photo, in `metadata` with how many others it came.

    "deadly" kills it, "once" only the first time; "slow" waits.
    """

    device = SimpleNamespace(type=os.environ.get("SIGNBOARD_FAKE_DEVICE", "cpu"))

    def read_many(self, photos: Iterable[Any], **options: Any) -> Iterator[Reading]:
        photos = list(photos)
        for photo in photos:
            name = os.fspath(photo)
            mark = Path(name).with_suffix(".mark")
            if "deadly" in name or ("once" in name and not mark.exists()):
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if "slow" in name:
                time.sleep(0.5)
            for reading in super().read_many([photo], **options):
                yield replace(reading, warnings=(str(os.getpid()),), metadata={"group": len(photos)})


def unable(**options: Any) -> ProcessReader:
    """Cannot be made."""
    raise SignboardError("weights.json: not there")


def stillborn(**options: Any) -> ProcessReader:
    """Takes its process with it."""
    os._exit(3)
