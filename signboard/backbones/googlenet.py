"""GoogLeNet (Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, table 1 and figure 3).

Attribute names are torchvision's. Its network differs from the paper's in three ways (batch norm for local response
normalisation, 3x3 where the paper has 5x5, a 2x2 last pool), so both are forms here. The feature form keeps the
paper's 5x5, and has batch norm and centred pools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from signboard.backbones.base import Backbone, Pair, initialise, plain_strides, scaled, text_strides
from signboard.backbones.heads import Classifier
from signboard.backbones.stack import LocalNorm
from signboard.errors import ConfigError

# Channels of each module's 1x1; 3x3 reduction, 3x3; 5x5 reduction, 5x5; pool projection (paper, table 1).
MODULES: dict[str, tuple[int, int, int, int, int, int]] = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


@dataclass(frozen=True, slots=True)
class Form:
    """What tells the forms of GoogLeNet apart.

    Attributes:
        batch_norm: batch norm after each convolution, which then has no bias.
        local_norm: the paper's two local response normalisations.
        large: side of the third branch's filters: 5, or torchvision's 3.
        last_pool: side of the fourth max pool.
        centred: pools padded so that a map has ceil(size / stride) units; else the hanging window is kept (Caffe).
        auxiliary_pool: the paper's 5x5 average pool of stride 3 before an auxiliary head; else only the average to 4x4.
    """

    batch_norm: bool
    local_norm: bool = False
    large: int = 5
    last_pool: int = 3
    centred: bool = False
    auxiliary_pool: bool = False


PAPER = Form(batch_norm=False, local_norm=True, auxiliary_pool=True)
TORCHVISION = Form(batch_norm=True, large=3, last_pool=2)
FEATURES = Form(batch_norm=True, centred=True)


class ConvUnit(nn.Module):
    """Convolution, batch norm where the form has it, ReLU."""

    def __init__(self, before: int, after: int, kernel: int, *, stride: Pair = (1, 1), batch_norm: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=not batch_norm)
        # torchvision's epsilon, so that its weights compute the same here.
        self.bn = nn.BatchNorm2d(after, eps=1e-3) if batch_norm else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, after, ceil(H / stride), ceil(W / stride))."""
        out: Tensor = self.relu(self.bn(self.conv(x)))
        return out


class Inception(nn.Module):
    """Four branches side by side, their maps stacked along the channels (paper, figure 2b).

    Args:
        before: channels of the input.
        channels: see `MODULES`.
        large: side of the third branch's filters.
        reduction: False leaves out the 1x1 convolutions before the 3x3 and the 5x5, which then work on the input's
            full depth. The pool's projection stays, so that both variants return equally many channels.
    """

    def __init__(
        self, before: int, channels: Sequence[int], *, large: int, batch_norm: bool, reduction: bool = True
    ) -> None:
        super().__init__()
        ones, reduce3, threes, reduce5, fives, projection = channels

        def unit(inputs: int, outputs: int, kernel: int) -> ConvUnit:
            return ConvUnit(inputs, outputs, kernel, batch_norm=batch_norm)

        def branch(reduced: int, outputs: int, kernel: int) -> nn.Sequential:
            if reduction:
                return nn.Sequential(unit(before, reduced, 1), unit(reduced, outputs, kernel))
            return nn.Sequential(nn.Identity(), unit(before, outputs, kernel))

        self.branch1 = unit(before, ones, 1)
        self.branch2 = branch(reduce3, threes, 3)
        self.branch3 = branch(reduce5, fives, large)
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), unit(before, projection, 1))
        self.channels = ones + threes + fives + projection

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, sum of the four branches, H, W)."""
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class AuxiliaryHead(nn.Module):
    """A small classifier on a middle layer, for training only (paper, section 5)."""

    def __init__(self, before: int, num_classes: int, form: Form, width: float = 1.0) -> None:
        super().__init__()
        channels, hidden = scaled(128, width), scaled(1024, width)
        self.shrink = nn.AvgPool2d(5, 3) if form.auxiliary_pool else nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d((4, 4))  # 4x4 already after the paper's pool of a 14x14 map
        self.conv = ConvUnit(before, channels, 1, batch_norm=form.batch_norm)
        self.fc1 = nn.Linear(channels * 16, hidden)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> logits (N, num_classes)."""
        x = self.conv(self.pool(self.shrink(x))).flatten(1)  # (N, 128 * 4 * 4)
        out: Tensor = self.fc2(self.dropout(self.relu(self.fc1(x))))
        return out


class _Trunk(nn.Module):
    """Stem and nine inception modules, shared by backbone and classifier so that both have torchvision's names."""

    inception3a: Inception
    inception3b: Inception
    inception4a: Inception
    inception4b: Inception
    inception4c: Inception
    inception4d: Inception
    inception4e: Inception
    inception5a: Inception
    inception5b: Inception

    def _build(
        self, form: Form, strides: Sequence[Pair], width: float, in_channels: int, reduction: bool = True
    ) -> dict[str, int]:
        """Adds the layers; `strides` are of conv1 and the four max pools. Returns the modules' output channels."""
        first, *pools = strides
        stem = scaled(64, width), scaled(64, width), scaled(192, width)
        self.conv1 = ConvUnit(in_channels, stem[0], 7, stride=first, batch_norm=form.batch_norm)
        self.maxpool1 = _pool(3, pools[0], form)
        self.norm1 = LocalNorm().build() if form.local_norm else nn.Identity()
        self.conv2 = ConvUnit(stem[0], stem[1], 1, batch_norm=form.batch_norm)
        self.conv3 = ConvUnit(stem[1], stem[2], 3, batch_norm=form.batch_norm)
        self.norm2 = LocalNorm().build() if form.local_norm else nn.Identity()
        self.maxpool2 = _pool(3, pools[1], form)
        before = stem[2]
        outputs = {}
        for name, channels in MODULES.items():
            module = Inception(
                before,
                [scaled(n, width) for n in channels],
                large=form.large,
                batch_norm=form.batch_norm,
                reduction=reduction,
            )
            self.add_module(f"inception{name}", module)
            before = outputs[name] = module.channels
        self.maxpool3 = _pool(3, pools[2], form)
        self.maxpool4 = _pool(form.last_pool, pools[3], form)
        return outputs

    def run(self, x: Tensor) -> tuple[list[Tensor], tuple[Tensor, Tensor]]:
        """(N, in_channels, H, W) to the maps before the pools, finest first, and those of the auxiliary heads.

        At 224x224: 192x56x56, 480x28x28, 832x14x14, 1024x7x7; and 512x14x14 (module 4a), 528x14x14 (module 4d).
        """
        x = self.norm1(self.maxpool1(self.conv1(x)))  # 64x56x56
        stem = self.norm2(self.conv3(self.conv2(x)))  # 192x56x56
        x = self.maxpool2(stem)  # 192x28x28
        third = self.inception3b(self.inception3a(x))  # 480x28x28
        x = self.maxpool3(third)  # 480x14x14
        first = self.inception4a(x)  # 512x14x14
        second = self.inception4d(self.inception4c(self.inception4b(first)))  # 528x14x14
        fourth = self.inception4e(second)  # 832x14x14
        x = self.maxpool4(fourth)  # 832x7x7
        fifth = self.inception5b(self.inception5a(x))  # 1024x7x7
        return [stem, third, fourth, fifth], (first, second)


def _pool(kernel: int, stride: Pair, form: Form) -> nn.Module:
    if stride == (1, 1):
        return nn.Identity()
    if form.centred:
        return nn.MaxPool2d(kernel, stride, kernel // 2)
    return nn.MaxPool2d(kernel, stride, ceil_mode=True)


STRIDES = (2, 2, 2, 2, 2)  # conv1 and the four max pools


class GoogLeNet(_Trunk, Backbone):
    """Four maps, at strides 4, 8, 16, 32, or (2,2), (4,4), (8,4), (16,4) in the text form (no first max pool there).

    Args:
        width: multiplies all channel counts, rounded to multiples of 8.
        in_channels: 3 for colour, 1 for grey.
        text: keep the width of a text line: see `text_strides`.
        reduction: False leaves out the 1x1 convolutions before the larger ones, see `Inception`.
    """

    def __init__(self, *, width: float = 1.0, in_channels: int = 3, text: bool = False, reduction: bool = True) -> None:
        super().__init__()
        self.in_channels = in_channels
        strides = text_strides(STRIDES) if text else plain_strides(STRIDES)
        self.module_channels = self._build(FEATURES, strides, width, in_channels, reduction)
        initialise(self)
        self._describe(("conv3", "inception3b", "inception4e", "inception5b"))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) to four maps, finest first."""
        return self.run(x)[0]


class _Heads(Classifier):
    """What the two GoogLeNet classifiers share: auxiliary heads on modules 4a and 4d, average pooling or not."""

    aux1: AuxiliaryHead | None
    aux2: AuxiliaryHead | None

    def _add_heads(
        self, form: Form, channels: dict[str, int], auxiliary: bool, average_pool: bool, dropout: float, width: float
    ) -> None:
        self.aux1 = AuxiliaryHead(channels["4a"], self.num_classes, form, width) if auxiliary else None
        self.aux2 = AuxiliaryHead(channels["4d"], self.num_classes, form, width) if auxiliary else None
        grid = 1 if average_pool else 7
        self.avgpool = nn.AdaptiveAvgPool2d((grid, grid))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels["5b"] * grid * grid, self.num_classes)

    def _vector(self, last: Tensor, middle: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        auxiliary: tuple[Tensor, ...] = ()
        if self.training and self.aux1 is not None and self.aux2 is not None:
            if isinstance(self.aux1.shrink, nn.AvgPool2d) and min(middle[0].shape[2:]) < 5:
                raise ConfigError(
                    "too small for the paper's auxiliary heads, which pool 5x5 units at stride 16: "
                    "train on larger pictures (224), or with form='narrow', or with auxiliary=False"
                )
            auxiliary = (self.aux1(middle[0]), self.aux2(middle[1]))
        return self.dropout(self.avgpool(last).flatten(1)), auxiliary

    def last_layer(self) -> nn.Linear:
        """The layer that gives the logits."""
        return self.fc


class GoogLeNetClassifier(_Trunk, _Heads):
    """The full-width classifier with its two auxiliary heads (in training mode only).

    Args:
        form: `PAPER` or `TORCHVISION`.
        auxiliary: False leaves out the auxiliary heads.
        reduction: False leaves out the 1x1 convolutions before the larger ones, see `Inception`.
        average_pool: False joins the whole last map (averaged to 7x7 at sizes other than 224) to the class layer.
    """

    def __init__(
        self,
        form: Form,
        num_classes: int,
        *,
        auxiliary: bool = True,
        reduction: bool = True,
        average_pool: bool = True,
        in_channels: int = 3,
        localisation: bool = False,
    ) -> None:
        super().__init__(num_classes, in_channels, input_size=224, smallest=31 if form.last_pool == 3 else 15)
        channels = self._build(form, plain_strides(STRIDES), 1.0, in_channels, reduction)
        # The paper drops 40 % before the class layer; torchvision's 20 % matters in training only.
        self._add_heads(form, channels, auxiliary, average_pool, 0.4 if form is PAPER else 0.2, 1.0)
        self._finish(localisation)

    def hidden(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N, C, H, W) -> the average of the last map, (N, 1024), and in training mode two auxiliary logits."""
        maps, middle = self.run(x)
        return self._vector(maps[-1], middle)


class NarrowGoogLeNet(_Heads):
    """The backbone at a fraction of its width, with class layer and auxiliary heads, for small pictures.

    Args:
        width: multiplies all channel counts.
        auxiliary, reduction, average_pool: as in `GoogLeNetClassifier`.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        width: float,
        auxiliary: bool = True,
        reduction: bool = True,
        average_pool: bool = True,
        in_channels: int = 3,
        localisation: bool = False,
    ) -> None:
        super().__init__(num_classes, in_channels, input_size=64, smallest=1)
        self.backbone = GoogLeNet(width=width, in_channels=in_channels, reduction=reduction)
        self._add_heads(FEATURES, self.backbone.module_channels, auxiliary, average_pool, 0.2, width)
        self._finish(localisation)

    def hidden(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N, C, H, W) -> the average of the last map, (N, channels), and in training mode two auxiliary logits."""
        maps, middle = self.backbone.run(x)
        return self._vector(maps[-1], middle)


def googlenet(**options: Any) -> GoogLeNet:
    """GoogLeNet in the feature form. Options as in `GoogLeNet`."""
    return GoogLeNet(**options)


def googlenet_paper(num_classes: int, **options: Any) -> GoogLeNetClassifier:
    """The paper's classifier, 224x224. Options as in `GoogLeNetClassifier`."""
    return GoogLeNetClassifier(PAPER, num_classes, **options)


def googlenet_torchvision(num_classes: int, **options: Any) -> GoogLeNetClassifier:
    """torchvision's classifier, 224x224. Its weights expect pictures normalised to mean 0.5, deviation 0.5."""
    return GoogLeNetClassifier(TORCHVISION, num_classes, **options)
