"""The course's architectures as backbones and as classifiers, and the arithmetic of their layers."""

from __future__ import annotations

from collections.abc import Callable

from signboard.backbones import alexnet, googlenet, resnet, vgg, zfnet
from signboard.backbones.base import Backbone, FeatureInfo, text_strides
from signboard.errors import ConfigError

BACKBONES: dict[str, Callable[..., Backbone]] = {
    "alexnet": alexnet.alexnet,
    "zfnet": zfnet.zfnet,
    "vgg16": vgg.vgg16,
    "vgg19": vgg.vgg19,
    "googlenet": googlenet.googlenet,
    "resnet18": resnet.resnet18,
    "resnet34": resnet.resnet34,
    "resnet50": resnet.resnet50,
    "resnet101": resnet.resnet101,
    "resnet152": resnet.resnet152,
}


def build_backbone(name: str, *, width: float = 1.0, in_channels: int = 3, text: bool = False) -> Backbone:
    """A backbone by name, freshly initialised, in training mode, on the current default device.

    Args:
        name: a key of `BACKBONES`.
        width: multiplies all channel counts; each is rounded to a multiple of 8 and is at least 8.
        in_channels: channels of the pictures.
        text: False for whole photos: maps at strides 4, 8, 16, 32. True for word crops: total stride 16 down and 4
            across, the coarsest map last.

    Raises:
        ConfigError: no such name, or a width or channel count that is not positive.
    """
    if name not in BACKBONES:
        raise ConfigError(f"unknown backbone {name!r}; there are: {', '.join(BACKBONES)}")
    if not width > 0:
        raise ConfigError(f"backbone {name}: width must be greater than 0, not {width}")
    if in_channels < 1:
        raise ConfigError(f"backbone {name}: in_channels must be at least 1, not {in_channels}")
    return BACKBONES[name](width=width, in_channels=in_channels, text=text)


__all__ = ["BACKBONES", "Backbone", "FeatureInfo", "build_backbone", "text_strides"]
