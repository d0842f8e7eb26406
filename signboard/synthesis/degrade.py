"""What light and a camera do to a picture: shade, glare, defocus, motion, exposure, sensor noise, JPEG."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator

from .textures import SIZE, noise_bank

Image = np.ndarray  # (H, W, 3) uint8
_RAMP = np.linspace(0, 1, 256)


def light(image: Image, rng: Generator, *, amount: float = 1.0) -> Image:
    """Uneven light: a soft field of gains, at times a cast shadow's edge or a glare spot. (H, W, 3) uint8 -> same."""
    height, width = image.shape[:2]
    kind = rng.random()
    if kind < 0.6:
        coarse = (1.0 + amount * rng.normal(0, 0.13, (2, 3))).astype(np.float32)
        gain = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    else:  # the edge of a shadow
        angle = rng.uniform(0, 2 * np.pi)
        x = np.linspace(-1, 1, width, dtype=np.float32)[None] * np.float32(np.cos(angle))
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
        edge = np.clip((x + y + rng.uniform(-0.5, 0.5)) * rng.uniform(1, 12) + 0.5, 0, 1)
        dark = 1.0 - amount * rng.uniform(0.15, 0.5)
        gain = (dark + (1 - dark) * edge).astype(np.float32)
    tile = np.clip(gain * 128, 0, 255).astype(np.uint8)
    image = cv2.multiply(image, cv2.merge((tile, tile, tile)), scale=1 / 128)
    if rng.random() < 0.08:
        spot: np.ndarray = np.zeros((height, width), np.uint8)
        center = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (max(2, int(height * rng.uniform(0.3, 1.2))), max(2, int(height * rng.uniform(0.2, 0.6))))
        cv2.ellipse(spot, center, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(40, 120)), -1)
        spot = cv2.blur(spot, (2 * (axes[1] // 2) + 1, 2 * (axes[1] // 2) + 1))
        image = cv2.add(image, cv2.merge((spot, spot, spot)))
    return image


def defocus(image: Image, sigma: float) -> Image:
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.25 else image


def motion(image: Image, rng: Generator, length: float) -> Image:
    """Blur along a random direction, `length` pixels."""
    if length < 1.5:
        return image
    size = int(length) | 1
    angle = rng.uniform(0, np.pi)
    kernel = np.zeros((size, size), np.float32)
    center = size // 2
    dx, dy = np.cos(angle) * center, np.sin(angle) * center
    start, end = (round(center - dx), round(center - dy)), (round(center + dx), round(center + dy))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA)
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def exposure(image: Image, rng: Generator, *, amount: float = 1.0) -> Image:
    """Gain, offset, gamma and a colour cast as one look-up table a channel, with floor and ceiling left apart."""
    contrast = max(1.0 - amount * abs(rng.normal(0, 0.22)), 0.35)
    gain = min(max(1 + amount * rng.normal(-0.08, 0.2), 0.45), 1.22)
    gamma = math.exp(amount * rng.normal(0, 0.22))
    lift = rng.uniform(0, 1 - contrast)
    ramp = _RAMP**gamma * (contrast * 255 * gain) + lift * 255 * gain
    table = ramp[None, :, None] * (1 + amount * rng.normal(0, 0.05, 3))  # (1, 256, 3)
    return cv2.LUT(image, np.minimum(table, 255).astype(np.uint8))


def saturate(image: Image, factor: float) -> Image:
    """Towards grey (factor < 1) or away from it."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, factor, grey, 1 - factor, 0)


def noise(image: Image, rng: Generator, sigma: float) -> Image:
    """Sensor noise of deviation `sigma` grey levels, cut from a bank."""
    if sigma < 0.5:
        return image
    height, width = image.shape[:2]
    bank = noise_bank()[int(rng.integers(3))]
    if height > SIZE or width > SIZE:
        bank = np.tile(bank, (-(-height // SIZE) + 1, -(-width // SIZE) + 1, 1))
    y = int(rng.integers(0, bank.shape[0] - height + 1))
    x = int(rng.integers(0, bank.shape[1] - width + 1))
    window = np.ascontiguousarray(bank[y : y + height, x : x + width])
    return cv2.addWeighted(image, 1.0, window, sigma / 32.0, 0.0, dtype=cv2.CV_8U)


def jpeg(image: Image, quality: int) -> Image:
    """A round through JPEG with chroma subsampling."""
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if ok else None
    return image if decoded is None else decoded


def sharpen(image: Image, amount: float) -> Image:
    """What phone cameras do: an unsharp mask, halos included."""
    return cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), 1.2), -amount, 0)


def camera(image: Image, rng: Generator, letter: float, *, hard: float = 0.6, visibility: float = 1.0) -> Image:
    """The chain from optics to file.

    Args:
        image: (H, W, 3) uint8.
        letter: letter height, pixels; blur is measured by it.
        hard: share of pictures that are visibly damaged.
        visibility: 0 to 1, how well the letters stand out now; faint letters are damaged less, to stay legible.
    """
    harsh = rng.random() < hard * (0.5 + 0.5 * visibility)
    if harsh:
        kind = rng.random()
        if kind < 0.5:
            image = defocus(image, float(rng.uniform(0.3, 0.35 + 0.047 * letter * visibility)))
        elif kind < 0.65:
            image = motion(image, rng, float(rng.uniform(0.05, 0.15)) * letter * visibility)
        elif kind < 0.8:
            image = sharpen(defocus(image, 0.5), float(rng.uniform(0.5, 1.8)))
    elif rng.random() < 0.5:
        image = defocus(image, float(rng.uniform(0.2, 0.7)))
    image = exposure(image, rng, amount=(1.0 if harsh else 0.5) * visibility)
    if rng.random() < 0.5:
        image = saturate(image, float(rng.uniform(0.1, 1.05)))
    if rng.random() < 0.5:
        image = noise(image, rng, float(min(rng.exponential(4.0 if harsh else 1.5), 14.0)) * visibility)
    if rng.random() < 0.6:
        image = jpeg(image, int(rng.integers(22 if harsh else 55, 96)))
    return image


def faded(image: Image, left: float, reach: float) -> Image:
    """Letters and all else closer to the colour around them, as worn paint, glare or mist leave them.

    Args:
        image: (H, W, 3) uint8.
        left: 0 to 1, how much of the difference stays.
        reach: deviation, in pixels, of the blur that makes the colour around.
    """
    factor = max(1.0, reach / 4)  # a wide blur is done on a small picture
    size = (max(2, round(image.shape[1] / factor)), max(2, round(image.shape[0] / factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    around = cv2.resize(cv2.GaussianBlur(small, (0, 0), reach / factor), image.shape[1::-1])
    return cv2.addWeighted(image, left, around, 1.0 - left, 0)
