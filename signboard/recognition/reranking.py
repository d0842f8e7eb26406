"""Which of the readings of an unsure crop to believe: all that its looks say of each text, weighed together.

A look is the crop as it is, with a border, in its tall form, or straightened along a course that text may take across
it. The texts that the looks and the search give are candidates. Each look also tells how well it fits every candidate,
its own reading or not: a look that misses one letter still speaks for the right word. A log-linear model (Och and Ney
2002, "Discriminative training and maximum entropy models for statistical machine translation") weighs this; one more
candidate, that none of them is right, makes the weights a probability.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from signboard.recognition.charset import Charset, letters_of
from signboard.recognition.language import LanguageModel
from signboard.weights import numbers_of

_LEAST = 1e-7  # no character of a frame is less probable
_WORST = -60.0  # nor the logarithm of a whole text's probability lower
_BEST_LOOKS = 3
# The score of another text must exceed that of what the crop was read as by this much.
_BY = 0.3
FURTHER = 4  # further readings of the search, of each look, that are candidates


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One way of looking at a crop.

    Attributes:
        frames: (T, C) probability of each class, the blank first.
        text, confidence: what is read.
        further: (text, confidence) of other readings of the search, the likeliest first.
        straightened: whether the crop was straightened along a course for it.
    """

    frames: NDArray[np.float32]
    text: str
    confidence: float
    further: tuple[tuple[str, float], ...] = ()
    straightened: bool = False


@dataclass(frozen=True, slots=True)
class Features:
    """What the looks say of a text, or, as the model, what each of it weighs.

    Attributes:
        best: the highest confidence with which a look reads it.
        agreeing: the squares of the confidences of all further looks that read it.
        as_cut: the highest confidence with which a look that is not straightened reads it.
        fit: log probability a character, mean of the three looks that it fits best.
        fit_as_cut: the same, of the look that is not straightened that it fits best.
        length: characters, in tens.
        longer: characters more than what the vote of the readings says, in fives.
        single: 1 for a single character.
        spelling: log probability of a character by the language model.
    """

    best: float
    agreeing: float
    as_cut: float
    fit: float
    fit_as_cut: float
    length: float
    longer: float
    single: float
    spelling: float


NAMES = tuple(field.name for field in fields(Features))


@dataclass(frozen=True, slots=True)
class Candidates:
    """The texts that a crop may say, each once but for case and signs, and their features (N, len(NAMES)).

    Attributes:
        own: which of them is what the crop was read as; None: that had no letters.
    """

    texts: tuple[str, ...]
    features: NDArray[np.float64]
    own: int | None = None


def candidates(before: str, looks: Sequence[Look], charset: Charset, language: LanguageModel) -> Candidates:
    """What a crop that was read as `before` may say, by several looks at it; texts without letters are left out."""
    confidences: dict[str, float] = {before: 0.0}  # of each spelling
    for look in looks:
        for text, confidence in ((look.text, look.confidence), *look.further):
            confidences[text] = max(confidences.get(text, 0.0), confidence)
    spellings = [text for text in confidences if letters_of(text) and not charset.missing(text)]
    if not spellings:
        return Candidates((), np.zeros((0, len(NAMES))))
    groups: dict[str, list[int]] = defaultdict(list)
    for i, text in enumerate(spellings):
        groups[letters_of(text)].append(i)
    fits = np.stack([log_probabilities(look.frames, spellings, charset) for look in looks])
    as_cut = [k for k, look in enumerate(looks) if not look.straightened]
    read = [(letters_of(look.text), look.confidence) for look in looks]
    own = len(letters_of(before))
    texts, rows = [], []
    for letters, members in groups.items():
        length = len(letters)
        fit = fits[:, members].max(axis=1) / length
        seen = sorted((confidence for text, confidence in read if text == letters), reverse=True)
        features = Features(
            best=max(seen, default=0.0),
            agreeing=sum(confidence**2 for confidence in seen[1:]),
            as_cut=max((read[k][1] for k in as_cut if read[k][0] == letters), default=0.0),
            fit=float(np.sort(fit)[-_BEST_LOOKS:].mean()),
            fit_as_cut=float(fit[as_cut].max(initial=_WORST / length)),
            length=length / 10,
            longer=(length - own) / 5,
            single=float(length == 1),
            spelling=max(language.spelling(spellings[i]) for i in members),
        )
        texts.append(max((spellings[i] for i in members), key=lambda text: confidences[text]))
        rows.append([getattr(features, name) for name in NAMES])
    own_letters = letters_of(before)
    return Candidates(tuple(texts), np.array(rows), list(groups).index(own_letters) if own_letters in groups else None)


def log_probabilities(frames: NDArray[np.float32], texts: Sequence[str], charset: Charset) -> NDArray[np.float64]:
    """(N,) log probabilities of texts by CTC, over all alignments with `frames` (T, C); none is below -60."""
    encoded = [charset.encode(text) for text in texts]
    lengths = torch.tensor([len(classes) for classes in encoded])
    log_p = torch.from_numpy(np.log(np.maximum(frames, _LEAST)))[:, None].expand(-1, len(texts), -1)
    steps = torch.full((len(texts),), len(frames))
    classes = torch.tensor([c for some in encoded for c in some])
    found = -F.ctc_loss(log_p.contiguous(), classes, steps, lengths, reduction="none").numpy()
    return np.maximum(found.astype(np.float64), _WORST)


@dataclass(frozen=True, slots=True)
class Reranker:
    """The log-linear model.

    Attributes:
        weights: of the features.
        none: the score of "none of them", where a candidate's is the sum of its weighted features.
    """

    weights: Features
    none: float

    def best(self, found: Candidates) -> tuple[int | None, float]:
        """The likeliest candidate, or `found.own` where it is not much less likely, and its probability, 0 to 1.

        None and 0 where there is no candidate.
        """
        if not found.texts:
            return None, 0.0
        scores = found.features @ np.array([getattr(self.weights, name) for name in NAMES])
        chosen = int(scores.argmax())
        if found.own is not None and scores[chosen] <= scores[found.own] + _BY:
            chosen = found.own
        most = max(float(scores.max()), self.none)
        total = float(np.exp(scores - most).sum()) + math.exp(self.none - most)
        return chosen, math.exp(float(scores[chosen]) - most) / total

    def to_card(self) -> dict[str, float]:
        """The section of a recogniser's card."""
        return {**asdict(self.weights), "none": self.none}


def from_card(card: dict[str, Any]) -> Reranker | None:
    """The recogniser's `reranker`, if its card has one.

    Raises:
        WeightsError: the section is damaged or not complete.
    """
    table = card.get("reranker")
    if not table:
        return None
    numbers = numbers_of(table, (*NAMES, "none"), "the recogniser's card: reranker")
    none = numbers.pop("none")
    return Reranker(Features(**numbers), none)


__all__ = ["NAMES", "Candidates", "Features", "Look", "Reranker", "candidates", "from_card", "log_probabilities"]
