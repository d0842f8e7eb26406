"""Networks in bytes: they compute what the float networks compute, up to the rounding of bytes."""

from __future__ import annotations

import copy
import json
import os
import pickle
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from signboard.backbones import build_backbone
from signboard.backbones.folding import folded
from signboard.backbones.int8 import (
    Conv,
    Linear,
    QParams,
    QTensor,
    Ranges,
    doubling_conv,
    in_bytes,
    joined,
    max_pool,
    pixel_conv,
    pixel_qparams,
    pixels,
    unfolded_twice,
)
from signboard.detection import Detector
from signboard.detection.int8 import ByteDetector
from signboard.detection.int8 import has_bytes as detector_has_bytes
from signboard.detection.network import DetectorConfig, DetectorNetwork
from signboard.devices import largest_byte_weight, multiplies_bytes
from signboard.errors import ConfigError, DataError, WeightsError
from signboard.recognition import Recognizer
from signboard.recognition.int8 import ByteRecognizer
from signboard.recognition.int8 import has_bytes as recognizer_has_bytes
from signboard.recognition.network import RecognizerConfig, RecognizerNetwork
from signboard.training.quantizing import detector_ranges, recognizer_ranges
from signboard.weights import WEIGHTS_FOLDER, load_card, save_card, save_weights

ROOT = Path(__file__).parents[2]
needs_bytes = pytest.mark.skipif(not multiplies_bytes(), reason="this processor has no products of bytes (AVX2)")


def _map(values: Tensor, qparams: QParams) -> QTensor:
    whole = (values / qparams.scale + qparams.zero).round().clamp(0, 255).to(torch.uint8)
    return QTensor(whole.contiguous(memory_format=torch.channels_last), qparams)


def _floats(x: QTensor) -> Tensor:
    return x.values.float() if x.qparams is None else (x.values.float() - x.qparams.zero) * x.qparams.scale


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def network() -> DetectorNetwork:
    torch.manual_seed(0)
    net = DetectorNetwork(DetectorConfig(width=0.25, neck=32, detail=True))
    return _lively(net)  # type: ignore[return-value]


def _lively(net: nn.Module) -> nn.Module:
    """With norms that are neither zero nor one, as after training."""
    generator = torch.Generator().manual_seed(2)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data = 0.5 + torch.rand(module.num_features, generator=generator)
            module.bias.data = 0.2 * torch.randn(module.num_features, generator=generator)
            module.running_mean = 0.2 * torch.randn(module.num_features, generator=generator)
            module.running_var = 0.5 + torch.rand(module.num_features, generator=generator)
    return net.eval()


def test_parameters_hold_its_range_and_zero() -> None:
    assert QParams.over(0.0, 25.5) == QParams(pytest.approx(0.1), 0)  # type: ignore[arg-type]
    qparams = QParams.over(-1.0, 3.0)
    assert qparams.scale == pytest.approx(4 / 255) and qparams.zero == 64
    assert (255 - qparams.zero) * qparams.scale == pytest.approx(3.0, abs=qparams.scale)
    assert QParams.over(2.0, 5.0).zero == 0 and QParams.over(-5.0, -2.0).zero == 255


def test_ranges_leave_out_the_few_and_name_what_is_missing() -> None:
    ranges = Ranges()
    values = torch.cat([torch.linspace(-1.0, 2.0, 1_000_000), torch.tensor([500.0])])
    ranges.see("map", values)
    ranges.see("map", 3.0 * torch.linspace(-1.0, 2.0, 1000))
    low, high = ranges.table()["map"]
    assert low == pytest.approx(-2.0, abs=0.02) and high == pytest.approx(4.0, abs=0.02)
    with pytest.raises(WeightsError, match="other is missing"):
        Ranges(ranges.table()).qparams("other")


@pytest.mark.parametrize(
    "table", [[1], {"a": [0.0]}, {"a": 1.0}, {"a": ["x", "y"]}, {"a": [2.0, 1.0]}, {"a": [0.0, float("nan")]}]
)
def test_a_table_of_no_ranges_is_refused(table: Any) -> None:
    with pytest.raises(WeightsError, match="ranges: "):
        Ranges(table)


# Convolutions of the largest bytes and weights, beside exact integers; prints the largest weight that was chosen.
_EXTREMES = """
import torch
from torch import nn
from signboard.backbones.int8 import Conv, Linear, QParams, QTensor, Ranges
from signboard.devices import largest_byte_weight

torch.set_num_threads(1)
largest = largest_byte_weight()
layers = ((3, 32, 7, 32), (16, 16, 1, 8), (32, 32, 3, 40), (64, 64, 3, 20), (256, 128, 1, 6))
for inputs, outputs, kernel, size in layers:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    weight = torch.ones(outputs, inputs, kernel, kernel)
    weight[1::4] = -1.0
    weight[2::4, ::2] = -1.0  # sums of both signs
    weight[3::4, 1:] = 0.25
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.zero_()
    pixels = torch.full((1, inputs, size, size), 255, dtype=torch.uint8)
    pixels[..., ::3] = 1
    x = QTensor(pixels.contiguous(memory_format=torch.channels_last), QParams(1.0, 0))
    with torch.inference_mode():
        result = Conv(layer, "out", Ranges({}), floats=True)(x).values * largest
    whole = (weight * largest).round().long()
    exact = nn.functional.conv2d(pixels.double(), whole.double(), padding=kernel // 2)
    assert torch.allclose(result.double(), exact, rtol=1e-5, atol=0.01), (inputs, kernel, (result - exact).abs().max())
for inputs, outputs in ((192, 576), (768, 192)):
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.weight[1::4] = -1.0
        layer.weight[2::4, ::2] = -1.0
        layer.bias.zero_()
    whole = (layer.weight * largest).round().double()
    for rows in (24, 320):
        x = torch.full((rows, inputs), 255, dtype=torch.uint8)
        x[:, ::3] = 1
        with torch.inference_mode():
            result = Linear(layer, "", Ranges({}), takes=QParams(1.0, 0))(x) * largest
        assert torch.allclose(result.double(), x.double() @ whole.T, rtol=1e-5, atol=0.01), (inputs, rows)
print("largest", largest)
"""


@needs_bytes
@pytest.mark.parametrize(
    ("limit", "kernel", "largest"), [("AVX2", "avx2", 64), ("AVX512_CORE", "avx512_core", 64), ("ALL", "", 0)]
)
def test_no_sum_of_bytes_overflows(limit: str, kernel: str, largest: int) -> None:
    if limit.startswith("AVX512") and not torch.cpu._is_avx512_supported():  # type: ignore[no-untyped-call]
        pytest.skip("this processor has no AVX-512")
    done = subprocess.run(
        [sys.executable, "-c", _EXTREMES],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": limit, "ONEDNN_VERBOSE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    ran = {line.split(",")[6] for line in lines if ",exec,cpu,convolution," in line}
    assert ran and all(name.endswith(f":{kernel}") for name in ran if kernel), ran
    chosen = int(lines[-1].split()[1])
    assert chosen == largest if largest else chosen in (64, 127)


@needs_bytes
@pytest.mark.parametrize("after", ["none", "relu", "gelu"])
def test_linear_layers_in_bytes_are_those_of_floats(after: str) -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(64, 96), nn.Linear(96, 32)
    x = torch.randn(50, 64)
    with torch.inference_mode():
        middle = first(x) if after == "none" else getattr(nn.functional, after)(first(x))
        measuring = Ranges()
        made = Linear(first, "one", measuring, after=after)(x)
        torch.testing.assert_close(made, middle)
        torch.testing.assert_close(Linear(second, "two", measuring)(made), second(middle))
        ranges = Ranges(measuring.table())
        then = Linear(second, "two", ranges)
        bytes_ = Linear(first, "one", ranges, after=after, gives=then.takes)(x)
        found = then(bytes_)
        floats = Linear(first, "one", ranges, after=after)(x)
        wanted = second(middle)
        copied = pickle.loads(pickle.dumps(then))(bytes_)
    assert bytes_.dtype == torch.uint8 and floats.dtype == found.dtype == torch.float32
    assert (floats - middle).abs().mean() < 0.02 * middle.std()
    assert (found - wanted).abs().mean() < 0.03 * wanted.std() and torch.equal(copied, found)
    with pytest.raises(WeightsError, match="three is missing"):
        Linear(first, "three", ranges)


@needs_bytes
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("added", [False, True])
def test_a_convolution_in_bytes_is_that_of_floats(relu: bool, added: bool) -> None:
    layer = nn.Conv2d(8, 16, 3, 2, 1)
    x = _map(_random(2, 8, 12, 20), QParams.over(-3.0, 3.0))
    add = _map(_random(2, 16, 6, 10), QParams.over(-4.0, 3.0)) if added else None
    conv = Conv(layer, "out", Ranges({"out": [0.0 if relu else -4.0, 4.0]}), relu=relu)
    with torch.inference_mode():
        expected = layer(_floats(x)) + (0.0 if add is None else _floats(add))
        result = conv(x, add)  # may overwrite what is added
    expected = expected.relu() if relu else expected
    assert result.values.dtype == torch.uint8 and result.qparams is not None
    # Half a step of the result's qparams, and the weights' rounding.
    assert (_floats(result) - expected.clamp(-4.0, 4.0)).abs().max() < 1.5 * result.qparams.scale + 0.02


@needs_bytes
def test_floats_come_out_where_they_are_asked_for() -> None:
    layer = nn.Conv2d(8, 4, 1)
    x = _map(_random(1, 8, 6, 6), QParams.over(-3.0, 3.0))
    with torch.inference_mode():
        result = Conv(layer, "out", Ranges({}), floats=True)(x)
        assert result.qparams is None and torch.allclose(result.values, layer(_floats(x)), atol=0.03)


def test_pixels_are_taken_as_they_are() -> None:
    layer, mean, std = nn.Conv2d(3, 4, 3), [124.0, 116.0, 104.0], [58.0, 57.0, 57.5]
    batch = torch.randint(0, 256, (1, 9, 9, 3), dtype=torch.uint8)
    ranges = Ranges()
    qparams = pixel_qparams(mean)
    with torch.inference_mode():
        own = pixel_conv(layer, mean, std)(pixels(batch, qparams, ranges).values)
        normalised = (batch.permute(0, 3, 1, 2).float() - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(
            3, 1, 1
        )
        assert torch.allclose(own, layer(normalised), atol=1e-4)
    assert pixels(batch, qparams, Ranges({})).values.dtype == torch.uint8


def test_a_doubling_convolution_is_the_transposed_one() -> None:
    layer = nn.ConvTranspose2d(5, 3, 2, 2)
    x = _random(2, 5, 4, 6)
    with torch.inference_mode():
        assert torch.allclose(unfolded_twice(QTensor(doubling_conv(layer)(x))).values, layer(x), atol=1e-6)


@needs_bytes
def test_bytes_are_pooled_as_floats_are() -> None:
    layer = nn.MaxPool2d(3, 2, 1)
    x = _map(_random(1, 8, 40, 60).relu(), QParams.over(0.0, 3.0))
    assert torch.equal(_floats(max_pool(x, layer)), layer(_floats(x)))


def test_maps_are_joined_with_the_same_parameters_only() -> None:
    one, other = (QTensor(torch.zeros(1, 2, 3, 3, dtype=torch.uint8), QParams(scale, 0)) for scale in (0.1, 0.2))
    assert joined([one, one]).values.shape == (1, 4, 3, 3)
    with pytest.raises(AssertionError):
        joined([one, other])


@needs_bytes
def test_a_detector_in_bytes_finds_what_the_float_one_finds(network: DetectorNetwork) -> None:
    floats = Detector(network, side=160, coarse_side=96)
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(2, 3, 12, 20, generator=generator)
    batch = (
        (F.interpolate(coarse, size=(96, 160), mode="bilinear") * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    )
    table = detector_ranges(floats, [picture.numpy() for picture in batch])
    own = Detector(network, side=160, dtype=torch.int8, card={"ranges": table})
    expected, found = floats.probability_maps(batch), own.probability_maps(batch)
    assert found.shape == expected.shape and found.dtype == torch.float32
    spread = expected.std()
    assert spread > 0.01 and (found - expected).abs().mean() < 0.15 * spread
    # One picture's map does not depend on the other's.
    assert torch.allclose(own.probability_maps(batch[:1])[0], found[0], atol=1e-5)


@needs_bytes
def test_a_recognizer_in_bytes_reads_what_the_float_one_reads() -> None:
    torch.manual_seed(0)
    net = RecognizerNetwork(RecognizerConfig(width=0.25, mixer=64, height=32, characters="abc "))
    floats = Recognizer(_lively(net))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(3)
    crops = [
        (F.interpolate(torch.rand(1, 3, 8, w // 4, generator=generator), size=(32, w))[0] * 255)
        .to(torch.uint8)
        .permute(1, 2, 0)
        .numpy()
        for w in (64, 64, 96)
    ]
    table = recognizer_ranges(floats, crops)
    own = Recognizer(net, dtype=torch.int8, card={"ranges": table})
    for one, other in zip(own.frames(crops), floats.frames(crops), strict=True):
        assert one.shape == other.shape and other.std() > 0.01
        assert abs(one - other).mean() < 0.15 * other.std()


def test_measuring_computes_the_float_network(network: DetectorNetwork) -> None:
    batch = torch.randint(0, 256, (1, 64, 96, 3), dtype=torch.uint8)
    measured = torch.sigmoid(ByteDetector(network, Ranges())(batch))
    expected = Detector(network).probability_maps(batch)
    # Equal but at the edges, where the picture's mean is one number for all channels.
    assert expected.std() > 0.01 and (measured - expected).abs().mean() < 0.02 * expected.std()


def test_networks_without_bytes_and_cards_without_ranges_say_so(tmp_path: Path, network: DetectorNetwork) -> None:
    assert detector_has_bytes(network)
    assert not detector_has_bytes(DetectorNetwork(DetectorConfig(width=0.25, neck=32)))
    assert not detector_has_bytes(DetectorNetwork(DetectorConfig(backbone="vgg16", width=0.125, neck=32, detail=True)))
    assert not recognizer_has_bytes(RecognizerNetwork(RecognizerConfig(backbone="vgg16", width=0.125)))
    card = _saved(tmp_path, network)
    assert Detector.load(card, precision="auto").dtype in (torch.float32, torch.bfloat16)
    with pytest.raises(ConfigError, match=r"detector.json: cannot be computed in int8: its ranges were not measured"):
        Detector.load(card, precision="int8")
    with pytest.raises(ConfigError, match="int8"):
        Detector(network, dtype=torch.int8)


def _saved(folder: Path, network: DetectorNetwork, **more: Any) -> Path:
    card = folder / "detector.json"
    config = {"width": 0.25, "neck": 32, "detail": True}
    save_weights(card, network.state_dict(), {"kind": "detector", "config": config})
    written = json.loads(card.read_text(encoding="utf-8"))
    if more:
        save_card(card, {**written, "ranges_of": written["sha256"], **more})
    return card


@needs_bytes
def test_a_card_with_bad_ranges_is_named_when_it_is_loaded(tmp_path: Path, network: DetectorNetwork) -> None:
    table = detector_ranges(Detector(network, side=64), [np.zeros((64, 64, 3), np.uint8)])
    assert Detector.load(_saved(tmp_path, network, ranges=table), precision="auto").dtype == torch.int8
    for bad in ({}, {name: table[name] for name in list(table)[:-1]}, [1], {**table, "stem": None}):
        with pytest.raises(WeightsError, match=r"detector.json: ranges: "):
            Detector.load(_saved(tmp_path, network, ranges=bad), precision="auto")
    # Those of other weights do not count.
    for more in ({"ranges": table, "ranges_of": "0"}, {"ranges": None}):
        assert Detector.load(_saved(tmp_path, network, **more), precision="auto").dtype != torch.int8


@needs_bytes
def test_a_network_in_bytes_travels_between_processes_after_use(network: DetectorNetwork) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    table = detector_ranges(Detector(network, side=96), [picture])
    detector = Detector(network, side=96, dtype=torch.int8, card={"ranges": table})
    batch = torch.from_numpy(picture)[None]
    maps = detector.probability_maps(batch)
    for other in (pickle.loads(pickle.dumps(detector)), copy.deepcopy(detector)):
        assert torch.equal(other.probability_maps(batch), maps)


def test_the_script_writes_ranges_into_the_cards_that_can_have_them(
    tmp_path: Path, network: DetectorNetwork, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    (tmp_path / "set").mkdir()
    Image.fromarray(picture).save(tmp_path / "set" / "photo.png")
    words = [{"polygon": [[10, 10], [60, 10], [60, 30], [10, 30]], "text": "ab", "ignore": False}]
    row = {"image": "photo.png", "width": 96, "height": 64, "words": words, "split": "train"}
    (tmp_path / "set" / "labels.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    detector, recognizer = _saved(tmp_path, network), tmp_path / "recognizer.json"
    config = {"backbone": "vgg16", "width": 0.125, "mixer": 32, "mixer_layers": 1}
    save_weights(
        recognizer, RecognizerNetwork(RecognizerConfig(**config)).state_dict(), {"kind": "recognizer", "config": config}
    )
    before = [load_card(detector, "detector"), load_card(recognizer, "recognizer")]
    main = runpy.run_path(str(ROOT / "scripts" / "quantize.py"))["main"]
    common = [
        "--weights-detector",
        str(detector),
        "--weights-recognizer",
        str(recognizer),
        "--set",
        str(tmp_path / "set"),
    ]
    assert main([*common, "--dry-run"]) == 0 and main([*common, "--split", "val"]) == 1
    assert [load_card(detector, "detector"), load_card(recognizer, "recognizer")] == before
    capsys.readouterr()
    assert main(common) == 0
    printed = capsys.readouterr().out
    assert "detector.json: 1 photos" in printed and "recognizer.json: not on a ResNet, left as it is" in printed
    card = load_card(detector, "detector")
    assert {**card, **before[0]} == card and set(card) - set(before[0]) == {"ranges", "ranges_of"}
    assert card["ranges"] == detector_ranges(Detector.load(detector), [picture]) and card["ranges_of"] == card["sha256"]
    assert load_card(recognizer, "recognizer") == before[1]


def test_without_pictures_nothing_is_measured(network: DetectorNetwork) -> None:
    with pytest.raises(DataError, match="no pictures"):
        detector_ranges(Detector(network), [])


@needs_bytes
@pytest.mark.parametrize("tall", [False, True])
def test_crops_of_many_widths_are_read_together_as_alone(tall: bool) -> None:
    recognizer = Recognizer.load(language=False, precision="int8")
    random = np.random.default_rng(0)
    sizes = [(48, width) for width in (40, 90, 300, 90, 700, 48, 700, 500, 90, 650, 700, 700)]
    crops = [cv2.resize(random.integers(0, 256, (6, 9, 3), np.uint8), (w, h)) for h, w in sizes]
    together = recognizer.frames(crops, tall=tall)
    assert sum(map(len, together)) > (0 if tall else 1024)  # more than one group
    for crop, found in zip(crops, together, strict=True):
        (alone,) = recognizer.frames([crop], tall=tall)
        np.testing.assert_allclose(found, alone, atol=1e-5)


def test_a_recognizer_with_a_tall_form_has_its_ranges_without_crops_for_it() -> None:
    torch.manual_seed(0)
    config = RecognizerConfig(width=0.125, mixer=32, mixer_layers=1, height=48, grid_layers=1, tall=80)
    table = recognizer_ranges(Recognizer(RecognizerNetwork(config)), [np.full((48, 200, 3), 99, np.uint8)])
    assert {"grid.0.qkv", "grid.0.out", "grid.0.wide", "grid.0.mlp", "mixer.0.mlp"} <= set(table)


@pytest.mark.parametrize("kind", ["detector", "recognizer"])
def test_the_shipped_cards_have_the_range_of_every_map(kind: str) -> None:
    card = json.loads((WEIGHTS_FOLDER / f"{kind}.json").read_text(encoding="utf-8"))
    ranges = Ranges()
    if kind == "detector":
        ByteDetector(Detector.load().network, ranges)(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    else:
        network = ByteRecognizer(Recognizer.load(language=False).network, ranges)
        for rows in (48, 80):  # the tall form has layers of its own
            network(torch.zeros(1, rows, 32, 3, dtype=torch.uint8))
    assert set(card["ranges"]) == set(ranges.table()) and card["ranges_of"] == card["sha256"]
    assert all(low <= 0.0 < high for low, high in card["ranges"].values())


@needs_bytes
@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("name", ["alexnet", "zfnet", "vgg16", "googlenet", "resnet18"])
def test_every_family_of_backbones_can_be_computed_in_bytes(name: str, text: bool) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(name, width=0.125, text=text)
    pictures = torch.randint(0, 256, (2, 50, 70, 3), dtype=torch.uint8)  # odd maps, whose last pools hang over the edge
    normalised = (pictures.permute(0, 3, 1, 2) - 127.5) / 127.5
    mean = [127.5] * 3
    with torch.inference_mode():
        for _ in range(20):  # the norms' means settle
            backbone(normalised)
        network = folded(backbone)
        wanted = network(normalised)
        measuring = Ranges()
        in_bytes(network, mean, mean, measuring)(pixels(pictures, pixel_qparams(mean), measuring))
        ranges = Ranges(measuring.table())
        maps = in_bytes(network, mean, mean, ranges)(pixels(pictures, pixel_qparams(mean), ranges))
    # Without VNNI weights are rounded twice as coarsely, and errors add up over GoogLeNet's layers.
    least = 0.85 if largest_byte_weight() == 127 else 0.75
    for number, (found, want) in enumerate(zip(maps, wanted, strict=True)):
        assert found.values.dtype == torch.uint8 and found.values.shape == want.shape
        pair = torch.stack([_floats(found).flatten(), want.flatten()])
        assert torch.corrcoef(pair)[0, 1] > (0.99 if number == 0 else least)
