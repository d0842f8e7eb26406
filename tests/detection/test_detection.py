"""The detector: target maps and polygons agree, gradients reach the first layer, one batch overfits."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from signboard.backbones import BACKBONES
from signboard.backbones.folding import folded
from signboard.detection import Detector, DetectorConfig, DetectorNetwork
from signboard.detection.detector import network_size
from signboard.detection.loss import balanced_cross_entropy, detection_loss, pixel_weights
from signboard.detection.maps import make_targets, polygons_from_map
from signboard.errors import WeightsError
from signboard.weights import save_weights


def _word(cx: float, cy: float, width: float, height: float, degrees: float) -> np.ndarray:
    a = math.radians(degrees)
    turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    return (corners @ turn.T + [cx, cy]).astype(np.float32)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    masks = np.zeros((2, 400, 400), np.uint8)
    cv2.fillPoly(masks[0], [np.round(a).astype(np.int32)], 1)
    cv2.fillPoly(masks[1], [np.round(b).astype(np.int32)], 1)
    return float((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())


WORDS = [
    _word(100, 60, 120, 30, 0),
    _word(280, 100, 100, 24, 30),
    _word(120, 220, 160, 40, -25),
    _word(320, 300, 22, 90, 0),
]


def test_polygons_come_back_from_their_own_maps() -> None:
    targets = make_targets(WORDS, [False] * 4, 400, 400)
    polygons, scores = polygons_from_map(targets.kernel)
    assert len(polygons) == 4 and min(scores) > 0.99
    for word in WORDS:
        assert max(_iou(word, p) for p in polygons) > 0.85


def test_an_arched_word_gets_a_polygon_that_follows_it() -> None:
    angles = np.radians(np.linspace(-150, -30, 15))
    rim = [np.stack([200 + r * np.cos(angles), 260 + r * np.sin(angles)], axis=1) for r in (160, 120)]
    arch = np.concatenate([rim[0], rim[1][::-1]]).astype(np.float32)
    polygons, _ = polygons_from_map(make_targets([arch], [False], 400, 400).kernel)
    assert len(polygons) == 1 and len(polygons[0]) == 14
    assert _iou(polygons[0], arch) > 0.7


def test_dont_care_regions_and_tiny_words_are_masked() -> None:
    tiny = _word(200, 200, 20, 3, 0)
    targets = make_targets([WORDS[0], tiny], [True, False], 400, 400)
    assert targets.kernel.sum() == 0
    assert targets.kernel_mask[60, 100] == 0 and targets.kernel_mask[200, 200] == 0
    assert targets.kernel_mask[300, 300] == 1
    assert targets.threshold.min() >= 0.3 - 1e-6 and targets.threshold.max() <= 0.7 + 1e-6


def test_the_border_map_peaks_on_the_border() -> None:
    targets = make_targets([WORDS[0]], [False], 400, 400)
    assert targets.threshold[45, 100] > 0.6  # the top edge, y = 45
    assert targets.threshold[60, 100] == pytest.approx(0.3, abs=0.05)  # the middle


def test_small_words_and_gaps_between_words_weigh_more() -> None:
    small, next_to_it = _word(40, 40, 40, 16, 0), _word(84, 40, 40, 16, 0)
    large = _word(200, 200, 320, 128, 0)
    t = make_targets([small, large, next_to_it], [False] * 3, 400, 400)
    ratio = math.sqrt(320 * 128 / (40 * 16))
    assert t.weight[40, 40] == pytest.approx(ratio * t.weight[200, 200], rel=1e-3)
    assert t.weight[40, 62] == pytest.approx(3 * t.weight[40, 40], rel=1e-3) and t.kernel[40, 62] == 0
    assert t.weight[380, 380] == 0  # away from words
    same = make_targets([small, large], [False] * 2, 400, 400, balance=0.0)
    assert set(np.unique(same.weight)) == {0.0, 1.0}

    kernel, mask = torch.from_numpy(t.kernel)[None], torch.from_numpy(t.kernel_mask)[None]
    weights = pixel_weights(torch.from_numpy(t.weight)[None], kernel, mask)
    assert float(weights[kernel > 0].mean()) == pytest.approx(1.0, abs=0.15)
    assert float(weights[0, 380, 380]) == 1.0
    assert float(weights[0, 40, 40]) > 2 * float(weights[0, 200, 200])


def test_hard_negatives_are_bounded_by_positives() -> None:
    logits = torch.full((1, 100, 100), -3.0)
    target = torch.zeros(1, 100, 100)
    target[:, :20, :50] = 1
    loss = balanced_cross_entropy(logits, target, torch.ones_like(target))
    p, n = math.log1p(math.exp(3.0)), math.log1p(math.exp(-3.0))
    assert float(loss) == pytest.approx((1000 * p + 3000 * n) / 4000, rel=1e-4)


@pytest.mark.parametrize("name", sorted(set(BACKBONES) - {"resnet50", "resnet101", "resnet152", "vgg19", "resnet34"}))
def test_every_family_gives_full_size_maps_and_trains_to_its_first_layer(name: str) -> None:
    network = DetectorNetwork(DetectorConfig(backbone=name, width=0.125, neck=16)).train()
    probability, threshold = network(torch.randn(2, 3, 64, 96))
    assert probability.shape == (2, 64, 96) and threshold is not None and threshold.shape == (2, 64, 96)
    (probability.mean() + threshold.mean()).backward()
    first = next(p for p in network.backbone.parameters() if p.ndim == 4)
    assert first.grad is not None and float(first.grad.abs().sum()) > 0


def test_one_batch_overfits() -> None:
    torch.manual_seed(0)
    words = [_word(60, 40, 80, 24, 0), _word(70, 100, 90, 28, 0)]
    t = make_targets(words, [False, False], 128, 128)
    image = np.full((128, 128, 3), 40, np.uint8)
    for word in words:
        cv2.fillPoly(image, [word.astype(np.int32)], (220, 220, 220))
    x = torch.from_numpy(image)[None].permute(0, 3, 1, 2).float() / 128 - 1
    maps = [torch.from_numpy(m)[None] for m in (t.kernel, t.kernel_mask, t.threshold, t.threshold_mask, t.weight)]
    network = DetectorNetwork(DetectorConfig(width=0.125, neck=16)).train()
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    first = last = 0.0
    for step in range(60):
        probability, threshold = network(x)
        assert threshold is not None
        loss = detection_loss(probability, threshold, *maps)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = (float(loss.detach()), last) if step == 0 else (first, float(loss.detach()))
    assert last < 0.3 * first
    polygons, _ = polygons_from_map(torch.sigmoid(network(x)[0])[0].detach().numpy())
    assert all(max(_iou(w, p) for p in polygons) > 0.6 for w in words)


def test_photos_together_equal_photos_alone() -> None:
    torch.manual_seed(1)
    detector = Detector(
        DetectorNetwork(DetectorConfig(width=0.125, neck=16)), side=128, threshold=0.12, box_threshold=0.0
    )
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((90, 120), (120, 90), (90, 120), (64, 64))]
    together = detector.detect(photos)
    for photo, found in zip(photos, together, strict=True):
        alone = detector.detect([photo])[0]
        assert len(found) == len(alone)
        for a, b in zip(found.polygons, alone.polygons, strict=True):
            np.testing.assert_allclose(a, b, atol=0.5)
            assert (a >= 0).all() and (a <= np.array(photo.shape[1::-1])).all()


@pytest.mark.parametrize(
    ("options", "side"),
    [
        ({"precision": "fp32"}, 1280),
        ({"precision": "fp32", "side": 1536}, 1536),
        ({"precision": "bf16"}, 1536),
        ({}, 1536),
    ],
)
def test_in_float32_a_processor_looks_at_smaller_pictures(options: dict[str, Any], side: int) -> None:
    assert Detector.load(**options).side == side


def test_network_sizes() -> None:
    assert network_size(960, 1280, side=1280) == (960, 1280)
    assert network_size(3000, 4000, side=1280) == (960, 1280)
    assert network_size(10, 10, side=1280) == (32, 32)
    # At most 1280 when it grows, whatever the side; photos between the two stay as they are.
    assert network_size(750, 1000, side=1536) == (960, 1280)
    assert network_size(600, 800, side=1536) == (768, 1024)
    assert network_size(1050, 1400, side=1536) == (1056, 1408)
    assert network_size(3000, 4000, side=1536) == (1152, 1536)
    assert network_size(20, 4000, side=1280) == (32, 1280)


def test_weights_round_trip_and_damage_is_noticed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    network = DetectorNetwork(DetectorConfig(width=0.125, neck=16))
    card = {
        "kind": "detector",
        "config": {"backbone": "resnet18", "width": 0.125, "neck": 16},
        "inference": {"side": 640},
    }
    path = save_weights(tmp_path / "detector.json", network.state_dict(), card)
    detector = Detector.load(path)
    assert detector.side == 640
    wrong = save_weights(
        tmp_path / "wrong.json", network.state_dict(), {**card, "config": {**card["config"], "width": 0.25}}
    )
    with pytest.raises(WeightsError, match="do not fit"):
        Detector.load(wrong)
    file = tmp_path / "detector.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 255
    file.write_bytes(data)
    with pytest.raises(WeightsError, match="checksum"):
        Detector.load(path)
    with pytest.raises(WeightsError, match="no such card"):
        Detector.load(tmp_path / "absent.json")


def test_detail_changes_nothing_at_first_and_learns() -> None:
    torch.manual_seed(2)
    plain = DetectorNetwork(DetectorConfig(width=0.125, neck=32)).eval()
    fine = DetectorNetwork(DetectorConfig(width=0.125, neck=32, detail=True)).eval()
    added = fine.load_state_dict(plain.state_dict(), strict=False)
    assert not added.unexpected_keys and all("detail." in k or ".refine" in k for k in added.missing_keys)
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(fine(x)[0], plain(x)[0])
    fine.train()
    optimizer = torch.optim.SGD(fine.parameters(), 0.1)
    for _ in range(2):  # the first step moves the zeroed norms, the second what is below them
        probability, threshold = fine(x)
        assert threshold is not None
        optimizer.zero_grad()
        (probability.square().mean() + threshold.square().mean()).backward()
        optimizer.step()
    assert fine.detail is not None and fine.probability.refine is not None
    for layer in (fine.detail.conv1, fine.probability.refine, fine.threshold.refine):
        assert layer is not None and layer.weight.grad is not None and float(layer.weight.grad.abs().sum()) > 0
    fine.eval()
    with torch.no_grad():
        assert float((fine(x)[0] - plain(x)[0]).abs().max()) > 1e-3
        torch.testing.assert_close(folded(fine)(x)[0], fine(x)[0], atol=1e-4, rtol=1e-4)
