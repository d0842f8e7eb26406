"""What several test files of this folder count: each network is measured once."""

from __future__ import annotations

from functools import cache

import torch

from signboard.backbones.arithmetic import LayerRow, Summary, measure
from signboard.backbones.classifier import build_classifier


@cache
def measured(
    name: str, form: str = "paper", side: int = 224, classes: int = 1000, **options: bool
) -> tuple[list[LayerRow], Summary]:
    """Rows and summary of a classifier on a `side` x `side` picture."""
    with torch.device("meta"):
        model = build_classifier(name, classes, form=form, **options)
    return measure(model, (3, side, side))
