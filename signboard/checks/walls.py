"""Drawn walls that say nothing: facades, fences, tiles, keyboards and the like, as whole photos.

`signboard.synthesis.negatives` draws such things, and more of them, as the crops that a network learns from; these are
other drawings, so that they can tell whether it did.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from signboard.checks.lettering import Colour, Drawn

WALLS = ("windows", "round_windows", "arches", "balconies", "fence", "railing", "tiles", "bricks", "grille",
         "chain_link", "keyboard", "knitwear", "foliage", "shutter")  # fmt: skip


def wall(kind: str, rng: random.Random) -> Image.Image:
    """A picture of one of `WALLS`: repeating shapes, uneven light, noise, perhaps seen askew. Nothing is written."""
    width, height = rng.choice([(1280, 960), (960, 1280), (1024, 768), (800, 600)])

    def tone(low: int, high: int) -> Colour:
        base = rng.randint(low, high)
        return tuple(max(0, min(255, base + rng.randint(-25, 25))) for _ in range(3))  # type: ignore[return-value]

    light, dark = tone(150, 235), tone(20, 90)
    ground, shape = (light, dark) if rng.random() < 0.7 else (dark, light)
    picture = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(picture)
    w, h = rng.randint(25, 90), rng.randint(30, 110)
    dx, dy = round(w * rng.uniform(1.2, 2.2)), round(h * rng.uniform(1.2, 2.0))
    line = rng.randint(2, 7)
    for row, y in enumerate(range(rng.randint(-h, 30), height, dy)):
        shift = (row % 2) * dx // 2 if kind in ("bricks", "chain_link", "knitwear") else 0
        for x in range(rng.randint(-w, 0) if kind == "foliage" else -shift, width, dx):
            box = (x, y, x + w, y + h)
            if kind == "windows":
                draw.rectangle(box, shape, outline=tone(90, 250), width=line)
                draw.line((x + w // 2, y, x + w // 2, y + h), ground, line)
                if h > w:
                    draw.line((x, y + h // 2, x + w, y + h // 2), ground, line)
            elif kind == "round_windows":
                draw.ellipse(box, ground, outline=shape, width=2 * line)
            elif kind == "arches":
                draw.pieslice((x, y, x + w, y + w), 180, 360, shape)
                draw.rectangle((x, y + w // 2, x + w, y + max(h, w // 2)), shape)
            elif kind == "balconies":
                draw.rectangle((x, y, x + w, y + h * 2 // 3), shape)
                for bar in range(x, x + w, max(4, w // 8)):
                    draw.line((bar, y + h * 2 // 3, bar, y + h), shape, 2)
                draw.line((x, y + h, x + w, y + h), shape, line)
            elif kind == "tiles":
                draw.rectangle((x, y, x + dx - line, y + dy - line), tone(90, 220))
            elif kind == "bricks":
                draw.rectangle((x, y // 2, x + dx - line, y // 2 + dy // 2 - line), tone(80, 170))
            elif kind == "grille":
                draw.line((x, 0, x, height), shape, line)
                draw.line((0, y, width, y), shape, line)
                draw.ellipse((x - w // 3, y - w // 3, x + w // 3, y + w // 3), outline=shape, width=line)
            elif kind == "chain_link":
                draw.polygon(
                    [(x, y + h // 2), (x + w // 2, y), (x + w, y + h // 2), (x + w // 2, y + h)],
                    outline=shape,
                    width=line,
                )
            elif kind == "keyboard":
                draw.rounded_rectangle(
                    (x, y, x + round(dx * 0.85), y + round(dy * 0.85)), 8, shape, outline=tone(90, 160), width=2
                )
            elif kind == "knitwear":
                draw.line((x, y, x + w // 2, y + h // 2, x + w, y), shape, 2 * line, joint="curve")
            elif kind == "foliage":
                a, b = rng.randint(0, width), rng.randint(0, height)
                draw.ellipse((a, b, a + rng.randint(8, w), b + rng.randint(8, h)), tone(40, 170))
    if kind == "fence":
        for x in range(0, width, dx):
            draw.polygon(
                [
                    (x, height),
                    (x, height // 3),
                    (x + w // 2, height // 3 - w // 2),
                    (x + w, height // 3),
                    (x + w, height),
                ],
                shape,
            )
        for y in (height // 2, 3 * height // 4):
            draw.rectangle((0, y, width, y + h // 3), shape)
    elif kind == "railing":
        for top in range(rng.randint(50, 200), height, rng.randint(200, 400)):
            for x in range(0, width, max(10, dx // 2)):
                draw.line((x, top, x, top + 2 * h), shape, line)
            draw.rectangle((0, top, width, top + line), shape)
            draw.rectangle((0, top + 2 * h, width, top + 2 * h + line), shape)
    elif kind == "shutter":
        for y in range(0, height, max(8, h // 3)):
            draw.rectangle((0, y, width, y + max(2, h // 9)), shape)
    lean = rng.uniform(-0.15, 0.15)
    if abs(lean) > 0.05:
        how = (1, lean, 0, 0, 1 + lean / 2, 0, 0, lean / height)
        seen = Image.Transform.PERSPECTIVE
        picture = picture.transform((width, height), seen, how, Image.Resampling.BILINEAR, fillcolor=ground)
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5)))).astype(np.float32)
    noise = np.random.default_rng(rng.randrange(2**31))
    pixels *= np.linspace(rng.uniform(0.6, 1.0), 1.0, width)[None, :, None]
    pixels += noise.normal(0, rng.uniform(2, 9), pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def walls(seed: int, count: int) -> Iterator[Drawn]:
    """`count` pictures of each of `WALLS`."""
    for kind in WALLS:
        for i in range(count):
            yield Drawn(wall(kind, random.Random(f"{seed} {kind} {i}")), "", kind)


__all__ = ["WALLS", "wall", "walls"]
