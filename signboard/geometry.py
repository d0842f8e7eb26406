"""Polygons and the crops cut along them: pure functions on NumPy arrays, shared by every stage.

Frame: pixels, x right, y down. A polygon is (N, 2) float32, N >= 4, clockwise on the screen from the text's top-left,
so for a quad: top-left, top-right, bottom-right, bottom-left. A polygon with 2k > 4 points holds k points along the
text's top edge and then k points back along its bottom edge.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ImageArray = NDArray[np.uint8]

# pyclipper works on integers: coordinates are scaled by this before offsetting and back after.
_CLIPPER_SCALE = 64.0
_NEXT = [1, 2, 3, 0]  # the corner behind each of a quad
_LEAST_PART = 0.1  # width of the narrowest part of a line, as a share of its height


def polygon_area(polygon: FloatArray) -> float:
    """Signed area of `polygon` (N, 2) in square pixels: positive when clockwise on the screen (shoelace formula)."""
    return float(cv2.contourArea(np.asarray(polygon, dtype=np.float32), oriented=True))


def polygon_perimeter(polygon: FloatArray) -> float:
    """Length of the closed outline of `polygon` (N, 2), pixels."""
    return float(cv2.arcLength(np.asarray(polygon, dtype=np.float32), closed=True))


def clockwise(polygon: FloatArray) -> FloatArray:
    """`polygon` (N, 2) with its points in clockwise order on the screen; the first point stays the first."""
    polygon = np.asarray(polygon, dtype=np.float32)
    if polygon_area(polygon) < 0:
        polygon = np.concatenate([polygon[:1], polygon[:0:-1]])
    return polygon


def order_quad(quad: FloatArray) -> FloatArray:
    """The four points of `quad` (4, 2) clockwise, beginning where the edge that points most to the right begins.

    That is the top-left corner for text that is turned by less than 45 degrees.
    """
    quad = clockwise(quad)
    points = quad.tolist()
    edges = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    slopes = [x / max(math.hypot(x, y), 1e-6) for x, y in edges]
    start = slopes.index(max(slopes))
    return np.concatenate([quad[start:], quad[:start]])


def order_quads(quads: FloatArray) -> FloatArray:
    """`order_quad` of many quads (N, 4, 2) at once."""
    quads = np.asarray(quads, dtype=np.float32)
    area = quad_areas(quads)
    quads = np.where((area < 0)[:, None, None], quads[:, [0, 3, 2, 1]], quads)
    edges = quads[:, _NEXT] - quads  # (N, 4, 2)
    lengths = np.maximum(np.linalg.norm(edges, axis=2), 1e-6)
    start = np.argmax(edges[..., 0] / lengths, axis=1)
    return np.take_along_axis(quads, ((start[:, None] + np.arange(4)) % 4)[..., None], axis=1)


def quad_areas(quads: FloatArray) -> NDArray[np.float64]:
    """`polygon_area` of many quads (N, 4, 2) at once: (N,)."""
    x, y = np.moveaxis(np.asarray(quads, dtype=np.float64), 2, 0)
    return np.asarray(0.5 * (x * y[:, _NEXT] - x[:, _NEXT] * y).sum(axis=1))


def offset_polygon(polygon: FloatArray, distance: float) -> list[FloatArray]:
    """`polygon` (N, 2) grown by `distance` pixels (shrunk if negative): a list, as it may split or vanish.

    Source: Vatti clipping as used by Liao et al., "Real-time Scene Text Detection with Differentiable Binarization".
    """
    clipper = pyclipper.PyclipperOffset(miter_limit=2.0)
    path = np.round(np.asarray(polygon, dtype=np.float64) * _CLIPPER_SCALE).astype(np.int64)
    clipper.AddPath(path.tolist(), pyclipper.JT_MITER, pyclipper.ET_CLOSEDPOLYGON)
    return [np.asarray(p, dtype=np.float32) / _CLIPPER_SCALE for p in clipper.Execute(distance * _CLIPPER_SCALE)]


def overlap_share(a: FloatArray, b: FloatArray) -> float:
    """The area that two polygons (N, 2) have in common, over the smaller one's."""
    smaller = min(abs(polygon_area(a)), abs(polygon_area(b)))
    if smaller <= 0:
        return 0.0
    clipper = pyclipper.Pyclipper()
    try:
        clipper.AddPath(_sixteenths(a), pyclipper.PT_SUBJECT, True)
        clipper.AddPath(_sixteenths(b), pyclipper.PT_CLIP, True)
    except pyclipper.ClipperException:  # thinner than can be clipped
        return 0.0
    paths = clipper.Execute(pyclipper.CT_INTERSECTION, pyclipper.PFT_NONZERO, pyclipper.PFT_NONZERO)
    common = 0.0
    for path in paths:
        common += abs(polygon_area((np.asarray(path) / 16).astype(np.float32)))
    return common / smaller


def _sixteenths(polygon: FloatArray) -> list[list[int]]:
    return np.round(np.asarray(polygon, np.float64) * 16).astype(np.int64).tolist()


def shrink_distance(polygon: FloatArray, ratio: float) -> float:
    """How far, in pixels, `polygon` is shrunk for a `ratio` r in (0, 1): A (1 - r^2) / L (DB paper, equation 10)."""
    perimeter = polygon_perimeter(polygon)
    return abs(polygon_area(polygon)) * (1.0 - ratio * ratio) / perimeter if perimeter > 0 else 0.0


def shrink_polygon(polygon: FloatArray, ratio: float) -> list[FloatArray]:
    """`polygon` (N, 2) shrunk by `shrink_distance`: the text kernel that the detector learns. May be empty."""
    return offset_polygon(polygon, -shrink_distance(polygon, ratio))


def unshrink_distance(polygon: FloatArray, ratio: float) -> float:
    """How far a kernel that was shrunk by `ratio` must be grown again, in pixels, solved for a rectangle.

    With sides a, b after the shrink and d the distance, (a + 2d)(b + 2d)(1 - r^2) = 2d (a + b + 4d): the positive root.
    The kernel's own area and perimeter stand for a rectangle's, so shrinking and growing back is near the identity.
    """
    area, perimeter = abs(polygon_area(polygon)), polygon_perimeter(polygon)
    keep = 1.0 - ratio * ratio
    # keep * (A + d P + 4 d^2) = d (P + 8 d)   with P = 2 (a + b)
    a, b, c = 4.0 * keep - 8.0, perimeter * (keep - 1.0), keep * area
    root = np.sqrt(max(b * b - 4.0 * a * c, 0.0))
    return float((-b - root) / (2.0 * a))


def unshrink_distances(quads: FloatArray, ratio: float) -> NDArray[np.float64]:
    """`unshrink_distance` of many quads (N, 4, 2) at once: (N,)."""
    quads = np.asarray(quads, dtype=np.float64)
    perimeter = np.linalg.norm(quads - quads[:, _NEXT], axis=2).sum(axis=1)
    keep = 1.0 - ratio * ratio
    a, b, c = 4.0 * keep - 8.0, perimeter * (keep - 1.0), keep * np.abs(quad_areas(quads))
    return np.asarray((-b - np.sqrt(np.maximum(b * b - 4.0 * a * c, 0.0))) / (2.0 * a))


def grow_quads(quads: FloatArray, distances: NDArray[np.floating]) -> FloatArray:
    """`grow_quad` of many quads (N, 4, 2), each by its own of `distances` (N,)."""
    quads = np.asarray(quads, dtype=np.float32)
    along, down = quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0]
    along, down = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-6) for v in (along, down))
    moves = np.stack([-along - down, along - down, along + down, down - along], axis=1)
    return (quads + moves * np.asarray(distances)[:, None, None]).astype(np.float32)


def grow_quad(quad: FloatArray, distance: float) -> FloatArray:
    """A rectangle `quad` (4, 2) with every side moved outwards by `distance` pixels."""
    return grow_sides(quad, distance, distance, distance, distance)


def grow_sides(quad: FloatArray, left: float, top: float, right: float, bottom: float) -> FloatArray:
    """A rectangle `quad` (4, 2) with its sides moved outwards by so many pixels, inwards where negative."""
    quad = np.asarray(quad, dtype=np.float32)
    (x0, y0), (x1, y1), _, (x3, y3) = quad.tolist()
    ax, ay, dx, dy = x1 - x0, y1 - y0, x3 - x0, y3 - y0
    a, d = max(math.hypot(ax, ay), 1e-6), max(math.hypot(dx, dy), 1e-6)
    ax, ay, dx, dy = ax / a, ay / a, dx / d, dy / d
    sides = (-left, -top), (right, -top), (right, bottom), (-left, bottom)
    return quad + np.array([(ax * x + dx * y, ay * x + dy * y) for x, y in sides], np.float32)


def bounding_quad(points: FloatArray) -> FloatArray:
    """The smallest rectangle around `points` (N, 2), as an ordered quad (4, 2) float32 (see `order_quad`)."""
    return order_quad(np.asarray(cv2.boxPoints(cv2.minAreaRect(np.asarray(points, dtype=np.float32))), np.float32))


def text_quad(polygon: FloatArray) -> FloatArray:
    """The quad (4, 2) that stands for `polygon`: itself if it has four points, else the rectangle around it."""
    polygon = np.asarray(polygon, dtype=np.float32)
    return polygon if len(polygon) == 4 else bounding_quad(polygon)


def text_size(polygon: FloatArray) -> tuple[float, float]:
    """(width, height) in pixels along and across the text of `polygon` (4, 2) or (2k, 2)."""
    polygon = np.asarray(polygon, dtype=np.float32)
    if len(polygon) % 2:
        polygon = bounding_quad(polygon)
    points = polygon.tolist()  # few: plain numbers are faster than arrays
    half = len(points) // 2
    top, bottom = points[:half], points[: half - 1 : -1]
    width = 0.5 * (_path_length(top) + _path_length(bottom))
    return width, sum(math.dist(a, b) for a, b in zip(top, bottom, strict=True)) / half


def _path_length(path: Sequence[Sequence[float]]) -> float:
    return sum(math.dist(a, b) for a, b in itertools.pairwise(path))


def _resample(path: FloatArray, count: int, begin: float = 0.0, end: float = 1.0) -> FloatArray:
    """`count` points at equal arc length along the open `path` (K, 2), between two shares of its length."""
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    want = np.linspace(begin * at[-1], end * at[-1], count)
    return np.stack([np.interp(want, at, path[:, i]) for i in range(2)], axis=1).astype(np.float32)


def rotate_polygon_start(polygon: FloatArray, rotation: int) -> FloatArray:
    """`polygon`, begun at the text's top-left when its crop must be turned `rotation` degrees counter-clockwise.

    `rotation` is 0, 90, 180 or 270. A curved polygon (more than four points) turned by 90 or 270 becomes its quad.
    """
    steps = (rotation // 90) % 4
    if steps == 0:
        return polygon
    if len(polygon) != 4 and steps == 2:
        return np.roll(polygon, len(polygon) // 2, axis=0)
    return np.roll(text_quad(polygon), -steps, axis=0)


def part_polygon(polygon: FloatArray, places: Sequence[float], gap: float) -> list[FloatArray]:
    """`polygon` of a line of text, parted into polygons of words.

    Args:
        polygon: (2k, 2), along the text's top edge and back along its bottom edge.
        places: shares of the text's width where words part, rising, between 0 and 1.
        gap: free space between the parts, as a share of the text's height.

    Returns:
        one (2k, 2) float32 more than there are places, from the text's start to its end; none narrower than a tenth of
        the text's height, so that those of places that lie closer overlap.
    """
    polygon = np.asarray(polygon, dtype=np.float32)
    half = len(polygon) // 2
    width, height = text_size(polygon)
    free = 0.5 * gap * height / max(width, 1.0)
    least = min(_LEAST_PART * height / max(width, 1.0), 1.0)
    parts = []
    for number, (begin, end) in enumerate(itertools.pairwise([0.0, *places, 1.0])):
        before, behind = number > 0, number < len(places)  # whether there is a part on that side
        take = min(free, 0.5 * (end - begin) / max(before + behind, 1))  # more would leave nothing of a colon
        begin, end = begin + take * before, end - take * behind
        if end - begin < least:
            begin = min(max(0.5 * (begin + end - least), 0.0), 1.0 - least)
            end = begin + least
        top, bottom = (_resample(path, half, begin, end) for path in (polygon[:half], polygon[half:][::-1]))
        parts.append(np.concatenate([top, bottom[::-1]]))
    return parts


def resize_image(pixels: ImageArray, size: tuple[int, int]) -> ImageArray:
    """(H, W, 3) uint8 -> (size[0], size[1], 3) uint8, bilinear; what shrinks is averaged over what a pixel covers.

    For averages PyTorch takes a quarter of the time that OpenCV takes for areas.
    """
    if size == pixels.shape[:2]:
        return pixels
    if size[0] * size[1] >= pixels.shape[0] * pixels.shape[1]:
        return cv2.resize(pixels, (size[1], size[0]), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    import torch  # commands that open no picture do without it
    from torch.nn import functional as F

    whole = np.require(pixels, requirements=("C", "W"))
    # Channels last in memory; a batch dimension put in later would cost twice the time.
    picture = torch.from_numpy(whole)[None].permute(0, 3, 1, 2)
    small = F.interpolate(picture, size, mode="bilinear", antialias=True, align_corners=False)
    return small[0].permute(1, 2, 0).contiguous().numpy()


def rectify(
    image: ImageArray, polygon: FloatArray, height: int, *, max_width: int = 1024, min_width: int = 8
) -> ImageArray:
    """The text inside `polygon`, cut out and straightened.

    Args:
        image: (H, W, 3) uint8 RGB.
        polygon: (4, 2) for a perspective crop; (2k, 2) with k > 2 is unrolled along its two edges.
        height: rows of the crop, pixels; its width follows from the text's proportions, between `min_width` and
            `max_width`.

    Returns:
        (height, width, 3) uint8. What lies outside the image repeats its border.
    """
    return cut_as_planned(
        image, plan_crop(image.shape, polygon, height, max_width=max_width, min_width=min_width), height
    )


def cut_as_planned(image: ImageArray, plan: CropPlan, height: int) -> ImageArray:
    """The crop (height, plan.width, 3) uint8 of `image` (H, W, 3) uint8 RGB: see `rectify`."""
    left, top, right, bottom = plan.box
    patch = image[top:bottom, left:right]
    if plan.small is not None:
        patch = resize_image(patch, plan.small)
    if len(plan.polygon) == 4:
        # Half a pixel: polygons live on pixel edges, warpPerspective on pixel centres.
        matrix = cv2.getPerspectiveTransform(plan.polygon - 0.5, crop_corners(plan.width, height) - 0.5)
        return cv2.warpPerspective(
            patch, matrix, (plan.width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.uint8, copy=False)
    upper, lower = strip_edges(plan.polygon, plan.width)
    down = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None, None]
    grid = (upper[None] * (1 - down) + lower[None] * down - 0.5).astype(np.float32)  # (height, width, 2)
    x, y = np.ascontiguousarray(grid[..., 0]), np.ascontiguousarray(grid[..., 1])
    return cv2.remap(patch, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)


class CropPlan(NamedTuple):
    """How a crop is cut out of a picture.

    Attributes:
        width: of the crop, pixels.
        box: the part of the picture that is needed, in whole pixels: left, top, right, bottom.
        small: (height, width) to which that part is reduced first; None: it is taken as it is.
        polygon: of the text, (4, 2) or (2k, 2) float32, in pixels of that part, reduced or not.
    """

    width: int
    box: tuple[int, int, int, int]
    small: tuple[int, int] | None
    polygon: FloatArray


def plan_crop(
    shape: tuple[int, ...], polygon: FloatArray, height: int, *, max_width: int = 1024, min_width: int = 8
) -> CropPlan:
    """How `rectify` cuts a crop out of a picture of (height, width, ...) `shape`; arguments as there."""
    polygon = np.asarray(polygon, dtype=np.float32)
    if len(polygon) % 2:
        polygon = bounding_quad(polygon)
    text_width, text_height = text_size(polygon)
    width = min(max(round(text_width * height / max(text_height, 1.0)), min_width), max_width)

    x0, y0 = (math.floor(v) - 2 for v in polygon.min(axis=0).tolist())
    x1, y1 = (math.ceil(v) + 3 for v in polygon.max(axis=0).tolist())
    x0, y0 = max(x0, 0), max(y0, 0)
    x1, y1 = min(max(x1, x0 + 1), shape[1]), min(max(y1, y0 + 1), shape[0])
    x0, y0 = min(x0, x1 - 1), min(y0, y1 - 1)
    local = polygon - np.array([x0, y0], dtype=np.float32)
    small = None
    # A strong reduction is done in two steps, so that no stroke falls between the samples.
    if (reduction := text_height / height) > 1.5:
        factor = 1.25 / reduction
        rows, columns = y1 - y0, x1 - x0
        small = (max(1, round(rows * factor)), max(1, round(columns * factor)))
        local = local * np.array([small[1] / columns, small[0] / rows], dtype=np.float32)
    return CropPlan(width, (x0, y0, x1, y1), small, local)


def crop_corners(width: int, height: int) -> FloatArray:
    """The corners (4, 2) of a crop, on the edges of its pixels; the centre of its first pixel is (0.5, 0.5)."""
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)


def strip_edges(polygon: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """The middles of `width` columns along the upper edge of a curved `polygon` (2k, 2), and along its lower one."""
    half = len(polygon) // 2
    upper, lower = _resample(polygon[:half], width + 1), _resample(polygon[half:][::-1], width + 1)
    return 0.5 * (upper[1:] + upper[:-1]), 0.5 * (lower[1:] + lower[:-1])
