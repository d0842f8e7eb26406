"""Fitting the verifier to labelled photos: which places that a reader found and read are words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from signboard.errors import DataError
from signboard.pipeline.mending.verification import Verifier, length_terms
from signboard.reader import Reader
from signboard.training.adapters import SceneSample
from signboard.training.evaluation import read_labelled
from signboard.training.metrics import match_polygons


@dataclass(frozen=True, slots=True)
class Place:
    """A place that was read: what both networks said of it, and whether its box is that of a labelled word."""

    text: str
    confidence: float
    score: float
    word: bool


def places(reader: Reader, samples: Iterable[SceneSample]) -> list[Place]:
    """All places that `reader` finds on labelled photos, but for those in don't-care regions.

    Args:
        reader: made with `accept_all(candidates)` for its verifier: it reads as it will, and leaves nothing out.

    Raises:
        PhotoError: a photo cannot be opened.
        DataError: a photo's labels are of lines, or for another size.
    """
    found: list[Place] = []
    for sample in samples:
        if sample.level == "line":
            raise DataError(f"{sample.image}: its lines are labelled; what is a word can be learned from words alone")
        words = read_labelled(reader, sample).words
        matches = match_polygons(
            [word.polygon for word in sample.words],
            [word.ignore for word in sample.words],
            [np.array(word.polygon, np.float32) for word in words],
        )
        hits = {detection for _, detection in matches.pairs}
        found += [
            Place(words[i].text, words[i].confidence, words[i].detection_score, i in hits)
            for i in matches.care_detections
        ]
    return found


def accept_all(candidates: float) -> Verifier:
    """A verifier that keeps every place from the score `candidates` on."""
    return Verifier(candidates, bias=100.0, score=0.0, confidence=0.0, single=0.0, double=0.0)


def fit_verifier(sets: Sequence[Sequence[Place]], candidates: float, *, decay: float = 1e-5) -> Verifier:
    """The logistic model that fits best, every set counting the same.

    Args:
        sets: the places of a set of photos each; those with a score below `candidates` are left out.
        candidates: becomes the model's.
        decay: weight of the squared coefficients (not of the bias) in the loss.

    Raises:
        DataError: the sets together hold no words, or nothing but words.
    """
    rows, labels, weights = [], [], []
    for found in sets:
        kept = [place for place in found if place.score >= candidates]
        rows += [[1.0, p.score, p.confidence, *length_terms(p.text)] for p in kept]
        labels += [float(p.word) for p in kept]
        weights += [1.0 / len(kept) for _ in kept]
    if not 0 < sum(labels) < len(labels):
        raise DataError("verifier can be fitted only to photos on which both words and other places are found")
    x, y = torch.tensor(rows, dtype=torch.float64), torch.tensor(labels, dtype=torch.float64)
    weight = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    parameters = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(x @ parameters, y, weight, reduction="sum")
        value = value + decay * parameters[1:].square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    bias, score, confidence, single, double = (round(float(value), 3) for value in parameters.detach())
    return Verifier(candidates, bias, score, confidence, single, double)


__all__ = ["Place", "accept_all", "fit_verifier", "places"]
