"""CTC: from frame-wise class scores to texts and confidences, and the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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

    @classmethod
    def together(cls, some: Sequence[Frames]) -> Frames:
        """Those of several batches as one; certain blanks fill up the shorter ones."""
        if len(some) == 1:
            return some[0]
        longest = max(one.best.shape[1] for one in some)

        def filled(name: str, fill: float) -> NDArray[Any]:
            parts = [getattr(one, name) for one in some]
            whole = np.full((sum(map(len, parts)), longest), fill, parts[0].dtype)
            row = 0
            for part in parts:
                whole[row : row + len(part), : part.shape[1]] = part
                row += len(part)
            return whole

        return cls(
            filled("best", 0), filled("probability", 1.0), filled("second", 0), filled("second_probability", 0.0)
        )


def best_two(logits: Tensor) -> Tensor:
    """Logits (N, T, C) -> (4, N, T) float32: the likeliest class and the next one, and their probabilities.

    One tensor, so that one copy takes it off the device; classes are small enough to be exact in float32.
    """
    values, classes = torch.softmax(logits.float(), dim=-1).topk(2, dim=-1)
    return torch.cat([classes.float(), values], dim=-1).permute(2, 0, 1).contiguous()


@dataclass(frozen=True, slots=True)
class Paths:
    """What the best path through the frames of each of N crops says (Graves et al. 2006, section 3.2).

    Attributes:
        classes: of the characters that it emits.
        confidence: (N,) the product, over them, of the highest probability among the character's frames, and of the
            probability that no other character was overlooked (see `overlooked`); 0 where it emits none.
        evidence: (N,) logarithms, those of the highest probability among each character's frames and those of each
            frame's, all added up, over the number of characters, one counted as two; minus infinity where there are
            none.
    """

    classes: list[list[int]]
    confidence: NDArray[np.float64]
    evidence: NDArray[np.float64]

    @classmethod
    def of(cls, frames: Frames) -> Paths:
        """The paths of a batch."""
        best = frames.best
        count, length = best.shape
        if not best.size:
            return cls([[] for _ in range(count)], np.zeros(count), np.full(count, -np.inf))
        begins = np.ones(best.shape, bool)
        begins[:, 1:] = best[:, 1:] != best[:, :-1]
        starts = np.flatnonzero(begins)
        emitted = best.ravel()[starts]
        peaks = np.maximum.reduceat(frames.probability.ravel(), starts)[emitted != 0]
        row = starts[emitted != 0] // length
        emitted = emitted[emitted != 0]
        characters = np.bincount(row, minlength=count)
        log_peaks = np.bincount(row, np.log(np.maximum(peaks, _TINY, dtype=np.float64)), count)
        log_path = np.log(np.maximum(frames.probability, _TINY, dtype=np.float64)).sum(axis=1)
        written = characters > 0
        confidence = np.where(written, np.exp(log_peaks) * (1.0 - overlooked(frames)), 0.0)
        evidence = np.where(written, (log_peaks + log_path) / np.maximum(characters, 2), -np.inf)
        ends = np.cumsum(characters).tolist()
        flat = emitted.tolist()
        return cls([flat[i:j] for i, j in zip([0, *ends], ends, strict=False)], confidence, evidence)


def greedy_decode(frames: Frames, charset: Charset) -> list[tuple[str, float]]:
    """What the best paths of a batch say: (text, confidence) a row, see `Paths`; empty text has confidence 0."""
    paths = Paths.of(frames)
    texts = [charset.decode(classes) for classes in paths.classes]
    return [(text, p if text else 0.0) for text, p in zip(texts, paths.confidence.tolist(), strict=True)]


def overlooked(frames: Frames) -> NDArray[np.float64]:
    """(N,) the highest probability, in a frame of the blank, of a character that the path does not emit next to it."""
    best, second = frames.best, frames.second
    place = np.arange(best.shape[1])
    inked = best != 0
    before = np.maximum.accumulate(np.where(inked, place, -1), axis=1)
    behind = np.minimum.accumulate(np.where(inked, place, len(place))[:, ::-1], axis=1)[:, ::-1]
    # At the ends the same neighbour stands for both.
    first, last = np.where(before < 0, behind, before), np.where(behind == len(place), before, behind)
    written = inked.any(axis=1, keepdims=True)
    first, last = np.where(written, first, 0), np.where(written, last, 0)
    other = (second != np.take_along_axis(best, first, axis=1)) & (second != np.take_along_axis(best, last, axis=1))
    counts = ~inked & (second != 0) & other & written
    return np.where(counts, frames.second_probability, 0.0).max(axis=1, initial=0.0).astype(np.float64)


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


_TINY = 1e-30
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
