"""Courses that a word may take across an upright box, and which of the readings along them to believe.

A crop that was cut along its sides alone holds an arched, sloping or receding word together with all that is around it.
Nothing says which course the word takes, so an unsure crop is straightened along each of a few dozen courses that fit
its box exactly, and the readings vote. Shi et al. 2016 ("Robust scene text recognition with automatic rectification")
have a network guess the course; here nothing has to be trained, and crops that are read surely cost nothing.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from signboard.geometry import FloatArray
from signboard.recognition.charset import letters_of

# Arcs of a circle by the angles of their ends, degrees clockwise from its top: arches, rings, and sides of rings.
_ARCS = (
    (-20, 20),
    (-35, 35),
    (-50, 50),
    (-65, 65),
    (-78, 78),
    (-95, 95),
    (-110, 110),
    (-130, 130),
    (-80, -10),
    (-80, 20),
)
_SLANTS = (10, 20, 30, 40)  # degrees by which a word is turned
_SLOPES = (0.8, 0.65, 0.5)  # height of a word with upright sides that climbs or falls, as a share of the box's
_FAR_END = 0.55  # height of a receding word's far end, as a share of the near one's
_FAR_AT = (0.0, 0.5, 1.0)  # where that end is: at the top of the box, in the middle, at the bottom
# Seen beyond both ends and above and below, as shares of the word's height.
_ENDS, _EDGES = 0.12, 0.06
_STEPS = 9  # points along each edge of an arc
# Heights of a word along an arc, as shares of the radius. Where several fit the box about as well, the one nearest to
# `_USUAL` counts; none does that misses the box's proportions by more than `_MISS`.
_HEIGHTS, _USUAL, _MISS = np.geomspace(0.03, 0.9, 60), 0.3, 0.06
_LOW, _HIGH = 0.15, 0.97  # and as shares of the box's height
# A text's weight is its best confidence and half the squares of its others. It must exceed that of what the crop was
# read as by this much, and may not be shorter: a course that cuts letters off reads the others well. With half or twice
# these numbers as many words of the validation sets are put right, but for a few.
_SUPPORT, _BY = 0.5, 0.15


def courses(height: int, width: int, *, margin: float = 1.0) -> list[FloatArray]:
    """Polygons in a box of `height` x `width` pixels, each of a word that would have just that box around it.

    Args:
        margin: factor on what is seen around the word.

    Returns:
        (4, 2) or, along an arc, (2k, 2) float32 each, pixels, clockwise from the text's top-left. Those that the box is
        too low or too narrow for are left out.
    """
    ends, edges = _ENDS * margin, _EDGES * margin
    found = [_turned(height, width, sign * angle, ends, edges) for angle in _SLANTS for sign in (1, -1)]
    if width >= 0.8 * height:
        found += [_climbing(height, width, share, up, ends, edges) for share in _SLOPES for up in (True, False)]
    found += [_receding(height, width, at, left, edges) for at in _FAR_AT for left in (True, False)]
    for start, end in _ARCS:
        for first, last in sorted({(start, end), (-end, -start)}):
            arc = _arc(height, width, first, last, ends, edges)
            if arc is not None:
                found += [arc, _mirrored(arc, height)]
    return [polygon.astype(np.float32) for polygon in found if polygon is not None]


@functools.cache
def _extents(first: float, last: float) -> FloatArray:
    """(left, top, width, height) of arcs about (0, 0) of radius 1, from `first` to `last`, for words of `_HEIGHTS`."""
    at = np.radians(np.linspace(first, last, 64))
    circle = np.stack([np.sin(at), -np.cos(at)])
    points = np.stack([np.concatenate([circle, (1 - thick) * circle], axis=1) for thick in _HEIGHTS])
    return np.concatenate([points.min(axis=2), np.ptp(points, axis=2)], axis=1)


def _arc(height: float, width: float, first: float, last: float, ends: float, edges: float) -> FloatArray | None:
    """Along a circle from `first` to `last` degrees, stretched by a little where that is needed to fill the box."""
    extents = _extents(first, last)
    miss = np.abs(np.log(extents[:, 2] * height / (extents[:, 3] * width)))
    chosen = int(np.argmin(miss + 0.01 * np.abs(np.log(_HEIGHTS / _USUAL))))
    left, top, wide, high = extents[chosen]
    thick = _HEIGHTS[chosen]
    if miss[chosen] > _MISS or not _LOW < thick / high < _HIGH:
        return None
    more = math.degrees(2 * ends * thick / (2 - thick))
    at = np.radians(np.linspace(first - more, last + more, _STEPS))
    circle = np.stack([np.sin(at), -np.cos(at)], axis=1)
    above, below = (
        (radius * circle - (left, top)) * (width / wide, height / high)
        for radius in (1 + edges * thick, 1 - (1 + edges) * thick)
    )
    return np.concatenate([above, below[::-1]])


def _mirrored(polygon: FloatArray, height: float) -> FloatArray:
    """The polygon upside down in its box, again clockwise from the text's top-left."""
    half = len(polygon) // 2
    flipped = polygon * (1, -1) + (0, height)
    return np.concatenate([flipped[half:][::-1], flipped[:half][::-1]])


def _turned(height: float, width: float, degrees: float, ends: float, edges: float) -> FloatArray | None:
    """A rectangle turned by `degrees`, upwards to the right where they are positive."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(abs(degrees)))
    # width = length * cosine + thick * sine and height = length * sine + thick * cosine
    length, thick = np.array([width * cosine - height * sine, height * cosine - width * sine]) / (cosine**2 - sine**2)
    if thick < 0.12 * height or length < 0.5 * thick:
        return None
    along = np.array([cosine, -math.copysign(sine, degrees)])
    down = np.array([-along[1], along[0]])
    along, down = along * (length / 2 + ends * thick), down * (thick / 2 + edges * thick)
    return np.array([width / 2, height / 2]) + np.array([-along - down, along - down, along + down, down - along])


def _climbing(height: float, width: float, share: float, up: bool, ends: float, edges: float) -> FloatArray:
    """A parallelogram with upright sides, `share` of the box high."""
    thick = share * height
    slope = (height - thick) / width * (-1 if up else 1)
    left = height - thick if up else 0.0
    x = np.array([-ends * thick, width + ends * thick])
    top = left + slope * x - edges * thick
    bottom = top + (1 + 2 * edges) * thick
    return np.array([[x[0], top[0]], [x[1], top[1]], [x[1], bottom[1]], [x[0], bottom[0]]])


def _receding(height: float, width: float, at: float, left: bool, edges: float) -> FloatArray:
    """A trapezium with upright sides, its lower one on the right, or on the left."""
    top = (1 - _FAR_END) * at * height
    near, far = (0.0, height), (top, top + _FAR_END * height)
    (a, b), (c, d) = (far, near) if left else (near, far)
    more = edges * height
    return np.array([[-more, a - more], [width + more, c - more], [width + more, d + more], [-more, b + more]])


def best_supported(before: tuple[str, float], readings: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """(text, confidence) of a crop that was read as `before` and along several courses as `readings`.

    Texts are compared by their letters, marks and digits, case aside. The confidence is the best one of its text.
    """
    looks: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for text, confidence in readings:
        if letters := letters_of(text):
            looks[letters].append((confidence, text))
    own = letters_of(before[0])
    same = looks.pop(own, [])
    longer = {letters: found for letters, found in looks.items() if len(letters) >= len(own)}
    if longer:
        best = max(longer, key=lambda letters: _weight([c for c, _ in longer[letters]]))
        if _weight([c for c, _ in longer[best]]) > _weight([before[1], *(c for c, _ in same)]) + _BY:
            confidence, text = max(longer[best])
            return text, confidence
    return before


def _weight(confidences: Sequence[float]) -> float:
    best, *others = sorted(confidences, reverse=True)
    return best + _SUPPORT * sum(confidence**2 for confidence in others)


__all__ = ["best_supported", "courses"]
