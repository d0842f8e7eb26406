"""Every backbone keeps the contract: maps, strides, channels, widths, text form, gradients."""

from __future__ import annotations

import subprocess
import sys
from math import ceil, prod

import pytest
import torch
from torch import nn

from signboard.backbones import BACKBONES, build_backbone, text_strides
from signboard.backbones.base import scaled
from signboard.errors import ConfigError

# Every entry, but for those that are a deeper one of the same family.
FAMILIES = [name for name in BACKBONES if name not in ("vgg19", "resnet34", "resnet101", "resnet152")]


def test_the_courses_networks_are_there() -> None:
    assert set(BACKBONES) >= {
        "alexnet", "zfnet", "vgg16", "vgg19", "googlenet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    }  # fmt: skip


@pytest.mark.parametrize("text", [False, True], ids=["photo", "text"])
@pytest.mark.parametrize("name", [*FAMILIES, "vgg19"])
def test_maps_have_the_promised_channels_and_sizes(name: str, text: bool) -> None:
    model = build_backbone(name, width=0.125, text=text).eval()
    strides = [info.stride for info in model.feature_info]
    if text:
        assert strides[-2:] == [(8, 4), (16, 4)]
    else:
        assert strides == [(4, 4), (8, 8), (16, 16), (32, 32)]
    for height, width in ((33, 47), (1, 1)):
        with torch.inference_mode():
            maps = model(torch.rand(1, 3, height, width))
        assert len(maps) == len(model.feature_info)
        for info, found in zip(model.feature_info, maps, strict=True):
            assert found.shape == (1, info.channels, ceil(height / info.stride[0]), ceil(width / info.stride[1]))
            assert torch.isfinite(found).all()


@pytest.mark.parametrize("name", BACKBONES)
def test_every_name_builds(name: str) -> None:
    model = build_backbone(name, width=0.125)
    assert [info.stride for info in model.feature_info] == [(4, 4), (8, 8), (16, 16), (32, 32)]
    full = {
        "alexnet": 256,
        "zfnet": 256,
        "vgg16": 512,
        "vgg19": 512,
        "googlenet": 1024,
        "resnet18": 512,
        "resnet34": 512,
        "resnet50": 2048,
        "resnet101": 2048,
        "resnet152": 2048,
    }
    if name in full:
        assert model.feature_info[-1].channels == full[name] // 8


@pytest.mark.parametrize("text", [False, True], ids=["photo", "text"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_gradient_reaches_the_first_convolution_and_every_other(name: str, text: bool) -> None:
    torch.manual_seed(0)
    model = build_backbone(name, width=0.125, in_channels=1, text=text)
    with torch.no_grad():
        for parameter in model.parameters():  # residual branches start switched off
            if parameter.dim() == 1:
                parameter.add_(0.1)
    sum(found.square().mean() for found in model(torch.rand(2, 1, 32, 48))).backward()
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            assert part.weight.grad is not None and part.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", FAMILIES)
def test_signal_neither_dies_nor_explodes_at_the_start(name: str) -> None:
    torch.manual_seed(0)
    model = build_backbone(name, width=0.25)
    with torch.no_grad():
        last = model(torch.randn(4, 3, 64, 64))[-1]
    assert 0.05 < float(last.std()) < 50


def test_width_rounds_to_eights() -> None:
    channels = [info.channels for info in build_backbone("resnet18", width=0.5).feature_info]
    assert channels == [32, 64, 128, 256]
    channels = [info.channels for info in build_backbone("resnet18", width=0.375).feature_info]
    assert channels == [24, 48, 96, 192]
    assert scaled(64, 0.01) == 8
    assert scaled(36, 1) == 40


def test_text_strides_of_each_family() -> None:
    assert text_strides((2, 2, 2, 2, 2)) == ((2, 2), (1, 1), (2, 2), (2, 1), (2, 1))
    assert text_strides((4, 2, 2, 2)) == ((2, 2), (2, 2), (2, 1), (2, 1))


@pytest.mark.parametrize("factors", [(2, 2, 2, 2), (2,) * 7, (4, 4, 2), (8, 2, 4)])
@pytest.mark.parametrize(("vertical", "horizontal"), [(16, 4), (8, 8), (16, 1), (4, 2), (1, 1)])
def test_text_strides_multiply_to_what_was_asked(factors: tuple[int, ...], vertical: int, horizontal: int) -> None:
    strides = text_strides(factors, vertical, horizontal)
    assert len(strides) == len(factors)
    assert prod(down for down, _ in strides) == vertical
    assert prod(across for _, across in strides) == horizontal


@pytest.mark.parametrize(
    ("factors", "vertical", "horizontal"), [((2, 3, 2, 2), 16, 4), ((2, 2), 16, 4), ((2,) * 5, 4, 16)]
)
def test_text_strides_that_cannot_be(factors: tuple[int, ...], vertical: int, horizontal: int) -> None:
    with pytest.raises(ConfigError, match="downsampling factors"):
        text_strides(factors, vertical, horizontal)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown backbone 'resnet51'.*alexnet, zfnet.*resnet152"):
        build_backbone("resnet51")


@pytest.mark.parametrize(("option", "value"), [("width", 0.0), ("width", float("nan")), ("in_channels", 0)])
def test_options_that_cannot_be(option: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"resnet18: {option}"):
        build_backbone("resnet18", **{option: value})


@pytest.mark.parametrize("name", ["vgg16", "googlenet", "resnet18"])
def test_channels_last_gives_the_same(name: str) -> None:
    torch.manual_seed(0)
    model = build_backbone(name, width=0.125).eval()
    x = torch.rand(2, 3, 40, 56)
    with torch.inference_mode():
        expected = model(x)
        found = model.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_building_does_not_load_the_compiler() -> None:
    """Importing it takes seconds, which everyone who reads one photo would wait for."""
    code = (
        "import sys; from signboard.backbones import build_backbone; build_backbone('resnet18', width=0.125);"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
