"""Fitting the reranker to labelled crops: what tells the right text of an unsure crop from what else it may say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from signboard.errors import DataError
from signboard.recognition import Recognizer
from signboard.recognition.reranking import NAMES, Candidates, Features, Reranker
from signboard.training.adapters import WordSample, load_scenes, load_words
from signboard.training.evaluation import is_word_set, read_rgb, scene_crops
from signboard.training.metrics import score_word


@dataclass(frozen=True, slots=True)
class Example:
    """What an unsure crop may say, and which of these texts are right."""

    candidates: Candidates
    right: tuple[bool, ...]


def labelled_crops(path: Path, split: str | None) -> Iterator[tuple[np.ndarray, WordSample]]:
    """The words of a set of crops, or those of a set of photos cut along their labels (`evaluation.scene_crops`).

    Raises:
        DataError: the set, or the split, is missing or damaged.
    """
    if is_word_set(path):
        return ((read_rgb(sample), sample) for sample in load_words(path, split))
    return scene_crops(load_scenes(path, split))


def examples(recognizer: Recognizer, crops: Iterable[tuple[np.ndarray, WordSample]]) -> list[Example]:
    """One of each crop that stays unsure before it is straightened; crops without letters are left out.

    Args:
        crops: ((H, W, 3) uint8 RGB, its label) each.
    """
    found = []
    for pixels, sample in crops:
        if not score_word(sample.text, "").words:
            continue
        (some,) = recognizer.candidates([pixels])
        if some is not None and some.texts:
            found.append(Example(some, tuple(bool(score_word(sample.text, text).correct) for text in some.texts)))
    return found


def fit_reranker(data: Sequence[Example], *, decay: float = 0.003) -> Reranker:
    """The log-linear model under which the right texts are likeliest, or "none of them" where none is right.

    Args:
        decay: weight of the squared coefficients in the loss, the features brought to a standard deviation of one.

    Raises:
        DataError: there is no crop among whose candidates the right text is, or none without.
    """
    if not 0 < sum(any(example.right) for example in data) < len(data):
        raise DataError("a reranker can be fitted only to unsure crops of which some hold the right text and some not")
    rows = np.concatenate([example.candidates.features for example in data])
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    most = max(len(example.right) for example in data) + 1
    # The last feature is that of the candidate "none of them", which comes behind the others.
    x = torch.zeros(len(data), most, len(NAMES) + 1, dtype=torch.float64)
    there = torch.zeros(len(data), most, dtype=torch.bool)
    right = torch.zeros(len(data), most, dtype=torch.bool)
    for i, example in enumerate(data):
        n = len(example.right)
        x[i, :n, :-1] = torch.from_numpy((example.candidates.features - mean) / scale)
        x[i, n, -1] = 1.0
        there[i, : n + 1] = True
        right[i, : n + 1] = torch.tensor([*example.right, not any(example.right)])
    weights = torch.zeros(len(NAMES) + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores = (x @ weights).masked_fill(~there, -torch.inf)
        value = (scores.logsumexp(dim=1) - scores.masked_fill(~right, -torch.inf).logsumexp(dim=1)).mean()
        value = value + decay * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    *fitted, none = weights.detach().tolist()
    per_unit = np.array(fitted) / scale
    features = Features(**{name: round(float(value), 4) for name, value in zip(NAMES, per_unit, strict=True)})
    return Reranker(features, round(none + float(per_unit @ mean), 4))


__all__ = ["Example", "examples", "fit_reranker", "labelled_crops"]
