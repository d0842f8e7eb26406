"""Where the readings of `signboard run` go: rows, the report, annotated pictures; what is there already is kept."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from signboard.commands.inputs import Item
from signboard.commands.messages import complain
from signboard.errors import ConfigError, PhotoError, SignboardError

if TYPE_CHECKING:
    from signboard.output.sink import Sink, WriteOptions
    from signboard.photo import Page
    from signboard.reading import Reading

_log = logging.getLogger(__name__)


_PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


class Outputs:
    """Everything that a run writes: the rows, the report, the annotated pictures."""

    def __init__(
        self,
        items: Sequence[Item],
        output: Path | None,
        format_name: str | None,
        annotate: Path | None,
        html: Path | None,
        options: WriteOptions,
        *,
        csv_safe: bool,
    ) -> None:
        """Checks and opens all of it, before any time is spent on reading.

        Raises:
            SignboardError: it cannot be written, or would overwrite a photo.
        """
        from signboard.output import formats
        from signboard.output.sink import OutputError, is_stream

        name = formats.choose(output, format_name)
        if csv_safe and name != "csv":
            raise ConfigError(f"--csv-safe: is for CSV, not for {name}")
        for path in (output, annotate, html):
            if path is not None:
                _refuse_photo(path, items)
        self._overwrite = options.overwrite
        self._pictures = None if annotate is None else _picture_paths(annotate, items)
        if annotate is not None and not options.touches:
            _refuse_existing((self._pictures or {}).values())
        self.to_files = output is not None
        self.to_terminal = output is None and sys.stdout.isatty()  # where a progress bar would get in the way
        self.plain = output is None and name == "text"
        self.resumable = output is not None and not is_stream(output)
        self._sinks: list[Sink] = []
        try:
            if output is None:
                self._sinks.append(formats.to_stdout(name, len(items), options.position, csv_safe=csv_safe))
            else:

                def places() -> Iterator[tuple[str, int, str]]:
                    for item in items:
                        yield item.path, item.page or 1, _with_page(item)

                self._sinks.append(formats.to_path(name, output, len(items), places, options, csv_safe=csv_safe))
            if html is not None:
                self._sinks.append(formats.to_report(html, options, thumbnail=_thumbnail))
        except OutputError:
            self.abandon()
            raise

    def has(self, item: Item) -> bool:
        """Whether an earlier run has written this photo everywhere."""
        if not all(sink.has(item.path, item.page or 1) for sink in self._sinks):
            return False
        return self._pictures is None or self.failed_before(item) or self._pictures[item.key].exists()

    def failed_before(self, item: Item) -> bool:
        """Whether an earlier run could not read this photo, and it is not read again."""
        page = item.page or 1
        return any(sink.failed(item.path, page) and sink.has(item.path, page) for sink in self._sinks)

    def write(self, reading: Reading) -> bool:
        """One photo to every output that does not have it. The rows come last: with them the photo counts as done.

        Returns whether its annotated picture could be made, where one was asked for.
        """
        from signboard.output.sink import photo_key

        drawn = True
        if self._pictures is not None and reading.error is None:
            path = self._pictures[photo_key(reading.source, reading.page)]
            drawn = _write_annotated(reading, path, replace=self._overwrite)
        for sink in reversed(self._sinks):
            if not sink.has(reading.source, reading.page):
                sink.write(reading)
        return drawn

    def close(self) -> None:
        """Completes all outputs."""
        while self._sinks:
            self._sinks.pop().close()

    def abandon(self) -> None:
        """Lets go of what is still open, after an error that has been told already."""
        for sink in self._sinks:
            with contextlib.suppress(SignboardError, OSError):
                sink.close()
        self._sinks = []


def _refuse_photo(path: Path, items: Sequence[Item]) -> None:
    """Raises OutputError when an output is one of the photos, under whatever name."""
    from signboard.output.sink import OutputError

    try:
        status = path.stat()
    except (OSError, ValueError):
        return
    if path.is_dir():
        return
    for item in items:
        with contextlib.suppress(OSError, ValueError):
            if os.path.samestat(status, Path(item.path).stat()):
                raise OutputError(f"{path}: is one of the photos to read; an output must be another file")


def _refuse_existing(pictures: Iterable[Path]) -> None:
    """Raises OutputExistsError when a picture is there already."""
    from signboard.output.sink import OutputExistsError

    there = [path for path in pictures if path.exists()]
    if there:
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise OutputExistsError(f"--annotate: {there[0]}{more} already there; --overwrite replaces, --resume keeps it")


def _picture_paths(annotate: Path, items: Sequence[Item]) -> dict[str, Path]:
    """Where each photo's annotated picture goes: the file that was named, or a file of like name in the folder."""
    from signboard.output.sink import OutputError, make_folder, unique_names

    if annotate.suffix.lower() in _PICTURES and not annotate.is_dir():
        if len(items) > 1:
            raise OutputError(f"--annotate {annotate}: is one picture for {len(items)} photos; name a folder")
        if not annotate.parent.is_dir():
            raise OutputError(f"--annotate {annotate}: the folder {annotate.parent} does not exist")
        return {item.key: annotate for item in items}
    make_folder(annotate)
    names = unique_names({item.key: _picture_name(_with_page(item)) for item in items})
    targets = {key: annotate / name for key, name in names.items()}
    photos = {Path(item.path).absolute() for item in items}
    for target in targets.values():
        if target.absolute() in photos:
            raise OutputError(f"--annotate {annotate}: would write over the photo {target}; name another folder")
    return targets


def _with_page(item: Item) -> str:
    """Where a photo lies below the folder that was named, with the number of its page in the name."""
    if item.page is None:
        return item.relative
    path = Path(item.relative)
    return str(path.with_name(f"{path.stem}-page{item.page}{path.suffix}"))


def _picture_name(relative: str) -> str:
    path = Path(relative)
    return relative if path.suffix.lower() in _PICTURES else str(path.with_suffix(".jpg"))


def _thumbnail(reading: Reading) -> bytes | None:
    """A JPEG of the photo, 320 pixels wide at most, for the report."""
    if reading.error is not None:
        return None
    from PIL import Image

    from signboard.output.annotate import encode
    from signboard.photo import load_photo

    try:
        image = Image.fromarray(load_photo(_photo_of(reading), decode_side=640).pixels)
    except PhotoError:  # it was there a moment ago; the report can do without its picture
        return None
    image.thumbnail((320, 320))
    return encode(image, ".jpg", quality=75)


def _photo_of(reading: Reading) -> str | Page:
    from signboard.photo import Page

    return Page(reading.source, reading.page) if reading.page > 1 else reading.source


def _write_annotated(reading: Reading, path: Path, *, replace: bool) -> bool:
    """Draws a photo's readings on it; whether that worked.

    Args:
        path: the picture. Unless `replace`, one that is there and looks different is another photo's: it stays, and
            this one gets a number in its name.
    """
    from signboard.output.annotate import annotate, encode
    from signboard.output.sink import write_whole
    from signboard.photo import load_photo

    try:
        photo = load_photo(_photo_of(reading))
        data = encode(annotate(photo.pixels, reading, scale=photo.scale), path.suffix)
    except PhotoError as error:  # it was there a moment ago
        complain(f"not annotated: {error}")
        return False
    except Exception as error:  # too large for this kind of picture, for one
        _log.debug("%s: not annotated", reading.source, exc_info=True)
        complain(f"{reading.source}: not annotated, {' '.join(str(error).split()) or type(error).__name__}")
        return False
    number, target = 1, path
    while not replace and target.exists():
        if target.read_bytes() == data:
            return True
        number += 1
        target = path.with_name(f"{path.stem}~{number}{path.suffix}")
    write_whole(target, data)
    return True
