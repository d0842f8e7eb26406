"""What both forms of the search begin and end with: the frames as steps, the nature of characters, the readings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Integers = NDArray[np.int64]

# Of one step of a crop: whether a blank alone came before, the blank's probability, and (class, probability) of the
# likelier characters, the likeliest first.
Frame = tuple[bool, float, list[tuple[int, float]]]

TRIED = 12  # characters that are tried in a frame, the likeliest
TINY = 1e-300
_LEAST_BLANK = 1e-12  # the blank's probability is never less


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reading that the search ends with.

    Attributes:
        classes: of its characters, in the network's order.
        seen: its probability by the network alone, over all alignments.
        share: 0 to 1, its part of the scores of all candidates, readings that differ in case alone taken together.
        confidence: 0 to 1: `share`, times what the network gives each character (the geometric mean of `seen`), to the
            power of `SearchOptions.doubt`. Letters that were hardly seen give none, however well they make a word.
    """

    classes: tuple[int, ...]
    seen: float
    share: float
    confidence: float


class Steps:
    """The frames of crops, arranged for the search: (steps, crops) of each value, the crops with most steps first.

    Frames that hold nothing but the blank are no steps: all that they do is end the last letter. Nor are further frames
    of a letter that is clear.

    Attributes:
        order: which crop each column is.
        active: how many crops have each step.
        classes, probability: (steps, crops, K) of the likelier characters, the likeliest first; 0 where there are less.
        blank: the blank's probability.
        ended: whether a blank alone came before.
        log_left_out: (crops,) log probability of the frames that are no steps.
    """

    def __init__(self, probabilities: Sequence[NDArray[np.float32]], least: float, clear: float) -> None:
        lengths = np.array([len(p) for p in probabilities], np.int64)
        rows = np.concatenate([np.asarray(p, np.float32) for p in probabilities])
        crop = np.repeat(np.arange(len(lengths)), lengths)
        tried = min(TRIED, rows.shape[1] - 1)
        probability, classes = np.zeros((len(rows), tried)), np.ones((len(rows), tried), np.int64)
        inked = np.flatnonzero(rows[:, 1:].max(axis=1) >= least)  # most frames are not
        top, which = torch.from_numpy(rows[inked, 1:]).topk(tried, dim=1)
        probability[inked], classes[inked] = top.numpy(), which.numpy() + 1
        probability[probability < least] = 0.0
        blank = np.maximum(rows[:, 0].astype(np.float64), _LEAST_BLANK)
        sure = probability[:, 0] >= clear
        blank[sure] = _LEAST_BLANK
        probability[sure, 1:] = 0.0
        empty = probability[:, 0] == 0.0
        follows = np.concatenate([[False], crop[1:] == crop[:-1]])[: len(crop)]
        before = np.arange(len(crop)) - 1
        goes_on = follows & sure & sure[before] & (classes[:, 0] == classes[before, 0])
        first_empty = empty & ~(follows & empty[before])
        left_out = np.where(
            goes_on, np.log(np.maximum(probability[:, 0], TINY)), np.where(first_empty, np.log(blank), 0)
        )
        kept = np.flatnonzero(~empty & ~goes_on)
        counts = np.bincount(crop[kept], minlength=len(lengths))
        self.order = np.argsort(-counts, kind="stable")
        column = np.argsort(self.order)[crop[kept]]
        step = np.arange(len(kept)) - (np.cumsum(counts) - counts)[crop[kept]]
        shape = (int(counts.max(initial=0)), len(lengths))
        self.active = (counts[self.order][None] > np.arange(shape[0])[:, None]).sum(axis=1)
        self.classes = np.zeros((*shape, classes.shape[1]), np.int64)
        self.probability = np.zeros(self.classes.shape)
        self.blank, self.ended = np.zeros(shape), np.zeros(shape, bool)
        self.classes[step, column], self.probability[step, column] = classes[kept], probability[kept]
        self.blank[step, column], self.ended[step, column] = blank[kept], (follows & empty[before])[kept]
        self.log_left_out = np.bincount(crop, left_out, len(lengths))[self.order]

    def of(self, column: int) -> list[Frame]:
        """The steps of one crop."""
        classes, probability = self.classes[:, column].tolist(), self.probability[:, column].tolist()
        blank, ended = self.blank[:, column].tolist(), self.ended[:, column].tolist()
        return [
            (ended[t], blank[t], [(c, p) for c, p in zip(classes[t], probability[t], strict=True) if p > 0.0])
            for t in range(int((self.active > column).sum()))
        ]


# What kinds (see `kind_of`) differ by from a letter to a digit of the same script, or back.
LETTER_AND_DIGIT = frozenset({1 ^ 4, 2 ^ 8})


def log_of(probability: float) -> float:
    return math.log(max(probability, 1e-30))


def kind_of(character: str) -> int:
    """One bit for Latin letters, Devanagari, digits 0-9 and Devanagari digits; 0 for others."""
    if character.isdecimal():
        return 4 if character < "\u0900" else 8
    if "\u0900" <= character <= "\u097f":
        return 2
    return 1 if character.isalpha() else 0
