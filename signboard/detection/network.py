"""The detector's network: any backbone, a light feature pyramid, and the two heads of differentiable binarisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signboard.backbones import build_backbone

MEAN = (0.485, 0.456, 0.406)  # of pixels, 0 to 1, of each channel
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """What is needed to build the network again.

    Attributes:
        backbone: a name in `signboard.backbones.BACKBONES`.
        width: factor on the backbone's channels.
        neck: channels of the pyramid; each of its levels gives a quarter of them to the heads.
        detail: whether the heads also see the picture itself at half size, which tells small words apart.
    """

    backbone: str = "resnet18"
    width: float = 0.5
    neck: int = 64
    detail: bool = False


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


class DetailStem(nn.Module):
    """Edges of the picture at half its size, for the heads: gaps between small words are lost at stride 4.

    Its last norm begins at zero, so that a network that was trained without it goes on as it was.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, channels, H / 2, W / 2)."""
        return self.norm2(self.conv2(self.relu(self.norm1(self.conv1(pictures)))))  # type: ignore[no-any-return]


class MapHead(nn.Module):
    """The pyramid's features -> logits of one map at four times their size.

    Args:
        channels: of the pyramid's features.
        detail: whether a `DetailStem` of `inner` channels joins in half way up, followed by a residual convolution.
    """

    def __init__(self, channels: int, detail: bool) -> None:
        super().__init__()
        self.inner = max(channels // 4, 8)
        self.reduce = _conv_bn(channels, self.inner, 3)
        self.up = nn.ConvTranspose2d(self.inner, self.inner, 2, 2, bias=False)
        self.up_norm = nn.BatchNorm2d(self.inner)
        self.relu = nn.ReLU()
        self.refine = nn.Conv2d(self.inner, self.inner, 3, padding=1, bias=False) if detail else None
        self.refine_norm = nn.BatchNorm2d(self.inner) if detail else None
        if self.refine_norm is not None:
            nn.init.zeros_(self.refine_norm.weight)
        self.last = nn.ConvTranspose2d(self.inner, 1, 2, 2)

    def forward(self, features: Tensor, detail: Tensor | None) -> Tensor:
        """Features (N, channels, H, W), detail (N, inner, 2H, 2W) or None -> logits (N, 1, 4H, 4W)."""
        x = self.up_norm(self.up(self.reduce(features)))
        if detail is None or self.refine is None or self.refine_norm is None:
            return self.last(self.relu(x))  # type: ignore[no-any-return]
        if x.shape[-2:] != detail.shape[-2:]:
            x = F.interpolate(x, size=detail.shape[-2:], mode="bilinear", align_corners=False)
        x = self.relu(x + detail)
        x = self.relu(x + self.refine_norm(self.refine(x)))
        return self.last(x)  # type: ignore[no-any-return]


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
        self.probability = MapHead(self.config.neck, self.config.detail)
        self.threshold = MapHead(self.config.neck, self.config.detail)
        self.detail = DetailStem(self.probability.inner) if self.config.detail else None
        for module in self.modules():
            if isinstance(module, nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight)
        # Text covers few pixels: begin by saying "no" (Lin et al., "Focal Loss", section 4.1).
        assert self.probability.last.bias is not None
        nn.init.constant_(self.probability.last.bias, -2.0)

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
        detail = self.detail(pictures) if self.detail is not None else None
        probability = self._full_size(self.probability(fused, detail), size)
        if not self.training:
            return probability, None
        return probability, self._full_size(self.threshold(fused, detail), size)

    @staticmethod
    def _full_size(logits: Tensor, size: torch.Size) -> Tensor:
        if logits.shape[-2:] != size:
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return logits[:, 0]
