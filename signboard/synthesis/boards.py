"""Sign boards: lines laid out on a ground with borders, bands, logos and arrows, in the board's own flat frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from .fonts import Face, FontLibrary
from .lettering import (
    Color,
    Image,
    Mask,
    Runs,
    Setting,
    Style,
    TextMask,
    board_colors,
    contrast,
    letters_for,
    paint,
    sample_night_style,
    sample_style,
    set_words,
    stretch,
)
from .lexicon import Lexicon
from .textures import cut, pictures
from .words import arch_map, arch_points, ground

_SIZES = (16, 24, 36, 54, 80, 120)


@dataclass(frozen=True, slots=True)
class FlatWord:
    """A word on a board: `polygon` (2k, 2) float64 in board pixels, clockwise from the text's top-left; its text."""

    polygon: np.ndarray
    text: str


@dataclass(frozen=True, slots=True)
class FlatLine:
    """A painted line: coverage `mask` with its top-left corner at (x, y) of the board, style, letter height, words."""

    mask: Mask
    x: int
    y: int
    style: Style
    letter: float
    words: tuple[FlatWord, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """A finished flat board: (H, W, 3) uint8 picture and its words."""

    image: Image
    words: tuple[FlatWord, ...]


class _Typesetter:
    """Remembers one face a script, so that a sign's lines go together, and sets lines to a wanted size."""

    def __init__(self, rng: Generator, fonts: FontLibrary) -> None:
        self.rng = rng
        self.fonts = fonts
        self.faces: dict[bool, Face] = {}

    def words(self, line: str) -> list[tuple[str, Runs]]:
        """The words of `line` that can be drawn, with their runs; unicase faces make them upper case."""
        result = []
        for word in line.split():
            native = any("\u0900" <= c <= "\u097f" for c in word)
            face = self.faces.get(native)
            runs = self.fonts.runs(self.rng, word, face=face)
            if runs is not None and any(face.unicase for _, face in runs) and word != word.upper():
                word = word.upper()
                runs = self.fonts.runs(self.rng, word, face=runs[0][1])
            if runs is None:
                continue
            if face is None or self.rng.random() < 0.05:
                self.faces[native] = runs[-1][1]
            result.append((word, runs))
        return result

    def forget(self) -> None:
        self.faces.clear()


def _box_polygon(box: np.ndarray, pad: float) -> np.ndarray:
    x0, y0, x1, y1 = box + np.array([-pad, -pad, pad, pad])
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)


def set_line(
    rng: Generator,
    setter: _Typesetter,
    line: str,
    size: float,
    width: float,
    *,
    style: Style,
    arched: bool = False,
    least: float = 11.0,
) -> FlatLine | None:
    """Sets `line` about `size` pixels per em and no wider than `width`: condensed, then smaller, then with fewer words.

    Returns:
        The line at (0, 0), or None when nothing fits or can be drawn.
    """
    words = setter.words(line)
    size = max(size, least)
    em = next((s for s in _SIZES if s >= size), _SIZES[-1])
    scale = size / em
    tracking = em * float(rng.uniform(0.04, 0.3)) if rng.random() < 0.1 else 0.0
    gap = em * float(rng.uniform(0.22, 0.45)) + tracking
    squeeze = float(rng.uniform(0.7, 1.0)) if rng.random() < 0.25 else 1.0
    text: TextMask | None = None
    while words:
        text = set_words([runs for _, runs in words], em, gap=gap, setting=Setting(tracking))
        if text is None:
            return None
        wide = text.mask.shape[1] * scale * squeeze
        if wide <= width:
            break
        squeeze_to = max(0.66, squeeze * width / wide)
        shrink = max(least / size, min(1.0, width / (text.mask.shape[1] * scale * squeeze_to)))
        if text.mask.shape[1] * scale * squeeze_to * shrink <= width + 1:
            squeeze, scale = squeeze_to, scale * shrink
            break
        words.pop()
    if text is None or not words:
        return None
    slant = float(rng.uniform(0.08, 0.28)) if rng.random() < 0.07 else 0.0
    text = stretch(text, scale * squeeze, scale, slant, 1 if rng.random() < 0.08 and em * scale > 26 else 0)
    mask = text.mask
    letter = float(min(mask.shape[0], em * scale))
    grown = max(style.outline, 0.0) * letter * (0.0 if style.hollow else 1.0) + 0.02 * letter
    polygons = [_box_polygon(box, grown) for box in text.boxes]
    height, width_px = mask.shape
    if arched and width_px > 2.2 * height:
        bend = float(rng.uniform(0.35, 1.3)) * (1 if rng.random() < 0.75 else -1)
        map_x, map_y, _ = arch_map(width_px, height, bend)
        mask = cv2.remap(mask, map_x, map_y, cv2.INTER_LINEAR)
        curved = []
        for polygon in polygons:
            count = 7 if polygon[1, 0] - polygon[0, 0] > 1.5 * height else 4
            along = np.linspace(0, 1, count)[:, None]
            top = polygon[0] + (polygon[1] - polygon[0]) * along
            bottom = polygon[2] + (polygon[3] - polygon[2]) * along
            curved.append(arch_points(np.concatenate([top, bottom]), width_px, height, bend))
        polygons = curved
    flat = tuple(FlatWord(polygon, word) for polygon, (word, _) in zip(polygons, words, strict=True))
    return FlatLine(mask, 0, 0, style, letter, flat)


def _moved(line: FlatLine, x: int, y: int) -> FlatLine:
    words = tuple(FlatWord(word.polygon + np.array([x, y]), word.text) for word in line.words)
    return FlatLine(line.mask, line.x + x, line.y + y, line.style, line.letter, words)


def lay_out(
    rng: Generator,
    setter: _Typesetter,
    lines: list[str],
    area: tuple[int, int, int, int],
    styles: list[Style],
    *,
    least: float = 11.0,
) -> list[FlatLine]:
    """Sets `lines` below one another inside `area` (x0, y0, x1, y1), the first the largest, each in its style."""
    x0, y0, x1, y1 = area
    width, height = x1 - x0, y1 - y0
    if width < 20 or height < 14:
        return []
    sizes = [1.0] + [float(rng.uniform(0.4, 1.0)) for _ in lines[1:]]
    if rng.random() < 0.3:
        sizes = [1.0] * len(lines)
    if len(lines) > 1 and rng.random() < 0.2:
        sizes[0], sizes[1] = sizes[1], sizes[0]
    lead = float(rng.uniform(1.05, 1.45))
    unit = height / (sum(sizes) * lead)
    aligned = rng.random()
    placed: list[FlatLine] = []
    total = 0
    for index, (line, size) in enumerate(zip(lines, sizes, strict=True)):
        arched = index == 0 and rng.random() < 0.06
        made = set_line(
            rng, setter, line, unit * size, width, style=styles[min(index, len(styles) - 1)], arched=arched, least=least
        )
        if made is None:
            continue
        if total + made.mask.shape[0] > height:
            break
        placed.append(made)
        total += made.mask.shape[0]
        if rng.random() < 0.12:
            setter.forget()
    if not placed:
        return []
    spare = height - total
    gap = min(spare / (len(placed) + 1), unit * 0.6)
    gap = max(gap, min(2.0, spare / (len(placed) + 1)))
    y = y0 + (spare - gap * (len(placed) - 1)) / 2
    result = []
    for item in placed:
        free = width - item.mask.shape[1]
        x = x0 + (free / 2 if aligned < 0.65 else 0 if aligned < 0.9 else rng.uniform(0, max(free, 0)))
        result.append(_moved(item, round(x), round(y)))
        y += item.mask.shape[0] + gap
    return result


def paint_line(image: Image, line: FlatLine, rng: Generator) -> None:
    """Paints `line` into `image` in place, with room for outlines and shadows, clipped at the border."""
    pad = int(line.letter * (0.7 if line.style.neon else 0.3)) + 3
    height, width = image.shape[:2]
    mask = cv2.copyMakeBorder(line.mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    x, y = line.x - pad, line.y - pad
    x0, y0, x1, y1 = max(0, x), max(0, y), min(width, x + mask.shape[1]), min(height, y + mask.shape[0])
    if x1 - x0 < 3 or y1 - y0 < 3:
        return
    window = np.ascontiguousarray(image[y0:y1, x0:x1])
    image[y0:y1, x0:x1] = paint(window, mask[y0 - y : y1 - y, x0 - x : x1 - x], line.style, line.letter, rng)


# Things on boards that are not text -----------------------------------------------------------------------------


def draw_logo(rng: Generator, image: Image, center: tuple[int, int], radius: int, color: Color, other: Color) -> None:
    """An emblem: disc, ring, shield or diamond with a simple figure inside; in place."""
    first, second = (tuple(int(c) for c in np.clip(v, 0, 255)) for v in (color, other))
    x, y = center
    kind = rng.random()
    if kind < 0.5:
        cv2.circle(image, center, radius, first, -1 if rng.random() < 0.7 else max(1, radius // 6), cv2.LINE_AA)
    elif kind < 0.7:
        cv2.rectangle(image, (x - radius, y - radius), (x + radius, y + radius), first, -1)
    else:
        corners = np.array([[0, -1], [0.9, -0.4], [0.75, 0.7], [0, 1], [-0.75, 0.7], [-0.9, -0.4]]) * radius
        cv2.fillPoly(image, [(corners + np.array(center)).astype(np.int32)], first, cv2.LINE_AA)
    inner = max(2, int(radius * rng.uniform(0.35, 0.7)))
    kind = rng.random()
    if kind < 0.3:
        points = int(rng.integers(3, 9)) * 2
        angle = np.linspace(0, 2 * np.pi, points, endpoint=False) + rng.uniform(0, 6)
        reach = np.where(np.arange(points) % 2, inner * rng.uniform(0.3, 0.8), inner)
        star = np.stack([x + np.cos(angle) * reach, y + np.sin(angle) * reach], axis=1)
        cv2.fillPoly(image, [star.astype(np.int32)], second, cv2.LINE_AA)
    elif kind < 0.6:
        blob = (rng.normal(0, 0.6, (int(rng.integers(4, 9)), 2)) * inner + np.array(center)).astype(np.int32)
        cv2.fillPoly(image, [cv2.convexHull(blob)], second, cv2.LINE_AA)
    elif kind < 0.8:
        for k in range(int(rng.integers(2, 5))):
            turn = float(rng.uniform(0, 180))
            cv2.ellipse(
                image, center, (inner, max(1, inner // 3)), turn + 45 * k, 0, 360, second, 1 + radius // 14, cv2.LINE_AA
            )
    else:
        cv2.line(image, (x - inner, y), (x + inner, y), second, max(1, inner // 3))
        cv2.line(image, (x, y - inner), (x, y + inner), second, max(1, inner // 3))


def draw_arrow(rng: Generator, image: Image, center: tuple[int, int], size: int, color: Color) -> None:
    """A direction arrow about `size` pixels long, pointing along one of eight directions; in place."""
    angle = float(rng.integers(8)) * np.pi / 4 if rng.random() < 0.4 else float(rng.integers(4)) * np.pi / 2
    thick = rng.uniform(0.1, 0.2)
    head = rng.uniform(0.22, 0.38)
    half, neck = thick / 2, 0.5 - head
    upper = [(-0.5, -half), (neck, -half), (neck, -head)]
    lower = [(neck, head), (neck, half), (-0.5, half)]
    shape = np.array([*upper, (0.5, 0.0), *lower])
    cos, sin = np.cos(angle), np.sin(angle)
    points = shape @ np.array([[cos, sin], [-sin, cos]]) * size + np.array(center)
    cv2.fillPoly(image, [points.astype(np.int32)], tuple(int(c) for c in np.clip(color, 0, 255)), cv2.LINE_AA)


def _border(rng: Generator, image: Image, board: Color, fill: Color) -> int:
    """A frame around the board, in place. Returns how many pixels it takes from each side."""
    height, width = image.shape[:2]
    short = min(height, width)
    color = tuple(int(c) for c in np.clip(fill if rng.random() < 0.6 else letters_for(rng, board, least=50), 0, 255))
    thick = max(1, int(short * rng.uniform(0.01, 0.05)))
    inset = int(short * rng.uniform(0.0, 0.05))
    cv2.rectangle(image, (inset, inset), (width - 1 - inset, height - 1 - inset), color, thick)
    if rng.random() < 0.2:
        second = inset + 2 * thick + 1
        cv2.rectangle(image, (second, second), (width - 1 - second, height - 1 - second), color, max(1, thick // 2))
        return second + thick
    return inset + thick


def _styles(rng: Generator, board: Color, fill: Color, count: int, *, night: bool, plain: float) -> list[Style]:
    """One style a line: the first may be fancy, the others are plainer and at times of another colour."""
    if night:
        glow = sample_night_style(rng)
        return [Style(fill=glow.fill, neon=True)] * count
    styles = [sample_style(rng, board, fill, plain=plain)]
    for _ in range(count - 1):
        color = fill if rng.random() < 0.6 else letters_for(rng, board, least=75)
        styles.append(sample_style(rng, board, color, plain=0.85))
    return styles


def make_board(
    rng: Generator, fonts: FontLibrary, lexicon: Lexicon, width: int, height: int, devanagari: float
) -> Board:
    """A flat sign of `width` x `height` pixels."""
    board, fill = board_colors(rng)
    if contrast(board, fill) < 60:
        fill = letters_for(rng, board)
    night = rng.random() < 0.04
    if night:
        board = rng.uniform(0, 40, 3).astype(np.float32)
        fill = np.array([250, 250, 245], np.float32)
    image = ground(rng, board, width, height)
    if rng.random() < 0.06:  # a printed picture under the letters, kept faint
        bank = pictures()["clutter"]
        photo = cut(bank[int(rng.integers(len(bank)))], rng, width, height, zoom=rng.uniform(0.5, 1.5))
        image = cv2.addWeighted(photo, 0.3, image, 0.7, 0)
    setter = _Typesetter(rng, fonts)
    margin = _border(rng, image, board, fill) if rng.random() < 0.45 else 0
    margin += int(min(width, height) * rng.uniform(0.03, 0.12)) + 2
    area = [margin, margin, width - margin, height - margin]
    lines: list[FlatLine] = []

    def block(texts: list[str], box: tuple[int, int, int, int], ground_color: Color, color: Color) -> None:
        styles = _styles(rng, ground_color, color, len(texts), night=night, plain=0.5)
        lines.extend(lay_out(rng, setter, texts, box, styles))

    texts = lexicon.board(rng, devanagari)
    aspect = width / height
    most = max(1, min(len(texts), int(height / 18)))
    texts = texts[:most]
    if aspect > 5:
        texts = texts[: 1 + int(rng.random() < 0.3)]
    if rng.random() < 0.16 and height > 120:  # a notice or a price list: many small lines
        script = "devanagari" if rng.random() < devanagari else "latin"
        texts += [lexicon.line(rng, script) for _ in range(int(rng.integers(2, 7)))]

    # Bands of another colour above or below, as shop boards have them for names, addresses and phone numbers.
    for side in (0, 1):
        if rng.random() < 0.2 and height > 60 and not night:
            band = int(height * rng.uniform(0.16, 0.32))
            color = letters_for(rng, board, least=40)
            ink = letters_for(rng, color)
            top = 0 if side == 0 else height - band
            image[top : top + band] = ground(rng, color, width, band)
            text = lexicon.line(
                rng, "digits" if side and rng.random() < 0.5 else "devanagari" if rng.random() < devanagari else "latin"
            )
            inner = max(2, int(band * 0.12))
            block([text], (margin, top + inner, width - margin, top + band - inner), color, ink)
            area[1 if side == 0 else 3] = (band + 3) if side == 0 else height - band - 3
    x0, y0, x1, y1 = area
    # Emblems and arrows take their place from the text's area.
    for side in (0, 1):
        if rng.random() < 0.2 and x1 - x0 > 2.2 * (y1 - y0) and y1 - y0 > 24:
            room = int((y1 - y0) * rng.uniform(0.6, 1.0))
            center = (x0 + room // 2 if side == 0 else x1 - room // 2, (y0 + y1) // 2)
            if rng.random() < 0.6:
                draw_logo(
                    rng, image, center, int(room * 0.45), letters_for(rng, board, least=40), letters_for(rng, board)
                )
            elif rng.random() < 0.7:
                draw_arrow(rng, image, center, int(room * 0.8), fill)
            else:
                bank = pictures()["clutter"]
                half = int(room * 0.45)
                window = image[center[1] - half : center[1] + half, max(0, center[0] - half) : center[0] + half]
                if window.size:
                    window[:] = cut(bank[int(rng.integers(len(bank)))], rng, window.shape[1], window.shape[0], zoom=0.5)
            x0, x1 = (x0 + room + 4, x1) if side == 0 else (x0, x1 - room - 4)
    if rng.random() < 0.12 and x1 - x0 > 2.5 * (y1 - y0) and y1 - y0 > 30 and len(texts) > 1:
        middle = int(x0 + (x1 - x0) * rng.uniform(0.35, 0.65))
        second, ink = board, fill
        if rng.random() < 0.5 and not night:
            second = letters_for(rng, board, least=30)
            ink = letters_for(rng, second)
            image[y0:y1, middle:x1] = ground(rng, second, x1 - middle, y1 - y0)
        block(texts[:1], (x0, y0, middle - 8, y1), board, fill)
        block(texts[1:], (middle + 8, y0 + 2, x1 - 6, y1 - 2), second, ink)
    else:
        block(texts, (x0, y0, x1, y1), board, fill)
        if rng.random() < 0.1 and len(lines) > 1:  # a rule between two lines
            y = lines[-1].y - 3
            if y0 < y < y1:
                cv2.line(image, (x0, y), (x1, y), tuple(int(c) for c in fill), max(1, height // 90))
    for line in lines:
        paint_line(image, line, rng)
    return Board(image, tuple(word for line in lines for word in line.words))


def wall_text(
    rng: Generator, fonts: FontLibrary, lexicon: Lexicon, width: int, height: int, wall: Color, devanagari: float
) -> list[FlatLine]:
    """Lines painted or mounted straight on a wall of mean colour `wall`, in a flat frame of `width` x `height`."""
    fill = letters_for(rng, wall, least=90)
    texts = lexicon.board(rng, devanagari)[: max(1, int(height / 30))]
    styles = _styles(rng, wall, fill, len(texts), night=False, plain=0.4)
    return lay_out(rng, _Typesetter(rng, fonts), texts, (0, 0, width, height), styles)
