"""Words on arches, round badges and slopes, as they look in the upright box around them."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

# The steepest slope, radians, and how far a strip may be bent around a circle: beyond it, it would touch itself.
_STEEPEST = math.radians(65.0)
_MOST_BENT = 5.2


def shape_of_bend(rng: Generator, ratio: float) -> tuple[float, float]:
    """(bend, turn) in radians for a word `ratio` times as wide as high: `bend` as for `bend_maps`.

    A third are straight words on a slope, the others arches, mostly with their middle up and as steep as badges have
    them; a half of these is turned, as words on one side of a badge are.
    """
    if rng.random() < 0.3:
        steepest = float(np.clip(math.radians(150.0) / max(ratio, 0.1), math.radians(12.0), _STEEPEST))
        return 0.0, float(rng.uniform(math.radians(8.0), steepest)) * float(rng.choice([-1.0, 1.0]))
    # The inner edge needs a radius: the strip may be at most as high as that.
    most = min(_MOST_BENT, 1.1 * ratio)
    bend = min(float(rng.gamma(2.2, 0.55)) + 0.25, most) * (1.0 if rng.random() < 0.7 else -1.0)
    turn = float(np.clip(rng.normal(0, 0.45), -1.0, 1.0)) if rng.random() < 0.5 else float(rng.normal(0, 0.06))
    return bend, turn


def bend_maps(width: int, height: int, bend: float, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Tables for `cv2.remap` that put a strip (height, width) on a circle, turned, in the upright box around it.

    Args:
        bend: the angle that the strip spans on its circle, radians: positive with the middle up; 0: straight.
        turn: of the whole about its middle, radians, clockwise.

    Returns:
        map_x, map_y: (rows, columns) float32, source coordinates; beyond the strip where nothing of it is.
    """
    cos, sin = math.cos(turn), math.sin(turn)
    # The strip's outline where it comes to lie.
    along = np.linspace(0.0, width, 64)
    x = np.concatenate([along, along])
    y = np.concatenate([np.zeros(64), np.full(64, float(height))])
    if bend:
        radius = width / abs(bend)
        angle, distance = (x - width / 2) / radius, radius + (height / 2 - y) * np.sign(bend)
        x, y = distance * np.sin(angle), -np.sign(bend) * (distance * np.cos(angle) - radius)
    else:
        x, y = x - width / 2, y - height / 2
    x, y = cos * x - sin * y, sin * x + cos * y
    left, top = x.min(), y.min()
    columns, rows = max(2, math.ceil(x.max() - left)), max(2, math.ceil(y.max() - top))
    grid_x = (np.arange(columns) + 0.5 + left)[None]
    grid_y = (np.arange(rows) + 0.5 + top)[:, None]
    from_x, from_y = cos * grid_x + sin * grid_y, -sin * grid_x + cos * grid_y
    if bend:
        down = radius - np.sign(bend) * from_y
        angle = np.arctan2(from_x, down)
        from_y = (radius - np.hypot(from_x, down)) * np.sign(bend)
        from_x = angle * radius
    return (from_x + width / 2 - 0.5).astype(np.float32), (from_y + height / 2 - 0.5).astype(np.float32)
