"""Networks computed in bytes: convolutions of 8-bit integers, two and a half to four times as fast as float32 on x86.

A map of bytes stands for `scale * (byte - zero)`. The range of each map is measured once, on photos, in the float
network; weights are rounded for each output channel by itself, to -127 to 127, or where a processor would overflow to
-64 to 64 (see `devices.largest_byte_weight`): the maps' bytes, not the weights', make most of the error.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
CVPR 2018; Nagel et al., "A White Paper on Neural Network Quantization", 2021. Products are oneDNN's, by the operators
that PyTorch's own compiler lowers to.

A network is written once, as a flow of `Conv` (see `ByteResNet`), and run in two ways: while `Ranges` are measured
it computes in float32, afterwards in bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signboard.backbones.base import Backbone
from signboard.backbones.googlenet import MODULES, ConvUnit, GoogLeNet, Inception
from signboard.backbones.resnet import BasicBlock, Bottleneck, ResNet
from signboard.backbones.stack import StackBackbone
from signboard.devices import choose_precision, largest_byte_weight
from signboard.errors import ConfigError, WeightsError

# Shares of a map's values beyond either end of its range: they are cut off, so that the many are told apart better.
_BEYOND = 1e-5
_SAMPLE = 200_000  # values of a map that are looked at


@dataclass(frozen=True, slots=True)
class QParams:
    """Quantisation parameters: what the bytes of a map stand for: `scale * (byte - zero)`."""

    scale: float
    zero: int

    @classmethod
    def over(cls, low: float, high: float) -> QParams:
        """The finest scale that holds `low` to `high`, and 0 exactly (padding is 0)."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, 1e-6) / 255.0
        return cls(scale, min(max(round(-low / scale), 0), 255))


@dataclass(frozen=True, slots=True)
class QTensor:
    """Values (N, C, H, W), channels last in memory: bytes with their `qparams`, or float32 where there is none."""

    values: Tensor
    qparams: QParams | None = None


class Ranges:
    """The range of values of each map of a network by name: measured ones, or a table to be filled by `see`.

    Args:
        table: [low, high] of each name, as in a card; None: they are to be measured, and networks compute in float32.

    Raises:
        WeightsError: the table is none of ranges.
    """

    def __init__(self, table: Mapping[str, Sequence[float]] | None = None) -> None:
        self.measuring = table is None
        self._seen: dict[str, list[tuple[float, float]]] = {}
        self._qparams: dict[str, QParams] = {}
        if table is not None:
            try:
                for name, (low, high) in table.items():
                    if not -math.inf < low <= high < math.inf:
                        raise WeightsError(f"ranges: {name}: not from low to high: {low}, {high}")
                    self._qparams[name] = QParams.over(float(low), float(high))
            except (AttributeError, TypeError, ValueError):
                raise WeightsError("ranges: must be an object of [low, high] by map; see scripts/quantize.py") from None

    def see(self, name: str, values: Tensor) -> None:
        """Takes a map's values into account."""
        flat = values.detach().float().flatten()
        step = max(1, flat.numel() // _SAMPLE)
        ends = torch.quantile(flat[::step], torch.tensor([_BEYOND, 1.0 - _BEYOND]))
        self._seen.setdefault(name, []).append((float(ends[0]), float(ends[1])))

    def qparams(self, name: str) -> QParams:
        """The quantisation parameters of the map `name`.

        Raises:
            WeightsError: its range was not measured.
        """
        if name not in self._qparams:
            raise WeightsError(f"ranges: {name} is missing; scripts/quantize.py measures them")
        return self._qparams[name]

    def table(self) -> dict[str, list[float]]:
        """[low, high] of each map that was seen: the mean over the pictures of what each picture needs."""
        return {
            name: [float(f"{sum(ends) / len(ends):.6g}") for ends in zip(*seen, strict=True)]
            for name, seen in self._seen.items()
        }


class Conv:
    """A convolution with what follows it: a sum, and a ReLU.

    Args:
        layer: a convolution with its batch norm folded in.
        name: of the map that comes out; convolutions of one name share their parameters, so that their
            maps can be joined.
        ranges: of the maps' values.
        relu: whether negative values become 0.
        floats: whether float32 comes out, not bytes.

    Raises:
        WeightsError: the range of what comes out is missing.
    """

    def __init__(
        self, layer: nn.Conv2d, name: str, ranges: Ranges, *, relu: bool = False, floats: bool = False
    ) -> None:
        self.layer = layer
        self.name = name
        self.ranges = ranges
        self.relu = relu
        self.floats = floats
        self.out = QParams(1.0, 0) if floats or ranges.measuring else ranges.qparams(name)
        self._packed: dict[QParams, tuple[Tensor, ...]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": {}}  # oneDNN's own tensors cannot be copied; they are made again

    def __call__(self, x: QTensor, add: QTensor | None = None) -> QTensor:
        """(N, C, H, W) -> (N, channels, H', W'), plus `add` of that shape, which is lost, then the ReLU."""
        if x.qparams is None:
            return self._in_floats(x, add)
        weight, scales, zeros, bias = self._pack(x.qparams)
        layer = self.layer
        out = self.out
        dtype = torch.float32 if self.floats else torch.uint8
        common: tuple[Any, ...] = (bias, layer.stride, layer.padding, layer.dilation, layer.groups)
        after = "relu" if self.relu else "none"
        operator = torch.ops.onednn.qconv2d_pointwise
        args: tuple[Any, ...] = (x.values, x.qparams.scale, x.qparams.zero, weight, scales, zeros)
        if add is None:
            values = operator(*args, *common, out.scale, out.zero, dtype, after, [], "")
        else:
            assert add.qparams is not None
            then = "relu" if self.relu else None
            adding: tuple[Any, ...] = (add.qparams.scale, add.qparams.zero, "sum", 1.0, then, [], "")
            values = operator.binary(*args, add.values, *common, out.scale, out.zero, dtype, *adding)
        return QTensor(values, None if self.floats else out)

    def _in_floats(self, x: QTensor, add: QTensor | None) -> QTensor:
        values = self.layer(x.values)
        if add is not None:
            values = values + add.values
        if self.relu:
            values = values.relu()
        if not self.floats:
            self.ranges.see(self.name, values)
        return QTensor(values)

    def _pack(self, qparams: QParams) -> tuple[Tensor, ...]:
        """Weights as oneDNN wants them for maps with `qparams`: bytes, their scales and zeros, the bias."""
        if qparams not in self._packed:
            layer = self.layer
            whole, scales, zeros, bias = _rounded(layer)
            packed = torch.ops.onednn.qconv_prepack(
                whole,
                scales,
                qparams.scale,
                qparams.zero,
                layer.stride,
                layer.padding,
                layer.dilation,
                layer.groups,
                None,
            )
            self._packed[qparams] = (packed, scales, zeros, bias)
        return self._packed[qparams]


class Linear:
    """A linear layer over rows with what follows it, its products computed in bytes.

    Args:
        name: of what goes in, in `ranges`.
        ranges: of what goes into such layers.
        takes: what the bytes that go in stand for; None: floats go in, and `ranges` say how they are rounded.
        after: "none", "relu" or "gelu".
        gives: what the bytes that come out stand for; None: float32 comes out.

    Raises:
        WeightsError: the range of what goes in is missing.
    """

    def __init__(
        self,
        layer: nn.Linear,
        name: str,
        ranges: Ranges,
        *,
        takes: QParams | None = None,
        after: str = "none",
        gives: QParams | None = None,
    ) -> None:
        self.layer, self.name, self.ranges = layer, name, ranges
        self.after, self.gives = after, gives
        self.seen = takes is None  # otherwise the range is that of the map it comes from
        self.takes = takes or (QParams(1.0, 0) if ranges.measuring else ranges.qparams(name))
        self._packed: tuple[Tensor, ...] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}  # as in `Conv`

    def __call__(self, x: Tensor) -> Tensor:
        """Rows (M, in), float32 or bytes that stand for what `takes` says -> (M, out)."""
        if self.ranges.measuring:
            if self.seen:
                self.ranges.see(self.name, x)
            y = self.layer(x)
            return y if self.after == "none" else getattr(F, self.after)(y)  # type: ignore[no-any-return]
        scale, zero = self.takes.scale, self.takes.zero
        if x.dtype != torch.uint8:
            x = (x * (1.0 / scale)).add_(zero + 0.5).clamp_(0.0, 255.0).to(torch.uint8)
        if self._packed is None:
            whole, *others = _rounded(self.layer)
            self._packed = (torch.ops.onednn.qlinear_prepack(whole, None), *others)
        out = self.gives or QParams(1.0, 0)
        dtype = torch.float32 if self.gives is None else torch.uint8
        after: tuple[Any, ...] = (self.after, [], "none" if self.after == "gelu" else "")
        return torch.ops.onednn.qlinear_pointwise(x, scale, zero, *self._packed, out.scale, out.zero, dtype, *after)  # type: ignore[no-any-return]


def _rounded(layer: nn.Conv2d | nn.Linear) -> tuple[Tensor, ...]:
    """A layer's weight in bytes, the scale and zero of each output channel, the bias."""
    weight = layer.weight.detach()
    scales = weight.flatten(1).abs().amax(dim=1).clamp(min=1e-8) / largest_byte_weight()
    whole = (weight / scales.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
    bias = torch.zeros(len(scales)) if layer.bias is None else layer.bias.detach().float()
    return whole, scales, torch.zeros(len(scales), dtype=torch.int32), bias


def measured_ranges(card: Mapping[str, Any]) -> Any:
    """What stands in a card as the ranges of its weights' maps; None: nothing, or those of other weights."""
    return card.get("ranges") if card.get("ranges_of") == card.get("sha256") else None


def precision_of(name: str, device: torch.device, card: Mapping[str, Any], where: str, *, able: bool) -> torch.dtype:
    """`devices.choose_precision` for the weights of a card.

    Args:
        where: the card's path, for errors.
        able: whether such a network can be computed in bytes at all.

    Raises:
        ConfigError: the device, or these weights, do not have the precision.
    """
    measured = able and measured_ranges(card) is not None
    if name == "int8" and not measured:
        reason = "its ranges were not measured: see scripts/quantize.py"
        if not able:
            reason = "only networks on a ResNet can be, detectors with the picture's detail"
        raise ConfigError(f"{where}: cannot be computed in int8: {reason}")
    return choose_precision(name, device, measured=measured)


def pixel_qparams(mean: Sequence[float]) -> QParams:
    """Of a picture's own bytes, about `mean` (of each channel, in bytes): the value of what lies beyond its edges."""
    return QParams(1.0, round(sum(mean) / len(mean)))


def pixel_conv(layer: nn.Conv2d, mean: Sequence[float], std: Sequence[float]) -> nn.Conv2d:
    """A convolution of normalised pixels as one of bytes less the zero of their `pixel_qparams`.

    Beyond the picture's edges there is that zero instead of each channel's mean, which are nearly the same.

    Args:
        layer: takes `(byte - mean) / std`.
        mean, std: of each channel, in bytes.
    """
    result = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
    )
    with torch.no_grad():
        weight = layer.weight / torch.tensor(std).view(1, -1, 1, 1)
        shift = (pixel_qparams(mean).zero - torch.tensor(mean)).view(1, -1, 1, 1)
        result.weight.copy_(weight)
        assert result.bias is not None
        result.bias.copy_((weight * shift).sum(dim=(1, 2, 3)) + (0.0 if layer.bias is None else layer.bias))
    return result


def pixels(batch: Tensor, qparams: QParams, ranges: Ranges) -> QTensor:
    """Pictures (N, H, W, 3) uint8 -> a map of their bytes, or of floats on the same scale while ranges are measured."""
    values = batch.permute(0, 3, 1, 2)
    return QTensor(values.float() - qparams.zero) if ranges.measuring else QTensor(values, qparams)


def max_pool(x: QTensor, layer: nn.MaxPool2d) -> QTensor:
    """`layer`, of bytes or floats: the parameters stay."""
    if x.qparams is None:
        return QTensor(layer(x.values))
    pairs = (layer.kernel_size, layer.stride, layer.padding)
    size, stride, padding = ([n, n] if isinstance(n, int) else list(n) for n in pairs)
    return QTensor(torch.ops.quantized.max_pool2d(x.values, size, stride, padding, [1, 1], layer.ceil_mode), x.qparams)


def nearest(x: QTensor, size: Sequence[int]) -> QTensor:
    """A map enlarged to (height, width) by repeating values."""
    if tuple(x.values.shape[-2:]) == tuple(size):
        return x
    return QTensor(F.interpolate(x.values, size=tuple(size), mode="nearest"), x.qparams)


def joined(maps: Sequence[QTensor]) -> QTensor:
    """Maps with the same `qparams`, channels one after the other."""
    assert len({m.qparams for m in maps}) == 1
    return QTensor(
        torch.cat([m.values for m in maps], dim=1).contiguous(memory_format=torch.channels_last), maps[0].qparams
    )


def doubling_conv(layer: nn.ConvTranspose2d) -> nn.Conv2d:
    """A transposed convolution of 2x2 at stride 2 as one of 1x1 with four times the channels, for `unfolded_twice`."""
    assert layer.kernel_size == (2, 2) and layer.stride == (2, 2) and layer.groups == 1
    result = nn.Conv2d(layer.in_channels, 4 * layer.out_channels, 1)
    with torch.no_grad():
        # (in, out, 2, 2) -> (2, 2, out, in)
        weight = layer.weight.permute(2, 3, 1, 0)
        result.weight.copy_(weight.reshape(4 * layer.out_channels, layer.in_channels, 1, 1))
        assert result.bias is not None
        result.bias.copy_(torch.zeros(4 * layer.out_channels) if layer.bias is None else layer.bias.repeat(4))
    return result


def unfolded_twice(x: QTensor) -> QTensor:
    """(N, 4 * C, H, W) of a `doubling_conv` -> (N, C, 2 * H, 2 * W)."""
    n, c, h, w = x.values.shape
    rows = x.values.permute(0, 2, 3, 1).view(n, h, w, 2, 2, c // 4).permute(0, 1, 3, 2, 4, 5)
    return QTensor(rows.reshape(n, 2 * h, 2 * w, c // 4).permute(0, 3, 1, 2), x.qparams)


class _Block:
    """A residual block as a flow of `Conv`: all but the last with a ReLU, the last with the sum and one."""

    def __init__(self, block: BasicBlock | Bottleneck, name: str, ranges: Ranges) -> None:
        layers = [layer for key, layer in block.named_children() if key.startswith("conv")]
        self.convs = [
            Conv(layer, f"{name}.conv{i}", ranges, relu=True)  # type: ignore[arg-type]
            for i, layer in enumerate(layers, 1)
        ]
        shortcut = block.downsample
        self.shortcut = None if shortcut is None else Conv(shortcut[0], f"{name}.shortcut", ranges)  # type: ignore[arg-type]

    def __call__(self, x: QTensor) -> QTensor:
        before = x if self.shortcut is None else self.shortcut(x)
        for conv in self.convs[:-1]:
            x = conv(x)
        return self.convs[-1](x, before)


class ByteResNet:
    """A ResNet backbone, computed in bytes.

    Args:
        backbone: with its norms folded (`folding.folded`).
        stem: its first convolution as one of pixels (`pixel_conv`).
        ranges: of its maps.
    """

    def __init__(self, backbone: ResNet, stem: nn.Conv2d, ranges: Ranges) -> None:
        self.stem = Conv(stem, "stem", ranges, relu=True)
        self.pool = backbone.maxpool
        stages = (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4)
        self.stages = [
            [_Block(block, f"layer{i}.{j}", ranges) for j, block in enumerate(stage)]  # type: ignore[arg-type]
            for i, stage in enumerate(stages, 1)
        ]

    @property
    def last(self) -> QParams:
        """The quantisation parameters of the coarsest map; its zero is 0."""
        return self.stages[-1][-1].convs[-1].out

    def __call__(self, x: QTensor) -> list[QTensor]:
        """Pixels (N, 3, H, W) to the four maps of the backbone, finest first."""
        x = self.stem(x)
        if isinstance(self.pool, nn.MaxPool2d):
            x = max_pool(x, self.pool)
        maps = []
        for stage in self.stages:
            for block in stage:
                x = block(x)
            maps.append(x)
        return maps


class ByteStack:
    """AlexNet, ZFNet or VGG, computed in bytes; arguments as in `ByteResNet`."""

    def __init__(self, backbone: StackBackbone, stem: nn.Conv2d, ranges: Ranges) -> None:
        self.taps = backbone.taps
        self.layers: list[Conv | nn.MaxPool2d | None] = []
        for index, layer in enumerate(backbone.features):
            if isinstance(layer, nn.Conv2d):
                self.layers.append(Conv(layer if index else stem, f"features.{index}", ranges, relu=True))
            else:  # norms are folded in and ReLUs belong to their convolution
                self.layers.append(layer if isinstance(layer, nn.MaxPool2d) else None)

    def __call__(self, x: QTensor) -> list[QTensor]:
        """Pixels (N, 3, H, W) to one map a tap, finest first."""
        maps = []
        for index, layer in enumerate(self.layers):
            if layer is not None:
                x = layer(x) if isinstance(layer, Conv) else max_pool(x, layer)
            if index in self.taps:
                maps.append(x)
        return maps


class _ByteInception:
    """The four branches of an inception module; their maps share the parameters, so that they can be joined."""

    def __init__(self, module: Inception, name: str, ranges: Ranges) -> None:
        def convs(units: Sequence[nn.Module], branch: int) -> list[Conv]:
            layers = [unit.conv for unit in units if isinstance(unit, ConvUnit)]
            names = [*(f"{name}.branch{branch}.{i}" for i in range(len(layers) - 1)), name]
            return [Conv(layer, n, ranges, relu=True) for layer, n in zip(layers, names, strict=True)]

        self.branches = [convs([module.branch1], 1)]
        self.branches += [convs(list(b), i) for i, b in enumerate((module.branch2, module.branch3, module.branch4), 2)]
        pool = module.branch4[0]
        assert isinstance(pool, nn.MaxPool2d)
        self.pool = pool

    def __call__(self, x: QTensor) -> QTensor:
        maps = []
        for number, branch in enumerate(self.branches, 1):
            y = max_pool(x, self.pool) if number == len(self.branches) else x
            for conv in branch:
                y = conv(y)
            maps.append(y)
        return joined(maps)


class ByteGoogLeNet:
    """GoogLeNet, computed in bytes; arguments as in `ByteResNet`."""

    def __init__(self, backbone: GoogLeNet, stem: nn.Conv2d, ranges: Ranges) -> None:
        self.stem: list[Conv | nn.Module] = [
            Conv(stem, "conv1", ranges, relu=True),
            backbone.maxpool1,
            Conv(backbone.conv2.conv, "conv2", ranges, relu=True),
            Conv(backbone.conv3.conv, "conv3", ranges, relu=True),
        ]
        self.pools = {"3a": backbone.maxpool2, "4a": backbone.maxpool3, "5a": backbone.maxpool4}
        self.modules = {
            name: _ByteInception(getattr(backbone, f"inception{name}"), f"inception{name}", ranges) for name in MODULES
        }

    def __call__(self, x: QTensor) -> list[QTensor]:
        """Pixels (N, 3, H, W) to the four maps of the backbone, finest first."""
        for layer in self.stem:
            x = layer(x) if isinstance(layer, Conv) else _pooled(x, layer)
        maps = [x]
        for name, module in self.modules.items():
            x = module(_pooled(x, self.pools[name]) if name in self.pools else x)
            if name in ("3b", "4e", "5b"):
                maps.append(x)
        return maps


def _pooled(x: QTensor, layer: nn.Module) -> QTensor:
    return max_pool(x, layer) if isinstance(layer, nn.MaxPool2d) else x


def in_bytes(
    backbone: Backbone, mean: Sequence[float], std: Sequence[float], ranges: Ranges
) -> ByteResNet | ByteStack | ByteGoogLeNet:
    """A backbone of any family, its norms folded (`folding.folded`), computed in bytes.

    Args:
        mean, std: of the pixels of each channel, in bytes, as the float network has them.
        ranges: of its maps.
    """
    if isinstance(backbone, ResNet):
        return ByteResNet(backbone, pixel_conv(backbone.conv1, mean, std), ranges)
    if isinstance(backbone, GoogLeNet):
        return ByteGoogLeNet(backbone, pixel_conv(backbone.conv1.conv, mean, std), ranges)
    assert isinstance(backbone, StackBackbone)
    first = backbone.features[0]
    assert isinstance(first, nn.Conv2d)
    return ByteStack(backbone, pixel_conv(first, mean, std), ranges)
