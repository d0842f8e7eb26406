"""ResNet (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016), and the small ones of its section 4.2.

Layer names are torchvision's, so its weights load by name at width 1. In the paper's bottlenecks the first 1x1
convolution carries the stride (the authors' released networks, and what makes ResNet-50 cost the 3.8 G multiply-adds of
table 1); in torchvision's and in the backbones here the 3x3 carries it ("ResNet v1.5"), which loses nothing of the map.
Where a block changes shape, the shortcut is a projection (option B), in the small networks zero padding (option A).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from signboard.backbones.base import Backbone, Pair, initialise, plain_strides, scaled, text_strides
from signboard.backbones.heads import Classifier
from signboard.errors import ConfigError


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut (paper, figure 5 left)."""

    expansion = 1

    def __init__(self, before: int, channels: int, stride: Pair = (1, 1), stride_first: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(before, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, channels, ceil(H / stride), ceil(W / stride))."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))

    def last_norm(self) -> nn.BatchNorm2d:
        """The batch norm just before the addition."""
        return self.bn2


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3, 1x1 to four times as many, and the shortcut (paper, figure 5 right)."""

    expansion = 4

    def __init__(self, before: int, channels: int, stride: Pair = (1, 1), stride_first: bool = False) -> None:
        super().__init__()
        after = channels * self.expansion
        self.conv1 = nn.Conv2d(before, channels, 1, stride if stride_first else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1 if stride_first else stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(before, after, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, 4 * channels, ceil(H / stride), ceil(W / stride))."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))

    def last_norm(self) -> nn.BatchNorm2d:
        """The batch norm just before the addition."""
        return self.bn3


def _shortcut(before: int, after: int, stride: Pair) -> nn.Sequential | None:
    """The projection where the block changes shape (paper, option B), None where the input is added as it is."""
    if before == after and stride == (1, 1):
        return None
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


@dataclass(frozen=True, slots=True)
class Blocks:
    """Which blocks a ResNet is made of: kind, and how many in each of the four stages (paper, table 1)."""

    block: type[BasicBlock] | type[Bottleneck]
    counts: tuple[int, int, int, int]


RESNET18 = Blocks(BasicBlock, (2, 2, 2, 2))
RESNET34 = Blocks(BasicBlock, (3, 4, 6, 3))
RESNET50 = Blocks(Bottleneck, (3, 4, 6, 3))
RESNET101 = Blocks(Bottleneck, (3, 4, 23, 3))
RESNET152 = Blocks(Bottleneck, (3, 8, 36, 3))


class _Trunk(nn.Module):
    """Stem and four stages, shared by backbone and classifier so that both have torchvision's names."""

    def _build(
        self, blocks: Blocks, strides: Sequence[Pair], width: float, in_channels: int, stride_first: bool = False
    ) -> int:
        """Adds the layers; `strides`: of conv1, max pool, layer2, layer3, layer4. Returns the last map's channels."""
        stem, pool, second, third, fourth = strides
        channels = [scaled(n, width) for n in (64, 128, 256, 512)]
        self.conv1 = nn.Conv2d(in_channels, channels[0], 7, stem, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity() if pool == (1, 1) else nn.MaxPool2d(3, pool, 1)
        before = channels[0]
        stages = []
        for count, after, stride in zip(blocks.counts, channels, ((1, 1), second, third, fourth), strict=True):
            stage = [blocks.block(before, after, stride, stride_first)]
            before = after * blocks.block.expansion
            stage += [blocks.block(before, after) for _ in range(count - 1)]
            stages.append(nn.Sequential(*stage))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        return before

    def _maps(self, x: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) to the outputs of layer1 to layer4."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return maps


STRIDES = (2, 2, 2, 2, 2)  # conv1, max pool, layer2, layer3, layer4


class ResNet(_Trunk, Backbone):
    """Four maps: layer1 to layer4, at strides 4, 8, 16, 32, or (2,2), (4,4), (8,4), (16,4) in the text form.

    Args:
        blocks: which blocks.
        width: multiplies all channel counts, rounded to multiples of 8.
        in_channels: 3 for colour, 1 for grey.
        text: keep the width of a text line: see `text_strides`; the stem's max pool is left out.
    """

    def __init__(self, blocks: Blocks, *, width: float = 1.0, in_channels: int = 3, text: bool = False) -> None:
        super().__init__()
        self.in_channels = in_channels
        self._build(blocks, text_strides(STRIDES) if text else plain_strides(STRIDES), width, in_channels)
        initialise(self)
        zero_last_norms(self)
        self._describe(("layer1", "layer2", "layer3", "layer4"))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) to four maps, finest first."""
        return self._maps(x)


class ResNetClassifier(_Trunk, Classifier):
    """The paper's classifier: four stages, global average pooling, one fully connected layer.

    Args:
        blocks: which blocks.
        stride_first: the first 1x1 of a bottleneck carries the stride (the paper's), not its 3x3 (torchvision's).
    """

    def __init__(
        self,
        blocks: Blocks,
        num_classes: int,
        *,
        stride_first: bool = False,
        in_channels: int = 3,
        localisation: bool = False,
    ) -> None:
        super().__init__(num_classes, in_channels, input_size=224, smallest=1)
        # Only bottlenecks have a choice.
        self.stride_first = stride_first and blocks.block is Bottleneck
        channels = self._build(blocks, plain_strides(STRIDES), 1.0, in_channels, stride_first)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)
        self._finish(localisation)
        zero_last_norms(self)

    def hidden(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N, C, H, W) -> the average of the last map, (N, channels); no auxiliary logits."""
        return self.avgpool(self._maps(x)[-1]).flatten(1), ()

    def last_layer(self) -> nn.Linear:
        """The layer that gives the logits."""
        return self.fc


class SmallBlock(nn.Module):
    """Two 3x3 convolutions; with `residual` their input is added, subsampled and zero-padded where shapes differ.

    Option A of the paper: the shortcut has no parameters, so a plain and a residual network have equally many.
    """

    def __init__(self, before: int, channels: int, stride: int = 1, residual: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.residual = residual
        self.stride = stride
        self.extra = channels - before

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, channels, ceil(H / stride), ceil(W / stride))."""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.residual:
            if self.stride > 1:
                x = functional.avg_pool2d(x, 1, self.stride)  # a window of one pixel: every second pixel
            out = out + functional.pad(x, (0, 0, 0, 0, 0, self.extra))
        return self.relu(out)


class SmallResNet(Classifier):
    """The networks for 32x32 pictures of section 4.2: one 3x3 convolution, three stages of 2n layers, 6n + 2 in all.

    Args:
        depth: 6n + 2: 20, 32, 44, 56, 110 in the paper.
        residual: False gives the plain network of the same layers.
    """

    def __init__(
        self, depth: int, num_classes: int, *, residual: bool = True, in_channels: int = 3, localisation: bool = False
    ) -> None:
        if depth < 8 or depth % 6 != 2:
            raise ConfigError(f"a small ResNet has 6n + 2 layers (20, 32, 44, 56, 110), not {depth}")
        super().__init__(num_classes, in_channels, input_size=32, smallest=1)
        self.conv1 = nn.Conv2d(in_channels, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        before = 16
        stages = []
        for channels, stride in ((16, 1), (32, 2), (64, 2)):
            blocks = [SmallBlock(before, channels, stride, residual)]
            blocks += [SmallBlock(channels, channels, 1, residual) for _ in range((depth - 2) // 6 - 1)]
            stages.append(nn.Sequential(*blocks))
            before = channels
        self.layer1, self.layer2, self.layer3 = stages
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(before, num_classes)
        # The last gains are not zeroed: plain and residual networks are to start alike.
        self._finish(localisation)

    def hidden(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N, C, H, W) -> the average of the last map, (N, 64); no auxiliary logits."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.avgpool(x).flatten(1), ()

    def last_layer(self) -> nn.Linear:
        """The layer that gives the logits."""
        return self.fc


def zero_last_norms(module: nn.Module) -> None:
    """Starts every residual block as the identity: the last batch norm's gain is 0 (Goyal et al. 2017, section 5.1)."""
    for part in module.modules():
        if isinstance(part, BasicBlock | Bottleneck):
            nn.init.zeros_(part.last_norm().weight)


def resnet18(**options: Any) -> ResNet:
    """ResNet-18 (basic blocks). Options as in `ResNet`."""
    return ResNet(RESNET18, **options)


def resnet34(**options: Any) -> ResNet:
    """ResNet-34 (basic blocks). Options as in `ResNet`."""
    return ResNet(RESNET34, **options)


def resnet50(**options: Any) -> ResNet:
    """ResNet-50 (bottlenecks). Options as in `ResNet`."""
    return ResNet(RESNET50, **options)


def resnet101(**options: Any) -> ResNet:
    """ResNet-101 (bottlenecks). Options as in `ResNet`."""
    return ResNet(RESNET101, **options)


def resnet152(**options: Any) -> ResNet:
    """ResNet-152 (bottlenecks). Options as in `ResNet`."""
    return ResNet(RESNET152, **options)
