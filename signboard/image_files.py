"""What an image file is by its first bytes, how many pages it has, and the same file without its metadata.

Nothing here decodes a pixel. Layouts: PNG (W3C, section 5), JPEG (ITU-T T.81, annex B), WebP (RFC 9649), TIFF 6.0,
section 2, and BigTIFF.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

HEAD = 64
"""So many first bytes are enough for `kind_of`."""

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"qoif", "QOI"),
)
_PNM = re.compile(rb"P[1-6](\s+|\s*#[^\n]*\n)+\d+(\s+|\s*#[^\n]*\n)+\d+\s|Pf\n\d+\s+\d+\s")
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}


def kind_of(head: bytes) -> str | None:
    """Pillow's name of the format that a file's first `HEAD` bytes are of; None for anything that is no picture."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[i : i + 4] for i in range(16, len(head) - 3, 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIF" if head[8:12] in _HEIF_BRANDS else None
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if _PNM.match(head):
        return "PPM"
    # An icon: reserved bytes, type 1, a few pictures, and the first entry's reserved byte.
    if head[:4] == b"\0\0\1\0" and 0 < int.from_bytes(head[4:6], "little") < 100 and head[9:10] == b"\0":
        return "ICO"
    if head[:2] == b"\x01\xda" and head[2:4] in (b"\0\1", b"\0\2", b"\1\1", b"\1\2"):
        return "SGI"
    if head[:1] == b"\n" and head[1:2] in b"\0\2\3\4\5" and head[2:3] == b"\1" and head[3:4] in b"\1\2\4\10":
        return "PCX"
    return None


def kind_of_file(path: str | os.PathLike[str]) -> str | None:
    """`kind_of` a file; None also where it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a string stays a string
            return kind_of(file.read(HEAD))
    except (OSError, ValueError):
        return None


# Pages of TIFF --------------------------------------------------------------------------------------------------------

_TIFF_SUBFILE, _TIFF_WIDTH, _TIFF_HEIGHT = 254, 256, 257
# What is needed to find and decode pixels; all other tags describe the photo, the camera or the print.
_TIFF_NEEDED = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 338,
     339, 340, 341, 347, 512, 513, 514, 515, 519, 520, 521, 529, 530, 531, 532}
)  # fmt: skip


def _directories(file: BinaryIO) -> Iterator[tuple[str, list[tuple[int, int, bytes]]]]:
    """The image directories of a TIFF: byte order ("<" or ">") and the entries (place in the file, tag, bytes)."""
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    # The size of an entry; how its number of entries and the next directory's place are written.
    size, count_format, next_format = (20, "Q", "Q") if big else (12, "H", "I")
    end = file.seek(0, io.SEEK_END)
    place = struct.unpack_from(order + next_format, head, 8 if big else 4)[0] if len(head) == 16 else 0
    seen: set[int] = set()
    while 0 < place < end and place not in seen:
        seen.add(place)
        file.seek(place)
        raw = file.read(struct.calcsize(count_format))
        if len(raw) < struct.calcsize(count_format):
            return
        count = struct.unpack(order + count_format, raw)[0]
        start = place + len(raw)
        if count == 0 or start + count * size > end:
            return
        block = file.read(count * size)
        tags = struct.Struct(order + "H")
        yield (
            order,
            [(start + i, tags.unpack_from(block, i)[0], block[i : i + size]) for i in range(0, len(block), size)],
        )
        following = file.read(struct.calcsize(next_format))
        whole = len(following) == struct.calcsize(next_format)
        place = struct.unpack(order + next_format, following)[0] if whole else 0


def tiff_pages(file: BinaryIO) -> list[int]:
    """Which of a TIFF's images are pages, by their numbers from 0: not those that are previews or masks of others.

    At least one, also in a damaged file: opening it says what is wrong.
    """
    pages = []
    try:
        for number, (order, entries) in enumerate(_directories(file)):
            tags = {tag: entry for _, tag, entry in entries}
            if not {_TIFF_WIDTH, _TIFF_HEIGHT} <= tags.keys():
                continue
            subfile = tags.get(_TIFF_SUBFILE)
            # NewSubfileType: bit 0 a reduced image, bit 2 a transparency mask.
            flags = 0 if subfile is None else _small_number(subfile, order)
            if not flags & 0b101:
                pages.append(number)
    except (OSError, struct.error, OverflowError):
        pass
    return pages or [0]


def _small_number(entry: bytes, order: str) -> int:
    value = entry[12:] if len(entry) == 20 else entry[8:]
    short = struct.unpack_from(order + "H", entry, 2)[0] == 3
    return int(struct.unpack_from(order + ("H" if short else "I"), value)[0])


# Without metadata -----------------------------------------------------------------------------------------------------


def without_metadata(data: bytes, kind: str | None) -> bytes | None:
    """The file with its pixels and without comments, profiles, EXIF and previews; None where that cannot be done.

    A photo whose metadata stop a decoder can be opened so.
    """
    try:
        if kind == "PNG":
            return _plain_png(data)
        if kind == "JPEG":
            return _plain_jpeg(data)
        if kind == "WEBP":
            return _plain_webp(data)
        if kind == "TIFF":
            return _plain_tiff(data)
        if kind in ("AVIF", "HEIF"):
            return _blank_exif(data)
    except (struct.error, IndexError, ValueError, OverflowError):
        pass
    return None


def exif_block(data: bytes, kind: str | None) -> bytes | None:
    """The TIFF structure that holds a file's EXIF, without the mark before it; None when there is none."""
    block: bytes | None = None
    try:
        if kind == "JPEG":
            found = (body for marker, body in _jpeg_segments(data) if marker == 0xE1 and body[4:10] == b"Exif\0\0")
            block = next((body[10:] for body in found), None)
        elif kind == "PNG":
            block = next((body for name, body in _png_chunks(data) if name == b"eXIf"), None)
        elif kind == "WEBP":
            block = next((body for name, body in _riff_chunks(data) if name == b"EXIF"), None)
        elif kind in ("AVIF", "HEIF"):
            match = _EXIF_HEADER.search(data)
            block = data[match.start() :] if match else None
    except (struct.error, IndexError, ValueError):
        return None
    return block.removeprefix(b"Exif\0\0") if block is not None else None


_PNG_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place + 8 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        name = data[place + 4 : place + 8]
        yield name, data[place + 8 : place + 8 + size]
        if name == b"IEND":
            return
        place += 12 + size


def _plain_png(data: bytes) -> bytes:
    parts = [data[:8]]
    for name, body in _png_chunks(data):
        if name in _PNG_NEEDED:
            parts += [struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(name + body))]
    return b"".join(parts)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, the segment with its marker and length) up to the first scan, which comes with all that follows it."""
    place = 2
    while True:
        if data[place] != 0xFF:
            raise ValueError("no marker")
        while data[place + 1] == 0xFF:  # fill bytes
            place += 1
        marker = data[place + 1]
        if marker == 0xDA:
            yield marker, data[place:]
            return
        size = 0 if marker == 0x01 or 0xD0 <= marker <= 0xD7 else int.from_bytes(data[place + 2 : place + 4], "big")
        yield marker, data[place : place + 2 + size]
        place += 2 + size


_JPEG_MARKER = re.compile(rb"\xff[^\0\xff\xd0-\xd7]")  # one that stands in no scan


def is_whole_jpeg(data: bytes) -> bool:
    """Whether the segments of a JPEG file follow one another up to the mark of its end."""
    place = 2
    try:
        for marker, body in _jpeg_segments(data):
            if marker == 0xDA:
                break
            place += len(body)
        while data[place + 1] != 0xD9:
            if data[place + 1] not in _BETWEEN_SCANS:
                return False
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
            found = _JPEG_MARKER.search(data, place)
            if found is None:
                return False
            place = found.start()
    except (IndexError, ValueError):
        return False
    return True


# Scans, and what may stand between two of them: tables, restart intervals, numbers of lines, comments, applications.
_BETWEEN_SCANS = frozenset({0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})


def _plain_jpeg(data: bytes) -> bytes:
    # APP0 (JFIF) and APP14 (Adobe) say which colours the components are.
    kept = [s for m, s in _jpeg_segments(data) if not (0xE1 <= m <= 0xEF and m != 0xEE) and m != 0xFE]
    return data[:2] + b"".join(kept)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        yield data[place : place + 4], data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def _plain_webp(data: bytes) -> bytes:
    parts = []
    for name, body in _riff_chunks(data):
        if name in (b"EXIF", b"XMP ", b"ICCP"):
            continue
        if name == b"VP8X":
            body = bytes([body[0] & ~0b101100]) + body[1:]  # the flags of those three
        parts.append(name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2))
    content = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _plain_tiff(data: bytes) -> bytes:
    plain = bytearray(data)
    for order, entries in _directories(io.BytesIO(data)):
        for place, tag, entry in entries:
            if tag not in _TIFF_NEEDED:
                # A private tag of one byte: directories cannot lose entries without moving everything behind them.
                count = struct.pack(order + ("Q" if len(entry) == 20 else "I"), 1)
                blank = struct.pack(order + "HH", 65000, 1) + count
                plain[place : place + len(entry)] = blank + bytes(len(entry) - len(blank))
    return bytes(plain)


_EXIF_HEADER = re.compile(rb"II\*\0\x08\0\0\0|MM\0\*\0\0\0\x08")


def _blank_exif(data: bytes) -> bytes | None:
    """EXIF with no entries in it: its place and length in these containers must stay."""
    match = _EXIF_HEADER.search(data)
    if match is None:
        return None
    return data[: match.end()] + bytes(6) + data[match.end() + 6 :]
