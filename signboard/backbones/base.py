"""What every backbone promises: feature maps, finest first, each described by a `FeatureInfo`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from signboard.backbones.arithmetic import output_fields
from signboard.errors import ConfigError

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FeatureInfo:
    """One feature map of a backbone. Pairs are (vertical, horizontal), in pixels of the input.

    Attributes:
        name: the stage that makes the map, e.g. "layer3".
        channels: of the map.
        stride: distance between the input positions of two neighbouring units.
        receptive_field: how much of the input one unit depends on, zero padding included.
    """

    name: str
    channels: int
    stride: Pair
    receptive_field: Pair


class Backbone(nn.Module):
    """Turns pictures into feature maps, finest first.

    `forward(x)` takes (N, in_channels, H, W) and returns a list of (N, channels, ceil(H / stride), ceil(W / stride)),
    one for each entry of `feature_info`. Any H and W of 1 pixel or more work in evaluation mode; in training mode batch
    norm needs more than one value a channel, so the coarsest map must hold more than one unit over the whole batch.

    A subclass ends its `__init__` with `self._describe(names)`.
    """

    feature_info: tuple[FeatureInfo, ...]
    in_channels: int

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, C, H, W) pictures to a list of maps, finest first."""
        raise NotImplementedError

    def _describe(self, names: Sequence[str]) -> None:
        """Measures `feature_info` by running the layer arithmetic over the network as built."""
        # Strides and fields do not depend on the size of the picture, so the smallest will do.
        measured = output_fields(self, (self.in_channels, 8, 8), meta=False)
        self.feature_info = tuple(
            FeatureInfo(
                name=name,
                channels=shape[0],
                stride=(round(field.jump[0]), round(field.jump[1])),
                receptive_field=(round(field.size[0]), round(field.size[1])),
            )
            for name, (shape, field) in zip(names, measured, strict=True)
        )


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, rounded to the nearest multiple of 8, at least 8 (8 suits vector units)."""
    return max(8, int(channels * width / 8 + 0.5) * 8)


def text_strides(factors: Sequence[int], vertical: int = 16, horizontal: int = 4) -> tuple[Pair, ...]:
    """Turns a family's downsampling factors into (vertical, horizontal) strides that keep the width of a text line.

    A word crop is wide and low, and CTC needs at least one column a character. The rule, the same for all families:
    every factor is taken as so many halvings; of the halvings beyond `vertical` the earliest are left out, but the very
    first stays (it is what keeps the first layers affordable); the earliest of those left halve both axes until
    `horizontal` is reached; the rest halve the height only, (2, 1).

    Args:
        factors: the family's own downsampling factors in order, powers of two, e.g. ResNet (2, 2, 2, 2, 2) for conv1,
            max pool, layer2, layer3, layer4; AlexNet (4, 2, 2, 2).
        vertical, horizontal: the total strides wanted, powers of two.

    Returns:
        one pair a factor; (1, 1) where nothing is left of it (a pool with (1, 1) is left out by the families).
        For ResNet ((2, 2), (1, 1), (2, 2), (2, 1), (2, 1)), for AlexNet ((2, 2), (2, 2), (2, 1), (2, 1)).

    Raises:
        ConfigError: a factor is no power of two, or the factors do not reach `vertical`.
    """
    if any(f < 1 or f & (f - 1) for f in (*factors, vertical, horizontal)):
        raise ConfigError(f"downsampling factors must be powers of two, not {list(factors)}, {vertical}, {horizontal}")
    owner = [index for index, factor in enumerate(factors) for _ in range(factor.bit_length() - 1)]
    wanted = vertical.bit_length() - 1
    excess = len(owner) - wanted
    if excess < 0 or horizontal > vertical:
        raise ConfigError(f"downsampling factors {list(factors)} cannot give strides ({vertical}, {horizontal})")
    kept = owner[:1] + owner[1 + excess :] if wanted else []
    strides = [(1, 1)] * len(factors)
    for position, index in enumerate(kept):
        down, across = strides[index]
        strides[index] = (down * 2, across * 2 if position < horizontal.bit_length() - 1 else across)
    return tuple(strides)


def plain_strides(factors: Sequence[int]) -> tuple[Pair, ...]:
    """The factors as they are, the same for both axes: the counterpart of `text_strides` for whole photos."""
    return tuple((factor, factor) for factor in factors)


def initialise(module: nn.Module) -> None:
    """He initialisation for layers with ReLU (He et al. 2015, section 2.2) and neutral batch norms, in place."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.01)
            nn.init.zeros_(part.bias)
