"""Whole scenes for the detector: boards and wall lettering in perspective on a street-like background."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from . import degrade
from .boards import Board, FlatLine, make_board, wall_text
from .fonts import FontLibrary
from .lettering import Image, paint
from .lexicon import Lexicon, script_of
from .textures import cut, masks, pictures, surface

_WALLS = (
    "plaster",
    "concrete",
    "bricks",
    "bricks2",
    "drips",
    "smooth",
    "panels",
    "wall_tiles",
    "shutter",
    "wood",
    "ribs",
)


@dataclass(frozen=True, slots=True)
class SceneWord:
    """A word of a scene.

    Attributes:
        polygon: (N, 2) float32, pixels of the scene, clockwise from the text's top-left; 4 points, or 8 to 14 along an
            arched word (half along the top edge, half back along the bottom edge).
        text: NFC, logical order; "" for a word that the picture's border cuts or that is too small to be read.
        script: "latin", "devanagari", "digits", "mixed", or "" without text.
    """

    polygon: np.ndarray
    text: str
    script: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A made-up photo, (H, W, 3) uint8 RGB, and all of its words."""

    image: Image
    words: tuple[SceneWord, ...]


def _wall_color(rng: Generator) -> np.ndarray:
    base = np.array(
        ((200, 195, 185), (150, 145, 138), (215, 190, 150), (190, 120, 90), (120, 120, 125), (235, 232, 225),
         (110, 150, 170), (160, 170, 120), (70, 72, 78), (225, 205, 120), (180, 90, 80))[int(rng.integers(11))],
        np.float32,
    )  # fmt: skip
    return np.clip(base * rng.uniform(0.6, 1.1) + rng.normal(0, 8, 3), 0, 255).astype(np.float32)


def _rectangles(rng: Generator, image: Image, color: np.ndarray) -> None:
    """A grid of windows, a door, or shelves; in place."""
    size = image.shape[0]
    x, y = (int(v) for v in rng.integers(-size // 6, size, 2))
    step_x, step_y = (int(v) for v in rng.integers(size // 24, size // 6, 2))
    fill = tuple(int(c) for c in np.clip(color, 0, 255))
    frame = tuple(int(c) for c in np.clip(color * 0.5 + rng.uniform(0, 140), 0, 255))
    for i in range(int(rng.integers(1, 6))):
        for j in range(int(rng.integers(1, 5))):
            corner = (x + i * step_x, y + j * step_y)
            end = (corner[0] + int(step_x * 0.7), corner[1] + int(step_y * 0.75))
            cv2.rectangle(image, corner, end, fill, -1)
            if step_x > 12:
                cv2.rectangle(image, corner, end, frame, 1 + step_x // 30)


def background(rng: Generator, size: int) -> Image:
    """A (size, size, 3) picture without text: wall, street, foliage, sky or indoor clutter."""
    kind = rng.random()
    banks = pictures()
    if kind < 0.4:  # a wall seen close
        image = surface(
            rng, _wall_color(rng), size, size, name=_WALLS[int(rng.integers(len(_WALLS)))], zoom=rng.uniform(0.8, 2.5)
        )
    elif kind < 0.75:  # a street: sky, buildings, ground
        image = cv2.resize(banks["sky"][int(rng.integers(4))], (size, size))
        horizon = int(size * rng.uniform(0.0, 0.5))
        x = int(-size * rng.uniform(0, 0.3))
        while x < size:
            wide = int(size * rng.uniform(0.15, 0.6))
            top = max(0, int(horizon + rng.normal(0, size * 0.1)))
            left, right = max(0, x), min(size, x + wide)
            if right - left > 4 and size - top > 4:
                name = _WALLS[int(rng.integers(len(_WALLS)))]
                image[top:, left:right] = surface(
                    rng, _wall_color(rng), right - left, size - top, name=name, zoom=rng.uniform(0.5, 1.6)
                )
            x += wide
        for _ in range(int(rng.integers(0, 5))):
            _rectangles(rng, image, rng.uniform(10, 150, 3))
        street = int(size * rng.uniform(0.75, 1.1))
        if street < size - 4:
            image[street:] = surface(rng, rng.uniform(70, 130) + rng.normal(0, 6, 3), size, size - street, name="rough")
    else:
        bank = banks["clutter" if kind < 0.9 else "bokeh" if kind < 0.94 else "foliage"]
        tile = bank[int(rng.integers(len(bank)))]
        image = cut(tile, rng, size, size, zoom=rng.uniform(1.0, 2.0) * size / tile.shape[0])
    if rng.random() < 0.35:  # trees
        leaves = banks["foliage"][int(rng.integers(4))]
        cover = cut(masks()[2], rng, size, size)
        weight = np.clip((cover - rng.uniform(0.3, 1.4)) * 6, 0, 1).astype(np.float32)
        image = cv2.blendLinear(cut(leaves, rng, size, size), np.ascontiguousarray(image), weight, 1 - weight)
    for _ in range(int(rng.integers(0, 4))):
        bank = banks["clutter"]
        w, h = (int(v) for v in size * rng.uniform(0.06, 0.35, 2))
        x, y = int(rng.integers(0, size - w)), int(rng.integers(0, size - h))
        image[y : y + h, x : x + w] = cut(bank[int(rng.integers(len(bank)))], rng, w, h, zoom=rng.uniform(0.4, 1.5))
    for _ in range(int(rng.poisson(1.2))):  # poles, pipes and wires
        color = tuple(int(c) for c in rng.uniform(20, 180) + rng.normal(0, 12, 3))
        if rng.random() < 0.5:
            x = int(rng.integers(0, size))
            cv2.line(image, (x, 0), (x + int(rng.normal(0, 15)), size), color, int(rng.integers(2, 14)), cv2.LINE_AA)
        else:
            y0, y1 = (int(v) for v in rng.integers(0, size, 2))
            cv2.line(image, (0, y0), (size, y1), color, int(rng.integers(1, 4)), cv2.LINE_AA)
    if rng.random() < 0.25:  # rows of marks that are no text
        _stripes(rng, image)
    return np.ascontiguousarray(image)


def _stripes(rng: Generator, image: Image) -> None:
    """A railing, a zebra, a barcode or a row of pegs; in place."""
    size = image.shape[0]
    x, y = (int(v) for v in rng.integers(0, size, 2))
    pitch, length = int(rng.integers(4, 24)), int(rng.integers(8, 120))
    color = tuple(int(c) for c in rng.integers(0, 255, 3))
    wide = max(1, int(pitch * rng.uniform(0.2, 0.7)))
    for k in range(int(rng.integers(6, 40))):
        if rng.random() < 0.5:
            cv2.rectangle(image, (x + k * pitch, y), (x + k * pitch + wide, y + length), color, -1)
        else:
            cv2.rectangle(image, (x + k * pitch, y + length // 3), (x + k * pitch + wide, y + length), color, -1)


def homography(
    rng: Generator, width: int, height: int, center: tuple[float, float], size: int, tilt: float
) -> np.ndarray:
    """(3, 3) from the flat frame of a board to the scene: a plane turned in space and seen by a pinhole camera.

    `tilt` scales the angles; 1 is a passer-by's view with up to about 50 degrees of yaw.
    """
    yaw = np.deg2rad(np.clip(rng.normal(0, 19 * tilt), -52, 52))
    pitch = np.deg2rad(np.clip(rng.normal(0, 10 * tilt), -32, 32))
    roll = np.deg2rad(np.clip(rng.normal(0, 3.5 * tilt), -14, 14))
    if rng.random() < 0.05:
        roll += np.deg2rad(rng.uniform(-35, 35))
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turn = (
        np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    )
    focal = size * rng.uniform(1.3, 3.0)
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    space = np.column_stack([flat - [width / 2, height / 2], np.zeros(4)]) @ turn.T
    depth = focal + space[:, 2]
    corners = space[:, :2] * (focal / depth)[:, None] + np.array(center)
    return cv2.getPerspectiveTransform(flat.astype(np.float32), corners.astype(np.float32))


def _indexed(matrix: np.ndarray, x0: int, y0: int) -> np.ndarray:
    """`matrix` for OpenCV's warps into a window at (x0, y0): they put pixel centres at whole numbers, not at .5."""
    before = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]], np.float64)
    after = np.array([[1, 0, -x0 - 0.5], [0, 1, -y0 - 0.5], [0, 0, 1]], np.float64)
    return after @ matrix @ before


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return cv2.perspectiveTransform(points[None].astype(np.float64), matrix)[0]


def _bounds(points: np.ndarray, size: int, pad: int = 2) -> tuple[int, int, int, int]:
    x0, y0 = np.floor(points.min(0)).astype(int) - pad
    x1, y1 = np.ceil(points.max(0)).astype(int) + pad
    return max(0, int(x0)), max(0, int(y0)), min(size, int(x1)), min(size, int(y1))


def _label(polygon: np.ndarray, text: str, size: int) -> SceneWord | None:
    """The word as a label: clipped at the border, without text when cut or too small, None when outside."""
    clipped = np.clip(polygon, 0, size)
    area = abs(cv2.contourArea(polygon.astype(np.float32)))
    visible = abs(cv2.contourArea(clipped.astype(np.float32)))
    half = len(polygon) // 2
    sides = np.linalg.norm(polygon[:half] - polygon[half:][::-1], axis=1)
    if visible < 0.15 * area or visible < 24:
        return None
    readable = visible > 0.93 * area and sides.mean() >= 8
    text = text if readable else ""
    return SceneWord(clipped.astype(np.float32), text, script_of(text) if text else "")


def _place_board(rng: Generator, image: Image, board: Board, matrix: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """Warps `board` into `image` in place, its shadow first; returns polygons and texts in scene pixels."""
    size = image.shape[0]
    height, width = board.image.shape[:2]
    corners = _apply(matrix, np.array([[0, 0], [width, 0], [width, height], [0, height]]))
    x0, y0, x1, y1 = _bounds(corners, size, pad=10)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return []
    local = _indexed(matrix, x0, y0)
    area = (x1 - x0, y1 - y0)
    window = np.ascontiguousarray(image[y0:y1, x0:x1])
    cover = np.zeros((area[1], area[0]), np.uint8)
    flat = (corners - [x0 + 0.5, y0 + 0.5]) * 16
    cv2.fillConvexPoly(cover, np.round(flat).astype(np.int32), 255, cv2.LINE_AA, 4)
    if rng.random() < 0.6:
        offset = rng.uniform(-7, 7, 2)
        move = np.array([[1, 0, offset[0]], [0, 1, abs(offset[1])]], np.float64)
        shade = cv2.blur(cv2.warpAffine(cover, move, area), (9, 9)).astype(np.float32) * (rng.uniform(0.3, 0.8) / 255)
        window = cv2.blendLinear(np.zeros_like(window), window, shade, 1 - shade)
    warped = cv2.warpPerspective(board.image, local, area, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    weight = cover.astype(np.float32) / 255
    image[y0:y1, x0:x1] = cv2.blendLinear(warped, window, weight, 1 - weight)
    return [(_apply(matrix, word.polygon), word.text) for word in board.words]


def _place_line(rng: Generator, image: Image, line: FlatLine, matrix: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """Paints one line of wall lettering into `image` in place through the plane's homography."""
    size = image.shape[0]
    height, width = line.mask.shape
    matrix_line = matrix @ np.array([[1, 0, line.x], [0, 1, line.y], [0, 0, 1]], np.float64)
    corners = _apply(matrix_line, np.array([[0, 0], [width, 0], [width, height], [0, height]]))
    pad = int(line.letter * 0.3) + 3
    x0, y0, x1, y1 = _bounds(corners, size, pad=pad)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return []
    local = _indexed(matrix_line, x0, y0)
    mask = cv2.warpPerspective(line.mask, local, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    window = np.ascontiguousarray(image[y0:y1, x0:x1])
    image[y0:y1, x0:x1] = paint(window, mask, line.style, line.letter, rng)
    return [(_apply(matrix, word.polygon), word.text) for word in line.words]


def _overlaps(box: tuple[float, float, float, float], others: list[tuple[float, float, float, float]]) -> bool:
    return any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in others)


def _add_signs(
    rng: Generator,
    image: Image,
    fonts: FontLibrary,
    lexicon: Lexicon,
    devanagari: float,
    count: int,
    taken: list[tuple[float, float, float, float]],
    *,
    close: bool = False,
    lettered: float = 0.25,
) -> list[tuple[np.ndarray, str]]:
    """Up to `count` boards or wall letterings in perspective, in place, clear of the boxes `taken`; their words.

    Args:
        image: (size, size, 3) uint8.
        taken: (x0, y0, x1, y1) each, pixels; the new signs' boxes are appended.
        close: one board that fills the picture.
        lettered: share of signs that are painted on what is there, where that is even enough.
    """
    size = image.shape[0]
    found: list[tuple[np.ndarray, str]] = []
    for _ in range(count):
        for _attempt in range(6):
            if close:
                width = size * rng.uniform(0.85, 1.12)
                height = width * rng.uniform(0.3, 0.95)
            else:
                width = size * np.exp(rng.uniform(np.log(0.24), np.log(0.95 if count < 3 else 0.55)))
                height = width / np.exp(rng.uniform(np.log(0.6), np.log(5.0)))
                height = min(height, size * 0.8)
            if height < 22:
                continue
            center = (
                (size * rng.normal(0.5, 0.03), size * rng.normal(0.5, 0.05))
                if close
                else (
                    rng.uniform(width / 2, size - width / 2) if width < size else size / 2,
                    rng.uniform(height / 2, size - height / 2),
                )
            )
            matrix = homography(rng, int(width), int(height), center, size, 0.6 if close else 1.0)
            flat = np.array([[0, 0], [int(width), 0], [int(width), int(height)], [0, int(height)]])
            corners = _apply(matrix, flat)
            box = (*corners.min(0), *corners.max(0))
            outside = max(-box[0], -box[1], box[2] - size, box[3] - size)
            if _overlaps(box, taken) or (not close and outside > size * 0.04):
                continue
            taken.append(box)
            if rng.random() < lettered and not close:
                x0, y0, x1, y1 = (int(np.clip(v, 0, size)) for v in box)
                wall = image[y0:y1, x0:x1].reshape(-1, 3)
                if len(wall) and wall.std(0).mean() < 42:
                    color = wall.mean(0).astype(np.float32)
                    for line in wall_text(rng, fonts, lexicon, int(width), int(height), color, devanagari):
                        found += _place_line(rng, image, line, matrix)
                    break
            if height > 1.2 * width and rng.random() < 0.5:  # a vertical sign, read from its side
                board = make_board(rng, fonts, lexicon, int(height), int(width), devanagari)
                matrix = matrix @ _quarter_turn(rng, int(width), int(height))
            else:
                board = make_board(rng, fonts, lexicon, int(width), int(height), devanagari)
            found += _place_board(rng, image, board, matrix)
            break
    return found


def render_scene(rng: Generator, fonts: FontLibrary, lexicon: Lexicon, *, size: int, devanagari: float) -> Scene:
    """One scene; every choice comes from `rng`."""
    image = background(rng, size)
    close = rng.random() < 0.33
    count = 1 if close else int(rng.choice([1, 2, 3, 4, 5], p=[0.3, 0.27, 0.21, 0.14, 0.08]))
    found = _add_signs(rng, image, fonts, lexicon, devanagari, count, [], close=close)
    for _ in range(int(rng.poisson(0.25))):  # wires and branches in front
        y0, y1 = (int(v) for v in rng.integers(0, size, 2))
        color = tuple(int(c) for c in rng.uniform(10, 90) + rng.normal(0, 8, 3))
        cv2.line(image, (0, y0), (size, y1), color, int(rng.integers(1, 3)), cv2.LINE_AA)
    if rng.random() < 0.7:
        image = degrade.light(image, rng, amount=0.8)
    return _as_seen(rng, image, found, hard=0.45)


def render_onto(
    rng: Generator,
    fonts: FontLibrary,
    lexicon: Lexicon,
    photo: Image,
    taken: list[tuple[float, float, float, float]],
    *,
    devanagari: float,
) -> Scene:
    """A real photo with made-up signs between its own words (in the manner of Gupta et al. 2016, "Synthetic data for
    text localisation in natural images", without their depth maps).

    Args:
        photo: (size, size, 3) uint8; it is left as it is.
        taken: boxes (x0, y0, x1, y1), pixels, of what must stay visible.

    Returns:
        the new picture, and its new words only.
    """
    image = photo.copy()
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.2, 0.25, 0.25, 0.2, 0.1]))
    found = _add_signs(rng, image, fonts, lexicon, devanagari, count, list(taken), lettered=0.6)
    return _as_seen(rng, image, found, hard=0.15)


def _as_seen(rng: Generator, image: Image, found: list[tuple[np.ndarray, str]], *, hard: float) -> Scene:
    """The picture as a camera takes it, and its labels."""
    size = image.shape[0]
    heights = [np.linalg.norm(p[: len(p) // 2] - p[len(p) // 2 :][::-1], axis=1).mean() for p, _ in found]
    detail = float(np.clip(np.percentile(heights, 25) if heights else 20, 10, 60)) * 0.5
    image = degrade.camera(image, rng, detail, hard=hard)
    labels = (_label(polygon, text, size) for polygon, text in found)
    return Scene(np.ascontiguousarray(image), tuple(word for word in labels if word is not None))


def _quarter_turn(rng: Generator, width: int, height: int) -> np.ndarray:
    """(3, 3) from a board of `height` x `width` pixels, turned either way, to the upright frame `width` x `height`."""
    if rng.random() < 0.5:
        return np.array([[0, -1, width], [1, 0, 0], [0, 0, 1]], np.float64)
    return np.array([[0, 1, 0], [-1, 0, height], [0, 0, 1]], np.float64)
