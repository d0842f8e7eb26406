"""Procedural surfaces and photo-like clutter: built once per process, then only cut, flipped, tinted and blended.

A modulation tile is (S, S, 3) uint8 around 128: a colour image is multiplied by tile / 128. A picture tile is RGB.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.random import Generator

Image = np.ndarray  # (H, W, 3) uint8
SIZE = 512


def fractal(rng: Generator, size: int, *, coarse: int = 4, octaves: int = 6, roughness: float = 0.55) -> np.ndarray:
    """(size, size) float32 noise of zero mean and unit deviation: octaves of upscaled white noise."""
    total = np.zeros((size, size), np.float32)
    weight, cells = 1.0, coarse
    for _ in range(octaves):
        layer = rng.standard_normal((min(cells, size), min(cells, size))).astype(np.float32)
        total += weight * cv2.resize(layer, (size, size), interpolation=cv2.INTER_CUBIC)
        weight *= roughness
        cells *= 2
    return (total - total.mean()) / (total.std() + 1e-6)


def _modulation(field: np.ndarray, amplitude: float) -> Image:
    tile = np.clip(128.0 * (1.0 + amplitude * field), 0, 255).astype(np.uint8)
    return np.repeat(tile[:, :, None], 3, axis=2) if tile.ndim == 2 else tile


def _bricks(rng: Generator, width: int, height: int) -> np.ndarray:
    field = np.zeros((SIZE, SIZE), np.float32)
    for row, y in enumerate(range(0, SIZE, height)):
        for x in range(-(row % 2) * width // 2, SIZE, width):
            field[y : y + height, max(0, x) : x + width] = rng.normal(0, 0.8)
    field += 0.5 * fractal(rng, SIZE, coarse=32, octaves=4)
    mortar = max(1, height // 9)
    for row, y in enumerate(range(0, SIZE, height)):
        field[y : y + mortar] = 1.6
        for x in range(-(row % 2) * width // 2, SIZE, width):
            field[y : y + height, max(0, x) : max(0, x + mortar)] = 1.6
    return field


def _waves(period: float, *, sharp: float = 1.0) -> np.ndarray:
    y = np.arange(SIZE, dtype=np.float32)[:, None]
    wave = np.sin(2 * np.pi * y / period)
    return np.broadcast_to(np.sign(wave) * np.abs(wave) ** sharp, (SIZE, SIZE)).copy()


def _grid(rng: Generator, width: int, height: int, line: int) -> np.ndarray:
    field = 0.35 * fractal(rng, SIZE, coarse=4, octaves=4)
    for y in range(0, SIZE, height):
        for x in range(0, SIZE, width):
            field[y : y + height, x : x + width] += rng.normal(0, 0.25)
    for y in range(0, SIZE, height):
        field[y : y + line] = -2.0
        field[y + line : y + 2 * line] += 0.7
    for x in range(0, SIZE, width):
        field[:, x : x + line] = -2.0
        field[:, x + line : x + 2 * line] += 0.7
    return field


@lru_cache(maxsize=1)
def surfaces() -> dict[str, Image]:
    """Named modulation tiles, (SIZE, SIZE, 3) uint8 around 128; the same in every process."""
    rng = np.random.default_rng(20240)
    smooth = fractal(rng, SIZE, coarse=2, octaves=3, roughness=0.5)
    plaster = fractal(rng, SIZE, coarse=6, octaves=7, roughness=0.6)
    grain = rng.standard_normal((SIZE, SIZE)).astype(np.float32)
    streaks = cv2.GaussianBlur(grain, (0, 0), sigmaX=18, sigmaY=0.5)
    drips = cv2.GaussianBlur(grain, (0, 0), sigmaX=2.5, sigmaY=40) * 30
    wood = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), sigmaX=30, sigmaY=1.3)
    wood = wood / wood.std() + 0.5 * smooth
    for y in range(0, SIZE, 85):
        wood[y : y + 2] = -3.5
    stains = np.clip(fractal(rng, SIZE, coarse=5, octaves=6) - 0.6, 0, 2) * -1.2
    spots = (cv2.GaussianBlur(grain, (0, 0), 1.2) * 4 > 1.9).astype(np.float32) * -1.5
    weave = _waves(4) * 0.5 + _waves(4).T * 0.5 + 0.4 * smooth
    sparkle = cv2.GaussianBlur(grain, (0, 0), 0.8) * 2
    tiles = {
        "smooth": _modulation(smooth, 0.07),
        "smooth2": _modulation(fractal(rng, SIZE, coarse=2, octaves=2), 0.10),
        "plaster": _modulation(plaster, 0.10),
        "rough": _modulation(plaster + 0.6 * sparkle, 0.16),
        "concrete": _modulation(0.6 * plaster + stains + 0.4 * spots, 0.16),
        "drips": _modulation(0.7 * drips + 0.5 * smooth + stains * 0.5, 0.13),
        "brushed": _modulation(streaks / streaks.std() * 0.7 + smooth, 0.07),
        "wood": _modulation(wood, 0.13),
        "bricks": _modulation(_bricks(rng, 64, 24), 0.14),
        "bricks2": _modulation(_bricks(rng, 120, 44), 0.13),
        "shutter": _modulation(_waves(22, sharp=0.6) + 0.25 * smooth, 0.16),
        "shutter2": _modulation(_waves(38, sharp=1.5) + 0.25 * smooth, 0.2),
        "ribs": _modulation(_waves(30, sharp=0.7).T + 0.25 * smooth, 0.12),
        "panels": _modulation(_grid(rng, 256, 170, 2), 0.12),
        "wall_tiles": _modulation(_grid(rng, 64, 48, 2), 0.10),
        "weave": _modulation(weave, 0.10),
        "spots": _modulation(spots + 0.7 * smooth, 0.14),
        "sparkle": _modulation(sparkle + smooth, 0.06),
    }
    return tiles


def _clutter(rng: Generator) -> Image:
    """A street-like jumble: planes, windows, poles and blobs, softly blurred."""
    base = rng.integers(40, 210, 3).astype(np.float32)
    picture = np.clip(base + fractal(rng, SIZE, coarse=3, octaves=4)[:, :, None] * 25, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(14, 40))):
        color = tuple(int(c) for c in np.clip(rng.normal(rng.integers(40, 220), 30, 3), 0, 255))
        x, y = rng.integers(-60, SIZE, 2)
        kind = rng.random()
        if kind < 0.5:
            w, h = (10 ** rng.uniform(0.8, 2.3, 2)).astype(int)
            cv2.rectangle(picture, (int(x), int(y)), (int(x + w), int(y + h)), color, -1)
        elif kind < 0.65:
            cv2.ellipse(picture, (int(x), int(y)), tuple(int(v) for v in rng.integers(5, 80, 2)), 0, 0, 360, color, -1)
        elif kind < 0.85:
            end = (int(x + rng.normal(0, 200)), int(y + rng.normal(0, 200)))
            cv2.line(picture, (int(x), int(y)), end, color, int(rng.integers(1, 12)), cv2.LINE_AA)
        else:
            columns, rows, step = int(rng.integers(2, 7)), int(rng.integers(2, 6)), int(rng.integers(16, 48))
            for i in range(columns):
                for j in range(rows):
                    corner = (int(x + i * step), int(y + j * step))
                    cv2.rectangle(picture, corner, (corner[0] + step * 2 // 3, corner[1] + step * 3 // 4), color, -1)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    muted = float(rng.uniform(0.25, 0.8))  # streets are greyer than random colours
    picture = cv2.addWeighted(picture, muted, grey, 1 - muted, 0)
    return cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.6, 3.5)))


def _foliage(rng: Generator) -> Image:
    """Leaves: thresholded noise in greens, from dark gaps to lit tips, with some sky behind."""
    field = fractal(rng, SIZE, coarse=10, octaves=6, roughness=0.75)
    light = fractal(rng, SIZE, coarse=3, octaves=3)
    value = np.clip(0.45 + 0.22 * field + 0.15 * light, 0, 1)[:, :, None]
    dark, lit = np.array([18, 28, 14], np.float32), np.array([150, 175, 85], np.float32) * rng.uniform(0.7, 1.2)
    picture = dark + (lit - dark) * value
    sky = (field + 0.8 * light > rng.uniform(1.2, 2.6)).astype(np.float32)[:, :, None]
    picture = picture * (1 - sky) + np.array([205, 215, 225], np.float32) * sky
    return np.clip(picture, 0, 255).astype(np.uint8)


def _sky(rng: Generator) -> Image:
    top = np.array([rng.uniform(60, 200), rng.uniform(130, 210), rng.uniform(190, 245)])
    bottom = np.array([rng.uniform(190, 240), rng.uniform(205, 240), rng.uniform(215, 250)])
    ramp = np.linspace(0, 1, SIZE)[:, None, None]
    clouds = np.clip(fractal(rng, SIZE, coarse=3, octaves=6) - 0.2, 0, 2)[:, :, None] * rng.uniform(0, 45)
    return np.clip(top + (bottom - top) * ramp + clouds, 0, 255).astype(np.uint8)


def _bokeh(rng: Generator) -> Image:
    """Night or out-of-focus light dots."""
    picture = np.clip(rng.normal(30, 15, 3) + fractal(rng, SIZE, coarse=3, octaves=3)[:, :, None] * 12, 0, 255)
    picture = picture.astype(np.uint8)
    for _ in range(int(rng.integers(10, 40))):
        color = tuple(int(c) for c in rng.integers(60, 255, 3))
        cv2.circle(picture, tuple(int(v) for v in rng.integers(0, SIZE, 2)), int(rng.integers(3, 25)), color, -1)
    return cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(2, 9)))


@lru_cache(maxsize=1)
def pictures() -> dict[str, tuple[Image, ...]]:
    """Named banks of photo-like RGB tiles, each (SIZE, SIZE, 3) uint8; the same in every process."""
    rng = np.random.default_rng(20241)
    return {
        "clutter": tuple(_clutter(rng) for _ in range(14)),
        "foliage": tuple(_foliage(rng) for _ in range(4)),
        "sky": tuple(_sky(rng) for _ in range(4)),
        "bokeh": tuple(_bokeh(rng) for _ in range(4)),
    }


@lru_cache(maxsize=1)
def noise_bank() -> tuple[np.ndarray, ...]:
    """Sensor noise of unit deviation 32: white colour noise, white grey noise, coarse chroma noise; (SIZE, SIZE, 3)."""
    rng = np.random.default_rng(20242)
    color = rng.standard_normal((SIZE, SIZE, 3))
    grey = np.repeat(rng.standard_normal((SIZE, SIZE, 1)), 3, axis=2)
    coarse = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE, 3)), (0, 0), 1.3)
    coarse = coarse / coarse.std() * 0.8 + 0.5 * grey
    return tuple(np.clip(field * 32, -127, 127).astype(np.int8) for field in (0.6 * color + 0.8 * grey, grey, coarse))


@lru_cache(maxsize=1)
def masks() -> tuple[np.ndarray, ...]:
    """Fractal fields of zero mean and unit deviation, (SIZE, SIZE) float32, for wear, stains and uneven light."""
    rng = np.random.default_rng(20243)
    return (
        fractal(rng, SIZE, coarse=40, octaves=4, roughness=0.8),
        fractal(rng, SIZE, coarse=16, octaves=6, roughness=0.75),
        fractal(rng, SIZE, coarse=2, octaves=3, roughness=0.5),
    )


def cut(tile: np.ndarray, rng: Generator, width: int, height: int, *, zoom: float = 1.0) -> np.ndarray:
    """A random window of a square tile as (height, width, ...), mirrored at random and resized when it must be.

    `zoom` > 1 takes a smaller window, so that the pattern looks larger.
    """
    size = tile.shape[0]
    need_w, need_h = max(2, int(width / zoom)), max(2, int(height / zoom))
    take_w, take_h = min(size, need_w), min(size, need_h)
    x, y = int(rng.integers(0, size - take_w + 1)), int(rng.integers(0, size - take_h + 1))
    window = tile[y : y + take_h, x : x + take_w]
    if (take_w, take_h) != (width, height):
        window = cv2.resize(window, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        window = window[:, ::-1]
    return np.ascontiguousarray(window)


def flat_image(color: np.ndarray, height: int, width: int) -> Image:
    """One colour (3,) as a (height, width, 3) uint8 picture, written row by row because NumPy fills triples slowly."""
    row = np.empty((width, 3), np.uint8)
    row[:] = np.minimum(np.maximum(color, 0), 255)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = row
    return image


def surface(
    rng: Generator, color: np.ndarray, width: int, height: int, *, name: str, strength: float = 1.0, zoom: float = 1.0
) -> Image:
    """A plane of `color` (3,) with the surface `name`: (height, width, 3) uint8."""
    tile = cut(surfaces()[name], rng, width, height, zoom=zoom)
    if strength != 1.0:
        tile = cv2.addWeighted(tile, strength, tile, 0.0, 128.0 * (1.0 - strength))
    return cv2.multiply(flat_image(color, height, width), tile, scale=1.0 / 128.0)
