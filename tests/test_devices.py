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
    with pytest.raises(ConfigError, match="'int3': use auto, fp32, fp16, bf16"):
        devices.choose_precision("int3", cpu)


def test_a_torch_that_does_not_tell_means_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        pass

    monkeypatch.setattr(devices.torch, "cpu", Silent())
    assert devices.multiplies_bfloat16() is False
