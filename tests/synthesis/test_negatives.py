"""Crops of things that are not text."""

from __future__ import annotations

import numpy as np
import pytest

from signboard.synthesis.negatives import DRAWINGS, HEIGHTS, PROPORTIONS, draw_negative, negative_crop


@pytest.mark.parametrize("kind", DRAWINGS)
def test_every_kind_fills_any_shape_with_something(kind: str) -> None:
    spread = []
    for seed, (width, height) in enumerate([(10, 20), (45, 90), (100, 50), (250, 48), (1080, 90)]):
        crop = draw_negative(kind, np.random.default_rng(seed), width, height)
        assert crop.shape == (height, width, 3) and crop.dtype == np.uint8
        spread.append(crop.astype(float).std())
    assert max(spread) > 3.0  # not a plain plane each time


def test_crops_have_the_promised_shapes_and_differ() -> None:
    rng = np.random.default_rng(3)
    crops = [negative_crop(rng) for _ in range(80)]
    for crop in crops:
        height, width = crop.shape[:2]
        assert HEIGHTS[0] <= height <= HEIGHTS[1]
        assert PROPORTIONS[0] * height - 1 <= width <= PROPORTIONS[1] * height + 1
    assert len({crop.tobytes() for crop in crops}) == len(crops)


def test_the_same_seed_draws_the_same() -> None:
    first, second = (negative_crop(np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("kind", ["zebra", "pipes", "ladder", "wires"])
def test_a_narrow_crop_never_shows_a_lone_stroke(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, float]] = []

    def note(name: str, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
        drawn.append((name, width / height))
        return np.zeros((height, width, 3), np.uint8)

    monkeypatch.setattr("signboard.synthesis.negatives.draw_negative", note)
    rng = np.random.default_rng(5)
    for _ in range(2000):
        negative_crop(rng)
    shapes = [proportion for name, proportion in drawn if name == kind]
    assert shapes and min(shapes) > 1.5
