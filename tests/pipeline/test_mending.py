"""The contract of mending steps: crops out, readings in, words out; each can be switched off by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from signboard import Reader
from signboard.errors import SignboardError
from signboard.geometry import ImageArray
from signboard.pipeline.mending import STEPS, Mending, mend_words
from signboard.pipeline.words import ReadWord
from signboard.recognition.recognizer import CropReading

QUAD = np.array([[0, 0], [9, 0], [9, 9], [0, 9]], np.float32)
SAMPLE = Path(__file__).resolve().parents[2] / "data" / "samples" / "road.jpg"


class Again:
    """Reads each word `times` times again, and takes what it is told."""

    name = "again"

    def __init__(self, times: int) -> None:
        self.times = times

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        for _ in range(self.times if words else 0):
            readings = yield [picture] * len(words)
            words = [replace(w, text=w.text + r.text) for w, r in zip(words, readings, strict=True)]
        return words


def _word(text: str) -> ReadWord:
    return ReadWord(text, 1.0, QUAD)


def test_crops_of_all_pictures_are_read_together_and_each_gets_its_own_back() -> None:
    pictures = [np.full((9, 9, 3), grey, np.uint8) for grey in (1, 2, 3)]
    shown: list[list[int]] = []

    def read(crops: Sequence[ImageArray]) -> list[CropReading]:
        shown.append([int(crop[0, 0, 0]) for crop in crops])
        return [CropReading(str(grey), 1.0) for grey in shown[-1]]

    words = [[_word("a"), _word("b")], [], [_word("c")]]
    result = mend_words([Again(1), Again(2)], pictures, words, read)
    assert [[word.text for word in some] for some in result] == [["a111", "b111"], [], ["c333"]]
    assert shown == [[1, 1, 3]] * 3
    assert [word.text for word in words[0]] == ["a", "b"]


def test_a_step_that_asks_for_nothing_reads_nothing() -> None:
    def read(crops: Sequence[ImageArray]) -> list[CropReading]:
        raise AssertionError("nothing was to be read")

    assert mend_words([Again(0)], [np.zeros((9, 9, 3), np.uint8)], [[_word("a")]], read)[0][0].text == "a"
    assert mend_words([], [np.zeros((9, 9, 3), np.uint8)], [[_word("a")]], read)[0][0].text == "a"
    assert mend_words([Again(3)], [], [], read) == []


def test_every_step_can_be_switched_off_by_its_name() -> None:
    reader = Reader(device="cpu")
    assert [step.name for step in reader.steps] == list(STEPS)
    for name in STEPS:
        less = Reader(device="cpu", detector=reader.detector, recognizer=reader.recognizer, without=[name])
        assert [step.name for step in less.steps] == [other for other in STEPS if other != name]
    bare = Reader(device="cpu", detector=reader.detector, recognizer=reader.recognizer, without=STEPS)
    assert bare.steps == [] and len(bare.read(SAMPLE).words) >= len(reader.read(SAMPLE).words) > 0
    with pytest.raises(SignboardError, match="no mending step 'joining'; there are orientation, numbers"):
        Reader(without=["joining"])
