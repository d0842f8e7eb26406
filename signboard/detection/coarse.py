"""Words too large for the network: found on a small picture of the photo, and put in their place among the others.

Of letters hundreds of pixels high the network sees strokes. On a picture a third as large they look like any other
letters, and seeing that one costs a ninth of the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from signboard.geometry import FloatArray, overlap_share, polygon_area, text_size

# Lower than this, in pixels of the small picture, words are seen better on the large one.
LARGE = 32.0
# A word that lies more than half inside a large one is a crumb of it ...
_CRUMB = 0.5
# ... unless such words fill more than this share of the large one: then they are words, and the large one is several.
_FILLED = 0.4
# A lone word, seen with less certainty, that fills no more than this share of a large one is a part of it.
_PART = 0.6


def with_large_words(
    fine: Sequence[tuple[FloatArray, float]], coarse: Sequence[tuple[FloatArray, float]], least: float
) -> list[tuple[FloatArray, float]]:
    """The words of the large picture, `fine`, with the large ones among those of the small picture, `coarse`.

    A large word takes the place of the crumbs of it; it is left out where the words inside it fill it.

    Args:
        fine, coarse: (polygon, score) each; polygons (N, 2), both in pixels of the photo.
        least: pixels of the photo; lower words of `coarse` are left out.
    """
    kept = list(fine)
    large = [word for word in coarse if min(text_size(word[0])) >= least]
    for polygon, score in sorted(large, key=lambda word: -word[1]):
        area = abs(polygon_area(polygon))
        crumbs, filled = set(), 0.0
        touching = _touching(polygon, [other for other, _ in kept])
        for index in touching:
            other = kept[index][0]
            common = overlap_share(polygon, other)
            filled += common * min(area, abs(polygon_area(other)))
            if common > _CRUMB:
                crumbs.add(index)
        lone = len(touching) == 1 and bool(crumbs) and score >= kept[touching[0]][1]
        if filled <= (_PART if lone else _FILLED) * area:
            kept = [word for index, word in enumerate(kept) if index not in crumbs] + [(polygon, score)]
    return kept


def with_unsure(
    words: Sequence[tuple[FloatArray, float]], unsure: Sequence[tuple[FloatArray, float]]
) -> list[tuple[FloatArray, float]]:
    """`words`, and behind them those of the `unsure` ones that share no more than half of either's area with any.

    Args:
        words, unsure: (polygon, score) each; polygons (N, 2) in the same pixels.
    """
    polygons = [polygon for polygon, _ in words]
    free = [
        (polygon, score)
        for polygon, score in unsure
        if all(overlap_share(polygon, polygons[index]) <= _CRUMB for index in _touching(polygon, polygons))
    ]
    return [*words, *free]


def _touching(polygon: FloatArray, others: Sequence[FloatArray]) -> list[int]:
    """Which of `others` have a bounding box that touches the polygon's."""
    if not others:
        return []
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    lows = np.array([other.min(axis=0) for other in others])
    highs = np.array([other.max(axis=0) for other in others])
    return np.flatnonzero(((lows < high) & (highs > low)).all(axis=1)).tolist()


__all__ = ["LARGE", "with_large_words", "with_unsure"]
