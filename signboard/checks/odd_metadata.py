"""Sound pictures with metadata of every type in every tag, which must not cost the picture."""

from __future__ import annotations

import random
import struct
import zlib

from PIL import Image

from signboard.checks.damaged_files import encoded, picture

METADATA_KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")

_TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8}
_MAIN_TAGS = (0x0100, 0x0101, 0x010E, 0x010F, 0x0110, 0x0112, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x0213,
              0x02BC, 0x83BB, 0x8298, 0x8773, 0x9C9B, 0xC4A5)  # fmt: skip
_EXIF_TAGS = (0x829A, 0x9000, 0x9003, 0x9004, 0x9010, 0x9011, 0x927C, 0x9286, 0x9290, 0x9291, 0xA002, 0xA003, 0xA005)
_GPS_TAGS = tuple(range(0, 32))


def _entry(tag: int, rng: random.Random) -> tuple[int, int, int, bytes]:
    kind = rng.choice(list(_TYPES))
    count = rng.choice((0, 1, 1, 2, 3, 3, 3, 4, 11, 20))
    size = _TYPES[kind] * count
    fill = rng.randrange(5)
    if fill == 0:
        value = bytes(size)
    elif fill == 1:
        value = b"\xff" * size
    elif fill == 2:
        value = (b"2024:03:09 11:37:08\0" * (size // 20 + 1))[:size]
    elif fill == 3:
        value = bytes(rng.randrange(256) for _ in range(size))
    else:
        value = (struct.pack("<I", rng.choice((1, 2, 6, 8, 45, 3600))) * (size // 4 + 1))[:size]
    return tag, kind, count if rng.random() < 0.97 else rng.choice((0, 1000, 0xFFFFFFFF)), value


def exif_block(rng: random.Random) -> bytes:
    """EXIF with tags of types and values at random, in three tables, little-endian."""
    tables = [
        [_entry(tag, rng) for tag in sorted(rng.sample(tags, rng.randrange(1, 6)))]
        for tags in (_MAIN_TAGS, _EXIF_TAGS, _GPS_TAGS)
    ]
    return tiff_tables(tables, rng)


def tiff_tables(tables: list[list[tuple[int, int, int, bytes]]], rng: random.Random | None = None) -> bytes:
    """A TIFF structure of three tables (main, Exif, GPS), entries (tag, type, count, value); little-endian.

    With `rng`, the places of the other two in the main one are wrong now and then.
    """
    main, details, gps = tables
    sizes = [2 + 12 * (len(main) + 2) + 4, 2 + 12 * len(details) + 4, 2 + 12 * len(gps) + 4]
    starts = [8, 8 + sizes[0], 8 + sizes[0] + sizes[1]]

    def link(tag: int, start: int) -> tuple[int, int, int, bytes]:
        if rng is not None and rng.random() < 0.1:
            return _entry(tag, rng)
        return tag, 4, 1, struct.pack("<I", start)

    main = sorted([*main, link(0x8769, starts[1]), link(0x8825, starts[2])])
    after = starts[2] + sizes[2]
    body, extra = b"", b""
    for entries in (main, details, gps):
        body += struct.pack("<H", len(entries))
        for tag, kind, count, value in entries:
            if len(value) > 4:
                place = struct.pack("<I", after + len(extra))
                extra += value
            else:
                place = value.ljust(4, b"\0")
            body += struct.pack("<HHI", tag, kind, count) + place
        body += bytes(4)
    return b"II*\0\x08\0\0\0" + body + extra


def png_chunk(name: bytes, body: bytes, crc: int | None = None) -> bytes:
    """A chunk of a PNG file, with its own checksum or another one."""
    right = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", right if crc is None else crc)


def with_metadata(kind: str, block: bytes, rng: random.Random) -> bytes:
    """A sound picture of one of `METADATA_KINDS` with these metadata, and other odd ones around them."""
    image = picture()
    if kind == "JPEG":
        data = encoded(image, "JPEG", quality=95)
        odd = [
            b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block,
            b"\xff\xed" + struct.pack(">H", 40) + b"Photoshop 3.0\x008BIM" + rng.randbytes(20),
            b"\xff\xe2" + struct.pack(">H", 26) + b"ICC_PROFILE\0\1\1" + rng.randbytes(10),
            b"\xff\xe2" + struct.pack(">H", 26) + b"MPF\0" + rng.randbytes(20),
            b"\xff\xee" + struct.pack(">H", 8) + b"Adob" + rng.randbytes(2),
            b"\xff\xe1" + struct.pack(">H", 60) + b"http://ns.adobe.com/xap/1.0/\0" + rng.randbytes(29),
        ]
        return data[:2] + odd[0] + b"".join(rng.sample(odd[1:], rng.randrange(3))) + data[2:]
    if kind == "PNG":
        data = encoded(image, "PNG")
        odd = [
            png_chunk(b"tEXt", b"Comment\0" + rng.randbytes(30), crc=rng.randrange(1 << 32)),
            png_chunk(b"zTXt", b"Comment\0\0" + rng.randbytes(30)),
            png_chunk(b"iCCP", b"profile\0\0" + rng.randbytes(30)),
            png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + rng.randbytes(30)),
            png_chunk(b"pHYs", rng.randbytes(rng.randrange(12))),
            png_chunk(b"gAMA", rng.randbytes(rng.randrange(6))),
            png_chunk(b"cHRM", rng.randbytes(rng.randrange(40))),
        ]
        return data[:33] + png_chunk(b"eXIf", block) + b"".join(rng.sample(odd, rng.randrange(4))) + data[33:]
    if kind == "TIFF":
        # The photo's own tables with some of these entries among them: a TIFF's metadata stand beside its layout.
        data = encoded(image, "TIFF")
        place = struct.unpack_from("<I", data, 4)[0]
        count = struct.unpack_from("<H", data, place)[0]
        entries = [data[place + 2 + 12 * i : place + 14 + 12 * i] for i in range(count)]
        used = {struct.unpack_from("<H", entry)[0] for entry in entries}
        extra = b""
        start = len(data) + 2 + 12 * (count + 8) + 4
        for tag in rng.sample(_MAIN_TAGS, 5):
            if tag in used:
                continue
            _, kind_number, number, value = _entry(tag, rng)
            value = value[:100]
            number = len(value) // _TYPES[kind_number]
            where = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", start + len(extra))
            extra += value if len(value) > 4 else b""
            entries.append(struct.pack("<HHI", tag, kind_number, number) + where)
        entries.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
        table = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
        table += bytes(start - len(data) - len(table))
        return data[:4] + struct.pack("<I", len(data)) + data[8:] + table + extra
    if kind == "AVIF":
        # Pillow's encoder reads what it writes: the block takes the place of a sound one of the same length.
        sound = Image.Exif()
        sound[0x010E] = "x" * 4000
        data = encoded(image, "AVIF", quality=95, exif=sound)
        place = data.index(sound.tobytes()[6:14])
        return data[:place] + block[:4000] + data[place + len(block[:4000]) :]
    return encoded(image, kind, quality=95, exif=b"Exif\0\0" + block)


__all__ = ["METADATA_KINDS", "exif_block", "png_chunk", "tiff_tables", "with_metadata"]
