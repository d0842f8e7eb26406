"""Which device a network runs on, and in which precision."""

from __future__ import annotations

import functools
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


def choose_precision(name: str, device: torch.device, *, measured: bool = False) -> torch.dtype:
    """What a network computes in on `device`: "fp32", "fp16", "bf16", "int8", or "auto".

    "auto" is what is fastest: float16 on CUDA; on processors int8 where they have products of bytes (AVX2 or AVX-512)
    and the network is `measured`, else bfloat16 where they multiply it in hardware (AVX512-BF16 or AMX); float32
    elsewhere. In int8 convolutions take half the time of bfloat16's, a quarter to two fifths of float32's.

    Args:
        measured: whether the network can be computed in bytes: see `backbones.int8`.

    Raises:
        ConfigError: no such precision, or int8 where it cannot be had.
    """
    names = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "int8": torch.int8}
    if name == "auto":
        if device.type == "cuda":
            return torch.float16
        if device.type != "cpu":
            return torch.float32
        if measured and multiplies_bytes():
            return torch.int8
        return torch.bfloat16 if multiplies_bfloat16() else torch.float32
    if name not in names:
        raise ConfigError(f"precision {name!r}: use auto, {', '.join(names)}")
    if name == "int8":
        if device.type != "cpu":
            raise ConfigError(f"precision 'int8': processors only, not {device.type}; use auto")
        if not multiplies_bytes():
            raise ConfigError("precision 'int8': this processor has no products of bytes (AVX2); use auto")
        if not measured:
            raise ConfigError("precision 'int8': the ranges of these weights were not measured")
    return names[name]


def chooses_bytes(precision: str, device: str) -> bool:
    """Whether measured networks will be computed in int8 with these options; an impossible one is not, either."""
    try:
        return choose_precision(precision, choose_device(device), measured=True) == torch.int8
    except ConfigError:
        return False


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


def multiplies_bytes() -> bool:
    """Whether this processor multiplies many bytes at once (AVX2 or AVX-512), and this torch has operators for it."""
    operators = ("qconv_prepack", "qconv2d_pointwise")
    return (
        getattr(torch.cpu, "_is_avx2_supported", bool)()
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and all(hasattr(getattr(torch.ops, "onednn", None), name) for name in operators)
    )


# Two products of a byte of a map, at most 255, and a byte of a weight fit into 16 bits with weights up to this.
PAIR_LIMIT = (2**15 - 1) // (2 * 255)


@functools.cache
def largest_byte_weight() -> int:
    """The largest weight with which a convolution of bytes is exact on this processor: 127, or `PAIR_LIMIT`.

    With VNNI products are summed in 32 bits. Without it they are summed in pairs first, and such a sum that does not
    fit into 16 bits is cut off. Which instructions oneDNN has for which processor, and whether it was told to leave
    some out (ONEDNN_MAX_CPU_ISA), a convolution of extreme values says best; it takes about two milliseconds.
    """
    inputs = 16
    for kernel in (1, 3):
        values = torch.full((1, inputs, kernel, kernel), 255, dtype=torch.uint8)
        weights = torch.full((16, inputs, kernel, kernel), 127, dtype=torch.int8)
        scales, zeros = torch.ones(16), torch.zeros(16, dtype=torch.int32)
        layer = ([1, 1], [0, 0], [1, 1], 1)  # stride, padding, dilation, groups
        packed = torch.ops.onednn.qconv_prepack(weights, scales, 1.0, 0, *layer, None)
        sums = torch.ops.onednn.qconv2d_pointwise(
            values.contiguous(memory_format=torch.channels_last), 1.0, 0, packed, scales, zeros, None, *layer,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        if bool((sums != 255 * 127 * inputs * kernel * kernel).any()):
            return PAIR_LIMIT
    return 127
