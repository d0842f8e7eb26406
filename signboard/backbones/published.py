"""ImageNet errors that were published for the course's architectures, each with its source.

All are of one network (no ensemble) on the ILSVRC-2012 validation set, but papers test differently: one crop, ten
crops, or the whole picture densely. Compare within a source, with care across them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """Errors in per cent on ILSVRC-2012 validation; None where the source gives no figure.

    Attributes:
        top1, top5: share of pictures whose class is not the first guess, not among the first five.
        crops: how the pictures were looked at.
        source: paper and table.
    """

    top1: float | None
    top5: float | None
    crops: str
    source: str


_RESNET = "He et al., CVPR 2016"

PUBLISHED: dict[str, Published] = {
    "alexnet": Published(40.7, 18.2, "10 crops", "Krizhevsky et al., NeurIPS 2012, table 2 (1 CNN)"),
    "zfnet": Published(38.4, 16.5, "10 crops", "Zeiler and Fergus, ECCV 2014, table 2 (1 convnet as per fig. 3)"),
    "vgg16": Published(25.6, 8.1, "dense, 1 scale", "Simonyan and Zisserman, ICLR 2015, table 3 (D)"),
    "vgg19": Published(25.5, 8.0, "dense, 1 scale", "Simonyan and Zisserman, ICLR 2015, table 3 (E)"),
    "googlenet": Published(None, 10.07, "1 crop", "Szegedy et al., CVPR 2015, table 3 (1 model, 1 crop)"),
    "resnet18": Published(27.88, None, "10 crops", f"{_RESNET}, table 2 (option A shortcuts)"),
    "resnet34": Published(24.52, 7.46, "10 crops", f"{_RESNET}, table 3 (option B shortcuts)"),
    "resnet50": Published(22.85, 6.71, "10 crops", f"{_RESNET}, table 3"),
    "resnet101": Published(21.75, 6.05, "10 crops", f"{_RESNET}, table 3"),
    "resnet152": Published(21.43, 5.71, "10 crops", f"{_RESNET}, table 3"),
}
