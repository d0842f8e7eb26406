"""Draws a reading on its photo: polygons and, beside them, what was read, in a typeface that has both scripts.

Labels keep clear of each other and, as far as there is room, of the words of the photo. A line with a translation shows
the English in place of its letters.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import struct
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

from signboard.reading import Line, Polygon, Reading, Word

FONT_PATH = Path(__file__).parent / "fonts" / "Mukta-SemiBold.ttf"
"""Mukta SemiBold (Ek Type, SIL Open Font License 1.1): Latin, Devanagari, digits and the rupee sign in one file."""

_SURE, _UNSURE = (0, 150, 60), (210, 90, 0)  # outline of words above and below a confidence of one half
_SIGN = (30, 90, 220)
_LEAST_TEXT = 10  # pixels; nobody reads less
_SMALL_TEXT, _LARGE_TEXT = 1 / 90, 1 / 20  # of the picture's longer side: what labels begin with
_SHRINKS = (1.0, 0.8, 0.64, 0.5)
_PLATE, _INK = (255, 255, 255, 215), (0, 0, 0, 255)
_ENGLISH_PLATE, _ENGLISH_INK = (250, 250, 245, 250), (10, 40, 110, 255)

# Drawn instead of characters that the typeface lacks, where there is something plain that means the same.
_SUBSTITUTES = {"‐": "-", "‑": "-", "−": "-", "‒": "-", "―": "-", "′": "'", "″": '"', "‛": "'", "⁄": "/", "×": "x"}
_SUBSTITUTES |= {"☎": "Tel.", "✆": "Tel.", "→": ">", "←": "<", "↑": "^", "ॱ": "."}


def annotate(pixels: np.ndarray, reading: Reading, *, scale: float = 1.0) -> Image.Image:
    """The photo with the outline of every word and sign, each word's text beside it, and translations over their lines.

    A label for which there is no room, even small, is left out; its outline stays.

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
    for line in reading.lines:
        if _has_english(line):
            _cover(image, line, scale)
            _outline(draw, _points(line.polygon, scale), _color(line.words), max(2, stroke))
            continue
        for word in line.words:
            _outline(draw, _points(word.polygon, scale), _color((word,)), max(2, stroke + 1))
    # Labels come last: an outline must not cross a neighbour's text.
    for label in place_labels(reading, image.size, scale=scale):
        draw.rectangle(label.box, fill=_PLATE)
        draw.text(label.origin, label.text, font=_font(label.size), fill=_INK)
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


Box = tuple[float, float, float, float]
"""Left, top, right, bottom in the picture's pixels."""


def _box(polygon: Polygon, scale: float) -> Box:
    points = np.array(_points(polygon, scale))
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def _height(words: Sequence[Word]) -> float:
    """The typical height of words, pixels of the photo."""
    boxes = np.array([_box(word.polygon, 1.0) for word in words])
    return float(np.median(np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])))


class _Room:
    """The picture's space: where the photo's words are, and where labels stand already."""

    def __init__(self, size: tuple[int, int], words: list[Box]) -> None:
        self.size = size
        self.words = np.array(words, dtype=np.float64).reshape(-1, 4)
        self.taken: list[Box] = []

    def place(self, own: Box, wide: float, tall: float) -> tuple[float, Box] | None:
        """The best place for a label of this size beside `own`, with its cost; None when all are taken.

        The cost is the share of the label that lies over words of the photo.
        """
        left, top, right, bottom = own
        rows = (top - tall, bottom, top, bottom - tall, (top + bottom - tall) / 2)
        above, below, upper, lower, middle = rows
        corners = [
            (left, above), (left, below), (right - wide, above), (right - wide, below), (right, middle),
            (left - wide, middle), (left, upper), (left, lower), (right - wide, upper), (right - wide, lower),
        ]  # fmt: skip
        best: tuple[float, Box] | None = None
        for number, (x, y) in enumerate(corners):
            x = float(round(min(max(x, 0.0), max(self.size[0] - wide, 0.0))))  # letters on whole pixels are crisp
            if number >= 6:  # inside the word, which may reach past the picture's edge
                y = min(max(y, 0.0), max(self.size[1] - tall, 0.0))
            y = float(round(y))
            if y < 0 or y + tall > self.size[1]:
                continue
            box = (x, y, x + wide, y + tall)
            # A pixel of overlap is no harm.
            if self.taken and _overlaps(box, np.array(self.taken)).max() > wide + tall:
                continue
            over = float(_overlaps(box, self.words).sum()) / (wide * tall) if len(self.words) else 0.0
            cost = over + 0.01 * number
            if best is None or cost < best[0]:
                best = cost, box
        return best


def _overlaps(box: Box, boxes: np.ndarray) -> np.ndarray:
    """(n,) square pixels that `box` has in common with each of `boxes` (n, 4)."""
    wide = np.minimum(boxes[:, 2], box[2]) - np.maximum(boxes[:, 0], box[0])
    tall = np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1])
    return np.maximum(wide, 0) * np.maximum(tall, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Label:
    """A word's text on its plate: `box` is the plate, `origin` where the text is drawn, `size` that of its letters."""

    text: str
    box: Box
    origin: tuple[float, float]
    size: int


def place_labels(reading: Reading, size: tuple[int, int], *, scale: float = 1.0) -> list[Label]:
    """Labels for the words of lines without English, none over another, all inside a picture of `size` pixels.

    Each stands where it covers least of the photo's words. The labels of a line have letters of one size: smaller ones
    where larger ones would cover words. A word without room for a label has none.
    """
    room = _Room(size, [_box(word.polygon, scale) for word in reading.words])
    room.taken += [_box(line.polygon, scale) for line in reading.lines if _has_english(line)]
    lines = [line for line in reading.lines if not _has_english(line)]
    labels: list[Label] = []
    # Large lines first: they are read first, and small labels find room more easily.
    for line in sorted(lines, key=lambda line: -_height(line.words)):
        labels += _line_labels(room, line, scale)
    return labels


def _line_labels(room: _Room, line: Line, scale: float) -> list[Label]:
    """The line's labels at the best size; they are taken from `room`."""
    words = [(text, _box(word.polygon, scale)) for word in line.words if (text := drawable(word.text))]
    longer = max(room.size)
    least = max(longer * _SMALL_TEXT, _LEAST_TEXT)
    begin = float(np.clip(0.55 * _height(line.words) * scale, least, max(longer * _LARGE_TEXT, least)))
    best: tuple[float, list[Label]] = (float("inf"), [])
    before = len(room.taken)
    for size in sorted({max(round(begin * shrink), _LEAST_TEXT) for shrink in _SHRINKS}, reverse=True):
        # Small letters must be worth it: they cost as much as covering a part of a word; a label left out costs more.
        cost = 0.4 * (1 - size / begin) * len(words)
        labels = []
        for text, own in words:
            left, top, right, bottom = _font(size).getbbox(text)
            pad = max(1, round(size / 8))
            found = room.place(own, right - left + 2 * pad, bottom - top + 2 * pad)
            cost += 1.5 if found is None else found[0]
            if found is not None:
                room.taken.append(found[1])
                labels.append(Label(text, found[1], (found[1][0] + pad - left, found[1][1] + pad - top), size))
        del room.taken[before:]
        if cost < best[0]:
            best = cost, labels
    room.taken += [label.box for label in best[1]]
    return best[1]


def _has_english(line: Line) -> bool:
    return bool(line.translation and drawable(line.translation))


def _color(words: Sequence[Word]) -> tuple[int, int, int]:
    return _SURE if sum(word.confidence for word in words) >= 0.5 * len(words) else _UNSURE


def _cover(image: Image.Image, line: Line, scale: float) -> None:
    """The line's English on a plate that lies over its letters and runs as they do."""
    corners = np.array(_points(line.polygon, scale))
    wide = float(np.linalg.norm(corners[1] - corners[0]))
    tall = float(np.linalg.norm(corners[3] - corners[0]))
    if min(wide, tall) < 2:
        return
    # Drawn upright at twice the size, then laid over the line: slanted letters keep smooth edges.
    plate = Image.new("RGBA", (max(round(2 * wide), 4), max(round(2 * tall), 4)), _ENGLISH_PLATE)
    pen = ImageDraw.Draw(plate)
    text, size = _fit(pen, drawable(line.translation or ""), plate.size)
    middle = (plate.width / 2, plate.height / 2)
    pen.multiline_text(middle, text, font=_font(size), fill=_ENGLISH_INK, anchor="mm", align="center", spacing=0)
    target = np.round(corners - corners.min(axis=0)).astype(np.float64)
    extent = tuple(int(value) + 1 for value in target.max(axis=0))
    laid = plate.transform(
        (max(extent[0], 1), max(extent[1], 1)),
        Image.Transform.PERSPECTIVE,
        _perspective(target, plate.size),
        Image.Resampling.BICUBIC,
    )
    left, top = np.round(corners.min(axis=0)).astype(int).tolist()
    image.paste(laid, (left, top), laid)


def _fit(pen: ImageDraw.ImageDraw, text: str, size: tuple[int, int]) -> tuple[str, int]:
    """The text on as many lines, and in letters as large, as fill a plate of this size best."""
    words = text.split()
    best = (text, 2 * _LEAST_TEXT)
    largest = 0
    for rows in range(1, min(len(words), 3) + 1):
        wrapped = _wrap(words, rows)
        low, high = 4, max(round(0.86 * size[1]), 5)
        while low < high:
            middle = (low + high + 1) // 2
            ink = pen.multiline_textbbox((0, 0), wrapped, font=_font(middle), spacing=0)
            fits = ink[2] - ink[0] <= 0.96 * size[0] and ink[3] - ink[1] <= 0.94 * size[1]
            low, high = (middle, high) if fits else (low, middle - 1)
        if low > largest:
            largest, best = low, (wrapped, low)
    return best


def _wrap(words: list[str], rows: int) -> str:
    """Words on this many lines of about the same length."""
    total = len(" ".join(words))
    lines: list[list[str]] = [[]]
    for word in words:
        length = sum(len(line) + sum(map(len, line)) for line in lines)
        if lines[-1] and len(lines) < rows and length + len(word) / 2 > total * len(lines) / rows:
            lines.append([])
        lines[-1].append(word)
    return "\n".join(" ".join(line) for line in lines)


def _perspective(target: np.ndarray, size: tuple[int, int]) -> list[float]:
    """The eight numbers that Pillow wants to take a rectangle of `size` to the corners `target` (4, 2)."""
    source = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float64)
    rows = []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solved, *_ = np.linalg.lstsq(np.array(rows), source.reshape(-1), rcond=None)
    return solved.tolist()  # type: ignore[no-any-return]


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
