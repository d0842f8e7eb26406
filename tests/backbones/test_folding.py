"""Folding batch norms into convolutions: the same function, fewer layers, the original untouched."""

import copy

import pytest
import torch
from torch import nn

from signboard.backbones import BACKBONES, build_backbone
from signboard.backbones.folding import folded
from signboard.detection.network import DetectorConfig, DetectorNetwork
from signboard.recognition.network import RecognizerConfig, RecognizerNetwork


def live(network: nn.Module) -> nn.Module:
    """`network` with batch norms that do something, as after training."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values, low, high in (
                (part.weight, 0.5, 1.5),
                (part.bias, -0.3, 0.3),
                (part.running_mean, -0.5, 0.5),
                (part.running_var, 0.5, 2.0),
            ):
                nn.init.uniform_(values, low, high)
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_a_backbone_gives_the_same_maps(name: str) -> None:
    torch.manual_seed(0)
    network = live(build_backbone(name, width=0.25))
    x = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        for before, after in zip(network(x), folded(network)(x), strict=True):
            torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3 * float(before.abs().max()))


@pytest.mark.parametrize(
    ("network", "shape", "left"),
    [
        # The norm behind the pyramid has a concatenation before it.
        (DetectorNetwork(DetectorConfig("resnet18", 0.25, 32)), (1, 3, 96, 64), 1),
        (RecognizerNetwork(RecognizerConfig("resnet18", 0.25, 64, 1)), (2, 3, 32, 64), 0),
    ],
)
def test_both_stages_give_the_same_and_keep_their_own_layers(
    network: nn.Module, shape: tuple[int, ...], left: int
) -> None:
    torch.manual_seed(1)
    live(network)
    state = copy.deepcopy(network.state_dict())
    count = norms(network)
    x = torch.randn(*shape)
    fast = folded(network)
    assert norms(fast) == left < count == norms(network)
    with torch.inference_mode():
        torch.testing.assert_close(fast(x)[0], network(x)[0], rtol=1e-3, atol=1e-3)
    for key, values in network.state_dict().items():
        assert torch.equal(values, state[key]), key
