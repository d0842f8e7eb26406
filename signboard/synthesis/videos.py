"""Videos with known truth: plain boards on a long wall that a camera pans, zooms and shakes over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont, features

from signboard.geometry import ImageArray
from signboard.output.annotate import FONT_PATH

View = tuple[float, float, float, float]
"""Centre x, centre y, zoom (pixels of the frame for one of the scene) and turn in degrees."""


_NOISE_ROOM = 64  # pixels


def view(scene: ImageArray, at: View, size: tuple[int, int], *, blur: float = 0.0, angle: float = 0.0) -> ImageArray:
    """The frame of `size` (width, height) that shows the scene (H, W, 3) from a view; `blur` is a streak in pixels."""
    x, y, zoom, turn = at
    matrix = np.asarray(cv2.getRotationMatrix2D((x, y), turn, zoom), np.float64)
    matrix[:, 2] += np.array(size) / 2 - (x, y)
    frame = cv2.warpAffine(
        scene, matrix, size, flags=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    if blur >= 2:
        side = int(blur) | 1
        line = np.zeros((side, side), np.float32)
        line[side // 2] = 1
        spin = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, 1)
        kernel = np.asarray(cv2.warpAffine(line, spin, (side, side)), np.float32)
        frame = cv2.filter2D(frame, -1, kernel / max(float(kernel.sum()), 1e-6))
    return np.asarray(frame)


def view_at(points: Sequence[tuple[float, View]], seconds: float) -> View:
    """The view at a time, between the views of `points` (seconds, view), eased in and out."""
    times = [t for t, _ in points]
    values = np.array([v for _, v in points])
    i = int(np.clip(np.searchsorted(times, seconds, side="right") - 1, 0, len(points) - 2))
    share = float(np.clip((seconds - times[i]) / (times[i + 1] - times[i]), 0, 1))
    share = share * share * (3 - 2 * share)
    x, y, zoom, turn = values[i] + share * (values[i + 1] - values[i])
    return float(x), float(y), float(zoom), float(turn)


def make_video(
    target: Path,
    scene: ImageArray,
    points: Sequence[tuple[float, View]],
    *,
    size: tuple[int, int] = (1280, 720),
    rate: float = 25.0,
    shake: float = 0.0,
    blurred: float = 0.0,
    noise: float = 0.0,
    over: Callable[[ImageArray, float], None] | None = None,
    seed: int = 0,
    kind: str = "mp4v",
) -> Path:
    """Writes the video of a camera that moves over a scene (H, W, 3) RGB.

    Args:
        shake: pixels of hand shake (standard deviation).
        blurred: share of frames with a streak of motion blur.
        noise: grey levels of noise (standard deviation).
        over: draws on a frame at a time, e.g. a bus that passes.
    """
    rng = np.random.default_rng(seed)
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*kind), rate, size)
    assert writer.isOpened()
    sway = np.zeros(2)
    field = rng.normal(0, noise, (size[1] + _NOISE_ROOM, size[0] + _NOISE_ROOM, 3)).astype(np.int16)
    for index in range(round(points[-1][0] * rate)):
        x, y, zoom, turn = view_at(points, index / rate)
        sway = 0.8 * sway + 0.6 * rng.normal(0, 1, 2) * shake
        blur = float(rng.uniform(8, 24)) if rng.random() < blurred else 0.0
        frame = view(
            scene,
            (x + sway[0] / zoom, y + sway[1] / zoom, zoom, turn + 0.05 * float(sway[0])),
            size,
            blur=blur,
            angle=float(rng.uniform(0, 180)),
        ).copy()
        if over is not None:
            over(frame, index / rate)
        if noise:
            # Another part of one field of noise for each frame: drawing it anew takes longer than all the rest.
            top, left = (int(value) for value in rng.integers(0, _NOISE_ROOM, 2))
            grain = field[top : top + size[1], left : left + size[0]]
            frame = np.asarray(cv2.add(frame, grain, dtype=cv2.CV_8U))
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return target


def wall(width: int, height: int, seed: int = 0) -> ImageArray:
    """(height, width, 3) uint8: bricks and stains, with enough corners to follow."""
    rng = np.random.default_rng(seed)
    small = rng.normal(0, 1, (height // 16 + 1, width // 16 + 1)).astype(np.float32)
    stains = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) * 9
    picture = np.full((height, width, 3), (172, 150, 132), np.float32) + stains[..., None]
    for row, y in enumerate(range(0, height, 36)):
        picture[y : y + 2] -= 26
        for x in range((row % 2) * 48, width, 96):
            picture[y : y + 36, x : x + 2] -= 22
    return np.clip(picture, 0, 255).astype(np.uint8)


def paste(scene: ImageArray, picture: ImageArray, left: int, top: int) -> None:
    """Lays a picture on the scene, in place."""
    height, width = picture.shape[:2]
    scene[top : top + height, left : left + width] = picture


def draw_board(rng: Generator, lines: Sequence[str], width: int = 700) -> ImageArray:
    """(H, `width`, 3) uint8: lines of text on a board, in the typeface of this package, any colours that contrast."""
    engine = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
    ground = rng.integers(0, 256, 3)
    ink = np.where(ground.mean() > 127, ground * rng.uniform(0, 0.25, 3), 255 - (255 - ground) * rng.uniform(0, 0.3, 3))
    fonts = []
    for text in lines:
        size = float(rng.uniform(0.09, 0.16) * width)
        length = ImageFont.truetype(str(FONT_PATH), 100, layout_engine=engine).getlength(text)
        fonts.append(ImageFont.truetype(str(FONT_PATH), min(size, 86 * width / length), layout_engine=engine))
    height = int(sum(1.45 * font.size for font in fonts) + 0.12 * width)
    board = PillowImage.new("RGB", (width, height), tuple(int(c) for c in ground))
    pen = ImageDraw.Draw(board)
    pen.rectangle((6, 6, width - 7, height - 7), outline=tuple(int(c) for c in ink), width=5)
    y = 0.06 * width
    for text, font in zip(lines, fonts, strict=True):
        pen.text((width / 2, y + 0.72 * font.size), text, font=font, fill=tuple(int(c) for c in ink), anchor="mm")
        y += 1.45 * font.size
    return np.asarray(board)
