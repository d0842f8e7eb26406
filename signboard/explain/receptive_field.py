"""What one unit of each layer sees: by the arithmetic of the layers, and in truth, by gradients.

The theoretical field is the box of pixels that a unit can depend on (`signboard.backbones.arithmetic`). The effective
one is how much each of those pixels counts: Luo, Li, Urtasun and Zemel, "Understanding the Effective Receptive Field in
Deep Convolutional Neural Networks", NIPS 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from signboard.backbones.arithmetic import evaluating
from signboard.errors import ConfigError
from signboard.explain import pictures
from signboard.explain.hooks import choose_layers, map_layers, recording, unit_at, unit_box
from signboard.explain.result import Result
from signboard.explain.subject import Subject
from signboard.geometry import FloatArray, ImageArray

# Luo et al., section 3: a pixel is inside when it counts for more than 1 - 95.45 % of the strongest (two deviations).
INSIDE = 1 - 0.9545


@dataclass(frozen=True)
class LayerField:
    """The theoretical field of one unit of one layer. Pairs are (vertical, horizontal), pixels of the input.

    Attributes:
        layer, kind: dotted name and class of the module.
        size, jump: of the field, and the distance of two neighbouring units.
        map_shape: (channels, height, width) of the layer's output.
        unit: (row, column) of the unit.
        box: (x0, y0, x1, y1) of its field, x right and y down, not clipped: a field may look past the edge.
    """

    layer: str
    kind: str
    size: tuple[int, int]
    jump: tuple[float, float]
    map_shape: tuple[int, ...]
    unit: tuple[int, int]
    box: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class ReceptiveFields(Result):
    """The fields of all layers at one place of a photo.

    Attributes:
        model: name of the network.
        picture: (h, w, 3) uint8, what the network was shown; all coordinates are its pixels.
        photo_size: (height, width) of the photo it was made from.
        point: (x, y) that the units were chosen for.
        layers: every layer that gives a map, in order of running.
        effective: for some of them, (h, w) float32: the root mean square over the layer's channels of the gradient of
            the unit by the pixel.
        channel: the one channel that `effective` is for, or None for all.
    """

    stem: ClassVar[str] = "receptive-field"
    model: str
    picture: ImageArray
    photo_size: tuple[int, int]
    point: tuple[float, float]
    layers: tuple[LayerField, ...]
    effective: dict[str, FloatArray]
    channel: int | None = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `describe` for the axes."""
        return {
            "boxes": np.array([f.box for f in self.layers], np.float64),
            "units": np.array([f.unit for f in self.layers], np.int64),
            "sizes": np.array([f.size for f in self.layers], np.int64),
            "jumps": np.array([f.jump for f in self.layers], np.float64),
            "effective": np.stack(list(self.effective.values())),
            "picture": self.picture,
        }

    def describe(self) -> dict[str, Any]:
        """The manifest."""
        height, width = self.picture.shape[:2]
        scale = (self.photo_size[0] / height, self.photo_size[1] / width)
        return {
            "model": self.model,
            "input": [height, width],
            "photo": list(self.photo_size),
            "photo_pixels_per_input_pixel": [round(s, 6) for s in scale],
            "point": [round(float(v), 3) for v in self.point],
            "axes": {
                "boxes": "layer, (x0, y0, x1, y1) in pixels of the input, not clipped",
                "units": "layer, (row, column)",
                "sizes": "layer, (vertical, horizontal) pixels of the input",
                "jumps": "layer, (vertical, horizontal) pixels of the input",
                "effective": "layer (see effective_layers), row, column: root mean square gradient",
            },
            "channel": self.channel,
            "effective_layers": [
                {
                    "name": name,
                    "side": round(effective_side(field), 2),
                    "theoretical": list(next(f.size for f in self.layers if f.layer == name)),
                }
                for name, field in self.effective.items()
            ],
            "layers": [
                {
                    "name": f.layer,
                    "kind": f.kind,
                    "map": list(f.map_shape),
                    "field": list(f.size),
                    "jump": list(f.jump),
                    "unit": list(f.unit),
                    "box": list(f.box),
                }
                for f in self.layers
            ],
        }

    def render(self) -> ImageArray:
        """The boxes of all layers over the photo, and a heat map for each layer of `effective`."""
        # One line for layers of the same box, named by the one that is shown beside it, else by the first.
        named = [f for f in self.layers if f.layer in self.effective]
        boxes = {f.box: f for f in reversed(self.layers)} | {f.box: f for f in named}
        distinct = [boxes[box] for box in dict.fromkeys(f.box for f in self.layers)]
        shown = [f for f in distinct if not _sees_all(f, self.picture)] or distinct[-1:]
        margin = _overhang([f.box for f in shown], self.picture)
        base, factor = pictures.enlarged(_padded(self.picture, margin))
        colours = pictures.ramp(np.linspace(0.05, 0.95, len(shown)))
        for f, colour in zip(reversed(shown), reversed(colours), strict=True):
            _rectangle(base, f.box, margin, factor, tuple(int(c) for c in colour))
        height, width = self.picture.shape[:2]
        title = f"{self.model}: what one unit of each layer can see, at ({self.point[0]:.0f}, {self.point[1]:.0f})"
        title += f" of {width}x{height}"
        left = pictures.below([base, self._legend(shown, colours, base.shape[1])])
        heats = [self._heat(name, field, margin) for name, field in self.effective.items()]
        columns = 2 if len(heats) > 2 else 1
        rows = [pictures.beside(heats[i : i + columns]) for i in range(0, len(heats), columns)]
        return pictures.framed(pictures.titled(pictures.beside([left, pictures.below(rows)]), title))

    def _legend(self, shown: Sequence[LayerField], colours: ImageArray, width: int) -> ImageArray:
        lines = []
        # At most 16 lines: the first, the last, and evenly between.
        picks = sorted({round(i * (len(shown) - 1) / 15) for i in range(16)}) if len(shown) > 16 else range(len(shown))
        for index in picks:
            f = shown[index]
            line = pictures.caption(f"     {f.layer}: sees {_times(f.size)}, steps of {_times(f.jump)}", width)
            line[4 : pictures.LINE - 4, 2:14] = colours[index]
            lines.append(line)
        left_out = len({f.box for f in self.layers}) - len(shown)
        if left_out:
            lines.append(pictures.caption(f"{left_out} deeper fields cover the whole picture", width))
        return pictures.below(lines, gap=0)

    def _heat(self, name: str, field: FloatArray, margin: int) -> ImageArray:
        most = float(field.max())
        share = field / most if most > 0 else field
        base, factor = pictures.enlarged(_padded(pictures.grey(self.picture), margin))
        wide = np.pad(share, margin)
        heat = pictures.resized(wide, base.shape[:2])
        # The square root: a few pixels in the middle count for so much that the rest would not show.
        heat = np.sqrt(np.clip(heat, 0, 1))
        base = pictures.laid_over(base, pictures.ramp(heat), np.minimum(1.5 * heat, 1))
        f = next(f for f in self.layers if f.layer == name)
        _rectangle(base, f.box, margin, factor, pictures.INK)
        text = f"{name}: side {effective_side(field):.0f} counts, of {_times(f.size)}"
        return pictures.titled(base, text)


def _times(pair: Sequence[float]) -> str:
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}x{pair[1]:g} (down x across)"


def _sees_all(f: LayerField, picture: ImageArray) -> bool:
    x0, y0, x1, y1 = f.box
    return x0 <= 0 and y0 <= 0 and x1 >= picture.shape[1] and y1 >= picture.shape[0]


def _overhang(boxes: Sequence[tuple[float, ...]], picture: ImageArray) -> int:
    """Pixels of canvas to add around the picture so that most boxes can be drawn whole."""
    height, width = picture.shape[:2]
    over = max(max(-b[0], -b[1], b[2] - width, b[3] - height, 0.0) for b in boxes)
    return int(min(over + 2, max(height, width) / 4)) if over > 0 else 0


def _padded(picture: ImageArray, margin: int) -> ImageArray:
    if not margin:
        return picture
    return np.asarray(
        cv2.copyMakeBorder(picture, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=pictures.GAP), np.uint8
    )


def _rectangle(canvas: ImageArray, box: Sequence[float], margin: int, factor: float, colour: tuple[int, ...]) -> None:
    x0, y0, x1, y1 = (round((v + margin) * factor) for v in box)
    cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), colour, 2 if max(canvas.shape) > 300 else 1)


def effective_side(field: FloatArray) -> float:
    """Square root of the number of pixels that count, for more than 4.55 % of the strongest (Luo et al., section 3)."""
    most = float(field.max())
    return float(np.sqrt(np.count_nonzero(field > INSIDE * most))) if most > 0 else 0.0


def effective_fields(
    module: nn.Module,
    inputs: Tensor,
    units: Mapping[str, tuple[int, int]],
    *,
    channel: int | None = None,
    draws: int = 4,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, FloatArray]:
    """How much each pixel moves a unit: the gradient's size, root mean square over pictures and channels.

    For one channel it is exact, from one backward pass. For all of them, each pass backs up the channels with random
    signs: the expected square of that is the sum of the channels' squares, so a few passes do for hundreds of channels.

    Args:
        module: the network; modes are restored, its parameters get no gradients.
        inputs: (N, C, H, W), as the network takes them; the more of them, the smoother (Luo et al. average too).
        units: (row, column) in the map of each layer that is wanted, by the layer's dotted name.
        channel: of the maps, or None for all.
        draws: passes with random signs.
        seed: of the signs.
        progress: called with (layers done, layers in all).

    Returns:
        for each layer (H, W) float32, summed over the colours.

    Raises:
        ConfigError: no such layer, unit or channel.
    """
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, FloatArray] = {}
    with evaluating(module), torch.enable_grad(), recording(module, list(units)) as outputs:
        x = inputs.detach().clone().requires_grad_()
        module(x)
        for layer, unit in units.items():
            if layer not in outputs or outputs[layer].dim() != 4:
                raise ConfigError(f"layer {layer!r} gives no feature map")
            found[layer] = _backed_up(outputs[layer], x, layer, unit, channel, draws, generator)
            if progress is not None:
                progress(len(found), len(units))
    return found


def _backed_up(
    features: Tensor,
    x: Tensor,
    layer: str,
    unit: tuple[int, int],
    channel: int | None,
    draws: int,
    generator: torch.Generator,
) -> FloatArray:
    """One layer of `effective_fields`: from its output `features` (N, C', h, w) back to the input `x` (N, C, H, W)."""
    channels, height, width = features.shape[1:]
    if not (0 <= unit[0] < height and 0 <= unit[1] < width):
        raise ConfigError(f"layer {layer!r} has units up to ({height - 1}, {width - 1}), not {unit}")
    if channel is not None and not 0 <= channel < channels:
        raise ConfigError(f"layer {layer!r} has channels 0 to {channels - 1}, not {channel}")
    values = features[:, :, unit[0], unit[1]]  # (N, C')
    single = channel is not None or channels == 1
    total = torch.zeros(x.shape[-2:], dtype=torch.float64)
    passes = 1 if single else draws
    for _ in range(passes):
        if single:
            goal = values[:, channel or 0].sum()
        else:
            signs = torch.randint(0, 2, (channels,), generator=generator).to(values) * 2 - 1
            goal = (values * signs).sum()
        (gradient,) = torch.autograd.grad(goal, x, retain_graph=True)
        total += gradient.detach().double().pow(2).sum(dim=1).mean(dim=0).cpu()
    share = total / (passes if single else passes * channels)
    return share.sqrt().numpy().astype(np.float32)


def receptive_fields(
    subject: Subject,
    pixels: ImageArray,
    *,
    layers: Sequence[str] = (),
    point: tuple[float, float] | None = None,
    unit: tuple[int, int] | None = None,
    channel: int | None = None,
    draws: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> ReceptiveFields:
    """The theoretical field of every layer, and the effective one of some, for the units at one place of a photo.

    Args:
        subject: what to look into.
        pixels: (H, W, 3) uint8 RGB, the photo.
        layers: those whose effective field is wanted; four by default.
        point: (x, y) in pixels of the photo, its middle by default; of each layer the nearest unit is taken.
        unit: (row, column) in the one layer of `layers`, instead of a point; for the others the units over it.
        channel: see `effective_fields`.
        draws, progress: see `effective_fields`.

    Raises:
        ConfigError: no such layer, unit or channel; a point outside the photo; a picture too small for the network.
    """
    picture = subject.picture(pixels)
    height, width = picture.shape[:2]
    maps = map_layers(subject.network, subject.input_shape(picture))
    chosen = choose_layers(subject.network, maps, layers)
    if unit is not None:
        if len(layers) != 1 or point is not None:
            raise ConfigError("a unit needs exactly one layer, and no point beside it")
        row = maps[chosen[0]]
        rows, columns = row.output_shape[1:]
        if not (0 <= unit[0] < rows and 0 <= unit[1] < columns):
            raise ConfigError(f"layer {row.name!r} has units up to ({rows - 1}, {columns - 1}), not {unit}")
        box = unit_box(row, unit)
        at = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    elif point is not None:
        if not (0 <= point[0] < pixels.shape[1] and 0 <= point[1] < pixels.shape[0]):
            raise ConfigError(
                f"the point ({point[0]:g}, {point[1]:g}) lies outside the photo of "
                f"{pixels.shape[1]} x {pixels.shape[0]}"
            )
        at = (point[0] * width / pixels.shape[1], point[1] * height / pixels.shape[0])
    else:
        at = (width / 2, height / 2)
    fields = []
    for row in maps.values():
        assert row.receptive_field is not None and row.jump is not None
        here = unit if unit is not None and row.name == chosen[0] else unit_at(row, *at)
        fields.append(
            LayerField(row.name, row.kind, row.receptive_field, row.jump, row.output_shape, here, unit_box(row, here))
        )
    units = {f.layer: f.unit for f in fields}
    x = subject.tensor(picture[None])
    effective = effective_fields(
        subject.network, x, {name: units[name] for name in chosen}, channel=channel, draws=draws, progress=progress
    )
    return ReceptiveFields(
        subject.name, picture, (pixels.shape[0], pixels.shape[1]), at, tuple(fields), effective, channel
    )
