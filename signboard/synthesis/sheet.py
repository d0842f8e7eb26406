"""Contact sheets: many samples on one picture, with their texts, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image as PILImage
from PIL import ImageDraw

from .fonts import FontLibrary, open_font
from .scenes import Scene
from .words import WordCrop

Image = np.ndarray  # (H, W, 3) uint8


def word_sheet(
    crops: Sequence[WordCrop], fonts: FontLibrary, *, columns: int = 8, cell: tuple[int, int] = (196, 84)
) -> Image:
    """Crops in rows of `columns` cells (width, height), the label below each; (H, W, 3) uint8."""
    width, height = cell
    sheet = PILImage.new("RGB", (columns * width, -(-len(crops) // columns) * height), (60, 60, 60))
    draw = ImageDraw.Draw(sheet)
    for index, crop in enumerate(crops):
        x, y = index % columns * width + 3, index // columns * height + 2
        picture = PILImage.fromarray(crop.image)
        scale = min((width - 6) / picture.width, (height - 24) / picture.height)
        size = max(1, int(picture.width * scale)), max(1, int(picture.height * scale))
        sheet.paste(picture.resize(size, PILImage.Resampling.BILINEAR), (x, y))
        left = float(x)
        # A fixed generator: the same label is always drawn with the same face.
        for text, face in fonts.runs(np.random.default_rng(0), crop.text) or []:
            font = open_font(face.path, 14)
            draw.text((left, y + height - 10), text, font=font, fill=(255, 255, 255), anchor="ls")
            left += font.getlength(text)
    return np.asarray(sheet)


def scene_sheet(scenes: Sequence[Scene], *, columns: int = 4, cell: int = 480) -> Image:
    """Scenes with their polygons (green; red without text; a dot at the first point) in rows; (H, W, 3) uint8."""
    rows = -(-len(scenes) // columns)
    sheet = np.full((rows * cell, columns * cell, 3), 60, np.uint8)
    for index, scene in enumerate(scenes):
        picture = scene.image.copy()
        for word in scene.words:
            color = (0, 255, 0) if word.text else (255, 0, 0)
            points = np.round(word.polygon).astype(np.int32)
            cv2.polylines(picture, [points], True, color, 1, cv2.LINE_AA)
            cv2.circle(picture, (int(points[0, 0]), int(points[0, 1])), 3, (255, 0, 255), -1)
        y, x = index // columns * cell, index % columns * cell
        scale = (cell - 4) / max(picture.shape[:2])
        size = (max(1, int(picture.shape[1] * scale)), max(1, int(picture.shape[0] * scale)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        sheet[y : y + size[1], x : x + size[0]] = small
    return sheet
