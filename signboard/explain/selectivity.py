"""What a layer's neurons answer to on labelled signs: the upper and lower part of words, by script, and the rest.

Devanagari hangs from a headline (shirorekha) in the upper part of a word, Latin has none: a neuron whose mean answer is
large there and small elsewhere answers to headlines, one that is large on all words to text, and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from signboard.backbones.arithmetic import evaluating
from signboard.errors import ConfigError
from signboard.explain.hooks import choose_layers, map_layers, recording
from signboard.explain.subject import Subject
from signboard.geometry import FloatArray, ImageArray, text_quad

REGIONS = ("devanagari upper", "devanagari lower", "latin upper", "latin lower", "background")
UPPER = 0.4  # of a word's height: the headline lies there, with room for a loose box
LabelledPhoto = tuple[ImageArray, Sequence[tuple[FloatArray, str]]]


@dataclass(frozen=True, eq=False)
class Selectivity:
    """Mean answers (C, 5) float64 of a layer's channels in `REGIONS`, after ReLU, and how many units each is of."""

    layer: str
    means: NDArray[np.float64]
    units: NDArray[np.int64]

    def ratio(self, region: Sequence[str]) -> NDArray[np.float64]:
        """(C,) the smallest mean inside the named regions, divided by the largest mean outside them."""
        inside = np.isin(REGIONS, region)
        return self.means[:, inside].min(axis=1) / np.maximum(self.means[:, ~inside].max(axis=1), 1e-9)


def word_regions(
    words: Sequence[tuple[FloatArray, str]], size: tuple[int, int], units: FloatArray
) -> NDArray[np.int64]:
    """Index into `REGIONS` of each unit, (H, W) int64; -1 on words of other scripts and just around words.

    Args:
        words: (polygon (N, 2) pixels of the input, script) each.
        size: (height, width) of the input.
        units: (H, W, 2) centre (x, y) of each unit's field, pixels of the input.
    """
    drawn = np.full(size, REGIONS.index("background"), np.int16)
    quads = [(text_quad(polygon).astype(np.float32), script) for polygon, script in words]
    for quad, _ in quads:
        middle = quad.mean(axis=0)
        cv2.fillPoly(drawn, [np.round(middle + 1.5 * (quad - middle)).astype(np.int32)], -1)
    for quad, script in quads:
        split = quad[[0, 1]] + UPPER * (quad[[3, 2]] - quad[[0, 1]])  # a line across the word
        for part, corners in (("upper", [quad[0], quad[1], split[1], split[0]]), ("lower", [*split, quad[2], quad[3]])):
            name = f"{script} {part}"
            value = REGIONS.index(name) if name in REGIONS else -1
            cv2.fillPoly(drawn, [np.round(np.array(corners)).astype(np.int32)], value)
    x = np.clip(np.round(units[..., 0]).astype(int), 0, size[1] - 1)
    y = np.clip(np.round(units[..., 1]).astype(int), 0, size[0] - 1)
    return drawn[y, x].astype(np.int64)


def selectivity(subject: Subject, photos: Iterable[LabelledPhoto], layer: str) -> Selectivity:
    """Mean answers of every channel of `layer` in `REGIONS`, over a stream of labelled photos.

    Args:
        subject: what to look into.
        photos: ((H, W, 3) uint8 RGB, [(polygon (N, 2) pixels of the photo, script)]) each.

    Raises:
        ConfigError: no such layer, or no photos.
    """
    sums: NDArray[np.float64] | None = None
    counts = np.zeros(len(REGIONS), np.int64)
    for pixels, words in photos:
        picture = subject.picture(pixels)
        scale = np.array([picture.shape[1] / pixels.shape[1], picture.shape[0] / pixels.shape[0]], np.float32)
        maps = map_layers(subject.network, subject.input_shape(picture))
        row = maps[choose_layers(subject.network, maps, [layer])[0]]
        assert row.start is not None and row.jump is not None and row.receptive_field is not None
        with evaluating(subject.network), torch.inference_mode(), recording(subject.network, [layer]) as outputs:
            subject.network(subject.tensor(picture[None]))
        answers = outputs[layer][0].float().clamp(min=0).cpu().numpy()  # (C, H, W)
        ys, xs = (
            row.start[axis] + row.receptive_field[axis] / 2 + row.jump[axis] * np.arange(answers.shape[1 + axis])
            for axis in (0, 1)
        )
        units = np.stack(np.meshgrid(xs, ys), axis=-1).astype(np.float32)
        scaled = [(polygon * scale, script) for polygon, script in words]
        where = word_regions(scaled, (picture.shape[0], picture.shape[1]), units)
        if sums is None:
            sums = np.zeros((len(answers), len(REGIONS)))
        for index in range(len(REGIONS)):
            chosen = where == index
            sums[:, index] += answers[:, chosen].sum(axis=1)
            counts[index] += int(chosen.sum())
    if sums is None:
        raise ConfigError("no photos to look at")
    return Selectivity(layer, sums / np.maximum(counts, 1), counts)
