"""Crops of things that are not text: what a detector takes for words on facades, fences, cloth and streets.

Their strokes repeat as those of IIII, OOOO, 8888, VVV or HHH do, but have depth, neighbours above and below, and the
light of things, so that a person sees no letters. Every drawing fills its canvas; none is a lone bar, ring or cross
on a plain ground, which would be a letter. The truth of each is the empty text.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator

from signboard.synthesis import degrade
from signboard.synthesis.textures import cut, flat_image, pictures, surface

Image = np.ndarray  # (H, W, 3) uint8
Colour = tuple[int, int, int]
Drawing = Callable[[Generator, int, int], Image]

HEIGHTS = (20, 90)  # pixels, of a crop
PROPORTIONS = (0.5, 12.0)  # width over height
_MARGIN = 0.2  # of the canvas, cut off behind the warp
# Of these a narrow crop would show a single stroke, which may as well be a letter.
_LONG = frozenset({"zebra", "shadows", "reflections", "pipes", "ladder", "wires", "louvres", "balconies",
                   "fence", "railing", "jali"})  # fmt: skip
_WALLS = ("smooth", "plaster", "rough", "concrete", "drips", "bricks", "bricks2", "panels", "spots", "wood")


def negative_crop(rng: Generator) -> Image:
    """A crop that says nothing, as a detector would cut it out: (H, W, 3) uint8 RGB.

    Between 20 and 90 pixels high, between half and twelve times as wide; the label is the empty text.
    """
    height = int(rng.integers(HEIGHTS[0], HEIGHTS[1] + 1))
    low, high = np.log(PROPORTIONS)
    width = max(8, round(height * math.exp(rng.uniform(low, high))))
    kinds = [kind for kind in DRAWINGS if width > 1.6 * height or kind not in _LONG]
    return draw_negative(str(rng.choice(kinds)), rng, width, height)


def draw_negative(kind: str, rng: Generator, width: int, height: int) -> Image:
    """One of `DRAWINGS` as a crop (height, width, 3) uint8, seen a little askew, in some light, by some camera."""
    detail = 2 if height < 60 else 1  # drawn larger, shrunk later: thin lines stay lines
    wide, high = round(width * detail * (1 + 2 * _MARGIN / 2)), round(height * detail * (1 + 2 * _MARGIN))
    image = DRAWINGS[kind](rng, wide, high)
    image = _seen_askew(image, rng, width, height)
    if rng.random() < 0.6:
        image = degrade.light(image, rng)
    return degrade.camera(image, rng, height * 0.6, hard=0.5)


def _seen_askew(image: Image, rng: Generator, width: int, height: int) -> Image:
    """A quad inside `image`, a little turned and in perspective, as (height, width, 3)."""
    high, wide = image.shape[:2]
    quad = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    middle = quad.mean(axis=0)
    quad = middle + (quad - middle) / (1 + _MARGIN) * np.array([1.0, 1 / (1 + _MARGIN)])
    quad += rng.uniform(-1, 1, (4, 2)) * high * 0.07 * (rng.random() < 0.7)
    aim = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    shrink = max(1.0, high / height / 1.2)
    if shrink > 1.3:
        image = cv2.GaussianBlur(image, (0, 0), 0.35 * shrink)
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), aim)
    return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


# Helpers --------------------------------------------------------------------------------------------------------------


def _tone(rng: Generator, low: float, high: float, spread: float = 18.0) -> Colour:
    """A muted colour of about this brightness."""
    base = rng.uniform(low, high)
    values = np.clip(base + rng.normal(0, spread, 3), 0, 255)
    return int(values[0]), int(values[1]), int(values[2])


def _times(colour: Colour, factor: float) -> Colour:
    values = np.clip(np.array(colour) * factor, 0, 255)
    return int(values[0]), int(values[1]), int(values[2])


def _wall(rng: Generator, width: int, height: int, low: float = 60, high: float = 225) -> Image:
    name = str(rng.choice(_WALLS))
    colour = np.array(_tone(rng, low, high), np.float32)
    return surface(rng, colour, width, height, name=name, strength=rng.uniform(0.3, 1.0), zoom=rng.uniform(0.7, 2.0))


def _behind(rng: Generator, width: int, height: int) -> Image:
    """What is seen through a fence: a street, leaves, the sky, a wall, or the dark."""
    kind = str(rng.choice(["clutter", "foliage", "sky", "bokeh", "wall", "dark"], p=[0.3, 0.2, 0.1, 0.05, 0.2, 0.15]))
    if kind == "wall":
        return _wall(rng, width, height)
    if kind == "dark":
        return surface(rng, np.array(_tone(rng, 15, 60)), width, height, name="smooth", zoom=1.0)
    bank = pictures()[kind]
    image = cut(bank[int(rng.integers(len(bank)))], rng, width, height, zoom=rng.uniform(0.8, 2.0))
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 4.0))


def _box(image: Image, left: float, top: float, right: float, bottom: float, colour: Colour, line: int = -1) -> None:
    """A rectangle with sides in pixels; what lies outside is cut off."""
    if right >= left and bottom >= top:
        cv2.rectangle(image, (round(left), round(top)), (round(right), round(bottom)), colour, line)


def _square(image: Image, at: np.ndarray, half: float, colour: Colour, line: int = -1) -> None:
    """A square around `at` (2,) whose sides are twice `half`, pixels."""
    _box(image, at[0] - half, at[1] - half, at[0] + half, at[1] + half, colour, line)


def _shade(image: Image, left: float, top: float, right: float, bottom: float, ramp: np.ndarray) -> None:
    """Multiply a rectangle by `ramp`, (w,) across or (h, 1) down, stretched to it."""
    x0, x1 = max(0, round(left)), min(image.shape[1], round(right))
    y0, y1 = max(0, round(top)), min(image.shape[0], round(bottom))
    if x1 - x0 < 1 or y1 - y0 < 1:
        return
    down = ramp.ndim == 2
    whole = max(1, round(bottom - top) if down else round(right - left))
    stretched = np.interp(np.linspace(0, 1, whole), np.linspace(0, 1, ramp.size), ramp.ravel()).astype(np.float32)
    if down:
        gain = stretched[y0 - round(top) :][: y1 - y0, None, None]
    else:
        gain = stretched[x0 - round(left) :][None, : x1 - x0, None]
    if gain.size:
        part = image[y0 : y0 + gain.shape[0], x0 : x0 + (x1 - x0 if down else gain.shape[1])]
        np.clip(part * gain, 0, 255, out=(out := np.empty(part.shape, np.float32)))
        part[:] = out


_ROUND = np.array([0.55, 0.95, 1.25, 1.35, 1.1, 0.8, 0.5])  # the light across a cylinder
_SLAT = np.array([[1.2], [1.1], [0.9], [0.7], [0.45]])  # ... and down a slat


def _steps(rng: Generator, length: int, pitch: float) -> np.ndarray:
    """Where repeated things begin, from before the canvas to its end, pixels."""
    return np.arange(-pitch * rng.random(), length, pitch)


def _pitch(rng: Generator, height: int, low: float = 0.5, high: float = 1.0) -> tuple[float, float]:
    """Steps (right, down) of a lattice of which more than one row is seen."""
    down = height * rng.uniform(low, high) / 1.4
    return max(4.0, down * math.exp(rng.uniform(math.log(0.35), math.log(1.3)))), max(4.0, down)


# Drawings: (rng, width, height) -> (height, width, 3) uint8 ----------------------------------------------------------


def _pane(image: Image, rng: Generator, box: tuple[float, float, float, float], frame: Colour, glass: Colour) -> None:
    """A window with depth: reveal, frame, glass that mirrors the sky, bars and a sill."""
    left, top, right, bottom = box
    w, h = right - left, bottom - top
    thick = max(1.0, 0.08 * min(w, h))
    _box(image, left, top, right, bottom, _times(frame, 0.35))  # the reveal lies in shade
    _box(image, left + thick, top + thick, right, bottom, frame)
    _box(image, left + 2 * thick, top + 2 * thick, right - thick, bottom - thick, _times(glass, rng.uniform(0.6, 1.4)))
    way = np.array([[1.5], [1.1], [0.8], [0.7]]) if rng.random() < 0.6 else np.array([0.7, 1.3, 0.9])
    _shade(image, left + 2 * thick, top + 2 * thick, right - thick, bottom - thick, way)
    if rng.random() < 0.25:  # a curtain
        side = left + w * rng.uniform(0.3, 0.7)
        _box(image, left + 2 * thick, top + 2 * thick, side, bottom - thick, _tone(rng, 170, 220))
        _shade(image, left + 2 * thick, top, side, bottom, np.array([1, 0.8, 1, 0.75, 1, 0.8, 1]))


def _windows(rng: Generator, width: int, height: int) -> Image:
    image = _wall(rng, width, height)
    dx, dy = _pitch(rng, height, 0.6, 1.2)
    w, h = dx * rng.uniform(0.45, 0.8), dy * rng.uniform(0.5, 0.8)
    frame, glass = _tone(rng, 60, 250), _tone(rng, 25, 120, 14)
    bars, sill = rng.integers(0, 3, 2), rng.random() < 0.6
    missing = rng.uniform(0, 0.1)
    line = max(1, round(0.05 * h))
    xs = _steps(rng, width, dx)
    for y in _steps(rng, height, dy):
        for x in xs:
            if rng.random() < missing:
                continue
            _pane(image, rng, (x, y, x + w, y + h), frame, glass)
            for k in range(1, int(bars[0]) + 1):
                at = x + w * k / (bars[0] + 1)
                _box(image, at, y + line, at + line, y + h - line, frame)
            for k in range(1, int(bars[1]) + 1):
                at = y + h * k / (bars[1] + 1)
                _box(image, x + line, at, x + w - line, at + line, frame)
            if sill:
                _box(image, x - line, y + h, x + w + line, y + h + 2 * line, _times(frame, 1.1))
                _box(image, x - line, y + h + 2 * line, x + w + line, y + h + 3 * line, (35, 35, 38))
    return image


def _round_windows(rng: Generator, width: int, height: int) -> Image:
    image = _wall(rng, width, height)
    dx, dy = _pitch(rng, height, 0.6, 1.1)
    dx = max(dx, 0.6 * dy)
    radius = 0.5 * min(dx, dy) * rng.uniform(0.65, 0.9)
    frame, glass = _tone(rng, 40, 240), _tone(rng, 20, 130, 14)
    spokes, line = int(rng.integers(0, 4)), max(1, round(radius * 0.08))
    xs = _steps(rng, width + int(dx), dx)
    for y in _steps(rng, height + int(dy), dy):
        for x in xs:
            at = (round(x), round(y))
            cv2.circle(image, (at[0] + line, at[1] + line), round(radius), (40, 40, 42), -1, cv2.LINE_AA)
            cv2.circle(image, at, round(radius), frame, -1, cv2.LINE_AA)
            cv2.circle(image, at, max(1, round(radius * 0.82)), _times(frame, 0.5), -1, cv2.LINE_AA)
            pane = _times(glass, rng.uniform(0.6, 1.5))
            cv2.circle(image, at, max(1, round(radius * 0.76)), pane, -1, cv2.LINE_AA)
            shine = (round(radius * 0.45), round(radius * 0.25))
            up = (at[0] - round(radius * 0.15), at[1] - round(radius * 0.3))
            cv2.ellipse(image, up, shine, -30, 0, 360, _times(pane, 1.7), -1, cv2.LINE_AA)
            for k in range(spokes):
                angle = math.pi * k / max(spokes, 1)
                off = np.array([math.cos(angle), math.sin(angle)]) * radius * 0.78
                ends = [tuple(int(v) for v in np.round(np.array(at) + s * off)) for s in (1, -1)]
                cv2.line(image, ends[0], ends[1], frame, line, cv2.LINE_AA)
    return image


def _arches(rng: Generator, width: int, height: int) -> Image:
    image = _wall(rng, width, height, 110, 225)
    dx = height * rng.uniform(0.35, 0.9)
    w = dx * rng.uniform(0.55, 0.8)
    stone, dark = _tone(rng, 120, 230), _tone(rng, 15, 70)
    rows = [height * rng.uniform(0.05, 0.25)] + ([height * 0.7] if rng.random() < 0.5 else [])
    for top in rows:
        bottom = top + height * (0.55 if len(rows) > 1 else rng.uniform(0.6, 1.0))
        for x in _steps(rng, width, dx):
            middle, spring, r = x + w / 2, top + w / 2, w / 2
            for grow, colour in ((1.25, stone), (1.1, _times(stone, 0.6)), (1.0, dark)):
                size = (max(1, round(r * grow)), max(1, round(r * grow)))
                cv2.ellipse(image, (round(middle), round(spring)), size, 0, 180, 360, colour, -1, cv2.LINE_AA)
                _box(image, middle - r * grow, spring, middle + r * grow, bottom, colour)
            _shade(image, middle - r, top, middle + r, bottom, np.array([0.5, 0.7, 1.2, 1.6]))
            if rng.random() < 0.5:  # light falls in
                _shade(image, middle - r, bottom - w * 0.4, middle + r, bottom, np.array([[1.0], [1.7], [2.4]]))
        _box(image, 0, bottom, width, bottom + 0.05 * height, _times(stone, 1.1))
        _box(image, 0, bottom + 0.05 * height, width, bottom + 0.08 * height, _times(stone, 0.4))
    return image


def _balconies(rng: Generator, width: int, height: int) -> Image:
    image = _wall(rng, width, height)
    dy = height * rng.uniform(0.5, 0.9)
    dx = dy * rng.uniform(0.8, 2.2)
    bar, slab = _tone(rng, 15, 90), _tone(rng, 120, 230)
    step = max(3.0, dy * rng.uniform(0.06, 0.16))
    xs = _steps(rng, width, dx)
    for y in _steps(rng, height, dy):
        for x in xs:
            _pane(
                image,
                rng,
                (x + dx * 0.2, y + dy * 0.1, x + dx * 0.65, y + dy * 0.8),
                _tone(rng, 120, 200),
                (50, 55, 60),
            )
            floor, top = y + dy * 0.85, y + dy * 0.45
            _box(image, x + dx * 0.05, floor, x + dx * 0.85, floor + dy * 0.08, slab)
            _box(image, x + dx * 0.05, floor + dy * 0.08, x + dx * 0.85, floor + dy * 0.14, _times(slab, 0.4))
            for at in np.arange(x + dx * 0.07, x + dx * 0.85, step):
                _box(image, at, top, at + max(1.0, step * 0.25), floor, bar)
            _box(image, x + dx * 0.05, top, x + dx * 0.85, top + max(1.0, step * 0.35), bar)
    return image


def _fence(rng: Generator, width: int, height: int) -> Image:
    image = _behind(rng, width, height)
    pitch = height * rng.uniform(0.15, 0.5)
    w = pitch * rng.uniform(0.5, 0.85)
    paint = _tone(rng, 60, 245)
    top = height * rng.uniform(-0.1, 0.35)
    end = height * rng.uniform(0.8, 1.2)
    tip = rng.choice([0.0, 0.5, 1.0])
    rails = [top + (end - top) * f for f in ((0.25, 0.75) if rng.random() < 0.7 else (0.4, 0.9))]
    thick = height * rng.uniform(0.05, 0.12)
    for rail in rails:
        _box(image, 0, rail, width, rail + thick, _times(paint, 0.75))
        _box(image, 0, rail + thick, width, rail + thick * 1.3, _times(paint, 0.4))
    for x in _steps(rng, width, pitch):
        body = _times(paint, rng.uniform(0.85, 1.1))
        points = np.array([[x, end], [x, top + w * tip], [x + w / 2, top], [x + w, top + w * tip], [x + w, end]])
        cv2.fillPoly(image, [np.round(points).astype(np.int32)], body, cv2.LINE_AA)
        _shade(image, x, top + w * tip, x + w, end, np.array([1.1, 1.0, 0.95, 0.6]))
        for rail in rails:  # nails
            cv2.circle(image, (round(x + w / 2), round(rail + thick / 2)), max(1, round(w * 0.08)), (60, 55, 50), -1)
    return image


def _railing(rng: Generator, width: int, height: int) -> Image:
    image = _behind(rng, width, height)
    pitch = height * rng.uniform(0.12, 0.45)
    thick = max(2.0, pitch * rng.uniform(0.15, 0.4))
    metal = _tone(rng, 20, 200, 12)
    top, end = height * rng.uniform(-0.1, 0.3), height * rng.uniform(0.75, 1.1)
    ornament = str(rng.choice(["none", "none", "ball", "ring", "spear"]))
    for x in _steps(rng, width, pitch):
        _box(image, x, top, x + thick, end, metal)
        _shade(image, x, top, x + thick, end, _ROUND)
        middle = round(x + thick / 2)
        if ornament == "ball":
            at, r = (middle, round((top + end) / 2)), max(2, round(thick * 1.1))
            cv2.circle(image, at, r, metal, -1, cv2.LINE_AA)
            cv2.circle(image, (at[0] - r // 3, at[1] - r // 3), max(1, r // 3), _times(metal, 1.6), -1, cv2.LINE_AA)
        elif ornament == "ring":
            r = max(2, round((pitch - thick) / 2))
            at = (round(x + thick + r), round(top + r + thick))
            cv2.circle(image, at, r, _times(metal, 0.8), max(1, round(thick * 0.6)), cv2.LINE_AA)
        elif ornament == "spear":
            tip = np.array([[middle - thick, top], [middle, top - 3 * thick], [middle + thick, top]])
            cv2.fillPoly(image, [np.round(tip).astype(np.int32)], metal, cv2.LINE_AA)
    for rail in (top, end - thick, *([(top + end) / 3] if rng.random() < 0.4 else [])):
        _box(image, 0, rail, width, rail + thick * 1.4, metal)
        _shade(image, 0, rail, width, rail + thick * 1.4, _SLAT)
    return image


def _tiles(rng: Generator, width: int, height: int) -> Image:
    grout = _tone(rng, 60, 200, 6)
    image = flat_image(np.array(grout), height, width)
    dx, dy = _pitch(rng, height, 0.4, 0.9)
    gap = max(1.0, dy * rng.uniform(0.03, 0.08))
    colours = [_tone(rng, 70, 235, 25) for _ in range(int(rng.integers(1, 4)))]
    motif = str(rng.choice(["none", "diamond", "dot", "cross"]))
    xs = _steps(rng, width, dx)
    for row, y in enumerate(_steps(rng, height, dy)):
        for column, x in enumerate(xs):
            tile = _times(colours[(row + column) % len(colours)], rng.uniform(0.9, 1.1))
            _box(image, x + gap, y + gap, x + dx, y + dy, tile)
            middle = np.array([x + (dx + gap) / 2, y + (dy + gap) / 2])
            second = _times(tile, 0.65)
            if motif == "diamond":
                reach = np.array([[0, -dy], [dx, 0], [0, dy], [-dx, 0]]) * 0.32
                cv2.fillPoly(image, [np.round(middle + reach).astype(np.int32)], second, cv2.LINE_AA)
            elif motif == "dot":
                at = (round(middle[0]), round(middle[1]))
                cv2.circle(image, at, max(1, round(0.2 * min(dx, dy))), second, -1, cv2.LINE_AA)
            elif motif == "cross":
                cv2.line(
                    image, (round(x + gap), round(y + gap)), (round(x + dx), round(y + dy)), second, 1, cv2.LINE_AA
                )
                cv2.line(
                    image, (round(x + dx), round(y + gap)), (round(x + gap), round(y + dy)), second, 1, cv2.LINE_AA
                )
            _shade(image, x + gap, y + gap, x + dx, y + dy, np.array([[1.15], [1.0], [0.95]]))
    return image


def _bricks(rng: Generator, width: int, height: int) -> Image:
    image = surface(rng, np.array(_tone(rng, 110, 220, 8)), width, height, name="rough")
    h = height * rng.uniform(0.12, 0.4)
    w, gap = h * rng.uniform(1.5, 3.5), max(1.0, h * rng.uniform(0.06, 0.16))
    clay = (int(rng.uniform(110, 200)), int(rng.uniform(60, 130)), int(rng.uniform(50, 110)))
    if rng.random() < 0.3:
        clay = _tone(rng, 90, 220)
    start = -w * rng.random()
    for row, y in enumerate(_steps(rng, height, h)):
        for x in np.arange(start - (row % 2) * w / 2, width, w):
            _box(image, x + gap, y + gap, x + w, y + h, _times(clay, rng.uniform(0.7, 1.15)))
            _box(image, x + gap, y + h - max(1.0, gap / 2), x + w, y + h, _times(clay, 0.5))
    grain = surface(rng, np.array([128, 128, 128]), width, height, name="rough", strength=1.0)
    return cv2.multiply(image, grain, scale=1 / 128)


def _grille(rng: Generator, width: int, height: int) -> Image:
    image = _behind(rng, width, height)
    image = cv2.addWeighted(image, 0.6, image, 0, 0)
    pitch = height * rng.uniform(0.25, 0.6)
    thick = max(2, round(pitch * rng.uniform(0.06, 0.16)))
    metal = _tone(rng, 20, 235, 12)
    scroll = str(rng.choice(["none", "ring", "curl", "diagonal"]))
    down = pitch * rng.uniform(0.8, 1.8)
    xs, ys = _steps(rng, width + int(pitch), pitch), _steps(rng, height + int(down), down)
    for x in xs:
        _box(image, x, 0, x + thick, height, metal)
        _shade(image, x, 0, x + thick, height, _ROUND)
    for y in ys:
        _box(image, 0, y, width, y + thick, metal)
        _shade(image, 0, y, width, y + thick, _SLAT)
    for y in ys:
        for x in xs:
            middle = (round(x + pitch / 2), round(y + down / 2))
            r = max(2, round(0.32 * min(pitch, down)))
            if scroll == "ring":
                cv2.circle(image, middle, r, _times(metal, 0.85), thick, cv2.LINE_AA)
            elif scroll == "curl":
                for k, side in enumerate((-1, 1)):
                    at = (middle[0] + side * r // 2, middle[1] + side * r // 2)
                    turn = 90 + 180 * k
                    cv2.ellipse(image, at, (r // 2 + 1, r // 2 + 1), turn, 0, 270, metal, thick, cv2.LINE_AA)
            elif scroll == "diagonal":
                a, b = (round(x), round(y)), (round(x + pitch), round(y + down))
                cv2.line(image, a, b, metal, thick, cv2.LINE_AA)
                cv2.line(image, (b[0], a[1]), (a[0], b[1]), _times(metal, 0.8), thick, cv2.LINE_AA)
    return image


def _chain_link(rng: Generator, width: int, height: int) -> Image:
    image = _behind(rng, width, height)
    w = height * rng.uniform(0.15, 0.5)
    h = w * rng.uniform(0.8, 1.5)
    wire = _tone(rng, 110, 230, 8) if rng.random() < 0.7 else _tone(rng, 20, 80, 8)
    thick = max(1, round(w * rng.uniform(0.05, 0.12)))
    shift = w * rng.random()
    for shade, off in ((0.45, max(1, thick // 2)), (1.0, 0)):
        for x in np.arange(-height * w / h - w + shift, width + height * w / h + w, w):
            run = height * w / h
            for way in (1, -1):
                a = (round(x + off), off if way == 1 else height + off)
                b = (round(x + run + off), height + off if way == 1 else off)
                cv2.line(image, a, b, _times(wire, shade * (1.0 if way == 1 else 0.85)), thick, cv2.LINE_AA)
    return image


def _keyboard(rng: Generator, width: int, height: int) -> Image:
    image = surface(rng, np.array(_tone(rng, 15, 200, 5)), width, height, name="smooth")
    pitch = height * rng.uniform(0.28, 0.6)
    key = _tone(rng, 25, 240, 5)
    gap = pitch * rng.uniform(0.08, 0.2)
    for row, y in enumerate(_steps(rng, height, pitch)):
        x = -pitch * rng.random() - row % 2 * pitch / 3
        while x < width:
            w = pitch * (1.0 if rng.random() < 0.85 else rng.uniform(1.3, 2.5))
            _box(image, x + gap, y + gap, x + w, y + pitch, _times(key, 0.55))
            _box(image, x + gap, y + gap, x + w - gap, y + pitch - gap, key)
            _shade(image, x + gap, y + gap, x + w - gap, y + pitch - gap, np.array([[0.9], [1.0], [1.12]]))
            x += w
    return image


def _knitwear(rng: Generator, width: int, height: int) -> Image:
    wool = _tone(rng, 40, 225, 35)
    image = flat_image(np.array(_times(wool, 0.45)), height, width)
    w = height * rng.uniform(0.12, 0.35)
    h = w * rng.uniform(0.6, 1.0)
    thick = max(2, round(w * 0.33))
    stripes = _tone(rng, 40, 225, 35) if rng.random() < 0.3 else wool
    for row, y in enumerate(_steps(rng, height + int(2 * h), h)):
        colour = stripes if row // 2 % 2 else wool
        for x in np.arange(0, width + w, w):
            middle = (round(x + w / 2), round(y))
            for side in (-1, 1):
                end = (round(x + w / 2 + side * w * 0.42), round(y - h))
                loop = _times(colour, rng.uniform(0.88, 1.1) * (1.0 if side < 0 else 0.85))
                cv2.line(image, middle, end, loop, thick, cv2.LINE_AA)
    grain = surface(rng, np.array([128, 128, 128]), width, height, name="weave", strength=1.5)
    return cv2.multiply(image, grain, scale=1 / 128)


def _foliage(rng: Generator, width: int, height: int) -> Image:
    bank = pictures()["foliage"]
    image = cut(bank[int(rng.integers(len(bank)))], rng, width, height, zoom=rng.uniform(0.8, 3.0)).copy()
    size = height * rng.uniform(0.08, 0.3)
    green = np.array([rng.uniform(40, 130), rng.uniform(90, 180), rng.uniform(25, 80)])
    for _ in range(int(min(260, rng.uniform(1.0, 4.0) * width * height / size**2 / 2))):
        at = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        angle = rng.uniform(0, 360)
        axes = (max(2, round(size * rng.uniform(0.4, 0.8))), max(1, round(size * rng.uniform(0.15, 0.35))))
        colour = _times((int(green[0]), int(green[1]), int(green[2])), rng.uniform(0.35, 1.5))
        cv2.ellipse(image, at, axes, angle, 0, 360, colour, -1, cv2.LINE_AA)
        vein = np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))]) * axes[0]
        ends = [(round(at[0] + s * vein[0]), round(at[1] + s * vein[1])) for s in (-1, 1)]
        cv2.line(image, ends[0], ends[1], _times(colour, 1.35), 1, cv2.LINE_AA)
    return image


def _palm(rng: Generator, width: int, height: int) -> Image:
    """Fronds: a spine with narrow leaves on both sides, many VVVV."""
    image = _behind(rng, width, height)
    for _ in range(int(rng.integers(2, 5))):
        y0, y1 = rng.uniform(0, height, 2)
        green = (int(rng.uniform(30, 120)), int(rng.uniform(80, 170)), int(rng.uniform(20, 70)))
        pitch, reach = height * rng.uniform(0.05, 0.14), height * rng.uniform(0.2, 0.5)
        bend = rng.uniform(-0.3, 0.3) * height
        thick = max(1, round(pitch * 0.5))
        for x in _steps(rng, width, pitch):
            at = x / max(width, 1)
            y = y0 + (y1 - y0) * at + bend * math.sin(math.pi * at)
            for side in (-1, 1):
                end = (round(x + reach * rng.uniform(0.5, 0.7)), round(y + side * reach * rng.uniform(0.7, 1.0)))
                cv2.line(image, (round(x), round(y)), end, _times(green, rng.uniform(0.5, 1.5)), thick, cv2.LINE_AA)
    return image


def _shutter(rng: Generator, width: int, height: int) -> Image:
    paint = _tone(rng, 50, 220)
    image = surface(rng, np.array(paint), width, height, name=str(rng.choice(["smooth", "drips", "spots"])))
    pitch = height * rng.uniform(0.06, 0.3)
    for y in _steps(rng, height, pitch):
        _shade(image, 0, y, width, y + pitch, _SLAT if rng.random() < 0.97 else _SLAT * 0.8)
    if rng.random() < 0.5:
        side = width * rng.uniform(0, 1)
        _box(image, side, 0, side + height * 0.15, height, _times(paint, 0.7))
    return image


def _louvres(rng: Generator, width: int, height: int) -> Image:
    """Vents and radiators: rows of dark slots with lit edges, upright or lying."""
    image = surface(rng, np.array(_tone(rng, 90, 230, 6)), width, height, name="smooth")
    dx, dy = _pitch(rng, height, 0.4, 1.0)
    upright = rng.random() < 0.6
    dx = dy * rng.uniform(0.15, 0.35) if upright else dx
    dy = dy if upright else dy * rng.uniform(0.2, 0.4)
    w, h = (dx * 0.5, dy * 0.8) if upright else (dx * 0.85, dy * 0.5)
    xs = _steps(rng, width, dx)
    for y in _steps(rng, height, dy):
        for x in xs:
            _box(image, x + 1, y + 1, x + w + 2, y + h + 2, (240, 240, 240))
            _box(image, x, y, x + w, y + h, (25, 25, 28))
            _shade(image, x, y, x + w, y + h, np.array([[0.6], [1.5], [2.5]]))
    return image


def _pipes(rng: Generator, width: int, height: int) -> Image:
    image = _wall(rng, width, height)
    pitch = height * rng.uniform(0.2, 0.6)
    colours = [_tone(rng, 60, 230) for _ in range(3)]
    clamp = height * rng.uniform(0.1, 0.9)
    for k, x in enumerate(_steps(rng, width, pitch)):
        w = pitch * rng.uniform(0.45, 0.75)
        _box(image, x + w * 0.3, 0, x + w * 1.3, height, (45, 45, 48))
        _box(image, x, 0, x + w, height, colours[k % 3])
        _shade(image, x, 0, x + w, height, _ROUND)
        _box(image, x - w * 0.12, clamp, x + w * 1.12, clamp + height * 0.06, _times(colours[k % 3], 0.6))
        _shade(image, x - w * 0.12, clamp, x + w * 1.12, clamp + height * 0.06, _ROUND)
    return image


def _ladder(rng: Generator, width: int, height: int) -> Image:
    """Ladders beside one another, scaffolding, or one ladder on its side: HHH and IIII with depth."""
    image = _behind(rng, width, height)
    metal, thick = _tone(rng, 40, 220), max(2, round(height * rng.uniform(0.04, 0.1)))
    if rng.random() < 0.5:  # on its side
        top, end = height * 0.15, height * 0.85
        for x in _steps(rng, width, height * rng.uniform(0.2, 0.5)):
            _box(image, x, top, x + thick, end, metal)
            _shade(image, x, top, x + thick, end, _ROUND)
        for y in (top, end):
            _box(image, 0, y - thick, width, y + thick, metal)
            _shade(image, 0, y - thick, width, y + thick, _SLAT)
        return image
    dx, rung = height * rng.uniform(0.4, 0.9), height * rng.uniform(0.15, 0.4)
    braces = rng.random() < 0.5
    for x in _steps(rng, width, dx):
        w = dx if braces else dx * rng.uniform(0.5, 0.8)
        for y in _steps(rng, height, rung * (2 if braces else 1)):
            _box(image, x, y, x + w, y + thick, _times(metal, 0.8))
            _shade(image, x, y, x + w, y + thick, _SLAT)
            if braces:
                a, b = (round(x), round(y)), (round(x + w), round(y + 2 * rung))
                cv2.line(image, a, b, _times(metal, 0.7), max(1, thick // 2), cv2.LINE_AA)
        for side in (x, x + w):
            _box(image, side, 0, side + thick, height, metal)
            _shade(image, side, 0, side + thick, height, _ROUND)
    return image


def _zebra(rng: Generator, width: int, height: int) -> Image:
    image = surface(rng, np.array(_tone(rng, 50, 120, 5)), width, height, name="rough", zoom=1.5)
    pitch, lean = height * rng.uniform(0.3, 0.9), height * rng.uniform(-0.8, 0.8)
    paint = surface(rng, np.array(_tone(rng, 190, 240, 6)), width, height, name="spots", zoom=1.5)
    mask = np.zeros((height, width), np.uint8)
    far = rng.uniform(0.6, 0.9)  # stripes get narrower with distance
    for x in _steps(rng, width + round(abs(lean)), pitch):
        x -= abs(lean) / 2
        w = pitch * 0.5
        stripe = np.array([[x, height], [x + w, height], [x + lean + w * far, 0], [x + lean, 0]])
        cv2.fillPoly(mask, [np.round(stripe).astype(np.int32)], 255, cv2.LINE_AA)
    worn = surface(rng, np.array([128, 128, 128]), width, height, name="concrete", strength=2.0)[:, :, 0]
    share = (mask / 255.0 * np.clip(worn / 110.0, 0.2, 1.0))[:, :, None]
    return (image * (1 - share) + paint * share).astype(np.uint8)


def _wires(rng: Generator, width: int, height: int) -> Image:
    bank = pictures()["sky" if rng.random() < 0.7 else "clutter"]
    image = cut(bank[int(rng.integers(len(bank)))], rng, width, height).copy()
    for _ in range(int(rng.integers(3, 9))):
        y0, y1, sag = (
            rng.uniform(-0.2, 1.2, 2)[0] * height,
            rng.uniform(-0.2, 1.2) * height,
            rng.uniform(0, 0.5) * height,
        )
        x = np.linspace(0, width, 24)
        y = y0 + (y1 - y0) * x / width + sag * np.sin(np.pi * x / width)
        points = np.round(np.stack([x, y], axis=1)).astype(np.int32)
        cv2.polylines(image, [points], False, _tone(rng, 10, 70, 5), int(rng.integers(1, 4)), cv2.LINE_AA)
    for x in _steps(rng, width, height * rng.uniform(1.0, 2.5)):
        w = max(3.0, height * rng.uniform(0.05, 0.12))
        pole = _tone(rng, 60, 130)
        _box(image, x, 0, x + w, height, pole)
        _shade(image, x, 0, x + w, height, _ROUND)
        for arm in (0.15, 0.35):
            _box(image, x - 3 * w, height * arm, x + 4 * w, height * arm + w * 0.6, _times(pole, 0.8))
    return image


def _shadows(rng: Generator, width: int, height: int) -> Image:
    """Soft bars and leaves of shade on a wall or a pavement."""
    image = _wall(rng, width, height, 130, 235)
    mask: np.ndarray = np.zeros((height, width), np.uint8)
    pitch, lean = height * rng.uniform(0.15, 0.6), height * rng.uniform(-0.6, 0.6)
    for x in _steps(rng, width + int(abs(lean)), pitch):
        x -= abs(lean) / 2
        bar = np.array([[x, 0], [x + pitch * 0.4, 0], [x + lean + pitch * 0.45, height], [x + lean, height]])
        cv2.fillPoly(mask, [np.round(bar).astype(np.int32)], 255)
    for _ in range(int(rng.integers(0, 14))):
        at = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (max(1, round(height * rng.uniform(0.05, 0.2))), max(1, round(height * rng.uniform(0.05, 0.15))))
        cv2.ellipse(mask, at, axes, rng.uniform(0, 180), 0, 360, 255, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), height * rng.uniform(0.015, 0.06))
    dark = 1 - (mask / 255.0 * rng.uniform(0.3, 0.65))[:, :, None]
    return (image * dark).astype(np.uint8)


def _reflections(rng: Generator, width: int, height: int) -> Image:
    """A street in wet asphalt, water or a shop window: wavy columns of light."""
    bank = pictures()["clutter" if rng.random() < 0.6 else "bokeh"]
    image = cut(bank[int(rng.integers(len(bank)))], rng, width, height, zoom=rng.uniform(0.8, 2)).copy()
    for x in _steps(rng, width, height * rng.uniform(0.2, 0.6)):
        w = height * rng.uniform(0.05, 0.25)
        _box(image, x, height * rng.uniform(-0.1, 0.3), x + w, height * rng.uniform(0.6, 1.1), _tone(rng, 90, 255, 30))
    image = cv2.blur(image, (1, 2 * max(1, round(height * 0.08)) + 1))
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    wave = height * rng.uniform(0.02, 0.07) * np.sin(yy * 2 * np.pi / (height * rng.uniform(0.1, 0.35)) + xx * 0.02)
    image = cv2.remap(image, xx + wave.astype(np.float32), yy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return cv2.addWeighted(image, rng.uniform(0.5, 0.9), _wall(rng, width, height, 40, 140), 0.3, 0)


def _wheels(rng: Generator, width: int, height: int) -> Image:
    image = surface(rng, np.array(_tone(rng, 70, 170, 5)), width, height, name="rough", zoom=1.5)
    body = _tone(rng, 40, 220, 35)
    _box(image, 0, 0, width, height * rng.uniform(0.3, 0.55), body)
    pitch = height * rng.uniform(0.75, 1.6)
    r, middle = height * rng.uniform(0.32, 0.45), height * rng.uniform(0.5, 0.65)
    rim, spokes = _tone(rng, 120, 230, 6), int(rng.integers(5, 17))
    for x in _steps(rng, width + round(r), pitch):
        at = np.array([x, middle])
        centre = (round(x), round(middle))
        cv2.ellipse(image, (centre[0], round(middle + r)), (round(r), round(r * 0.2)), 0, 0, 360, (35, 35, 38), -1)
        cv2.circle(image, centre, round(r * 1.12), _times(body, 0.3), -1, cv2.LINE_AA)
        cv2.circle(image, centre, round(r), (30, 30, 32), -1, cv2.LINE_AA)
        cv2.circle(image, centre, round(r * 0.66), rim, -1, cv2.LINE_AA)
        cv2.circle(image, centre, round(r * 0.58), _times(rim, 0.4), -1, cv2.LINE_AA)
        for k in range(spokes):
            angle = 2 * math.pi * (k / spokes + 0.03)
            end = at + r * 0.6 * np.array([math.cos(angle), math.sin(angle)])
            thick = max(1, round(r * 0.8 / spokes))
            cv2.line(image, centre, (round(end[0]), round(end[1])), rim, thick, cv2.LINE_AA)
        cv2.circle(image, centre, max(1, round(r * 0.15)), _times(rim, 0.7), -1, cv2.LINE_AA)
    return image


def _balls(image: Image, rng: Generator, xs: np.ndarray, y: float, r: float, colour: Colour) -> None:
    """Lit balls in a row."""
    for x in xs:
        body = _times(colour, rng.uniform(0.8, 1.15))
        at = (round(x), round(y))
        cv2.circle(image, (at[0] + 1, at[1] + max(1, round(r * 0.15))), round(r), (35, 32, 30), -1, cv2.LINE_AA)
        for grow, bright, off in ((1.0, 0.6, 0.0), (0.85, 0.85, 0.1), (0.6, 1.05, 0.2), (0.2, 1.6, 0.35)):
            spot = (round(x - r * off), round(y - r * off))
            cv2.circle(image, spot, max(1, round(r * grow)), _times(body, bright), -1, cv2.LINE_AA)


def _bolts(rng: Generator, width: int, height: int) -> Image:
    """Rows of rivets on plates that overlap."""
    paint = _tone(rng, 60, 200)
    image = surface(rng, np.array(paint), width, height, name=str(rng.choice(["brushed", "drips", "spots", "rough"])))
    dy = height * rng.uniform(0.35, 0.7)
    r = height * rng.uniform(0.05, 0.14)
    for y in _steps(rng, height + int(dy), dy):
        _box(image, 0, y + 2 * r, width, y + 2 * r + max(2.0, r * 0.3), _times(paint, 0.4))
        _balls(image, rng, _steps(rng, width + int(r), r * rng.uniform(2.8, 5)), y, r, _times(paint, 1.1))
    return image


def _fruit(rng: Generator, width: int, height: int) -> Image:
    """Heaped fruit, balls or logs' ends, row behind row."""
    image = flat_image(np.array((40, 32, 28)), height, width)
    colours = ((225, 130, 30), (200, 40, 35), (140, 170, 50), (230, 200, 70), (150, 110, 70), (190, 185, 180))
    colour = colours[int(rng.integers(len(colours)))]
    r = height * rng.uniform(0.14, 0.4)
    for row, y in enumerate(_steps(rng, height + int(2 * r), r * 1.6)):
        start = -r * (row % 2) + rng.uniform(-0.2, 0.2) * r
        _balls(image, rng, np.arange(start, width + r, r * 2.0) + rng.normal(0, 0.06 * r), y, r, colour)
    return image


def _bottles(rng: Generator, width: int, height: int) -> Image:
    """A shelf with bottles or jars, without labels."""
    image = _wall(rng, width, height, 40, 160)
    shelf = height * rng.uniform(0.8, 0.95)
    x = -height * rng.random()
    while x < width:
        w, h = height * rng.uniform(0.16, 0.3), height * rng.uniform(0.5, 0.78)
        colour = _tone(rng, 40, 200, 40)
        _box(image, x, shelf - h * 0.65, x + w, shelf, colour)
        _box(image, x + w * 0.32, shelf - h, x + w * 0.68, shelf - h * 0.6, colour)
        shoulder = (round(x + w / 2), round(shelf - h * 0.65))
        cv2.ellipse(image, shoulder, (round(w / 2), round(h * 0.13)), 0, 180, 360, colour, -1, cv2.LINE_AA)
        _shade(image, x, shelf - h, x + w, shelf, np.array([0.5, 0.9, 1.6, 1.0, 0.9, 0.6]))
        _box(image, x + w * 0.3, shelf - h - w * 0.12, x + w * 0.7, shelf - h, _tone(rng, 40, 220, 40))
        x += w * rng.uniform(1.1, 1.7)
    _box(image, 0, shelf, width, shelf + height * 0.06, (150, 110, 75))
    _box(image, 0, shelf + height * 0.06, width, height, (45, 35, 30))
    return image


def _stairs(rng: Generator, width: int, height: int) -> Image:
    stone = _tone(rng, 90, 220)
    image = surface(rng, np.array(stone), width, height, name="concrete")
    pitch, upright = height * rng.uniform(0.12, 0.35), rng.random() < 0.5
    for at in _steps(rng, width if upright else height, pitch):
        ramp = np.array([1.2, 1.15, 1.1, 0.55, 0.6, 0.65])
        if upright:
            _shade(image, at, 0, at + pitch, height, ramp)
        else:
            _shade(image, 0, at, width, at + pitch, ramp[:, None])
    return image


def _jali(rng: Generator, width: int, height: int) -> Image:
    """Blocks with holes, as in walls that let the air through."""
    image = _wall(rng, width, height, 100, 225)
    side = height * rng.uniform(0.35, 0.7)
    shape = str(rng.choice(["round", "diamond", "quarters", "cross"]))
    dark, deep = _tone(rng, 15, 60), max(1, round(side * 0.06))
    xs = _steps(rng, width, side)
    for y in _steps(rng, height, side):
        for x in xs:
            _box(image, x, y, x + side, y + side, (70, 66, 62), max(1, deep // 2))
            middle = np.array([x + side / 2, y + side / 2])
            for off, colour in ((0, _times(dark, 2.2)), (deep, dark)):
                at = middle + off / 2
                r = side * 0.36 - off / 2
                if shape == "round":
                    cv2.circle(image, (round(at[0]), round(at[1])), max(1, round(r)), colour, -1, cv2.LINE_AA)
                elif shape == "diamond":
                    points = at + r * np.array([[0, -1], [1, 0], [0, 1], [-1, 0]])
                    cv2.fillPoly(image, [np.round(points).astype(np.int32)], colour, cv2.LINE_AA)
                elif shape == "cross":
                    _box(image, at[0] - r, at[1] - r / 3, at[0] + r, at[1] + r / 3, colour)
                    _box(image, at[0] - r / 3, at[1] - r, at[0] + r / 3, at[1] + r, colour)
                else:
                    for sx in (-1, 1):
                        for sy in (-1, 1):
                            spot = at + np.array([sx, sy]) * r * 0.55
                            _square(image, spot, r * 0.35, colour)
    return image


def _cloth(rng: Generator, width: int, height: int) -> Image:
    """Checks, stripes and folds."""
    image = surface(rng, np.array(_tone(rng, 50, 235, 35)), width, height, name="weave", zoom=1.5)
    for upright in (True, False):
        if rng.random() < 0.8:
            pitch, ramp = height * rng.uniform(0.1, 0.5), 1 + rng.uniform(-0.45, 0.3, int(rng.integers(3, 7)))
            hard = np.repeat(ramp, 8)
            for at in _steps(rng, width if upright else height, pitch):
                if upright:
                    _shade(image, at, 0, at + pitch, height, hard)
                else:
                    _shade(image, 0, at, width, at + pitch, hard[:, None])
    folds = 1 + rng.uniform(0.1, 0.4) * np.sin(np.linspace(0, rng.uniform(2, 9) * np.pi, 64) + rng.uniform(0, 6))
    _shade(image, 0, 0, width, height, folds)
    return image


def _wallpaper(rng: Generator, width: int, height: int) -> Image:
    """Small flat figures, at least two rows of them: rings, bars, lozenges, angles, crosses."""
    image = _wall(rng, width, height, 40, 235)
    ink = _tone(rng, 30, 235, 30)
    dy = height * rng.uniform(0.2, 0.33)
    dx = dy * rng.uniform(0.7, 1.4)
    thick, half = max(1, round(dy * 0.1)), 0.36 * min(dx, dy)
    figure = str(rng.choice(["ring", "bar", "lozenge", "angle", "cross", "arc", "box"]))
    shift = dx / 2 * (rng.random() < 0.5)
    for row, y in enumerate(_steps(rng, height + int(dy), dy)):
        for x in np.arange(-dx / 2 + shift * (row % 2), width + dx, dx):
            at = np.array([x, y])
            centre = (round(x), round(y))
            if figure == "ring":
                cv2.circle(image, centre, round(half), ink, thick, cv2.LINE_AA)
            elif figure == "arc":
                cv2.ellipse(image, centre, (round(half), round(half)), 0, 180, 360, ink, thick, cv2.LINE_AA)
            elif figure == "bar":
                _box(image, x - thick, y - half, x + thick, y + half, ink)
            elif figure == "box":
                _square(image, at, half, ink, thick)
            else:
                strokes = {
                    "lozenge": [[0, -1], [1, 0], [0, 1], [-1, 0], [0, -1]],
                    "angle": [[-1, -1], [0, 1], [1, -1]],
                    "cross": [[-1, -1], [1, 1], [0, 0], [1, -1], [-1, 1]],
                }[figure]
                points = np.round(at + half * np.array(strokes)).astype(np.int32)
                cv2.polylines(image, [points], False, ink, thick, cv2.LINE_AA)
    return image


def _edges(rng: Generator, width: int, height: int) -> Image:
    """Planes that meet: frames of signs, ledges, corners, a strip of border lines, with nothing written."""
    image = _wall(rng, width, height)
    for _ in range(int(rng.integers(1, 4))):
        left, right = sorted(rng.uniform(-0.3, 1.3, 2) * width)
        top, bottom = sorted(rng.uniform(-0.3, 1.3, 2) * height)
        plane = _wall(rng, width, height)
        x0, x1, y0, y1 = max(0, int(left)), min(width, int(right)), max(0, int(top)), min(height, int(bottom))
        if x1 - x0 > 0.3 * width and y1 > y0:
            image[y0:y1, x0:x1] = plane[y0:y1, x0:x1]
            edge = max(1, round(height * 0.03))
            _box(image, left, top, right, top + edge, _tone(rng, 20, 240))
            _box(image, left, bottom, right, bottom + 2 * edge, (40, 40, 42))
    return image


def _clutter(rng: Generator, width: int, height: int) -> Image:
    """A piece of a street, sharp or not."""
    name = str(rng.choice(["clutter", "clutter", "sky", "bokeh"]))
    bank = pictures()[name]
    return cut(bank[int(rng.integers(len(bank)))], rng, width, height, zoom=rng.uniform(0.5, 3.0))


def _pictograms(rng: Generator, width: int, height: int) -> Image:
    """Arrows, chevrons, people, cups and the like on a panel: signs that are no text."""
    dark, light = _tone(rng, 10, 100, 35), _tone(rng, 190, 255, 12)
    ground, ink = (dark, light) if rng.random() < 0.6 else (light, dark)
    image = surface(rng, np.array(ground), width, height, name="smooth", strength=0.7)
    size = height * rng.uniform(0.5, 0.66)
    pitch = size * rng.uniform(1.15, 2.0)
    kind = str(rng.choice(list(PICTOGRAMS)))
    count = max(1, int(width / pitch))
    turn = float(rng.choice([0, 0, 90, 180, 270, 45, 135]))
    framed = rng.random() < 0.3
    for k in range(count):
        at = np.array([width / 2 + (k - (count - 1) / 2) * pitch, height / 2])
        name = kind if rng.random() < 0.7 else str(rng.choice(list(PICTOGRAMS)))
        if framed:
            r = size * 0.56
            _square(image, at, r, ink, max(1, round(size * 0.05)))
        way = turn if name in ("arrow", "chevrons") else 0.0
        c, s = math.cos(math.radians(way)), math.sin(math.radians(way))
        matrix = np.array([[c, -s], [s, c]]) * size * (0.38 if framed else 0.5)
        for polygon in PICTOGRAMS[name]:
            points = np.array(polygon, np.float64) @ matrix.T + at
            cv2.fillPoly(image, [np.round(points * 8).astype(np.int32)], ink, cv2.LINE_AA, shift=3)
    return image


def _disc(x: float, y: float, r: float) -> list[tuple[float, float]]:
    return [(x + r * math.cos(a), y + r * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 20, endpoint=False)]


# Polygons in a square from -1 to 1, y down.
PICTOGRAMS: dict[str, list[list[tuple[float, float]]]] = {
    "arrow": [[(-1, -0.18), (0.2, -0.18), (0.2, -0.6), (1, 0), (0.2, 0.6), (0.2, 0.18), (-1, 0.18)]],
    "chevrons": [
        [(x - 0.3, -0.8), (x + 0.05, -0.8), (x + 0.5, 0), (x + 0.05, 0.8), (x - 0.3, 0.8), (x + 0.15, 0)]
        for x in (-0.6, 0.0, 0.6)
    ],
    "man": [
        _disc(0, -0.8, 0.2),
        [(-0.4, -0.55), (0.4, -0.55), (0.4, 0.15), (0.27, 0.15), (0.27, -0.3), (0.22, -0.3), (0.22, 1), (0.03, 1),
         (0.03, 0.25), (-0.03, 0.25), (-0.03, 1), (-0.22, 1), (-0.22, -0.3), (-0.27, -0.3), (-0.27, 0.15),
         (-0.4, 0.15)],
    ],
    "woman": [
        _disc(0, -0.8, 0.2),
        [(-0.25, -0.55), (0.25, -0.55), (0.55, 0.05), (0.42, 0.1), (0.25, -0.2), (0.5, 0.5), (0.22, 0.5), (0.22, 1),
         (0.04, 1), (0.04, 0.5), (-0.04, 0.5), (-0.04, 1), (-0.22, 1), (-0.22, 0.5), (-0.5, 0.5), (-0.25, -0.2),
         (-0.42, 0.1), (-0.55, 0.05)],
    ],
    "cup": [
        [(-0.7, -0.3), (0.5, -0.3), (0.35, 0.6), (-0.55, 0.6)],
        [(0.5, -0.2), (0.85, -0.2), (0.85, 0.3), (0.4, 0.3), (0.42, 0.15), (0.7, 0.15), (0.7, -0.05), (0.48, -0.05)],
        [(-0.8, 0.72), (0.6, 0.72), (0.6, 0.85), (-0.8, 0.85)],
        [(-0.4, -0.8), (-0.28, -0.8), (-0.28, -0.42), (-0.4, -0.42)],
        [(0.05, -0.8), (0.17, -0.8), (0.17, -0.42), (0.05, -0.42)],
    ],
    "car": [
        [(-1, 0.4), (-1, 0), (-0.6, -0.1), (-0.35, -0.5), (0.35, -0.5), (0.65, -0.1), (1, 0), (1, 0.4)],
        _disc(-0.55, 0.42, 0.24), _disc(0.55, 0.42, 0.24),
    ],
    "house": [
        [(0, -0.9), (1, 0), (0.75, 0), (0.75, 0.85), (0.2, 0.85), (0.2, 0.25), (-0.2, 0.25), (-0.2, 0.85),
         (-0.75, 0.85), (-0.75, 0), (-1, 0)],
    ],
    "flower": [_disc(0.5 * math.cos(a), 0.5 * math.sin(a), 0.33) for a in np.linspace(0, 2 * math.pi, 6)[:5]]
    + [_disc(0, 0, 0.2)],
    "star": [
        [(r * math.sin(k * math.pi / 5), -r * math.cos(k * math.pi / 5)) for k, r in enumerate((1, 0.42) * 5)],
    ],
    "leaf": [[(-1, 0.6), (-0.5, -0.3), (0.3, -0.7), (1, -0.8), (0.8, 0), (0.2, 0.6), (-0.6, 0.5), (-0.9, 0.8)]],
}  # fmt: skip

DRAWINGS: dict[str, Drawing] = {
    "windows": _windows, "round_windows": _round_windows, "arches": _arches, "balconies": _balconies, "fence": _fence,
    "railing": _railing, "tiles": _tiles, "bricks": _bricks, "grille": _grille, "chain_link": _chain_link,
    "keyboard": _keyboard, "knitwear": _knitwear, "foliage": _foliage, "palm": _palm, "shutter": _shutter,
    "louvres": _louvres, "pipes": _pipes, "ladder": _ladder, "zebra": _zebra, "wires": _wires, "shadows": _shadows,
    "reflections": _reflections, "wheels": _wheels, "bolts": _bolts, "fruit": _fruit, "bottles": _bottles,
    "stairs": _stairs, "jali": _jali, "cloth": _cloth, "edges": _edges, "clutter": _clutter,
    "pictograms": _pictograms, "wallpaper": _wallpaper,
}  # fmt: skip

__all__ = ["DRAWINGS", "draw_negative", "negative_crop"]
