"""Draw the sample signs of `data/samples/` with the typeface inside the package: `python scripts/make_samples.py`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[1]
FONT = ROOT / "signboard" / "output" / "fonts" / "Mukta-SemiBold.ttf"

# name: (board colour, letter colour, lines of (text, size in pixels))
SIGNS = {
    "station": ((245, 200, 20), (20, 20, 20), [("नई दिल्ली", 150), ("NEW DELHI", 110)]),
    "shop": (
        (170, 25, 30),
        (255, 245, 225),
        [("शर्मा मिष्ठान भंडार", 120), ("SHARMA SWEETS", 90), ("Phone 98765 43210", 60)],
    ),
    "road": ((0, 95, 60), (250, 250, 250), [("महात्मा गांधी मार्ग", 110), ("Mahatma Gandhi Road", 90)]),
}


def draw(name: str, seed: int) -> Image.Image:
    """A photo-like picture, 1280 x 960, of the sign `name` on a wall, seen a little from the side."""
    board_colour, letter_colour, lines = SIGNS[name]
    rng = np.random.default_rng(seed)
    board = Image.new("RGB", (1000, 60 + sum(int(size * 1.45) for _, size in lines)), board_colour)
    pen = ImageDraw.Draw(board)
    pen.rectangle([8, 8, board.width - 9, board.height - 9], outline=letter_colour, width=6)
    y = 30.0
    for text, size in lines:
        font = ImageFont.truetype(str(FONT), size, layout_engine=ImageFont.Layout.RAQM)
        pen.text((board.width / 2, y + size * 0.72), text, font=font, fill=letter_colour, anchor="mm")
        y += size * 1.45
    wall = np.full((960, 1280, 3), (176, 168, 155), np.float32)
    wall += cv2.resize(rng.normal(0, 14, (60, 80, 1)).astype(np.float32), (1280, 960), interpolation=cv2.INTER_CUBIC)[
        ..., None
    ]
    for row in range(0, 960, 60):
        wall[row : row + 2] -= 22
    corners = np.array([[0, 0], [board.width, 0], [board.width, board.height], [0, board.height]], np.float32)
    x0, y0 = (1280 - board.width) / 2, (960 - board.height) / 2
    target = (corners + np.array([x0, y0]) + rng.uniform(-30, 30, (4, 2))).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    pixels = np.asarray(board, np.float32)
    laid = cv2.warpPerspective(pixels, matrix, (1280, 960), flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.ones(pixels.shape[:2], np.float32), matrix, (1280, 960))[..., None]
    photo = wall * (1 - mask) + laid * mask
    photo *= np.linspace(1.08, 0.86, 1280, dtype=np.float32)[None, :, None]
    photo = cv2.GaussianBlur(photo, (0, 0), 0.8) + rng.normal(0, 3, photo.shape)
    return Image.fromarray(np.clip(photo, 0, 255).astype(np.uint8))


if __name__ == "__main__":
    for number, sign in enumerate(SIGNS):
        path = ROOT / "data" / "samples" / f"{sign}.jpg"
        draw(sign, number).save(path, quality=88)
        print(path)
