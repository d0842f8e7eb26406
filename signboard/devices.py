"""Which device a network runs on, and in which precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from signboard.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """ "auto" is CUDA where there is one, else Apple's MPS, else the CPU; any other name as torch knows it.

    Raises:
        ConfigError: the device asked for is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device {name!r}: use auto, cpu, cuda or mps") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {name!r}: no CUDA device is available; use --device cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(f"device {name!r}: no MPS device is available; use --device cpu")
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """What a network computes in on `device`: "fp32", "fp16", "bf16", or "auto".

    "auto" is half precision where it is faster: float16 on CUDA, bfloat16 on processors that multiply it in hardware
    (AVX512-BF16 or AMX), where the detector then takes half the time; float32 elsewhere.

    Raises:
        ConfigError: no such precision.
    """
    names = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if name == "auto":
        if device.type == "cuda":
            return torch.float16
        return torch.bfloat16 if device.type == "cpu" and multiplies_bfloat16() else torch.float32
    if name not in names:
        raise ConfigError(f"precision {name!r}: use auto, {', '.join(names)}")
    return names[name]


def computed(network: nn.Module, x: Tensor, dtype: torch.dtype) -> Any:
    """`network(x)` in `dtype`: by autocast, but on a processor by a network whose weights are in `dtype` already.

    There autocast turns the weights anew at each pass: a tenth of the detector's time, more of a few short words'.
    """
    if x.device.type == "cpu":
        return network(x.to(dtype))
    with torch.autocast(x.device.type, dtype=dtype, enabled=dtype != torch.float32):
        return network(x)


def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for products of bfloat16; without them it is slower than float32."""
    # Not promised by torch; where these names are gone, float32 is right, too.
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)
