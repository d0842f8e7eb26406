"""Reading places: from polygons on photos to words, by crops that the recogniser reads all together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from signboard.device_pictures import Crop, cut
from signboard.geometry import (
    FloatArray,
    ImageArray,
    grow_quad,
    order_quad,
    part_polygon,
    rotate_polygon_start,
    text_size,
)
from signboard.recognition.recognizer import CropReading

# Crops taller than this many times their width may hold text that runs up or down.
_TALL = 1.5
# A reading less sure than this is tried upside down too.
UNSURE = 0.3
# Words are read with so much around them, as a share of their height: boxes that fit tightly cut off marks and strokes.
_MARGIN = 0.05
# Between words that are parted at a space, this share of the text's height belongs to neither.
_GAP = 0.2

# Crops (H, W, 3) uint8 RGB of any sizes in; what each says out, in their order.
ReadCrops = Callable[[Sequence[Crop]], list[CropReading]]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where there may be a word.

    Attributes:
        picture: the pixels (H, W, 3) uint8 RGB it lies on.
        polygon: (N, 2) float32, pixels of `picture`, clockwise; a quad may begin at any corner.
        likely: whether it is likely enough a word to be tried upside down, too, when it reads badly.
    """

    picture: ImageArray
    polygon: FloatArray
    likely: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class ReadWord:
    """A word that was read at a place.

    Attributes:
        text, confidence: what the recogniser says; 0 to 1.
        polygon: (N, 2) float32, pixels of the picture, clockwise from the text's top-left.
        rotation: by how much its crop was turned, see `reading.Word.rotation`.
        score: the detector's score of the place, 0 to 1.
        other_way_up: what the word's first crop said turned by 180 degrees, where that was tried; None: it was not.
            The first mending step looks at it (see `mending.orientation`).
    """

    text: str
    confidence: float
    polygon: FloatArray
    rotation: int = 0
    score: float = 1.0
    other_way_up: CropReading | None = None


def is_upended(polygon: FloatArray) -> bool:
    """Whether a polygon, from its text's top-left, is so much higher than wide that text may run up or down in it."""
    width, height = text_size(polygon)
    return height > _TALL * width


def cut_out(picture: ImageArray, polygon: FloatArray, height: int, *, margin: float = _MARGIN) -> Crop:
    """The crop (height, W, 3) that the recogniser sees of the word at `polygon`: a little of what is around it, too.

    Args:
        margin: so much around a quad, as a share of its height.
    """
    if len(polygon) == 4:
        polygon = grow_quad(polygon, margin * text_size(polygon)[1])
    return cut(picture, polygon, height)


def read_places(places: Sequence[Place], read: ReadCrops, height: int) -> list[list[ReadWord]]:
    """The words at each place, in the order of `places`: mostly one; more where the detector joined words.

    Args:
        read: reads crops.
        height: rows of a crop, pixels.
    """
    words, gaps = read_whole(places, read, height)
    joined = [i for i, shares in enumerate(gaps) if shares]
    parts = [(i, part) for i in joined for part in part_polygon(words[i].polygon, gaps[i], _GAP)]
    results = [split_at_spaces(word, shares) for word, shares in zip(words, gaps, strict=True)]
    if not parts:
        return results
    # Each part is read again on its own: it fills its crop, as words do.
    apart, _ = read_whole([replace(places[i], polygon=part) for i, part in parts], read, height, upright=True)
    for i in joined:
        found = [word for (owner, _), word in zip(parts, apart, strict=True) if owner == i]
        if min(word.confidence for word in found) >= min(UNSURE, words[i].confidence):
            found = [replace(word, rotation=words[i].rotation) for word in found]
            results[i] = [piece for word in found for piece in split_at_spaces(word, ())]
    return results


def read_whole(
    places: Sequence[Place], read: ReadCrops, height: int, *, upright: bool = False
) -> tuple[list[ReadWord], list[tuple[float, ...]]]:
    """What each place says as a whole, in their order, and where its spaces are, as shares of its width.

    Args:
        read, height: as for `read_places`.
        upright: whether all polygons begin at their text's top-left; else other ways up are tried, too.
    """
    starts = [p.polygon if upright or len(p.polygon) != 4 else order_quad(p.polygon) for p in places]
    jobs: list[tuple[int, int]] = []  # (place, rotation)
    for i, polygon in enumerate(starts):
        jobs += [(i, r) for r in ((0, 90, 270) if is_upended(polygon) and not upright else (0,))]
    best: dict[int, tuple[CropReading, int]] = {}
    tried: dict[tuple[int, int], CropReading] = {}

    def attempt(some: Sequence[tuple[int, int]]) -> None:
        crops = [cut_out(places[i].picture, rotate_polygon_start(starts[i], r), height) for i, r in some]
        for (i, r), reading in zip(some, read(crops), strict=True):
            tried[i, r] = reading
            if i not in best or reading.confidence > best[i][0].confidence:
                best[i] = (reading, r)

    attempt(jobs)
    if not upright:
        unsure = [i for i, (reading, r) in best.items() if reading.confidence < UNSURE and r == 0]
        attempt([(i, 180) for i in unsure if places[i].likely])
    words = []
    for i, polygon in enumerate(starts):
        reading, r = best[i]
        other = tried.get((i, (r + 180) % 360))
        words.append(
            ReadWord(reading.text, reading.confidence, rotate_polygon_start(polygon, r), r, other_way_up=other)
        )
    return words, [_without_margin(best[i][0].gaps, word.polygon) for i, word in enumerate(words)]


def split_at_spaces(word: ReadWord, places: Sequence[float]) -> list[ReadWord]:
    """`word`, or where its reading holds spaces, the words between them.

    Args:
        places: where the spaces are, as shares of the width; if not one for each, spaces are where they would be if all
            characters were equally wide.
    """
    texts = word.text.split()
    if len(texts) < 2:
        return [word]
    if len(places) != len(texts) - 1:
        lengths = np.cumsum([len(text) + 1 for text in texts])
        places = [float(end - 0.5) / float(lengths[-1] - 1) for end in lengths[:-1]]
    parts = part_polygon(word.polygon, places, _GAP)
    return [replace(word, text=text, polygon=part, other_way_up=None) for text, part in zip(texts, parts, strict=True)]


def _without_margin(shares: tuple[float, ...], polygon: FloatArray) -> tuple[float, ...]:
    """Shares of the width of a crop (see `cut_out`) as shares of the width of the polygon that was cut out."""
    if len(polygon) != 4:
        return shares
    width, height = text_size(polygon)
    margin = _MARGIN * height / max(width, 1.0)
    return tuple(min(max(share * (1 + 2 * margin) - margin, 0.0), 1.0) for share in shares)


__all__ = [
    "UNSURE",
    "Place",
    "ReadCrops",
    "ReadWord",
    "cut_out",
    "is_upended",
    "read_places",
    "read_whole",
    "split_at_spaces",
]
