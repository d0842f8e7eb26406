"""The weights themselves: first-layer filters as pictures, deeper ones as tiles, and the patch each fires at most.

A convolution's answer to a patch x is the dot product w . x. Among all patches of length 1 it is largest for
x = w / |w|, by Cauchy and Schwarz, and then equals |w|: a filter is a picture of what it looks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from signboard.backbones.arithmetic import evaluating
from signboard.errors import ConfigError
from signboard.explain import pictures
from signboard.explain.hooks import unknown_layer
from signboard.explain.result import Result
from signboard.explain.subject import Subject
from signboard.geometry import FloatArray, ImageArray

MOST_IMAGES = 128  # filters of a first layer in the picture; the arrays hold all
MOST_TILES = (12, 24)  # filters and channels of a deeper layer in the picture


@dataclass(frozen=True, eq=False)
class LayerFilters:
    """The filters of one convolution.

    Attributes:
        layer: dotted name.
        weights: (filters, channels of its group, rows, columns) float32.
        patches: the same shape: the patch of unit length that fires each filter most, w / |w|; 0 for a filter of zeros.
        responses: (filters,) float32: the layer's own answer to its patch, bias left out; equals |w|.
        random_best: (filters,) float32: the largest answer to `trials` random patches of unit length.
        trials: how many those were.
    """

    layer: str
    weights: FloatArray
    patches: FloatArray
    responses: FloatArray
    random_best: FloatArray
    trials: int


@dataclass(frozen=True, eq=False)
class Filters(Result):
    """The filters of some convolutions of a network; `first` is the layer that sees the photo's colours, if any."""

    stem: ClassVar[str] = "filters"
    model: str
    trained: bool
    first: str | None
    layers: tuple[LayerFilters, ...]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For each layer "LAYER/weights", "LAYER/patches", "LAYER/responses", "LAYER/random_best"."""
        found: dict[str, NDArray[Any]] = {}
        for f in self.layers:
            found[f"{f.layer}/weights"] = f.weights
            found[f"{f.layer}/patches"] = f.patches
            found[f"{f.layer}/responses"] = f.responses
            found[f"{f.layer}/random_best"] = f.random_best
        return found

    def describe(self) -> dict[str, Any]:
        """The manifest."""
        return {
            "model": self.model,
            "trained": self.trained,
            "axes": {
                "weights": "filter, channel of its group, row, column",
                "patches": "as weights: the unit-length patch that fires the filter most, w / |w|",
                "responses": "filter: the layer's answer to its patch, without the bias; equals |w|",
                "random_best": "filter: the largest answer to random unit-length patches",
            },
            "layers": [
                {
                    "name": f.layer,
                    "first": f.layer == self.first,
                    "filters": int(f.weights.shape[0]),
                    "channels": int(f.weights.shape[1]),
                    "kernel": list(f.weights.shape[2:]),
                    "trials": f.trials,
                    "random_over_best": _ratio(f),
                }
                for f in self.layers
            ],
        }

    def render(self) -> ImageArray:
        """First layer: filters, and patches, as images. Deeper layers: a row a filter, a tile a channel."""
        parts = []
        for f in self.layers:
            if f.layer == self.first:
                parts.append(_images(f))
            else:
                parts.append(_tiles(f))
        state = "" if self.trained else " (random weights)"
        return pictures.framed(pictures.titled(pictures.below(parts, gap=14), f"{self.model}{state}: filters"))


def _ratio(f: LayerFilters) -> float:
    """The largest share of |w| that any random patch reached; never above 1."""
    alive = f.responses > 0
    return round(float((f.random_best[alive] / f.responses[alive]).max()), 4) if alive.any() else 0.0


def _images(f: LayerFilters) -> ImageArray:
    count = min(len(f.weights), MOST_IMAGES)
    columns = 16 if count > 48 else 8
    factor = max(1, 40 // max(f.weights.shape[2:]))
    size = "x".join(str(n) for n in f.weights.shape)
    left = _grid_of(f.weights[:count], columns, factor)
    right = _grid_of(f.patches[:count], columns, factor)
    return pictures.beside(
        [
            pictures.titled(left, f"{f.layer}: {count} of {size}, one scale"),
            pictures.titled(right, "patches that fire them most, w/|w|"),
        ],
        gap=20,
    )


def _grid_of(weights: FloatArray, columns: int, factor: int) -> ImageArray:
    most = float(np.abs(weights).max(initial=0.0)) or 1.0
    images = np.round(127.5 + 127.5 * weights / most).astype(np.uint8).transpose(0, 2, 3, 1)  # (filters, h, w, C)
    if images.shape[3] == 1:
        images = np.repeat(images, 3, axis=3)
    return pictures.grid([pictures.blocks(image, factor) for image in images], columns)


def _tiles(f: LayerFilters) -> ImageArray:
    rows, columns = min(len(f.weights), MOST_TILES[0]), min(f.weights.shape[1], MOST_TILES[1])
    part = f.weights[:rows, :columns]
    factor = max(2, 28 // max(f.weights.shape[2:]))
    colours = pictures.signed(part)  # (rows, columns, h, w, 3)
    tiles = [pictures.blocks(colours[i, j], factor) for i in range(rows) for j in range(columns)]
    size = "x".join(str(n) for n in f.weights.shape)
    text = f"{f.layer}: {rows} filters (rows) by {columns} channels of {size}; red +, blue -"
    return pictures.titled(pictures.grid(tiles, columns), text)


def best_patches(weights: FloatArray) -> FloatArray:
    """The patch of unit length at which each filter's dot product is largest: w / |w|.

    Args:
        weights: (filters, channels, rows, columns).

    Returns:
        the same shape; a filter of zeros has no best patch and gives zeros.
    """
    flat = weights.reshape(len(weights), -1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)
    return unit.reshape(weights.shape)


def layer_filters(
    subject: Subject, *, layers: Sequence[str] = (), deeper: int = 3, trials: int = 256, seed: int = 0
) -> Filters:
    """The filters of some convolutions, each with the patch that fires it most.

    Args:
        subject: what to look into.
        layers: names of convolutions; the first and `deeper` others, spread evenly, by default.
        deeper: how many of the others.
        trials: random unit-length patches that each filter is tried on, to compare.
        seed: of those.

    Raises:
        ConfigError: one of `layers` is no convolution of the network; the message lists those there are.
    """
    convolutions = {n: part for n, part in subject.network.named_modules() if isinstance(part, nn.Conv2d)}
    names = list(convolutions)
    if not names:
        raise ConfigError(f"{subject.name} has no convolution, so no filters to show")
    for name in layers:
        if name not in convolutions:
            raise unknown_layer(name, names)
    if not layers:
        # Heads beside the backbone may run in training only; whoever wants to see them can name them.
        inner = [n for n in names if n.startswith("backbone.")] or names
        picks = {0, *(round((i + 1) * (len(inner) - 1) / max(deeper, 1)) for i in range(deeper))}
        layers = [inner[i] for i in sorted(picks)]
    first = names[0] if convolutions[names[0]].in_channels == subject.channels else None
    generator = torch.Generator().manual_seed(seed)
    with evaluating(subject.network), torch.inference_mode():
        measured = tuple(_measure(n, convolutions[n], trials, generator) for n in dict.fromkeys(layers))
    return Filters(subject.name, subject.trained, first, measured)


def _measure(name: str, layer: nn.Conv2d, trials: int, generator: torch.Generator) -> LayerFilters:
    weights = layer.weight.detach().float().cpu()  # (filters, channels, h, w)
    patches = torch.from_numpy(best_patches(weights.numpy()))
    flat = weights.flatten(1)
    responses = (flat * patches.flatten(1)).sum(dim=1)
    noise = torch.randn((trials, flat.shape[1]), generator=generator)
    noise /= noise.norm(dim=1, keepdim=True)
    random_best = (flat @ noise.T).amax(dim=1)
    return LayerFilters(name, weights.numpy(), patches.numpy(), responses.numpy(), random_best.numpy(), trials)
