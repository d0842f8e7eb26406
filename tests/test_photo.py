"""Photos of every kind come out upright and right in colour; every bad file gives one clear line."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps
from PIL.TiffImagePlugin import IFDRational

from signboard.checks.damaged_files import seeds
from signboard.checks.odd_metadata import png_chunk, tiff_tables
from signboard.commands.inputs import SUFFIXES
from signboard.errors import PhotoError
from signboard.image_files import is_whole_jpeg
from signboard.photo import HEIC_HELP, MAX_PIXELS, Page, load_photo, printable

RED, GREEN, BLUE, GREY = (200, 30, 20), (20, 180, 40), (10, 30, 210), (128, 128, 128)


def quarters(width: int = 40, height: int = 24) -> Image.Image:
    """Red, green over blue, grey."""
    image = Image.new("RGB", (width, height))
    for index, color in enumerate((RED, GREEN, BLUE, GREY)):
        x, y = (index % 2) * width // 2, (index // 2) * height // 2
        image.paste(color, (x, y, x + width // 2, y + height // 2))
    return image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def centers(pixels: np.ndarray) -> list[tuple[int, ...]]:
    height, width = pixels.shape[:2]
    return [tuple(map(int, pixels[y, x])) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]


def near(found: list[tuple[int, ...]], wanted: list[tuple[int, ...]], tolerance: int = 6) -> bool:
    return bool(np.abs(np.array(found) - np.array(wanted)).max() <= tolerance)


def header_of_png(width: int, height: int) -> bytes:
    """A PNG that says its size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"quality": 95}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("BMP", {}), ("GIF", {})],
)
def test_formats_and_sources_agree(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    data = encoded(quarters(), kind, **options)
    path = tmp_path / f"तस्वीर.{kind.lower()}"
    path.write_bytes(data)
    photos = [load_photo(str(path)), load_photo(path), load_photo(data), load_photo(Image.open(path))]
    for photo in photos:
        assert photo.pixels.dtype == np.uint8 and photo.pixels.shape == (24, 40, 3) and photo.pixels.flags.writeable
        assert (photo.width, photo.height, photo.scale) == (40, 24, 1.0)
        assert near(centers(photo.pixels), [RED, GREEN, BLUE, GREY])
    assert photos[0].source == str(path) and photos[2].source == ""


# What the camera stores so that the upright picture is `quarters()`.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("how", ["path", "bytes", "pillow"])
def test_every_exif_orientation_comes_out_upright(orientation: int, how: str, tmp_path: Path) -> None:
    stored = quarters().transpose(STORED[orientation]) if orientation > 1 else quarters()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(stored, "JPEG", quality=95, exif=exif)
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    photo = load_photo({"path": path, "bytes": data, "pillow": Image.open(path)}[how])
    assert (photo.width, photo.height) == (40, 24) == photo.pixels.shape[1::-1]
    assert near(centers(photo.pixels), [RED, GREEN, BLUE, GREY], 12)


def test_cmyk_jpeg() -> None:
    photo = load_photo(encoded(quarters().convert("CMYK"), "JPEG", quality=95))
    assert near(centers(photo.pixels), [RED, GREEN, BLUE, GREY], 12)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    values = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8).repeat(4, 0).repeat(4, 1)
    photo = load_photo(encoded(Image.fromarray(values), kind))
    expected = np.rint(values / 257)
    assert np.abs(photo.pixels[:, :, 0] - expected).max() <= 1
    assert (photo.pixels == photo.pixels[:, :, :1]).all()


def test_32_bit_and_float_grey_keep_their_range() -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    for image in (Image.fromarray(ramp), Image.fromarray((ramp * 60000).astype(np.int32)), Image.fromarray(ramp * 9e5)):
        pixels = load_photo(encoded(image, "TIFF")).pixels
        assert pixels.min() == 0 and pixels.max() >= 230
        assert (np.diff(pixels[:, :, 0].reshape(-1).astype(int)) >= 0).all()
    holes = ramp.copy()
    holes[3, 3] = np.nan
    assert load_photo(Image.fromarray(holes)).pixels.max() == 255


def test_transparency_is_laid_on_white() -> None:
    rgba = quarters().convert("RGBA")
    rgba.paste((0, 0, 0, 0), (0, 0, 20, 12))
    assert centers(load_photo(encoded(rgba, "PNG")).pixels)[0] == (255, 255, 255)
    half = Image.new("RGBA", (16, 16), (0, 0, 0, 128))
    assert abs(int(load_photo(half).pixels[8, 8, 0]) - 127) <= 1
    assert centers(load_photo(rgba.convert("LA")).pixels)[0] == (255, 255, 255)


def lettered(*inks: tuple[int, int, int]) -> Image.Image:
    """Strokes of these colours on transparency."""
    rgba = Image.new("RGBA", (120, 40), (0, 0, 0, 0))
    for number in range(8):
        rgba.paste((*inks[number % len(inks)], 255), (10 + 12 * number, 8, 15 + 12 * number, 32))
    return rgba


def binary_16_bit_grey() -> bytes:
    """A PNG of 16-bit grey, white strokes, whose black is said to be transparent."""
    values = np.asarray(lettered((255, 255, 255)).convert("L")).astype(np.uint16) * 257
    return encoded(Image.fromarray(values), "PNG", transparency=0)


WHITE_TEXT = {
    "RGBA": lambda: encoded(lettered((255, 255, 255)), "PNG"),
    "LA": lambda: encoded(lettered((255, 255, 255)).convert("LA"), "PNG"),
    "PA": lambda: encoded(lettered((255, 255, 255)).convert("P").convert("PA"), "TIFF"),
    "palette": lambda: encoded(lettered((255, 255, 255)).quantize(4), "PNG"),
    "gif": lambda: encoded(lettered((255, 255, 255)), "GIF"),
    "webp": lambda: encoded(lettered((255, 255, 255)), "WEBP", lossless=True),
    "grey with a clear value": lambda: encoded(lettered((255, 255, 255)).convert("L"), "PNG", transparency=0),
    "colours with a clear one": lambda: encoded(
        lettered((255, 255, 255)).convert("RGB"), "PNG", transparency=(0, 0, 0)
    ),
    "16 bits": binary_16_bit_grey,
}


@pytest.mark.parametrize("kind", WHITE_TEXT)
def test_white_text_on_transparency_can_be_read(kind: str) -> None:
    pixels = load_photo(WHITE_TEXT[kind]()).pixels
    assert (pixels[2, 2] == 0).all() and (pixels[20, 12] == 255).all()


@pytest.mark.parametrize(
    ("inks", "ground"),
    [
        ([(0, 0, 0)], 255),
        ([(120, 20, 30)], 255),
        ([(128, 128, 128)], 255),
        ([(255, 255, 0)], 0),
        ([(220, 220, 220)], 0),
        ([(255, 255, 255), (0, 0, 0)], 128),
    ],
)
def test_the_ground_is_what_the_text_stands_out_from(inks: list[tuple[int, int, int]], ground: int) -> None:
    for source in (lettered(*inks), np.array(lettered(*inks)), encoded(lettered(*inks), "PNG")):
        assert (load_photo(source).pixels[2, 2] == ground).all()


def test_what_lies_inside_a_board_does_not_choose_the_ground() -> None:
    board = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    board.paste((10, 40, 90, 255), (20, 10, 180, 90))
    board.paste((255, 255, 255, 255), (40, 30, 160, 70))
    assert (load_photo(board).pixels[2, 2] == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "YCbCr", "HSV", "LAB", "I", "F", "RGBX", "PA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    source = quarters().convert("P").convert("PA") if mode == "PA" else _mode(mode)
    assert load_photo(source).pixels.shape == (24, 40, 3)


def _mode(mode: str) -> Image.Image:
    return Image.new("LAB", (40, 24)) if mode == "LAB" else quarters().convert(mode)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_gives_its_first_frame_and_says_so(kind: str) -> None:
    if kind not in Image.SAVE_ALL:
        pytest.skip("this Pillow writes no such file")
    frames = [Image.new("RGB", (16, 16), color) for color in (RED, GREEN, BLUE)]
    data = encoded(frames[0], kind, save_all=True, append_images=[frame.copy() for frame in frames[1:]])
    photo = load_photo(data)
    assert near([tuple(map(int, photo.pixels[8, 8]))], [RED])
    assert photo.warnings == ("only the first frame was read: the animation has 3",)
    assert load_photo(encoded(frames[1], kind)).warnings == ()


def test_a_pair_of_pictures_is_its_first_one() -> None:
    """MPO: what follows are previews, views from beside or brightness maps of the same photo."""
    image = quarters(320, 192)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    data = encoded(image.rotate(180), "MPO", save_all=True, append_images=[Image.new("RGB", (320, 192))], exif=exif)
    for more in (b"", b"trailing bytes of a phone's own" * 50, data):
        photo = load_photo(data + more)
        assert near(centers(photo.pixels), [RED, GREEN, BLUE, GREY], 12) and photo.warnings == ()


# Pages ----------------------------------------------------------------------------------------------------------------


def pages(*colors: tuple[int, int, int], **options: Any) -> bytes:
    first, *others = [Image.new("RGB", (40 + 8 * number, 24), color) for number, color in enumerate(colors)]
    return encoded(first, "TIFF", save_all=True, append_images=others, **options)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg"])
def test_each_page_of_a_tiff(compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    path.write_bytes(pages(RED, GREEN, BLUE, compression=compression))
    for number, color in enumerate((RED, GREEN, BLUE), start=1):
        photo = load_photo(Page(str(path), number))
        assert near([tuple(map(int, photo.pixels[8, 8]))], [color]) and photo.width == 32 + 8 * number
        assert (photo.source, photo.page, photo.warnings) == (str(path), number, ())
    first = load_photo(path)
    assert first.width == 40 and first.page == 1
    assert first.warnings == ("only the first page was read: the file has 3",)
    with pytest.raises(PhotoError, match=r"pages\.tif: there is no page 4, the file has 3"):
        load_photo(Page(str(path), 4))
    path.write_bytes(pages(RED))
    assert load_photo(Page(str(path), 1)).warnings == ()
    with pytest.raises(PhotoError, match="there is no page 2, the file has one"):
        load_photo(Page(str(path), 2))


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    data = bytearray(pages(RED, GREEN, compression="tiff_adobe_deflate"))
    # The second page's pixels: deflate's own mark comes a second time.
    second = data.rindex(b"\x78\x9c")
    data[second : second + 12] = bytes(12)
    path = tmp_path / "pages.tif"
    path.write_bytes(data)
    assert load_photo(Page(str(path), 1)).page == 1
    with pytest.raises(PhotoError, match=r"pages\.tif, page 2: "):
        load_photo(Page(str(path), 2))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_tiff_is_upright_with_its_right_size(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = quarters().transpose(STORED[orientation]) if orientation > 1 else quarters()
    data = encoded(stored, "TIFF", exif=exif)
    for source in (data, Image.open(io.BytesIO(data))):
        photo = load_photo(source)
        assert near(centers(photo.pixels), [RED, GREEN, BLUE, GREY]) and (photo.width, photo.height) == (40, 24)


def test_arrays() -> None:
    rgb = np.array(quarters())
    assert (load_photo(rgb).pixels == rgb).all()
    assert (load_photo(rgb.astype(np.uint16) * 257).pixels == rgb).all()
    assert (load_photo(rgb / np.float32(255)).pixels == rgb).all()
    assert load_photo(rgb[:, :, 0]).pixels.shape == rgb.shape
    assert load_photo(rgb[:, :, 0] > 100).pixels.max() == 255
    clear = np.dstack([rgb, np.zeros(rgb.shape[:2], np.uint8)])
    assert (load_photo(clear).pixels == 255).all()
    turned = np.rot90(rgb)  # not contiguous
    assert load_photo(turned).pixels.flags.c_contiguous
    for bad in (rgb[None], rgb[:, :, :2], rgb.astype(np.int32), rgb * 2.0, np.full((20, 20), np.nan)):
        with pytest.raises(PhotoError):
            load_photo(bad)


def test_a_pillow_image_of_the_caller_stays_as_it_was() -> None:
    image = quarters().convert("RGBA")
    load_photo(image)
    assert image.mode == "RGBA" and image.getpixel((3, 3)) == (*RED, 255)


# Bad input: one line, with the name -----------------------------------------------------------------------------------


def bad_files() -> dict[str, tuple[bytes, str]]:
    jpeg = encoded(Image.effect_noise((200, 200), 90).convert("RGB"), "JPEG")
    png = encoded(Image.effect_noise((200, 200), 90).convert("RGB"), "PNG")
    return {
        "empty": (b"", "empty file"),
        "text": (b"this is no picture, whatever its name says\n" * 20, "not an image"),
        "zeros": (bytes(5000), "not an image"),
        "truncated jpeg": (jpeg[: len(jpeg) // 2], "truncated"),
        "header of jpeg": (jpeg[:30], "image"),
        "truncated png": (png[: len(png) // 2], "image"),
        "1x1": (encoded(Image.new("RGB", (1, 1)), "PNG"), "too small"),
        "7 high": (encoded(Image.new("RGB", (100, 7)), "PNG"), "too small"),
        "200 megapixels": (header_of_png(20_000, 10_000), "megapixels"),
        "160 megapixels": (header_of_png(16_000, 10_000), "megapixels"),
        "no pixels": (header_of_png(100, 100), "image"),
        "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n", "not an image"),
    }


@pytest.mark.parametrize("name", bad_files())
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bad_files_give_one_line_with_their_name(name: str, tmp_path: Path) -> None:
    data, words = bad_files()[name]
    path = tmp_path / f"{name}.jpg"
    path.write_bytes(data)
    with pytest.raises(PhotoError) as caught:
        load_photo(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and words in message and "\n" not in message


@pytest.mark.parametrize("name", seeds())
def test_every_format_is_read_and_half_of_it_is_one_line(name: str, tmp_path: Path) -> None:
    data = seeds()[name]
    path = tmp_path / name
    path.write_bytes(data)
    assert min(load_photo(path).pixels.shape[:2]) >= 32
    # The last bytes may be metadata or marks of the end; of half a file there is not enough.
    path.write_bytes(data[: len(data) // 3] if "animated" in name or name == "pair.mpo" else data[: len(data) // 2])
    if name in {"icon.ico", "pages.tif"}:
        return  # their first picture is whole in half of the file
    with pytest.raises(PhotoError) as caught:
        load_photo(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        SyntaxError("not a file"), struct.error("unpack"), RuntimeError("decoder"), zlib.error("stream"), EOFError(),
        OverflowError("too large"), AttributeError("no such"), KeyError(3), IndexError("range"), TypeError("none"),
        ValueError("tile"), RecursionError("depth"), MemoryError(), AssertionError(), ZeroDivisionError("by zero"),
        NotImplementedError("mode"), OSError(5, "Input/output error"), UnicodeDecodeError("ascii", b"x", 0, 1, "no"),
        LookupError("encoding"), Image.DecompressionBombError("bomb"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
@pytest.mark.parametrize("where", ["open", "load", "convert"])
def test_whatever_a_decoder_raises_is_this_photos_error(
    error: Exception, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    data = encoded(quarters().convert("CMYK"), "JPEG")
    if where == "open":
        monkeypatch.setattr(Image, "open", fail)
    else:
        monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile." + where, fail)
    with pytest.raises(PhotoError) as caught:
        load_photo(data, name="street.jpg")
    assert str(caught.value).startswith("street.jpg: ") and "\n" not in str(caught.value)


def test_the_size_limit_is_checked_before_decoding(tmp_path: Path) -> None:
    wide = Image.new("L", (4000, 1000))
    assert load_photo(encoded(wide, "PNG"), max_pixels=4_000_000).width == 4000
    with pytest.raises(PhotoError, match="4 megapixels, the limit is 3"):
        load_photo(encoded(wide, "PNG"), max_pixels=3_000_000)
    assert MAX_PIXELS < 200_000_000


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "gone.jpg", "no such file"),
        (tmp_path, "is a folder"),
        ("", "photo: its path is empty"),
        (tmp_path / ("x" * 300 + ".jpg"), "cannot be read"),
        ("a\0b.jpg", "cannot be read"),
    ):
        with pytest.raises(PhotoError, match=words) as caught:
            load_photo(path)
        assert "\n" not in str(caught.value) and "\0" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="not a regular file"):
        load_photo(tmp_path / "pipe.jpg")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    # Not with chmod: the tests may run as root, which may read everything.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(PhotoError, match="permission denied"):
        load_photo(path)


def test_other_types_are_refused() -> None:
    with pytest.raises(PhotoError, match="not int"):
        load_photo(3)  # type: ignore[arg-type]


def test_names_stay_on_one_line() -> None:
    assert printable("a\nb\x1b[31m.jpg") == "a\\nb\\x1b[31m.jpg"
    assert printable("फ़ोटो ग.jpg") == "फ़ोटो ग.jpg"
    printable(os.fsdecode(b"\xff.jpg")).encode("utf-8")


# HEIC -----------------------------------------------------------------------------------------------------------------


def test_heic_without_its_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    data = struct.pack(">I", 24) + b"ftypheic" + b"\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(PhotoError) as caught:
        load_photo(data, name="IMG_1.HEIC")
    assert str(caught.value) == f"IMG_1.HEIC: {HEIC_HELP}"


def test_heic_with_its_package() -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(quarters(320, 192)).save(buffer, quality=95)
    photo = load_photo(buffer.getvalue())
    assert (photo.width, photo.height) == (320, 192)
    assert near(centers(photo.pixels), [RED, GREEN, BLUE, GREY], 12)


# Reduced size ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "divisor"), [(2000, 1), (1000, 1), (600, 2), (400, 4), (200, 8), (50, 8)])
def test_huge_jpegs_are_decoded_smaller(side: int, divisor: int) -> None:
    image = quarters(1611, 1205)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo = load_photo(encoded(image.rotate(90, expand=True), "JPEG", quality=95, exif=exif), decode_side=side)
    assert (photo.width, photo.height) == (1611, 1205)
    assert photo.scale == 1 / divisor
    assert abs(photo.pixels.shape[1] - 1611 / divisor) < 1 and abs(photo.pixels.shape[0] - 1205 / divisor) < 1
    assert near(centers(photo.pixels), [RED, GREEN, BLUE, GREY], 12)


def test_other_formats_are_never_decoded_smaller() -> None:
    assert load_photo(encoded(quarters(800, 600), "PNG"), decode_side=100).scale == 1


# Metadata -------------------------------------------------------------------------------------------------------------


def with_exif(gps: dict[int, Any] | None = None, details: dict[int, Any] | None = None) -> bytes:
    exif = Image.Exif()
    if gps is not None:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    if details is not None:
        exif.get_ifd(ExifTags.IFD.Exif).update(details)
    return encoded(quarters(), "JPEG", exif=exif)


POSITION = {
    ExifTags.GPS.GPSLatitudeRef: "S",
    ExifTags.GPS.GPSLatitude: (28.0, 36.0, 50.0),
    ExifTags.GPS.GPSLongitudeRef: "E",
    ExifTags.GPS.GPSLongitude: (77.0, 12.0, 32.4),
}


def test_gps_position_bearing_and_time() -> None:
    gps = POSITION | {
        ExifTags.GPS.GPSAltitude: 216.5,
        ExifTags.GPS.GPSImgDirectionRef: "M",
        ExifTags.GPS.GPSImgDirection: 270.25,
        ExifTags.GPS.GPSDateStamp: "2024:03:09",
        ExifTags.GPS.GPSTimeStamp: (6.0, 7.0, 8.0),
    }
    metadata = load_photo(with_exif(gps)).metadata
    assert metadata["gps"]["latitude"] == pytest.approx(-28.6138889, abs=1e-6)
    assert metadata["gps"]["longitude"] == pytest.approx(77.209, abs=1e-6)
    assert metadata["gps"]["altitude"] == pytest.approx(216.5)
    assert metadata["gps"]["bearing"] == pytest.approx(270.25)
    assert metadata["gps"]["bearing_reference"] == "magnetic"
    assert metadata["time"] == "2024-03-09T06:07:08Z"


def test_camera_time_with_and_without_zone() -> None:
    details: dict[int, Any] = {ExifTags.Base.DateTimeOriginal: "2024:03:09 11:37:08"}
    assert load_photo(with_exif(details=details)).metadata == {"time": "2024-03-09T11:37:08"}
    details[ExifTags.Base.OffsetTimeOriginal] = "+05:30"
    assert load_photo(with_exif(details=details)).metadata == {"time": "2024-03-09T11:37:08+05:30"}


@pytest.mark.parametrize(
    "change",
    [
        {ExifTags.GPS.GPSLatitude: (95.0, 0.0, 0.0)},
        {ExifTags.GPS.GPSLatitude: (IFDRational(0, 0), IFDRational(0, 0), IFDRational(0, 0))},
        {ExifTags.GPS.GPSLongitude: (1.0,)},
    ],
)
def test_a_position_that_makes_no_sense_is_none(change: dict[int, Any]) -> None:
    assert "gps" not in load_photo(with_exif(POSITION | change)).metadata


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_costs_nothing_but_itself() -> None:
    data = with_exif(POSITION)
    start = data.index(b"Exif\0\0") + 6
    broken = data[:start] + b"II*\0\xff\xff\xff\x7f" + bytes(range(40, 80)) + data[start + 48 :]
    photo = load_photo(broken)
    assert photo.pixels.shape == (24, 40, 3) and "gps" not in photo.metadata


def test_exif_of_a_gps_table_that_is_no_table_keeps_the_orientation() -> None:
    """What is wrong with one part costs no other: a turned photo would be lost with its orientation."""
    main = [(0x0112, 3, 1, struct.pack("<H", 6)), (0x0132, 2, 20, b"2024:03:09 11:37:08\0")]
    for broken in (b"", b"\xff" * 4, b"Dec "):
        block = tiff_tables([main, [], []])
        place = block.index(struct.pack("<HH", 0x8825, 4))
        block = block[: place + 8] + broken.ljust(4, b"\0") + block[place + 12 :]
        data = encoded(quarters().transpose(STORED[6]), "JPEG", quality=95)
        segment = b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block
        photo = load_photo(data[:2] + segment + data[2:])
        assert near(centers(photo.pixels), [RED, GREEN, BLUE, GREY], 12)
        assert photo.metadata == {"time": "2024-03-09T11:37:08"}


@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [
        (3, 1, struct.pack("<H", 6)), (4, 1, struct.pack("<I", 6)), (1, 1, b"\6"), (7, 1, b"\6"), (2, 2, b"6\0"),
        (5, 1, struct.pack("<II", 6, 1)), (11, 1, struct.pack("<f", 6)), (12, 1, struct.pack("<d", 6)),
        (3, 2, struct.pack("<HH", 6, 0)), (9, 1, struct.pack("<i", 6)), (7, 2, b"\6\0"),
    ],
)  # fmt: skip
def test_an_orientation_of_any_type_turns_the_photo(kind: int, count: int, value: bytes) -> None:
    block = tiff_tables([[(0x0112, kind, count, value)], [], []])
    data = encoded(quarters().transpose(STORED[6]), "JPEG", quality=95)
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block
    photo = load_photo(data[:2] + segment + data[2:])
    assert (photo.width, photo.height) == (40, 24) and near(centers(photo.pixels), [RED, GREEN, BLUE, GREY], 12)


@pytest.mark.parametrize("value", [0, 9, 65535, (0, 0), b"", "x", -6])
def test_an_orientation_that_makes_no_sense_is_none(value: Any) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    image = quarters()
    image.getexif()[ExifTags.Base.Orientation] = value
    photo = load_photo(image)
    assert (photo.width, photo.height) == (40, 24) and near(centers(photo.pixels), [RED, GREEN, BLUE, GREY])


@pytest.mark.parametrize(
    "change",
    [
        {7: (4294967295.0, 0.0, 0.0)}, {7: (25.0, 0.0, 0.0)}, {7: (0.0, 61.0, 0.0)}, {7: 6.0}, {7: (6.0, 7.0)},
        {7: (IFDRational(6, 0), 0.0, 0.0)}, {29: "2024:13:40"}, {29: 5}, {29: "2024-03-09"},
    ],
)  # fmt: skip
def test_a_satellite_time_that_makes_no_sense_costs_no_position(change: dict[int, Any]) -> None:
    gps = POSITION | {29: "2024:03:09", 7: (6.0, 7.0, 8.0)}
    metadata = load_photo(with_exif(gps | change)).metadata
    assert set(metadata) == {"gps"} and set(metadata["gps"]) == {"latitude", "longitude"}
    assert load_photo(with_exif(gps | {7: (23.0, 59.0, 60.0)})).metadata["time"] == "2024-03-10T00:00:00Z"


def test_a_position_of_zeros_is_none_unless_the_receiver_knew_it() -> None:
    zeros: dict[int, Any] = {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}
    nothing = ({}, {5: b"\0", 6: 0.0}, {9: "V"}, {8: "0"}, {11: 0.0}, {16: "T", 17: 0.0}, {29: "2024:03:09"})
    for more in nothing:
        assert "gps" not in load_photo(with_exif(zeros | more)).metadata, more
    for more in ({9: "A"}, {8: "05"}, {11: 2.5}, {5: b"\0", 6: 12.0}):
        assert load_photo(with_exif(zeros | more)).metadata["gps"]["latitude"] == 0, more
    # On the equator or the meridian alone it is a place like others.
    assert load_photo(with_exif(zeros | {4: (9.0, 27.0, 0.0)})).metadata["gps"]["longitude"] == 9.45


def test_numbers_beyond_sense_are_left_out_of_a_position() -> None:
    gps = POSITION | {5: b"\0", 6: IFDRational(4294967295, 1), 16: "T", 17: IFDRational(4294967295, 1)}
    assert set(load_photo(with_exif(gps)).metadata["gps"]) == {"latitude", "longitude"}
    for key in (2, 4):
        for value in ((1.0, 61.0, 0.0), (1.0, 0.0, 75.0), (180.0, 59.0, 0.0)):
            assert "gps" not in load_photo(with_exif(POSITION | {key: value})).metadata


# What stands beside the pixels must not cost the photo --------------------------------------------------------------

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize("path", sorted((CASES / "crash").iterdir()), ids=lambda path: path.name)
def test_photos_that_ended_whole_runs(path: Path) -> None:
    if path.suffix == ".avif":
        with pytest.raises(PhotoError, match=r"damaged_planes\.avif: damaged image, "):
            load_photo(path)
        return
    photo = load_photo(path)
    assert photo.pixels.shape == (500, 900, 3)
    assert ("gps" in photo.metadata) == path.name.startswith("gps") and "time" not in photo.metadata


@pytest.mark.parametrize(
    "path", sorted(p for p in (CASES / "lost").iterdir() if p.suffix in {".png", ".jpg"}), ids=lambda path: path.name
)
def test_photos_that_were_lost_to_what_does_not_matter(path: Path) -> None:
    photo = load_photo(path)
    assert photo.pixels.shape[1:] == (900, 3) and "gps" not in photo.metadata
    assert (photo.pixels[2, 2] == (0 if "transparent" in path.name else (150, 140, 130))).all()


def png_with(*chunks: bytes, at: int = 33) -> bytes:
    data = encoded(quarters(), "PNG")
    return data[:at] + b"".join(chunks) + data[at:]


LARGE = 3_000_000  # bytes, unpacked; Pillow's own limit is about a million
ODD_CHUNKS = {
    "large text": png_chunk(b"tEXt", b"Comment\0" + b"x" * LARGE),
    "large packed text": png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * LARGE)),
    "large international text": png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * LARGE)),
    "large profile": png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"x" * LARGE)),
    "text that cannot be unpacked": png_chunk(b"zTXt", b"Comment\0\0rubbish"),
    "bad crc of text": png_chunk(b"tEXt", b"Comment\0hello", crc=1),
    "bad crc of time": png_chunk(b"tIME", bytes(7), crc=1),
    "bad crc of an unknown chunk": png_chunk(b"vpAg", b"ab", crc=1),
    "gamma too short": png_chunk(b"gAMA", b"\0"),
    "resolution too short": png_chunk(b"pHYs", b"\0"),
    "colours too short": png_chunk(b"cHRM", b"\0"),
    "animation control too short": png_chunk(b"acTL", b"\0"),
}


@pytest.mark.parametrize("name", ODD_CHUNKS)
@pytest.mark.parametrize("behind", [False, True])
def test_a_png_is_read_whatever_stands_beside_its_pixels(name: str, behind: bool) -> None:
    data = png_with(ODD_CHUNKS[name], at=len(encoded(quarters(), "PNG")) - 12 if behind else 33)
    assert near(centers(load_photo(data).pixels), [RED, GREEN, BLUE, GREY])


def test_a_png_that_is_turned_and_has_a_bad_crc() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encoded(quarters().transpose(STORED[6]), "PNG", exif=exif)
    for odd in (ODD_CHUNKS["bad crc of text"], ODD_CHUNKS["large packed text"]):
        photo = load_photo(data[:33] + odd + data[33:])
        assert (photo.width, photo.height) == (40, 24) and near(centers(photo.pixels), [RED, GREEN, BLUE, GREY])


def test_file_endings_cover_the_formats() -> None:
    endings = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".jfif", ".jpe", ".ppm"}
    assert endings | {".pgm", ".pnm", ".tga", ".jp2"} <= SUFFIXES


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}])
def test_plain_webp_has_the_pixels_that_pillow_decodes(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize((121, 90))
    data = encoded(image, "WEBP", **options)
    photo = load_photo(data)
    assert np.array_equal(photo.pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert photo.pixels.flags.writeable
    with pytest.raises(PhotoError):
        load_photo(data[: len(data) // 2])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:4:4"}, {"restart_marker_blocks": 3}])
def test_jpegs_have_the_pixels_that_pillow_decodes(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize((121, 90))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        data = encoded(image, "JPEG", exif=exif, **options)
        for side in (None, 50):
            decoded = Image.open(io.BytesIO(data))
            if side:
                decoded.draft(None, (60, 45))
            photo = load_photo(data, decode_side=side)
            expected = np.asarray(ImageOps.exif_transpose(decoded), np.int16)
            # Builds of the decoder may round differently.
            assert photo.pixels.shape == expected.shape and np.abs(photo.pixels - expected).max() <= 2
            assert photo.pixels.flags.writeable and photo.pixels.flags.c_contiguous
            assert (photo.width, photo.height) == ((121, 90) if orientation < 5 else (90, 121))


def test_damaged_jpegs_are_told_from_whole_ones() -> None:
    picture = lettered((255, 255, 255)).convert("RGB")
    data = encoded(picture, "JPEG", comment=b"a \xff\xd8 b")
    progressive = encoded(picture, "JPEG", progressive=True)
    assert is_whole_jpeg(data) and is_whole_jpeg(progressive) and is_whole_jpeg(data + b"\0\0trailer")
    for whole in (data, progressive):
        assert not any(is_whole_jpeg(whole[:length]) for length in (3, 30, len(whole) // 2, len(whole) - 2))
        with pytest.raises(PhotoError, match="truncated"):
            load_photo(whole[: len(whole) - 40])


def test_webp_that_is_turned_clear_or_moving_comes_out_as_ever() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    turned = load_photo(encoded(quarters(), "WEBP", lossless=True, exif=exif))
    assert np.array_equal(turned.pixels, np.rot90(np.asarray(quarters()), -1))
    clear = quarters().convert("RGBA")
    clear.putalpha(0)
    assert (load_photo(encoded(clear, "WEBP", lossless=True)).pixels == 255).all()
    moving = encoded(quarters(), "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (40, 24))])
    photo = load_photo(moving)
    assert np.array_equal(photo.pixels, np.asarray(quarters())) and photo.warnings
