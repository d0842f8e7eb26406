"""What fires a neuron: of a folder of photos, the patches at which given channels of given layers answer most.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, figure 2 (the photo half of it).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from signboard.backbones.arithmetic import LayerRow, evaluating
from signboard.errors import ConfigError
from signboard.explain import pictures
from signboard.explain.hooks import choose_layers, map_layers, recording, unit_box
from signboard.explain.result import Result
from signboard.explain.subject import Subject
from signboard.geometry import ImageArray

KNOWN_SIZES = 16  # geometries kept, one a picture size; more are worked out again


@dataclass(frozen=True, eq=False)
class Patch:
    """One place of one photo that fires a neuron.

    Attributes:
        value: the neuron's output there.
        photo: name of the photo.
        unit: (row, column) in the layer's map.
        box: (x0, y0, x1, y1) of its receptive field in pixels of the photo, clipped to it.
        image: (side, side, 3) uint8, what lies in the box, its shape kept, white around it.
    """

    value: float
    photo: str
    unit: tuple[int, int]
    box: tuple[float, float, float, float]
    image: ImageArray


@dataclass(frozen=True, eq=False)
class NeuronPatches:
    """The patches of one channel of a layer, strongest first; `field`: theoretical size, (vertical, horizontal)."""

    layer: str
    channel: int
    field: tuple[int, int]
    patches: tuple[Patch, ...]


@dataclass(frozen=True, eq=False)
class Activations(Result):
    """The patches that fire some neurons of a network most, over `photos` photos."""

    stem: ClassVar[str] = "activations"
    model: str
    trained: bool
    photos: int
    side: int
    neurons: tuple[NeuronPatches, ...]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """One row a patch, in the order of `describe`'s list."""
        patches = [p for n in self.neurons for p in n.patches]
        return {
            "neuron": np.array([i for i, n in enumerate(self.neurons) for _ in n.patches], np.int64),
            "rank": np.array([r for n in self.neurons for r in range(len(n.patches))], np.int64),
            "value": np.array([p.value for p in patches], np.float32),
            "unit": np.array([p.unit for p in patches], np.int64).reshape(-1, 2),
            "box": np.array([p.box for p in patches], np.float64).reshape(-1, 4),
            "image": np.stack([p.image for p in patches])
            if patches
            else np.zeros((0, self.side, self.side, 3), np.uint8),
        }

    def describe(self) -> dict[str, Any]:
        """The manifest."""
        return {
            "model": self.model,
            "trained": self.trained,
            "photos": self.photos,
            "axes": {
                "neuron": "patch: index into neurons",
                "rank": "patch: 0 for the strongest of its neuron",
                "value": "patch: the neuron's output",
                "unit": "patch, (row, column)",
                "box": "patch, (x0, y0, x1, y1) in pixels of its photo, clipped",
                "image": "patch, row, column, colour",
            },
            "neurons": [
                {
                    "layer": n.layer,
                    "channel": n.channel,
                    "field": list(n.field),
                    "patches": [
                        {
                            "photo": p.photo,
                            "value": round(p.value, 6),
                            "unit": list(p.unit),
                            "box": [round(v, 2) for v in p.box],
                        }
                        for p in n.patches
                    ],
                }
                for n in self.neurons
            ],
        }

    def render(self) -> ImageArray:
        """A block a layer, a row a neuron, the strongest patch first."""
        parts = []
        for layer in dict.fromkeys(n.layer for n in self.neurons):
            members = [n for n in self.neurons if n.layer == layer]
            size = members[0].field
            lines = []
            for n in members:
                row = pictures.grid([p.image for p in n.patches], max(len(n.patches), 1))
                label = pictures.blank(row.shape[0], 110)
                text = pictures.caption(f"channel {n.channel}", 110)
                peak = pictures.caption(f"{n.patches[0].value:.3g} to {n.patches[-1].value:.3g}", 110, size=11)
                words = np.concatenate([text, peak])[: row.shape[0] - 4]
                label[4 : 4 + len(words)] = words
                lines.append(pictures.beside([label, row], gap=2))
            block = pictures.below(lines, gap=2)
            parts.append(pictures.titled(block, f"{layer}: fields of {size[0]}x{size[1]} (down x across) input pixels"))
        state = "" if self.trained else " (random weights)"
        title = f"{self.model}{state}: what fires these neurons most, in {self.photos} photos"
        return pictures.framed(pictures.titled(pictures.below(parts, gap=14), title))


def strongest_patches(
    subject: Subject,
    photos: Iterable[tuple[str, ImageArray]],
    *,
    layers: Sequence[str] = (),
    neurons: Sequence[int] = (),
    top: int = 9,
    per_photo: int = 1,
    side: int = 72,
) -> Activations:
    """The `top` patches that fire each neuron most, over a stream of photos.

    Memory is bounded whatever the number of photos: one photo, its maps, and `top` thumbnails a neuron.

    Args:
        subject: what to look into.
        photos: (name, (H, W, 3) uint8 RGB), read once, one after the other.
        layers: names of layers that give maps; four by default.
        neurons: channels of each of them; six, spread evenly, by default.
        top: patches a neuron.
        per_photo: at most so many from one photo, so that one photo does not fill the sheet with neighbours.
        side: of the thumbnails, pixels.

    Raises:
        ConfigError: no photos; no such layer or channel; a picture too small for the network.
    """
    if top < 1 or per_photo < 1 or side < 8:
        raise ConfigError("top and per_photo must be at least 1, side at least 8")
    # A heap a neuron, the weakest on top. Its second entry decides ties: the earlier patch stays.
    heaps: dict[tuple[str, int], list[tuple[float, int, Patch]]] = {}
    fields: dict[str, tuple[int, int]] = {}
    known: dict[tuple[int, int, int], dict[str, LayerRow]] = {}
    chosen: list[str] = []
    count = serial = 0
    for name, pixels in photos:
        picture = subject.picture(pixels)
        shape = subject.input_shape(picture)
        if shape not in known:
            if len(known) >= KNOWN_SIZES:
                known.pop(next(iter(known)))
            known[shape] = map_layers(subject.network, shape)
        maps = known[shape]
        if not chosen:
            chosen = choose_layers(subject.network, maps, layers)
            for layer in chosen:
                fields[layer] = maps[layer].receptive_field or (0, 0)
                for channel in _channels(layer, maps[layer].output_shape[0], neurons):
                    heaps[layer, channel] = []
        with evaluating(subject.network), torch.inference_mode(), recording(subject.network, chosen) as outputs:
            subject.network(subject.tensor(picture[None]))
        for (layer, channel), heap in heaps.items():
            answers = outputs[layer][0, channel].float()  # (h, w)
            values, places = answers.flatten().topk(min(per_photo, answers.numel()))
            for value, place in zip(values.tolist(), places.tolist(), strict=True):
                if len(heap) == top and value <= heap[0][0]:
                    break
                unit = divmod(place, answers.shape[1])
                patch = _patch(maps[layer], unit, value, name, pixels, picture, side)
                serial += 1
                (heapq.heappush if len(heap) < top else heapq.heapreplace)(heap, (value, -serial, patch))
        count += 1
    if not count:
        raise ConfigError("no photos to look at: the folder has none that can be opened")
    found = tuple(
        NeuronPatches(layer, channel, fields[layer], tuple(patch for _, _, patch in sorted(heap, reverse=True)))
        for (layer, channel), heap in heaps.items()
    )
    return Activations(subject.name, subject.trained, count, side, found)


def _channels(layer: str, count: int, wanted: Sequence[int]) -> list[int]:
    """The channels asked for, or six of them spread evenly."""
    for channel in wanted:
        if not 0 <= channel < count:
            raise ConfigError(f"layer {layer!r} has neurons 0 to {count - 1}, not {channel}")
    if wanted:
        return list(dict.fromkeys(wanted))
    few = min(6, count)
    return [i * count // few for i in range(few)]


def _patch(
    row: LayerRow,
    unit: tuple[int, int],
    value: float,
    name: str,
    pixels: ImageArray,
    picture: ImageArray,
    side: int,
) -> Patch:
    """Cuts what `unit` sees out of the photo, at the photo's own resolution."""
    scale = (pixels.shape[1] / picture.shape[1], pixels.shape[0] / picture.shape[0])
    x0, y0, x1, y1 = unit_box(row, unit)
    box = (
        min(max(x0 * scale[0], 0.0), pixels.shape[1] - 1.0),
        min(max(y0 * scale[1], 0.0), pixels.shape[0] - 1.0),
        min(max(x1 * scale[0], 1.0), float(pixels.shape[1])),
        min(max(y1 * scale[1], 1.0), float(pixels.shape[0])),
    )
    left, above = int(box[0]), int(box[1])
    right, under = max(left + 1, int(np.ceil(box[2]))), max(above + 1, int(np.ceil(box[3])))
    return Patch(value, name, unit, box, pictures.tile(pixels[above:under, left:right], side))
