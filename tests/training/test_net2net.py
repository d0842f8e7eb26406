"""A larger recogniser that starts from a smaller one's weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from signboard.backbones.classifier import build_classifier
from signboard.detection.network import DetectorConfig, DetectorNetwork
from signboard.errors import ConfigError, WeightsError
from signboard.recognition.network import RecognizerConfig, RecognizerNetwork
from signboard.training.net2net import freeze, start_backbone, start_network, widened
from signboard.weights import save_weights


def _network(seed: int, **changes: float | int | str) -> RecognizerNetwork:
    torch.manual_seed(seed)
    settings = {"backbone": "resnet18", "width": 0.125, "mixer": 32, "mixer_layers": 1, "characters": "abc", **changes}
    network = RecognizerNetwork(RecognizerConfig(**settings))  # type: ignore[arg-type]
    for name, value in network.state_dict().items():  # as after training: no norm stands at its first value
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand_like(value) + (0.5 if "var" in name or "weight" in name else 0.0))
    return network


def test_the_wider_network_reads_as_the_narrower_one_did_and_can_learn() -> None:
    small, large = _network(0), _network(1, width=0.25)
    large.load_state_dict(widened(small.state_dict(), large.state_dict()))
    crops = torch.randn(2, 3, 32, 64)
    with torch.no_grad():
        expected = small.eval()(crops)[0]
        torch.testing.assert_close(large.eval()(crops)[0], expected, rtol=1e-4, atol=1e-4)
    assert float(expected.std()) > 0.01
    large.train()
    large(crops)[0].square().mean().backward()
    kernel = large.collapse[0].weight
    assert kernel.grad is not None and float(kernel.grad[:, small.collapse[0].weight.shape[1] :].abs().max()) > 0


def test_more_mixer_layers_change_nothing_at_first_and_can_learn(tmp_path: Path) -> None:
    small, large = _network(0), _network(1, mixer_layers=3, width=0.25)
    card = tmp_path / "small.json"
    save_weights(card, small.state_dict(), {"kind": "recognizer"})
    for network in (small, large):  # the card's weights are rounded
        start_network(network, card, "recognizer")
    crops = torch.randn(2, 3, 32, 64)
    with torch.no_grad():
        torch.testing.assert_close(large.eval()(crops)[0], small.eval()(crops)[0], rtol=1e-4, atol=1e-4)
    large.train()
    large(crops)[0].square().mean().backward()
    for layer in list(large.mixer)[1:]:
        for part in (layer.position, layer.out, layer.mlp[-1]):
            assert part.weight.grad is not None and float(part.weight.grad.abs().max()) > 0


def test_the_tall_form_leaves_the_usual_one_as_it_is_and_can_learn(tmp_path: Path) -> None:
    before, after = _network(0), _network(1, grid_layers=1, tall=64)
    card = tmp_path / "before.json"
    save_weights(card, before.state_dict(), {"kind": "recognizer"})
    for network in (before, after):
        start_network(network, card, "recognizer")
    crops = torch.randn(2, 3, 32, 64)
    with torch.no_grad():
        torch.testing.assert_close(after.eval()(crops)[0], before.eval()(crops)[0], rtol=1e-4, atol=1e-4)
    after.train()
    logits, early = after(torch.randn(2, 3, 64, 64))
    assert early is not None and logits.shape == early.shape == (2, 16, 4)
    logits.square().mean().backward()
    assert after.merge is not None
    for part in (after.merge.score, after.grid[0].position, after.grid[0].out, after.grid[0].mlp[-1]):
        assert part.weight.grad is not None and float(part.weight.grad.abs().max()) > 0


def test_frozen_parts_stay_as_they_are() -> None:
    network = _network(0)
    for name in ("backbone.conv1", "backbone.bn1", "backbone.layer1"):
        freeze(network, name)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
    network.train()
    logits, early = network(torch.randn(2, 3, 32, 64))
    (logits.square().mean() + early.square().mean()).backward()
    optimizer.step()
    changed = {key for key, value in network.state_dict().items() if not torch.equal(value, state[key])}
    frozen = {key for key in state if key.startswith(("backbone.conv1", "backbone.bn1", "backbone.layer1"))}
    assert frozen and not changed & frozen
    assert {"backbone.layer2.0.conv1.weight", "backbone.layer2.0.bn1.running_mean"} <= changed
    with pytest.raises(ConfigError, match=r"backbone\.layer9: the network has no such part"):
        freeze(network, "backbone.layer9")


def test_a_taller_crop_gets_the_kernel_stretched_over_its_rows() -> None:
    small, large = _network(0), _network(1, height=48)
    state = widened(small.state_dict(), large.state_dict())
    before, after = small.state_dict()["collapse.0.weight"], state["collapse.0.weight"]
    assert before.shape[2] == 2 and after.shape[2] == 3
    torch.testing.assert_close(after.sum(dim=2), before.sum(dim=2))


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    small, large = _network(0), _network(1, width=0.25)
    with pytest.raises(WeightsError, match=r"backbone\.\S+: has shape"):
        widened(large.state_dict(), small.state_dict())
    with pytest.raises(WeightsError, match=r"of another architecture: mixer\.1"):
        widened(small.state_dict(), _network(1, mixer_layers=2).state_dict())
    card = tmp_path / "small.json"
    save_weights(card, large.state_dict(), {"kind": "recognizer"})
    with pytest.raises(WeightsError, match=r"small\.json: backbone"):
        start_network(small, card, "recognizer")


@pytest.mark.parametrize("name", ["alexnet", "zfnet", "vgg16", "googlenet", "resnet18"])
def test_a_stage_begins_with_a_classifier_s_backbone(name: str, tmp_path: Path) -> None:
    """Every family: what `scripts/train_backbone.py` taught is what either stage begins with."""
    torch.manual_seed(0)
    classifier = build_classifier(name, 5, form="narrow", width=0.125)
    card = tmp_path / "best.json"
    config = {"name": name, "num_classes": 5, "form": "narrow", "width": 0.125}
    save_weights(card, classifier.state_dict(), {"kind": "classifier", "config": config})
    torch.manual_seed(1)
    stages = {
        "detector": DetectorNetwork(DetectorConfig(name, 0.125, 8)),
        "recognizer": RecognizerNetwork(RecognizerConfig(name, 0.125, mixer=32, mixer_layers=1, characters="abc")),
    }
    for network in stages.values():
        others = {k: v.clone() for k, v in network.state_dict().items() if not k.startswith("backbone.")}
        start_backbone(network, card)
        state = network.state_dict()
        for key, value in classifier.state_dict().items():
            if key in state:
                torch.testing.assert_close(state[key].float(), value.half().float())
        assert all(torch.equal(state[key], value) for key, value in others.items()), "the rest stays as it was"
    wide = DetectorNetwork(DetectorConfig(name, 0.25, 8))
    with pytest.raises(WeightsError, match=rf"does not fit at backbone\..*name {name}, form narrow, width 0\.125"):
        start_backbone(wide, card)
