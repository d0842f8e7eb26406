"""Opens photos: any source to upright 8-bit RGB pixels with the facts that formats use, or one clear error."""

from __future__ import annotations

import contextlib
import datetime
import functools
import importlib
import io
import math
import os
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps

from signboard.errors import PhotoError

# 150 megapixels holds every phone and survey camera in use short of the 200-megapixel ones, and is 450 MB of pixels:
# past that a "photo" is more likely a bomb. Checked on the header, before anything is decoded.
MAX_PIXELS = 150_000_000
# No text can be read on less than this, and a 1x1 picture (a tracking pixel, a placeholder) is not a photo.
MIN_SIDE = 8

# Only picture formats: Pillow would also run Ghostscript on EPS or open video and font files.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM")

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
HEIC_HELP = "HEIC photos need an extra package: pip install 'signboard[heic]'"

PhotoSource = str | os.PathLike[str] | bytes | bytearray | memoryview | np.ndarray | Image.Image


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
    """

    pixels: np.ndarray
    source: str
    width: int
    height: int
    scale: float = 1.0
    metadata: dict[str, Any] = field(default_factory=dict)


def printable(name: str) -> str:
    """`name` on one line, fit for any terminal: control characters and undecodable bytes become escapes."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def load_photo(
    source: PhotoSource, *, name: str | None = None, max_pixels: int = MAX_PIXELS, decode_side: int | None = None
) -> Photo:
    """Open a photo, turn it upright by its EXIF orientation and make it 8-bit RGB.

    Transparency is laid on white, 16-bit grey is scaled to 8 bits, CMYK is converted, an animation gives its first
    frame. Arrays are (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA; uint8, uint16 (scaled) or float in 0 to 1.

    Args:
        source: a path, the bytes of a file, an array or a Pillow image.
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
        return _from_bytes(bytes(source), name or "", max_pixels, decode_side)
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        shown = name if name is not None else path
        return _from_bytes(_read_file(path, shown), shown, max_pixels, decode_side)
    raise PhotoError(f"a photo is a path, bytes, an array or a Pillow image, not {type(source).__name__}")


def _label(name: str) -> str:
    return printable(name) if name else "photo"


def _read_file(path: str, name: str) -> bytes:
    """The whole file: reading first and decoding from memory keeps Pillow away from paths and open files."""
    label = _label(name)
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


def _from_bytes(data: bytes, name: str, max_pixels: int, decode_side: int | None) -> Photo:
    label = _label(name)
    if not data:
        raise PhotoError(f"{label}: empty file")
    try:
        image = Image.open(io.BytesIO(data), formats=_formats(data, label))
    except Image.DecompressionBombError:
        raise PhotoError(f"{label}: more than {max_pixels / 1e6:g} megapixels, too large to open") from None
    except Image.UnidentifiedImageError:
        raise PhotoError(f"{label}: not an image that can be opened") from None
    except (OSError, SyntaxError, ValueError, struct.error, EOFError) as error:
        raise PhotoError(f"{label}: damaged image, {_one_line(error)}") from None
    with image:
        return _from_image(image, name, max_pixels, decode_side)


def _formats(data: bytes, label: str) -> list[str]:
    """The formats to try, with HEIC when its package is there; without it a HEIC file is an error of its own."""
    _load_plugins()
    formats = [name for name in _FORMATS if name in Image.OPEN]
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        try:
            import pillow_heif
        except ImportError:
            raise PhotoError(f"{label}: {HEIC_HELP}") from None
        pillow_heif.register_heif_opener()
        formats.append("HEIF")
    return formats


@functools.cache
def _load_plugins() -> None:
    """Makes Pillow know `_FORMATS`. `Image.init` would import three times as many modules, at every start."""
    for name in _FORMATS:
        # A Pillow built without a library has no such format.
        with contextlib.suppress(ImportError):
            importlib.import_module(f"PIL.{'WebP' if name == 'WEBP' else name.capitalize()}ImagePlugin")


def _from_image(image: Image.Image, name: str, max_pixels: int, decode_side: int | None) -> Photo:
    label = _label(name)
    width, height = image.size
    _check_size(width, height, label, max_pixels)
    try:
        exif = _exif(image)
        divisor = 1
        if decode_side is not None and image.format in {"JPEG", "MPO"}:
            divisor = _draft(image, decode_side)
        image.load()
        upright = ImageOps.exif_transpose(image) if exif.get(ExifTags.Base.Orientation, 1) in range(2, 9) else image
        pixels = _rgb(upright)
    except PhotoError:
        raise
    except (OSError, SyntaxError, ValueError, struct.error, EOFError, IndexError, TypeError) as error:
        message = _one_line(error)
        word = "truncated" if "truncated" in message or "Truncated" in message else "damaged"
        raise PhotoError(f"{label}: {word} image, {message}") from None
    except MemoryError:
        raise PhotoError(f"{label}: the picture of {width} x {height} does not fit into memory") from None
    if pixels.shape[:2] != upright.size[::-1]:
        raise PhotoError(f"{label}: damaged image, its pixels do not match its size")
    if exif.get(ExifTags.Base.Orientation, 1) in range(5, 9):
        width, height = height, width
    return Photo(pixels, name, width, height, 1 / divisor, _metadata(exif))


def _check_size(width: int, height: int, label: str, max_pixels: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise PhotoError(f"{label}: {width} x {height} pixels is too small, no side may be under {MIN_SIDE}")
    if width * height > max_pixels:
        raise PhotoError(
            f"{label}: {width} x {height} is {width * height / 1e6:.0f} megapixels, "
            f"the limit is {max_pixels / 1e6:g}; make it smaller or cut it into pieces"
        )


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
        return np.repeat(_to_8_bit(np.asarray(image), mode)[:, :, None], 3, axis=2)
    if mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return np.array(Image.alpha_composite(white, rgba).convert("RGB"))
    return np.array(image.convert("RGB"))


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
    if array.dtype == np.uint16:
        array = ((array.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    elif array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    elif np.issubdtype(array.dtype, np.floating):
        if not bool(np.isfinite(array).all()) or array.min() < 0 or array.max() > 1:
            raise PhotoError(f"{label}: an array of floats must lie between 0 and 1")
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise PhotoError(f"{label}: an array must be uint8, uint16, bool or float, not {array.dtype}")
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    elif array.shape[2] == 4:
        array = _rgb(Image.fromarray(np.ascontiguousarray(array)))
    return Photo(np.ascontiguousarray(array), name, width, height)


def _one_line(error: BaseException) -> str:
    return printable(" ".join(str(error).split())) or type(error).__name__


def _exif(image: Image.Image) -> Image.Exif:
    """The photo's EXIF, empty when there is none or it is broken: a bad tag must not cost the photo."""
    try:
        exif = image.getexif()
        exif.get_ifd(ExifTags.IFD.GPSInfo)
        exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # Pillow raises SyntaxError, struct.error, KeyError, ... on damaged EXIF
        return Image.Exif()
    return exif


def _metadata(exif: Image.Exif) -> dict[str, Any]:
    """GPS position, compass bearing and time from EXIF, those that make sense (CIPA DC-008, the GPS and Exif IFDs)."""
    metadata: dict[str, Any] = {}
    try:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        details = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:
        return metadata
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), "S", 90)
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), "W", 180)
    if latitude is not None and longitude is not None:
        position: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
        altitude = _number(gps.get(ExifTags.GPS.GPSAltitude))
        if altitude is not None:
            below = gps.get(ExifTags.GPS.GPSAltitudeRef) in (1, b"\x01")
            position["altitude"] = -altitude if below else altitude
        bearing = _number(gps.get(ExifTags.GPS.GPSImgDirection))
        if bearing is not None and 0 <= bearing <= 360:
            position["bearing"] = bearing % 360
            magnetic = _text(gps.get(ExifTags.GPS.GPSImgDirectionRef)).upper().startswith("M")
            position["bearing_reference"] = "magnetic" if magnetic else "true"
        metadata["gps"] = position
    time = _gps_time(gps) or _camera_time(details, exif)
    if time is not None:
        metadata["time"] = time
    return metadata


def _number(value: Any) -> float | None:
    """A finite float of an EXIF rational; cameras write 0/0 for "unknown"."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
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
    parts = [_number(part) for part in value]
    degrees, minutes, seconds = parts
    if degrees is None or minutes is None:
        return None
    total = degrees + minutes / 60 + (seconds or 0.0) / 3600
    if not 0 <= total <= limit:
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
    try:
        day = datetime.datetime.strptime(date, "%Y:%m:%d")
        moment = day.replace(hour=int(hour), minute=int(minute), second=int(second))
    except ValueError:
        return None
    return moment.isoformat() + "Z"


def _camera_time(details: dict[int, Any], exif: Image.Exif) -> str | None:
    """The camera's clock, with its zone when the camera wrote one."""
    value = details.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    try:
        moment = datetime.datetime.strptime(_text(value), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    zone = _text(details.get(ExifTags.Base.OffsetTimeOriginal))
    try:
        return datetime.datetime.fromisoformat(moment.isoformat() + zone).isoformat()
    except ValueError:
        return moment.isoformat()
