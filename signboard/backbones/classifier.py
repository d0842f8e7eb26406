"""Classifiers by name and form, the narrow ones for small pictures, and loading torchvision's weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from signboard.backbones import alexnet, googlenet, resnet, vgg, zfnet
from signboard.backbones.base import Backbone
from signboard.backbones.heads import Classifier
from signboard.errors import ConfigError, WeightsError


class PooledClassifier(Classifier):
    """A backbone in its feature form, global average pooling, one fully connected layer.

    Its backbone's weights are those of `build_backbone` with the same width, so a network trained on sign characters
    can start a detector or recogniser: `detector_backbone.load_state_dict(model.backbone.state_dict())`.
    """

    def __init__(self, backbone: Backbone, num_classes: int, *, dropout: float = 0.2, localisation: bool = False):
        super().__init__(num_classes, backbone.in_channels, input_size=64, smallest=1)
        self.backbone = backbone
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(backbone.feature_info[-1].channels, num_classes)
        self._finish(localisation)

    def hidden(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N, C, H, W) -> the average of the coarsest map, (N, channels); no auxiliary logits."""
        return self.dropout(self.avgpool(self.backbone(x)[-1]).flatten(1)), ()

    def last_layer(self) -> nn.Linear:
        """The layer that gives the logits."""
        return self.fc


def _narrow(build: Callable[..., Backbone], num_classes: int, *, width: float, in_channels: int = 3,
            localisation: bool = False) -> PooledClassifier:  # fmt: skip
    backbone = build(width=width, in_channels=in_channels)
    model = PooledClassifier(backbone, num_classes, localisation=localisation)
    resnet.zero_last_norms(model)
    return model


_CLASSIFIERS_OF_RESNET = {
    "resnet18": (resnet.RESNET18, resnet.resnet18),
    "resnet34": (resnet.RESNET34, resnet.resnet34),
    "resnet50": (resnet.RESNET50, resnet.resnet50),
    "resnet101": (resnet.RESNET101, resnet.resnet101),
    "resnet152": (resnet.RESNET152, resnet.resnet152),
}

# Every network and its forms. "torchvision" is the network that torchvision has weights of, which for VGG and for
# ResNet-18 and 34 is the paper's.
CLASSIFIERS: dict[str, dict[str, Callable[..., Classifier]]] = {
    "alexnet": {
        "paper": alexnet.alexnet_paper,
        "course": alexnet.alexnet_course,
        "torchvision": alexnet.alexnet_torchvision,
        "narrow": partial(_narrow, alexnet.alexnet),
    },
    "zfnet": {
        "paper": zfnet.zfnet_paper,
        "course": zfnet.zfnet_course,
        "narrow": partial(_narrow, zfnet.zfnet),
    },
    "vgg16": {
        "paper": vgg.vgg16_paper,
        "torchvision": vgg.vgg16_paper,
        "narrow": partial(_narrow, vgg.vgg16),
    },
    "vgg19": {
        "paper": vgg.vgg19_paper,
        "torchvision": vgg.vgg19_paper,
        "narrow": partial(_narrow, vgg.vgg19),
    },
    "googlenet": {
        "paper": googlenet.googlenet_paper,
        "torchvision": googlenet.googlenet_torchvision,
        "narrow": googlenet.NarrowGoogLeNet,
    },
    **{
        name: {
            "paper": partial(resnet.ResNetClassifier, blocks, stride_first=True),
            "torchvision": partial(resnet.ResNetClassifier, blocks),
            "narrow": partial(_narrow, build),
        }
        for name, (blocks, build) in _CLASSIFIERS_OF_RESNET.items()
    },
    # The networks of the course's degradation experiment (He et al. 2016, section 4.2), for 32x32 pictures.
    "plain20": {"paper": partial(resnet.SmallResNet, 20, residual=False)},
    "plain56": {"paper": partial(resnet.SmallResNet, 56, residual=False)},
    "resnet20": {"paper": partial(resnet.SmallResNet, 20)},
    "resnet56": {"paper": partial(resnet.SmallResNet, 56)},
}

NARROW_WIDTH = 0.25


def build_classifier(
    name: str,
    num_classes: int,
    *,
    form: str = "paper",
    in_channels: int = 3,
    width: float | None = None,
    localisation: bool = False,
    auxiliary: bool = True,
    reduction: bool = True,
    average_pool: bool = True,
) -> Classifier:
    """A classifier by name, freshly initialised, in training mode, on the current default device.

    Args:
        name: a key of `CLASSIFIERS`.
        num_classes: of the logits, at least 2.
        form: "paper"; "course" (the course text's geometry: AlexNet, ZFNet); "torchvision" (the network its weights
            belong to); "narrow" (the feature form at a fraction of its width with batch norm and global average
            pooling, for small pictures and small budgets). The small networks (resnet20, plain56, ...) have "paper".
        in_channels: of the pictures.
        width: of the narrow form only, a quarter by default; multiplies all channel counts.
        localisation: add a box beside the class, see `ClassifierOutput.box`.
        auxiliary, reduction, average_pool: GoogLeNet only: with its auxiliary heads; with the 1x1 convolutions before
            the larger ones; with average pooling before the class layer. All True in the paper.

    Raises:
        ConfigError: no such name or form (the message lists those there are), or an option that does not fit.
    """
    if name not in CLASSIFIERS:
        raise ConfigError(f"unknown architecture {name!r}; there are: {', '.join(CLASSIFIERS)}")
    forms = CLASSIFIERS[name]
    if form not in forms:
        raise ConfigError(f"{name} has no form {form!r}; there are: {', '.join(forms)}")
    if num_classes < 2:
        raise ConfigError(f"{name}: a classifier needs at least 2 classes, not {num_classes}")
    if in_channels < 1:
        raise ConfigError(f"{name}: in_channels must be at least 1, not {in_channels}")
    options: dict[str, Any] = {"in_channels": in_channels, "localisation": localisation}
    if form == "narrow":
        options["width"] = NARROW_WIDTH if width is None else width
        if not options["width"] > 0:
            raise ConfigError(f"{name}: width must be greater than 0, not {width}")
    elif width is not None:
        raise ConfigError(f"{name}: width is for form 'narrow', the form {form!r} has its own")
    inception = {"auxiliary": auxiliary, "reduction": reduction, "average_pool": average_pool}
    if name == "googlenet":
        options |= inception
    elif not all(inception.values()):
        raise ConfigError(f"{name}: auxiliary, reduction and average_pool are for googlenet")
    return forms[form](num_classes, **options)


def load_torchvision_state(model: nn.Module, name: str, state: Mapping[str, Tensor]) -> list[str]:
    """Copies torchvision's weights of `name` into a classifier, or into a backbone at width 1.

    A 3x3 filter of torchvision's GoogLeNet goes into the middle of a 5x5 one, which then computes the same. Weights of
    the class layer and of auxiliary heads are left out where the model has none or has another number of classes.
    torchvision's GoogLeNet weights expect pictures normalised to mean 0.5 and deviation 0.5, all others the usual
    ImageNet mean and deviation.

    Args:
        model: in the form "torchvision" (see `CLASSIFIERS`), or from `build_backbone` with width 1 and three channels.
        name: for messages, e.g. "resnet18".
        state: torchvision's state dict.

    Returns:
        the names of the weights that were left out.

    Raises:
        WeightsError: a weight is missing or has another shape; nothing has been copied then.
    """
    if isinstance(model, resnet.ResNetClassifier) and model.stride_first:
        raise WeightsError(
            f"{name}: torchvision's bottlenecks carry the stride on their 3x3 convolution, the paper's on the first "
            "1x1: the shapes agree but the network would read the weights wrongly; build it with form='torchvision'"
        )
    wanted = model.state_dict()
    heads = ("fc.", "classifier.", "aux1.", "aux2.")
    loaded: dict[str, Tensor] = {}
    left = []
    for key, tensor in state.items():
        target = wanted.get(key)
        if target is None:
            if not key.startswith(heads):
                raise WeightsError(f"{name}: the model has no weight {key}; build it with form='torchvision'")
            left.append(key)
            continue
        if target.shape != tensor.shape:
            if _is_class_layer(model, key):
                left.append(key)
                continue
            grown = _grow_filter(tensor, target.shape)
            if grown is None:
                raise WeightsError(
                    f"{name}: weight {key} is {tuple(tensor.shape)}, the model's is {tuple(target.shape)}; "
                    "build it with form='torchvision' and three input channels"
                )
            tensor = grown
        loaded[key] = tensor
    optional = ("box.", *(key for key in left))
    missing = [key for key in wanted if key not in loaded and not key.startswith(optional)]
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing:
        raise WeightsError(f"{name}: the weights lack {missing[0]} ({len(missing)} in all)")
    model.load_state_dict(loaded, strict=False)
    return left


def _is_class_layer(model: nn.Module, key: str) -> bool:
    """Whether `key` belongs to a layer whose size is the number of classes."""
    if not isinstance(model, Classifier):
        return False
    last = model.last_layer()
    names = {name for name, part in model.named_modules() if part is last} | {"aux1.fc2", "aux2.fc2"}
    return key.rpartition(".")[0] in names


def _grow_filter(tensor: Tensor, shape: torch.Size) -> Tensor | None:
    """A 3x3 filter bank in the middle of a 5x5 one with zeros around, or None where the shapes are no such pair."""
    if tensor.dim() != 4 or len(shape) != 4 or tensor.shape[:2] != shape[:2]:
        return None
    if tuple(tensor.shape[2:]) != (3, 3) or tuple(shape[2:]) != (5, 5):
        return None
    return nn.functional.pad(tensor, (1, 1, 1, 1))
