"""Turns what a person named (files, folders, patterns, a list on standard input) into photos, in a fixed order.

Paths stay strings here: they come back in the results as they were typed, and a survey has a million of them.
"""
# ruff: noqa: PTH116, PTH118, PTH119, PTH122, PTH207

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from signboard.errors import SignboardError
from signboard.image_files import HEAD, kind_of, kind_of_file, tiff_pages
from signboard.output.sink import photo_key, reason

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib",
     ".gif", ".avif", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpf", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".tga",
     ".pcx", ".qoi"}
)  # fmt: skip
"""File endings that are taken from a folder, in lower case. A file that is named itself may have any."""

_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
# What cameras write beside a JPEG: they begin like TIFF, and what can be opened of them is a preview.
_RAW_SUFFIXES = frozenset(
    {".dng", ".cr2", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".orf", ".rw2", ".pef", ".srw", ".raf", ".3fr", ".fff",
     ".iiq", ".kdc", ".dcr", ".erf", ".mef", ".mos", ".rwl"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """A photo to read, or something that was named and cannot be read.

    Attributes:
        path: as it will stand in the results.
        start: index into `path` where `relative` begins; a number, because a survey has a million of these.
        error: one line when there is nothing to open, else None.
        page: of a file with several pages, from 1; None where the file is one photo.
    """

    path: str
    start: int
    error: str | None = None
    page: int | None = None

    @property
    def relative(self) -> str:
        """Where it lies below the folder that was named; the bare file name when it was named itself."""
        return self.path[self.start :]

    @property
    def key(self) -> str:
        """What it is known by, however it was named."""
        return photo_key(self.path, self.page or 1)


class LeftOut:
    """Counts the files of folders that are no photos; not the run's own outputs, which may lie there, too."""

    def __init__(self, *outputs: Path | None) -> None:
        self._own = {photo_key(str(path)) for path in outputs if path is not None}
        self.count = 0

    def __call__(self, name: str) -> None:
        key = photo_key(name)
        self.count += key not in self._own and key.removesuffix(".part") not in self._own

    @property
    def note(self) -> str:
        """For the run's last line."""
        if not self.count:
            return ""
        return f"; {self.count} {'file that is no photo' if self.count == 1 else 'files that are no photos'} left out"


def _forget(name: str) -> None:
    """For those who do not ask what was left out."""


def find_photos(
    inputs: Iterable[str],
    *,
    stdin_lines: Iterable[bytes] = (),
    skip: Sequence[str] = (),
    recursive: bool = True,
    remote: Callable[[str], Iterator[str]] | None = None,
    pages: bool = False,
    page: int | None = None,
    left_out: Callable[[str], None] = _forget,
) -> Iterator[Item]:
    """All photos that `inputs` name: in the order given, folders sorted by name with subfolders in their place.

    A photo that is named twice comes once. A folder is entered once, whatever links lead back to it; files and folders
    whose name begins with a dot are left out of folders. Files of a folder are photos by their ending or, with any
    other ending or none, by their first bytes. What cannot be read comes as an `Item` with its error.

    Args:
        inputs: files, folders, glob patterns (`**` for any depth), or "-" for `stdin_lines`.
        stdin_lines: one path a line, or between null bytes; UTF-16 where it begins with the mark of that.
        skip: folders that are left out, such as the one that annotated pictures go to.
        remote: gives the photos of a URL (s3://bucket/folder); without it a URL is no such file.
        pages: whether a TIFF of several pages comes as an item for each; else as one.
        page: with `pages`, the only one that is wanted.
        left_out: is told each file of a folder that is no photo.
    """
    inputs = list(inputs)
    search = _Search(recursive, remote, pages, page, left_out, set())
    for path in skip:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            continue
        search.folders.add((status.st_dev, status.st_ino))
    # One folder holds no file twice. Else a hash stands for a path: 128 bits, a fraction of the memory.
    single = len(inputs) == 1 and inputs[0] != "-" and not glob.has_magic(inputs[0])
    seen: set[bytes] = set()
    for item in _items(inputs, stdin_lines, search):
        if single:
            yield item
            continue
        key = hashlib.blake2b(os.fsencode(item.key), digest_size=16).digest()
        if key not in seen:
            seen.add(key)
            yield item


@dataclass(frozen=True, slots=True)
class _Search:
    """What `find_photos` was asked for, and the folders (device, inode) that were entered already."""

    recursive: bool
    remote: Callable[[str], Iterator[str]] | None
    pages: bool
    page: int | None
    left_out: Callable[[str], None]
    folders: set[tuple[int, int]]


def _items(inputs: Iterable[str], stdin_lines: Iterable[bytes], search: _Search) -> Iterator[Item]:
    for name in inputs:
        if "://" in name and search.remote is not None:
            try:
                yield from (Item(url, _name_start(url)) for url in search.remote(name))
            except SignboardError as error:
                yield Item(name, _name_start(name), str(error).removeprefix(f"{name}: "))
        elif name == "-":
            for listed in _listed(b"".join(stdin_lines)):
                yield from _named(listed, search, pattern=False)
        else:
            yield from _named(name, search, pattern=True)


def _listed(data: bytes) -> Iterator[str]:
    """The paths of a list as editors, `find -print0` and PowerShell write them."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        names = re.split("\r?\n", data.decode("utf-16", "replace"))
    else:
        data = data.removeprefix(b"\xef\xbb\xbf")
        lines = data.split(b"\0") if b"\0" in data else [line.rstrip(b"\r") for line in data.split(b"\n")]
        names = [os.fsdecode(line) for line in lines]
    return filter(None, names)


def _named(name: str, search: _Search, pattern: bool) -> Iterator[Item]:
    try:
        status = os.stat(name)
    except (OSError, ValueError) as error:
        # A file may be called "a[1].jpg": a pattern is only what is not there under its own name.
        if pattern and glob.has_magic(name):
            found = sorted(glob.glob(name, recursive=True))
            for path in found:
                yield from _named(path, search, pattern=False)
            if not found:
                yield Item(name, _name_start(name), "no file matches this pattern")
            return
        yield Item(name, _name_start(name), _why(error))
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _folder(name, len(os.path.join(name, "")), search)
    else:
        look = stat.S_ISREG(status.st_mode) and search.pages
        yield from _pages(Item(name, _name_start(name)), search, several=look)


def _pages(item: Item, search: _Search, *, several: bool) -> Iterator[Item]:
    """The item, or one for each page; `several` says whether the file may have more than one."""
    count = 1
    if several:
        try:
            with open(item.path, "rb") as file:  # noqa: PTH123
                if kind_of(file.read(HEAD)) == "TIFF":
                    file.seek(0)
                    count = len(tiff_pages(file))
        except (OSError, ValueError):
            pass  # opening it as a photo says what is wrong
    wanted = range(1, count + 1) if search.page is None else (search.page,)
    for number in wanted:
        if number > count:
            has = "one" if count == 1 else str(count)
            yield Item(item.path, item.start, f"there is no page {number}, the file has {has}", number)
        else:
            yield item if count == 1 else Item(item.path, item.start, page=number)


def _name_start(path: str) -> int:
    return len(path) - len(os.path.basename(path))


def _folder(folder: str, start: int, search: _Search) -> Iterator[Item]:
    try:
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in search.folders:
            return  # a link back to it, or it was named twice
        search.folders.add(identity)
        with os.scandir(folder) as entries:
            found = sorted((entry.name, _is_folder(entry), _is_file(entry)) for entry in entries)
    except OSError as error:
        yield Item(folder, min(start, _name_start(folder)), f"folder, {_why(error)}")
        return
    for name, is_folder, is_file in found:
        if name.startswith("."):
            continue
        path = os.path.join(folder, name)
        if is_folder:
            if search.recursive:
                yield from _folder(path, start, search)
            continue
        suffix = os.path.splitext(name)[1].lower()
        if suffix in SUFFIXES:
            yield from _pages(Item(path, start), search, several=search.pages and is_file and suffix in _TIFF_SUFFIXES)
            continue
        kind = kind_of_file(path) if is_file else None
        if kind is None or (kind == "TIFF" and suffix in _RAW_SUFFIXES):
            search.left_out(path)
        else:
            yield from _pages(Item(path, start), search, several=search.pages and kind == "TIFF")


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads in circles; opening it as a photo says so


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return "no such file"
        return f"cannot be read, {reason(error)}"
    return f"not a file name, {error}"
