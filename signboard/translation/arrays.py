"""Layers of small networks on NumPy arrays, or on torch tensors where a GPU does the work: one code for both.

A network here is its weights by name, as safetensors holds them. NumPy alone starts in a tenth of the time of torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from signboard.errors import WeightsError
from signboard.weights import load_card, sha256

Array = Any
Weights = dict[str, Array]
Network = TypeVar("Network")


def load(path: Path, kind: str, build: Callable[[Weights, dict[str, Any]], Network], device: str = "cpu") -> Network:
    """What `build` makes of the weights that a card of this kind names, and of the card.

    The weights are float32, NumPy arrays for "cpu", else torch tensors.

    Raises:
        WeightsError: card or weights are missing or damaged, or do not fit each other.
    """
    from safetensors.numpy import load_file

    card = load_card(path, kind)
    file = path.with_name(str(card.get("file", "")))
    if not file.is_file() or sha256(file) != card.get("sha256"):
        raise WeightsError(f"{file}: missing or damaged, its checksum is not the one on its card {path}")
    try:
        weights: Weights = {name: value.astype(np.float32) for name, value in load_file(file).items()}
    except Exception as error:  # safetensors has its own error types, all of them mean a bad file
        raise WeightsError(f"{file}: not a readable safetensors file ({error})") from None
    if device != "cpu":
        import torch

        weights = {name: torch.from_numpy(value).to(device) for name, value in weights.items()}
    try:
        return build(weights, card)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: the weights do not fit the card's architecture ({error})") from None


def library(x: Array) -> Any:
    """NumPy or torch: the functions used here have one name in both."""
    if isinstance(x, np.ndarray):
        return np
    import torch

    return torch


def like(x: Array, values: Any) -> Array:
    """Integers or truth values as an array of the kind of `x`, on its device."""
    if isinstance(x, np.ndarray):
        return np.asarray(values)
    import torch

    return torch.as_tensor(np.asarray(values), device=x.device)


def to_numpy(x: Array) -> np.ndarray:
    """The array in the processor's memory."""
    return x if isinstance(x, np.ndarray) else x.cpu().numpy()


def linear(x: Array, w: Weights, name: str) -> Array:
    """(..., C) -> (..., D), as one product: NumPy would make one of each row of a batch."""
    weight = w[f"{name}.weight"]
    return (x.reshape(-1, x.shape[-1]) @ weight.T).reshape(*x.shape[:-1], len(weight)) + w[f"{name}.bias"]


def norm(x: Array, w: Weights, name: str) -> Array:
    """Layer norm over the last axis."""
    x = x - x.mean(axis=-1, keepdims=True)
    deviation = ((x * x).mean(axis=-1, keepdims=True) + 1e-5) ** 0.5
    return x / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]


def softmax(x: Array) -> Array:
    """Over the last axis."""
    xp = library(x)
    x = xp.exp(x - xp.amax(x, axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + library(x).exp(-x))


def gelu(x: Array) -> Array:
    """With the error function to 1.5e-7 (Abramowitz and Stegun, 7.1.26)."""
    xp = library(x)
    z = xp.abs(x) * 0.7071067811865476
    t = 1 / (1 + 0.3275911 * z)
    poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return 0.5 * x * (1 + xp.sign(x) * (1 - poly * xp.exp(-z * z)))


def attention(x: Array, keys: Array, w: Weights, name: str, heads: int, mask: Array | None = None) -> Array:
    """Multi-head attention of (N, L, C) to `keys` (2, N, H, M, C / H); `mask` (N, 1, 1, M) is 0 or a large negative."""
    n, length, channels = x.shape
    query = linear(x, w, f"{name}.query").reshape(n, length, heads, channels // heads).swapaxes(1, 2)
    scores = query @ keys[0].swapaxes(2, 3) * (channels // heads) ** -0.5
    said = softmax(scores if mask is None else scores + mask) @ keys[1]
    return linear(said.swapaxes(1, 2).reshape(n, length, channels), w, f"{name}.out")


def keys_values(x: Array, w: Weights, name: str, heads: int) -> Array:
    """(N, L, C) -> (2, N, H, L, C / H), keys and values."""
    n, length, channels = x.shape
    both = linear(x, w, f"{name}.key_value").reshape(n, length, 2, heads, channels // heads)
    order = (2, 0, 3, 1, 4)
    return both.transpose(order) if isinstance(both, np.ndarray) else both.permute(order)
