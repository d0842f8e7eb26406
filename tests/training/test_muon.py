"""Muon: orthogonal steps, every parameter in one group, and a run that learns and resumes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from signboard.training.muon import Muon, orthogonalised, parameter_groups


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_singular_values_come_near_one(shape: tuple[int, int], dtype: torch.dtype | None) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape) * 37.0
    result = orthogonalised(matrix, dtype=dtype)
    assert result.dtype == torch.float32
    values = torch.linalg.svdvals(result)
    assert float(values.min()) > 0.5 and float(values.max()) < 1.3
    # Its directions stay: the polar factor U V^T is the nearest orthogonal matrix.
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inner = float((result * (u @ v)).sum() / min(shape))
    assert 0.6 < inner < 1.3


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 24, 3),
                         nn.Flatten(), nn.Linear(24 * 36, 4))  # fmt: skip


@pytest.mark.parametrize("muon", [False, True])
def test_each_parameter_is_in_one_group(muon: bool) -> None:
    network = _network()
    groups = parameter_groups(network, 0.1, muon=muon)
    ids = [id(p) for group in groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in network.parameters())
    assert all(p.ndim <= 1 for g in groups if not g["weight_decay"] for p in g["params"])
    assert [len(g["params"]) for g in groups if g["muon"]] == ([2] if muon else [])


def _train(network: nn.Module, optimizer: Muon, steps: int) -> list[float]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(16, 3, 8, 8, generator=generator)
    y = torch.arange(16) % 4
    losses = []
    for _ in range(steps):
        loss = nn.functional.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def test_it_learns_and_goes_on_from_its_state() -> None:
    network = _network()
    optimizer = Muon(parameter_groups(network, 0.01, muon=True), 5e-3)
    losses = _train(network, optimizer, 30)
    assert losses[-1] < 0.1 * losses[0]
    again = _network()
    again.load_state_dict(network.state_dict())
    other = Muon(parameter_groups(again, 0.01, muon=True), 5e-3)
    other.load_state_dict(optimizer.state_dict())
    assert _train(again, other, 3) == _train(network, optimizer, 3)
