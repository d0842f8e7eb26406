"""The marks of numbers as their picture shows them: commas and points, fractions in one character."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from signboard.geometry import FloatArray, ImageArray, grow_sides, rectify, text_size
from signboard.pipeline.mending.number_text import (
    NUMBER,
    TO_LATIN,
    in_devanagari,
    in_one_script,
    is_doubtful,
    is_sure_piece,
)
from signboard.pipeline.words import ReadWord

ROWS = 64  # of a crop that marks are looked at in
_DESCENDS = 0.07  # of the digits' height, below the line that they stand on: a comma does
_SLENDER = 1.35  # times as high as wide: a comma is
# What stands beside a number is looked for so far away, with so much of the number, so far above and below it ...
_BESIDE, _OWN, _ABOVE, _BELOW = 1.7, 1.5, 0.15, 0.2
# ... and stands no farther apart than this, and is at least so high, all in heights of the number.
_APART, _HIGH = 0.7, 0.3
_FLAT = 1.4  # times as wide as high: a dash is, at least
_FRAME = 0.2  # what runs through from top to bottom and is narrower is a frame


def ink(crop: ImageArray) -> NDArray[np.uint8]:
    """(H, W) 1 where a crop (H, W, 3) of text has ink: the side of Otsu's threshold that its border is not on."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    _, bright = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    return (1 - bright if border.mean() > 0.5 else bright).astype(np.uint8)


def marks_of(crop: ImageArray) -> list[str]:
    """ "," or "." for each small mark low on the line of a crop (H, W, 3) of one number, from left to right."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink(crop), connectivity=8)
    boxes = [tuple(int(v) for v in row[:4]) for row in stats[1:count] if row[cv2.CC_STAT_AREA] >= 4]
    if not boxes:
        return []
    tallest = max(height for _, _, _, height in boxes)
    digits = [box for box in boxes if box[3] > 0.6 * tallest]
    height = float(np.median([box[3] for box in digits]))
    middle = float(np.median([box[1] + box[3] / 2 for box in digits]))
    foot = float(np.median([box[1] + box[3] for box in digits]))
    found = []
    for _, y, width, tall in sorted(boxes):
        if tall < 0.65 * height and width < 0.45 * height and y > middle and tall > 0.06 * height:
            descends = (y + tall - foot) / height > _DESCENDS
            found.append("," if descends or tall > _SLENDER * width else ".")
    return found


def with_marks(text: str, marks: list[str]) -> str:
    """A number whose commas and points are those that its picture shows.

    Only where it could be both: 1.550 or 12,50; and only if there are as many marks as in the text.
    """
    places = [i for i, c in enumerate(text) if c in ".,"]
    if not is_doubtful(text) or len(places) != len(marks) or len(places) > 3:
        return text
    letters = list(text)
    for i, mark in zip(places, marks, strict=True):
        letters[i] = mark
    new = "".join(letters)
    return new if NUMBER.fullmatch(new.translate(TO_LATIN)) else text


def fraction_parts(crop: ImageArray) -> tuple[int, ImageArray, ImageArray] | None:
    """Where a fraction in one character ends a crop (H, W, 3): (its left edge, the upper figure, the lower one).

    The upper one stands left of a stroke that slants, its foot above the line; the lower one right of it, its head far
    below the top. None where the crop ends with no such thing.
    """
    black = ink(crop)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(black, connectivity=8)
    boxes = [(i, *(int(v) for v in stats[i, :4])) for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= 6]
    if not boxes:
        return None
    top, foot = min(b[2] for b in boxes), max(b[2] + b[4] for b in boxes)
    height = foot - top
    lower = [b for b in boxes if b[2] > top + 0.28 * height and b[4] > 0.3 * height]
    strokes = [b for b in boxes if b[4] > 0.6 * height and b not in lower]
    if not lower or not strokes:
        return None
    last = max(lower, key=lambda b: b[1])
    stroke = max(strokes, key=lambda b: b[1])
    middle = stroke[1] + stroke[3] / 2  # a stroke that slants far begins below the upper figure
    upper = [b for b in boxes if b[2] + b[4] < top + 0.72 * height and b[4] > 0.3 * height]
    upper = [b for b in upper if b[1] + b[3] / 2 < middle]
    if stroke[1] >= last[1] or max(b[1] + b[3] for b in boxes) > last[1] + last[3] + 0.1 * height:
        return None
    if not upper and stroke[1] == min(b[1] for b in boxes):  # it touches the stroke
        part = labels[stroke[2] : stroke[2] + stroke[4], stroke[1] : stroke[1] + stroke[3]] == stroke[0]
        xs = np.flatnonzero(part[-2:].any(axis=0))
        slope = (part.shape[1] - float(xs.mean())) / part.shape[0]
        rows, columns = np.indices(part.shape)
        edge = float(xs.mean()) + (part.shape[0] - rows) * slope - 1.6 * len(xs)
        labels[stroke[2] : stroke[2] + stroke[4], stroke[1] : stroke[1] + stroke[3]][part & (columns < edge)] = count
        ys, xs = np.nonzero(labels == count)
        if len(ys) < 6 or ys.max() > top + 0.72 * height:
            return None
        upper = [(count, int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1)]
    if not upper:
        return None
    first = max(upper, key=lambda b: b[1])

    def alone(box: tuple[int, ...]) -> ImageArray:
        i, x, y, width, tall = box
        edge = max(3, tall // 5)
        part = np.full((tall + 2 * edge, width + 2 * edge, 3), 255, np.uint8)
        part[edge : edge + tall, edge : edge + width][labels[y : y + tall, x : x + width] == i] = 0
        return part

    return first[1], alone(first), alone(last)


def look(picture: ImageArray, quad: FloatArray) -> ImageArray:
    """A number at `quad` (4, 2) of a picture, cut out with room for what hangs below the line; `ROWS` rows."""
    height = text_size(quad)[1]
    return rectify(picture, grow_sides(quad, 0.08 * height, 0.1 * height, 0.08 * height, 0.2 * height), ROWS)


def marked(picture: ImageArray, word: ReadWord) -> ReadWord:
    """A word that is a number, with its digits in one script, and the commas and points that its picture shows."""
    if len(word.polygon) != 4 or not is_sure_piece(word.text):
        return word
    if in_devanagari(word.text) or any(c in "OoQ" for c in word.text):
        word = replace(word, text=in_one_script(word.text, in_devanagari(word.text)))
    if not is_doubtful(word.text):
        return word
    return replace(word, text=with_marks(word.text, marks_of(look(picture, word.polygon))))


def shows_dash(crop: ImageArray) -> bool:
    """Whether nothing but a dash stands in a crop (H, W, 3) of the gap between two words: a flat bar half-way up.

    Ink at the left and right edges, and at the top and foot, is that of others.
    """
    black = ink(crop)
    rows, columns = black.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(black, connectivity=8)
    inner = [
        (y, wide, tall, area)
        for x, y, wide, tall, area in stats[1:].tolist()
        if x > 0 and x + wide < columns and y > 0 and y + tall < rows and area >= 4
    ]
    if len(inner) != 1:
        return False
    ((y, wide, tall, area),) = inner
    flat = wide >= _FLAT * tall and tall < 0.3 * rows and area > 0.7 * wide * tall
    return flat and 0.3 * rows < y + tall / 2 < 0.8 * rows


def ink_reach(picture: ImageArray, quad: FloatArray, before: bool) -> float:
    """How far the ink of what stands beside a number reaches from its side, in heights of it; 0 where nothing does.

    What is as high as part of a character and no longer than a few of them counts: not dirt, a frame, or a word.

    Args:
        picture: (H, W, 3) uint8 RGB.
        quad: (4, 2), pixels, around the number.
        before: on its left side, else on its right one.
    """
    width, height = text_size(quad)
    own = min(width, _OWN * height)
    away = _BESIDE * height
    sides = (away, own - width) if before else (own - width, away)
    crop = rectify(picture, grow_sides(quad, sides[0], _ABOVE * height, sides[1], _BELOW * height), ROWS)
    black = ink(crop[:, ::-1] if before else crop)
    unit = black.shape[1] / ((own + away) / height)  # pixels of the crop, as much as the number is high
    _, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(black), connectivity=8)
    edge = own / height * unit
    end, tallest = edge, 0.0
    for x, _, wide, tall, area in sorted(stats[1:].tolist()):
        if x + wide < edge + 0.1 * unit or area < 0.01 * unit * unit:
            continue
        frame = tall == ROWS and wide < _FRAME * unit  # a stroke slants
        if x > end + _APART * unit or x + wide >= black.shape[1] - 1 or frame:
            break
        end, tallest = max(end, x + wide), max(tallest, tall)
    return (end - edge) / unit if tallest >= _HIGH * unit else 0.0


__all__ = ["ROWS", "fraction_parts", "ink", "ink_reach", "look", "marked", "marks_of", "shows_dash", "with_marks"]
