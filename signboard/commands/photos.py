"""The run over photos: each is read and written, and what went wrong with it is said on standard error."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from signboard.commands import readers
from signboard.commands.inputs import Item
from signboard.commands.interrupt import Stop, let_go_of_stdout
from signboard.commands.messages import complain
from signboard.commands.outputs import Outputs
from signboard.errors import ConfigError, SignboardError
from signboard.progress import Progress, put, speed

if TYPE_CHECKING:
    from signboard.photo import Page
    from signboard.reading import Reading

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where readings come from: a reader in this process, `processes` (None: as many as fit), or a cluster."""

    reader_options: dict[str, Any]
    batch_size: int | str
    workers: int | None
    processes: int | None = 1
    cluster: dict[str, Any] | None = None

    def read(self, paths: Iterator[str | Page], count: int) -> Iterator[Reading]:
        """Readings in the order of `paths`, which are `count`.

        Raises:
            ConfigError: the reader cannot be made as asked for.
        """
        if self.cluster is not None:
            from signboard.cluster import read_on_cluster

            size = None if self.batch_size == "auto" else int(self.batch_size)
            return read_on_cluster(paths, reader_options=self.reader_options, batch_size=size, **self.cluster)
        from signboard.processes import choose_processes

        processes = choose_processes(count) if self.processes is None else self.processes
        if processes > 1:
            return self._in_processes(paths, processes)
        try:
            reader = readers.make_reader(**self.reader_options)
        except SignboardError as error:
            raise ConfigError(str(error)) from None
        return iter(reader.read_many(paths, batch_size=self.batch_size, workers=self.workers))

    def _in_processes(self, paths: Iterator[str | Page], processes: int) -> Iterator[Reading]:
        from signboard.processes import ReaderProcesses

        with ReaderProcesses(
            processes,
            self.reader_options,
            batch_size=self.batch_size,
            workers=self.workers,
            on_cpu_only=self.processes is None,
        ) as pool:
            yield from pool.read_many(paths)


def read_photos(items: Sequence[Item], outputs: Outputs, source: Source, *, quiet: bool, note: str) -> int:
    """Reads and writes every item that is not written yet; the exit code. `note` ends the last line."""
    todo = [item for item in items if not outputs.has(item)]
    failed_before = [item for item in items if outputs.failed_before(item)]
    counts = {"read": 0, "empty": 0, "failed": 0}
    warned = 0
    progress = Progress(len(todo), shown=not quiet and sys.stderr.isatty() and not outputs.to_terminal)
    begin = time.monotonic()
    code = undrawn = 0
    with Stop() as stop:
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
            let_go_of_stdout()  # whoever read our output has seen enough
            return 1
        except SignboardError as error:
            progress.clear()
            go_on = "; then the same command with --resume goes on" if outputs.resumable and _is_full(error) else ""
            complain(f"{error}{go_on}")
            code = 2 if isinstance(error, ConfigError) else 1
            try:
                sys.stdout.flush()
            except OSError:
                let_go_of_stdout()
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
        put(f"{summary}, {rate} photos/s{notes}{note}\n")
    if not quiet:
        _name_failures(failed_before)
    return code or (1 if counts["failed"] or undrawn else 0)


_NAMED = 10  # photos, in one line


def _name_failures(items: Sequence[Item]) -> None:
    """Says which photos an earlier run could not read and this one left as they are, of those that are there."""
    paths = [item.path for item in items if os.path.lexists(item.path)]
    if paths:
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        photos = "1 photo" if len(paths) == 1 else f"{len(paths)} photos"
        complain(
            f"{photos} failed in an earlier run and stayed so, --retry-failed reads them again: "
            f"{', '.join(paths[:_NAMED])}{more}"
        )


def _is_full(error: SignboardError) -> bool:
    return "disk full" in str(error)


def _readings(todo: Sequence[Item], source: Source, stop: Stop) -> Generator[Reading, None, None]:
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
    count = sum(item.error is None for item in todo)
    results: Iterator[Reading] = iter(())
    if count:
        results = source.read(paths(), count)
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
