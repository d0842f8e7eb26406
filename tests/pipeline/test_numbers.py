"""Numbers: pieces are read together, in one script, with the marks that their picture shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from drawn_boards import FONT
from PIL import Image, ImageDraw, ImageFont

from signboard.geometry import rotate_polygon_start
from signboard.pipeline.mending.numbers import (
    JoinNumbers,
    accepts_chain,
    accepts_longer,
    accepts_number,
    fraction_parts,
    in_one_script,
    is_piece,
    lost_before,
    lost_behind,
    marks_of,
    may_lack,
    with_marks,
)
from signboard.pipeline.mending.step import mend_words
from signboard.pipeline.words import ReadWord
from signboard.recognition.recognizer import CropReading

PICTURE = np.full((200, 700, 3), 90, np.uint8)


def at(
    left: float, right: float, text: str, confidence: float = 0.99, *, top: float = 60, rotation: int = 0
) -> ReadWord:
    quad = np.array([[left, top], [right, top], [right, top + 40], [left, top + 40]], np.float32)
    return ReadWord(text, confidence, quad, rotation, 0.8)


def mended(words: list[ReadWord], says: Sequence[tuple[str, float]]) -> tuple[list[str], int]:
    """(the texts from left to right, how many crops were read) when crops are read as `says` one after the other."""
    left = list(says)
    asked = 0

    def read(crops: Sequence[np.ndarray]) -> list[CropReading]:
        nonlocal asked
        asked += len(crops)
        return [CropReading(*(left.pop(0) if left else ("", 0.0))) for _ in crops]

    (result,) = mend_words([JoinNumbers(32)], [PICTURE], [words], read)
    return [word.text for word in sorted(result, key=lambda word: float(word.polygon[:, 0].min()))], asked


def card(text: str, size: int = 60) -> np.ndarray:
    """`text` in dark on light, tightly cut."""
    font = ImageFont.truetype(FONT, size)
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    picture = Image.new("RGB", (round(right - left) + 12, round(bottom - top) + 12), (240, 240, 230))
    ImageDraw.Draw(picture).text((6 - left, 6 - top), text, (20, 20, 30), font, anchor="ls")
    return np.asarray(picture)


def test_what_may_be_a_piece_of_a_number() -> None:
    assert all(map(is_piece, ["4", "999", "१२,", "OOO", "₹", "12:30", "/-", "१,५५०"]))
    assert not any(map(is_piece, ["km", "DL", "रु", "", "4th"]))


def test_zeros_take_the_script_of_their_neighbours() -> None:
    assert in_one_script("OOO", True) == "०००" and in_one_script("१2,0O०", True) == "१२,०००"
    assert in_one_script("1O0", False) == "100" and in_one_script("१२", False) == "12"


@pytest.mark.parametrize(
    ("reading", "confidence", "first", "second", "gap", "right"),
    [
        ("4,999", 0.99, "4", "999", 0.1, True),
        ("₹ ५,४५०", 0.97, "₹", "४५०", 1.4, True),  # the ५ was missed
        ("१२,०००", 0.99, "१२,", "OOO", 0.1, True),
        ("२,५०,०००", 0.95, "21", "५०,०००", 0.1, True),  # the comma was taken for a digit
        ("₹२,", 0.99, "₹", "21", 0.4, True),
        ("₹२,", 0.7, "₹", "21", 0.4, False),
        ("77026-61776", 0.99, "77026", "61776", 0.5, True),
        ("98110 12345", 0.99, "98110", "12345", 0.3, False),  # two words, as they were
        ("110001", 0.99, "110", "001", 0.3, False),  # no mark between them, and not touching
        ("110001", 0.99, "110", "001", 0.05, True),
        ("७०,५००/-", 0.79, "७०", "५००/-", 0.3, True),  # grouped, and the same digits
        ("19/04/2000", 0.6, "19/04/", "4/2000", -0.3, True),  # both boxes hold the 4/
        ("19/04/2000", 0.6, "19/04/", "4/2000", 0.3, False),
        ("70:500", 0.79, "70", "500", 0.3, False),
        ("4,999", 0.3, "4", "999", 0.1, False),  # not sure enough
        ("4,888", 0.99, "4", "999", 0.1, False),  # other digits
        ("4 km", 0.99, "4", "1", 0.1, False),
        ("", 0.0, "4", "999", 0.1, False),
    ],
)
def test_a_reading_of_two_pieces(
    reading: str, confidence: float, first: str, second: str, gap: float, right: bool
) -> None:
    assert accepts_number(reading, confidence, first, second, gap) is right


def test_lost_groups() -> None:
    assert all(map(lost_before, ["650", "६५०", "50,000", ",650", "650/-"]))
    assert not any(map(lost_before, ["65", "1650", "98110", "6a0", ""]))
    assert lost_behind("12,") and lost_behind("₹१,५०,") and not lost_behind("12") and not lost_behind("a,")
    assert accepts_longer("७,६५०", 0.9, "६५०", True) and accepts_longer("₹7,650", 0.9, "650", True)
    assert accepts_longer("12,000", 0.9, "12,", False)
    for reading in ("7650", "7,651", "650", "Rs 650", "7:650", ""):
        assert not accepts_longer(reading, 0.99, "650", True), reading
    assert not accepts_longer("7,650", 0.5, "650", True)


def test_the_dash_behind_a_stroke_and_the_plus_before_a_phone_number() -> None:
    assert lost_behind("50/") and lost_behind("₹३२,३५,०००/") and not lost_behind("a/") and not lost_behind("50")
    assert accepts_longer("50/-", 0.9, "50/", False) and not accepts_longer("50/7", 0.9, "50/", False)
    assert accepts_longer("+ ९१", 0.9, "९१", True) and not accepts_longer("+91", 0.5, "91", True)
    words = [at(120, 170, "91"), at(185, 300, "98110"), at(315, 420, "12345")]
    says = [("919811012345", 0.9), ("9198110", 0.9), ("9811012345", 0.9), ("+91", 0.95)]
    assert mended(words, says)[0] == ["+91", "98110", "12345"]
    words = [at(120, 170, "91"), at(185, 300, "km")]
    assert mended(words, [("+91", 0.95)]) == (["91", "km"], 0)


def test_pieces_of_a_date_may_stand_as_far_apart_as_a_dash() -> None:
    assert may_lack("19-07", "2002") and may_lack("१९", "०७-२००२") and may_lack("19.07", "02")
    assert not may_lack("19-07", "2002/-") and not may_lack("19", "2002")


@pytest.mark.parametrize(
    ("reading", "confidence", "pieces", "gaps", "right"),
    [
        ("₹ ४४,००,०००/-", 0.9, ["₹", "४४", "00", "000/-"], [0.4, 0.5, 0.2], True),
        ("44,00,000", 0.6, ["44", "OO", "000"], [0.5, 0.2], True),
        ("4400000", 0.9, ["44", "00", "000"], [-0.1, -0.1], True),  # they overlap
        ("4400000", 0.9, ["44", "00", "000"], [-0.1, 0.1], False),  # no mark where they stand apart
        ("91 98110 12345", 0.9, ["91", "98110", "12345"], [0.3, 0.3], False),  # as they were
        ("44,00,000", 0.4, ["44", "00", "000"], [0.5, 0.2], False),
        ("44,00,800", 0.9, ["44", "00", "000"], [0.5, 0.2], False),
        ("44,00,000 km", 0.9, ["44", "00", "000"], [0.5, 0.2], False),
    ],
)
def test_a_reading_of_all_pieces(
    reading: str, confidence: float, pieces: list[str], gaps: list[float], right: bool
) -> None:
    assert accepts_chain(reading, confidence, pieces, gaps) is right


def test_zeros_that_were_read_upside_down_belong_to_their_number() -> None:
    def turned(left: float, right: float, text: str) -> ReadWord:
        return ReadWord(text, 0.3, rotate_polygon_start(at(left, right, text).polygon, 180), 180, 0.8)

    words = [at(20, 60, "44"), turned(75, 120, "00"), at(135, 200, "000")]
    assert mended(words, [("44,00,000", 0.9)])[0] == ["44,00,000"]
    words = [at(20, 60, "44"), turned(75, 120, "65")]
    assert mended(words, [("44,65", 0.9)]) == (["44", "65"], 0)  # digits that say something else


@pytest.mark.parametrize("text", ["4,999", "2,50,000", "12.50", "1,550.00", "8.25", "७,६५०"])
@pytest.mark.parametrize("size", [24, 40, 80])
def test_marks_are_seen_in_the_picture(text: str, size: int) -> None:
    assert marks_of(card(text, size)) == [c for c in text if c in ".,"]


def test_marks_of_doubtful_numbers_are_those_of_the_picture() -> None:
    assert with_marks("4.999", [","]) == "4,999" and with_marks("२.५०.०००", [",", ","]) == "२,५०,०००"
    assert with_marks("12,50", ["."]) == "12.50"
    assert with_marks("1.250", ["."]) == "1.250"  # what is painted
    assert with_marks("12.50", [","]) == "12.50"  # no doubt: the picture is not asked
    assert with_marks("4.999", []) == "4.999" and with_marks("4.999", [",", ","]) == "4.999"


@pytest.mark.parametrize("text", ["½", "¼", "¾"])
def test_a_fraction_in_one_character_is_seen(text: str) -> None:
    found = fraction_parts(card(text))
    assert found is not None
    left, upper, lower = found
    assert left < 0.4 * card(text).shape[1] and upper.ndim == lower.ndim == 3


@pytest.mark.parametrize("text", ["12", "14", "34", "V2", "42", "1/2", "24", "km"])
def test_two_digits_are_no_fraction(text: str) -> None:
    assert fraction_parts(card(text)) is None


def test_pieces_become_one_number_and_neighbours_stay() -> None:
    words = [at(20, 60, "₹"), at(75, 95, "4"), at(102, 180, "999"), at(400, 500, "SALE")]
    texts, _ = mended(words, [("₹4", 0.4), ("4,999", 0.98), ("₹4", 0.2), ("₹4,999", 0.97)])
    assert texts in (["₹4,999", "SALE"], ["₹", "4,999", "SALE"])


def test_a_joined_number_has_the_best_detection_score() -> None:
    first, second = at(75, 95, "4"), at(102, 180, "999")
    second = ReadWord(second.text, 0.9, second.polygon, 0, 0.91)

    def read(crops: Sequence[np.ndarray]) -> list[CropReading]:
        return [CropReading("4,999", 0.98)] * len(crops)

    ((word,),) = mend_words([JoinNumbers(32)], [PICTURE], [[first, second]], read)
    assert word.text == "4,999" and word.score == 0.91 and word.confidence == 0.98
    assert word.polygon[:, 0].min() == 75 and word.polygon[:, 0].max() == 180


def test_letters_that_are_zeros() -> None:
    texts, _ = mended([at(20, 90, "१२,"), at(95, 180, "OOO")], [("१२", 0.2), ("१२", 0.2), ("१२", 0.2)])
    assert texts == ["१२,", "०००"]
    texts, asked = mended([at(20, 90, "OOO"), at(95, 180, "LOO")], [])
    assert texts == ["OOO", "LOO"] and asked == 0


def test_the_dash_between_times_comes_back() -> None:
    words = [at(20, 100, "7:30"), at(115, 165, "AM"), at(220, 300, "9:30"), at(315, 365, "PM")]
    texts, asked = mended(words, [("-", 0.6)])
    assert texts == ["7:30", "AM", "-", "9:30", "PM"] and asked == 1
    for says in (("", 0.0), ("-", 0.1), ("to", 0.9)):
        assert "-" not in mended(words, [says])[0]
    words = [at(20, 100, "Delhi"), at(160, 240, "45")]
    assert mended(words, [("-", 0.9)]) == (["Delhi", "45"], 0)


def test_a_dash_that_was_found_between_times_is_as_sure_as_they_are() -> None:
    dash = ReadWord("-", 0.99, at(180, 200, "-").polygon, 0, 0.71)
    words = [at(20, 160, "4:30"), dash, at(220, 360, "10:30")]
    (result,) = mend_words([JoinNumbers(32)], [PICTURE], [words], lambda crops: [CropReading("", 0.0)] * len(crops))
    assert [(word.text, word.score) for word in result if word.text == "-"] == [("-", 0.8)]
    words = [at(20, 160, "HOTEL"), dash, at(220, 360, "10:30")]
    (result,) = mend_words([JoinNumbers(32)], [PICTURE], [words], lambda crops: [CropReading("", 0.0)] * len(crops))
    assert [word.score for word in result if word.text == "-"] == [0.71]


def test_photos_without_digits_cost_nothing() -> None:
    texts, asked = mended([at(20, 60, "NO"), at(75, 195, "PARKING"), at(202, 280, "OOO")], [])
    assert texts == ["NO", "PARKING", "OOO"] and asked == 0


def test_curved_and_turned_words_are_not_torn() -> None:
    ring = np.array([[20, 60], [60, 40], [100, 60], [100, 100], [60, 80], [20, 100]], np.float32)
    words = [ReadWord("4", 0.9, ring), at(110, 180, "999"), at(75, 95, "4", 180)]
    texts, _ = mended(words, [])
    assert sorted(texts) == ["4", "4", "999"]
