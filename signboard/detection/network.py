"""The detector's network: any backbone, a light feature pyramid, and the two heads of differentiable binarisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signboard.backbones import build_backbone


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """What is needed to build the network again.

    Attributes:
        backbone: a name in `signboard.backbones.BACKBONES`.
        width: factor on the backbone's channels.
        neck: channels of the pyramid; each of its levels gives a quarter of them to the heads.
    """

    backbone: str = "resnet18"
    width: float = 0.5
    neck: int = 64


def _conv_bn(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class PyramidNeck(nn.Module):
    """Feature pyramid (Lin et al. 2017) whose levels are brought to the finest one's size and concatenated.

    Args:
        channels: of the feature maps, finest first.
        width: channels inside the pyramid; the output has as many.
    """

    def __init__(self, channels: list[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1, bias=False) for c in channels)
        share = [width // len(channels)] * len(channels)
        share[0] += width - sum(share)
        self.smooth = nn.ModuleList(nn.Conv2d(width, s, 3, padding=1, bias=False) for s in share)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Maps [(N, C_i, H_i, W_i)], finest first -> (N, width, H_0, W_0)."""
        maps = [lateral(f) for lateral, f in zip(self.lateral, features, strict=True)]
        for i in range(len(maps) - 2, -1, -1):
            maps[i] = maps[i] + F.interpolate(maps[i + 1], size=maps[i].shape[-2:], mode="nearest")
        size = maps[0].shape[-2:]
        levels = [smooth(m) for smooth, m in zip(self.smooth, maps, strict=True)]
        levels = [m if m.shape[-2:] == size else F.interpolate(m, size=size, mode="nearest") for m in levels]
        return torch.cat(levels, dim=1)


def _map_head(channels: int) -> nn.Sequential:
    """(N, channels, H, W) -> logits (N, 1, 4H, 4W)."""
    inner = max(channels // 4, 8)
    return nn.Sequential(
        _conv_bn(channels, inner, 3),
        nn.ConvTranspose2d(inner, inner, 2, 2, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.ConvTranspose2d(inner, 1, 2, 2),
    )


class DetectorNetwork(nn.Module):
    """Pictures -> logits of the probability map (and, in training, of the threshold map).

    Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020.
    """

    def __init__(self, config: DetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config or DetectorConfig()
        self.backbone = build_backbone(self.config.backbone, width=self.config.width)
        # The pyramid begins at stride 4; finer maps cost much and say little about words.
        self.levels = [i for i, info in enumerate(self.backbone.feature_info) if info.stride[0] >= 4]
        self.neck = PyramidNeck([self.backbone.feature_info[i].channels for i in self.levels], self.config.neck)
        self.norm = nn.Sequential(nn.BatchNorm2d(self.config.neck), nn.ReLU())
        self.probability = _map_head(self.config.neck)
        self.threshold = _map_head(self.config.neck)
        for module in self.modules():
            if isinstance(module, nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight)
        # Text covers few pixels: begin by saying "no" (Lin et al., "Focal Loss", section 4.1).
        last = self.probability[-1]
        assert isinstance(last, nn.ConvTranspose2d) and last.bias is not None
        nn.init.constant_(last.bias, -2.0)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Normalised pictures (N, 3, H, W) -> logits (N, H, W) of probability, and of threshold when training.

        Raises:
            ValueError: H or W is no multiple of 32.
        """
        if pictures.shape[-2] % 32 or pictures.shape[-1] % 32:
            raise ValueError(f"height and width must be multiples of 32, got {tuple(pictures.shape[-2:])}")
        features = self.backbone(pictures)
        fused = self.norm(self.neck([features[i] for i in self.levels]))
        size = pictures.shape[-2:]
        probability = self._full_size(self.probability(fused), size)
        if not self.training:
            return probability, None
        return probability, self._full_size(self.threshold(fused), size)

    @staticmethod
    def _full_size(logits: Tensor, size: torch.Size) -> Tensor:
        if logits.shape[-2:] != size:
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return logits[:, 0]
