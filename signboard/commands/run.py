"""`signboard run`: photos in, what their signs say out."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import re
import signal
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from signboard.commands.inputs import SUFFIXES, Item, find_photos
from signboard.commands.messages import complain, usage
from signboard.commands.outputs import Outputs
from signboard.commands.video import (
    FrameRateOption,
    GpxOption,
    MemoryOption,
    RateOption,
    SequenceOption,
    StartOption,
    VideoOptions,
    has_videos,
    run_videos,
)
from signboard.errors import ConfigError, SignboardError
from signboard.progress import Progress, speed

if TYPE_CHECKING:
    from signboard.photo import Page
    from signboard.reading import Reading

_log = logging.getLogger(__name__)


# What may follow --ray: everything else that stands there is a photo.
_ADDRESS = re.compile(r"auto|local|ray://\S+|([\w.-]+|\[[\da-fA-F:]+\]):\d+")


class RunCommand(TyperCommand):
    """`signboard run`, whose option --ray takes an address or stands alone, which typer has no words for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Gives a --ray that stands alone its value before the arguments are taken apart."""
        return super().parse_args(ctx, _with_address(args))


def _with_address(arguments: Sequence[str]) -> list[str]:
    """`--ray ADDRESS` and `--ray` as `--ray=ADDRESS` and `--ray=local`."""
    given = list(arguments)
    result: list[str] = []
    while given:
        argument = given.pop(0)
        if argument == "--":
            return [*result, argument, *given]
        if argument == "--ray":
            follows = bool(given and _ADDRESS.fullmatch(given[0]) and not Path(given[0]).exists())
            argument = f"--ray={given.pop(0)}" if follows else "--ray=local"
        result.append(argument)
    return result


def _make_reader(**options: Any) -> Any:
    """The reader; its own function so that a test can put another in its place. Loads the networks."""
    from signboard.memory import settle_memory

    settle_memory(options["precision"], options["device"])
    from signboard.reader import Reader

    return Reader(**options)


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
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
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
    batch_size: Annotated[
        str, typer.Option(help="Photos that go through the networks together: a number or auto.")
    ] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that open photos; default: by the number of cores.")
    ] = None,
    precision: Annotated[str, typer.Option(help="auto (what is fastest here), fp32, bf16, fp16 or int8.")] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an earlier run: skip what its output already holds.")
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="--resume, and read the photos again that could not be read before."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that is already there.")] = False,
    with_position: Annotated[
        bool,
        typer.Option(
            "--with-position", help="Keep the photos' GPS position in JSON, CSV and Parquet; GeoJSON has it always."
        ),
    ] = False,
    csv_safe: Annotated[
        bool,
        typer.Option("--csv-safe", help="CSV with an apostrophe before texts that a spreadsheet takes for formulas."),
    ] = False,
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors on standard error.")] = False,
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
    reader_options = _reader_options(device, min_confidence, detection_threshold, precision, translate, tile)
    batch = _batch_size(batch_size)
    output = None if output_name in (None, "-") else Path(output_name or "")
    for option, path in (("--annotate", annotate), ("--html", html)):
        if path is not None and str(path) == "-":
            raise usage(f"{option} -: must be a file, only --output can be standard output")
    resume = resume or retry_failed
    if resume and output is None and html is None:
        raise usage("--resume needs the --output (or --html) of the run to go on with")
    if resume and overwrite:
        raise usage(f"--{'retry-failed' if retry_failed else 'resume'} and --overwrite exclude each other")
    videos = VideoOptions(sequence, gpx, start, sample_rate, frame_rate, memory)
    try:
        if has_videos(inputs, videos):
            if ray is not None or html is not None:
                raise usage("--ray and --html are for photos, not for videos")
            raise typer.Exit(
                run_videos(
                    inputs, videos, output=output, format_name=format_name, annotate=annotate,
                    reader_options=reader_options, batch_size=batch, workers=workers, resume=resume,
                    overwrite=overwrite, quiet=quiet,
                )
            )  # fmt: skip
    except SignboardError as error:
        raise usage(str(error)) from None
    left_out = _LeftOut(output, html)
    cluster: dict[str, Any] | None = None
    remote: Callable[[str], Iterator[str]] | None = None
    if ray is not None:
        from signboard.cluster import is_remote, list_remote

        cluster = {"address": None if ray in ("", "local") else ray, "workers": workers}
        remote = functools.partial(list_remote, suffixes=SUFFIXES, left_out=left_out)
        if (annotate is not None or html is not None) and any(is_remote(name) for name in inputs):
            raise usage("--annotate and --html need photos on this machine, not URLs")
    # Pillow warns of odd EXIF and large pictures in lines of its own; what matters comes as an error of ours.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    skip = [str(path) for path in (annotate, output) if path is not None and path.is_dir()]
    lines = sys.stdin.buffer if "-" in inputs else ()
    items = list(
        find_photos(
            inputs, stdin_lines=lines, skip=skip, recursive=recursive, remote=remote, pages=True, page=page,
            left_out=left_out,
        )
    )  # fmt: skip
    if not items:
        raise usage(f"nothing to read: no photos in {', '.join(inputs)}{left_out.note}")
    with contextlib.ExitStack() as stack:
        if debug:
            stack.enter_context(_tracebacks())
        try:
            outputs = Outputs(
                items, output, format_name, annotate, html, resume=resume, overwrite=overwrite,
                retry_failed=retry_failed, position=with_position, csv_safe=csv_safe,
            )  # fmt: skip
        except SignboardError as error:
            raise usage(str(error)) from None
        stack.callback(outputs.abandon)
        code = _read_all(items, outputs, _Source(reader_options, batch, workers, cluster), quiet, left_out.note)
    raise typer.Exit(code)


# Options -------------------------------------------------------------------------------------------------------------


class _LeftOut:
    """Counts the files of folders that are no photos; not the run's own outputs, which may lie there, too."""

    def __init__(self, *outputs: Path | None) -> None:
        from signboard.output.sink import photo_key

        self._own = {photo_key(str(path)) for path in outputs if path is not None}
        self._key = photo_key
        self.count = 0

    def __call__(self, name: str) -> None:
        key = self._key(name)
        self.count += key not in self._own and key.removesuffix(".part") not in self._own

    @property
    def note(self) -> str:
        """For the run's last line."""
        if not self.count:
            return ""
        return f"; {self.count} {'file that is no photo' if self.count == 1 else 'files that are no photos'} left out"


@contextlib.contextmanager
def _tracebacks() -> Iterator[None]:
    """Everything that is caught on the way goes to standard error, with the place in the program it comes from."""
    log, handler = logging.getLogger("signboard"), logging.StreamHandler()
    level = log.level
    log.setLevel(logging.DEBUG)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def _reader_options(
    device: str,
    min_confidence: float | None,
    detection_threshold: float | None,
    precision: str,
    translate: bool,
    tile: bool,
) -> dict[str, Any]:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise usage(f"--device {device}: must be auto, cpu, cuda, cuda:N or mps")
    if precision not in ("auto", "fp32", "bf16", "fp16", "int8"):
        raise usage(f"--precision {precision}: must be auto, fp32, bf16, fp16 or int8")
    return {
        "device": device,
        "min_confidence": min_confidence,
        "detection_threshold": detection_threshold,
        "precision": precision,
        "translate": translate,
        "tile": tile,
    }


def _batch_size(value: str) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if not re.fullmatch(r"[1-9]\d{0,5}", value):
        raise usage(f"--batch-size {value}: must be a number from 1 on, or auto")
    return int(value)


# Reading -------------------------------------------------------------------------------------------------------------


class _Stop:
    """Turns the first Ctrl-C or SIGTERM into a wish to stop after the photo in hand; a second one stops at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._old: dict[int, Any] = {}

    def __enter__(self) -> _Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.signal = number
        for other in self._old:
            signal.signal(other, signal.SIG_DFL)


@dataclasses.dataclass(frozen=True)
class _Source:
    """Where readings come from: a reader in this process, or a cluster."""

    reader_options: dict[str, Any]
    batch_size: int | str
    workers: int | None
    cluster: dict[str, Any] | None

    def read(self, paths: Iterator[str | Page]) -> Iterator[Reading]:
        """Readings in the order of `paths`.

        Raises:
            ConfigError: the reader cannot be made as asked for.
        """
        if self.cluster is not None:
            from signboard.cluster import read_on_cluster

            size = 16 if self.batch_size == "auto" else int(self.batch_size)
            return read_on_cluster(paths, reader_options=self.reader_options, batch_size=size, **self.cluster)
        try:
            reader = _make_reader(**self.reader_options)
        except SignboardError as error:
            raise ConfigError(str(error)) from None
        return iter(reader.read_many(paths, batch_size=self.batch_size, workers=self.workers))


def _read_all(
    items: list[Item],
    outputs: Outputs,
    source: _Source,
    quiet: bool,
    note: str,
) -> int:
    """Reads and writes every item that is not written yet; the exit code. `note` ends the last line."""
    todo = [item for item in items if not outputs.has(item)]
    failed_before = [item for item in items if outputs.failed_before(item)]
    counts = {"read": 0, "empty": 0, "failed": 0}
    warned = 0
    progress = Progress(len(todo), shown=not quiet and sys.stderr.isatty() and not outputs.to_terminal)
    begin = time.monotonic()
    code = undrawn = 0
    with _Stop() as stop:
        readings = _readings(todo, source, stop)
        try:
            for reading in readings:
                undrawn += not outputs.write(reading)
                kind = "failed" if reading.error is not None else "read" if reading.text else "empty"
                counts[kind] += 1
                warned += bool(reading.warnings)
                for line in _remarks(reading, kind, plain=outputs.plain and not quiet):
                    progress.clear()
                    complain(line)
                progress.step()
                if stop.signal is not None:
                    break
            outputs.close()
        except BrokenPipeError:
            _let_go_of_stdout()  # whoever read our output has seen enough
            return 1
        except SignboardError as error:
            progress.clear()
            go_on = "; then the same command with --resume goes on" if outputs.resumable and _is_full(error) else ""
            complain(f"{error}{go_on}")
            code = 2 if isinstance(error, ConfigError) else 1
            try:
                sys.stdout.flush()
            except OSError:
                _let_go_of_stdout()
        except Exception as error:  # a fault of the program: what was read until now is kept
            _log.debug("the run failed", exc_info=True)
            progress.clear()
            what = " ".join(f"{type(error).__name__}: {error}".split())
            go_on = ", --resume goes on" if outputs.resumable else ""
            complain(f"the program failed after {sum(counts.values())} photos{go_on}, --debug says where: {what}")
            code = 1
        finally:
            readings.close()
        progress.clear()
        done = sum(counts.values())
        if stop.signal is not None and done < len(todo) and not code:
            code = 128 + stop.signal
            go_on = "the same command with --resume goes on" if outputs.resumable else "start again to read the rest"
            complain(f"interrupted after {done} photos, {len(todo) - done} left; {go_on}")
    if not quiet and (len(items) > 1 or outputs.to_files or note) and done == len(todo):
        seconds = max(time.monotonic() - begin, 1e-9)
        there = len(items) - len(todo)
        summary = ", ".join(f"{number} {kind}" for kind, number in counts.items())
        rate = speed(done / seconds)
        notes = f"; {warned} with warnings" if warned else ""
        notes += f"; {there} were there already" if there else ""
        print(f"{summary}, {rate} photos/s{notes}{note}", file=sys.stderr)
    if not quiet:
        _name_failures(failed_before)
    return code or (1 if counts["failed"] or undrawn else 0)


_NAMED = 10  # photos, in one line


def _name_failures(items: Sequence[Item]) -> None:
    """Says which photos an earlier run could not read and this one left as they are, of those that are there."""
    paths = [item.path for item in items if Path(item.path).exists()]
    if paths:
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        photos = "1 photo" if len(paths) == 1 else f"{len(paths)} photos"
        complain(
            f"{photos} failed in an earlier run and stayed so, --retry-failed reads them again: "
            f"{', '.join(paths[:_NAMED])}{more}"
        )


def _let_go_of_stdout() -> None:
    """Python flushes standard output once more on its way out, and would fail again: give it a place to."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_full(error: SignboardError) -> bool:
    return "disk full" in str(error)


def _readings(todo: Sequence[Item], source: _Source, stop: _Stop) -> Generator[Reading, None, None]:
    """One reading an item, in order. What could not be found is a reading with its error, and never opened."""
    from signboard.photo import Page
    from signboard.reading import Reading

    def paths() -> Iterator[str | Page]:
        for item in todo:
            if stop.signal is not None:
                return
            if item.error is None:
                yield item.path if item.page is None else Page(item.path, item.page)

    # Loading the networks takes seconds: not for a run in which nothing is left to do.
    some = any(item.error is None for item in todo)
    results: Iterator[Reading] = iter(())
    if some:
        results = source.read(paths())
    try:
        for item in todo:
            if item.error is not None:
                error = f"{item.path}: {item.error}"
                yield Reading(source=item.path, width=0, height=0, error=error, page=item.page or 1)
                continue
            reading = next(results, None)
            if reading is None:
                return  # the feed stopped early
            # Readers make names printable, and know no pages of photos that they could not open.
            yield dataclasses.replace(reading, source=item.path, page=item.page or 1)
    finally:
        close = getattr(results, "close", None)
        if close is not None:
            close()


def _remarks(reading: Reading, kind: str, *, plain: bool) -> Iterator[str]:
    """What standard error says about a photo."""
    if reading.error is not None:
        # Most errors name their photo already.
        from signboard.photo import printable

        named = reading.source in reading.error or printable(reading.source) in reading.error
        yield reading.error if named else f"{reading.source}: {reading.error}"
    elif plain:
        if kind == "empty":
            yield f"{reading.source}: no text found"
        for warning in reading.warnings:
            yield f"{reading.source}: {warning}"
