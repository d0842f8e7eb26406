"""Geometry: shrink then grow is near the identity, crops keep what they cut, orders are what they say."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signboard.geometry import (
    bounding_quad,
    clockwise,
    grow_quad,
    grow_quads,
    order_quad,
    order_quads,
    part_polygon,
    polygon_area,
    quad_areas,
    rectify,
    resize_image,
    rotate_polygon_start,
    shrink_polygon,
    text_size,
    unshrink_distance,
    unshrink_distances,
)


def rectangle(cx: float, cy: float, width: float, height: float, degrees: float = 0.0) -> np.ndarray:
    a = math.radians(degrees)
    turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    return (corners @ turn.T + [cx, cy]).astype(np.float32)


@given(st.floats(20, 300), st.floats(10, 80), st.floats(-44, 44), st.sampled_from([0.3, 0.4, 0.6]))
def test_growing_undoes_shrinking(width: float, height: float, degrees: float, ratio: float) -> None:
    word = rectangle(400, 400, width, height, degrees)
    kernels = shrink_polygon(word, ratio)
    assert len(kernels) == 1
    kernel = bounding_quad(kernels[0])
    assert abs(polygon_area(kernel)) < abs(polygon_area(word))
    back = grow_quad(kernel, unshrink_distance(kernel, ratio))
    assert text_size(back) == pytest.approx(text_size(order_quad(word)), abs=0.5)
    # Exactly, not by pixels: on a word of 20 x 10, corners rounded the other way are a sixth of it.
    common = cv2.intersectConvexConvex(back, word)[0]
    assert common / (abs(polygon_area(back)) + abs(polygon_area(word)) - common) > 0.9


@given(st.floats(-44, 44), st.integers(0, 3), st.booleans())
def test_a_quad_starts_at_its_top_left_whatever_its_order(degrees: float, start: int, backwards: bool) -> None:
    word = rectangle(300, 200, 120, 40, degrees)
    mixed = np.roll(word, start, axis=0)
    if backwards:
        mixed = mixed[::-1]
    np.testing.assert_allclose(order_quad(mixed), word, atol=1e-3)
    assert polygon_area(clockwise(mixed)) > 0


def test_a_crop_of_an_upright_box_is_the_pixels_inside() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    box = np.array([[10, 20], [74, 20], [74, 52], [10, 52]], np.float32)
    assert np.abs(rectify(image, box, 32).astype(int) - image[20:52, 10:74].astype(int)).max() <= 1


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_turned_word_is_cut_upright(rotation: int) -> None:
    upright = np.zeros((32, 96, 3), np.uint8)
    upright[:16, :48] = (255, 0, 0)
    upright[16:, 48:] = (0, 255, 0)
    photo = np.full((200, 200, 3), 90, np.uint8)
    turned = np.rot90(upright, -(rotation // 90)).copy()  # the photo shows the word turned clockwise
    height, width = turned.shape[:2]
    photo[40 : 40 + height, 50 : 50 + width] = turned
    quad = np.array([[50, 40], [50 + width, 40], [50 + width, 40 + height], [50, 40 + height]], np.float32)
    crop = rectify(photo, rotate_polygon_start(quad, rotation), 32)
    assert crop.shape == upright.shape
    assert np.abs(crop.astype(int) - upright.astype(int)).mean() < 3


def test_a_curved_word_is_unrolled() -> None:
    """A ring segment painted in three radial bands comes out as three straight stripes."""
    photo = np.zeros((400, 400, 3), np.uint8)
    y, x = np.mgrid[0:400, 0:400] + 0.5
    radius = np.hypot(x - 200, y - 300)
    for i in range(3):
        photo[(radius >= 140 + 20 * i) & (radius < 160 + 20 * i), 2 - i] = 250
    angles = np.radians(np.linspace(-140, -40, 9))
    outer = np.stack([200 + 200 * np.cos(angles), 300 + 200 * np.sin(angles)], axis=1)
    inner = np.stack([200 + 140 * np.cos(angles), 300 + 140 * np.sin(angles)], axis=1)
    crop = rectify(photo, np.concatenate([outer, inner[::-1]]).astype(np.float32), 30)
    assert crop.shape[1] > 100
    for i in range(3):  # the outermost band is the top stripe
        assert crop[10 * i + 4 : 10 * i + 6, 3:-3, i].mean() > 230


def test_a_crop_beyond_the_photo_repeats_its_border() -> None:
    photo = np.full((40, 40, 3), 77, np.uint8)
    crop = rectify(photo, np.array([[-30, -10], [60, -10], [60, 50], [-30, 50]], np.float32), 32)
    assert (crop == 77).all()
    outside = rectify(photo, np.array([[100, 100], [160, 100], [160, 120], [100, 120]], np.float32), 32)
    assert outside.shape == (32, 96, 3)


@given(st.floats(120, 300), st.floats(10, 40), st.floats(-44, 44), st.floats(0.2, 0.8))
def test_parts_of_a_line_lie_in_it_side_by_side(width: float, height: float, degrees: float, place: float) -> None:
    line = rectangle(400, 400, width, height, degrees)
    first, second = part_polygon(line, [place], 0.5)
    np.testing.assert_allclose(first[[0, 3]], line[[0, 3]], atol=1e-2)
    np.testing.assert_allclose(second[[1, 2]], line[[1, 2]], atol=1e-2)
    assert text_size(first)[0] == pytest.approx(place * width - 0.25 * height, abs=0.1)
    assert text_size(second)[0] == pytest.approx((1 - place) * width - 0.25 * height, abs=0.1)
    assert text_size(first)[1] == pytest.approx(height, abs=0.1) == text_size(second)[1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(5, 300), st.floats(0, 1))
def test_every_part_of_a_line_has_room(places: list[float], width: float, gap: float) -> None:
    parts = part_polygon(rectangle(400, 400, width, 40, 0), sorted(places), gap)
    assert len(parts) == len(places) + 1
    for part in parts:
        assert text_size(part)[0] >= min(0.1 * 40, width) - 0.01
        assert part[:, 0].min() >= 400 - width / 2 - 0.01 and part[:, 0].max() <= 400 + width / 2 + 0.01


def test_a_curved_line_is_parted_along_its_edges() -> None:
    angles = np.radians(np.linspace(-150, -30, 7))
    rim = [np.stack([200 + r * np.cos(angles), 260 + r * np.sin(angles)], axis=1) for r in (160, 120)]
    arch = np.concatenate([rim[0], rim[1][::-1]]).astype(np.float32)
    parts = part_polygon(arch, [0.5], 0.0)
    assert [part.shape for part in parts] == [(14, 2), (14, 2)]
    np.testing.assert_allclose(parts[0][6], [200, 100], atol=1.5)  # the top of the arch
    np.testing.assert_allclose(parts[1][-1], [200, 140], atol=1.5)
    assert text_size(parts[0])[0] + text_size(parts[1])[0] == pytest.approx(text_size(arch)[0], rel=0.02)


def test_many_quads_at_once_are_as_one_by_one() -> None:
    chance = np.random.default_rng(3)
    angles = np.sort(chance.uniform(0, 2 * np.pi, (50, 4)), axis=1)
    quads = (100 + 40 * np.stack([np.cos(angles), np.sin(angles)], axis=2)).astype(np.float32)
    quads[::2] = quads[::2, ::-1]  # half of them anticlockwise
    np.testing.assert_array_equal(order_quads(quads), [order_quad(quad) for quad in quads])
    np.testing.assert_allclose(quad_areas(quads), [polygon_area(quad) for quad in quads])
    distances = np.array([unshrink_distance(quad, 0.5) for quad in quads])
    np.testing.assert_allclose(unshrink_distances(quads, 0.5), distances)
    grown = [grow_quad(quad, distance) for quad, distance in zip(quads, distances, strict=True)]
    np.testing.assert_allclose(grow_quads(quads, distances), grown, rtol=1e-5, atol=1e-3)


def test_a_picture_that_shrinks_is_averaged_and_one_that_grows_is_not() -> None:
    stripes = np.zeros((64, 96, 3), np.uint8)
    stripes[:, ::2] = 200  # finer than the small picture can show
    small = resize_image(stripes, (16, 24))
    assert (
        small.shape == (16, 24, 3) and small.dtype == np.uint8 and np.abs(small[:, 2:-2].astype(int) - 100).max() <= 5
    )
    ramp = np.repeat(np.repeat(np.arange(0, 192, 2, dtype=np.uint8)[None, :, None], 64, 0), 3, 2)
    assert (
        np.abs(resize_image(ramp, (32, 48))[:, 1:-1].astype(int) - (4 * np.arange(48) + 1)[None, 1:-1, None]).max() <= 1
    )
    assert (
        np.abs(resize_image(ramp, (128, 192))[:, 2:-2].astype(int) - (np.arange(192) - 0.5)[None, 2:-2, None]).max()
        <= 1
    )
    assert resize_image(ramp, (64, 96)) is ramp
    ramp.flags.writeable = False
    assert np.array_equal(
        resize_image(ramp[::-1, 8:], (32, 44)), resize_image(np.ascontiguousarray(ramp[::-1, 8:]), (32, 44))
    )
