"""Parquet: one photo a row, with the fields of the JSON lines as typed, nested columns. Needs the extra `parquet`."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from signboard.output import jsonl
from signboard.output.sink import (
    NEW,
    FileSink,
    OutputError,
    OutputExistsError,
    Piece,
    Recovered,
    WriteOptions,
    photo_key,
    reason,
    refuse_stream,
)
from signboard.reading import Reading

HELP = "Parquet needs an extra package: pip install 'signboard[parquet]'"
_GROUP = 512  # photos a row group: a few MB


def schema() -> Any:
    """The columns, as a `pyarrow.Schema`.

    Raises:
        OutputError: pyarrow is not installed.
    """
    pa = _pyarrow()
    polygon = pa.list_(pa.list_(pa.float32()))
    word = pa.struct(
        [
            ("text", pa.string()),
            ("polygon", polygon),
            ("confidence", pa.float32()),
            ("detection_score", pa.float32()),
            ("script", pa.string()),
            ("rotation", pa.int16()),
        ]
    )
    line = pa.struct(
        [
            ("text", pa.string()),
            ("polygon", polygon),
            ("romanized", pa.string()),
            ("translation", pa.string()),
            ("words", pa.list_(word)),
        ]
    )
    video = pa.struct(
        [
            *((name, pa.int32()) for name in ("sign", "signs", "frame", "seen")),
            *((name, pa.float64()) for name in ("first", "last", "best")),
            ("track", pa.list_(pa.struct([("time", pa.float64()), ("polygon", polygon)]))),
        ]
    )
    sign = pa.struct([("text", pa.string()), ("polygon", polygon), ("lines", pa.list_(line))])
    return pa.schema(
        [
            ("schema", pa.string()),
            ("source", pa.string()),
            ("page", pa.int32()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("text", pa.string()),
            ("signs", pa.list_(sign)),
            ("error", pa.string()),
            ("warnings", pa.list_(pa.string())),
            ("time", pa.string()),
            ("latitude", pa.float64()),  # null unless positions were asked for
            ("longitude", pa.float64()),
            ("video", video),  # null in rows of photos
        ]
    )


def to_row(reading: Reading, *, position: bool = False) -> dict[str, Any]:
    """The row of a reading, for `schema()`."""
    row = jsonl.to_dict(reading, position=position)
    metadata = row.pop("metadata")
    gps = metadata.get("gps", {})
    row |= {"time": metadata.get("time"), "latitude": gps.get("latitude"), "longitude": gps.get("longitude")}
    row["video"] = metadata.get("video")
    row["source"] = _utf8(row["source"])
    if row["error"] is not None:
        row["error"] = _utf8(row["error"])
    return row


def _utf8(text: str) -> str:
    """Arrow strings are UTF-8: bytes of a file name that are no text become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class ParquetSink:
    """Rows to a Parquet file. Such a file is readable only when it is complete: until then its photos are JSON lines.

    They stand in a file beside it, which a killed run leaves behind and --resume goes on with. When the run ends, the
    rows of both become a new Parquet file, and the JSON lines are removed.
    """

    def __init__(self, path: Path, options: WriteOptions = NEW) -> None:
        """Opens the file of JSON lines.

        Raises:
            OutputError: no pyarrow, not writable, in use by another run, a Parquet file of another program.
            OutputExistsError: there are results already, and `options` says neither to resume nor to overwrite.
        """
        self._columns = schema()
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file in it")
        refuse_stream(path)
        self._path, self._part = path, path.with_name(path.name + ".part")
        self._options = options
        if path.exists() and not options.touches:
            raise OutputExistsError(f"{path}: already there; --resume goes on with it, --overwrite replaces it")
        self._before = Recovered()
        if options.resume and path.exists():
            self._before = self._look()
        try:
            self._lines = FileSink(jsonl.FORMAT, self._part, options)
        except OutputExistsError:
            raise OutputExistsError(
                f"{self._part}: rows of an interrupted run; --resume goes on with them, --overwrite drops them"
            ) from None
        self._open = True

    def has(self, source: str, page: int = 1) -> bool:
        before = self._before.has(_utf8(photo_key(source, page)), retry_failed=self._options.retry_failed)
        return before or self._lines.has(source, page)

    def failed(self, source: str, page: int = 1) -> bool:
        return self._before.photos.get(_utf8(photo_key(source, page)), False) or self._lines.failed(source, page)

    def write(self, reading: Reading) -> None:
        self._lines.write(reading)

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._lines.close()
        new = self._path.with_name(self._path.name + ".new")
        try:
            from pyarrow import parquet

            # What is here already stays as it is where nothing comes to it.
            if not self._before.photos or self._part.stat().st_size:
                with parquet.ParquetWriter(new, self._columns, compression="zstd") as writer:
                    for table in self._tables():
                        writer.write_table(table)
                with new.open("rb+") as file:
                    os.fsync(file.fileno())
                new.replace(self._path)
            self._part.unlink()
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()
            raise OutputError(
                f"{self._path}: {reason(error)}; the rows are in {self._part}, --resume goes on"
            ) from None

    def _look(self) -> Recovered:
        """The photos of the file that is there."""
        pa = _pyarrow()
        from pyarrow import parquet

        found = Recovered()
        try:
            with parquet.ParquetFile(self._path) as file:
                for batch in file.iter_batches(columns=["source", "page", "error"]):
                    for row in batch.to_pylist():
                        found.add(Piece(row["source"], row["page"], row["error"] is not None, 0, 1))
        except (pa.ArrowInvalid, KeyError):
            raise OutputError(
                f"{self._path}: not a Parquet file of this program, --resume cannot go on with it"
            ) from None
        return found

    def _tables(self) -> Iterator[Any]:
        """All rows, those of the file that is there first; each photo once."""
        pa = _pyarrow()
        from pyarrow import parquet

        kept: set[str] = set()
        if self._before.photos:
            with parquet.ParquetFile(self._path) as file:
                for batch in file.iter_batches(batch_size=_GROUP):
                    rows = [
                        row
                        for row in batch.to_pylist()
                        if self._before.has(
                            photo_key(row["source"], row["page"]), retry_failed=self._options.retry_failed
                        )
                    ]
                    kept |= {photo_key(row["source"], row["page"]) for row in rows}
                    yield pa.Table.from_pylist(rows, schema=self._columns)
        # A run that was killed between the new file and the removal of its lines left them in both.
        new = (
            to_row(reading, position=self._options.position)
            for reading in jsonl.read_jsonl(self._part)
            if _utf8(photo_key(reading.source, reading.page)) not in kept
        )
        while rows := list(itertools.islice(new, _GROUP)):
            yield pa.Table.from_pylist(rows, schema=self._columns)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise OutputError(HELP) from None
    return pyarrow
