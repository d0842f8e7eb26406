"""Which device a network runs on."""

from __future__ import annotations

import torch

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
