"""Layers of small networks on NumPy arrays, or on torch tensors where a GPU does the work: one code for both.

A network here is its weights by name, as safetensors holds them. NumPy alone starts in a tenth of the time of torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
Weights = dict[str, Array]


def library(x: Array) -> Any:
    """NumPy or torch: the functions used here have one name in both."""
    if isinstance(x, np.ndarray):
        return np
    import torch

    return torch


def like(x: Array, values: Any) -> Array:
    """Numbers or truth values as an array of the kind of `x`, on its device."""
    values = np.asarray(values)
    return values if isinstance(x, np.ndarray) else library(x).as_tensor(values, device=x.device)


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


def gelu(x: Array) -> Array:
    """With the error function to 1.5e-7 (Abramowitz and Stegun, 7.1.26)."""
    xp = library(x)
    z = xp.abs(x) * 0.7071067811865476
    t = 1 / (1 + 0.3275911 * z)
    poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return 0.5 * x * (1 + xp.sign(x) * (1 - poly * xp.exp(-z * z)))


def keys_values(x: Array, w: Weights, name: str, heads: int) -> Array:
    """(N, L, C) -> (2, N, H, L, C / H), keys and values."""
    n, length, channels = x.shape
    both = linear(x, w, f"{name}.key_value").reshape(n, length, 2, heads, channels // heads)
    return library(x).moveaxis(both.swapaxes(1, 3), 2, 0)


def _attention(x: Array, keys: Array, w: Weights, name: str, mask: Array | None) -> Array:
    """Multi-head attention of (N, L, C) to `keys` (2, N, H, M, C / H)."""
    _, n, heads, _, size = keys.shape
    query = linear(x, w, f"{name}.query").reshape(n, -1, heads, size).swapaxes(1, 2)
    scores = query @ keys[0].swapaxes(2, 3) * size**-0.5
    said = softmax(scores if mask is None else scores + mask) @ keys[1]
    return linear(said.swapaxes(1, 2).reshape(x.shape), w, f"{name}.out")


def layer(
    x: Array, w: Weights, name: str, heads: int, mask: Array, past: Array = None, memory: Array = None
) -> tuple[Array, Array]:
    """One transformer layer, norms first, (N, L, C) -> the same, and the keys and values of all steps so far.

    Args:
        mask: (N, 1, 1, M), 0 or a large negative; of the units, which are `x` itself or `memory`.
        past: keys and values of the steps before.
        memory: keys and values of the units that a decoder looks at.
    """
    y = norm(x, w, f"{name}.norms.0")
    keys = keys_values(y, w, f"{name}.attention", heads)
    keys = keys if past is None else library(x).concatenate([past, keys], axis=3)
    x = x + _attention(y, keys, w, f"{name}.attention", mask if memory is None else None)
    if memory is not None:
        x = x + _attention(norm(x, w, f"{name}.norms.2"), memory, w, f"{name}.cross", mask)
    y = gelu(linear(norm(x, w, f"{name}.norms.1"), w, f"{name}.feed.0"))
    return x + linear(y, w, f"{name}.feed.3"), keys
