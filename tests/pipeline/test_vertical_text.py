"""Words written downwards are found among single letters, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from signboard import Reader
from signboard.detection import Detections, Detector
from signboard.pipeline.mending.verification import Verifier
from signboard.pipeline.mending.vertical_text import letter, side_by_side, vertical_words
from signboard.recognition import Recognizer
from signboard.recognition.recognizer import CropReading


def _at(text: str, x: float, y: float, width: float = 30, height: float = 40) -> tuple[str, np.ndarray]:
    return text, np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


HOTEL = [_at(c, 100, 50 + 50 * i) for i, c in enumerate("HOTEL")]


@pytest.mark.parametrize(
    ("text", "single"), [("A", True), ("7", True), ("हो", True), ("म्", True), ("AB", False), ("A.", False), ("", False)]
)
def test_letters(text: str, single: bool) -> None:
    assert letter(text) is single


def test_a_column_of_letters_is_one_word_whatever_the_order() -> None:
    assert vertical_words(HOTEL) == [[0, 1, 2, 3, 4]]
    mixed = [HOTEL[i] for i in (3, 0, 4, 2, 1)]
    assert [[mixed[i][0] for i in column] for column in vertical_words(mixed)] == [list("HOTEL")]


def test_narrow_letters_digits_among_letters_and_other_words_elsewhere() -> None:
    words = [
        _at("T", 100, 50),
        _at("1", 110, 100, 10),
        _at("L", 100, 150),
        _at("E", 100, 200),
        _at("SHOP", 300, 60, 200),
    ]
    assert vertical_words(words) == [[0, 1, 2, 3]]


@pytest.mark.parametrize(
    "words",
    [
        HOTEL[:2],
        [_at(c, 100, 50 + 50 * i) for i, c in enumerate("1234")],  # a keypad's column, house numbers
        [_at(c, 100, 50 + 120 * i) for i, c in enumerate("ABCD")],  # too far apart
        [_at(c, 100 + 30 * i, 50 + 50 * i) for i, c in enumerate("ABCD")],  # a staircase
        [_at(c, 100, 50 + 50 * i) for i, c in enumerate("ABCD")]
        + [_at("word", 145, 50 + 50 * i, 90) for i in range(4)],
        [_at(c, 100 + 40 * (i % 3), 50 + 50 * (i // 3)) for i, c in enumerate("ABCDEFGHI")],  # a grid
        [_at(c, 100, 50 + 50 * i, 30 * 2**i, 40 * 2**i) for i, c in enumerate("ABC")],  # an eye test
        [_at(text, 100, 50 + 50 * i) for i, text in enumerate(["IN", "OF", "TO"])],
        [],
    ],
)
def test_what_is_no_word_written_downwards(words: list[tuple[str, np.ndarray]]) -> None:
    assert vertical_words(words) == []


def test_letters_stand_side_by_side_in_the_crop() -> None:
    pixels = np.zeros((400, 300, 3), np.uint8)
    for i, (_, polygon) in enumerate(HOTEL):
        (left, top), (right, bottom) = polygon[0].astype(int), polygon[2].astype(int)
        pixels[top:bottom, left:right] = 40 * (i + 1)
    crop = side_by_side(pixels, [polygon for _, polygon in HOTEL], 32)
    assert crop.shape == (32, 5 * 24, 3)
    assert [round(float(crop[16, 24 * i + 12, 0])) for i in range(5)] == [40, 80, 120, 160, 200]


class _Letters(Recognizer):
    """Reads a letter from each crop that is no wider than high, by its grey; from a wide one what it is told."""

    def __init__(self, wide: str, confidence: float) -> None:
        self.height, self.card, self.wide, self.confidence = 32, {}, wide, confidence
        self.language = None

    def read_lines(self, crops: Sequence[np.ndarray]) -> list[CropReading]:
        readings = []
        for crop in crops:
            if crop.shape[1] > 1.5 * crop.shape[0]:
                readings.append(CropReading(self.wide, self.confidence))
            else:
                readings.append(CropReading("H0TEL"[round(float(crop[16, crop.shape[1] // 2, 0])) // 40 - 1], 0.8))
        return readings


class _Found(Detector):
    def __init__(self) -> None:
        self.side = 400
        self.card, self.box_threshold = {}, 0.5

    def detect(self, photos: Sequence[np.ndarray], **_: object) -> list[Detections]:
        return [Detections([polygon for _, polygon in HOTEL], [0.9, 0.8, 0.95, 0.9, 0.9])]


@pytest.mark.parametrize(
    ("wide", "confidence", "text", "sure"), [("HOTEL", 0.97, "HOTEL", 0.97), ("HO EL", 0.4, "H0TEL", 0.8)]
)
def test_the_reader_reads_a_column_as_one_word(wide: str, confidence: float, text: str, sure: float) -> None:
    pixels = np.zeros((400, 300, 3), np.uint8)
    for i, (_, polygon) in enumerate(HOTEL):
        (left, top), (right, bottom) = polygon[0].astype(int), polygon[2].astype(int)
        pixels[top:bottom, left:right] = 40 * (i + 1)
    (word,) = Reader(device="cpu", detector=_Found(), recognizer=_Letters(wide, confidence)).read(pixels).words
    assert (word.text, word.confidence, word.detection_score, word.rotation) == (text, sure, 0.8, 0)
    assert word.polygon == ((100.0, 50.0), (130.0, 50.0), (130.0, 290.0), (100.0, 290.0))


def test_a_place_that_may_be_no_word_is_no_letter_of_a_column() -> None:
    class Unsure(_Found):
        def detect(self, photos: Sequence[np.ndarray], **_: object) -> list[Detections]:
            (found,) = super().detect(photos)
            below = HOTEL[-1][1] + np.array([0, 50], np.float32)
            return [Detections([*found.polygons, below], [*found.scores, 0.4])]

    pixels = np.zeros((400, 300, 3), np.uint8)
    for i, polygon in enumerate([*(polygon for _, polygon in HOTEL), HOTEL[-1][1] + np.array([0, 50], np.float32)]):
        (left, top), (right, bottom) = polygon[0].astype(int), polygon[2].astype(int)
        pixels[top:bottom, left:right] = 40 * min(i + 1, 5)
    keep_all = Verifier(0.3, 100.0, 0.0, 0.0, 0.0, 0.0)
    reader = Reader(device="cpu", detector=Unsure(), recognizer=_Letters("HOTEL", 0.97), verifier=keep_all)
    words = sorted((word.text, word.detection_score) for word in reader.read(pixels).words)
    assert words == [("HOTEL", 0.8), ("L", 0.4)]


def test_places_that_are_known_are_read_in_their_order() -> None:
    pixels = np.zeros((400, 300, 3), np.uint8)
    for i, (_, polygon) in enumerate(HOTEL):
        (left, top), (right, bottom) = polygon[0].astype(int), polygon[2].astype(int)
        pixels[top:bottom, left:right] = 40 * (i + 1)
    reader = Reader(device="cpu", detector=_Found(), recognizer=_Letters("", 0.0))
    words = reader.read_at(pixels, [HOTEL[2][1], HOTEL[0][1]])
    assert [word.text for word in words] == ["T", "H"]
    assert words[0].polygon[0] == (100.0, 150.0) and words[0].confidence == 0.8
    assert reader.read_at(pixels, []) == []
