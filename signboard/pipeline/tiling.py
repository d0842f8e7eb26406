"""Large photos in overlapping regions: which regions to look at, and one list of words from what each of them shows.

A region of the detector's own size is seen at full resolution. Larger regions over the same photo, each twice the size
of those below, are seen smaller: they hold whole the words that are too large for a small region. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from signboard.geometry import FloatArray, overlap_share, polygon_area, text_quad, text_size

# Of a region's side: neighbours share this much, so that a word up to this long is whole in one of them.
OVERLAP = 0.25
# A photo up to this many times the detector's side loses too little by being shrunk to be worth several regions.
_WORTH = 1.25
# Seen at several scales, a word counts at the one where its height, in pixels of the network's picture, is nearest to
# this: half of it is hard to find, and of letters many times as high the network sees strokes.
_BEST_HEIGHT = 32.0
# Less than this, and a word that surrounds far smaller ones may be lines of small text seen as one.
_SURE_HEIGHT = 14.0
# Two polygons are one word when they share this much of the smaller one.
_SAME = 0.5
# The same for a piece of a word at a seam beside whole words: a sliver of one may lie all but outside it.
_SAME_PIECE = 0.25
# A word that ends this near to a seam, in its own heights, may go on behind it: kernels end before the text does.
_SEAM = 0.75


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a photo, in whole pixels: columns `left` to `right`, rows `top` to `bottom`, ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A word that was found in a region.

    Attributes:
        polygon: (N, 2) float32, pixels of the photo, clockwise from the text's top-left.
        score: the detector's, 0 to 1.
        region: where it was found.
        scale: pixels of the network's picture over pixels of the photo.
    """

    polygon: FloatArray
    score: float
    region: Region
    scale: float


def regions(height: int, width: int, side: int, overlap: float = OVERLAP) -> list[list[Region]]:
    """The regions of a photo of `height` x `width` pixels, the smallest first, each size in a list of its own.

    The last list is the whole photo. Regions of a size are equally large, at most `side` (2 `side`, 4 `side`, ...)
    pixels a side, cover the photo and share at least `overlap` of that with their neighbours.
    """
    levels: list[list[Region]] = []
    size = side
    while max(height, width) > _WORTH * size:
        rows, columns = _spans(height, size, overlap), _spans(width, size, overlap)
        levels.append([Region(left, top, right, bottom) for top, bottom in rows for left, right in columns])
        size *= 2
    levels.append([Region(0, 0, width, height)])
    return levels


def _spans(length: int, size: int, overlap: float) -> list[tuple[int, int]]:
    """Equal intervals of at most `size` that cover 0 to `length`, neighbours sharing at least `overlap` of `size`."""
    if length <= size:
        return [(0, length)]
    shared = math.ceil(size * overlap)
    count = math.ceil((length - shared) / (size - shared))
    # Multiples of 32, as the networks want them, where they fit.
    each = min(size, length, -(-(length + (count - 1) * shared) // (32 * count)) * 32)
    starts = [round(index * (length - each) / (count - 1)) for index in range(count)]
    return [(start, start + each) for start in starts]


def merge(found: Sequence[Found], height: int, width: int) -> list[tuple[FloatArray, float]]:
    """Every word of a photo of `height` x `width` pixels once: (polygon, score), from what its regions show.

    Where several show the same word, the one that does not cut it counts; among those, the one whose scale suits the
    word's height best. Pieces of a word that is whole in no region are joined.
    """
    whole = [item for item in found if not _cut(item, height, width)]
    pieces = [item for item in found if _cut(item, height, width)]
    kept = _Kept()
    for item in sorted(whole, key=_unfit):
        kept.offer(item.polygon, item.score, item.scale)
    joined = [piece for piece in _join(pieces) if not kept.has(piece.polygon)]
    for item in sorted(joined, key=lambda item: -abs(polygon_area(item.polygon))):
        kept.offer(item.polygon, item.score, item.scale)
    return [(polygon, score) for polygon, score, _ in kept.words]


def _cut(item: Found, height: int, width: int) -> bool:
    """Whether the word reaches an edge of its region that is no edge of the photo."""
    margin = max(2.0 / item.scale, _SEAM * min(text_size(item.polygon)))
    low, high = item.polygon.min(axis=0), item.polygon.max(axis=0)
    region = item.region
    return bool(
        (region.left > 0 and low[0] < region.left + margin)
        or (region.top > 0 and low[1] < region.top + margin)
        or (region.right < width and high[0] > region.right - margin)
        or (region.bottom < height and high[1] > region.bottom - margin)
    )


def _unfit(item: Found) -> tuple[float, float, float]:
    """Sorts first what was seen at the best scale; at the same scale, what lies farthest from its region's edge."""
    size = min(text_size(item.polygon)) * item.scale
    middle = item.polygon.mean(axis=0)
    region = item.region
    inside = min(
        (middle[0] - region.left) / region.width,
        (region.right - middle[0]) / region.width,
        (middle[1] - region.top) / region.height,
        (region.bottom - middle[1]) / region.height,
    )
    # In halves of an octave, so that the same word in two neighbouring regions counts as equally large.
    octaves = round(2 * abs(math.log2(max(size, 1.0) / _BEST_HEIGHT)))
    return float(octaves), -round(float(inside), 2), -item.score


class _Kept:
    """Words that share no place with each other."""

    def __init__(self) -> None:
        self.words: list[tuple[FloatArray, float, float]] = []  # (polygon, score, scale)
        self._boxes = np.empty((64, 4))  # left, top, right, bottom

    def offer(self, polygon: FloatArray, score: float, scale: float) -> None:
        """Takes a word unless a better one has its place. A large one takes the place of crumbs found inside it."""
        crumbs = []
        for index in self._near(polygon):
            other = self.words[index][0]
            if overlap_share(polygon, other) <= _SAME:
                continue
            tall, small = min(text_size(polygon)), min(text_size(other))
            if not (tall > 2 * small and tall * scale >= _SURE_HEIGHT):
                return
            crumbs.append(index)
        if crumbs:
            left = [i for i in range(len(self.words)) if i not in set(crumbs)]
            self._boxes[: len(left)] = self._boxes[left]
            self.words = [self.words[i] for i in left]
        if len(self.words) == len(self._boxes):
            self._boxes = np.concatenate([self._boxes, np.empty_like(self._boxes)])
        self._boxes[len(self.words)] = (*polygon.min(axis=0), *polygon.max(axis=0))
        self.words.append((polygon, score, scale))

    def has(self, polygon: FloatArray) -> bool:
        """Whether a word is at this piece's place already."""
        return any(overlap_share(polygon, self.words[index][0]) > _SAME_PIECE for index in self._near(polygon))

    def _near(self, polygon: FloatArray) -> list[int]:
        boxes = self._boxes[: len(self.words)]
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        touching = (boxes[:, :2] < high).all(axis=1) & (boxes[:, 2:] > low).all(axis=1)
        return np.flatnonzero(touching).tolist()


def _join(pieces: Sequence[Found]) -> list[Found]:
    """Pieces of the same word, seen at the same scale in neighbouring regions, as one word each."""
    rest = list(pieces)
    joined: list[Found] = []
    while rest:
        word = rest.pop(0)
        grew = True
        while grew:
            grew = False
            for index, other in enumerate(rest):
                if (both := _joined(word, other)) is not None:
                    word, grew = both, True
                    del rest[index]
                    break
        joined.append(word)
    return joined


def _joined(a: Found, b: Found) -> Found | None:
    """Two pieces as one word when they lie on one line of text and overlap along it; else None."""
    if abs(a.scale / b.scale - 1) > 0.1 or a.region == b.region:
        return None
    quads = [text_quad(item.polygon).astype(np.float64) for item in (a, b)]
    sizes = [text_size(quad.astype(np.float32)) for quad in quads]
    longer = int(max(sizes[1]) > max(sizes[0]))
    along = quads[longer][1] - quads[longer][0] + quads[longer][2] - quads[longer][3]
    along /= max(float(np.linalg.norm(along)), 1e-9)
    across = np.array([-along[1], along[0]])
    # Columns: first and last point along the text's top edge, first and last across it.
    boxes = [(q @ along).min() for q in quads], [(q @ along).max() for q in quads]
    edges = [(q @ across).min() for q in quads], [(q @ across).max() for q in quads]
    if sizes[longer][1] > 1.5 * sizes[longer][0]:  # the text runs up or down
        meet, beside = edges, boxes
    else:
        meet, beside = boxes, edges
    widths = [high - low for low, high in zip(*beside, strict=True)]
    drop = abs(sum(beside[i][0] - beside[i][1] for i in (0, 1))) / 2
    # Both regions show the part that they share, so that pieces of one word overlap; neighbouring words do not.
    common = min(meet[1]) - max(meet[0])
    if min(widths) < 0.6 * max(widths) or drop > 0.35 * min(widths) or common < 0.5 * min(widths):
        return None
    left, right, top, bottom = min(boxes[0]), max(boxes[1]), min(edges[0]), max(edges[1])
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    polygon = np.array([x * along + y * across for x, y in corners], np.float32)
    return Found(polygon, max(a.score, b.score), a.region, a.scale)


__all__ = ["Found", "Region", "merge", "regions"]
