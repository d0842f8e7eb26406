"""Muon: steps of orthogonalised momentum for convolutions and matrices, AdamW for everything else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


def orthogonalised(matrix: Tensor, steps: int = 5, dtype: torch.dtype | None = None) -> Tensor:
    """The nearest semi-orthogonal matrix to `matrix` (M, N), roughly: singular values come to between 0.7 and 1.2.

    A Newton-Schulz iteration with the coefficients of Jordan et al. 2024, "Muon: an optimizer for hidden layers".

    Args:
        dtype: what the iteration is computed in, the matrix's own by default; bfloat16 is enough for a step.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = (x / (x.norm() + 1e-7)).to(dtype or matrix.dtype)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Muon for the weights that `groups` names so, AdamW for the others, at one learning rate.

    A matrix's step is scaled to the size that AdamW's steps have (Liu et al. 2025, "Muon is scalable for LLM training",
    section 2.2), so that both kinds share learning rate and weight decay.

    Args:
        groups: as from `parameter_groups`; a group with "muon" true holds convolutions and matrices.
        lr: learning rate.
        momentum: of the orthogonalised steps.
        betas, eps: AdamW's.
        dtype: what steps are orthogonalised in, the weights' own by default.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.dtype = dtype
        super().__init__(
            groups, {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "weight_decay": 0.0, "muon": False}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of every parameter that has a gradient; `closure` is not supported."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                weight.mul_(1.0 - group["lr"] * group["weight_decay"])
                (self._matrix if group["muon"] else self._vector)(weight, group)

    def _matrix(self, weight: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        running = state["momentum"].lerp_(weight.grad, 1.0 - group["momentum"])
        ahead = torch.lerp(weight.grad, running, group["momentum"])  # type: ignore[arg-type]  # Nesterov's
        flat = ahead.reshape(ahead.shape[0], -1)
        scale = 0.2 * math.sqrt(max(flat.shape))
        weight.add_(orthogonalised(flat, dtype=self.dtype).view(weight.shape), alpha=-group["lr"] * scale)

    def _vector(self, weight: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = 0
            state["mean"], state["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
        state["step"] += 1
        first, second = group["betas"]
        gradient = weight.grad
        assert gradient is not None
        mean, square = state["mean"].lerp_(gradient, 1 - first), state["square"].lerp_(gradient * gradient, 1 - second)
        size = (square / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
        weight.addcdiv_(mean, size, value=-group["lr"] / (1 - first ** state["step"]))


def parameter_groups(model: nn.Module, weight_decay: float, *, muon: bool) -> list[dict[str, Any]]:
    """The trained parameters of `model`: those of convolutions and matrices decay; biases, norms, other vectors do not.

    With `muon`, matrices of at least 16 x 16 are marked for it.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim > 1]
    large = [p for p in matrices if muon and min(p.shape[0], p[0].numel()) >= 16]
    chosen = {id(p) for p in large}
    groups = [
        {"params": [p for p in matrices if id(p) not in chosen], "weight_decay": weight_decay, "muon": False},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0, "muon": False},
    ]
    return [{"params": large, "weight_decay": weight_decay, "muon": True}, *groups] if muon else groups
