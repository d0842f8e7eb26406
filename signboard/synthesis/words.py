"""Word crops: one word of a made-up sign, cut out as loosely and as damaged as a detector hands it on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator

from . import degrade
from .bending import bend_maps, shape_of_bend
from .fonts import Face, FontLibrary
from .foreign import ForeignWords
from .lettering import (
    Runs,
    Setting,
    Style,
    TextMask,
    board_colors,
    contrast,
    letters_for,
    luma,
    paint,
    sample_night_style,
    sample_style,
    set_words,
    stretch,
    wobble,
)
from .lexicon import Lexicon, clusters, script_of
from .textures import cut, pictures, surface

Image = np.ndarray  # (H, W, 3) uint8

# Surfaces behind lettering and how often: (name, weight, strength range).
_GROUNDS: tuple[tuple[str, float, float, float], ...] = (
    ("smooth", 24, 0.4, 1.6),
    ("smooth2", 16, 0.4, 1.5),
    ("sparkle", 10, 0.5, 1.5),
    ("plaster", 8, 0.5, 1.3),
    ("rough", 4, 0.4, 1.0),
    ("concrete", 5, 0.4, 1.0),
    ("drips", 5, 0.4, 1.0),
    ("brushed", 5, 0.6, 1.5),
    ("wood", 4, 0.4, 1.2),
    ("bricks", 2, 0.4, 1.0),
    ("bricks2", 1.5, 0.4, 1.0),
    ("shutter", 3, 0.5, 1.2),
    ("shutter2", 2, 0.5, 1.1),
    ("ribs", 2, 0.5, 1.1),
    ("panels", 3, 0.5, 1.1),
    ("wall_tiles", 2, 0.5, 1.1),
    ("weave", 3, 0.5, 1.2),
    ("spots", 2, 0.5, 1.1),
)
# Lettering is set at one of these sizes (pixels per em), so that opened fonts can be kept; that on a grid at others.
_SIZES = (26, 42, 68)
_GROUND_WEIGHTS = np.cumsum([row[1] for row in _GROUNDS])


@dataclass(frozen=True, slots=True)
class WordCrop:
    """A labelled word crop.

    Attributes:
        image: (H, W, 3) uint8 RGB, H 20 to 100, of bent words to 170.
        text: NFC, logical order; seldom two or three words separated by single spaces.
        script: "latin", "devanagari", "digits", "mixed", or "other" (then `text` is empty).
    """

    image: Image
    text: str
    script: str


@dataclass(frozen=True, slots=True)
class CropOptions:
    """How often what happens in word crops; probabilities unless said otherwise.

    Attributes:
        neighbours: letters of the same line peek in.
        lines: letters of the lines above or below peek in.
        plain: lettering without effects.
        hard: visibly damaged by the camera.
        arched: curved baseline.
        bent: on an arch, a round badge or a slope, in strong perspective, and cut out by an upright box; of Devanagari
            words two fifths as many.
        cut: the first or the last letter is cut into (Latin).
        other_initial: the first letter is of another typeface (Latin).
        phrases: two or three words.
        night: glowing letters on dark ground.
        low_contrast: letters close to the ground's colour.
        matrix: letters on a coarse grid, as rows of lamps or a simple display show them (Latin).
        initial: a larger first letter (words of Latin capitals).
        jumble: letters that dance (Latin).
        stacked: letters below one another, in a strip that is turned a quarter to the left to be read (Latin).
    """

    neighbours: float = 0.3
    lines: float = 0.22
    plain: float = 0.52
    hard: float = 0.6
    arched: float = 0.05
    bent: float = 0.28
    cut: float = 0.05
    other_initial: float = 0.05
    phrases: float = 0.03
    night: float = 0.035
    low_contrast: float = 0.1
    matrix: float = 0.03
    initial: float = 0.12
    jumble: float = 0.06
    stacked: float = 0.04


# A crop whose brightness deviates less than this (grey levels) can hardly be read: another is made in its place.
_FAINTEST = 9.0
_GENTLE = {"hard": 0.0, "low_contrast": 0.0, "plain": 1.0, "night": 0.0, "matrix": 0.0}


def ground(rng: Generator, color: np.ndarray, width: int, height: int) -> Image:
    """A board's or wall's surface in `color`, (height, width, 3) uint8; at times a gradient or two fields."""
    if rng.random() < 0.15:
        return surface(rng, color, width, height, name="smooth", strength=0.25)
    name, _, low, high = _GROUNDS[int(np.searchsorted(_GROUND_WEIGHTS, rng.random() * _GROUND_WEIGHTS[-1]))]
    return surface(rng, color, width, height, name=name, strength=rng.uniform(low, high), zoom=rng.uniform(0.7, 1.8))


def vary_shape(rng: Generator, text: TextMask, em: int, *, devanagari: bool) -> TextMask:
    """Condensed, widened, slanted or emboldened at random; half of the time left as the face is."""
    kind = rng.random()
    scale_x, slant, bold = 1.0, 0.0, 0
    if kind < 0.3:
        scale_x = rng.uniform(0.62, 1.0) if rng.random() < 0.65 else rng.uniform(1.0, 1.45)
    elif kind < 0.4:
        slant = rng.uniform(0.08, 0.3) * (1 if rng.random() < 0.85 else -1)
    elif kind < 0.48:
        bold = max(1, round(em * rng.uniform(0.008, 0.02 if devanagari else 0.03)))
    elif kind < 0.58:
        return replace(text, mask=wobble(rng, text.mask, em * float(rng.uniform(0.01, 0.03))))
    if scale_x == 1.0 and slant == 0.0 and bold == 0:
        return text
    return stretch(text, float(scale_x), 1.0, float(slant), bold)


def arch_map(width: int, height: int, bend: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Remap tables that put a strip (height, width) on a circle whose arc spans `bend` radians (> 0: middle up).

    Returns:
        map_x, map_y: (out_h, out_w) float32 source coordinates for `cv2.remap`.
        radius: of the strip's middle line, pixels.
    """
    radius = width / abs(bend)
    half = abs(bend) / 2
    outer, inner = radius + height / 2, radius - height / 2
    out_w = int(np.ceil(2 * outer * np.sin(min(half, np.pi / 2)))) + 2
    out_h = int(np.ceil(outer - inner * np.cos(half))) + 2
    x = np.arange(out_w, dtype=np.float32)[None] - out_w / 2 + 0.5
    y = np.arange(out_h, dtype=np.float32)[:, None] + 0.5
    down = outer - y if bend > 0 else y + inner * np.cos(half)
    distance = np.sqrt(x * x + down * down)
    angle = np.arctan2(x, down)
    map_x = (angle * radius + width / 2).astype(np.float32)
    map_y = (outer - distance if bend > 0 else distance - inner).astype(np.float32)
    return map_x - 0.5, map_y - 0.5, radius


def arch_points(points: np.ndarray, width: int, height: int, bend: float) -> np.ndarray:
    """Where `arch_map` puts the points (N, 2) of the straight strip."""
    radius = width / abs(bend)
    half = abs(bend) / 2
    outer, inner = radius + height / 2, radius - height / 2
    out_w = int(np.ceil(2 * outer * np.sin(min(half, np.pi / 2)))) + 2
    angle = (points[:, 0] - width / 2) / radius
    distance = outer - points[:, 1] if bend > 0 else inner + points[:, 1]
    x = distance * np.sin(angle) + out_w / 2
    y = outer - distance * np.cos(angle) if bend > 0 else distance * np.cos(angle) - inner * np.cos(half)
    return np.stack([x, y], axis=1)


def _fragment(rng: Generator, lexicon: Lexicon, script: str, count: int) -> str:
    """A few letters of some word, to peek in from the side."""
    pieces = clusters(lexicon.word(rng, script))
    return "".join(pieces[:count])


def _runs(fonts: FontLibrary, rng: Generator, text: str, face: Face | None = None) -> Runs | None:
    return fonts.runs(rng, text, face=face)


def draw_text(
    rng: Generator, fonts: FontLibrary, lexicon: Lexicon, devanagari: float, phrases: float
) -> tuple[str, Runs]:
    """A word (seldom a phrase) and the faces to draw it with; redrawn until the fonts can draw it."""
    for _ in range(20):
        kind = rng.random()
        if kind < devanagari:
            script = "devanagari"
        elif kind < devanagari + (1 - devanagari) * 0.8:
            script = "latin"
        else:
            script = "digits" if rng.random() < 0.92 else "mixed"
        text = lexicon.word(rng, script)
        if rng.random() < phrases and len(text) < 10:
            text = f"{text} {lexicon.word(rng, script)}"
        runs = fonts.runs(rng, text)
        if runs is None:
            continue
        if any(face.unicase for _, face in runs):
            text = text.upper()
            runs = fonts.runs(rng, text, face=runs[0][1])
            if runs is None:
                continue
        return text, runs
    face = fonts.faces[0]
    return "12", [("12", face)]


def render_crop(
    rng: Generator,
    fonts: FontLibrary,
    lexicon: Lexicon,
    *,
    devanagari: float,
    options: CropOptions,
    foreign: ForeignWords | None = None,
) -> WordCrop:
    """One word crop; every choice comes from `rng`. With `foreign`, in a script that is not read, without a text."""
    if foreign is not None:
        text, script, native = "", "other", True
        runs = foreign.draw(rng)
    else:
        text, runs = draw_text(rng, fonts, lexicon, devanagari, options.phrases)
        script, native = script_of(text), any("\u0900" <= c <= "\u097f" for c in text)

    if not native and rng.random() < options.other_initial:
        runs = _other_initial(rng, fonts, text, runs)

    # The crop's height in the photo: mostly 20 to 90 pixels, letters a little less.
    height = min(max(42.0 * math.exp(rng.normal(0.0, 0.5)), 16.0 if native else 13.0), 96.0)
    em = _SIZES[int(np.searchsorted(_SIZES[:-1], height * 1.1))]
    night = rng.random() < options.night
    pitch = 0
    grid = fonts.grid_face(rng, text) if not native and rng.random() < options.matrix else None
    if grid is not None:
        face, squares = grid
        text = text.upper() if face.unicase else text
        runs = [(text, face)]
        pitch = max(2, round(height * float(rng.uniform(1.0, 1.6)) / squares))
        em = pitch * squares
        night = options.night > 0 and rng.random() < 0.6
    setting = Setting() if pitch or foreign is not None else _setting(rng, text, em, native, options)
    gap = em * float(rng.uniform(0.22, 0.4))
    if pitch:
        gap = float(pitch * max(1, round(gap / pitch)))  # all words on one grid
    words = [_split(runs, part) for part in text.split(" ")] if " " in text else [runs]
    on_end = not native and not pitch and 2 < len(text) < 14 and text.isalpha() and rng.random() < options.stacked
    if on_end:
        if rng.random() < 0.8 and text.upper() != text and (capitals := fonts.runs(rng, text.upper(), face=runs[0][1])):
            text, runs = text.upper(), capitals
        line = _stacked(rng, runs, em)
    else:
        line = set_words(words, em, gap=gap, setting=setting, rng=rng)
    if line is None:
        return (
            WordCrop(np.full((32, 64, 3), 200, np.uint8), "12", "digits")
            if text == "12"
            else render_crop(rng, fonts, lexicon, devanagari=devanagari, options=options, foreign=foreign)
        )
    bendable = not pitch and not on_end
    line = vary_shape(rng, line, em, devanagari=native) if bendable else line
    mask = line.mask
    if bendable and rng.random() < options.arched and height > 26 and 1.6 < mask.shape[1] / mask.shape[0] < 6:
        bend = float(rng.uniform(0.25, 0.9)) * (1 if rng.random() < 0.7 else -1)
        map_x, map_y, _ = arch_map(mask.shape[1], mask.shape[0], bend)
        mask = cv2.remap(mask, map_x, map_y, cv2.INTER_LINEAR)
    letter = float(min(mask.shape[0], em * 0.9))
    detail = letter * (0.62 if native else 0.9)  # what blur is measured by: Devanagari has finer parts

    # The word's canvas, with room for what peeks in and for the detector's imprecision.
    margin = int(letter * 0.32) + 3
    if pitch:
        margin += -margin % pitch  # lamps lie on one grid
    band: np.ndarray | None = None
    if bendable and rng.random() < options.bent * (0.4 if native else 1.0):
        canvas, band = _bent(rng, mask, margin)
        # The box is so much higher than the letters; they stay as large in the photo as they would be, nearly.
        height = min(height * max(1.0, 0.75 * (canvas.shape[0] - 2 * margin) / letter), 160.0)
    else:
        canvas = cv2.copyMakeBorder(mask, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    full_h, full_w = canvas.shape
    ink_h, ink_w = full_h - 2 * margin, full_w - 2 * margin
    if band is None or rng.random() < 0.3:
        _add_neighbours(rng, fonts, lexicon, canvas, runs[0][1], em, margin, script, options)

    # Colours: a sign's pair, seldom close to each other.
    if night:
        board = rng.uniform(0, 45, 3).astype(np.float32)
        style: Style = sample_night_style(rng)
        if pitch:
            style = replace(style, dots=True, neon=False, pitch=float(pitch))
        elif style.dots and (native or len(text) > 12 or letter < 30):
            style = Style(fill=style.fill, neon=True)
    else:
        board, fill = board_colors(rng)
        if rng.random() < options.low_contrast:
            away = 1.0 if luma(board) < 110 or (luma(board) < 150 and rng.random() < 0.5) else -1.0
            fill = np.clip(board * rng.uniform(0.9, 1.05) + away * rng.uniform(45, 85), 0, 255).astype(np.float32)
        elif contrast(board, fill) < 55:
            fill = letters_for(rng, board)
        style = sample_style(rng, board, fill, plain=options.plain)
    # How far letters stand out; those in relief have little of their own colour.
    apart = contrast(board, style.fill) if not style.relief else 100 * max(0.6 * abs(style.relief), style.opacity)
    if not night and apart > 90 and rng.random() < 0.09:
        # Letters straight on a busy picture need an outline or strong contrast.
        bank = pictures()[("clutter", "clutter", "foliage", "sky", "bokeh")[int(rng.integers(5))]]
        picture = cut(bank[int(rng.integers(len(bank)))], rng, full_w, full_h, zoom=rng.uniform(0.6, 2))
        image = cv2.addWeighted(picture, 0.45, ground(rng, board, full_w, full_h), 0.55, 0)
    else:
        image = ground(rng, board, full_w, full_h)
    if band is not None:
        image = _badge(rng, image, band, board, style.fill, letter)
    elif not night and rng.random() < 0.12:
        _decorate(rng, image, margin, board, style.fill)
    image = paint(image, canvas, style, letter, rng)

    box = [margin, margin, margin + ink_w, margin + ink_h]
    if not native and band is None and len(text) > 2 and rng.random() < options.cut:
        inside = round(ink_w / len(text) * float(rng.uniform(0.15, 0.5)))
        box[0], box[2] = (box[0] + inside, box[2]) if rng.random() < 0.5 else (box[0], box[2] - inside)
    image = _cut_out(rng, image, (box[0], box[1], box[2], box[3]), letter, height, ink_h)
    scale = image.shape[0] / max(1.0, ink_h)
    if rng.random() < 0.45:
        image = degrade.light(image, rng)
    visibility = 1.0 if night else min(max(apart / 100.0, 0.25), 1.0)
    image = degrade.camera(image, rng, detail * min(1.0, scale), hard=options.hard, visibility=visibility)
    if float(cv2.meanStdDev(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[1][0, 0]) < _FAINTEST:
        gentle = replace(options, **_GENTLE)
        return render_crop(rng, fonts, lexicon, devanagari=devanagari, options=gentle, foreign=foreign)
    out_h = image.shape[0]
    if out_h < 24 or rng.random() < 0.08:
        target = max(24.0, out_h * rng.uniform(1.0, 1.6))
        target = min(target, 96.0 if band is None else 160.0)
        size = (max(8, round(image.shape[1] * target / out_h)), round(target))
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR)
    return WordCrop(np.ascontiguousarray(image), text, script)


def _setting(rng: Generator, text: str, em: int, native: bool, options: CropOptions) -> Setting:
    """How the letters of a crop stand: mostly as the face has them."""
    tracking = 0.0
    if rng.random() < 0.12:
        low, high = (0.03, 0.4) if rng.random() < 0.65 else (0.4, 1.3) if rng.random() < 0.55 else (-0.04, 0.0)
        tracking = em * float(rng.uniform(low, high))
        if native:
            tracking = min(tracking, em * 0.25)
    if native:
        return Setting(tracking)
    initial, hanging = 1.0, False
    if len(text) > 2 and text.isupper() and text[0].isalpha() and rng.random() < options.initial:
        initial, hanging = float(rng.uniform(1.15, 1.7)), rng.random() < 0.3
    jumble = float(rng.uniform(0.04, 0.16)) if rng.random() < options.jumble else 0.0
    return Setting(tracking, initial, hanging, jumble)


def _other_initial(rng: Generator, fonts: FontLibrary, text: str, runs: Runs) -> Runs:
    """`runs` with the first letter in a typeface of its own, where there is one that tells capitals from small ones."""
    first, rest = runs[0][0][:1], runs[0][0][1:]
    face = fonts.choose(rng, first)
    if not rest or not first.isalpha() or face is None or (face.unicase and not first.isupper()):
        return runs
    return [(first, face), (rest, runs[0][1]), *runs[1:]]


def _stacked(rng: Generator, runs: Runs, em: int) -> TextMask | None:
    """A word whose letters stand below one another, turned a quarter to the left: they lie on their backs, from left
    to right. None where a letter has no ink."""
    letters = [set_words([[(char, face)]], em, gap=0.0) for text, face in runs for char in text]
    masks = [letter.mask for letter in letters if letter is not None]
    if len(masks) < len(letters):
        return None
    width = max(mask.shape[1] for mask in masks)
    gap = max(1, round(em * float(rng.uniform(0.05, 0.45))))
    rows = []
    for mask in masks:
        left = (width - mask.shape[1]) // 2
        rows.append(cv2.copyMakeBorder(mask, 0, gap, left, width - mask.shape[1] - left, cv2.BORDER_CONSTANT))
    column = np.rot90(np.concatenate(rows)[:-gap])
    height, length = column.shape
    return TextMask(np.ascontiguousarray(column), np.array([[0, 0, length, height]], np.float32), height)


def _bent(rng: Generator, mask: np.ndarray, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """A word's mask on an arch or a slope, at times seen from the side, and the band that it stands on.

    Returns:
        two (H, W) uint8 masks, in which `margin` pixels are left around the word.
    """
    height, width = mask.shape
    bend, turn = shape_of_bend(rng, width / height)
    room = round(height * float(rng.uniform(0.1, 0.4)))
    strip = cv2.copyMakeBorder(mask, room, room, room, room, cv2.BORDER_CONSTANT)
    map_x, map_y = bend_maps(strip.shape[1], strip.shape[0], bend, turn)
    word = cv2.remap(strip, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    # The band runs on beyond the word's ends.
    band = ((map_y > 0) & (map_y < strip.shape[0])).astype(np.uint8) * 255
    if rng.random() < (0.5 if bend == 0 else 0.2):
        rows, columns = word.shape
        far, squeeze = rng.uniform(0.35, 0.9), rng.uniform(0.4, 1.0)
        shift = float(rng.uniform(-0.4, 0.4)) * rows
        ends = [(1.0, 0.0), (far, shift)] if rng.random() < 0.5 else [(far, shift), (1.0, 0.0)]
        edges = [(offset + rows * (1 - size) / 2, offset + rows * (1 + size) / 2) for size, offset in ends]
        low = min(edges[0][0], edges[1][0])
        (left_top, left_bottom), (right_top, right_bottom) = ((a - low, b - low) for a, b in edges)
        across = columns * float(squeeze)
        target = np.array([[0, left_top], [across, right_top], [across, right_bottom], [0, left_bottom]], np.float32)
        source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
        size = (max(2, round(across)), max(2, round(max(left_bottom, right_bottom))))
        matrix = cv2.getPerspectiveTransform(source, target)
        word, band = (cv2.warpPerspective(m, matrix, size, flags=cv2.INTER_AREA) for m in (word, band))
    columns_with, rows_with = np.flatnonzero(word.max(axis=0) > 40), np.flatnonzero(word.max(axis=1) > 40)
    if len(columns_with) == 0:  # hair strokes that the resampling lost
        word = cv2.copyMakeBorder(mask, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
        return word, np.full_like(word, 255)
    x0, x1, y0, y1 = columns_with[0], columns_with[-1] + 1, rows_with[0], rows_with[-1] + 1
    word, band = (
        cv2.copyMakeBorder(m, margin, margin, margin, margin, border)
        for m, border in ((word, cv2.BORDER_CONSTANT), (band, cv2.BORDER_REPLICATE))
    )
    place = np.s_[y0 : y1 + 2 * margin, x0 : x1 + 2 * margin]
    return word[place].copy(), band[place].copy()


def _badge(rng: Generator, image: Image, band: np.ndarray, board: np.ndarray, fill: np.ndarray, letter: float) -> Image:
    """`image`, the ground of a bent word, with what a badge has around its band of lettering."""
    if rng.random() < 0.45:
        return image
    height, width = band.shape
    beyond = letters_for(rng, fill, least=40.0) if rng.random() < 0.6 else rng.uniform(0, 255, 3).astype(np.float32)
    outside = ground(rng, beyond, width, height)
    if rng.random() < 0.4:  # an emblem, or a part of one
        color = tuple(int(c) for c in (fill if rng.random() < 0.5 else letters_for(rng, beyond)))
        for _ in range(int(rng.integers(1, 4))):
            middle = (int(rng.integers(width)), int(rng.uniform(0.3, 1.1) * height))
            axes = tuple(int(v) for v in rng.uniform(0.05, 0.35, 2) * min(width, height))
            thick = -1 if rng.random() < 0.5 else max(1, round(letter * 0.1))
            cv2.ellipse(
                outside, middle, axes, float(rng.uniform(0, 180)), 0, float(rng.uniform(120, 360)), color, thick
            )
    image = np.where(band[..., None] > 127, image, outside)
    if rng.random() < 0.5:
        edge = tuple(int(c) for c in (fill if rng.random() < 0.5 else letters_for(rng, board)))
        lines, _ = cv2.findContours(band, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, lines, -1, edge, max(1, round(letter * float(rng.uniform(0.03, 0.12)))))
    return image


def _split(runs: Runs, part: str) -> Runs:
    """The runs of one word of a phrase: the faces of `runs` for the characters of `part`."""
    result: Runs = []
    for char in part:
        face = next((f for t, f in runs if char in t), runs[0][1])
        if result and result[-1][1] is face:
            result[-1] = (result[-1][0] + char, face)
        else:
            result.append((char, face))
    return result


def _add_neighbours(
    rng: Generator,
    fonts: FontLibrary,
    lexicon: Lexicon,
    canvas: np.ndarray,
    face: Face,
    em: int,
    margin: int,
    script: str,
    options: CropOptions,
) -> None:
    """Draws parts of other words into the margins of `canvas`, in place."""
    full_h, full_w = canvas.shape
    script = "latin" if script in ("mixed", "digits", "other") else script
    ink = canvas[margin : full_h - margin, margin : full_w - margin].copy()
    ink_h, ink_w = ink.shape
    if rng.random() < options.neighbours:
        for side in (-1, 1):
            if rng.random() < 0.4:
                continue
            gap = int(em * rng.uniform(0.12, 0.32))
            if rng.random() < 0.7:  # a slice of the word itself stands for a neighbour's letter: nothing to set
                width = min(ink_w, margin)
                start = int(rng.integers(0, ink_w - width + 1))
                piece, y = ink[:, start : start + width], margin
            else:
                runs = fonts.runs(rng, _fragment(rng, lexicon, script, 1), face=face)
                other = set_words([runs], em, gap=0) if runs else None
                if other is None:
                    continue
                piece, y = other.mask, margin + (ink_h - other.mask.shape[0]) // 2
            _stamp(canvas, piece, margin - gap - piece.shape[1] if side < 0 else full_w - margin + gap, y)
    if rng.random() < options.lines:
        # Of the line above only feet are seen, of the line below only heads: the word itself, moved along, will do.
        side = -1 if rng.random() < 0.5 else 1
        scale = float(rng.uniform(0.75, 1.3))
        piece = cv2.resize(
            ink, (max(2, int(ink_w * scale)), max(2, int(ink_h * scale))), interpolation=cv2.INTER_LINEAR
        )
        piece = np.roll(piece, int(rng.integers(0, piece.shape[1])), axis=1)
        gap = int(em * rng.uniform(0.06, 0.28))
        x = int(rng.integers(0, max(1, full_w // 2))) if rng.random() < 0.3 else int(rng.integers(-margin, 1))
        _stamp(canvas, piece, x, margin - gap - piece.shape[0] if side < 0 else full_h - margin + gap)


def _stamp(canvas: np.ndarray, mask: np.ndarray, x: int, y: int) -> None:
    """Adds `mask` to `canvas` at (x, y), clipped at the border."""
    height, width = canvas.shape
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(width, x + mask.shape[1]), min(height, y + mask.shape[0])
    if x1 > x0 and y1 > y0:
        window = canvas[y0:y1, x0:x1]
        np.maximum(window, mask[y0 - y : y1 - y, x0 - x : x1 - x], out=window)


def _decorate(rng: Generator, image: Image, margin: int, board: np.ndarray, fill: np.ndarray) -> None:
    """A board's edge, a rule or a field of another colour beside the word; drawn before the letters, in place."""
    height, width = image.shape[:2]
    color = tuple(int(c) for c in (fill if rng.random() < 0.5 else letters_for(rng, board)))
    thick = max(1, int(margin * rng.uniform(0.05, 0.3)))
    place = int(margin * rng.uniform(0.35, 0.75))
    kind = rng.random()
    if kind < 0.5:
        for y in (place, height - place):
            if rng.random() < 0.6:
                cv2.line(image, (0, y), (width, y), color, thick)
    elif kind < 0.7:
        x = place if rng.random() < 0.5 else width - place
        cv2.line(image, (x, 0), (x, height), color, thick)
    elif kind < 0.85:
        cv2.rectangle(image, (place, place), (width - place, height - place), color, thick)
    else:
        edge = int(margin * rng.uniform(0.1, 0.6))
        if rng.random() < 0.5:
            image[:edge] = color
        else:
            image[height - edge :] = color


def _cut_out(
    rng: Generator,
    image: Image,
    box: tuple[int, int, int, int],
    letter: float,
    height: float,
    ink_h: int,
) -> Image:
    """The crop along a detector's quad: `box` padded by -5 to +15 % of the height, turned and bent a little.

    The result's height is `height` pixels times the padding, whatever the size of the canvas.
    """
    x0, y0, x1, y1 = box
    size = y1 - y0
    pads = np.clip(rng.normal(0.08, 0.06, 4), -0.03, 0.26) * size
    left, top, right, bottom = x0 - pads[0], y0 - pads[1], x1 + pads[2], y1 + pads[3]
    quad = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    quad += rng.normal(0, 0.018 * size, (4, 2))
    center = quad.mean(0)
    kind = rng.random()
    # Data sets with axis-aligned boxes hold upright boxes around turned words; else only a small error is left.
    upright = kind > 0.86
    slope = size / max(1.0, right - left)
    limit = min(math.degrees(math.atan(0.55 * slope)), 14.0) if upright else math.degrees(math.atan(0.16 * slope))
    angle = min(max(rng.normal(0, 5.0 if upright else 1.5), -limit), limit)
    if abs(angle) > 0.3:
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        if upright:
            grow = abs(sin) * (right - left) / max(1.0, bottom - top)
            quad = center + (quad - center) * np.array([1.0, 1.0 + grow])
        quad = center + (quad - center) @ np.array([[cos, sin], [-sin, cos]])
    if rng.random() < 0.25:  # perspective that rectification left
        quad[:, 1] += np.array([-1, 1, -1, 1]) * rng.normal(0, 0.03) * size
    if rng.random() < 0.2:
        quad[:, 0] += np.array([1, 1, -1, -1]) * rng.normal(0, 0.08) * size
    edges = np.hypot(*(np.roll(quad, -1, axis=0) - quad).T)  # top, right, bottom, left
    ratio = float((edges[0] + edges[2]) / (edges[1] + edges[3]))
    out_h = min(max(round(height * (bottom - top) / size), 12), 170)
    squeeze = math.exp(rng.normal(0, 0.07))
    out_w = min(max(round(out_h * ratio * squeeze), 8), 1200)
    scale = out_h / max(1.0, bottom - top)
    if scale < 0.8:
        image = cv2.GaussianBlur(image, (0, 0), 0.42 / scale)
    target = np.array([[0, 0], [out_w, 0], [out_w, out_h], [0, out_h]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    return cv2.warpPerspective(image, matrix, (out_w, out_h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
