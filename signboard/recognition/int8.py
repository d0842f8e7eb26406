"""The recogniser's convolutions in bytes: see `signboard.backbones.int8`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from signboard.backbones.folding import folded
from signboard.backbones.int8 import ByteResNet, Conv, Map, Ranges, pixel_conv, pixel_grid, pixels
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
        self.grid = pixel_grid(mean)
        self.backbone = ByteResNet(net.backbone, pixel_conv(net.backbone.conv1, mean, mean), ranges)
        self.collapse = Conv(_in_one_row(net.collapse[0]), "collapse", ranges, relu=True, floats=True)  # type: ignore[arg-type]
        self.dtype = dtype
        self.mixer, self.norm, self.head = (part.to(dtype) for part in (net.mixer, net.norm, net.head))

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Tensor:
        """Crops (N, height, W, 3) uint8 -> logits (N, T, classes) of `dtype`."""
        maps = self.backbone(pixels(batch, self.grid, self.ranges))
        frames = self.collapse(_one_row(maps[-1])).values.squeeze(2).transpose(1, 2).to(self.dtype)
        return self.head(self.norm(self.mixer(frames)))  # type: ignore[no-any-return]


def _in_one_row(layer: nn.Conv2d) -> nn.Conv2d:
    """A convolution over all rows as one of 1x1, of a map whose rows were made channels (`_one_row`)."""
    rows = layer.kernel_size[0]
    result = nn.Conv2d(rows * layer.in_channels, layer.out_channels, 1, bias=layer.bias is not None)
    with torch.no_grad():
        # (out, C, rows, 1) -> (out, rows * C)
        result.weight.copy_(layer.weight.permute(0, 2, 1, 3).reshape(result.weight.shape))
        if result.bias is not None and layer.bias is not None:
            result.bias.copy_(layer.bias)
    return result


def _one_row(x: Map) -> Map:
    """(N, C, rows, T) -> (N, rows * C, 1, T)."""
    n, c, rows, t = x.values.shape
    # In memory (N, rows, T, C) -> (N, T, rows, C).
    values = x.values.permute(0, 3, 2, 1).reshape(n, 1, t, rows * c)
    return Map(values.permute(0, 3, 1, 2), x.grid)
