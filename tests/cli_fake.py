"""The command line with a reader that knows no networks: what it reads is the photo's name. Also run as a program."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from signboard.commands import readers
from signboard.errors import PhotoError
from signboard.photo import load_photo
from signboard.pipeline.layout import arrange
from signboard.reading import Reading, Word


class FakeReader:
    """Opens photos for real and "reads" their names: "wall" holds no text, "doubt" is unsure, "bug" is a fault.

    With SIGNBOARD_FAKE_HOLD it waits before the photo of that number until the file SIGNBOARD_FAKE_GATE is there, and
    makes one beside it that ends in .held, so that a test can do things in the middle of a run without guessing.
    """

    made: list[dict[str, Any]] = []  # noqa: RUF012 - what the tests look at

    def __init__(self, **options: Any) -> None:
        FakeReader.made.append(options)
        self.least = options["min_confidence"] or 0.0
        self.translate = options["translate"]

    def read_many(
        self, photos: Iterable[Any], *, batch_size: int | str = "auto", workers: int | None = None
    ) -> Iterator[Reading]:
        hold = int(os.environ.get("SIGNBOARD_FAKE_HOLD", "-1"))
        for number, source in enumerate(photos):
            path = os.fspath(source)
            gate = Path(os.environ.get("SIGNBOARD_FAKE_GATE", "gate"))
            if number == hold:
                gate.with_suffix(".held").touch()
            while number == hold and not gate.exists():
                time.sleep(0.01)
            try:
                photo = load_photo(source)
            except PhotoError as error:
                yield Reading(path, 0, 0, error=str(error))
                continue
            if "bug" in path:
                raise ZeroDivisionError("by a\nbug")
            confidence = 0.3 if "doubt" in path else 0.9
            words = []
            if "wall" not in path and confidence >= self.least:
                left, top, right, bottom = 4, 4, photo.width - 4, photo.height // 2
                polygon = ((left, top), (right, top), (right, bottom), (left, bottom))
                words = [
                    Word(Path(path).stem, tuple((float(x), float(y)) for x, y in polygon), confidence, 0.9, "latin")
                ]
            warnings = (*photo.warnings, "text may be too small") if "small" in path else photo.warnings
            yield Reading(path, photo.width, photo.height, arrange(words), warnings=warnings, metadata=photo.metadata)


if __name__ == "__main__":
    readers.make_reader = FakeReader
    from signboard.cli import app

    app()
