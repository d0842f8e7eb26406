"""Opens damaged photos of many formats: each must give a photo or one clear error, in bounded time and memory.

    python scripts/fuzz_photos.py --count 100000 --seed 1

Two kinds take turns: files whose bytes were changed at random, and whole pictures with metadata of every type in every
tag, which must always be read. What goes wrong is written to a folder, with the seed that makes it again. A crash or a
hang of a decoder ends a process of its own, not this one.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import io
import json
import random
import resource
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from signboard.errors import PhotoError
from signboard.output.jsonl import dumps
from signboard.photo import Page, load_photo
from signboard.reading import Reading

_SIDE = (96, 64)
_MOST_SECONDS = 20.0  # for one small file


def picture() -> Image.Image:
    """A small sign: blue above, white below, with some letters."""
    image = Image.new("RGB", _SIDE, (20, 60, 160))
    image.paste((240, 240, 235), (0, _SIDE[1] // 2, *_SIDE))
    ImageDraw.Draw(image).text((8, 8), "EXIT 14", fill=(255, 255, 255))
    return image


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    # Copies: Pillow leaves traces of one format's options on an image, which another format stumbles over.
    if "append_images" in options:
        options["append_images"] = [frame.copy() for frame in options["append_images"]]
    image.copy().save(buffer, kind, **options)
    return buffer.getvalue()


def seeds() -> dict[str, bytes]:
    """A sound file of each format, by a name with the format's ending."""
    Image.init()
    image = picture()
    clear = image.convert("RGBA")
    clear.putalpha(128)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (28.0, 36.0, 50.0), 3: "E", 4: (77.0, 12.0, 32.0), 7: (6.0, 7.0, 8.0)})
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a sign " * 20, zip=True)
    frames = [image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    files = {
        "baseline.jpg": _encoded(image, "JPEG", exif=exif),
        "progressive.jpg": _encoded(image, "JPEG", progressive=True, icc_profile=bytes(range(200))),
        "cmyk.jpg": _encoded(image.convert("CMYK"), "JPEG"),
        "pair.mpo": _encoded(image, "MPO", save_all=True, append_images=frames[1:]),
        "rgb.png": _encoded(image, "PNG", pnginfo=text, exif=exif),
        "palette.png": _encoded(image.quantize(16), "PNG", transparency=3),
        "animated.png": _encoded(clear, "PNG", save_all=True, append_images=[clear]),
        "grey16.png": _encoded(Image.fromarray(grey), "PNG"),
        "lossy.webp": _encoded(image, "WEBP", exif=exif),
        "lossless.webp": _encoded(clear, "WEBP", lossless=True),
        "animated.webp": _encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "plain.tif": _encoded(image, "TIFF", exif=exif),
        "deflate.tif": _encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        "pages.tif": _encoded(image, "TIFF", save_all=True, append_images=frames, compression="tiff_lzw"),
        "rgb.bmp": _encoded(image, "BMP"),
        "palette.bmp": _encoded(image.quantize(16), "BMP"),
        "animated.gif": _encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "binary.ppm": _encoded(image, "PPM"),
        "grey.pgm": _encoded(image.convert("L"), "PPM"),
        "icon.ico": _encoded(image, "ICO", sizes=[(48, 32), (24, 16)]),
        "plain.tga": _encoded(image, "TGA"),
        "packed.tga": _encoded(image, "TGA", compression="tga_rle"),
        "plain.pcx": _encoded(image, "PCX"),
        "plain.sgi": _encoded(image, "SGI"),
    }
    if "AVIF" in Image.SAVE:
        files["plain.avif"] = _encoded(image, "AVIF", exif=exif)
    if "JPEG2000" in Image.SAVE:
        files["plain.jp2"] = _encoded(image, "JPEG2000")
    try:
        import pillow_heif
    except ImportError:
        pass
    else:
        buffer = io.BytesIO()
        pillow_heif.from_pillow(image.resize((192, 128))).save(buffer)
        files["plain.heic"] = buffer.getvalue()
    return files


_ODD = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xd9")


def mutated(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A few changes at random: bits, extreme numbers, parts that are missing, doubled, emptied or from another file."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if len(result) < 4:
            break
        # Headers are where most depends on a byte.
        place = rng.randrange(min(len(result), 400)) if rng.random() < 0.5 else rng.randrange(len(result))
        length = rng.choice((1, 2, 4, 16, 200))
        how = rng.randrange(7)
        if how == 0:
            result[place] ^= 1 << rng.randrange(8)
        elif how == 1:
            odd = rng.choice(_ODD)
            result[place : place + len(odd)] = odd
        elif how == 2:
            del result[place : place + length]
        elif how == 3:
            result[place:place] = result[place : place + length]
        elif how == 4:
            result[place : place + length] = bytes(min(length, len(result) - place))
        elif how == 5:
            start = rng.randrange(len(other))
            result[place : place + length] = other[start : start + length]
        else:
            del result[place:]
    return bytes(result)


# Metadata of every type -----------------------------------------------------------------------------------------------

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


def _png_chunk(name: bytes, body: bytes, crc: int | None = None) -> bytes:
    import zlib

    right = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", right if crc is None else crc)


def with_metadata(kind: str, block: bytes, rng: random.Random) -> bytes:
    """A sound picture of one of `METADATA_KINDS` with these metadata, and other odd ones around them."""
    image = picture()
    if kind == "JPEG":
        data = _encoded(image, "JPEG", quality=95)
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
        data = _encoded(image, "PNG")
        odd = [
            _png_chunk(b"tEXt", b"Comment\0" + rng.randbytes(30), crc=rng.randrange(1 << 32)),
            _png_chunk(b"zTXt", b"Comment\0\0" + rng.randbytes(30)),
            _png_chunk(b"iCCP", b"profile\0\0" + rng.randbytes(30)),
            _png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + rng.randbytes(30)),
            _png_chunk(b"pHYs", rng.randbytes(rng.randrange(12))),
            _png_chunk(b"gAMA", rng.randbytes(rng.randrange(6))),
            _png_chunk(b"cHRM", rng.randbytes(rng.randrange(40))),
        ]
        return data[:33] + _png_chunk(b"eXIf", block) + b"".join(rng.sample(odd, rng.randrange(4))) + data[33:]
    if kind == "TIFF":
        # The photo's own tables with some of these entries among them: a TIFF's metadata stand beside its layout.
        data = _encoded(image, "TIFF")
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
        data = _encoded(image, "AVIF", quality=95, exif=sound)
        place = data.index(sound.tobytes()[6:14])
        return data[:place] + block[:4000] + data[place + len(block[:4000]) :]
    return _encoded(image, kind, quality=95, exif=b"Exif\0\0" + block)


# Checks ---------------------------------------------------------------------------------------------------------------


def check(data: bytes, name: str, *, must_read: bool = False, page: int | None = None) -> str:
    """Opens `data` and checks what comes: "read", or the first words of the error.

    Raises:
        AssertionError: neither a sound photo nor one clear line.
    """
    try:
        photo = load_photo(data, name=name, decode_side=64)
    except PhotoError as error:
        message = str(error)
        assert message.startswith(name) and "\n" not in message and message.isprintable(), message
        assert not must_read, f"not read: {message}"
        return message.removeprefix(f"{name}: ").split(",")[0][:40]
    height, width = photo.pixels.shape[:2]
    assert photo.pixels.dtype == np.uint8 and photo.pixels.shape[2] == 3 and min(height, width) >= 1
    assert abs(width - photo.width * photo.scale) <= 1 and abs(height - photo.height * photo.scale) <= 1
    gps = photo.metadata.get("gps")
    if gps is not None:
        assert -90 <= gps["latitude"] <= 90 and -180 <= gps["longitude"] <= 180
        assert 0 <= gps.get("bearing", 0) < 360
    row = dumps(Reading(name, photo.width, photo.height, metadata=photo.metadata), position=True)
    assert json.loads(row)["metadata"] == photo.metadata
    if must_read:
        assert sorted((width, height)) == sorted(_SIDE)
        flat = photo.pixels.reshape(-1, 3).astype(int)
        blue, white = (np.abs(flat - color).max(axis=1) < 40 for color in ((20, 60, 160), (240, 240, 235)))
        assert blue.mean() > 0.3 and white.mean() > 0.4, "other pixels than were saved"
    return "read"


METADATA_KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")


def cases(seed: int, count: int, formats: dict[str, bytes]) -> Iterator[tuple[str, bytes, bool]]:
    """(name, file, whether it must be read) of `count` cases, always the same for a seed."""
    rng = random.Random(seed)
    names = list(formats)
    kinds = [kind for kind in METADATA_KINDS if kind in Image.SAVE]
    for number in range(count):
        if number % 2:
            kind = kinds[number // 2 % len(kinds)]
            yield f"metadata.{kind.lower()}", with_metadata(kind, exif_block(rng), rng), True
        else:
            name = names[number // 2 % len(names)]
            yield name, mutated(formats[name], rng, formats[rng.choice(names)]), False


def _chunk(seed: int, count: int, folder: Path) -> None:
    """Checks some cases in this process. What is being opened lies in a file, for the case that this process dies."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    outcomes: collections.Counter[str] = collections.Counter()
    bad = 0
    now = folder / f"now-{seed}"
    for number, (name, data, must_read) in enumerate(cases(seed, count, seeds())):
        now.write_bytes(data)
        faulthandler.dump_traceback_later(_MOST_SECONDS, exit=True)
        try:
            outcomes[
                "whole pictures read" if (found := check(data, name, must_read=must_read)) and must_read else found
            ] += 1
        except Exception as error:
            bad += 1
            (folder / f"seed{seed}-{number}-{name}").write_bytes(data)
            print(f"seed {seed}, case {number}, {name}: {type(error).__name__}: {error}", file=sys.stderr)
        if must_read is False and name.endswith(".tif"):
            # Pages behind the first one, too; a file in memory has no pages of its own.
            page_file = folder / f"page-{seed}.tif"
            page_file.write_bytes(data)
            with contextlib.suppress(PhotoError):
                load_photo(Page(str(page_file), 2))
        faulthandler.cancel_dump_traceback_later()
    now.unlink(missing_ok=True)
    (folder / f"page-{seed}.tif").unlink(missing_ok=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"outcomes": outcomes, "bad": bad, "memory": memory}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="cases in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chunk", type=int, default=2000, help="cases of one process")
    parser.add_argument("--folder", type=Path, default=Path("runs/fuzz"), help="where files that fail go")
    parser.add_argument("--here", action="store_true", help="check --count cases in this process")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.here:
        _chunk(args.seed, args.count, args.folder)
        return
    outcomes: collections.Counter[str] = collections.Counter()
    bad = died = 0
    memory = 0
    begin = time.monotonic()
    for index, start in enumerate(range(0, args.count, args.chunk)):
        size = min(args.chunk, args.count - start)
        seed = args.seed * 1_000_003 + index
        command = [sys.executable, __file__, "--here", "--seed", str(seed), "--count", str(size)]
        done = subprocess.run([*command, "--folder", str(args.folder)], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            died += 1
            print(f"seed {seed}: died ({done.returncode}); the file is {args.folder}/now-{seed}", file=sys.stderr)
            continue
        result = json.loads(done.stdout.splitlines()[-1])
        outcomes.update(result["outcomes"])
        bad += result["bad"]
        memory = max(memory, result["memory"])
        print(f"{start + size} of {args.count}, {bad} bad, {died} died", file=sys.stderr)
    for outcome, number in outcomes.most_common(30):
        print(f"{number:8}  {outcome}")
    seconds = time.monotonic() - begin
    print(f"{args.count} cases in {seconds:.0f} s, {bad} bad, {died} died, {memory / 1024:.0f} MB at most")
    sys.exit(1 if bad or died else 0)


if __name__ == "__main__":
    main()
