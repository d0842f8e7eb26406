"""VGG16 and VGG19 (Simonyan and Zisserman, "Very Deep Convolutional Networks...", ICLR 2015, table 1, D and E).

The classifiers are the paper's, without batch norm. The feature form has batch norm, and torchvision's layer numbers
(features.N of vgg16_bn and vgg19_bn), also in the text form, so those weights load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from signboard.backbones.stack import Conv, ConvStack, Pool, StackBackbone, StackForm, Tap

CHANNELS = (64, 128, 256, 512, 512)
VGG16 = (2, 2, 3, 3, 3)  # 3x3 convolutions in each of the five bundles
VGG19 = (2, 2, 4, 4, 4)


def _classifier_form(bundles: Sequence[int]) -> StackForm:
    layers: list[Conv | Pool] = []
    for count, channels in zip(bundles, CHANNELS, strict=True):
        layers += [Conv(channels, 3)] * count + [Pool(2, 2)]
    return StackForm(tuple(layers), grid=7, input_size=224)


def _feature_layers(bundles: Sequence[int]) -> tuple[Conv | Pool | Tap, ...]:
    """Bundles 3 to 5 give the maps at strides 4, 8, 16; the last pool the one at 32."""
    layers: list[Conv | Pool | Tap] = []
    for index, (count, channels) in enumerate(zip(bundles, CHANNELS, strict=True), start=1):
        layers += [Conv(channels, 3)] * count
        if index >= 3:
            layers.append(Tap(f"bundle{index}"))
        layers.append(Pool(2, 2))
    return (*layers, Tap("pool5"))


def vgg16(**options: Any) -> StackBackbone:
    """VGG16's thirteen convolutions in the feature form. Options as in `StackBackbone`.

    Text form: the second pool is left out, the two last ones are (2, 1).
    """
    return StackBackbone(_feature_layers(VGG16), bias=True, **options)


def vgg19(**options: Any) -> StackBackbone:
    """VGG19's sixteen convolutions in the feature form. Options as in `StackBackbone`; text form as in VGG16."""
    return StackBackbone(_feature_layers(VGG19), bias=True, **options)


def vgg16_paper(num_classes: int, **options: Any) -> ConvStack:
    """The paper's configuration D, 224x224. Options as in `ConvStack`."""
    return ConvStack(_classifier_form(VGG16), num_classes, **options)


def vgg19_paper(num_classes: int, **options: Any) -> ConvStack:
    """The paper's configuration E, 224x224. Options as in `ConvStack`."""
    return ConvStack(_classifier_form(VGG19), num_classes, **options)
