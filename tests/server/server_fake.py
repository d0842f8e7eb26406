"""A reader for the tests of the service that knows no networks: a photo's colour says what is on it."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from PIL import Image

from signboard.errors import PhotoError
from signboard.photo import PhotoSource, load_photo
from signboard.reading import Line, Polygon, Reading, Sign, Word

SLOW, CRASH, EMPTY = 250, 251, 252
"""First colour value of photos that take `FakeReader.slow` seconds, break the reader, or have no text."""


class FakeReader:
    """Reads "photo R G B" off a photo of one colour. Counts what is read together."""

    slow = 0.5
    leave = threading.Event()  # ends the wait for slow photos, once it is set
    batches: list[int] = []  # noqa: RUF012 - what the tests look at
    lock = threading.Lock()

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.detector, self.recognizer = options.get("detector", "detector"), options.get("recognizer", "recognizer")

    def read(self, photo: PhotoSource) -> Reading:
        with self.lock:
            self.batches.append(1)
        return self._read(photo)

    def read_many(
        self, photos: Iterable[PhotoSource], *, batch_size: int | str = "auto", workers: int | None = None
    ) -> Iterator[Reading]:
        photos = list(photos)
        with self.lock:
            self.batches.append(len(photos))
        for photo in photos:
            try:
                yield self._read(photo)
            except PhotoError as error:
                yield Reading("", 0, 0, error=str(error))

    def _read(self, source: PhotoSource) -> Reading:
        photo = load_photo(source)
        red, green, blue = (int(value) for value in photo.pixels[0, 0])
        if red == SLOW:
            self.leave.wait(self.slow)
        if red == CRASH:
            raise OverflowError("a bug in the reader")
        signs = () if red == EMPTY else signs_for(f"{red} {green} {blue}", photo.width, photo.height, self.options)
        return Reading("", photo.width, photo.height, signs, metadata=photo.metadata)


def signs_for(text: str, width: int, height: int, options: dict[str, Any]) -> tuple[Sign, ...]:
    """A sign that says "photo", the numbers, and below them Hindi, with markup that is none."""
    half, third, two = width / 2, height / 3, 2 * height / 3
    translate = bool(options.get("translate"))
    numbers = (word("photo", 0, 0, half, third), word(text, half, 0, width, third))
    hindi = (
        word("पुलिस", 0, third, half, two, "devanagari"),
        word("थाना", half, third, width, two, "devanagari", 0.4),
    )
    markup = (word("<script>document.title='hacked'</script>", 0, two, width, height),)
    lines = (
        Line(numbers, box(0, 0, width, third)),
        Line(
            hindi,
            box(0, third, width, two),
            romanized="pulis thana" if translate else None,
            translation="Police station" if translate else None,
        ),
    )
    below = Line(markup, box(0, two, width, height))
    return (Sign(lines, box(0, 0, width, two)), Sign((below,), below.polygon))


def word(
    text: str, left: float, top: float, right: float, bottom: float, script: str = "latin", confidence: float = 0.9
) -> Word:
    return Word(text, box(left, top, right, bottom), confidence, 0.9, script)


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    left, top, right, bottom = float(left), float(top), float(right), float(bottom)
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def photo(
    red: int = 1, green: int = 2, blue: int = 3, size: tuple[int, int] = (60, 40), form: str = "PNG", **save: Any
) -> bytes:
    """The bytes of a picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (red, green, blue)).save(buffer, form, **save)
    return buffer.getvalue()


if __name__ == "__main__":
    from signboard.server import readers

    FakeReader.slow = float(sys.argv.pop(1))
    readers.load_reader = FakeReader
    from signboard.cli import app

    app()
