"""Parquet: one photo a row, with the fields of the JSON lines as typed, nested columns. Needs the extra `parquet`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from signboard.output.jsonl import to_dict
from signboard.output.sink import OutputError, OutputExistsError, lock, open_output, reason
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
    sign = pa.struct([("text", pa.string()), ("polygon", polygon), ("lines", pa.list_(line))])
    return pa.schema(
        [
            ("schema", pa.string()),
            ("source", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("text", pa.string()),
            ("signs", pa.list_(sign)),
            ("error", pa.string()),
            ("warnings", pa.list_(pa.string())),
            ("time", pa.string()),
            ("latitude", pa.float64()),  # null unless positions were asked for
            ("longitude", pa.float64()),
        ]
    )


def to_row(reading: Reading, *, position: bool = False) -> dict[str, Any]:
    """The row of a reading, for `schema()`."""
    row = to_dict(reading, position=position)
    metadata = row.pop("metadata")
    gps = metadata.get("gps", {})
    row |= {"time": metadata.get("time"), "latitude": gps.get("latitude"), "longitude": gps.get("longitude")}
    # Arrow strings are UTF-8: bytes of a file name that are no text become escapes.
    row["source"] = row["source"].encode("utf-8", "backslashreplace").decode("utf-8")
    if row["error"] is not None:
        row["error"] = row["error"].encode("utf-8", "backslashreplace").decode("utf-8")
    return row


class ParquetSink:
    """Rows to a Parquet file. Such a file is readable only once it is closed, so it grows under another name."""

    def __init__(self, path: Path, *, resume: bool = False, overwrite: bool = False, position: bool = False) -> None:
        """Opens the file.

        Raises:
            OutputError: no pyarrow, not writable, `resume` asked for, in use by another run.
            OutputExistsError: there is a file already and `overwrite` was not asked for.
        """
        if resume:
            raise OutputError(
                f"{path}: --resume does not work with Parquet; write JSON lines and turn them into Parquet "
                "with 'signboard convert'"
            )
        columns = schema()
        if path.exists() and not overwrite:
            raise OutputExistsError(f"{path}: already there; --overwrite replaces it")
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file in it")
        self._path, self._part = path, path.with_name(path.name + ".part")
        self._position, self._rows, self._columns = position, list[dict[str, Any]](), columns
        self._file = open_output(self._part)
        try:
            lock(self._file, path)
            self._file.truncate(0)
            from pyarrow import parquet

            self._writer = parquet.ParquetWriter(self._file, columns, compression="zstd")
        except BaseException:
            self._file.close()
            raise

    def has(self, source: str) -> bool:
        return False

    def write(self, reading: Reading) -> None:
        self._rows.append(to_row(reading, position=self._position))
        if len(self._rows) >= _GROUP:
            self._flush()

    def close(self) -> None:
        if self._file.closed:
            return
        try:
            if self._rows:
                self._flush()
            self._writer.close()
            self._part.replace(self._path)
        except OSError as error:
            raise OutputError(f"{self._path}: {reason(error)}") from None
        finally:
            with contextlib.suppress(OSError):
                self._file.close()

    def _flush(self) -> None:
        pa = _pyarrow()
        rows, self._rows = self._rows, []
        try:
            self._writer.write_table(pa.Table.from_pylist(rows, schema=self._columns))
        except OSError as error:
            raise OutputError(f"{self._path}: {reason(error)}") from None


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise OutputError(HELP) from None
    return pyarrow
