"""The detector's network in bytes: see `signboard.backbones.int8`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from signboard.backbones.folding import folded
from signboard.backbones.int8 import (
    ByteResNet,
    Conv,
    QTensor,
    Ranges,
    doubling_conv,
    joined,
    nearest,
    pixel_conv,
    pixel_qparams,
    pixels,
    unfolded_twice,
)
from signboard.backbones.resnet import ResNet
from signboard.detection.network import MEAN, STD, DetectorNetwork, PyramidNeck


def has_bytes(network: DetectorNetwork) -> bool:
    """Whether `network` can be computed in bytes: it stands on a ResNet, with the picture's detail at its heads."""
    return isinstance(network.backbone, ResNet) and network.detail is not None


class ByteDetector:
    """Pictures -> logits of the probability map, as `DetectorNetwork` in evaluation.

    Args:
        network: a trained network on a ResNet with the picture's detail.
        ranges: of its maps; empty ones are filled while pictures pass.
    """

    def __init__(self, network: DetectorNetwork, ranges: Ranges) -> None:
        net = folded(network).float()
        assert isinstance(net.backbone, ResNet)
        self.ranges = ranges
        mean, std = ([255.0 * v for v in values] for values in (MEAN, STD))
        self.qparams = pixel_qparams(mean)
        self.backbone = ByteResNet(net.backbone, pixel_conv(net.backbone.conv1, mean, std), ranges)
        self.levels = net.levels
        self.lateral = [Conv(c, f"neck.{i}", ranges) for i, c in enumerate(net.neck.lateral)]  # type: ignore[arg-type]
        self.smooth = [Conv(c, "neck", ranges, relu=True) for c in _smooth(net.neck, net.norm[0])]  # type: ignore[arg-type]
        head, detail = net.probability, net.detail
        assert detail is not None and head.refine is not None
        self.edges = Conv(pixel_conv(detail.conv1, mean, std), "detail.conv1", ranges, relu=True)
        self.detail = Conv(detail.conv2, "detail", ranges, relu=True)
        self.reduce = Conv(head.reduce[0], "head.reduce", ranges, relu=True)  # type: ignore[arg-type]
        self.up = Conv(doubling_conv(head.up), "head.up", ranges)
        self.refine = Conv(head.refine, "head.refine", ranges, relu=True)
        self.last = Conv(doubling_conv(head.last), "head.last", ranges, floats=True)

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Tensor:
        """Pictures (N, H, W, 3) uint8, H and W multiples of 32 -> logits (N, H, W) float32."""
        x = pixels(batch, self.qparams, self.ranges)
        features = self.backbone(x)
        maps = [features[i] for i in self.levels]
        level = self.lateral[-1](maps[-1])
        levels = [level]
        for lateral, finer in zip(self.lateral[-2::-1], maps[-2::-1], strict=True):
            level = lateral(finer, nearest(level, finer.values.shape[-2:]))
            levels.insert(0, level)
        size = levels[0].values.shape[-2:]
        fused = joined([nearest(conv(m), size) for conv, m in zip(self.smooth, levels, strict=True)])
        up = unfolded_twice(self.up(self.reduce(fused)))
        y = self.detail(self.edges(x), up)
        y = self.refine(y, QTensor(y.values.clone(), y.qparams))
        return unfolded_twice(self.last(y)).values[:, 0]


def _smooth(neck: PyramidNeck, norm: nn.BatchNorm2d) -> list[nn.Conv2d]:
    """The pyramid's last convolutions with the norm of their joined maps folded in."""
    assert norm.running_mean is not None and norm.running_var is not None
    result, start = [], 0
    for layer in neck.smooth:
        assert isinstance(layer, nn.Conv2d)
        part = slice(start, start + layer.out_channels)
        conv = nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1)
        conv.weight, conv.bias = fuse_conv_bn_weights(
            layer.weight,
            None,
            norm.running_mean[part],
            norm.running_var[part],
            norm.eps,
            norm.weight[part],
            norm.bias[part],
        )
        result.append(conv)
        start = part.stop
    return result
