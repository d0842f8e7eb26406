"""`signboard convert`: JSON lines of an earlier run into another format, without reading the photos again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from signboard.commands.messages import complain, usage
from signboard.commands.options import CsvSafeOption, OverwriteOption, output_path
from signboard.errors import SignboardError


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
        photos = sum(1 for _ in read_jsonl(source))

        def places() -> Iterator[tuple[str, int, str]]:
            for reading in read_jsonl(source):
                path = Path(reading.source)
                page = f"-page{reading.page}" if reading.page > 1 else ""
                yield reading.source, reading.page, f"{path.stem}{page}{path.suffix}"

        if csv_safe and name != "csv":
            raise usage(f"--csv-safe: is for CSV, not for {name}")
        if output is None:
            sink = formats.to_stdout(name, photos, with_position, csv_safe=csv_safe)
        else:
            options = WriteOptions(overwrite=overwrite, position=with_position)
            sink = formats.to_path(name, output, photos, places, options, csv_safe=csv_safe)
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
