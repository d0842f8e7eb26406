"""Lettering: a run of words as a coverage mask, and the ways in which signs colour it (outline, shadow, neon, ...)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image as PILImage

from .fonts import Face, open_font
from .lexicon import clusters
from .textures import cut, flat_image, masks, surfaces

Image = np.ndarray  # (H, W, 3) uint8
Mask = np.ndarray  # (H, W) uint8
Color = np.ndarray  # (3,) float32
Runs = list[tuple[str, Face]]


@dataclass(frozen=True, slots=True)
class TextMask:
    """Words set on one baseline.

    Attributes:
        mask: (H, W) uint8 coverage.
        boxes: (N, 4) float32, ink box x0, y0, x1, y1 of each word, mask pixels.
        baseline: y of the baseline, mask pixels.
    """

    mask: Mask
    boxes: np.ndarray
    baseline: int


@dataclass(frozen=True, slots=True)
class Setting:
    """How the letters of a word stand beside each other.

    Attributes:
        tracking: extra space between grapheme clusters, pixels; 0 keeps kerning and joins, if the others are as usual.
        initial: size of a word's first letter, as a share of that of the others.
        hanging: a larger initial reaches as far below the others as above them, else it stands on their baseline.
        jumble: letters dance: each turned by about as many radians, moved and sized likewise.
    """

    tracking: float = 0.0
    initial: float = 1.0
    hanging: bool = False
    jumble: float = 0.0

    @property
    def apart(self) -> bool:
        """Whether letters are drawn one by one."""
        return bool(self.tracking or self.jumble or self.initial != 1.0)


def _turned(bitmap: Mask, angle: float, scale: float) -> Mask:
    """A glyph turned about its middle (radians, clockwise) and scaled, in a bitmap as large as that takes."""
    height, width = bitmap.shape
    cos, sin = abs(np.cos(angle)) * scale, abs(np.sin(angle)) * scale
    out_w, out_h = int(np.ceil(width * cos + height * sin)) + 1, int(np.ceil(width * sin + height * cos)) + 1
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -np.degrees(angle), scale)
    matrix[:, 2] += (out_w - width) / 2, (out_h - height) / 2
    return cv2.warpAffine(bitmap, matrix, (out_w, out_h), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _glyphs(runs: Runs, em: int, setting: Setting, rng: Generator | None) -> tuple[list[tuple[Mask, int, int]], float]:
    """Glyph bitmaps with offsets from the pen's origin on the baseline, and the advance; all pixels."""
    pieces: list[tuple[Mask, int, int]] = []
    pen = 0.0
    for text, face in runs:
        font = open_font(face.path, em)
        parts = clusters(text) if setting.apart else [text]
        for part in parts:
            mask, (dx, dy) = font.getmask2(part, mode="L", anchor="ls")
            size = setting.initial if not pieces else 1.0
            if mask.size[0] and mask.size[1]:
                # Pillow's core images have no public way to an array; bytes(mask) is twenty times slower.
                bitmap = np.asarray(PILImage.Image()._new(mask))
                height, width = bitmap.shape
                angle, zoom, lift = 0.0, size, 0.0
                if setting.jumble:
                    if rng is None:
                        raise ValueError("dancing letters need a generator")
                    angle = float(rng.normal(0, setting.jumble))
                    zoom *= float(np.exp(rng.normal(0, 0.7 * setting.jumble)))
                    lift = float(rng.normal(0, 0.4 * setting.jumble)) * em
                if zoom != 1.0 or angle:
                    bitmap = _turned(bitmap, angle, zoom)
                # Scaled about the baseline, then put where its middle belongs.
                middle_x, middle_y = (dx + width / 2) * zoom, (dy + height / 2) * zoom + lift
                if setting.hanging:
                    middle_y += (size - 1.0) * height / 2
                left, top = middle_x - bitmap.shape[1] / 2, middle_y - bitmap.shape[0] / 2
                pieces.append((bitmap, round(pen) + round(left), round(top)))
            if setting.apart or len(runs) > 1:
                pen += font.getlength(part) * size + setting.tracking
    return pieces, pen


_EVEN = Setting()


def set_words(
    words: list[Runs], em: int, *, gap: float, setting: Setting = _EVEN, rng: Generator | None = None
) -> TextMask | None:
    """Sets words side by side on one baseline.

    Args:
        words: the runs (text, face) of each word.
        em: font size, pixels per em.
        gap: white space between the ink of neighbouring words, pixels.
        setting: how the letters stand.
        rng: for letters that dance; needed when `setting.jumble` is not 0.

    Returns:
        The mask without margins, or None when a word has no ink.
    """
    placed: list[tuple[Mask, int, int]] = []
    boxes = []
    pen = 0.0
    for runs in words:
        pieces, _ = _glyphs(runs, em, setting, rng)
        if not pieces:
            return None
        left = min(x for _, x, _ in pieces)
        right = max(x + bitmap.shape[1] for bitmap, x, _ in pieces)
        shift = round(pen) - left
        placed += [(bitmap, x + shift, y) for bitmap, x, y in pieces]
        top = min(y for _, _, y in pieces)
        bottom = max(y + bitmap.shape[0] for bitmap, _, y in pieces)
        boxes.append((left + shift, top, right + shift, bottom))
        pen = right + shift + gap
    array = np.asarray(boxes, dtype=np.float32)
    x0, y0 = int(array[:, 0].min()), int(array[:, 1].min())
    width, height = int(array[:, 2].max()) - x0, int(array[:, 3].max()) - y0
    if width < 2 or height < 2:
        return None
    canvas = np.zeros((height, width), np.uint8)
    for bitmap, x, y in placed:
        window = canvas[y - y0 : y - y0 + bitmap.shape[0], x - x0 : x - x0 + bitmap.shape[1]]
        np.maximum(window, bitmap, out=window)
    array[:, 0::2] -= x0
    array[:, 1::2] -= y0
    return TextMask(canvas, array, -y0)


def stretch(text: TextMask, scale_x: float, scale_y: float, slant: float, embolden: int) -> TextMask:
    """Condensed or widened, slanted (tangent of the angle, positive leans right) and emboldened (pixels) lettering."""
    height, width = text.mask.shape
    out_h = max(2, round(height * scale_y))
    extra = abs(slant) * out_h
    out_w = max(2, round(width * scale_x + extra))
    mask = text.mask
    if embolden:
        pad = embolden
        mask = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
        mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pad + 1, 2 * pad + 1)))
        out_w, out_h = out_w + 2 * pad, out_h + 2 * pad
    else:
        pad = 0
    if slant == 0:
        interpolation = cv2.INTER_AREA if scale_x < 1 else cv2.INTER_LINEAR
        mask = cv2.resize(mask, (out_w, out_h), interpolation=interpolation)
    else:
        offset = extra if slant > 0 else 0.0
        matrix = np.array([[scale_x, -slant * scale_y, offset], [0, scale_y, 0]], np.float64)
        mask = cv2.warpAffine(mask, matrix, (out_w, out_h), flags=cv2.INTER_LINEAR)
    boxes = text.boxes * np.array([scale_x, scale_y, scale_x, scale_y], np.float32)
    # Row y moves right by slant * (out_h - y) (right lean) or |slant| * y (left lean): the box takes both ends.
    near, far = (boxes[:, 3], boxes[:, 1]) if slant > 0 else (boxes[:, 1], boxes[:, 3])
    base = extra if slant > 0 else 0.0
    boxes[:, 0] += base - slant * near
    boxes[:, 2] += base - slant * far
    boxes += np.array([0, 0, 2 * pad, 2 * pad], np.float32)
    boxes[:, 0::2] = np.clip(boxes[:, 0::2], 0, out_w)
    boxes[:, 1::2] = np.clip(boxes[:, 1::2], 0, out_h)
    return TextMask(mask, boxes, round(text.baseline * scale_y) + pad)


def wobble(rng: Generator, mask: Mask, amount: float) -> Mask:
    """Brush lettering by hand: every stroke moved a little, smoothly along the word, by about `amount` pixels."""
    height, width = mask.shape
    cells = (2, max(2, width // max(1, height // 2)))
    shift = [
        cv2.resize(rng.normal(0, amount, cells).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        for _ in range(2)
    ]
    map_x = np.arange(width, dtype=np.float32)[None] + shift[0]
    map_y = np.arange(height, dtype=np.float32)[:, None] + shift[1]
    return cv2.remap(mask, map_x, map_y, cv2.INTER_LINEAR)


# Colours ---------------------------------------------------------------------------------------------------------

# Board colours as painted, printed and reflective signs have them; each with the letter colours that go with it.
_WHITE, _BLACK = (245, 245, 240), (22, 22, 24)
_RED, _BLUE, _GREEN, _YELLOW = (200, 28, 30), (24, 62, 150), (10, 105, 65), (250, 205, 20)
_ORANGE, _MAROON, _NAVY, _CREAM = (235, 115, 30), (110, 22, 30), (18, 28, 88), (240, 226, 190)
_SKY, _PURPLE, _GOLD, _GREY = (60, 150, 215), (95, 40, 120), (205, 160, 70), (150, 150, 150)
PALETTES: tuple[tuple[tuple[int, int, int], tuple[tuple[int, int, int], ...], float], ...] = (
    (_WHITE, (_RED, _BLUE, _BLACK, _GREEN, _NAVY, _MAROON, _PURPLE, _BLACK), 22),
    (_YELLOW, (_BLACK, _RED, _BLUE, _NAVY, _BLACK), 11),
    (_BLUE, (_WHITE, _WHITE, _YELLOW, _CREAM), 13),
    (_NAVY, (_WHITE, _WHITE, _YELLOW, _GOLD), 7),
    (_GREEN, (_WHITE, _WHITE, _YELLOW, _CREAM), 10),
    (_RED, (_WHITE, _WHITE, _YELLOW, _CREAM), 11),
    (_MAROON, (_WHITE, _YELLOW, _GOLD, _CREAM), 5),
    (_BLACK, (_WHITE, _YELLOW, _RED, _GOLD, _ORANGE, _SKY, (120, 220, 80)), 9),
    (_CREAM, (_MAROON, _BLACK, _RED, _GREEN, _NAVY), 6),
    (_ORANGE, (_WHITE, _BLACK, _NAVY, _CREAM), 4),
    (_SKY, (_WHITE, _NAVY, _RED, _YELLOW, _BLACK), 4),
    (_GREY, (_BLACK, _WHITE, _RED, _BLUE, (60, 60, 60)), 5),
    (_PURPLE, (_WHITE, _YELLOW), 2),
    ((70, 60, 55), (_WHITE, _GOLD, _CREAM, _ORANGE), 4),
    ((200, 175, 140), (_BLACK, _MAROON, _NAVY, (90, 50, 20)), 4),
    ((235, 160, 175), (_MAROON, _WHITE, _NAVY, _PURPLE), 1.5),
    ((120, 190, 90), (_WHITE, _BLACK, _NAVY, _RED), 2),
)
_PALETTE_WEIGHTS = np.cumsum([row[2] for row in PALETTES])


def luma(color: np.ndarray) -> float:
    return float(0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2])


def contrast(a: np.ndarray, b: np.ndarray) -> float:
    """How far apart two colours look: mostly brightness, some hue; 0 to about 255."""
    return abs(luma(a) - luma(b)) + 0.1 * float(np.abs(a - b).max())


def board_colors(rng: Generator) -> tuple[Color, Color]:
    """(board, letters): a sign's pair of colours, seldom one of free choice."""
    if rng.random() < 0.82:
        row = PALETTES[int(np.searchsorted(_PALETTE_WEIGHTS, rng.random() * _PALETTE_WEIGHTS[-1]))]
        board, letters = np.array(row[0], np.float32), np.array(row[1][int(rng.integers(len(row[1])))], np.float32)
        board = np.clip(board + rng.normal(0, 14, 3) + rng.normal(0, 12), 0, 255).astype(np.float32)
        letters = np.clip(letters + rng.normal(0, 12, 3), 0, 255).astype(np.float32)
        return board, letters
    board = rng.uniform(0, 255, 3).astype(np.float32)
    return board, letters_for(rng, board)


def letters_for(rng: Generator, board: Color, *, least: float = 85.0) -> Color:
    """A letter colour that can be read on `board`."""
    for _ in range(12):
        pick = rng.random()
        if pick < 0.4:
            color = np.array((_WHITE, _BLACK)[int(luma(board) > 125)], np.float32)
        else:
            row = PALETTES[int(rng.integers(len(PALETTES)))]
            color = np.array(row[0] if pick < 0.7 else row[1][int(rng.integers(len(row[1])))], np.float32)
        color = np.clip(color + rng.normal(0, 15, 3), 0, 255).astype(np.float32)
        if contrast(color, board) >= least:
            return color
    return np.array((_WHITE, _BLACK)[int(luma(board) > 125)], np.float32)


# Effects ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Style:
    """How lettering is painted. Lengths are fractions of the letter height.

    Attributes:
        fill: letter colour.
        fill_to: second colour of a vertical gradient, or None.
        outline, outline_color: width (0: none) and colour of a stroke around the letters.
        outline2, outline2_color: a further stroke around that one.
        shadow: (dx, dy, blur, opacity) of a cast shadow, or None.
        extrude: (dx, dy) of solid sides, or None; `side` is their colour.
        emboss: strength of a lit bevel, 0: none.
        relief: strength of the light on letters that stand out of the ground, or are cut into it (negative), in the
            ground's own colour with a touch of `fill`; 0: none.
        neon: tubes that glow on a dark ground.
        dots: LED dots.
        pitch: of the dots, in pixels of the mask and counted from its corner; 0: as suits the letters' height.
        hollow: only the outline is painted.
        wear: 0 to 1, share of paint that has come off.
        texture: name of a surface on the letters, or None.
        opacity: of the paint.
        bands: colours of letters that change along the word, or empty.
    """

    fill: Color
    fill_to: Color | None = None
    outline: float = 0.0
    outline_color: Color | None = None
    outline2: float = 0.0
    outline2_color: Color | None = None
    shadow: tuple[float, float, float, float] | None = None
    extrude: tuple[float, float] | None = None
    side: Color | None = None
    emboss: float = 0.0
    relief: float = 0.0
    neon: bool = False
    dots: bool = False
    pitch: float = 0.0
    hollow: bool = False
    wear: float = 0.0
    texture: str | None = None
    opacity: float = 1.0
    bands: tuple[Color, ...] = ()


def plain_style(fill: Color) -> Style:
    return Style(fill=fill)


def sample_style(rng: Generator, board: Color, fill: Color, *, plain: float = 0.5) -> Style:
    """A style of lettering in `fill` for a ground of colour `board`; `plain` is the share without any effect."""
    if rng.random() < plain:
        return Style(fill=fill, opacity=float(rng.uniform(0.85, 1.0)))
    kind = rng.random()
    other = letters_for(rng, fill, least=70.0)
    sign_x, sign_y = (-1.0 if rng.random() < 0.3 else 1.0), (-1.0 if rng.random() < 0.15 else 1.0)
    if kind < 0.26:  # outline
        double = rng.random() < 0.25
        return Style(
            fill=fill,
            outline=float(rng.uniform(0.025, 0.09)),
            outline_color=other,
            outline2=float(rng.uniform(0.03, 0.07)) if double else 0.0,
            outline2_color=fill if rng.random() < 0.5 else letters_for(rng, other, least=60),
        )
    if kind < 0.46:  # cast shadow
        far = rng.uniform(0.03, 0.11)
        shadow = (sign_x * far, sign_y * far * rng.uniform(0.5, 1.2), rng.uniform(0.0, 0.08), rng.uniform(0.35, 0.9))
        outlined = rng.random() < 0.3
        return Style(
            fill=fill,
            shadow=shadow,
            outline=float(rng.uniform(0.025, 0.06)) if outlined else 0.0,
            outline_color=other,
        )
    if kind < 0.6:  # solid letters
        side = fill * rng.uniform(0.3, 0.6) if rng.random() < 0.6 else board * 0.6 + 20
        return Style(
            fill=fill,
            extrude=(float(sign_x * rng.uniform(0.0, 0.12)), float(sign_y * rng.uniform(0.03, 0.12))),
            side=np.asarray(side, np.float32),
            shadow=(sign_x * 0.12, 0.14, 0.1, 0.5) if rng.random() < 0.3 else None,
            outline=float(rng.uniform(0.02, 0.05)) if rng.random() < 0.25 else 0.0,
            outline_color=other,
        )
    if kind < 0.7:  # bevel
        return Style(fill=fill, emboss=float(rng.uniform(0.4, 1.2)), shadow=(0.03, 0.04, 0.05, 0.5))
    if kind < 0.82:  # gradient
        lighter = np.clip(fill * rng.uniform(0.45, 0.8) + rng.uniform(0, 60, 3) * (luma(fill) > 120), 0, 255)
        if contrast(lighter.astype(np.float32), board) < 60:
            lighter = np.clip(fill + rng.normal(0, 25, 3), 0, 255)
        outlined = rng.random() < 0.4
        return Style(
            fill=fill,
            fill_to=lighter.astype(np.float32),
            outline=float(rng.uniform(0.025, 0.06)) if outlined else 0.0,
            outline_color=other,
        )
    if kind < 0.86:  # cut into stone or cast in metal
        relief = float(rng.uniform(0.35, 1.0)) * float(rng.choice([-1.0, 1.0]))
        return Style(fill=fill, relief=relief, opacity=float(rng.uniform(0.0, 0.3)))
    if kind < 0.93:  # worn paint or a rough surface
        rough = rng.random() < 0.4
        return Style(
            fill=fill,
            wear=0.0 if rough else float(rng.uniform(0.04, 0.22)),
            texture=("rough", "concrete", "wood", "drips")[int(rng.integers(4))] if rough else None,
            opacity=float(rng.uniform(0.75, 1.0)),
        )
    if kind < 0.965:  # letters of several colours
        colors = tuple(letters_for(rng, board, least=70) for _ in range(int(rng.integers(2, 5))))
        return Style(fill=fill, bands=colors)
    return Style(fill=fill, hollow=True, outline=float(rng.uniform(0.05, 0.08)), outline_color=fill)


def sample_night_style(rng: Generator) -> Style:
    """Neon tubes, LED dots or letters lit from behind, for dark grounds."""
    hue = np.array(
        ((255, 60, 50), (60, 255, 90), (80, 170, 255), (255, 210, 60), (255, 90, 220), (250, 250, 250), (255, 140, 40))[
            int(rng.integers(7))
        ],
        np.float32,
    )
    return Style(fill=hue, dots=True) if rng.random() < 0.45 else Style(fill=hue, neon=True)


def _shift(mask: Mask, dx: int, dy: int) -> Mask:
    height, width = mask.shape
    out = np.zeros_like(mask)
    out[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)] = mask[
        max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)
    ]
    return out


def _grow(mask: Mask, radius: float) -> Mask:
    """The mask grown by a fractional radius: dilated by the next whole disc, thinned by a blend with the last one."""
    whole = int(radius)
    grown = mask
    if whole:
        grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * whole + 1, 2 * whole + 1)))
    rest = radius - whole
    if rest > 0.15:
        more = cv2.dilate(grown, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
        grown = cv2.addWeighted(grown, 1 - rest, more, rest, 0)
    return grown


def _paint(image: Image, color: Color | Image, mask: Mask, opacity: float = 1.0) -> Image:
    """Blends `color`, a colour (3,) or an image (H, W, 3), over `image` where `mask` (H, W) covers."""
    weight = np.multiply(mask, np.float32(opacity / 255.0), dtype=np.float32)
    layer = flat_image(color, *mask.shape) if color.ndim == 1 else color.astype(np.uint8, copy=False)
    return cv2.blendLinear(layer, image, weight, 1.0 - weight)


def _led(image: Image, mask: Mask, style: Style, height: float, rng: Generator) -> Image:
    rows = int(np.clip(height / rng.uniform(2.6, 4.0), 11, 26))
    pitch = style.pitch or max(2.0, height / rows)
    small = cv2.resize(
        mask, (max(1, round(mask.shape[1] / pitch)), max(1, round(mask.shape[0] / pitch))), interpolation=cv2.INTER_AREA
    )
    lit: np.ndarray = np.where(small > 105, 255, 0).astype(np.uint8)
    cell = 6
    dot = np.zeros((cell, cell), np.uint8)
    cv2.circle(dot, (cell // 2, cell // 2), 2, 255, -1, cv2.LINE_AA)
    big: np.ndarray = np.kron(lit // 255, dot)
    off: np.ndarray = np.kron(np.ones_like(lit), dot)
    shape = (mask.shape[1], mask.shape[0])
    big, off = (cv2.resize(m, shape, interpolation=cv2.INTER_AREA) for m in (big, off))
    image = _paint(image, np.clip(style.fill * 0.15 + 12, 0, 255).astype(np.float32), off, 0.5)
    glow = cv2.GaussianBlur(big, (0, 0), max(0.8, height * 0.06))
    image = cv2.add(image, (glow[:, :, None] * (style.fill / 255.0 * 0.5)).astype(np.uint8))
    return _paint(image, style.fill, big, 1.0)


def _lit(image: Image, mask: Mask, strength: float, height: float) -> Image:
    """`image` (H, W, 3) where letters of `mask` (H, W) stand out of it in light from the upper left."""
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.7, 0.035 * height)).astype(np.int16)
    step = max(1, round(0.035 * height))
    behind = np.pad(soft, ((step, 0), (step, 0)), mode="edge")[: soft.shape[0], : soft.shape[1]]
    light = (soft - behind) * strength
    return np.clip(image.astype(np.int16) + light[:, :, None], 0, 255).astype(np.uint8)


def _relief(image: Image, mask: Mask, style: Style, height: float) -> Image:
    tinted = _paint(image, style.fill, mask, style.opacity) if style.opacity else image
    return _lit(tinted, mask, style.relief, height)


def _neon(image: Image, mask: Mask, style: Style, height: float, rng: Generator) -> Image:
    if rng.random() < 0.4:  # tubes along the outline
        tube = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    else:
        tube = mask
    near = cv2.GaussianBlur(tube, (0, 0), max(0.8, height * 0.05)).astype(np.float32)
    far = cv2.GaussianBlur(tube, (0, 0), max(1.0, height * 0.2)).astype(np.float32)
    glow = (0.7 * near + 0.5 * far)[:, :, None] * (style.fill / 255.0)
    image = cv2.add(image, np.clip(glow, 0, 255).astype(np.uint8))
    core = np.clip(style.fill * 0.5 + 128, 0, 255).astype(np.float32)
    return _paint(image, core if rng.random() < 0.6 else style.fill, tube, 0.95)


def paint(image: Image, mask: Mask, style: Style, height: float, rng: Generator) -> Image:
    """Lettering on a ground.

    Args:
        image: (H, W, 3) uint8 ground.
        mask: (H, W) uint8 coverage of the letters.
        style: how to paint.
        height: letter height, pixels.

    Returns:
        A new image.
    """
    if style.neon:
        return _neon(image, mask, style, height, rng)
    if style.dots:
        return _led(image, mask, style, height, rng)
    if style.relief:
        return _relief(image, mask, style, height)
    front = mask
    if style.wear:
        field = cut(masks()[int(rng.integers(2))], rng, mask.shape[1], mask.shape[0])
        # The quantile of a unit normal that leaves `wear` of the paint off, approximated near the tail.
        level = 2.2 - 4.5 * style.wear
        kept = np.clip((level - field) * 2.5 + 0.5, 0.1, 1)
        front = (mask * kept).astype(np.uint8)
    body = front
    outer = front
    if style.outline and style.outline_color is not None:
        outer = _grow(front, max(0.6, style.outline * height))
    outermost = _grow(outer, max(0.6, style.outline2 * height)) if style.outline2 else outer
    if style.shadow is not None:
        dx, dy, blur, opacity = style.shadow
        shade = _shift(outermost, round(dx * height), round(dy * height))
        if blur * height > 0.5:
            shade = cv2.GaussianBlur(shade, (0, 0), blur * height)
        image = _paint(image, np.zeros(3, np.float32), shade, opacity)
    if style.extrude is not None and style.side is not None:
        dx, dy = style.extrude[0] * height, style.extrude[1] * height
        steps = max(1, int(max(abs(dx), abs(dy))))
        solid = outer.copy()
        for step in range(1, steps + 1):
            np.maximum(solid, _shift(outer, round(dx * step / steps), round(dy * step / steps)), out=solid)
        image = _paint(image, style.side, solid, style.opacity)
    if style.outline2 and style.outline2_color is not None:
        image = _paint(image, style.outline2_color, outermost, style.opacity)
    if style.outline and style.outline_color is not None:
        if style.hollow:
            outer = cv2.subtract(outer, body)
        image = _paint(image, style.outline_color, outer, style.opacity)
        if style.hollow:
            return image
    fill: Color | Image = style.fill
    rows, columns = mask.shape
    if style.fill_to is not None:
        ramp = np.linspace(-0.3, 1.3, rows, dtype=np.float32).clip(0, 1)[:, None, None]
        fill = np.broadcast_to(style.fill + (style.fill_to - style.fill) * ramp, (rows, columns, 3)).astype(np.uint8)
    elif style.bands:
        bands = np.stack(style.bands)
        phase = np.arange(columns) / max(1.0, height * rng.uniform(0.6, 3.0))
        fill = np.broadcast_to(bands[phase.astype(int) % len(bands)], (rows, columns, 3)).astype(np.uint8)
    if style.texture is not None or style.emboss:
        if fill.ndim == 1:
            fill = flat_image(fill, rows, columns)
        if style.texture is not None:
            grain = cv2.addWeighted(cut(surfaces()[style.texture], rng, columns, rows), 0.7, fill, 0.0, 0.3 * 128)
            fill = cv2.multiply(fill, grain, scale=1 / 128)
        if style.emboss:
            fill = _lit(fill, mask, style.emboss, height)
    return _paint(image, np.ascontiguousarray(fill) if fill.ndim == 3 else fill, body, style.opacity)
