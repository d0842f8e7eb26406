"""The detector's loss: cross-entropy with hard-example mining, overlap of the binarised map, the border map."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# No word's pixels count less or more than this many times.
_LEAST, _MOST = 0.2, 10.0


def pixel_weights(raw: Tensor, kernel: Tensor, mask: Tensor) -> Tensor:
    """How much each pixel counts, (N, H, W): 1 away from words; on words and around them what `Targets.weight` says.

    Args:
        raw: `maps.Targets.weight`, 0 away from words.
        kernel, mask: the kernels and where they are learned. Their pixels count 1 on average over the batch, so that
            words together weigh as much against the rest of the picture as without weights.
    """
    learned = kernel * mask
    scale = learned.sum() / (raw * learned).sum().clamp(min=1e-6)
    return torch.where(raw > 0, (raw * scale).clamp(_LEAST, _MOST), 1.0)


def balanced_cross_entropy(
    logits: Tensor, target: Tensor, mask: Tensor, weight: Tensor | None = None, *, negatives: float = 3.0
) -> Tensor:
    """Binary cross-entropy over all positive pixels and the hardest negatives.

    Args:
        logits, target, mask: (N, H, W); only pixels with mask 1 count.
        weight: (N, H, W), how much each pixel counts; None: all the same.
        negatives: at most so many negative pixels for each positive one, over the whole batch (at least 1000).

    Source: online hard example mining as in the DB paper, section 3.5.
    """
    loss = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="none")
    positive = target * mask
    negative = (1.0 - target) * mask
    positives = positive.sum()
    found, others = torch.stack([positives, negative.sum()]).tolist()  # one wait for the device, not two
    keep = int(min(others, max(found * negatives, 1000.0)))
    hard = torch.topk((loss * negative).flatten(), keep).values.sum() if keep > 0 else loss.sum() * 0.0
    return ((loss * positive).sum() + hard) / (positives + keep + 1e-6)


def dice_loss(probability: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """1 - Dice overlap of `probability` and `target`, (N, H, W), pixels counting as `mask` says (Milletari 2016)."""
    overlap = (probability * target * mask).sum()
    union = (probability * mask).sum() + (target * mask).sum()
    return 1.0 - 2.0 * overlap / (union + 1e-6)


def detection_loss(
    probability: Tensor,
    threshold: Tensor,
    kernel: Tensor,
    kernel_mask: Tensor,
    border: Tensor,
    border_mask: Tensor,
    weight: Tensor,
    *,
    amplification: float = 50.0,
    border_weight: float = 5.0,
) -> dict[str, Tensor]:
    """The three losses of the DB paper (equation 6) and their weighted sum.

    Args:
        probability, threshold: logits (N, H, W) from the network.
        kernel, kernel_mask, border, border_mask, weight: the target maps (N, H, W) of `maps.make_targets`.
        amplification: k of the paper's differentiable binarisation.
        border_weight: beta of the paper, for maps scaled to 0..1.

    Returns:
        {"loss", "kernel", "binary", "border"}, scalars.
    """
    probability, threshold = probability.float(), threshold.float()
    weight = pixel_weights(weight, kernel, kernel_mask)
    cross_entropy = balanced_cross_entropy(probability, kernel, kernel_mask, weight)
    p, t = torch.sigmoid(probability), torch.sigmoid(threshold)
    binary = torch.sigmoid(amplification * (p - t))
    counted = kernel_mask * weight
    dice = dice_loss(binary, kernel, counted) + dice_loss(p, kernel, counted)
    near = border_mask * weight
    distance = ((t - border).abs() * near).sum() / (near.sum() + 1e-6)
    return {
        "loss": 2.0 * cross_entropy + dice + border_weight * distance,
        "kernel": cross_entropy.detach(),
        "binary": dice.detach(),
        "border": distance.detach(),
    }
