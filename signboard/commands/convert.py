"""`signboard convert`: JSON lines of an earlier run into another format, without reading the photos again."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from signboard.commands.messages import complain, usage
from signboard.commands.options import CsvSafeOption, OverwriteOption, output_path
from signboard.errors import ConfigError, DataError, SignboardError

if TYPE_CHECKING:
    from signboard.output.sink import WriteOptions
    from signboard.reading import Reading
    from signboard.video.rows import SignFile


class Writes(Protocol):
    """What rows go to."""

    def write(self, reading: Reading) -> None: ...

    def close(self) -> None: ...


def convert(
    source: Annotated[Path, typer.Argument(metavar="SIGNS.jsonl", help="JSON lines that `signboard run` wrote.")],
    output_name: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="The file (or folder, for ALTO) to write; - is standard output."
        ),
    ] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", help="Default: by the ending of --output; text on standard output.")
    ] = None,
    overwrite: OverwriteOption = False,
    with_position: Annotated[
        bool, typer.Option("--with-position", help="Keep GPS positions, where the JSON lines have them.")
    ] = False,
    csv_safe: CsvSafeOption = False,
) -> None:
    """Turn JSON lines into another format. Exit codes: 0 done, 1 the file is damaged, 2 usage."""
    from signboard.output import formats
    from signboard.output.jsonl import read_jsonl
    from signboard.output.sink import WriteOptions

    output = output_path(output_name)
    if not source.is_file():
        raise usage(f"{source}: no such file")
    if output is not None and output.exists() and output.samefile(source):
        raise usage(f"{output}: is the file to convert; an output must be another file")
    try:
        name = formats.choose(output, format_name)
        if csv_safe and name != "csv":
            raise usage(f"--csv-safe: is for CSV, not for {name}")
        options = WriteOptions(overwrite=overwrite, position=with_position)
        kinds = {"video" in reading.metadata for reading in read_jsonl(source)}
        sink: Writes
        if True in kinds and _of_videos(name, mixed=len(kinds) > 1, source=source):
            sink = _VideoRows(source, name, output, options, csv_safe)
        else:
            sink = _photo_rows(source, name, output, options, csv_safe)
    except DataError as error:
        complain(str(error))
        raise typer.Exit(1) from None
    except SignboardError as error:
        raise usage(str(error)) from None
    try:
        for reading in read_jsonl(source):
            sink.write(reading)
        sink.close()
    except SignboardError as error:
        complain(str(error))
        with contextlib.suppress(SignboardError, OSError):
            sink.close()
        raise typer.Exit(1) from None


def _of_videos(name: str, *, mixed: bool, source: Path) -> bool:
    """Whether rows of videos are written in a form of their own.

    Raises:
        ConfigError: there is none in this format, or there are rows of photos, too, and no form that both have.
    """
    from signboard.video.rows import FORMATS

    if name not in (*FORMATS, "parquet"):
        raise ConfigError(f"{name}: describes photos; signs of videos become {', '.join(FORMATS)} or parquet")
    if not mixed:
        return name in FORMATS
    if name in ("csv", "text"):
        raise ConfigError(f"{source}: holds rows of photos and of videos, which have no {name} in common")
    return False


def _photo_rows(source: Path, name: str, output: Path | None, options: WriteOptions, csv_safe: bool) -> Writes:
    from signboard.output import formats
    from signboard.output.jsonl import read_jsonl

    def places() -> Iterator[tuple[str, int, str]]:
        for reading in read_jsonl(source):
            path = Path(reading.source)
            page = f"-page{reading.page}" if reading.page > 1 else ""
            yield reading.source, reading.page, f"{path.stem}{page}{path.suffix}"

    photos = sum(1 for _ in read_jsonl(source))
    if output is None:
        return formats.to_stdout(name, photos, options.position, csv_safe=csv_safe)
    return formats.to_path(name, output, photos, places, options, csv_safe=csv_safe)


class _VideoRows:
    """Rows of videos as `signboard run` writes them; text of several stands under their names."""

    def __init__(self, source: Path, name: str, output: Path | None, options: WriteOptions, csv_safe: bool) -> None:
        from signboard.output.jsonl import read_jsonl
        from signboard.video.rows import SignFile, choose_form

        names = {reading.source for reading in read_jsonl(source)} if name == "text" else set()
        self._titled = len(names) > 1
        self._last: str | None = None
        target = output if output is not None else sys.stdout.buffer
        self._file: SignFile = SignFile(choose_form(name, csv_safe), target, options)

    def write(self, reading: Reading) -> None:
        from signboard.photo import printable

        new, self._last = reading.source != self._last, reading.source
        self._file.write([reading], heading=f"== {printable(reading.source)} ==\n" if new and self._titled else "")

    def close(self) -> None:
        self._file.close()
