"""Files are known by their first bytes, TIFF pages are counted, and pixels survive the loss of everything else."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from signboard.checks.damaged_files import seeds
from signboard.checks.odd_metadata import METADATA_KINDS
from signboard.image_files import HEAD, exif_block, kind_of, tiff_pages, without_metadata

SEEDS: dict[str, bytes] = seeds()
KINDS = {
    "jpg": "JPEG", "mpo": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF", "bmp": "BMP", "gif": "GIF", "ppm": "PPM",
    "pgm": "PPM", "ico": "ICO", "tga": None, "pcx": "PCX", "sgi": "SGI", "avif": "AVIF", "jp2": "JPEG2000",
    "heic": "HEIF",
}  # fmt: skip


@pytest.mark.parametrize("name", SEEDS)
def test_a_picture_is_known_by_its_first_bytes(name: str) -> None:
    assert kind_of(SEEDS[name][:HEAD]) == KINDS[name.rsplit(".", 1)[1]]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"hello, this is a text", b"BM is short for something", b"P1 is a parking place", b"P3\nnotes\n",
        b"%PDF-1.7\n", b"PK\3\4" + bytes(60), b"\0" * 64, b"{\"schema\":\"signboard/1\"}", b"RIFF\0\0\0\0WAVEfmt ",
        b"\0\0\0\x18ftypisom\0\0\0\0isomiso2avc1mp41" + bytes(30),
        b"<?xml version=\"1.0\"?><svg/>", b"ID3\4" + bytes(60),
        b"\n\n\n\n\n\n\n", b"\x7fELF" + bytes(60), "पुलिस थाना".encode(),
    ],
)  # fmt: skip
def test_other_files_are_no_pictures(data: bytes) -> None:
    assert kind_of(data[:HEAD]) is None


def tiff(*subfiles: int, order: str = "<", big: bool = False, last: int = 0) -> bytes:
    """A TIFF without pixels: a directory for each NewSubfileType, `last` as the link behind the last one."""
    size, count_format, link = (20, "Q", "Q") if big else (12, "H", "I")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    head += struct.pack(order + "HHQ", 8, 0, 16) if big else struct.pack(order + "I", 8)
    length = struct.calcsize(count_format) + 3 * size + struct.calcsize(link)
    data = head
    for number, subfile in enumerate(subfiles):
        data += struct.pack(order + count_format, 3)
        for tag, value in ((254, subfile), (256, 40), (257, 30)):
            data += struct.pack(order + "HH" + ("QI4x" if big else "II"), tag, 4, 1, value)
        following = len(head) + (number + 1) * length if number + 1 < len(subfiles) else last
        data += struct.pack(order + link, following)
    return data


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_pages_of_a_tiff(order: str, big: bool) -> None:
    def pages(*subfiles: int, last: int = 0) -> list[int]:
        return tiff_pages(io.BytesIO(tiff(*subfiles, order=order, big=big, last=last)))

    assert pages(0) == [0] and pages(2, 2, 2) == [0, 1, 2]
    # A preview before the photo, a mask behind it.
    assert pages(1, 0, 4, 0) == [1, 3]
    assert pages(1, 4) == [0]  # nothing else is there: the first one
    assert pages(0, 0, last=8) == [0, 1]  # a link back
    assert pages(0, 0, last=10**6) == [0, 1]  # a link to nowhere


def test_pages_of_damaged_tiffs() -> None:
    data = tiff(0, 0)
    for size in range(len(data)):
        assert tiff_pages(io.BytesIO(data[:size])) in ([0], [0, 1])
    assert len(tiff_pages(io.BytesIO(SEEDS["pages.tif"]))) == 3


@pytest.mark.parametrize("name", [name for name in SEEDS if KINDS[name.rsplit(".", 1)[1]] in METADATA_KINDS])
def test_without_metadata_the_pixels_stay(name: str) -> None:
    data = SEEDS[name]
    kind = kind_of(data[:HEAD])
    plain = without_metadata(data, kind)
    if plain is None:  # an AVIF without EXIF has nothing to take away
        assert kind == "AVIF"
        return
    before, after = (Image.open(io.BytesIO(d)) for d in (data, plain))
    stored = before.getexif().get(0x0112, 1)
    assert after.getexif().get(0x010F) is None and "icc_profile" not in after.info and "Comment" not in after.info
    if kind == "TIFF" and stored == 6:  # which Pillow turns while it loads it; the orientation is part of the layout
        assert after.getexif().get(0x0112) == 6
    assert (np.asarray(before) == np.asarray(after)).all()


@pytest.mark.parametrize("kind", METADATA_KINDS)
def test_without_metadata_of_rubbish_is_none_or_bytes(kind: str) -> None:
    for data in (b"", b"\xff\xd8", bytes(100), b"\xff\xd8\xff\xe1\xff\xff", SEEDS["rgb.png"][:40]):
        assert isinstance(without_metadata(data, kind), bytes | None)
        exif_block(data, kind)


@pytest.mark.parametrize("name", ["baseline.jpg", "rgb.png", "lossy.webp", "plain.avif"])
def test_the_exif_of_a_file(name: str) -> None:
    if name not in SEEDS:
        pytest.skip("this Pillow writes no such file")
    block = exif_block(SEEDS[name], kind_of(SEEDS[name][:HEAD]))
    assert block is not None
    exif = Image.Exif()
    exif.load(block)
    # AVIF turns by a mark of its own.
    assert exif[0x010F] == "Maker" and (exif.get(0x0112) == 6 or name == "plain.avif")
