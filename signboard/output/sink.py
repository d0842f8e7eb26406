"""Where rows go: standard output, a file that is valid after every photo, or a folder with one file a photo.

A file is locked while a run writes to it, so that two runs cannot mix their rows, and an operating system drops the
lock even when a run is killed.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from signboard.errors import SignboardError
from signboard.reading import Reading


class OutputError(SignboardError):
    """An output that cannot be written: no such folder, no permission, disk full, in use by another run."""


class OutputExistsError(OutputError):
    """An output that is already there, when it was asked for neither to go on with it nor to replace it."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an interrupted run left: photos whose rows are whole, and how many bytes of the file are theirs."""

    sources: frozenset[str]
    size: int


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A format that is text: a head, a piece a photo, a tail. After every photo the file ends with the tail.

    `body(reading, index, position)` is the piece of photo number `index` (from 0), maybe empty; `position` says
    whether the photo's GPS position may be in it. `separator` stands between pieces that are not empty.
    `recover(file, name)` reads an interrupted file; formats without it cannot go on.
    """

    name: str
    suffixes: tuple[str, ...]
    body: Callable[[Reading, int, bool], str]
    head: Callable[[], str] = lambda: ""
    tail: Callable[[], str] = lambda: ""
    separator: str = ""
    recover: Callable[[BinaryIO, str], Recovered] | None = None
    one_photo_a_file: bool = False


class _Pieces:
    """The pieces of a format one after the other, with what stands between them."""

    def __init__(self, form: TextFormat, position: bool, count: int = 0) -> None:
        self._form, self._position, self._count = form, position, count
        self._any = False

    def next(self, reading: Reading) -> bytes:
        piece = self._form.body(reading, self._count, self._position)
        text = self._form.separator + piece if piece and self._any else piece
        self._count += 1
        self._any = self._any or bool(piece)
        return _encode(text)


class Sink(Protocol):
    """Takes the readings of a run one after the other."""

    def has(self, source: str) -> bool:
        """Whether an earlier run has written this photo already."""

    def write(self, reading: Reading) -> None:
        """Writes one photo's rows and flushes them. Raises OutputError."""

    def close(self) -> None:
        """Completes the output. Raises OutputError."""


class StreamSink:
    """Rows to a stream that cannot be repaired: standard output, a pipe, a device."""

    def __init__(self, form: TextFormat, stream: BinaryIO, *, position: bool = False) -> None:
        self._form, self._stream, self._pieces = form, stream, _Pieces(form, position)
        self._put(_encode(form.head()))

    def has(self, source: str) -> bool:
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
            name = getattr(self._stream, "name", "<stdout>")
            raise OutputError(f"{'standard output' if name == '<stdout>' else name}: {reason(error)}") from None


class FileSink:
    """Rows appended to one file and flushed photo by photo; the file is complete and valid after each of them."""

    def __init__(
        self, form: TextFormat, path: Path, *, resume: bool = False, overwrite: bool = False, position: bool = False
    ) -> None:
        """Opens and locks the file.

        Args:
            resume: go on with an earlier run's file; a half-written last row is cut off.
            overwrite: replace a file that is already there.

        Raises:
            OutputExistsError: there are results in the file and neither was asked for.
            OutputError: it cannot be opened, belongs to another run, or is of another format.
        """
        self._done: frozenset[str] = frozenset()
        self._form, self._path = form, path
        count = 0
        if resume and form.recover is None:
            raise OutputError(
                f"{path}: --resume works with JSON lines, CSV and folders of ALTO, not with {form.name}; "
                "write JSON lines and turn them into other formats with 'signboard convert'"
            )
        self._file = open_output(path)
        try:
            lock(self._file, path)
            size = self._file.seek(0, os.SEEK_END)
            if size and resume:
                assert form.recover is not None
                with path.open("rb") as old:  # buffered, to read line by line
                    found = form.recover(old, str(path))
                self._done, size = found.sources, found.size
                count = len(found.sources)
                self._file.seek(size)
                self._file.truncate()
            elif size and not overwrite:
                raise OutputExistsError(f"{path}: already there; --resume goes on with it, --overwrite replaces it")
            elif size:
                self._file.seek(0)
                self._file.truncate()
                size = 0
            self._pieces = _Pieces(form, position, count)
            self._end = size  # where the next photo's rows begin
            self._put(_encode(form.head()) if size == 0 else b"")  # with the tail behind it
        except BaseException:
            self._file.close()
            raise

    def has(self, source: str) -> bool:
        return source in self._done

    def write(self, reading: Reading) -> None:
        self._put(self._pieces.next(reading))

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise OutputError(f"{self._path}: {reason(error)}") from None

    def _put(self, body: bytes) -> None:
        """One photo's bytes and the tail behind them, over the tail that is there."""
        tail = _encode(self._form.tail())
        try:
            self._file.seek(self._end)
            _write_all(self._file, body + tail)
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

    def __init__(
        self,
        form: TextFormat,
        folder: Path,
        *,
        names: dict[str, str],
        resume: bool = False,
        overwrite: bool = False,
        position: bool = False,
    ) -> None:
        """Makes the folder and locks it. `names` holds, by source, a photo's file name inside it.

        Raises:
            OutputExistsError: there are files in it, and neither `resume` nor `overwrite` was asked for.
            OutputError: it cannot be made, or belongs to another run.
        """
        self._form, self._folder, self._names, self._position = form, folder, names, position
        self._resume = resume
        make_folder(folder)
        if not (resume or overwrite) and any(folder.iterdir()):
            raise OutputExistsError(
                f"{folder}: already holds files; --resume goes on with them, --overwrite replaces them"
            )
        self._lock_path = folder / ".signboard.lock"
        self._lock = open_output(self._lock_path)
        try:
            lock(self._lock, folder)
        except BaseException:
            self._lock.close()
            raise

    def has(self, source: str) -> bool:
        return self._resume and (self._folder / self._names[source]).exists()

    def write(self, reading: Reading) -> None:
        text = self._form.head() + self._form.body(reading, 0, self._position) + self._form.tail()
        write_whole(self._folder / self._names[reading.source], _encode(text))

    def close(self) -> None:
        self._lock.close()
        self._lock_path.unlink(missing_ok=True)


def unique_names(names: dict[str, str]) -> dict[str, str]:
    """File names by source, with a number added where two would be the same file on some file system."""
    taken: set[str] = set()
    unique = {}
    for source, name in names.items():
        path = Path(name)
        number, candidate = 1, name
        while candidate.casefold() in taken:
            number += 1
            candidate = str(path.with_name(f"{path.stem}~{number}{path.suffix}"))
        taken.add(candidate.casefold())
        unique[source] = candidate
    return unique


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file under another name first, so that it is never there in part.

    Raises:
        OutputError: it cannot be written.
    """
    make_folder(path.parent)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
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
        OutputError: no such folder, a folder, no permission, read-only.
    """
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


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        # An unbuffered file may take only part of it, the last part before the disk is full for one.
        view = view[file.write(view) :]


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
