"""`signboard merge`: readings of the same sign from several photos put together into one."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signboard.commands.messages import complain, usage
from signboard.commands.options import OverwriteOption, QuietOption
from signboard.errors import SignboardError
from signboard.output.jsonl import one_line
from signboard.progress import put

if TYPE_CHECKING:
    from signboard.merging import MergedSign

SCHEMA = "signboard-merged/1"
"""Name and version of the rows of JSON lines."""


def merge_command(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SIGNS.jsonl...",
            help="JSON lines that `signboard run` wrote with --with-position, of photos, or with --gpx, of videos.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; default: standard output.")
    ] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", help="geojson or jsonl. Default: by the ending of --output; else geojson.")
    ] = None,
    distance: Annotated[
        float, typer.Option(min=0.0, max=5000.0, help="Metres between cameras that saw the same sign, at most.")
    ] = 40.0,
    bearing: Annotated[
        float,
        typer.Option(min=0.0, max=180.0, help="Degrees between the ways they looked, at most; 180 leaves it out."),
    ] = 100.0,
    similarity: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="How alike the texts must be; 1 is the same letters.")
    ] = 0.75,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put readings of the same sign from several photos together into one feature with its votes.

    Exit codes: 0 done, 1 a file is damaged, 2 usage.
    """
    name = _format(output, format_name)
    for path in sources:
        if not path.is_file():
            raise usage(f"{path}: no such file")
        if output is not None and output.exists() and output.samefile(path):
            raise usage(f"{output}: is one of the files to merge; an output must be another file")
    from signboard.merging import merge_signs, observations
    from signboard.output.jsonl import read_jsonl
    from signboard.output.sink import OutputError, is_stream, write_whole

    stream = output is not None and is_stream(output)
    if output is not None and output.exists() and not stream and not overwrite:
        raise usage(f"{output}: already there; --overwrite replaces it")

    try:
        readings = itertools.chain.from_iterable(read_jsonl(path) for path in sources)
        found = [observation for reading in readings for observation in observations(reading)]
    except SignboardError as error:
        complain(str(error))
        raise typer.Exit(1) from None
    signs = merge_signs(found, distance=distance, bearing=bearing, alike=similarity)
    data = "".join(_geojson(signs) if name == "geojson" else _jsonl(signs)).encode("utf-8", "surrogatepass")
    try:
        if output is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        elif stream:
            output.write_bytes(data)
        else:
            write_whole(output, data)
    except BrokenPipeError:
        raise typer.Exit(1) from None
    except OutputError as error:
        raise usage(str(error)) from None
    if not quiet:
        lost = sum(observation.latitude is None for observation in found)
        note = f"; {lost} of them have no position and stay by themselves" if lost else ""
        put(f"{len(found)} readings, {len(signs)} signs{note}\n")


def _format(output: Path | None, name: str | None) -> str:
    if name is not None:
        if name not in ("geojson", "jsonl"):
            raise usage(f"--format {name}: must be geojson or jsonl")
        return name
    if output is None or output.suffix.lower() == ".geojson":
        return "geojson"
    if output.suffix.lower() in (".jsonl", ".ndjson"):
        return "jsonl"
    raise usage(f"{output}: an ending that stands for no format; use .geojson or .jsonl, or say --format")


def properties(sign: MergedSign) -> dict[str, Any]:
    """What is known of a sign, plain JSON values."""
    from signboard.script import script_of

    times = sorted(o.time for o in sign.observations if o.time is not None)
    row: dict[str, Any] = {"text": sign.text}
    row |= {key: value for key in ("romanized", "translation") if (value := getattr(sign, key)) is not None}
    row |= {
        "confidence": round(sign.confidence, 4),
        "scripts": sorted({script_of(word) for word in sign.text.split()}),
        "readings": len(sign.observations),
        "votes": [{"text": text, "weight": weight} for text, weight in sign.votes],
        "sources": [
            {"source": o.source, "sign": o.sign} | ({} if o.span is None else {"first": o.span[0], "last": o.span[1]})
            for o in sign.observations
        ],
    }
    if sign.placed is not None:
        row["placed"] = sign.placed
    if times:
        row |= {"first_time": times[0], "last_time": times[-1]}
    return row


def _geojson(signs: Iterable[MergedSign]) -> Iterator[str]:
    yield '{"type":"FeatureCollection","features":[\n'
    for number, sign in enumerate(signs):
        geometry = None
        if sign.latitude is not None:
            geometry = {"type": "Point", "coordinates": [sign.longitude, sign.latitude]}
        feature = {"type": "Feature", "geometry": geometry, "properties": properties(sign)}
        yield (",\n" if number else "") + one_line(feature)
    yield "\n]}\n"


def _jsonl(signs: Iterable[MergedSign]) -> Iterator[str]:
    for sign in signs:
        row = {"schema": SCHEMA, "latitude": sign.latitude, "longitude": sign.longitude} | properties(sign)
        yield one_line(row) + "\n"
