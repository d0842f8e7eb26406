"""Files of many formats, sound ones and such whose bytes were changed at random."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

SIDE = (96, 64)  # of a sound picture: width, height


def picture() -> Image.Image:
    """A small sign: blue above, white below, with some letters."""
    image = Image.new("RGB", SIDE, (20, 60, 160))
    image.paste((240, 240, 235), (0, SIDE[1] // 2, *SIDE))
    ImageDraw.Draw(image).text((8, 8), "EXIT 14", fill=(255, 255, 255))
    return image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """`image` as a file of Pillow's format `kind`."""
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
        "baseline.jpg": encoded(image, "JPEG", exif=exif),
        "progressive.jpg": encoded(image, "JPEG", progressive=True, icc_profile=bytes(range(200))),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "pair.mpo": encoded(image, "MPO", save_all=True, append_images=frames[1:]),
        "rgb.png": encoded(image, "PNG", pnginfo=text, exif=exif),
        "palette.png": encoded(image.quantize(16), "PNG", transparency=3),
        "animated.png": encoded(clear, "PNG", save_all=True, append_images=[clear]),
        "grey16.png": encoded(Image.fromarray(grey), "PNG"),
        "lossy.webp": encoded(image, "WEBP", exif=exif),
        "lossless.webp": encoded(clear, "WEBP", lossless=True),
        "animated.webp": encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "plain.tif": encoded(image, "TIFF", exif=exif),
        "deflate.tif": encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        "pages.tif": encoded(image, "TIFF", save_all=True, append_images=frames, compression="tiff_lzw"),
        "rgb.bmp": encoded(image, "BMP"),
        "palette.bmp": encoded(image.quantize(16), "BMP"),
        "animated.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "binary.ppm": encoded(image, "PPM"),
        "grey.pgm": encoded(image.convert("L"), "PPM"),
        "icon.ico": encoded(image, "ICO", sizes=[(48, 32), (24, 16)]),
        "plain.tga": encoded(image, "TGA"),
        "packed.tga": encoded(image, "TGA", compression="tga_rle"),
        "plain.pcx": encoded(image, "PCX"),
        "plain.sgi": encoded(image, "SGI"),
    }
    if "AVIF" in Image.SAVE:
        files["plain.avif"] = encoded(image, "AVIF", exif=exif)
    if "JPEG2000" in Image.SAVE:
        files["plain.jp2"] = encoded(image, "JPEG2000")
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


__all__ = ["SIDE", "encoded", "mutated", "picture", "seeds"]
