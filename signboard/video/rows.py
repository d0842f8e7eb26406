"""The rows that videos are written as: a sign a row, with its times. docs/output-schema.md describes them."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from signboard.errors import ConfigError
from signboard.output import csv, geojson, jsonl
from signboard.output.sink import (
    NEW,
    OutputError,
    OutputExistsError,
    WriteOptions,
    is_stream,
    lock,
    open_output,
    reason,
)
from signboard.reading import Reading
from signboard.video.clock import GpxTrack
from signboard.video.following import FollowedSign

COLUMNS = (
    "source",
    "sign",  # number of the sign in its video, from 1; 0 for a video without signs and for an error
    "signs",  # how many signs the video has; empty for a camera or a stream
    "text",
    "romanized",
    "translation",
    "confidence",  # mean of the sign's words
    "scripts",
    "first",  # seconds from the video's first frame
    "last",
    "best",  # of the frame that shows it best
    "frame",  # its number
    "seen",  # frames it was read on
    "polygon",  # on that frame: "x y x y ...", pixels
    "time",  # of the best frame, ISO 8601
    "latitude",
    "longitude",
    "altitude",
    "width",
    "height",
    "error",
)


def sign_reading(
    sign: FollowedSign,
    source: str,
    number: int,
    total: int | None,
    size: tuple[int, int],
    *,
    start: datetime.datetime | None = None,
    track: GpxTrack | None = None,
) -> Reading:
    """The row of a sign as a reading of its best frame.

    Args:
        number: of the sign in its video, from 1.
        total: signs of the video; None while they go on coming.
        size: (width, height) of the frames in pixels.
        start: when the video begins, with a zone.
        track: where it was taken; needs `start`.
    """
    metadata: dict[str, Any] = {}
    if start is not None:
        moment = start + datetime.timedelta(seconds=sign.time)
        metadata["time"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        position = track.at(moment) if track is not None else None
        if position is not None:
            metadata["gps"] = position
    metadata["video"] = {
        "sign": number,
        "signs": total,
        "first": sign.first,
        "last": sign.last,
        "best": sign.time,
        "frame": sign.frame,
        "seen": sign.seen,
        "votes": [[[text, weight] for text, weight in votes] for votes in sign.votes],
        "track": [
            {"time": at.time, "polygon": [[round(x, 1), round(y, 1)] for x, y in at.polygon]} for at in sign.track
        ],
    }
    return Reading(source, *size, (sign.sign,), metadata=metadata)


def bare_reading(source: str, total: int | None, size: tuple[int, int] = (0, 0), error: str | None = None) -> Reading:
    """The row of a video without signs, or with an error; `total` signs follow it."""
    return Reading(source, *size, error=error, metadata={"video": {"sign": 0, "signs": total}})


# Formats -------------------------------------------------------------------------------------------------------------


def _json_row(reading: Reading, position: bool) -> str:
    return jsonl.dumps(reading, position=position) + "\n"


def _geojson_row(reading: Reading, position: bool) -> str:
    return ",\n".join(jsonl.one_line(feature) for feature in geojson.features(reading))


def csv_row(reading: Reading) -> dict[str, Any]:
    """The row of a reading, a dictionary with all of `COLUMNS`."""
    video, gps = reading.metadata["video"], reading.metadata.get("gps", {})
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row |= {"source": reading.source, "width": reading.width, "height": reading.height, "error": reading.error or ""}
    row |= {"sign": video["sign"], "signs": "" if video["signs"] is None else video["signs"]}
    row |= {key: gps.get(key, "") for key in ("latitude", "longitude", "altitude")}
    if not reading.signs:
        return row
    sign = reading.signs[0]
    words = [word for line in sign.lines for word in line.words]
    return row | {
        "text": sign.text,
        "romanized": "\n".join(line.romanized for line in sign.lines if line.romanized),
        "translation": "\n".join(line.translation for line in sign.lines if line.translation),
        "confidence": round(sum(word.confidence for word in words) / len(words), 4),
        "scripts": " ".join(sorted({word.script for word in words})),
        "polygon": " ".join(f"{value:g}" for point in sign.polygon for value in point),
        "time": reading.metadata.get("time", ""),
        **{key: video[key] for key in ("first", "last", "best", "frame", "seen")},
    }


def _positioned(reading: Reading, position: bool) -> dict[str, Any]:
    row = csv_row(reading)
    return row if position else row | {"latitude": "", "longitude": "", "altitude": ""}


def _csv_row(reading: Reading, position: bool) -> str:
    row = _positioned(reading, position)
    return csv.format_row([row[name] for name in COLUMNS])


def _safe_csv_row(reading: Reading, position: bool) -> str:
    return csv.format_row(csv.guarded(_positioned(reading, position), COLUMNS))


def _text_row(reading: Reading, position: bool) -> str:
    """The times, and beside them the sign's lines, each with its Latin letters and English."""
    if not reading.signs:
        return ""
    video = reading.metadata["video"]
    head = f"{clock(video['first'])} - {clock(video['last'])}  "
    lines = []
    for line in reading.signs[0].lines:
        said = " = ".join(text for text in (line.romanized, line.translation) if text)
        lines.append(f"{line.text}  ({said})" if said else line.text)
    return head + ("\n" + " " * len(head)).join(lines) + "\n"


def clock(seconds: float) -> str:
    """ "0:04.2", "12:31.0" or "1:02:03.4"."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    shown = f"{minutes:02}" if hours else f"{minutes}"
    return f"{hours}:{shown}:{rest / 10:04.1f}" if hours else f"{shown}:{rest / 10:04.1f}"


class _Whole:
    """Which videos of an interrupted file are whole: those whose last sign is there. Of a camera every row is."""

    def __init__(self, size: int = 0) -> None:
        self.sources: set[str] = set()
        self.size = size  # bytes of the file that are theirs
        self.empty: list[str] = []  # videos that are named at the end of the file alone

    def row(self, source: str, sign: int, signs: int | None, end: int) -> None:
        """One row more, whose bytes end here."""
        if signs is None or sign == signs:
            self.size = end
            if signs is not None:
                self.sources.add(source)


_GEOJSON_HEAD = '{"type":"FeatureCollection","features":[\n'
_JSON_START = b'{"schema":"signboard/'[:20]


def _whole_jsonl(file: BinaryIO, name: str) -> _Whole:
    """The videos of an interrupted file of JSON lines.

    Raises:
        OutputError: it holds something else.
    """
    whole = _Whole()
    end = 0
    for number, line in enumerate(file, start=1):
        if not line.endswith(b"\n") and (number > 1 or line[:20] == _JSON_START[: len(line)]):
            break  # it was being written
        end += len(line)
        try:
            row = json.loads(line)
            video = row["metadata"]["video"]
            whole.row(row["source"], video["sign"], video["signs"], end)
        except (ValueError, KeyError, TypeError):
            raise OutputError(
                f"{name}: line {number} is no sign of a video, --resume cannot go on with this file"
            ) from None
    return whole


def _whole_csv(file: BinaryIO, name: str) -> _Whole:
    """The videos of an interrupted CSV file.

    Raises:
        OutputError: it holds something else.
    """
    head = csv.format_row(list(COLUMNS)).encode()
    if file.readline() != head:
        raise OutputError(f"{name}: not a CSV file of a video's signs, --resume cannot go on with it")
    whole = _Whole(len(head))
    for row, end in csv.whole_rows(file, name, COLUMNS):
        whole.row(row["source"], int(row["sign"] or 0), int(row["signs"]) if row["signs"] else None, end)
    return whole


def _whole_safe_csv(file: BinaryIO, name: str) -> _Whole:
    whole = _whole_csv(file, name)
    whole.sources = {csv.unguarded(source) for source in whole.sources}
    return whole


def _whole_geojson(file: BinaryIO, name: str) -> _Whole:
    """The videos of an interrupted GeoJSON file; those without a feature, too, when it was completed.

    Raises:
        OutputError: it holds something else.
    """
    head = _GEOJSON_HEAD.encode()
    start = file.read(len(head))
    if not head.startswith(start):
        raise OutputError(f"{name}: not GeoJSON of a video's signs, --resume cannot go on with it")
    if start != head:
        return _Whole()
    whole = _Whole(end := len(head))
    for line in file:
        if not line.endswith(b"\n"):
            break  # it was being written
        body = line.rstrip(b",\n")
        begin, end = end, end + len(line)
        if not body:
            continue
        try:
            if body.startswith(b"]"):
                whole.empty = json.loads(b'{"features":[' + body)["empty"] if body != b"]}" else []
                whole.sources |= set(whole.empty)
                break
            row = json.loads(body)["properties"]
            whole.row(row["source"], row["sign"], row.get("signs"), begin + len(body))
        except (ValueError, LookupError, TypeError):
            raise OutputError(
                f"{name}: a line that is no sign of a video, --resume cannot go on with this file"
            ) from None
    return whole


def _geojson_closing(empty: Sequence[str]) -> str:
    """The tail of a complete file, which names the videos that have no features."""
    return f'\n],"empty":{json.dumps(list(empty))}}}\n'


def _csv_head() -> str:
    return csv.format_row(list(COLUMNS))


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """A format of a video's signs: a head, a piece a row, a tail. `whole` finds the whole videos of an earlier file.

    `closing(empty)` is the tail of a complete file, given the videos that have no piece, in formats that note them.
    """

    suffixes: tuple[str, ...]
    row: Callable[[Reading, bool], str]
    head: str = ""
    tail: str = ""
    separator: str = ""
    whole: Callable[[BinaryIO, str], _Whole] | None = None
    closing: Callable[[Sequence[str]], str] | None = None


FORMATS: dict[str, Format] = {
    "jsonl": Format((".jsonl", ".ndjson"), _json_row, whole=_whole_jsonl),
    "csv": Format((".csv",), _csv_row, head=_csv_head(), whole=_whole_csv),
    "geojson": Format(
        (".geojson",),
        _geojson_row,
        head=_GEOJSON_HEAD,
        tail="\n]}\n",
        separator=",\n",
        whole=_whole_geojson,
        closing=_geojson_closing,
    ),
    "text": Format((".txt",), _text_row),
}
"""By the name that `--format` takes."""

SAFE_CSV = Format((), _safe_csv_row, head=_csv_head(), whole=_whole_safe_csv)
"""CSV whose texts begin with an apostrophe where a spreadsheet would take them for formulas."""


def choose_form(name: str, csv_safe: bool = False) -> Format:
    """The format of a name of `FORMATS`.

    Raises:
        ConfigError: CSV for spreadsheets was asked for, and another format.
    """
    if csv_safe and name != "csv":
        raise ConfigError(f"--csv-safe: is for CSV, not for {name}")
    return SAFE_CSV if csv_safe else FORMATS[name]


class SignFile:
    """Rows to a file, which is valid after every call, or to a stream."""

    def __init__(self, form: Format, target: Path | BinaryIO, options: WriteOptions = NEW) -> None:
        """Opens and locks it.

        Args:
            target: a path, or an open stream such as standard output, which is not closed.
            options: to resume, a video that is there in part is cut off.

        Raises:
            OutputExistsError: there are results in the file and `options` says neither to resume nor to overwrite.
            OutputError: it cannot be opened, belongs to another run, or is of another format.
        """
        self._form, self._position = form, options.position
        self._done: set[str] = set()
        self._any = False  # whether a separator is due
        self._empty: list[str] = []  # videos without a piece
        self._end: int | None = None  # where the next rows begin; None in a stream
        self._owned = isinstance(target, Path)
        self._name = "standard output"
        if not isinstance(target, Path):
            self._file = target
            self._put(form.head)
            return
        self._name = str(target)
        if is_stream(target):
            try:
                self._file = target.open("wb")
            except OSError as error:
                raise OutputError(f"{target}: cannot be written, {reason(error)}") from None
            self._put(form.head)
            return
        self._file = open_output(target)
        try:
            lock(self._file, target)
            size = self._file.seek(0, io.SEEK_END)
            if size and not options.touches:
                raise OutputExistsError(f"{target}: already there; --resume goes on with it, --overwrite replaces it")
            if options.resume and form.whole is None:
                raise OutputError(f"{target}: --resume goes on with JSON lines, CSV and GeoJSON of videos only")
            keep = 0
            if size and options.resume:
                assert form.whole is not None
                with target.open("rb") as old:  # buffered, to read line by line
                    found = form.whole(old, str(target))
                self._done, keep, self._empty = found.sources, found.size, found.empty
            self._file.seek(keep)
            self._file.truncate()
            self._end = keep
            self._any = keep > len(form.head.encode())
            self._put("" if keep else form.head)
        except BaseException:
            self._file.close()
            raise

    def has(self, source: str) -> bool:
        """Whether an earlier run has written all of this video."""
        return source in self._done

    def write(self, readings: Sequence[Reading], *, heading: str = "") -> None:
        """Writes rows, those of a video together, behind a heading.

        Raises:
            OutputError: the disk is full or gone.
        """
        pieces = [piece for reading in readings if (piece := self._form.row(reading, self._position))]
        if pieces:
            text = heading + self._form.separator.join(pieces)
            self._put(self._form.separator + text if self._any else text)
            self._any = True
        elif readings and self._form.closing is not None:
            self._empty.append(readings[0].source)

    def close(self) -> None:
        """Completes the output."""
        if self._end is None:
            self._put(self._form.tail)
        elif self._empty and self._form.closing is not None:
            self._put("", self._form.closing(self._empty))
        if self._owned:
            self._file.close()

    def _put(self, text: str, tail: str | None = None) -> None:
        """Writes at the end; in a file the tail goes behind it, to be written over by what comes next."""
        data = text.encode("utf-8", "surrogateescape")
        try:
            if self._end is None:
                self._file.write(data)
                self._file.flush()
                return
            self._file.seek(self._end)
            rest = memoryview(data + (self._form.tail if tail is None else tail).encode())
            while rest:  # an unbuffered file may take only part of it
                rest = rest[self._file.write(rest) :]
            self._end += len(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"{self._name}: {reason(error)}") from None
