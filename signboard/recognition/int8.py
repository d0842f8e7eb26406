"""The recogniser in bytes: its convolutions and the linear layers of its attention; see `signboard.backbones.int8`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signboard.backbones.folding import folded
from signboard.backbones.int8 import ByteResNet, Linear, Ranges, pixel_conv, pixel_qparams, pixels
from signboard.backbones.resnet import ResNet
from signboard.recognition.network import MixerLayer, RecognizerNetwork

MIDDLE = 127.5  # of a byte's values; crops are normalised to about -1 to 1


def has_bytes(network: RecognizerNetwork) -> bool:
    """Whether `network` can be computed in bytes: it stands on a ResNet."""
    return isinstance(network.backbone, ResNet)


@dataclass(frozen=True, slots=True)
class Places:
    """What the backbone made of a batch of crops: (count * rows * columns, window * C), crop by crop, row by row."""

    values: Tensor
    count: int
    rows: int
    columns: int


class ByteRecognizer:
    """Crops -> CTC logits, as `RecognizerNetwork` in evaluation, in bytes but for attention itself, norms and the head.

    The backbone sees crops of one size; what follows sees rows of numbers and takes batches of several sizes together
    (`logits`), so that a few crops of each size cost little more than as many of one.

    Args:
        network: a trained network on a ResNet.
        ranges: of its maps; empty ones are filled while crops pass.

    Raises:
        WeightsError: a range is missing.
    """

    def __init__(self, network: RecognizerNetwork, ranges: Ranges) -> None:
        net = folded(network).float()
        assert isinstance(net.backbone, ResNet)
        self.ranges = ranges
        mean = [MIDDLE] * 3
        self.qparams = pixel_qparams(mean)
        self.backbone = ByteResNet(net.backbone, pixel_conv(net.backbone.conv1, mean, mean), ranges)
        collapse = _over_rows(net.collapse[0])  # type: ignore[arg-type]
        self.collapse = Linear(collapse, "", ranges, takes=self.backbone.last, after="relu")
        self.grid = [_ByteMixer(layer, f"grid.{i}", ranges) for i, layer in enumerate(net.grid)]  # type: ignore[arg-type]
        self.mixer = [_ByteMixer(layer, f"mixer.{i}", ranges) for i, layer in enumerate(net.mixer)]  # type: ignore[arg-type]
        self.merge, self.norm, self.head = net.merge, net.norm, net.head
        self.window = net.window

    def __call__(self, batch: Tensor) -> Tensor:
        """Crops (N, height or tall, W, 3) uint8 -> logits (N, T, classes) float32."""
        return self.logits([self.places(batch)])[0]

    @torch.inference_mode()
    def places(self, batch: Tensor) -> Places:
        """Crops (N, height or tall, W, 3) uint8 -> what `logits` takes."""
        values = self.backbone(pixels(batch, self.qparams, self.ranges))[-1].values
        if values.shape[2] > self.window:
            values = F.pad(values, (0, 0, 1, 1))
        n, c, rows, t = values.shape
        # In memory (N, rows, T, C) -> (N, places, T, window * C).
        columns = values.permute(0, 3, 2, 1).reshape(n, t, rows * c)
        places = columns.unfold(2, self.window * c, c).transpose(1, 2)
        return Places(places.reshape(-1, self.window * c), n, places.shape[1], t)

    @torch.inference_mode()
    def logits(self, batches: Sequence[Places]) -> list[Tensor]:
        """The logits (N, T, classes) float32 of each batch; all batches have as many `rows`."""
        shapes = [(batch.count, batch.rows, batch.columns) for batch in batches]
        x = self.collapse(self._filled([batch.values for batch in batches]))
        if shapes[0][1] > 1:
            for layer in self.grid:
                layer(x, shapes)
            assert self.merge is not None
            x = self._filled([self.merge(part).flatten(0, 1) for part in _parts(x, shapes)])
            shapes = [(n, 1, t) for n, _, t in shapes]
        for layer in self.mixer:
            layer(x, shapes)
        return [part.squeeze(1) for part in _parts(self.head(self.norm(x)), shapes)]

    def _filled(self, values: Sequence[Tensor]) -> Tensor:
        """Rows one below the other, and zeros to one of few numbers of rows: each has compiled kernels of its own."""
        count = sum(len(rows) for rows in values)
        step = 1 << max(5, count.bit_length() - 4)  # at most an eighth is filled up, or 31 rows
        missing = 0 if self.ranges.measuring else -count % step
        return torch.cat([*values, values[0].new_zeros(missing, values[0].shape[1])])


class _ByteMixer:
    """A `MixerLayer` or `GridLayer` over the rows of several batches; `name` is that of its layers' ranges."""

    def __init__(self, layer: MixerLayer, name: str, ranges: Ranges) -> None:
        def linear(part: nn.Module, own: str, **more: object) -> Linear:
            return Linear(part, f"{name}.{own}", ranges, **more)  # type: ignore[arg-type]

        self.layer = layer
        self.qkv, self.out = linear(layer.qkv, "qkv"), linear(layer.out, "out")
        self.second = linear(layer.mlp[2], "mlp")
        self.first = linear(layer.mlp[0], "wide", after="gelu", gives=self.second.takes)

    def __call__(self, x: Tensor, shapes: Sequence[tuple[int, int, int]]) -> None:
        """Rows (M, C) of batches of `shapes`, (crops, rows, columns), others below them; works in place."""
        for part in _parts(x, shapes):
            part += self.layer.neighbours(part)
        attended = torch.zeros_like(x)
        qkv = self.qkv(self.layer.norm1(x))
        for part, into in zip(_parts(qkv, shapes), _parts(attended, shapes), strict=True):
            into.flatten(1, 2).copy_(self.layer.attend(part.flatten(1, 2)))
        x += self.out(attended)
        x += self.second(self.first(self.layer.norm2(x)))


def _parts(x: Tensor, shapes: Sequence[tuple[int, int, int]]) -> list[Tensor]:
    """Views (crops, rows, columns, C) of the rows of each batch."""
    parts, start = [], 0
    for shape in shapes:
        end = start + shape[0] * shape[1] * shape[2]
        parts.append(x[start:end].view(*shape, -1))
        start = end
    return parts


def _over_rows(layer: nn.Conv2d) -> nn.Linear:
    """A convolution over all rows, weight (out, C, rows, 1), as a product of vectors (rows * C)."""
    linear = nn.Linear(layer.in_channels * layer.kernel_size[0], layer.out_channels)
    assert layer.bias is not None
    with torch.no_grad():
        linear.weight.copy_(layer.weight.permute(0, 2, 1, 3).reshape(layer.out_channels, -1))
        linear.bias.copy_(layer.bias)
    return linear
