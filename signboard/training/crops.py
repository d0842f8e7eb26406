"""Crops that a recogniser is trained on: a word, its surroundings, and the boxes that a detector may put there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from signboard.geometry import FloatArray, ImageArray, grow_quad, rectify, text_quad, text_size
from signboard.pipeline.mending.fragments import around, next_on_line
from signboard.script import script_of
from signboard.synthesis.bending import bend_maps, shape_of_bend

# Crops are kept in memory with at most so many rows of text, or so many where they are less than `_SQUARE` times as
# wide, and this share of their size around it.
KEEP_ROWS, _KEEP_SQUARE_ROWS, _SQUARE = 56, 88, 2.6
MARGIN = 0.35


@dataclass(frozen=True, slots=True)
class Crop:
    """A word and its surroundings.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        quad: (4, 2) of the word in it.
        text: what it says, as `charset.normalize` spells it; empty: nothing that is read.
        script: of the text.
        cuts: where its letters part (see `recombination.letter_cuts`), empty: not known.
    """

    image: ImageArray
    quad: FloatArray
    text: str
    script: str
    cuts: tuple[float, ...] = ()


def cut_with_margin(photo: ImageArray, polygon: FloatArray, text: str) -> Crop:
    """The part of `photo` around the word at `polygon`, reduced so that its text is at most `KEEP_ROWS` high."""
    quad = text_quad(polygon).astype(np.float32)
    width, height = text_size(quad)
    pad = max(MARGIN * height, 2.0)
    x0, y0 = np.maximum(np.floor(quad.min(axis=0) - pad).astype(int), 0)
    x1, y1 = np.ceil(quad.max(axis=0) + pad).astype(int)
    patch = photo[y0 : max(y1, y0 + 2), x0 : max(x1, x0 + 2)]
    quad = quad - np.array([x0, y0], np.float32)
    factor = _rows_kept(width, height) / max(height, 1.0)
    if factor < 1.0:
        size = (max(2, round(patch.shape[1] * factor)), max(2, round(patch.shape[0] * factor)))
        quad = quad * np.array([size[0] / patch.shape[1], size[1] / patch.shape[0]], np.float32)
        patch = cv2.resize(patch, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return Crop(np.ascontiguousarray(patch), quad, text, script_of(text))


def _rows_kept(width: float, height: float) -> int:
    return _KEEP_SQUARE_ROWS if width < _SQUARE * height else KEEP_ROWS


def neighbours(words: Sequence[tuple[FloatArray, str]]) -> list[tuple[FloatArray, str]]:
    """Pairs of words that stand close together on one line, as a detector may join them.

    Args:
        words: (polygon (N, 2) float32 in pixels, text) each.

    Returns:
        (quad (4, 2) around both, "first second") each; a word begins at most one pair.
    """
    quads = [text_quad(polygon).astype(np.float32) for polygon, _ in words]
    pairs = []
    for i, j, _ in next_on_line(quads, least=-0.1, most=0.9):
        width, height = text_size(quads[i])
        quad = around(quads[i], quads[j])
        if width > height / 4 and text_size(quad)[0] < 9 * text_size(quad)[1]:
            pairs.append((quad, f"{words[i][1]} {words[j][1]}"))
    return pairs


def whole_crop(image: ImageArray, text: str) -> Crop:
    """A crop that a data set cut already: the word fills it."""
    height, width = image.shape[:2]
    rows = _rows_kept(width, height)
    if height > rows:
        width, height = max(2, round(width * rows / height)), rows
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return Crop(image, quad, text, script_of(text))


def leaning_box(quad: FloatArray, angle: float, *, most: float = 2.0) -> FloatArray:
    """The rectangle around `quad` (4, 2) whose sides are turned against the quad's by `angle` radians, at most so far
    that it becomes `most` times as high as the quad."""
    width, height = text_size(quad)
    limit = math.asin(min(1.0, (most - 1.0) * height / max(width, 1e-3)))
    angle = min(max(angle, -limit), limit)
    right = (quad[1] - quad[0]) / max(float(np.linalg.norm(quad[1] - quad[0])), 1e-3)
    right = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ right
    axes = np.stack([right, [-right[1], right[0]]])  # rows: along the box, down it
    (x0, y0), (x1, y1) = (quad @ axes.T).min(axis=0), (quad @ axes.T).max(axis=0)
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return (corners @ axes).astype(np.float32)  # type: ignore[no-any-return]


def bent(crop: Crop, rng: np.random.Generator) -> Crop:
    """A word put on an arch, or an arch's side, or slanted, in the upright box around it."""
    height = text_size(crop.quad)[1]
    strip = rectify(crop.image, grow_quad(crop.quad, 0.12 * height), KEEP_ROWS)
    width = strip.shape[1]
    bend, turn = shape_of_bend(rng, width / KEEP_ROWS)
    map_x, map_y = bend_maps(width, KEEP_ROWS, bend, turn)
    image = cv2.remap(strip, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (map_x > 0) & (map_x < width - 1) & (map_y > 0) & (map_y < KEEP_ROWS - 1)
    # Around the word the mean of its edges, at times with what lies beyond smeared out.
    if rng.random() < 0.5:
        edge = np.concatenate([strip[0], strip[-1]]).mean(axis=0) + rng.normal(0, 12, 3)
        image = np.where(inside[..., None], image, np.clip(edge, 0, 255))
    return whole_crop(np.ascontiguousarray(image.astype(np.uint8)), crop.text)


def stretched(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    """A crop whose letters are made wider, narrower, higher or lower here and there, as another hand would set them.

    Args:
        crop: (H, W, 3) uint8.
    """
    height, width = crop.shape[:2]
    parts = max(2, round(1.5 * width / height))
    knots = np.linspace(0.0, width, parts + 1)
    moved = knots.copy()
    moved[1:-1] += rng.normal(0, 0.13, parts - 1).clip(-0.35, 0.35) * width / parts
    columns = np.interp(np.arange(width) + 0.5, moved, knots) - 0.5
    shift = np.interp(np.arange(width), knots, rng.normal(0, 0.025 * height, parts + 1))
    scale = np.interp(np.arange(width), knots, np.exp(rng.normal(0, 0.04, parts + 1)))
    rows = (np.arange(height)[:, None] + 0.5 - height / 2) * scale + height / 2 + shift - 0.5
    x = np.broadcast_to(columns, (height, width)).astype(np.float32)
    remapped = cv2.remap(crop, x, rows.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return remapped.astype(np.uint8, copy=False)
