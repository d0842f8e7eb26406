"""A reader for Ray's workers in the tests: it reads names, and dies hard on a photo the first time it meets it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cli_fake import FakeReader

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
