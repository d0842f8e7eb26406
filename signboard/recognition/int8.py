"""The recogniser's convolutions in bytes: see `signboard.backbones.int8`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signboard.backbones.folding import folded
from signboard.backbones.int8 import ByteResNet, Ranges, pixel_conv, pixel_qparams, pixels
from signboard.backbones.resnet import ResNet
from signboard.recognition.network import RecognizerNetwork

MIDDLE = 127.5  # of a byte's values; crops are normalised to about -1 to 1


def has_bytes(network: RecognizerNetwork) -> bool:
    """Whether `network` can be computed in bytes: it stands on a ResNet."""
    return isinstance(network.backbone, ResNet)


class ByteRecognizer:
    """Crops -> CTC logits, as `RecognizerNetwork` in evaluation: convolutions in bytes, the mixer in `dtype`.

    Args:
        network: a trained network on a ResNet.
        ranges: of its maps; empty ones are filled while crops pass.
        dtype: what the mixer computes in.
    """

    def __init__(self, network: RecognizerNetwork, ranges: Ranges, dtype: torch.dtype = torch.float32) -> None:
        net = folded(network).float()
        assert isinstance(net.backbone, ResNet)
        self.ranges = ranges
        mean = [MIDDLE] * 3
        self.qparams = pixel_qparams(mean)
        self.backbone = ByteResNet(net.backbone, pixel_conv(net.backbone.conv1, mean, mean), ranges)
        # Too few bytes a frame: oneDNN's kernels for them are slow at some widths.
        weight, bias = _over_rows(net.collapse[0])  # type: ignore[arg-type]
        if not ranges.measuring:
            weight = weight * self.backbone.last.scale
        self.weight, self.bias = weight.to(dtype), bias.to(dtype)
        self.dtype = dtype
        for part in (net.grid, net.merge, net.mixer, net.norm, net.head):
            if part is not None:
                part.to(dtype)
        self.net = net
        self.window = net.window

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Tensor:
        """Crops (N, height or tall, W, 3) uint8 -> logits (N, T, classes) of `dtype`."""
        values = self.backbone(pixels(batch, self.qparams, self.ranges))[-1].values
        if values.shape[2] > self.window:
            values = F.pad(values, (0, 0, 1, 1))
        n, c, rows, t = values.shape
        # In memory (N, rows, T, C) -> (N, places, T, window * C).
        columns = values.permute(0, 3, 2, 1).reshape(n, t, rows * c)
        places = columns.unfold(2, self.window * c, c).transpose(1, 2).to(self.dtype)
        frames = self.net.frames(F.linear(places, self.weight, self.bias).relu_())
        return self.net.head(self.net.norm(self.net.mixer(frames)))  # type: ignore[no-any-return]


def _over_rows(layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Weight (out, rows * C) and bias of a convolution over all rows, (out, C, rows, 1), as a product of vectors."""
    assert layer.bias is not None
    return layer.weight.detach().permute(0, 2, 1, 3).reshape(layer.out_channels, -1), layer.bias.detach()
