"""From words to what users get."""

from __future__ import annotations

import numpy as np
import pytest

from signboard.photo import Photo
from signboard.pipeline.result import to_reading, to_word
from signboard.pipeline.words import ReadWord

EDGE = ReadWord("REGISTER", 0.76, np.array([[-4.8, 14], [54, 12], [102, 52], [-4.5, 26]], np.float32), score=0.9)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_no_corner_lies_outside_the_photo(scale: float) -> None:
    photo = Photo(np.zeros((50, 100, 3), np.uint8), "a.jpg", round(100 / scale), round(50 / scale), scale)
    (word,) = to_reading(photo, [EDGE]).words
    expected = np.array([[0, 14], [54, 12], [100, 50], [0, 26]]) / scale
    np.testing.assert_allclose(np.array(word.polygon), expected, atol=0.05)


def test_a_place_that_was_asked_about_stays_where_it_is() -> None:
    assert to_word(EDGE).polygon[0] == (-4.8, 14.0)
