"""What is looked into: a classifier, a backbone, the detector or the recogniser, and how each takes a picture."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from signboard.backbones import BACKBONES, build_backbone
from signboard.backbones.classifier import CLASSIFIERS, build_classifier
from signboard.backbones.heads import Classifier
from signboard.detection import Detector
from signboard.detection.detector import MEAN, STD, network_size
from signboard.errors import ConfigError, WeightsError
from signboard.explain.hooks import map_layers, parameters_device
from signboard.geometry import ImageArray
from signboard.recognition import Recognizer
from signboard.recognition.recognizer import crop_width
from signboard.weights import load_card, load_state

# The detector's own longer side (1536) makes hundreds of forwards slow on a processor; this is enough to see by.
DETECTOR_SIDE = 640
DETECTOR_MULTIPLE = 32


@dataclass(frozen=True, eq=False)
class Subject:
    """A network with all that is needed to show it a photo.

    Attributes:
        name: what it is called in files and pictures.
        network: the module that is looked into.
        kind: "classifier", "backbone", "detector" or "recognizer".
        size: (height, width) of its pictures; the detector heeds only the longer side, the recogniser the height.
        mean, std: of the colours, 0 to 1, that its pictures are normalised by.
        channels: of its pictures, 3 or 1.
        classes: names of a classifier's classes, where they are known.
        trained: False for an architecture with random weights.
        detector, recognizer: the tool around the network, for those two kinds.
    """

    name: str
    network: nn.Module
    kind: str
    size: tuple[int, int]
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    channels: int = 3
    classes: tuple[str, ...] = ()
    trained: bool = False
    detector: Detector | None = None
    recognizer: Recognizer | None = field(default=None, repr=False)

    def picture(self, pixels: ImageArray) -> ImageArray:
        """A photo (H, W, 3) uint8 RGB -> the picture (h, w, 3) uint8 that the network is shown."""
        height, width = pixels.shape[:2]
        if self.kind == "detector":
            size = network_size(height, width, side=max(self.size), multiple=DETECTOR_MULTIPLE)
        elif self.kind == "recognizer":
            limit = self.recognizer.max_width if self.recognizer is not None else 512
            size = (self.size[0], crop_width(height, width, self.size[0], limit))
        else:
            size = self.size
        if size == (height, width):
            return pixels
        shrinking = size[0] * size[1] < height * width
        method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        return cv2.resize(pixels, (size[1], size[0]), interpolation=method).astype(np.uint8, copy=False)

    def tensor(self, pictures: ImageArray) -> Tensor:
        """Pictures (N, h, w, 3) uint8 -> what the network takes, (N, channels, h, w) float32 on its device."""
        x = torch.from_numpy(np.ascontiguousarray(pictures)).to(parameters_device(self.network))
        x = x.permute(0, 3, 1, 2).float() / 255
        x = (x - x.new_tensor(self.mean).view(1, 3, 1, 1)) / x.new_tensor(self.std).view(1, 3, 1, 1)
        return x.mean(dim=1, keepdim=True) if self.channels == 1 else x

    def input_shape(self, picture: ImageArray) -> tuple[int, int, int]:
        """(channels, height, width) of `picture` (h, w, 3) for the layer arithmetic."""
        return (self.channels, picture.shape[0], picture.shape[1])

    def check(self, picture: ImageArray) -> None:
        """Runs the network on a picture of this size without numbers.

        Raises:
            ConfigError: the picture is smaller than the network can take; the message names the smallest.
        """
        map_layers(self.network, self.input_shape(picture))


def load_subject(
    model: str,
    *,
    card: str | Path | None = None,
    form: str | None = None,
    classes: int = 1000,
    size: tuple[int, int] | None = None,
    device: str = "cpu",
    seed: int = 0,
) -> Subject:
    """The network that a person names.

    Args:
        model: "detector", "recognizer", or an architecture. An architecture has random weights, unless `card` is that
            of a classifier: `{"kind": "classifier", "config": {arguments of build_classifier}, "classes": [names]}`.
        card: of trained weights; the shipped ones by default.
        form: of an architecture: a form of `build_classifier`, or "features" or "text" for the backbones of the two
            stages. The paper's by default.
        classes: of an architecture with random weights.
        size: (height, width) of the pictures in pixels, the network's own by default.
        device: where it runs.
        seed: of random weights.

    Raises:
        ConfigError: no such model or form, or a size that it cannot take.
        WeightsError: card or weights missing or damaged.
    """
    torch_device = _device(device)
    if model in ("detector", "recognizer") and form is not None:
        raise ConfigError(f"--form is for architectures, the {model}'s stands on its card")
    if model == "detector":
        return _detector(card, size, torch_device)
    if model == "recognizer":
        return _recognizer(card, size, torch_device)
    if model not in CLASSIFIERS and model not in BACKBONES:
        raise ConfigError(f"unknown model {model!r}; there are: detector, recognizer, {', '.join(CLASSIFIERS)}")
    if card is not None:
        return _trained_classifier(model, card, size, torch_device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if form in ("features", "text"):
            network: nn.Module = build_backbone(model, text=form == "text")
            own = (32, 128) if form == "text" else (224, 224)
            return _sized(Subject(f"{model} {form}", network.to(torch_device), "backbone", size or own))
        network = build_classifier(model, classes, form=form or "paper")
    name = model if form in (None, "paper") else f"{model} {form}"
    return classifier_subject(name, network.to(torch_device), size=size)


def classifier_subject(
    name: str,
    network: Classifier,
    *,
    size: tuple[int, int] | None = None,
    classes: Sequence[str] = (),
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    trained: bool = False,
) -> Subject:
    """Any classifier of this package as a `Subject`.

    Raises:
        ConfigError: `size` is smaller than the network can take.
    """
    subject = Subject(
        name,
        network,
        "classifier",
        size or (network.input_size, network.input_size),
        mean=tuple(mean),
        std=tuple(std),
        channels=network.in_channels,
        classes=tuple(classes),
        trained=trained,
    )
    return _sized(subject)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise ConfigError(f"device {name!r}: there is no CUDA device here; use cpu")
    except RuntimeError:
        raise ConfigError(f"unknown device {name!r}: use cpu or cuda") from None
    return device


def _sized(subject: Subject) -> Subject:
    """Checks the picture's size before anything else does."""
    subject.check(np.zeros((*subject.size, 3), np.uint8))
    return subject


def _detector(card: str | Path | None, size: tuple[int, int] | None, device: torch.device) -> Subject:
    detector = Detector.load(card, device=device)
    side = max(size) if size is not None else min(DETECTOR_SIDE, detector.side)
    if size is not None and min(size) < DETECTOR_MULTIPLE:
        raise ConfigError(
            f"input {size[0]}x{size[1]} is too small for this network: "
            f"the smallest is {DETECTOR_MULTIPLE}x{DETECTOR_MULTIPLE}"
        )
    return Subject("detector", detector.network, "detector", (side, side), trained=True, detector=detector)


def _recognizer(card: str | Path | None, size: tuple[int, int] | None, device: torch.device) -> Subject:
    if size is not None:
        raise ConfigError("the recogniser has its own height; leave out the size")
    tool = Recognizer.load(card, device=device)
    half = (0.5, 0.5, 0.5)
    return Subject(
        "recognizer",
        tool.network,
        "recognizer",
        (tool.height, 4 * tool.height),
        mean=half,
        std=half,
        trained=True,
        recognizer=tool,
    )


def _trained_classifier(model: str, card: str | Path, size: tuple[int, int] | None, device: torch.device) -> Subject:
    content = load_card(card, "classifier")
    config: dict[str, Any] = copy.deepcopy(content.get("config", {}))
    name = config.pop("name", model)
    if name != model:
        raise WeightsError(f"{card}: is the card of {name}, not of {model}")
    try:
        network = build_classifier(name, config.pop("num_classes"), **config)
        network.load_state_dict(load_state(card, content))
    except (KeyError, TypeError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise WeightsError(f"{card}: the weights do not fit the card's architecture ({first})") from None
    return classifier_subject(
        name,
        network.to(device),
        size=size,
        classes=content.get("classes", ()),
        mean=content.get("mean", MEAN),
        std=content.get("std", STD),
        trained=True,
    )
