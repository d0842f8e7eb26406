"""Opens photos: any source to upright 8-bit RGB pixels with the facts that formats use, or one clear error."""

from __future__ import annotations

import contextlib
import datetime
import functools
import importlib
import io
import logging
import math
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import ExifTags, Image

from signboard.errors import PhotoError
from signboard.image_files import HEAD, exif_block, is_whole_jpeg, kind_of, tiff_pages, without_metadata

_log = logging.getLogger(__name__)
T = TypeVar("T")

# 150 megapixels holds every phone and survey camera in use short of the 200-megapixel ones, and is 450 MB of pixels:
# past that a "photo" is more likely a bomb. Checked on the header, before anything is decoded.
MAX_PIXELS = 150_000_000
# No text can be read on less than this, and a 1x1 picture (a tracking pixel, a placeholder) is not a photo.
MIN_SIDE = 8

# Only picture formats: Pillow would also run Ghostscript on EPS or open video and font files. By Pillow's names, with
# the modules that know them.
_FORMATS = {
    "JPEG": "Jpeg",
    "MPO": "Mpo",
    "PNG": "Png",
    "WEBP": "WebP",
    "TIFF": "Tiff",
    "BMP": "Bmp",
    "GIF": "Gif",
    "AVIF": "Avif",
    "PPM": "Ppm",
    "JPEG2000": "Jpeg2K",
    "ICO": "Ico",
    "PCX": "Pcx",
    "QOI": "Qoi",
    "SGI": "Sgi",
}
# Nothing at their beginning says what they are: only their names do.
_BY_NAME = {".tga": "TGA", ".icb": "TGA", ".vda": "TGA", ".vst": "TGA"}

HEIC_HELP = "HEIC photos need an extra package: pip install 'signboard[heic]'"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a file that holds several (TIFF). A path to everything that asks for one.

    Attributes:
        path: of the file; "" where there is none.
        number: of the page, from 1.
        data: the bytes of the file, where it is not to be read from its path.
    """

    path: str
    number: int
    data: bytes | None = None

    def __fspath__(self) -> str:
        return self.path


PhotoSource = str | os.PathLike[str] | bytes | bytearray | memoryview | np.ndarray | Image.Image | Page
"""What can be opened: a path, one page of a path, the bytes of a file, an array or a Pillow image."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """An opened photo.

    Attributes:
        pixels: (H, W, 3) uint8, RGB, EXIF-upright, writable and owned by this object unless made from an array.
        source: the path it came under, "" for bytes, arrays and Pillow images without a name.
        width, height: pixels of the upright original; larger than `pixels` when it was decoded at reduced size.
        scale: size of `pixels` over the original's, 1, 1/2, 1/4 or 1/8; original coordinate = coordinate / scale.
        metadata: plain JSON values. "gps": {"latitude", "longitude", "altitude"?, "bearing"?, "bearing_reference"?}
            in degrees (WGS 84 as the camera wrote it) and metres; "time": ISO 8601, with a zone when it is known.
        page: which page of its file this is, from 1.
        warnings: what a person should know about the file, such as that it holds more than this.
    """

    pixels: np.ndarray
    source: str
    width: int
    height: int
    scale: float = 1.0
    metadata: dict[str, Any] = field(default_factory=dict)
    page: int = 1
    warnings: tuple[str, ...] = ()


def printable(name: str) -> str:
    """`name` on one line, fit for any terminal: control characters and undecodable bytes become escapes."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def load_photo(
    source: PhotoSource, *, name: str | None = None, max_pixels: int = MAX_PIXELS, decode_side: int | None = None
) -> Photo:
    """Open a photo, turn it upright by its EXIF orientation and make it 8-bit RGB.

    Transparency is laid on white, or on black or grey where what is visible would be lost on white. 16-bit grey is
    scaled to 8 bits, CMYK is converted. An animation gives its first frame and a TIFF its first page, unless `source`
    is another `Page`. Damaged metadata cost the metadata, never the photo. Arrays are (H, W), (H, W, 1), (H, W, 3) RGB
    or (H, W, 4) RGBA; uint8, uint16 (scaled) or float in 0 to 1.

    Args:
        source: a path, a `Page` of one, the bytes of a file, an array or a Pillow image.
        name: what to call the photo in errors and `Photo.source`; the path by default.
        max_pixels: larger pictures are refused before they are decoded.
        decode_side: a JPEG whose longer side is at least twice this is decoded at 1/2, 1/4 or 1/8 of its size, which
            saves most of the time of a huge photo. The longer side of `pixels` stays at least `decode_side`.

    Raises:
        PhotoError: not an image, empty, truncated, too small, too large, missing, a folder, unreadable.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, name or "", max_pixels)
    if isinstance(source, Image.Image):
        path = getattr(source, "filename", "")
        shown = name if name is not None else (os.fsdecode(path) if path else "")
        return _from_image(source, shown, max_pixels, decode_side=None)
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(bytes(source), name or "", max_pixels, decode_side, None)
    if isinstance(source, Page) and source.data is not None:
        return _from_bytes(
            source.data, name if name is not None else source.path, max_pixels, decode_side, source.number
        )
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        shown = name if name is not None else path
        page = source.number if isinstance(source, Page) else None
        return _from_bytes(_read_file(path, shown), shown, max_pixels, decode_side, page)
    raise PhotoError(f"a photo is a path, bytes, an array or a Pillow image, not {type(source).__name__}")


def count_pixels(data: bytes) -> int:
    """Pixels of the picture in a file's bytes by its header, nothing decoded; 0 where that cannot be told.

    A picture that is larger than any that is opened has at least `MAX_PIXELS` + 1.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_formats(data, "", "")) as image:
            return image.width * image.height
    except Image.DecompressionBombError:
        return MAX_PIXELS + 1
    except Exception:  # decoders raise whatever comes up in damaged files; `load_photo` says what is wrong
        return 0


def _label(name: str) -> str:
    return printable(name) if name else "photo"


def _read_file(path: str, name: str) -> bytes:
    """The whole file: reading first and decoding from memory keeps Pillow away from paths and open files."""
    label = _label(name)
    if not path:
        raise PhotoError(f"{label}: its path is empty")
    try:
        # A named pipe or a device would block or never end; a folder gives its own line.
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise PhotoError(f"{label}: is a folder, not a photo")
        if not stat.S_ISREG(mode):
            raise PhotoError(f"{label}: is not a regular file")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise PhotoError(f"{label}: no such file") from None
    except PermissionError:
        raise PhotoError(f"{label}: cannot be read, permission denied") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise PhotoError(f"{label}: cannot be read, {reason[:1].lower()}{reason[1:]}") from None
    except MemoryError:
        raise PhotoError(f"{label}: the file does not fit into memory") from None


def _from_bytes(data: bytes, name: str, max_pixels: int, decode_side: int | None, page: int | None) -> Photo:
    label = _label(name)
    if not data:
        raise PhotoError(f"{label}: empty file")
    if page is not None and page > 1:
        label += f", page {page}"
    kind = kind_of(data[:HEAD])
    formats = _formats(data, name, label)
    pages = tiff_pages(io.BytesIO(data)) if kind == "TIFF" else [0]
    if page is not None and not 1 <= page <= len(pages):
        has = "one" if len(pages) == 1 else str(len(pages))
        raise PhotoError(f"{_label(name)}: there is no page {page}, the file has {has}")
    frame = pages[(page or 1) - 1]
    warnings: tuple[str, ...] = ()
    if page is None and len(pages) > 1:
        warnings = (f"only the first page was read: the file has {len(pages)}",)
    try:
        photo = _decode(data, formats, frame, label, max_pixels, decode_side)
    except _UndecodableError as error:
        # The pixels may be whole and only what stands beside them damaged.
        plain = without_metadata(data, kind)
        try:
            if plain is None or plain == data:
                raise error from None
            exif = _loaded_exif(exif_block(data, kind))
            photo = _decode(plain, formats, frame, label, max_pixels, decode_side, exif)
        except _UndecodableError:
            raise PhotoError(str(error)) from None
    return replace(photo, source=name, page=page or 1, warnings=(*warnings, *photo.warnings))


class _UndecodableError(PhotoError):
    """A decoder gave up, perhaps because of something that is no part of the picture."""


def _decode(
    data: bytes,
    formats: list[str],
    frame: int,
    label: str,
    max_pixels: int,
    decode_side: int | None,
    exif: Image.Exif | None = None,
) -> Photo:
    if exif is None and (pixels := _simple_webp(data, label, max_pixels)) is not None:
        return Photo(pixels, label, pixels.shape[1], pixels.shape[0])
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError:
        raise PhotoError(f"{label}: more than {max_pixels / 1e6:g} megapixels, too large to open") from None
    except Image.UnidentifiedImageError:
        # Also where a decoder recognised its format and then failed: its error is not passed on.
        raise _UndecodableError(f"{label}: not an image that can be opened") from None
    except MemoryError:
        raise PhotoError(f"{label}: does not fit into memory") from None
    except Exception as error:  # decoders raise whatever comes up in damaged files
        raise _undecodable(error, label) from None
    with image:
        return _from_image(image, label, max_pixels, decode_side, frame=frame, exif=exif, owned=True, data=data)


def _undecodable(error: Exception, label: str) -> _UndecodableError:
    _log.debug("%s: the decoder failed", label, exc_info=error)
    message = _one_line(error)
    word = "truncated" if "truncated" in message.lower() else "damaged"
    return _UndecodableError(f"{label}: {word} image, {message}")


def _formats(data: bytes, name: str, label: str) -> list[str]:
    """The formats to try, with HEIC when its package is there; without it a HEIC file is an error of its own."""
    _load_plugins()
    formats = [known for known in _FORMATS if known in Image.OPEN]
    if kind_of(data[:HEAD]) == "HEIF":
        try:
            import pillow_heif
        except ImportError:
            raise PhotoError(f"{label}: {HEIC_HELP}") from None
        pillow_heif.register_heif_opener()
        formats.append("HEIF")
    by_name = _BY_NAME.get(os.path.splitext(name)[1].lower())  # noqa: PTH122 - the name may be no path
    if by_name is None and data[-18:] == b"TRUEVISION-XFILE.\0":
        by_name = "TGA"
    if by_name is not None and kind_of(data[:HEAD]) is None and by_name in Image.OPEN:
        formats = [by_name]
    return formats


@functools.cache
def _load_plugins() -> None:
    """Makes Pillow know `_FORMATS`. `Image.init` would import three times as many modules, at every start."""
    for module in (*_FORMATS.values(), "Tga"):
        # A Pillow built without a library has no such format.
        with contextlib.suppress(ImportError):
            importlib.import_module(f"PIL.{module}ImagePlugin")


def _from_image(
    image: Image.Image,
    name: str,
    max_pixels: int,
    decode_side: int | None,
    *,
    frame: int = 0,
    exif: Image.Exif | None = None,
    owned: bool = False,
    data: bytes | None = None,
) -> Photo:
    """The photo of a Pillow image.

    Args:
        frame: which of its frames.
        exif: in place of the image's own.
        owned: the image is nobody else's, so it may be changed.
        data: the bytes of its file.
    """
    label = _label(name)
    try:
        if frame:
            image.seek(frame)
        width, height = image.size
    except Exception as error:
        raise _undecodable(error, label) from None
    _check_size(width, height, label, max_pixels)
    warnings = _frame_warning(image)
    exif = _exif(image) if exif is None else exif
    orientation = _orientation(exif)
    # Pillow turns a TIFF itself while it loads it, and writes all of its EXIF anew to do so.
    turns_itself = hasattr(image, "tag_v2")
    metadata = _metadata(exif)
    try:
        divisor = 1
        if decode_side is not None and image.format in {"JPEG", "MPO"}:
            divisor = _draft(image, decode_side)
        quick = _decoded_by_opencv(image, data, divisor) if data is not None else None
        if quick is not None:
            pixels = _turned(quick, orientation)
        else:
            if turns_itself:
                with _only_orientation(image, orientation, restore=not owned):
                    image.load()
            else:
                image.load()
            upright = image
            if orientation in _TURNS and not turns_itself:
                upright = image.transpose(_TURNS[orientation])
            pixels = _rgb(upright)
            if pixels.shape[:2] != upright.size[::-1]:
                raise _UndecodableError(f"{label}: damaged image, its pixels do not match its size")
    except _UndecodableError:
        raise
    except MemoryError:
        raise PhotoError(f"{label}: the picture of {width} x {height} does not fit into memory") from None
    except Exception as error:
        raise _undecodable(error, label) from None
    if divisor == 1:
        height, width = pixels.shape[:2]
    elif orientation >= 5:
        width, height = height, width
    return Photo(pixels, name, width, height, 1 / divisor, metadata, warnings=warnings)


def _frame_warning(image: Image.Image) -> tuple[str, ...]:
    """What to say of an animation."""
    if image.format not in {"GIF", "PNG", "WEBP", "AVIF"}:
        return ()
    try:
        frames = int(getattr(image, "n_frames", 1))
    except Exception:  # damaged behind the first frame, which is all that is needed
        return ()
    return (f"only the first frame was read: the animation has {frames}",) if frames > 1 else ()


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a photo upright, by its EXIF orientation (CIPA DC-008, Orientation)."""


def _orientation(exif: Image.Exif) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none that makes sense. Some programs write it in odd types."""
    try:
        value = exif.get(ExifTags.Base.Orientation, 1)
        if isinstance(value, tuple | list):
            value = value[0]
        if isinstance(value, bytes):
            # A byte or a short number in a field of bytes; or a digit.
            value = int(value) if value.isdigit() else int.from_bytes(value.strip(b"\0")[:1], "little")
        number = float(value)
    except Exception:
        return 1
    return int(number) if number in range(1, 9) else 1


@contextlib.contextmanager
def _only_orientation(image: Image.Image, orientation: int, *, restore: bool) -> Iterator[None]:
    """Takes from an image's EXIF all that Pillow could stumble over when it writes it anew."""
    info, exif = dict(image.info), _exif(image)
    tags = dict(exif) if restore else {}
    for key in ("exif", "xmp", "XML:com.adobe.xmp"):
        image.info.pop(key, None)
    for tag in list(exif):
        del exif[tag]
    if orientation != 1:
        exif[ExifTags.Base.Orientation] = orientation
    yield
    if restore:
        image.info.update(info)
        tags.pop(ExifTags.Base.Orientation, None)
        exif.update(tags)


def _check_size(width: int, height: int, label: str, max_pixels: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise PhotoError(f"{label}: {width} x {height} pixels is too small, no side may be under {MIN_SIDE}")
    if width * height > max_pixels:
        raise PhotoError(
            f"{label}: {width} x {height} is {width * height / 1e6:.0f} megapixels, "
            f"the limit is {max_pixels / 1e6:g}; make it smaller or cut it into pieces"
        )


def _decoded_by_opencv(image: Image.Image, data: bytes, divisor: int) -> np.ndarray | None:
    """The pixels (H, W, 3), not turned, of a JPEG or WebP file that is one opaque colour picture, without damage.

    None for all others: Pillow says what is wrong with them. OpenCV decodes the same pixels in half to two thirds of
    Pillow's time.

    Args:
        divisor: by which a JPEG is made smaller while it is decoded.
    """
    if image.mode != "RGB" or "transparency" in image.info:
        return None
    if image.format == "JPEG":
        if not is_whole_jpeg(data):
            return None
    elif image.format != "WEBP" or getattr(image, "n_frames", 1) != 1:
        return None
    return _opencv_pixels(data, image.width, image.height, divisor)


def _simple_webp(data: bytes, label: str, max_pixels: int) -> np.ndarray | None:
    """The pixels of a WebP file that is a lossy picture and nothing else (RFC 9649, section 2.5).

    None for all others. Pillow makes ready for an animation before it opens any.
    """
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8 " or data[23:26] != b"\x9d\x01\x2a" or len(data) < 30:
        return None
    width, height = (int.from_bytes(data[place : place + 2], "little") & 0x3FFF for place in (26, 28))
    _check_size(width, height, label, max_pixels)
    return _opencv_pixels(data, width, height)


def _opencv_pixels(data: bytes, width: int, height: int, divisor: int = 1) -> np.ndarray | None:
    """The pixels (height, width, 3) that OpenCV decodes, its EXIF orientation left aside; None where it fails."""
    import cv2

    # By these names OpenCV means the scale alone where colours are asked for, too.
    scales = {2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION | scales.get(divisor, 0)
    with contextlib.suppress(cv2.error):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if pixels is not None and pixels.shape == (height, width, 3):
            return np.asarray(pixels, np.uint8)
    return None


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, 3) as their EXIF orientation wants them."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(pixels[rows, columns])


def _draft(image: Image.Image, side: int) -> int:
    """Tell the JPEG decoder to scale while it decodes; the divisor it took (1, 2, 4 or 8)."""
    longer = max(image.size)
    divisor = 1
    while divisor < 8 and longer // (divisor * 2) >= side:
        divisor *= 2
    if divisor == 1:
        return 1
    target = (image.size[0] // divisor, image.size[1] // divisor)
    image.draft(None, target)
    return round(longer / max(image.size))  # what the decoder chose


def _rgb(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB of any mode that Pillow knows."""
    mode = image.mode
    if mode == "RGB" and "transparency" not in image.info:
        return np.array(image)
    if mode.startswith("I") or mode == "F":
        values = np.asarray(image)
        grey = _to_8_bit(values, mode)
        clear = image.info.get("transparency")
        if not isinstance(clear, int | float):
            return np.repeat(grey[:, :, None], 3, axis=2)
        return _on_ground(np.dstack([grey, grey, grey, np.where(values == clear, 0, 255).astype(np.uint8)]))
    if mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        try:
            rgba = (image.convert("LA") if mode == "La" else image).convert("RGBA")
        except (ValueError, TypeError, OSError):  # a transparent colour that makes no sense for this picture
            return np.array(image.convert("RGB"))
        return _on_ground(np.asarray(rgba))
    return np.array(image.convert("RGB"))


# Colours that transparency is laid on, the first where nothing speaks against it.
_GROUNDS = (255, 0, 128)
# Letters whose brightness differs by less than this from what is behind them are hard to read.
_CONTRAST = 64


def _on_ground(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8 laid on white, or on black or grey where more of what borders on transparency stands out."""
    import cv2

    alpha = rgba[:, :, 3]
    ground = _GROUNDS[0]
    clear = (alpha < 128).astype(np.uint8)
    if clear.any():
        # Of letters the outlines count; what lies inside a board has its own ground.
        edge = (cv2.dilate(clear, np.ones((7, 7), np.uint8)) > 0) & (alpha > 0)
        brightness = rgba[:, :, :3][edge] @ np.array([0.299, 0.587, 0.114], np.float32)
        weights = alpha[edge].astype(np.float32)
        lost = [float(weights[np.abs(brightness - g) < _CONTRAST].sum()) for g in _GROUNDS]
        # The first of those about as good as the best.
        ground = next(g for g, part in zip(_GROUNDS, lost, strict=True) if part <= min(lost) + 0.05 * weights.sum())
    share = alpha[:, :, None].astype(np.uint16)
    mixed = rgba[:, :, :3] * share + np.uint16(ground) * (255 - share)
    return ((mixed + 127) // 255).astype(np.uint8)


def _to_8_bit(values: np.ndarray, mode: str) -> np.ndarray:
    """(H, W) of 16-bit, 32-bit or float grey to uint8, scaled so that nothing is clipped."""
    if mode.startswith("I;16"):
        return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    numbers = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    # A file of these modes does not say what its white is: take the usual ranges, else what is there.
    if mode == "F" and low >= 0 and high <= 1:
        scaled = numbers * 255
    elif low >= 0 and high <= 255:
        scaled = numbers
    elif low >= 0 and high <= 65535:
        scaled = numbers * (255 / 65535)
    else:
        scaled = (numbers - low) * (255 / (high - low))
    return np.rint(scaled).astype(np.uint8)


def _from_array(array: np.ndarray, name: str, max_pixels: int) -> Photo:
    label = _label(name)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise PhotoError(f"{label}: an array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {array.shape}")
    height, width = array.shape[:2]
    _check_size(width, height, label, max_pixels)
    kind = array.dtype.newbyteorder("=")  # files are often of the other byte order
    if kind == np.uint16:
        array = ((array.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    elif array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    elif np.issubdtype(array.dtype, np.floating):
        if not bool(np.isfinite(array).all()) or array.min() < 0 or array.max() > 1:
            raise PhotoError(f"{label}: an array of floats must lie between 0 and 1")
        array = np.rint(array * 255).astype(np.uint8)
    elif kind != np.uint8:
        raise PhotoError(f"{label}: an array must be uint8, uint16, bool or float, not {array.dtype}")
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    elif array.shape[2] == 4:
        array = _on_ground(array)
    return Photo(np.ascontiguousarray(array), name, width, height)


def _one_line(error: BaseException) -> str:
    return printable(" ".join(str(error).split())) or type(error).__name__


def _exif(image: Image.Image) -> Image.Exif:
    """The photo's EXIF, as much as can be read of it: a bad tag must not cost the photo."""
    for _ in range(2):  # a second look gives what was read before the first one failed
        with contextlib.suppress(Exception):  # Pillow raises SyntaxError, struct.error, KeyError, ... on damaged EXIF
            return image.getexif()
    return Image.Exif()


def _loaded_exif(block: bytes | None) -> Image.Exif:
    exif = Image.Exif()
    with contextlib.suppress(Exception):
        exif.load(block or b"")
    return exif


def _directory(exif: Image.Exif, number: int) -> dict[int, Any]:
    """One of the tables inside the EXIF; empty when it is missing or damaged."""
    try:
        return dict(exif.get_ifd(number))
    except Exception:
        return {}


def _metadata(exif: Image.Exif) -> dict[str, Any]:
    """GPS position, compass bearing and time from EXIF, those that make sense (CIPA DC-008, the GPS and Exif IFDs).

    Each is read on its own: what is wrong with one costs none of the others.
    """
    gps = _directory(exif, ExifTags.IFD.GPSInfo)
    details = _directory(exif, ExifTags.IFD.Exif)
    metadata: dict[str, Any] = {}
    position = _sound(_position, gps)
    if position is not None:
        metadata["gps"] = position
    time = _sound(_gps_time, gps) or _sound(_camera_time, details, exif)
    if time is not None:
        metadata["time"] = time
    return metadata


def _sound(read: Callable[..., T | None], *tables: Any) -> T | None:
    """What `read` finds; None where it stumbles: cameras and editors write every type into every tag."""
    try:
        return read(*tables)
    except Exception as error:
        _log.debug("EXIF: %s", read.__name__, exc_info=error)
        return None


def _position(gps: dict[int, Any]) -> dict[str, Any] | None:
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), "S", 90)
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), "W", 180)
    if latitude is None or longitude is None:
        return None
    position: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
    altitude = _number(gps.get(ExifTags.GPS.GPSAltitude))
    if altitude is not None and abs(altitude) < _HIGHEST:
        below = gps.get(ExifTags.GPS.GPSAltitudeRef) in (1, b"\x01")
        position["altitude"] = -altitude if below else altitude
    if latitude == 0 and longitude == 0 and not position.get("altitude") and not _has_fix(gps):
        return None  # what programs write that know no position; the place itself is open sea
    bearing = _number(gps.get(ExifTags.GPS.GPSImgDirection))
    if bearing is not None and 0 <= bearing <= 360:
        position["bearing"] = bearing % 360
        magnetic = _text(gps.get(ExifTags.GPS.GPSImgDirectionRef)).upper().startswith("M")
        position["bearing_reference"] = "magnetic" if magnetic else "true"
    return position


_HIGHEST = 100_000.0
"""Metres; no photo of a sign was taken higher."""


def _has_fix(gps: dict[int, Any]) -> bool:
    """Whether the receiver says that it knew where it was."""
    precision = _number(gps.get(ExifTags.GPS.GPSDOP))
    return (
        _text(gps.get(ExifTags.GPS.GPSStatus)).upper() == "A"
        or bool(_text(gps.get(ExifTags.GPS.GPSSatellites)).strip("0 "))
        or (precision is not None and precision > 0)
    )


def _number(value: Any) -> float | None:
    """A finite float of an EXIF rational; cameras write 0/0 for "unknown"."""
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return str(value or "").strip("\x00 ")


def _degrees(value: Any, reference: Any, negative: str, limit: float) -> float | None:
    """Degrees, minutes and seconds to signed degrees; None when missing, broken or out of range."""
    if not isinstance(value, tuple | list) or len(value) != 3:
        return None
    degrees, minutes, seconds = (_number(part) for part in value)
    if degrees is None or minutes is None:
        return None
    seconds = seconds or 0.0
    total = degrees + minutes / 60 + seconds / 3600
    if not (degrees >= 0 and 0 <= minutes <= 60 and 0 <= seconds <= 60 and total <= limit):
        return None
    # Seven decimals are about a centimetre.
    return round(-total if _text(reference).upper().startswith(negative) else total, 7)


def _gps_time(gps: dict[int, Any]) -> str | None:
    """The satellites' time, which is always UTC."""
    date, clock = _text(gps.get(ExifTags.GPS.GPSDateStamp)), gps.get(ExifTags.GPS.GPSTimeStamp)
    if not isinstance(clock, tuple | list) or len(clock) != 3:
        return None
    hour, minute, second = (_number(part) for part in clock)
    if hour is None or minute is None or second is None:
        return None
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 61):  # a leap second is number 60
        return None
    try:
        day = datetime.datetime.strptime(date, "%Y:%m:%d")
    except ValueError:
        return None
    moment = day + datetime.timedelta(hours=int(hour), minutes=int(minute), seconds=int(second))
    return moment.isoformat() + "Z"


def _camera_time(details: dict[int, Any], exif: Image.Exif) -> str | None:
    """The camera's clock, with its zone when the camera wrote one."""
    moment = None
    for value in (details.get(ExifTags.Base.DateTimeOriginal), exif.get(ExifTags.Base.DateTime)):
        with contextlib.suppress(ValueError):
            moment = moment or datetime.datetime.strptime(_text(value), "%Y:%m:%d %H:%M:%S")
    if moment is None:
        return None
    zone = _text(details.get(ExifTags.Base.OffsetTimeOriginal))
    try:
        return datetime.datetime.fromisoformat(moment.isoformat() + zone).isoformat()
    except ValueError:
        return moment.isoformat()
