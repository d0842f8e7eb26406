"""Which precision is chosen where."""

from __future__ import annotations

import pytest
import torch

from signboard import devices
from signboard.errors import ConfigError


def test_auto_is_half_precision_only_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(devices, "multiplies_bfloat16", lambda: True)
    assert devices.choose_precision("auto", cpu) == torch.bfloat16
    assert devices.choose_precision("auto", torch.device("mps")) == torch.float32
    monkeypatch.setattr(devices, "multiplies_bfloat16", lambda: False)
    assert devices.choose_precision("auto", cpu) == torch.float32
    assert devices.choose_precision("auto", cuda) == torch.float16
    assert devices.choose_precision("bf16", cpu) == torch.bfloat16
    with pytest.raises(ConfigError, match="'int3': use auto, fp32, fp16, bf16, int8"):
        devices.choose_precision("int3", cpu)


def test_int8_is_chosen_for_measured_networks_on_processors_that_multiply_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(devices, "multiplies_bfloat16", lambda: True)
    monkeypatch.setattr(devices, "multiplies_bytes", lambda: True)
    assert devices.choose_precision("auto", cpu, measured=True) == torch.int8
    assert devices.choose_precision("auto", cpu) == torch.bfloat16
    assert devices.choose_precision("auto", cuda, measured=True) == torch.float16
    assert devices.choose_precision("int8", cpu, measured=True) == torch.int8
    assert devices.chooses_bytes("auto", "cpu") and not devices.chooses_bytes("fp32", "cpu")
    with pytest.raises(ConfigError, match="'int8': the ranges of these weights were not measured"):
        devices.choose_precision("int8", cpu)
    with pytest.raises(ConfigError, match="'int8': processors only, not cuda"):
        devices.choose_precision("int8", cuda, measured=True)
    monkeypatch.setattr(devices, "multiplies_bytes", lambda: False)
    assert devices.choose_precision("auto", cpu, measured=True) == torch.bfloat16
    assert not devices.chooses_bytes("auto", "cpu") and not devices.chooses_bytes("int8", "cpu")
    with pytest.raises(ConfigError, match="'int8': this processor has no products of bytes"):
        devices.choose_precision("int8", cpu, measured=True)


def test_products_of_bytes_need_avx2_and_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cpu:
        def __init__(self, avx2: bool) -> None:
            self._is_avx2_supported = lambda: avx2

    class Operators:
        class onednn:
            qconv_prepack = qconv2d_pointwise = None

    monkeypatch.setattr(devices.torch, "ops", Operators())
    for cpu, expected in ((Cpu(True), True), (Cpu(False), False), (object(), False)):
        monkeypatch.setattr(devices.torch, "cpu", cpu)
        assert devices.multiplies_bytes() is expected
    monkeypatch.setattr(devices.torch, "cpu", Cpu(True))
    monkeypatch.setattr(devices.torch, "ops", object())
    assert devices.multiplies_bytes() is False


def test_a_torch_that_does_not_tell_means_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        pass

    monkeypatch.setattr(devices.torch, "cpu", Silent())
    assert devices.multiplies_bfloat16() is False
