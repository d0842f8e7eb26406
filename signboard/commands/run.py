"""`signboard run`: photos or videos in, what their signs say out. The options, and the plan of a run."""

from __future__ import annotations

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from signboard.commands.inputs import SUFFIXES, Item, LeftOut, find_photos
from signboard.commands.messages import tracebacks, usage
from signboard.commands.options import (
    CsvSafeOption,
    DeviceOption,
    FrameRateOption,
    GpxOption,
    MemoryOption,
    OverwriteOption,
    PrecisionOption,
    QuietOption,
    RateOption,
    SequenceOption,
    StartOption,
    batch_size,
    check_device,
    output_path,
)
from signboard.commands.outputs import Outputs
from signboard.commands.photos import Source, read_photos
from signboard.commands.video import VideoOptions, has_videos, run_videos
from signboard.errors import SignboardError
from signboard.output.sink import WriteOptions


def run(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO...",
            help="Photos, folders, glob patterns, or - for a list of paths on standard input, one a line.",
            show_default=False,
        ),
    ],
    output_name: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Write to this file (or folder, for ALTO) instead of standard output; - is standard output.",
        ),
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="jsonl, csv, text, hocr, alto, geojson or parquet. Default: by the ending of --output; "
            "text on standard output, jsonl in a file.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The whole result as JSON lines, the same as --format jsonl.")
    ] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(help="Also write the photo with outlines and readings: a picture file, or a folder for many."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write a report to look at and search in a browser, one file.")
    ] = None,
    device: DeviceOption = "auto",
    min_confidence: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Leave out words read with less confidence; default: the weights' own."),
    ] = None,
    detection_threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Leave out words detected with a lower score; else both networks decide."),
    ] = None,
    translate: Annotated[
        bool, typer.Option("--translate", help="Also say Hindi lines in Latin letters and in English.")
    ] = False,
    n_best: Annotated[
        int,
        typer.Option("--n-best", min=1, help="Up to so many readings of each word, for search; in JSON lines only."),
    ] = 1,
    batch_size_name: Annotated[
        str, typer.Option("--batch-size", help="Photos that go through the networks together: a number or auto.")
    ] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that open photos; default: by the number of cores.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that read; default: of many photos on a processor one a core, else one."),
    ] = None,
    precision: PrecisionOption = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an earlier run: skip what its output already holds.")
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="--resume, and read the photos again that could not be read before."),
    ] = False,
    overwrite: OverwriteOption = False,
    with_position: Annotated[
        bool,
        typer.Option(
            "--with-position", help="Keep the photos' GPS position in JSON, CSV and Parquet; GeoJSON has it always."
        ),
    ] = False,
    csv_safe: CsvSafeOption = False,
    recursive: Annotated[bool, typer.Option(help="Go into the folders inside folders.")] = True,
    page: Annotated[
        int | None, typer.Option(min=1, help="Of TIFF files with several pages only this one; default: all of them.")
    ] = None,
    tile: Annotated[
        bool,
        typer.Option(
            "--tile", help="Read large photos in overlapping parts at full size: finds small text, takes longer."
        ),
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="[ADDRESS]",
            help="Read on a Ray cluster (an extra): auto, ray://host:10001 or host:6379; without an address, on one "
            "started on this machine.",
        ),
    ] = None,
    sequence: SequenceOption = False,
    gpx: GpxOption = None,
    start: StartOption = None,
    sample_rate: RateOption = 2.0,
    frame_rate: FrameRateOption = None,
    memory: MemoryOption = 20.0,
    quiet: QuietOption = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Say on standard error where in the program a photo failed.")
    ] = False,
) -> None:
    """Read photos of signs.

    Exit codes: 0 all photos were read, 1 some failed, 2 the command makes no sense as given, 130 and 143 interrupted.
    """
    if as_json:
        if format_name not in (None, "jsonl"):
            raise usage(f"--json and --format {format_name} exclude each other")
        format_name = "jsonl"
    check_device(device, precision)
    reader_options = {
        "device": device,
        "min_confidence": min_confidence,
        "detection_threshold": detection_threshold,
        "precision": precision,
        "translate": translate,
        "tile": tile,
        "n_best": n_best,
    }
    batch = batch_size(batch_size_name)
    output = output_path(output_name)
    for option, path in (("--annotate", annotate), ("--html", html)):
        if path is not None and str(path) == "-":
            raise usage(f"{option} -: must be a file, only --output can be standard output")
    writing = WriteOptions(resume or retry_failed, overwrite, retry_failed, with_position)
    if writing.resume and output is None and html is None:
        raise usage("--resume needs the --output (or --html) of the run to go on with")
    if writing.resume and overwrite:
        raise usage(f"--{'retry-failed' if retry_failed else 'resume'} and --overwrite exclude each other")
    videos = VideoOptions(sequence, gpx, start, sample_rate, frame_rate, memory)
    try:
        if has_videos(inputs, videos):
            if ray is not None or html is not None:
                raise usage("--ray and --html are for photos, not for videos")
            if processes is not None:
                raise usage("--processes is for photos, not for videos")
            if retry_failed:
                raise usage("--retry-failed is for photos; --resume goes on with videos that are not there yet")
            code = run_videos(
                inputs, videos, output=output, format_name=format_name, annotate=annotate, writing=writing,
                csv_safe=csv_safe, reader_options=reader_options, batch_size=batch, workers=workers, quiet=quiet,
            )  # fmt: skip
            raise typer.Exit(code)
    except SignboardError as error:
        raise usage(str(error)) from None
    # Pillow warns of odd EXIF and large pictures in lines of its own; what matters comes as an error of ours.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    if ray is not None and processes is not None:
        raise usage("--ray and --processes exclude each other; on a cluster --workers says how many read")
    left_out = LeftOut(output, html)
    cluster = None if ray is None else {"address": None if ray in ("", "local") else ray, "workers": workers}
    remote = None if ray is None else _remote(inputs, left_out, pictures=annotate is not None or html is not None)
    skip = [str(path) for path in (annotate, output) if path is not None and path.is_dir()]
    items = _find(inputs, skip, recursive=recursive, page=page, remote=remote, left_out=left_out)
    with contextlib.ExitStack() as stack:
        if debug:
            stack.enter_context(tracebacks())
        try:
            outputs = Outputs(items, output, format_name, annotate, html, writing, csv_safe=csv_safe)
        except SignboardError as error:
            raise usage(str(error)) from None
        stack.callback(outputs.abandon)
        source = Source(reader_options, batch, workers, processes, cluster)
        code = read_photos(items, outputs, source, quiet=quiet, note=left_out.note)
    raise typer.Exit(code)


def _remote(inputs: Sequence[str], left_out: LeftOut, *, pictures: bool) -> Callable[[str], Iterator[str]]:
    """What lists the photos of a URL for a cluster; `pictures`: whether outputs show the photos themselves."""
    from signboard.cluster import is_remote, list_remote

    if pictures and any(is_remote(name) for name in inputs):
        raise usage("--annotate and --html need photos on this machine, not URLs")
    return functools.partial(list_remote, suffixes=SUFFIXES, left_out=left_out)


def _find(inputs: Sequence[str], skip: Sequence[str], *, left_out: LeftOut, **options: Any) -> list[Item]:
    """The photos that were named, at least one."""
    lines = sys.stdin.buffer if "-" in inputs else ()
    items = list(find_photos(inputs, stdin_lines=lines, skip=skip, pages=True, left_out=left_out, **options))
    if not items:
        raise usage(f"nothing to read: no photos in {', '.join(inputs)}{left_out.note}")
    return items
