"""Where rows go: standard output, a file that is valid after every photo, or a folder with one file a photo.

A file is locked while a run writes to it, so that two runs cannot mix their rows, and an operating system drops the
lock even when a run is killed.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from signboard.errors import SignboardError
from signboard.reading import Reading


class OutputError(SignboardError):
    """An output that cannot be written: no such folder, no permission, disk full, in use by another run."""


class OutputExistsError(OutputError):
    """An output that is already there, when it was asked for neither to go on with it nor to replace it."""


def photo_key(source: str, page: int = 1) -> str:
    """What a photo is known by: `a.jpg`, `./a.jpg` and its absolute path are one photo, a URL is itself."""
    if "://" not in source:
        folder, name = os.path.split(os.path.abspath(source))  # noqa: PTH100 - a string stays a string
        source = os.path.normcase(os.path.join(_real_folder(folder), name))  # noqa: PTH118
    return source if page == 1 else f"{source}\0{page}"


@functools.lru_cache(maxsize=1024)
def _real_folder(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except (OSError, ValueError):
        return folder


class Piece(NamedTuple):
    """What an earlier run wrote of one photo, whole.

    Attributes:
        source, page: the photo.
        failed: whether it could not be read.
        start, end: the place in the file, bytes, without separators.
        number: of the piece, from 0, in formats that write it down.
    """

    source: str
    page: int
    failed: bool
    start: int
    end: int
    number: int | None = None


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A format that is text: a head, a piece a photo, a tail. After every photo the file ends with the tail.

    `body(reading, index, position)` is the piece of photo number `index` (from 0), maybe empty; `position` says
    whether the photo's GPS position may be in it. `separator` stands between pieces that are not empty.
    `pieces(file, name)` finds the whole pieces of an interrupted file, which stands behind the head, and raises
    OutputError when the file is of another format. `closing(photos)` is the tail of a file that is complete, given the
    photos (source, page) whose pieces are empty, in formats that note them.
    """

    name: str
    suffixes: tuple[str, ...]
    body: Callable[[Reading, int, bool], str]
    head: Callable[[], str] = lambda: ""
    tail: Callable[[], str] = lambda: ""
    separator: str = ""
    pieces: Callable[[BinaryIO, str], Iterator[Piece]] | None = None
    closing: Callable[[list[tuple[str, int]]], str] | None = None
    one_photo_a_file: bool = False


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What an output does with results that are there already, and whether positions go into it.

    Attributes:
        resume: go on with an earlier run's output; what it left half-written is cut off.
        overwrite: replace what is there.
        retry_failed: with `resume`, photos that failed before are to be written anew.
        position: write the photos' GPS positions, too; formats of maps have them always.
    """

    resume: bool = False
    overwrite: bool = False
    retry_failed: bool = False
    position: bool = False

    @property
    def touches(self) -> bool:
        """Whether results that are there already may be changed."""
        return self.resume or self.overwrite


NEW = WriteOptions()
"""For an output that must not be there yet."""


@dataclass(slots=True)
class Recovered:
    """What an earlier run left.

    Attributes:
        photos: by `photo_key`, whether the photo failed.
        silent: (source, page) of those whose pieces are empty.
        size: bytes of the file that are whole, without the tail.
        count: number of the next piece.
    """

    photos: dict[str, bool] = field(default_factory=dict)
    silent: list[tuple[str, int]] = field(default_factory=list)
    size: int = 0
    count: int = 0

    def has(self, key: str, *, retry_failed: bool) -> bool:
        """Whether this photo is done."""
        failed = self.photos.get(key)
        return failed is not None and not (failed and retry_failed)

    def add(self, piece: Piece) -> None:
        key = photo_key(piece.source, piece.page)
        self.photos[key] = self.photos.get(key, True) and piece.failed
        if piece.start == piece.end:
            self.silent.append((piece.source, piece.page))
        else:
            self.size = piece.end
            self.count = (self.count if piece.number is None else piece.number) + 1


def recover(form: TextFormat, file: BinaryIO, name: str) -> Recovered:
    """The photos of an earlier run's file, as far as they are whole.

    Raises:
        OutputError: the file is of another format.
    """
    found = Recovered()
    for piece in _whole_pieces(form, file, name):
        found.add(piece)
    return found


def _whole_pieces(form: TextFormat, file: BinaryIO, name: str) -> Iterator[Piece]:
    assert form.pieces is not None
    head = _encode(form.head())
    start = file.read(len(head))
    if start == head:
        yield from form.pieces(file, name)
    elif not head.startswith(start):
        raise OutputError(f"{name}: not a file of this format by this program, --resume cannot go on with it")


class _Pieces:
    """The pieces of a format one after the other, with what stands between them."""

    def __init__(self, form: TextFormat, position: bool, count: int = 0, *, any_before: bool = False) -> None:
        self._form, self._position, self._count = form, position, count
        self._any = any_before

    def next(self, reading: Reading) -> bytes:
        piece = self._form.body(reading, self._count, self._position)
        text = self._form.separator + piece if piece and self._any else piece
        self._count += 1
        self._any = self._any or bool(piece)
        return _encode(text)


class Sink(Protocol):
    """Takes the readings of a run one after the other."""

    def has(self, source: str, page: int = 1) -> bool:
        """Whether an earlier run has written this photo already, and it is not to be read again."""

    def failed(self, source: str, page: int = 1) -> bool:
        """Whether an earlier run could not read this photo."""

    def write(self, reading: Reading) -> None:
        """Writes one photo's rows and flushes them. Raises OutputError."""

    def close(self) -> None:
        """Completes the output. Raises OutputError."""


class StreamSink:
    """Rows to a stream that cannot be repaired: standard output, a pipe, a device."""

    def __init__(self, form: TextFormat, stream: BinaryIO, *, position: bool = False) -> None:
        self._form, self._stream, self._pieces = form, stream, _Pieces(form, position)
        self._put(_encode(form.head()))

    def has(self, source: str, page: int = 1) -> bool:
        return False

    def failed(self, source: str, page: int = 1) -> bool:
        return False

    def write(self, reading: Reading) -> None:
        self._put(self._pieces.next(reading))

    def close(self) -> None:
        self._put(_encode(self._form.tail()))

    def _put(self, data: bytes) -> None:
        if not data:
            return
        # Straight to the bytes: a console's encoding may not know Devanagari, and a file name may be no text at all.
        try:
            self._stream.write(data)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            name = getattr(self._stream, "name", 1)
            standard = isinstance(name, int) or name == "<stdout>"
            raise OutputError(f"{'standard output' if standard else name}: {reason(error)}") from None


class FileSink:
    """Rows appended to one file and flushed photo by photo; the file is complete and valid after each of them."""

    def __init__(self, form: TextFormat, path: Path, options: WriteOptions = NEW) -> None:
        """Opens and locks the file; with `retry_failed`, photos that failed before are taken out of it.

        Raises:
            OutputExistsError: there are results in the file and `options` says neither to resume nor to overwrite.
            OutputError: it cannot be opened, belongs to another run, or is of another format.
        """
        self._found = Recovered()
        self._form, self._path = form, path
        self._file = open_output(path)
        try:
            lock(self._file, path)
            size = self._file.seek(0, os.SEEK_END)
            if size and not options.touches:
                raise OutputExistsError(f"{path}: already there; --resume goes on with it, --overwrite replaces it")
            if size and options.resume:
                with path.open("rb") as old:  # buffered, to read line by line
                    self._found = recover(form, old, str(path))
                if options.retry_failed and any(self._found.photos.values()):
                    self._drop_failed()
            size = self._found.size
            self._file.seek(size)
            self._file.truncate()
            head = _encode(form.head())
            self._pieces = _Pieces(form, options.position, self._found.count, any_before=size > len(head))
            self._end = size  # where the next photo's rows begin
            self._put(head if size == 0 else b"")  # with the tail behind it
        except BaseException:
            self._file.close()
            raise

    def has(self, source: str, page: int = 1) -> bool:
        return photo_key(source, page) in self._found.photos

    def failed(self, source: str, page: int = 1) -> bool:
        return self._found.photos.get(photo_key(source, page), False)

    def holds_others(self, photos: Iterable[str]) -> bool:
        """Whether an earlier run has written photos that are none of these (by `photo_key`)."""
        return bool(self._found.photos.keys() - set(photos))

    def write(self, reading: Reading) -> None:
        piece = self._pieces.next(reading)
        self._put(piece)
        if not piece and self._form.closing is not None:
            self._found.silent.append((reading.source, reading.page))

    def close(self) -> None:
        if self._file.closed:
            return
        try:
            if self._form.closing is not None and self._found.silent:
                self._put(b"", _encode(self._form.closing(self._found.silent)))
            self._file.close()
        except OSError as error:
            raise OutputError(f"{self._path}: {reason(error)}") from None
        finally:
            self._file.close()

    def _drop_failed(self) -> None:
        """Writes the file anew without the photos that failed; it is there whole at any time."""
        part = self._path.with_name(self._path.name + ".part")
        separator = _encode(self._form.separator)
        try:
            with self._path.open("rb") as old, self._path.open("rb") as source, part.open("wb") as new:
                new.write(_encode(self._form.head()))
                between = b""
                for piece in _whole_pieces(self._form, old, str(self._path)):
                    if self._found.photos[photo_key(piece.source, piece.page)] or piece.start == piece.end:
                        continue
                    new.write(between)
                    source.seek(piece.start)
                    _copy(source, new, piece.end - piece.start)
                    between = separator
                new.write(_encode(self._form.tail()))
                new.flush()
                os.fsync(new.fileno())
            self._file.close()  # some systems replace no file that is open
            part.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise OutputError(f"{self._path}: {reason(error)}") from None
        silent = self._found.silent
        self._file = open_output(self._path)
        lock(self._file, self._path)
        with self._path.open("rb") as file:
            self._found = recover(self._form, file, str(self._path))
        for source_name, page in silent:
            self._found.add(Piece(source_name, page, False, 0, 0))

    def _put(self, body: bytes, closing: bytes | None = None) -> None:
        """One photo's bytes and the tail behind them, over the tail that is there."""
        tail = _encode(self._form.tail())
        try:
            self._file.seek(self._end)
            _write_all(self._file, body + (tail if closing is None else closing))
        except OSError as error:
            self._repair(tail)
            raise OutputError(f"{self._path}: {reason(error)}; what was written before is whole") from None
        self._end += len(body)

    def _repair(self, tail: bytes) -> None:
        """Back to the last whole photo. Its tail stood there before, so its room on the disk is still ours."""
        try:
            self._file.seek(self._end)
            _write_all(self._file, tail)
            self._file.truncate()
        except OSError:
            pass  # the first error is the one to tell


class FolderSink:
    """One file a photo, in a folder; for formats that describe one picture. A file appears whole or not at all."""

    def __init__(self, form: TextFormat, folder: Path, options: WriteOptions = NEW, *, names: dict[str, str]) -> None:
        """Makes the folder and locks it.

        Args:
            options: to resume, files that are there say which photo they are of, and none is replaced; to overwrite,
                files of the same names are.
            names: by `photo_key`, a photo's file name inside the folder, as far as no other photo has it.

        Raises:
            OutputExistsError: there are files in it, and `options` says neither to resume nor to overwrite.
            OutputError: it cannot be made, or belongs to another run.
        """
        self._form, self._folder, self._options = form, folder, options
        self._found = Recovered()
        make_folder(folder)
        if not options.touches and any(folder.iterdir()):
            raise OutputExistsError(
                f"{folder}: already holds files; --resume goes on with them, --overwrite replaces them"
            )
        self._lock_path = folder / ".signboard.lock"
        self._lock = open_output(self._lock_path)
        try:
            lock(self._lock, folder)
            there: dict[str, str] = {}
            taken: list[str] = []
            if options.resume:
                taken = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]
                there = dict(self._look(taken))
            new = {key: name for key, name in names.items() if key not in there}
            self._names = there | unique_names(new, taken)
        except BaseException:
            self._lock.close()
            raise

    def _look(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """(photo's key, file name) of the files that are of this format and by this program."""
        for name in names:
            if not name.lower().endswith(self._form.suffixes):
                continue
            try:
                with (self._folder / name).open("rb") as file:
                    pieces = list(_whole_pieces(self._form, file, name))
            except (OutputError, OSError):
                continue  # another program's
            for piece in pieces:
                self._found.add(piece)
                yield photo_key(piece.source, piece.page), name

    def has(self, source: str, page: int = 1) -> bool:
        return self._found.has(photo_key(source, page), retry_failed=self._options.retry_failed)

    def failed(self, source: str, page: int = 1) -> bool:
        return self._found.photos.get(photo_key(source, page), False)

    def write(self, reading: Reading) -> None:
        text = self._form.head() + self._form.body(reading, 0, self._options.position) + self._form.tail()
        write_whole(self._folder / self._names[photo_key(reading.source, reading.page)], _encode(text))

    def close(self) -> None:
        self._lock.close()
        self._lock_path.unlink(missing_ok=True)


_LONGEST = 240
"""Bytes of a file's name. File systems take 255: this leaves room for a number and for the ending of a part."""


def unique_names(names: dict[str, str], taken: Iterable[str] = ()) -> dict[str, str]:
    """File names by photo, with a number added where two would be the same file on some file system.

    A name that is so long that a number or `.part` behind it would be too much is cut. `taken` are names that others
    have already; nor does a file get the name of a folder that others lie in.
    """
    folders = {Path(os.path.dirname(name)) for name in names.values()}  # noqa: PTH120 - of a million names
    used = {name.casefold() for name in taken}
    used |= {str(folder).casefold() for below in folders for folder in (below, *below.parents)}
    unique = {}
    for photo, name in names.items():
        path = Path(name)
        while len(os.fsencode(path.name)) > _LONGEST and len(path.stem) > 1:
            path = path.with_stem(path.stem[:-1])
        name = str(path)
        number, candidate = 1, name
        while candidate.casefold() in used:
            number += 1
            candidate = str(path.with_name(f"{path.stem}~{number}{path.suffix}"))
        used.add(candidate.casefold())
        unique[photo] = candidate
    return unique


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file under another name first, so that it is never there in part.

    Raises:
        OutputError: it cannot be written, or is a device, which the file would take the place of.
    """
    refuse_stream(path)
    make_folder(path.parent)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise OutputError(f"{path}: {reason(error)}") from None


def make_folder(folder: Path) -> None:
    """Makes a folder whose parent is there.

    Raises:
        OutputError: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{folder}: is a file, not a folder") from None
    except OSError as error:
        raise OutputError(f"{folder}: {reason(error)}") from None


def open_output(path: Path) -> BinaryIO:
    """Opens a file to read and write without touching what is in it; makes it when it is missing.

    Raises:
        OutputError: no such folder, a folder, a device, no permission, read-only.
    """
    refuse_stream(path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    except FileNotFoundError:
        raise OutputError(f"{path}: the folder {path.parent} does not exist") from None
    except IsADirectoryError:
        raise OutputError(f"{path}: is a folder; name a file in it") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written, {reason(error)}") from None
    return os.fdopen(descriptor, "r+b", buffering=0)


def is_stream(path: Path) -> bool:
    """Whether the path is a pipe, a terminal or another device, where nothing can be taken back."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def refuse_stream(path: Path) -> None:
    """Sees to it that no file takes the place of a device.

    Raises:
        OutputError: the path is one; see `is_stream`.
    """
    if is_stream(path):
        raise OutputError(f"{path}: is not a regular file")


def lock(file: BinaryIO, path: Path) -> None:
    """Takes the file for this process until it is closed.

    Raises:
        OutputError: another run has it.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            # Far past the end: locked bytes cannot be read by others, and the rows should be.
            file.seek(2**40)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            raise OutputError(f"{path}: another run is writing to it") from None
        # Some network file systems have no locks: writing without one is better than not at all.


def reason(error: OSError) -> str:
    """Why the system refused, in its own words and lower case."""
    words = error.strerror or str(error)
    return "disk full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else words[:1].lower() + words[1:]


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size > 0:
        block = source.read(min(size, 1 << 20))
        if not block:
            return
        target.write(block)
        size -= len(block)


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        # An unbuffered file may take only part of it, the last part before the disk is full for one.
        view = view[file.write(view) :]


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
