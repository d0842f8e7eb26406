"""From word polygons to the maps that the detector learns, and from its probability map back to polygons.

NumPy and OpenCV only. Method: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from signboard.geometry import (
    FloatArray,
    clockwise,
    grow_quads,
    offset_polygon,
    order_quads,
    polygon_area,
    quad_areas,
    shrink_distance,
    unshrink_distance,
    unshrink_distances,
)

SHRINK_RATIO = 0.4
THRESHOLD_LOW, THRESHOLD_HIGH = 0.3, 0.7


@dataclass(frozen=True, slots=True)
class Targets:
    """What one picture should produce; every map is (H, W) float32.

    Attributes:
        kernel: 1 inside shrunken words.
        kernel_mask: 0 where nothing is learned (don't-care regions, words too small to see).
        threshold: the border map, `THRESHOLD_LOW` away from borders to `THRESHOLD_HIGH` on them.
        threshold_mask: 1 near word borders, where `threshold` is learned.
        weight: how much a pixel of a word or near its border counts beside those of other words: a power of the
            word's area, more between two words; 0 away from words.
    """

    kernel: FloatArray
    kernel_mask: FloatArray
    threshold: FloatArray
    threshold_mask: FloatArray
    weight: FloatArray


# Pixels between two words count so many times: where words are joined, hardly any pixel is wrong.
_BETWEEN = 3.0


def make_targets(
    polygons: Sequence[FloatArray],
    ignore: Sequence[bool],
    height: int,
    width: int,
    *,
    shrink_ratio: float = SHRINK_RATIO,
    min_size: float = 4.0,
    balance: float = 0.5,
) -> Targets:
    """The target maps of a picture of `height` x `width` pixels.

    Args:
        polygons: words, each (N, 2) float32 pixels; parts outside the picture are cut off.
        ignore: for each polygon, whether it is a don't-care region.
        shrink_ratio: r of the paper; the kernel is the polygon shrunk by A (1 - r^2) / L.
        min_size: words whose smallest rectangle is thinner than this, in pixels, become don't-care.
        balance: `weight` is the word's area to the power of -balance; with 1 all words count the same, with 0 all
            pixels. Source of the idea: Deng et al., "PixelLink", AAAI 2018, section 3.2.2, which has 1.
    """
    kernel = np.zeros((height, width), np.float32)
    mask = np.ones((height, width), np.float32)
    border = np.zeros((height, width), np.float32)
    border_mask = np.zeros((height, width), np.float32)
    weight = np.zeros((height, width), np.float32)
    bands = np.zeros((height, width), np.uint8)  # how many words' bands a pixel lies in
    careless: list[NDArray[np.int32]] = []
    words = [(np.asarray(polygon, np.float32), skip) for polygon, skip in zip(polygons, ignore, strict=True)]
    for polygon, skip in sorted(words, key=lambda word: -_area(word[0])):  # small words are drawn over large ones
        x0, y0 = polygon.min(axis=0)
        x1, y1 = polygon.max(axis=0)
        if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
            continue
        outline = np.round(polygon - 0.5).astype(np.int32)
        size = min(cv2.minAreaRect(polygon)[1])
        distance = shrink_distance(polygon, shrink_ratio)
        kernels = [] if skip or size < min_size or distance <= 0 else offset_polygon(polygon, -distance)
        if not kernels:
            careless.append(outline)
            continue
        cv2.fillPoly(kernel, [np.round(max(kernels, key=_area) - 0.5).astype(np.int32)], 1.0)
        _draw_border(polygon, distance, border, border_mask, weight, bands, max(_area(polygon), 1.0) ** -balance)
    np.multiply(weight, _BETWEEN, out=weight, where=(bands > 1) & (kernel == 0))
    for outline in careless:  # last, so that a don't-care region also hides what it overlaps
        cv2.fillPoly(mask, [outline], 0.0)
        cv2.fillPoly(border_mask, [outline], 0.0)
    threshold = border * (THRESHOLD_HIGH - THRESHOLD_LOW) + THRESHOLD_LOW
    return Targets(kernel, mask, threshold, border_mask, weight)


def _area(polygon: FloatArray) -> float:
    return abs(polygon_area(polygon))


def _draw_border(
    polygon: FloatArray,
    distance: float,
    border: FloatArray,
    border_mask: FloatArray,
    weight: FloatArray,
    bands: NDArray[np.uint8],
    value: float,
) -> None:
    """Raise `border` to 1 on the outline of `polygon`, falling to 0 `distance` pixels from it; mark that band.

    `weight` becomes `value` on the grown polygon, and `bands` rises by one.
    """
    height, width = border.shape
    grown = offset_polygon(polygon, distance)
    if not grown:
        return
    outer = max(grown, key=_area)
    x0, y0 = np.maximum(np.floor(outer.min(axis=0)).astype(int) - 1, 0)
    x1 = min(int(np.ceil(outer[:, 0].max())) + 2, width)
    y1 = min(int(np.ceil(outer[:, 1].max())) + 2, height)
    if x1 <= x0 or y1 <= y0:
        return
    shift = np.array([x0 + 0.5, y0 + 0.5], np.float32)
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(inside, [np.round(outer - shift).astype(np.int32)], 1)
    line = np.ones_like(inside)
    cv2.polylines(line, [np.round(polygon - shift).astype(np.int32)], True, 0)
    near = 1.0 - np.minimum(cv2.distanceTransform(line, cv2.DIST_L2, 3) / max(distance, 1.0), 1.0)
    near *= inside
    view = border[y0:y1, x0:x1]
    np.maximum(view, near, out=view)
    view_mask = border_mask[y0:y1, x0:x1]
    np.maximum(view_mask, inside, out=view_mask)
    np.copyto(weight[y0:y1, x0:x1], np.float32(value), where=inside > 0)
    bands[y0:y1, x0:x1] += inside


def polygons_from_map(
    probability: FloatArray,
    *,
    threshold: float = 0.3,
    box_threshold: float = 0.5,
    shrink_ratio: float = SHRINK_RATIO,
    min_size: float = 3.0,
    max_candidates: int = 1000,
    curved: bool = True,
) -> tuple[list[FloatArray], list[float]]:
    """Word polygons in a probability map.

    Args:
        probability: (H, W) float32, 0 to 1: how sure the network is that a pixel lies in a word's kernel.
        threshold: pixels above it belong to kernels.
        box_threshold: words whose mean probability is lower are dropped.
        shrink_ratio: the ratio that the network was trained with; kernels are grown back accordingly.
        min_size: kernels thinner than this many pixels of the map are dropped.
        max_candidates: at most so many kernels, the largest first.
        curved: give bent words a polygon of 14 points, 7 along the top and 7 back along the bottom.

    Returns:
        polygons, each (4, 2) or (14, 2) float32 in the map's pixels, clockwise from the text's top-left; a score each.
    """
    binary = (probability > threshold).view(np.uint8)
    contours, _ = cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    if len(contours) > max_candidates:
        contours = sorted(contours, key=cv2.contourArea, reverse=True)[:max_candidates]
    seen = [_seen(probability, contour) for contour in contours if _may_be_word(probability, contour, box_threshold)]
    seen = [region for region in seen if region.score >= box_threshold]
    if not seen:
        return [], []
    # Contours run through pixel centres; half a pixel on each side belongs to the kernel too. Not so along slanted
    # edges, where the outermost of the stairs' pixels already make up for it.
    quads = order_quads(np.stack([cv2.boxPoints(cv2.minAreaRect(region.points)) for region in seen]))
    edges = quads[:, 1] - quads[:, 0]
    quads = grow_quads(quads, 0.5 * (1.0 - np.abs(np.sin(2.0 * np.arctan2(edges[:, 1], edges[:, 0])))))
    sides = np.linalg.norm(quads[:, [1, 3]] - quads[:, :1], axis=2).min(axis=1)
    fills = np.array([region.pixels for region in seen]) / np.maximum(np.abs(quad_areas(quads)), 1.0)
    grown = grow_quads(quads, unshrink_distances(quads, shrink_ratio))
    polygons: list[FloatArray] = []
    scores: list[float] = []
    for i in np.flatnonzero(sides >= min_size):
        region, polygon = seen[i], grown[i]
        if curved and fills[i] < 0.72:
            bent = _bent_polygon(region.mask, region.origin, quads[i], shrink_ratio)
            polygon = polygon if bent is None else bent
        polygons.append(polygon)
        scores.append(region.score)
    return polygons, scores


class _Region(NamedTuple):
    """The pixels inside a contour: outline, mean probability, number, mask, and the (x, y) origin of the mask."""

    points: FloatArray
    score: float
    pixels: int
    mask: NDArray[np.uint8]
    origin: tuple[int, int]


def _may_be_word(probability: FloatArray, contour: NDArray[Any], box_threshold: float) -> bool:
    """Whether a contour is thick enough, and anything inside probable enough, for a word: a quick look at its box."""
    x, y, w, h = cv2.boundingRect(contour)
    return min(w, h) > 1 and float(probability[y : y + h, x : x + w].max()) >= box_threshold


def _seen(probability: FloatArray, contour: NDArray[Any]) -> _Region:
    x, y, w, h = cv2.boundingRect(contour)
    mask = np.zeros((h, w), np.uint8)
    cv2.drawContours(mask, [contour], 0, 1, cv2.FILLED, offset=(-x, -y))
    score = float(cv2.mean(probability[y : y + h, x : x + w], mask)[0])
    points = contour[:, 0].astype(np.float32) + 0.5
    return _Region(points, score, cv2.countNonZero(mask), mask, (x, y))


def _bent_polygon(
    mask: NDArray[np.uint8], origin: tuple[int, int], quad: FloatArray, shrink_ratio: float, count: int = 7
) -> FloatArray | None:
    """A polygon of 2 x `count` points along a bent kernel, grown back to the word; None if the kernel is no band."""
    length = float(np.linalg.norm(quad[1] - quad[0]))
    depth = float(np.linalg.norm(quad[3] - quad[0]))
    if depth > length:  # bent vertical words: along the longer side
        quad = np.roll(quad, -1, axis=0)
        length, depth = depth, length
    width, height = round(length), max(round(depth), 1)
    if width < 3 * count or length < 1.5 * depth:
        return None
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad - np.array(origin, np.float32), target)
    flat = cv2.warpPerspective(mask, matrix, (width, height), flags=cv2.INTER_NEAREST)
    columns = flat.any(axis=0)
    if columns.mean() < 0.8:
        return None
    at = np.flatnonzero(columns)
    top = np.interp(np.arange(width), at, flat.argmax(axis=0)[at])
    bottom = np.interp(np.arange(width), at, height - flat[::-1].argmax(axis=0)[at])
    thickness = float(np.median(bottom - top))
    if thickness * 1.6 > depth:  # a thick blob with bites taken out of it is not a bent band
        return None
    # A parabola through the middle of the band is stiff enough to ignore notches, and follows an arch.
    x = np.linspace(0, width, count)
    middle = np.polyval(np.polyfit(np.arange(width) + 0.5, (top + bottom) / 2, 2), x)
    slope = np.gradient(middle, x)
    normal = np.stack([-slope, np.ones_like(slope)], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    band = np.array([[0, 0], [length, 0], [length, thickness], [0, thickness]], np.float32)
    grow = unshrink_distance(band, shrink_ratio)
    centre = np.stack([x, middle], axis=1)
    along = np.stack([normal[:, 1], -normal[:, 0]], axis=1)
    centre[0] -= along[0] * grow
    centre[-1] += along[-1] * grow
    offset = normal * (thickness / 2 + grow)
    ring = np.concatenate([centre - offset, (centre + offset)[::-1]]).astype(np.float32)[:, None]
    back = cv2.perspectiveTransform(ring, np.linalg.inv(matrix))[:, 0] + np.array(origin, np.float32)
    return clockwise(back.astype(np.float32))


__all__ = ["SHRINK_RATIO", "Targets", "make_targets", "polygons_from_map"]
