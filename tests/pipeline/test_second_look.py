"""Unsure words are read once more with more around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from signboard.geometry import bounding_quad
from signboard.pipeline.mending import mend_words
from signboard.pipeline.mending.second_look import LookAgain
from signboard.pipeline.words import ReadWord
from signboard.recognition.recognizer import CropReading


def word(text: str, confidence: float, left: float, right: float, top: float = 100, bottom: float = 140) -> ReadWord:
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return ReadWord(text, confidence, bounding_quad(corners), score=0.8)


def look_again(words: list[ReadWord], says: Sequence[tuple[str, float]]) -> tuple[list[tuple[str, float]], list[int]]:
    """((text, confidence) of each word, columns of each crop that was asked for)."""
    asked: list[int] = []

    def read(crops: Sequence[np.ndarray]) -> list[CropReading]:
        asked.extend(crop.shape[1] for crop in crops)
        return [CropReading(*reading) for reading in says]

    picture = np.full((300, 600, 3), 90, np.uint8)
    (result,) = mend_words([LookAgain(48)], [picture], [words], read)
    assert [w.polygon.tolist() for w in result] == [w.polygon.tolist() for w in words]
    return [(w.text, w.confidence) for w in result], asked


def test_the_surer_reading_counts() -> None:
    words = [word("HOTEI", 0.5, 50, 150), word("MAIN", 0.95, 200, 300), word("Salc", 0.6, 350, 450)]
    found, asked = look_again(words, [("HOTEL", 0.7), ("Sale", 0.55)])
    assert found == [("HOTEL", 0.7), ("MAIN", 0.95), ("Salc", 0.6)]
    # 100 x 40 pixels with 0.15 of the height on each side.
    assert asked == [round(112 * 48 / 52)] * 2


def test_sure_curved_and_stacked_words_cost_nothing() -> None:
    arch = ReadWord("CAFE", 0.4, np.array([[0, 20], [50, 0], [100, 20], [100, 60], [50, 40], [0, 60]], np.float32))
    assert look_again([word("HOTEL", 0.8, 50, 150), arch], []) == ([("HOTEL", 0.8), ("CAFE", 0.4)], [])
    stacked = word("BAR", 0.4, 50, 80, 100, 190)
    assert look_again([stacked], []) == ([("BAR", 0.4)], [])
    assert look_again([word("I", 0.4, 50, 60)], [("1", 0.7)])[0] == [("1", 0.7)]
    assert look_again([], []) == ([], [])


def test_nothing_and_several_words_are_no_reading_of_a_word() -> None:
    words = [word("HOTEI", 0.5, 50, 150), word("MAIN", 0.5, 200, 300)]
    assert look_again(words, [("", 0.9), ("MAIN ST", 0.9)])[0] == [("HOTEI", 0.5), ("MAIN", 0.5)]


def test_a_comma_that_was_found_is_kept() -> None:
    assert look_again([word("₹7,550/-", 0.6, 50, 150)], [("₹7550", 0.9)])[0] == [("₹7,550/-", 0.9)]
