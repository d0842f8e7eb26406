"""ZFNet (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014).

Two classifier forms as data, and the feature form (batch norm for local response normalisation, centred pools).
"""

from __future__ import annotations

from typing import Any

from signboard.backbones.alexnet import LAST
from signboard.backbones.stack import Conv, ConvStack, LocalNorm, Pool, StackBackbone, StackForm, Tap

# The paper's figure 3: maps of 110, 55, 26, 13, 13, 13, 13, 6. Its 55 and 13 need pools that keep the hanging window,
# its 110 a padding of 1. Normalisation follows the pools; the constants are AlexNet's, the paper gives none.
PAPER = StackForm(
    layers=(
        Conv(96, 7, 2, 1),
        Pool(3, 2, ceil=True),
        LocalNorm(),
        Conv(256, 5, 2, 0),
        Pool(3, 2, ceil=True),
        LocalNorm(),
        Conv(384, 3),
        Conv(384, 3),
        Conv(256, 3),
        Pool(3, 2),
    ),
    grid=6,
    input_size=224,
)

# The course's geometry: AlexNet's, with a 7x7 first filter, and 512, 1024, 512 filters at the end (the variant of the
# paper's table 2). Its first map is 56x56, not the 55x55 the course prints; the pool brings both to 27x27.
COURSE = StackForm(
    layers=(
        Conv(96, 7, 4, 0),
        Pool(3, 2),
        Conv(256, 5, 1, 0),
        Pool(3, 2),
        Conv(512, 3, 1, 0),
        Conv(1024, 3, 1, 0),
        Conv(512, 3, 1, 0),
        Pool(3, 2),
    ),
    grid=2,
    input_size=227,
)

FEATURES = (
    Conv(96, 7, 2),
    Pool(3, 2),
    Tap("pool1"),
    Conv(256, 5, 2),
    Tap("conv2"),
    *LAST,
)


def zfnet(**options: Any) -> StackBackbone:
    """ZFNet's five convolutions in the feature form. Options as in `StackBackbone`.

    Text form: the first pool is left out, the two last ones are (2, 1).
    """
    return StackBackbone(FEATURES, **options)


def zfnet_paper(num_classes: int, **options: Any) -> ConvStack:
    """The paper's classifier, 224x224. Options as in `ConvStack`."""
    return ConvStack(PAPER, num_classes, **options)


def zfnet_course(num_classes: int, **options: Any) -> ConvStack:
    """The course's classifier, 227x227. Options as in `ConvStack`."""
    return ConvStack(COURSE, num_classes, **options)
