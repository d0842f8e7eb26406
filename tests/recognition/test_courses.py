"""Courses that text may take across an upright box, and the vote of what is read along them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from signboard.geometry import polygon_area, rectify, text_size
from signboard.recognition import Recognizer
from signboard.recognition.courses import best_supported, courses


@pytest.mark.parametrize("size", [(60, 90), (48, 160), (128, 128), (200, 90), (30, 600)])
def test_every_course_fills_its_box_and_runs_from_left_to_right(size: tuple[int, int]) -> None:
    height, width = size
    found = courses(height, width, margin=0.0)
    assert len(found) >= 6
    for polygon in found:
        # An arch touches the top between two of its points.
        assert polygon.min(axis=0) == pytest.approx([0, 0], abs=0.02 * height), polygon
        assert polygon.max(axis=0) == pytest.approx([width, height], abs=0.02 * height), polygon
        half = len(polygon) // 2
        assert polygon_area(polygon) > 0  # clockwise
        assert polygon[0, 0] < polygon[half - 1, 0]
        middle = half // 2 if half > 2 else 0
        assert polygon[middle, 1] < polygon[-1 - middle, 1]  # its upper edge comes first
        assert len({tuple(point) for point in polygon.tolist()}) == len(polygon)


def test_a_margin_is_seen_around_the_word() -> None:
    for tight, wide in zip(courses(60, 200, margin=0.0), courses(60, 200), strict=True):
        assert abs(polygon_area(wide)) > 1.05 * abs(polygon_area(tight))
        assert text_size(wide)[1] < 1.2 * text_size(tight)[1]


def test_courses_are_of_all_kinds_and_each_comes_once() -> None:
    found = courses(100, 200)
    assert {len(polygon) for polygon in found} == {4, 18}
    shapes = {tuple(np.round(polygon).ravel().tolist()) for polygon in found}
    assert len(shapes) == len(found) >= 20
    # Each has its mirror image, top to bottom.
    middles = sorted(round(float(p[: len(p) // 2, 1].mean() + p[len(p) // 2 :, 1].mean()), 1) for p in found)
    assert middles == pytest.approx([200 - m for m in middles[::-1]], abs=0.5)


def test_texts_that_more_courses_give_count_more() -> None:
    assert best_supported(("STAR", 0.5), [("START", 0.6), ("START", 0.5), ("SHORT", 0.7)]) == ("START", 0.6)
    assert best_supported(("STAR", 0.5), [("START", 0.6)]) == ("STAR", 0.5)  # not by enough
    assert best_supported(("STAR", 0.5), [("START", 0.9), ("Star", 0.9), ("star", 0.8)]) == ("STAR", 0.5)
    assert best_supported(("STARS", 0.5), [("TARS", 0.99), ("TARS", 0.99)]) == ("STARS", 0.5)  # shorter
    assert best_supported(("", 0.0), [("बाज़ार", 0.7), ("", 0.9)]) == ("बाज़ार", 0.7)
    assert best_supported(("की", 0.4), [("कि", 0.9)]) == ("कि", 0.9)  # vowel signs tell words apart
    assert best_supported(("OPEN", 0.4), []) == ("OPEN", 0.4)


def _written(text: str) -> NDArray[np.uint8]:
    """A strip (H, W, 3) with a dark word on light ground, little around it."""
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 2.0, 5)
    strip = np.full((height + base // 2 + 12, width + 12, 3), 225, np.uint8)
    cv2.putText(strip, text, (6, height + 6), cv2.FONT_HERSHEY_DUPLEX, 2.0, (40, 40, 60), 5, cv2.LINE_AA)
    return strip


def _along(strip: NDArray[np.uint8], polygon: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A box (*size, 3) in which the strip lies along a course: the opposite of straightening, by the nearest pixel."""
    rows, columns = strip.shape[:2]
    half = len(polygon) // 2
    share = np.linspace(0, 1, 4 * columns)
    steps = np.linspace(0, 1, half)
    upper = np.stack([np.interp(share, steps, polygon[:half, axis]) for axis in (0, 1)], 1)
    lower = np.stack([np.interp(share, steps, polygon[half:][::-1, axis]) for axis in (0, 1)], 1)
    box = np.full((*size, 3), 225, np.uint8)
    for down in np.linspace(0, 1, 4 * rows):
        at = (upper * (1 - down) + lower * down).astype(int)
        good = (at >= 0).all(axis=1) & (at[:, 0] < size[1]) & (at[:, 1] < size[0])
        source = strip[min(int(down * rows), rows - 1), np.minimum((share * columns).astype(int), columns - 1)]
        box[at[good, 1], at[good, 0]] = source[good]
    return box


def test_a_word_along_a_course_is_straight_when_cut_out_along_it() -> None:
    strip, size = _written("MARKET"), (150, 260)
    tried = 0
    for polygon in courses(*size, margin=0.0):
        if len(polygon) == 4 and np.abs(polygon[0] - polygon[1] + polygon[2] - polygon[3]).max() > 1:
            continue  # receding ones are seen in perspective
        straight = rectify(_along(strip, polygon, size), polygon, 48)
        expected = cv2.resize(strip, (straight.shape[1], 48), interpolation=cv2.INTER_AREA)
        pair = [cv2.GaussianBlur(picture, (0, 0), 1.5).astype(float).ravel() for picture in (straight, expected)]
        assert np.corrcoef(pair)[0, 1] > 0.9, polygon
        tried += 1
    assert tried >= 12


def test_a_steep_word_is_read_along_its_course() -> None:
    recognizer = Recognizer.load()
    size = (100, 240)
    for text in ("MARKET", "HOTEL"):
        crop = _along(_written(text), courses(*size, margin=0.0)[3], size)
        (usual,) = recognizer.read_lines([crop])
        assert usual.text != text
        ((found, confidence),) = recognizer.read_crops([crop])
        assert found == text and confidence > 0.8
