"""CTC: from frame-wise class scores to texts and confidences, and the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from signboard.recognition.charset import Charset


@dataclass(frozen=True, slots=True)
class Frames:
    """The two likeliest classes of each frame and their probabilities, each (N, T)."""

    best: NDArray[np.int64]
    probability: NDArray[np.float32]
    second: NDArray[np.int64]
    second_probability: NDArray[np.float32]

    @classmethod
    def of(cls, logits: Tensor) -> Frames:
        """From logits (N, T, C), on any device."""
        return cls.unpacked(best_two(logits).cpu().numpy())

    @classmethod
    def unpacked(cls, two: NDArray[np.float32]) -> Frames:
        """From what `best_two` makes, (4, N, T), on the processor."""
        best, second, p, q = two
        return cls(best.astype(np.int64), p, second.astype(np.int64), q)


def best_two(logits: Tensor) -> Tensor:
    """Logits (N, T, C) -> (4, N, T) float32: the likeliest class and the next one, and their probabilities.

    One tensor, so that one copy takes it off the device; classes are small enough to be exact in float32.
    """
    values, classes = torch.softmax(logits.float(), dim=-1).topk(2, dim=-1)
    return torch.cat([classes.float(), values], dim=-1).permute(2, 0, 1).contiguous()


def greedy_decode(frames: Frames, charset: Charset) -> list[tuple[str, float]]:
    """Best-path decoding (Graves et al. 2006, section 3.2) of a batch.

    Returns:
        (text, confidence) a row. The confidence is the product, over emitted characters, of the highest probability
        among the character's frames, and of the probability that no other character was overlooked: see `overlooked`.
        Empty text has confidence 0.
    """
    readings = []
    for classes, scores, second, q in zip(
        frames.best, frames.probability, frames.second, frames.second_probability, strict=True
    ):
        starts = np.flatnonzero(np.diff(classes, prepend=-1))
        kept = starts[classes[starts] != 0]
        if len(kept) == 0:
            readings.append(("", 0.0))
            continue
        peaks = np.maximum.reduceat(scores, starts)[classes[starts] != 0]
        text = charset.decode(classes[kept].tolist())
        readings.append((text, float(np.prod(peaks)) * (1.0 - overlooked(classes, second, q)) if text else 0.0))
    return readings


def overlooked(best: NDArray[np.int64], second: NDArray[np.int64], probability: NDArray[np.float32]) -> float:
    """The highest probability, in a frame of the blank, of a character that the path does not emit next to it.

    Args:
        best: (T,) the most probable class of each frame, 0 the blank.
        second, probability: (T,) the next one and its probability.
    """
    inked = np.flatnonzero(best)
    frames = np.flatnonzero((best == 0) & (second != 0))
    if len(inked) == 0 or len(frames) == 0:
        return 0.0
    after = np.searchsorted(inked, frames)
    before = best[inked[np.maximum(after - 1, 0)]]  # at the ends the same neighbour stands for both
    behind = best[inked[np.minimum(after, len(inked) - 1)]]
    other = (second[frames] != before) & (second[frames] != behind)
    return float(probability[frames[other]].max(initial=0.0))


def collapse(best: NDArray[np.int64]) -> list[int]:
    """The classes that a path (T,) emits: runs taken together, blanks left out."""
    kept = best[np.diff(best, prepend=-1) != 0]
    return kept[kept != 0].tolist()  # type: ignore[no-any-return]


def spaces(best: NDArray[np.int64], space: int) -> tuple[float, ...]:
    """Where a path (T,) emits spaces between other characters, as shares of the crop's width, from left to right.

    Args:
        best: the most probable class of each frame; 0 is the blank.
        space: the space's class.
    """
    inked = np.flatnonzero((best != 0) & (best != space))
    if len(inked) == 0:
        return ()
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], len(best))
    found: list[tuple[int, float]] = []  # (the last inked frame before it, its place)
    for start, end in zip(starts, ends, strict=True):
        if best[start] == space and inked[0] < start and end <= inked[-1]:
            before = int(inked[inked < start][-1])
            if not found or found[-1][0] != before:  # two spaces in a row are one
                found.append((before, 0.5 * float(start + end) / len(best)))
    return tuple(place for _, place in found)


_EMPTY = 8  # characters that an empty word counts as


def ctc_loss(logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Mean CTC loss per word, each word's divided by its length, that of an empty one by 8, about a word's length.

    Args:
        logits: (N, T, C).
        targets: all words' class indices, concatenated.
        lengths: (N,) characters of each word.
    """
    log_probabilities = F.log_softmax(logits.float(), dim=-1).transpose(0, 1)  # (T, N, C)
    frames = torch.full((logits.shape[0],), logits.shape[1], dtype=torch.long)
    losses = F.ctc_loss(log_probabilities, targets, frames, lengths, blank=0, reduction="none", zero_infinity=True)
    lengths = lengths.to(losses.device)
    return (losses / lengths.masked_fill(lengths == 0, _EMPTY)).mean()


def flat_start_loss(logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Cross-entropy at the frames where characters would stand if all were equally wide.

    CTC alone begins with a long plateau, until the network stumbles on an alignment. Letters of a word are nearly
    evenly spaced, so this rough alignment is a good teacher for the first steps (the "flat start" of speech
    recognisers: Young et al., "The HTK Book").

    Args:
        logits, targets, lengths: as for `ctc_loss`. Words with more characters than frames are left out.
    """
    frames = logits.shape[1]
    rows, columns, keep = [], [], []
    for row, length in enumerate(lengths.tolist()):
        centres = (torch.arange(length) + 0.5) * frames / max(length, 1)
        columns.append(centres.long())
        rows.append(torch.full((length,), row))
        keep.append(torch.full((length,), length <= frames))
    mask = torch.cat(keep)
    if not bool(mask.any()):
        return logits.sum() * 0.0
    picked = logits[torch.cat(rows)[mask].to(logits.device), torch.cat(columns)[mask].to(logits.device)]
    return F.cross_entropy(picked.float(), targets[mask.to(targets.device)])
