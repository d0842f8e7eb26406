"""Draws a reading on its photo: polygons and, beside them, what was read, in a typeface that has both scripts."""

from __future__ import annotations

import functools
import io
import struct
import unicodedata
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

from signboard.reading import Reading, Word

FONT_PATH = Path(__file__).parent / "fonts" / "Mukta-SemiBold.ttf"
"""Mukta SemiBold (Ek Type, SIL Open Font License 1.1): Latin, Devanagari, digits and the rupee sign in one file."""

_SURE, _UNSURE = (0, 150, 60), (210, 90, 0)  # outline of words above and below a confidence of one half
_SIGN = (30, 90, 220)
_MIN_TEXT, _MAX_TEXT = 11, 64  # pixels

# Drawn instead of characters that the typeface lacks, where there is something plain that means the same.
_SUBSTITUTES = {"‐": "-", "‑": "-", "−": "-", "‒": "-", "―": "-", "′": "'", "″": '"', "‛": "'", "⁄": "/", "×": "x"}
_SUBSTITUTES |= {"☎": "Tel.", "✆": "Tel.", "→": ">", "←": "<", "↑": "^", "ॱ": "."}


def annotate(pixels: np.ndarray, reading: Reading, *, scale: float = 1.0) -> Image.Image:
    """The photo with the outline of every word and sign, and each word's text above its outline.

    Args:
        pixels: (H, W, 3) uint8 RGB, the photo, upright.
        reading: polygons in pixels of the upright original.
        scale: size of `pixels` over the original's, when the photo was opened smaller.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    draw = ImageDraw.Draw(image, "RGBA")
    stroke = max(1, round(max(image.size) / 800))
    for sign in reading.signs:
        if len(sign.lines) > 1 or len(sign.lines[0].words) > 1:
            _outline(draw, _points(sign.polygon, scale), _SIGN, stroke)
    for word in reading.words:
        color = _SURE if word.confidence >= 0.5 else _UNSURE
        _outline(draw, _points(word.polygon, scale), color, stroke + 1 if stroke > 1 else 2)
    # Labels come last: an outline must not cross a neighbour's text.
    for word in reading.words:
        _label(draw, image.size, word, scale)
    return image


def encode(image: Image.Image, suffix: str, *, quality: int = 90) -> bytes:
    """The picture as the bytes of a file of this ending. Nothing of the original's EXIF goes along."""
    kind = {".png": "PNG", ".webp": "WEBP"}.get(suffix.lower(), "JPEG")
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    return buffer.getvalue()


def drawable(text: str) -> str:
    """`text` without characters that the typeface would draw as empty boxes; plain substitutes where there are some."""
    known = font_characters()
    pieces: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        if ord(char) in known:
            pieces.append(char)
            continue
        # "ﬁ" as "fi", "①" as "1", a letter with a rare accent without it.
        plain = _SUBSTITUTES.get(char) or "".join(c for c in unicodedata.normalize("NFKD", char) if ord(c) in known)
        pieces.append(plain)
    return "".join(pieces).strip()


@functools.cache
def font_characters() -> frozenset[int]:
    """The code points that the typeface can draw."""
    return frozenset(_character_map(FONT_PATH.read_bytes()))


@functools.lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    # raqm joins consonants and moves vowel signs; without it Devanagari would be drawn letter by letter.
    engine = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
    return ImageFont.truetype(io.BytesIO(FONT_PATH.read_bytes()), size, layout_engine=engine)


def _points(polygon: tuple[tuple[float, float], ...], scale: float) -> list[tuple[float, float]]:
    # Pixel (0, 0) covers 0 to 1 in our coordinates, and is the point (0, 0) in Pillow's.
    return [(x * scale - 0.5, y * scale - 0.5) for x, y in polygon]


def _outline(
    draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], color: tuple[int, int, int], width: int
) -> None:
    draw.line([*points, points[0], points[1]], fill=(*color, 230), width=width, joint="curve")


def _label(draw: ImageDraw.ImageDraw, size: tuple[int, int], word: Word, scale: float) -> None:
    """The word's text on a light plate above its polygon, or below or inside where there is no room."""
    text = drawable(word.text)
    if not text:
        return
    points = np.array(_points(word.polygon, scale))
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    height = float(np.clip(0.55 * min(right - left, bottom - top), _MIN_TEXT, _MAX_TEXT))
    font = _font(round(height))
    box = draw.textbbox((0, 0), text, font=font)
    wide, tall = box[2] - box[0], box[3] - box[1]
    pad = max(1, round(height / 8))
    y = top - tall - 2 * pad
    if y < 0:
        y = bottom if bottom + tall + 2 * pad <= size[1] else max(0.0, top)
    x = max(0.0, min(left, size[0] - wide - 2 * pad))
    draw.rectangle((x, y, x + wide + 2 * pad, y + tall + 2 * pad), fill=(255, 255, 255, 205))
    draw.text((x + pad - box[0], y + pad - box[1]), text, font=font, fill=(0, 0, 0, 255))


def _character_map(data: bytes) -> set[int]:
    """Code points of a TrueType file's cmap table, formats 4 and 12 (OpenType specification, "cmap")."""
    tables = struct.unpack(">H", data[4:6])[0]
    offset = None
    for index in range(tables):
        tag, _, start, _ = struct.unpack(">4sIII", data[12 + 16 * index : 28 + 16 * index])
        if tag == b"cmap":
            offset = start
    if offset is None:
        raise ValueError("a typeface without a cmap table")
    points: set[int] = set()
    for index in range(struct.unpack(">H", data[offset + 2 : offset + 4])[0]):
        _, _, start = struct.unpack(">HHI", data[offset + 4 + 8 * index : offset + 12 + 8 * index])
        table = data[offset + start :]
        kind = struct.unpack(">H", table[:2])[0]
        if kind == 4:
            points |= _segments(table)
        elif kind == 12:
            groups = struct.unpack(">I", table[12:16])[0]
            for group in range(groups):
                first, last, _ = struct.unpack(">III", table[16 + 12 * group : 28 + 12 * group])
                points.update(range(first, last + 1))
    return points


def _segments(table: bytes) -> set[int]:
    """Code points with a glyph in a format 4 subtable."""
    double = struct.unpack(">H", table[6:8])[0]
    count = double // 2
    ends = struct.unpack(f">{count}H", table[14 : 14 + double])
    starts = struct.unpack(f">{count}H", table[16 + double : 16 + 2 * double])
    deltas = struct.unpack(f">{count}H", table[16 + 2 * double : 16 + 3 * double])
    base = 16 + 3 * double
    offsets = struct.unpack(f">{count}H", table[base : base + double])
    points = set()
    for index, (first, last, delta, shift) in enumerate(zip(starts, ends, deltas, offsets, strict=True)):
        for point in range(first, min(last, 0xFFFE) + 1):
            glyph = (point + delta) & 0xFFFF
            if shift:
                place = base + 2 * index + shift + 2 * (point - first)
                glyph = struct.unpack(">H", table[place : place + 2])[0]
            if glyph:
                points.add(point)
    return points
