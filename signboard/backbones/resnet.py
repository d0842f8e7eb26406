"""ResNet (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016) as a backbone.

Layer names are torchvision's, so its weights load by name at width 1. The stride of a bottleneck sits on its 3x3
convolution, as in torchvision and in the authors' later code; the paper's text has it on the first 1x1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from signboard.backbones.base import Backbone, Pair, initialise, plain_strides, scaled, text_strides


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut (paper, figure 5 left)."""

    expansion = 1

    def __init__(self, before: int, channels: int, stride: Pair = (1, 1), residual: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.residual = residual
        self.downsample = _shortcut(before, channels, stride) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, channels, ceil(H / stride), ceil(W / stride))."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.residual:
            out = out + (x if self.downsample is None else self.downsample(x))
        return self.relu(out)

    def last_norm(self) -> nn.BatchNorm2d:
        """The batch norm just before the addition."""
        return self.bn2


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3, 1x1 to four times as many, and the shortcut (paper, figure 5 right)."""

    expansion = 4

    def __init__(self, before: int, channels: int, stride: Pair = (1, 1), residual: bool = True) -> None:
        super().__init__()
        after = channels * self.expansion
        self.conv1 = nn.Conv2d(before, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU()
        self.residual = residual
        self.downsample = _shortcut(before, after, stride) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, 4 * channels, ceil(H / stride), ceil(W / stride))."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.residual:
            out = out + (x if self.downsample is None else self.downsample(x))
        return self.relu(out)

    def last_norm(self) -> nn.BatchNorm2d:
        """The batch norm just before the addition."""
        return self.bn3


def _shortcut(before: int, after: int, stride: Pair) -> nn.Sequential | None:
    """The projection where the block changes shape (paper, option B), None where the input is added as it is."""
    if before == after and stride == (1, 1):
        return None
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


class ResNet(Backbone):
    """Four maps: layer1 to layer4, at strides 4, 8, 16, 32, or (2,2), (4,4), (8,4), (16,4) in the text form.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: blocks in each of the four stages (paper, table 1).
        width: multiplies all channel counts, rounded to multiples of 8.
        in_channels: 3 for colour, 1 for grey.
        text: keep the width of a text line: see `text_strides`; the stem's max pool is left out.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: Sequence[int],
        *,
        width: float = 1.0,
        in_channels: int = 3,
        text: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        factors = (2, 2, 2, 2, 2)  # conv1, max pool, layer2, layer3, layer4
        stem, pool, second, third, fourth = text_strides(factors) if text else plain_strides(factors)
        channels = [scaled(n, width) for n in (64, 128, 256, 512)]
        self.conv1 = nn.Conv2d(in_channels, channels[0], 7, stem, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity() if pool == (1, 1) else nn.MaxPool2d(3, pool, 1)
        before = channels[0]
        stages = []
        for count, after, stride in zip(layers, channels, ((1, 1), second, third, fourth), strict=True):
            blocks = [block(before, after, stride)]
            before = after * block.expansion
            blocks += [block(before, after) for _ in range(count - 1)]
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        initialise(self)
        zero_last_norms(self)
        self._describe(("layer1", "layer2", "layer3", "layer4"))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) to four maps, finest first."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return maps


def zero_last_norms(module: nn.Module) -> None:
    """Starts every residual block as the identity: the last batch norm's gain is 0 (Goyal et al. 2017, section 5.1)."""
    for part in module.modules():
        if isinstance(part, BasicBlock | Bottleneck) and part.residual:
            nn.init.zeros_(part.last_norm().weight)


def resnet18(**options: Any) -> ResNet:
    """ResNet-18: basic blocks (2, 2, 2, 2). Options as in `ResNet`."""
    return ResNet(BasicBlock, (2, 2, 2, 2), **options)


def resnet34(**options: Any) -> ResNet:
    """ResNet-34: basic blocks (3, 4, 6, 3). Options as in `ResNet`."""
    return ResNet(BasicBlock, (3, 4, 6, 3), **options)


def resnet50(**options: Any) -> ResNet:
    """ResNet-50: bottlenecks (3, 4, 6, 3). Options as in `ResNet`."""
    return ResNet(Bottleneck, (3, 4, 6, 3), **options)


def resnet101(**options: Any) -> ResNet:
    """ResNet-101: bottlenecks (3, 4, 23, 3). Options as in `ResNet`."""
    return ResNet(Bottleneck, (3, 4, 23, 3), **options)


def resnet152(**options: Any) -> ResNet:
    """ResNet-152: bottlenecks (3, 8, 36, 3). Options as in `ResNet`."""
    return ResNet(Bottleneck, (3, 8, 36, 3), **options)
