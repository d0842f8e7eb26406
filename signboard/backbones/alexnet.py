"""AlexNet (Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012).

Three classifier forms as data, and the feature form. In the feature form the two towers' groups are dropped (they
were there to fit two GPUs), batch norm replaces local response normalisation (see `StackBackbone`), the first
convolution is padded, and pools are centred, so that maps line up at strides 4, 8, 16, 32.
"""

from __future__ import annotations

from typing import Any

from signboard.backbones.stack import Conv, ConvStack, LocalNorm, Pool, StackBackbone, StackForm, Tap

# One tower of two groups, as in the paper's figure 2; groups stand for the halves on two GPUs that do not see each
# other. The paper says 224, but its 55x55 first map takes 227 without padding.
PAPER = StackForm(
    layers=(
        Conv(96, 11, 4, 0),
        LocalNorm(),
        Pool(3, 2),
        Conv(256, 5, 1, 2, groups=2),
        LocalNorm(),
        Pool(3, 2),
        Conv(384, 3),
        Conv(384, 3, groups=2),
        Conv(256, 3, groups=2),
        Pool(3, 2),
    ),
    grid=6,
    input_size=227,
)

# The course's geometry: no padding anywhere, no groups, no normalisation. Its text prints pool strides of 4 and 3,
# but its output sizes (27, 11) come from 2 and 2, which stand here.
COURSE = StackForm(
    layers=(
        Conv(96, 11, 4, 0),
        Pool(3, 2),
        Conv(256, 5, 1, 0),
        Pool(3, 2),
        Conv(384, 3, 1, 0),
        Conv(384, 3, 1, 0),
        Conv(256, 3, 1, 0),
        Pool(3, 2),
    ),
    grid=2,
    input_size=227,
)

# "One weird trick for parallelizing convolutional neural networks" (Krizhevsky 2014), which torchvision has weights of.
TORCHVISION = StackForm(
    layers=(
        Conv(64, 11, 4, 2),
        Pool(3, 2),
        Conv(192, 5, 1, 2),
        Pool(3, 2),
        Conv(384, 3),
        Conv(256, 3),
        Conv(256, 3),
        Pool(3, 2),
    ),
    grid=6,
    input_size=224,
    dropout_first=True,
)

#: What follows the second convolution in the feature form, ZFNet's too.
LAST = (
    Pool(3, 2),
    Conv(384, 3),
    Conv(384, 3),
    Conv(256, 3),
    Tap("conv5"),
    Pool(3, 2),
    Tap("pool5"),
)
FEATURES = (
    Conv(96, 11, 4),
    Tap("conv1"),
    Pool(3, 2),
    Conv(256, 5),
    Tap("conv2"),
    *LAST,
)


def alexnet(**options: Any) -> StackBackbone:
    """AlexNet's five convolutions in the feature form. Options as in `StackBackbone`.

    Text form: the first convolution has stride (2, 2) instead of 4, the pools (2, 2), (2, 1), (2, 1).
    """
    return StackBackbone(FEATURES, **options)


def alexnet_paper(num_classes: int, **options: Any) -> ConvStack:
    """The paper's classifier, 227x227. Options as in `ConvStack`."""
    return ConvStack(PAPER, num_classes, **options)


def alexnet_course(num_classes: int, **options: Any) -> ConvStack:
    """The course's classifier, 227x227. Options as in `ConvStack`."""
    return ConvStack(COURSE, num_classes, **options)


def alexnet_torchvision(num_classes: int, **options: Any) -> ConvStack:
    """torchvision's classifier, 224x224. Options as in `ConvStack`."""
    return ConvStack(TORCHVISION, num_classes, **options)
