"""Crops for the recogniser: pairs of neighbouring words."""

from __future__ import annotations

import numpy as np

from signboard.training.recognizer_task import neighbours


def _box(x: float, y: float, width: float, height: float) -> np.ndarray:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def test_neighbours_of_one_line_become_pairs() -> None:
    words = [
        (_box(10, 10, 60, 20), "नई"),
        (_box(78, 11, 80, 20), "दिल्ली"),  # 8 pixels behind it
        (_box(200, 10, 50, 20), "far"),  # more than a letter's height away
        (_box(10, 34, 60, 20), "below"),
        (_box(74, 30, 60, 44), "big"),  # near, but of another size
    ]
    pairs = neighbours(words)
    assert [text for _, text in pairs] == ["नई दिल्ली"]
    np.testing.assert_array_equal(pairs[0][0], [[10, 10], [158, 11], [158, 31], [10, 30]])


def test_pairs_follow_the_slant_of_the_line() -> None:
    turn = np.array([[0.8, -0.6], [0.6, 0.8]], np.float32)
    words = [(_box(10, 10, 60, 20) @ turn.T, "ROUTE"), (_box(76, 10, 40, 20) @ turn.T, "66")]
    (pair,) = neighbours(words)
    assert pair[1] == "ROUTE 66"
    np.testing.assert_allclose(pair[0] @ turn, _box(10, 10, 106, 20), atol=1e-4)
    # On the slant's own level they are not one line.
    apart = [(words[0][0], "ROUTE"), (words[1][0] + np.array([0, -40], np.float32), "66")]
    assert neighbours(apart) == []


def test_what_is_wider_than_a_crop_is_no_pair() -> None:
    assert neighbours([(_box(0, 0, 100, 20), "a"), (_box(104, 0, 100, 20), "b")]) == []
