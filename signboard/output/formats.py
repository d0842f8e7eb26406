"""The dictionary of formats, and how an output is opened by its name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from signboard.errors import ConfigError
from signboard.output import alto, csv, geojson, hocr, html, jsonl, text
from signboard.output.sink import (
    NEW,
    FileSink,
    FolderSink,
    OutputError,
    Sink,
    StreamSink,
    TextFormat,
    WriteOptions,
    is_stream,
    photo_key,
)

FORMATS: dict[str, TextFormat] = {
    module.FORMAT.name: module.FORMAT for module in (jsonl, csv, text, hocr, alto, geojson)
}
"""Formats that are text, by the name that `--format` takes."""

PARQUET = "parquet"
NAMES: tuple[str, ...] = (*FORMATS, PARQUET)


def by_suffix(path: Path) -> str | None:
    """The format's name that a file's ending stands for; None when it stands for none."""
    name = path.name.lower()
    if name.endswith(".parquet"):
        return PARQUET
    found = [(len(suffix), form.name) for form in FORMATS.values() for suffix in form.suffixes if name.endswith(suffix)]
    return max(found)[1] if found else None


def choose(output: Path | None, name: str | None) -> str:
    """The format's name: the one asked for, else by the output's ending, else text on standard output.

    Raises:
        ConfigError: no such format, or an ending that stands for none.
    """
    if name is not None:
        if name not in NAMES:
            raise ConfigError(f"--format {name}: must be one of {', '.join(NAMES)}")
        if name == PARQUET and output is None:
            raise ConfigError("--format parquet: needs --output FILE, it cannot go to a terminal or a pipe")
        return name
    if output is None:
        return text.FORMAT.name
    found = by_suffix(output)
    if found is None:
        if is_stream(output):
            return jsonl.FORMAT.name
        endings = " ".join(suffix for form in FORMATS.values() for suffix in form.suffixes)
        raise ConfigError(f"{output}: an ending that stands for no format; use {endings} .parquet, or say --format")
    return found


def _form(name: str, csv_safe: bool) -> TextFormat:
    return csv.SAFE if csv_safe and name == csv.FORMAT.name else FORMATS[name]


def to_stdout(name: str, photos: int, position: bool, *, csv_safe: bool = False) -> Sink:
    """Rows to standard output. One photo's text stands alone, several stand under their names.

    Raises:
        OutputError: a format with one photo a file, and several photos.
    """
    form = _form(name, csv_safe)
    if form is text.FORMAT:
        form = text.SEVERAL if photos > 1 else text.SINGLE
    if form.one_photo_a_file and photos > 1:
        raise OutputError(f"--format {name}: one photo a file; name a folder with --output")
    return StreamSink(form, sys.stdout.buffer, position=position)


def to_path(
    name: str,
    output: Path,
    photos: int,
    places: Callable[[], Iterable[tuple[str, int, str]]],
    options: WriteOptions = NEW,
    *,
    csv_safe: bool = False,
) -> Sink:
    """Rows to a file, or to a folder for formats with one photo a file.

    Args:
        photos: how many there are.
        places: gives (source, page, where the photo lies below what was named); asked for only where it matters.
        csv_safe: CSV that no spreadsheet takes for formulas.

    Raises:
        OutputError: see `FileSink` and `FolderSink`.
    """
    if name == PARQUET:
        from signboard.output.parquet import ParquetSink

        return ParquetSink(output, options)
    form = _form(name, csv_safe)
    if form.one_photo_a_file and (output.is_dir() or photos > 1 or not output.suffix):
        if output.suffix and not output.is_dir():
            raise OutputError(f"{output}: {name} describes one picture a file; name a folder for {photos} photos")
        names = {
            photo_key(source, page): str(Path(path).with_suffix(form.suffixes[0])) for source, page, path in places()
        }
        return FolderSink(form, output, options, names=names)
    if is_stream(output):
        if options.resume:
            raise OutputError(f"{output}: not a regular file, --resume cannot go on with it")
        try:
            return StreamSink(form, output.open("wb"), position=options.position)
        except OSError as error:
            raise OutputError(f"{output}: cannot be written, {error.strerror}") from None
    sink = FileSink(form, output, options)
    if form.one_photo_a_file and sink.holds_others(photo_key(source, page) for source, page, _ in places()):
        sink.close()
        raise OutputError(f"{output}: is of another photo, and {name} describes one a file; name a folder")
    return sink


def to_report(path: Path, options: WriteOptions, *, thumbnail: html.Thumbnail) -> Sink:
    """The report to look at in a browser. `thumbnail` gives a photo's small picture.

    Raises:
        OutputError: see `FileSink`.
    """
    return FileSink(html.report(thumbnail), path, options)
