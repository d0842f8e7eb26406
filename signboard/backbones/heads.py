"""What every classifier promises: logits, auxiliary logits in training, a box for localisation; and their losses."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from signboard.backbones.base import initialise
from signboard.errors import ConfigError


class ClassifierOutput(NamedTuple):
    """All that a classifier says about N pictures.

    Attributes:
        logits: (N, num_classes).
        auxiliary: logits of the auxiliary heads, each (N, num_classes); empty outside training and for most networks.
        box: (N, 4) centre x, centre y, width, height of the object as fractions of the picture's sides, 0 to 1; None
            for a network without a localisation head.
    """

    logits: Tensor
    auxiliary: tuple[Tensor, ...] = ()
    box: Tensor | None = None


class Classifier(nn.Module):
    """Pictures to class logits; `outputs` gives auxiliary logits and the box too.

    Attributes:
        num_classes, in_channels: of the logits, of the pictures.
        input_size: side in pixels of the pictures the network was made for.
        smallest: side in pixels of the smallest picture it takes.
        box: the localisation head, or None. Class and box share everything up to the last hidden layer, and the box
            does not depend on the class (single-class regression: Simonyan and Zisserman 2015, appendix A.1).
    """

    box: nn.Linear | None

    def __init__(self, num_classes: int, in_channels: int, *, input_size: int, smallest: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.input_size = input_size
        self.smallest = smallest

    def _finish(self, localisation: bool) -> None:
        """Ends a subclass's `__init__`: adds the box head when asked for and initialises everything."""
        self.box = nn.Linear(self.last_layer().in_features, 4) if localisation else None
        initialise(self)

    def hidden(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N, C, H, W) -> what the last layer sees, (N, D), and the auxiliary logits."""
        raise NotImplementedError

    def last_layer(self) -> nn.Linear:
        """The layer that gives the logits."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> logits (N, num_classes), in either mode.

        Raises:
            ConfigError: the pictures are smaller than the network can take.
        """
        self._check(x)
        logits: Tensor = self.last_layer()(self.hidden(x)[0])
        return logits

    def outputs(self, x: Tensor) -> ClassifierOutput:
        """(N, in_channels, H, W) -> logits, auxiliary logits (in training mode) and box. Raises as `forward`."""
        self._check(x)
        hidden, auxiliary = self.hidden(x)
        box = None if self.box is None else torch.sigmoid(self.box(hidden))
        return ClassifierOutput(self.last_layer()(hidden), auxiliary, box)

    def _check(self, x: Tensor) -> None:
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ConfigError(f"pictures must be (N, {self.in_channels}, H, W), not {tuple(x.shape)}")
        if min(x.shape[2], x.shape[3]) < self.smallest:
            raise ConfigError(
                f"input {x.shape[2]}x{x.shape[3]} is too small for this network: "
                f"the smallest is {self.smallest}x{self.smallest}"
            )


class TrainingForm(nn.Module):
    """A classifier whose `forward` is `outputs`: what DistributedDataParallel and torch.compile are to wrap."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> ClassifierOutput:
        """(N, C, H, W) -> logits, auxiliary logits and box."""
        return self.model.outputs(x)


def classification_loss(
    output: ClassifierOutput, labels: Tensor, *, auxiliary_weight: float = 0.3, label_smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy, plus `auxiliary_weight` times that of each auxiliary head (Szegedy et al. 2015, section 5).

    Args:
        output: of N pictures.
        labels: (N,) int64, class numbers.

    Returns:
        a scalar, the mean over the pictures.
    """
    loss = functional.cross_entropy(output.logits, labels, label_smoothing=label_smoothing)
    for logits in output.auxiliary:
        loss = loss + auxiliary_weight * functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    return loss


def localisation_loss(
    output: ClassifierOutput,
    labels: Tensor,
    boxes: Tensor,
    *,
    box_weight: float = 5.0,
    auxiliary_weight: float = 0.3,
    beta: float = 0.1,
) -> Tensor:
    """`classification_loss` plus `box_weight` times the smooth L1 distance of the boxes (Girshick 2015, equation 3).

    Args:
        output: of a network with a localisation head.
        labels: (N,) int64, class numbers.
        boxes: (N, 4) centre x, centre y, width, height as fractions of the picture's sides; a row with NaN has no box
            and only its class counts.
        box_weight: how much a box counts beside a class.
        beta: where the loss turns from squared to absolute, in fractions of a side.

    Returns:
        a scalar, the mean over the pictures (boxes: over those that have one).

    Raises:
        ConfigError: the network has no localisation head.
    """
    if output.box is None:
        raise ConfigError("this network has no localisation head: build it with localisation=True")
    loss = classification_loss(output, labels, auxiliary_weight=auxiliary_weight)
    known = torch.isfinite(boxes).all(dim=1, keepdim=True)  # (N, 1)
    target = torch.where(known, boxes, output.box.detach().to(boxes.dtype))
    distance = functional.smooth_l1_loss(output.box, target, beta=beta, reduction="sum")
    return loss + box_weight * distance / (4 * known.sum().clamp(min=1))


def box_corners(box: Tensor, width: int, height: int) -> Tensor:
    """Boxes as the network gives them to corners in pixels.

    Args:
        box: (N, 4) centre x, centre y, width, height as fractions of the picture's sides.
        width, height: of the picture, pixels.

    Returns:
        (N, 4) x0, y0, x1, y1, pixels, x right and y down, clipped to the picture.
    """
    centre, size = box[:, :2], box[:, 2:]
    corners = torch.cat([centre - size / 2, centre + size / 2], dim=1).clamp(0, 1)
    return corners * corners.new_tensor([width, height, width, height])
