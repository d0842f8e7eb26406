"""Drawing arrays: grids of tiles, heat maps over photos, captions. NumPy, OpenCV and Pillow only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from signboard.geometry import ImageArray
from signboard.output.annotate import FONT_PATH, font_characters

Colour = tuple[int, int, int]
PAPER: Colour = (255, 255, 255)
INK: Colour = (30, 30, 30)
GAP: Colour = (205, 205, 205)
RED, BLUE = np.array([178, 24, 43], np.float32), np.array([33, 102, 172], np.float32)
LINE = 18  # height of a line of captions, pixels


def blank(height: int, width: int, colour: Colour = PAPER) -> ImageArray:
    """(height, width, 3) uint8 of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def caption(text: str, width: int, *, size: int = 13) -> ImageArray:
    """Dark text on white, (lines * LINE, width, 3) uint8: broken at spaces where it is too wide for one line.

    Letters that the package's typeface has no shape for come as U+ numbers.
    """
    known = font_characters()
    shown = "".join(c if ord(c) in known else f"U+{ord(c):04X} " for c in text)
    font = ImageFont.truetype(str(FONT_PATH), size)
    first, *words = shown.lstrip().split(" ")
    lines = [shown[: len(shown) - len(shown.lstrip())] + first]
    for word in words:
        longer = f"{lines[-1]} {word}"
        if font.getlength(longer) > width - 4:
            lines.append(word)
        else:
            lines[-1] = longer
    image = Image.new("RGB", (width, LINE * len(lines)), PAPER)
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((2, LINE * number + LINE / 2), line, fill=INK, font=font, anchor="lm")
    return np.asarray(image).copy()


def enlarged(picture: ImageArray, *, least: int = 480, most: int = 1100) -> tuple[ImageArray, float]:
    """A picture at a size fit to look at, and the factor: whole, without smoothing, when it grows."""
    longer = max(picture.shape[:2])
    factor = float(max(1, round(least / longer))) if longer < least else min(1.0, most / longer)
    if factor == 1.0:
        return picture.copy(), 1.0
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    method = cv2.INTER_NEAREST if factor > 1 else cv2.INTER_AREA
    return cv2.resize(picture, size, interpolation=method).astype(np.uint8, copy=False), factor


def ramp(values: NDArray[Any]) -> ImageArray:
    """(...,) of 0 to 1 -> (..., 3) uint8, from dark blue through green to red (OpenCV's Turbo)."""
    scaled = np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
    colours = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)[:, 0, ::-1]
    picked: ImageArray = colours[scaled]
    return picked


def signed(values: NDArray[Any], limit: float | None = None) -> ImageArray:
    """(...,) -> (..., 3) uint8: 0 white, `limit` red, minus `limit` blue; the largest size is the limit by default."""
    most = limit if limit is not None else float(np.abs(values).max(initial=0.0))
    share = np.clip(np.abs(values) / most if most > 0 else np.zeros_like(values), 0, 1)[..., None]
    ends = np.where((values > 0)[..., None], RED, BLUE)
    return np.round(255 * (1 - share) + ends * share).astype(np.uint8)


def grey(picture: ImageArray, *, lightness: float = 0.5) -> ImageArray:
    """A picture without colours, pulled towards white by `lightness`, to lay colours over."""
    flat = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    flat = flat + (255 - flat) * lightness
    return np.repeat(flat[:, :, None], 3, axis=2).astype(np.uint8)


def laid_over(picture: ImageArray, colours: ImageArray, share: NDArray[Any]) -> ImageArray:
    """`colours` (H, W, 3) over `picture` (H, W, 3), with `share` (H, W) of 0 to 1 of the colour."""
    part = np.clip(share, 0, 1)[:, :, None]
    return np.round(picture * (1 - part) + colours * part).astype(np.uint8)


def resized(values: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """(H, W) -> (size[0], size[1]), for drawing."""
    if values.shape == size:
        return values
    method = cv2.INTER_NEAREST if size[0] >= values.shape[0] else cv2.INTER_AREA
    return np.asarray(cv2.resize(values.astype(np.float32), (size[1], size[0]), interpolation=method))


def beside(pictures: Sequence[ImageArray], *, gap: int = 12) -> ImageArray:
    """Pictures in a row, tops aligned, on white."""
    height = max(p.shape[0] for p in pictures)
    padded = []
    for index, picture in enumerate(pictures):
        if index:
            padded.append(blank(height, gap))
        below = blank(height - picture.shape[0], picture.shape[1])
        padded.append(np.concatenate([picture, below]))
    return np.concatenate(padded, axis=1)


def below(pictures: Sequence[ImageArray], *, gap: int = 8) -> ImageArray:
    """Pictures in a column, left sides aligned, on white."""
    width = max(p.shape[1] for p in pictures)
    padded = []
    for index, picture in enumerate(pictures):
        if index:
            padded.append(blank(gap, width))
        right = blank(picture.shape[0], width - picture.shape[1])
        padded.append(np.concatenate([picture, right], axis=1))
    return np.concatenate(padded)


def framed(picture: ImageArray, *, margin: int = 12) -> ImageArray:
    """A white margin around a finished sheet."""
    return np.asarray(
        cv2.copyMakeBorder(picture, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=PAPER), np.uint8
    )


def titled(picture: ImageArray, text: str) -> ImageArray:
    """A caption above a picture, in several lines where the picture is narrow."""
    return below([caption(text, max(picture.shape[1], 240)), picture], gap=2)


def grid(tiles: Sequence[ImageArray], columns: int, *, gap: int = 2) -> ImageArray:
    """Tiles of one size (h, w, 3) in rows of `columns`, on grey."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    canvas = blank(rows * (height + gap) + gap, min(columns, len(tiles)) * (width + gap) + gap, GAP)
    for index, tile in enumerate(tiles):
        y = gap + index // columns * (height + gap)
        x = gap + index % columns * (width + gap)
        canvas[y : y + height, x : x + width] = tile
    return canvas


def tile(patch: ImageArray, side: int) -> ImageArray:
    """`patch` (h, w, 3) inside a square of `side` pixels, its shape kept, white around it."""
    factor = side / max(patch.shape[:2])
    size = (max(1, round(patch.shape[1] * factor)), max(1, round(patch.shape[0] * factor)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST if factor >= 4 else cv2.INTER_LINEAR
    inner = cv2.resize(patch, size, interpolation=method)
    canvas = blank(side, side)
    y, x = (side - size[1]) // 2, (side - size[0]) // 2
    canvas[y : y + size[1], x : x + size[0]] = inner
    return canvas


def blocks(values: ImageArray, factor: int) -> ImageArray:
    """(h, w, 3) with every pixel drawn as a square of `factor` pixels."""
    return np.repeat(np.repeat(values, factor, axis=0), factor, axis=1)
