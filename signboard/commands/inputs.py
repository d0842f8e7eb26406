"""Turns what a person named (files, folders, patterns, a list on standard input) into photos, in a fixed order.

Paths stay strings here: they come back in the results as they were typed, and a survey has a million of them.
"""
# ruff: noqa: PTH100, PTH116, PTH118, PTH119, PTH122, PTH207

from __future__ import annotations

import errno
import glob
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from signboard.errors import SignboardError
from signboard.output.sink import reason

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif"}
)
"""File endings that are taken from a folder, in lower case. A file that is named itself may have any."""


@dataclass(frozen=True, slots=True)
class Item:
    """A photo to read, or something that was named and cannot be read.

    Attributes:
        path: as it will stand in the results.
        start: index into `path` where `relative` begins; a number, because a survey has a million of these.
        error: one line when there is nothing to open, else None.
    """

    path: str
    start: int
    error: str | None = None

    @property
    def relative(self) -> str:
        """Where it lies below the folder that was named; the bare file name when it was named itself."""
        return self.path[self.start :]


def find_photos(
    inputs: Iterable[str],
    *,
    stdin_lines: Iterable[bytes] = (),
    skip: Sequence[str] = (),
    recursive: bool = True,
    remote: Callable[[str], Iterator[str]] | None = None,
) -> Iterator[Item]:
    """All photos that `inputs` name: in the order given, folders sorted by name with subfolders in their place.

    A photo that is named twice comes once. A folder is entered once, whatever links lead back to it; files and folders
    whose name begins with a dot are left out of folders. What cannot be read comes as an `Item` with its error.

    Args:
        inputs: files, folders, glob patterns (`**` for any depth), or "-" for `stdin_lines`.
        stdin_lines: one path a line.
        skip: folders that are left out, such as the one that annotated pictures go to.
        remote: gives the photos of a URL (s3://bucket/folder); without it a URL is no such file.
    """
    inputs = list(inputs)
    seen: set[bytes] = set()
    folders: set[tuple[int, int]] = set()
    for path in skip:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            continue
        folders.add((status.st_dev, status.st_ino))
    # One folder holds no file twice. Else a hash stands for a path: 128 bits, a fraction of the memory.
    single = len(inputs) == 1 and inputs[0] != "-" and not glob.has_magic(inputs[0])
    for item in _items(inputs, stdin_lines, folders, recursive, remote):
        if single:
            yield item
            continue
        path = item.path if "://" in item.path else os.path.abspath(item.path)
        key = hashlib.blake2b(os.fsencode(path), digest_size=16).digest()
        if key not in seen:
            seen.add(key)
            yield item


def _items(
    inputs: Iterable[str],
    stdin_lines: Iterable[bytes],
    folders: set[tuple[int, int]],
    recursive: bool,
    remote: Callable[[str], Iterator[str]] | None,
) -> Iterator[Item]:
    for name in inputs:
        if "://" in name and remote is not None:
            try:
                yield from (Item(url, _name_start(url)) for url in remote(name))
            except SignboardError as error:
                yield Item(name, _name_start(name), str(error).removeprefix(f"{name}: "))
        elif name == "-":
            for line in stdin_lines:
                listed = os.fsdecode(line.rstrip(b"\r\n"))
                if listed:
                    yield from _named(listed, folders, recursive, pattern=False)
        else:
            yield from _named(name, folders, recursive, pattern=True)


def _named(name: str, folders: set[tuple[int, int]], recursive: bool, pattern: bool) -> Iterator[Item]:
    try:
        status = os.stat(name)
    except (OSError, ValueError) as error:
        # A file may be called "a[1].jpg": a pattern is only what is not there under its own name.
        if pattern and glob.has_magic(name):
            found = sorted(glob.glob(name, recursive=True))
            for path in found:
                yield from _named(path, folders, recursive, pattern=False)
            if not found:
                yield Item(name, _name_start(name), "no file matches this pattern")
            return
        yield Item(name, _name_start(name), _why(error))
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _folder(name, len(os.path.join(name, "")), folders, recursive)
    else:
        yield Item(name, _name_start(name))


def _name_start(path: str) -> int:
    return len(path) - len(os.path.basename(path))


def _folder(folder: str, start: int, folders: set[tuple[int, int]], recursive: bool) -> Iterator[Item]:
    try:
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in folders:
            return  # a link back to it, or it was named twice
        folders.add(identity)
        with os.scandir(folder) as entries:
            found = sorted((entry.name, _is_folder(entry)) for entry in entries)
    except OSError as error:
        yield Item(folder, min(start, _name_start(folder)), f"folder, {_why(error)}")
        return
    for name, is_folder in found:
        if name.startswith("."):
            continue
        path = os.path.join(folder, name)
        if is_folder:
            if recursive:
                yield from _folder(path, start, folders, recursive)
        elif os.path.splitext(name)[1].lower() in SUFFIXES:
            yield Item(path, start)


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
