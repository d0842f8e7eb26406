"""Numbers: pieces are read together, in one script, with the marks that their picture shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from drawn_boards import FONT
from PIL import Image, ImageDraw, ImageFont

from signboard.geometry import rotate_polygon_start
from signboard.pipeline.mending.number_marks import fraction_parts, ink_reach, marks_of, shows_dash, with_marks
from signboard.pipeline.mending.number_text import (
    accepts_beside,
    accepts_chain,
    accepts_instead,
    accepts_longer,
    accepts_number,
    in_one_script,
    is_piece,
    lacks_middle,
    lost_before,
    lost_behind,
    may_have_signs,
    may_lack,
    most_agreed_number,
)
from signboard.pipeline.mending.numbers import JoinNumbers
from signboard.pipeline.mending.step import mend_words
from signboard.pipeline.words import ReadWord, cut_out
from signboard.recognition.recognizer import CropReading

PICTURE = np.full((200, 700, 3), 90, np.uint8)


def at(
    left: float, right: float, text: str, confidence: float = 0.99, *, top: float = 60, rotation: int = 0
) -> ReadWord:
    quad = np.array([[left, top], [right, top], [right, top + 40], [left, top + 40]], np.float32)
    return ReadWord(text, confidence, quad, rotation, 0.8)


def mended(
    words: list[ReadWord], says: Sequence[tuple[str, float]], picture: np.ndarray = PICTURE
) -> tuple[list[str], int]:
    """(the texts from left to right, how many crops were read) when crops are read as `says` one after the other."""
    left = list(says)
    asked = 0

    def read(crops: Sequence[np.ndarray]) -> list[CropReading]:
        nonlocal asked
        asked += len(crops)
        return [CropReading(*(left.pop(0) if left else ("", 0.0))) for _ in crops]

    (result,) = mend_words([JoinNumbers(32)], [picture], [words], read)
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
        ("₹ २,५०,०००", 0.7, "₹२,", "५०,०००", 0.1, True),
        ("₹ 450", 0.99, "₹", "450", 0.4, False),  # as they were
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
    words = [at(120, 260, "9198110"), at(275, 390, "12345")]
    assert mended(words, [("919811012345", 0.4), ("+9198110", 0.95)])[0] == ["+9198110", "12345"]
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
        ("₹ २,५०,०००", 0.97, ["₹", "21", "५०,०००"], [0.4, 0.1], True),  # the comma was taken for a digit
        ("₹ २,५०,०००", 0.7, ["₹", "21", "५०,०००"], [0.4, 0.1], False),
        ("₹ २,५०,०००", 0.97, ["₹", "27", "५०,०००"], [0.4, 0.1], False),
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
    assert mended(words, [("44,65", 0.9)]) == (["44", "65"], 2)  # digits that say something else


@pytest.mark.parametrize("text", ["4,999", "2,50,000", "12.50", "1,550.00", "8.25", "७,६५०"])
@pytest.mark.parametrize("size", [24, 40, 80])
def test_marks_are_seen_in_the_picture(text: str, size: int) -> None:
    assert marks_of(card(text, size)) == [c for c in text if c in ".,"]


def test_marks_of_doubtful_numbers_are_those_of_the_picture() -> None:
    assert with_marks("4.999", [","]) == "4,999" and with_marks("२.५०.०००", [",", ","]) == "२,५०,०००"
    assert with_marks("12,50", ["."]) == "12.50"
    assert with_marks("७.८५,०००", [",", ","]) == "७,८५,०००"
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


# What stands beside a number -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "confidence", "text", "before", "right"),
    [
        ("₹ ९९१", 0.6, "९९१", True, True),
        ("₹४५,५००", 0.88, "४५,५००", True, True),
        ("₹ ९९२", 0.9, "९९१", True, False),  # another number
        ("रु ९९१", 0.9, "९९१", True, False),  # no sign
        ("₹ ९९१", 0.5, "९९१", True, False),  # not sure
        ("४,९००/-", 0.6, "४,९००", False, True),
        ("50/-", 0.8, "50/", False, True),
        ("50-", 0.99, "50", False, False),  # perhaps 50-60
        ("४,९००)", 0.9, "४,९००", False, False),
        ("०६८६६", 0.95, "०६८६", False, True),  # its last digit was cut off
        ("०६८६६", 0.8, "०६८६", False, False),
        ("०६८ ६६", 0.95, "०६८६", False, False),
        ("50l", 0.99, "50", False, False),  # a letter
        ("50 1", 0.99, "50", False, False),
        ("", 0.0, "50", True, False),
        ("₹", 0.9, "50", True, False),
    ],
)
def test_a_number_with_what_stands_beside_it(
    reading: str, confidence: float, text: str, before: bool, right: bool
) -> None:
    assert accepts_beside(reading, confidence, text, before) is right


def test_a_digit_that_was_cut_off_an_unsure_number() -> None:
    assert accepts_beside("८९८५९१८६३२", 0.77, "८९८५९१८६३", False, known=0.81)
    assert not accepts_beside("८९८५९१८६३२", 0.77, "८९८५९१८६३", False, known=0.9)
    assert not accepts_beside("८९८५९१८६३२", 0.6, "८९८५९१८६३", False, known=0.5)


def test_signs_on_both_sides_of_a_number() -> None:
    words = [at(20, 50, "₹", 0.44), at(70, 160, "३२,९५०"), at(165, 190, ")", 0.3)]
    says = [("₹ ३२,९५०", 0.8), ("₹ ३२,९५०", 0.8), ("३२,९५०/-", 0.9), ("३२,९५०/-", 0.9)]
    assert mended(words, says)[0] == ["₹", "३२,९५०/-"]


def test_numbers_that_may_have_signs() -> None:
    assert all(map(may_have_signs, ["४५,५००", "99", "₹500", "+91", "१२.५०", "50/"]))
    assert not any(map(may_have_signs, ["5", "km", "50%", "", "4th"]))


def test_what_most_looks_at_a_number_say() -> None:
    assert most_agreed_number("८१४६", 0.66, [("८१४९", 0.6), ("८१४९", 0.5)]) == ("८१४९", 0.55)
    assert most_agreed_number("८१४६", 0.66, [("८१४६", 0.9), ("८१४९", 0.5)]) == ("८१४६", 0.66)  # no surer than it was
    assert most_agreed_number("८१४६", 0.66, [("८१४९", 0.6), ("८१४", 0.9)]) == ("८१४६", 0.66)  # another count of digits
    assert most_agreed_number("12.50", 0.7, [("12,50", 0.9), ("12,50", 0.9)]) == ("12.50", 0.7)  # other marks


def test_an_unsure_piece_read_with_its_neighbour() -> None:
    assert accepts_instead("₹९,२००", 0.63, ("₹६,", 0.51), ("२००", 1.0))
    assert not accepts_instead("₹९,३००", 0.63, ("₹६,", 0.51), ("२००", 1.0))  # the sure piece says something else
    assert not accepts_instead("₹९२,००", 0.63, ("₹६,", 0.51), ("२००", 1.0))  # other marks
    assert not accepts_instead("₹९,२००", 0.50, ("₹६,", 0.51), ("२००", 1.0))  # less sure
    assert mended([at(20, 60, "₹६,", 0.51), at(62, 120, "२००")], [("₹९,२००", 0.85)])[0] == ["₹९,२००"]


@pytest.mark.parametrize(
    ("first", "second", "right"),
    [("०८", "२०१६", True), ("08-", "-2016", True), ("08", "45", False), ("500", "2016", False), ("08", "5016", False)],
)
def test_the_month_between_a_day_and_a_year_may_be_missed(first: str, second: str, right: bool) -> None:
    assert lacks_middle(first, second) is right
    reading = f"{first.strip('-')}-12-{second.strip('-')}"
    assert accepts_number(reading, 0.9, first, second, 2.5) is right
    assert not accepts_number(reading, 0.7, first, second, 2.5)


def test_a_date_whose_month_was_missed_is_read_as_one() -> None:
    words = [at(20, 60, "०८"), at(160, 240, "२०१६")]
    assert mended(words, [("०८-१२-२०१६", 0.9)])[0] == ["०८-१२-२०१६"]
    assert mended(words, [("०८ २०१६", 0.9)])[0] == ["०८", "२०१६"]
    assert mended([at(20, 60, "०८"), at(160, 240, "५०१")], [("०८-१२-५०१", 0.9)] * 3)[0] == ["०८", "५०१"]


@pytest.mark.parametrize("word", [("है", 0.23), ("र", 0.99), ("₹", 0.35)])
def test_a_sign_that_was_misread_before_a_number(word: tuple[str, float]) -> None:
    words = [at(20, 50, *word), at(70, 160, "९,४०,०००")]
    says = [("₹ ९,४०,०००", 0.7)] * 3
    assert mended(words, says)[0] == ["₹", "९,४०,०००"]


def test_words_beside_a_number_stay() -> None:
    words = [at(20, 60, "NH", 0.98), at(75, 120, "44"), at(140, 170, "km", 0.97)]
    assert mended(words, []) == (["NH", "44", "km"], 0)


def test_a_stroke_and_a_dash_that_were_misread_behind_a_number() -> None:
    words = [at(20, 100, "४,९००"), at(104, 130, ")", 0.55)]
    assert mended(words, [("४,९००/-", 0.8)] * 3)[0] == ["४,९००/-"]
    assert mended(words, [("४,९००)", 0.8)] * 3)[0] == ["४,९००", ")"]


def test_a_plus_that_was_found_apart_is_there_once() -> None:
    words = [at(45, 65, "+"), at(104, 300, "919811012345")]
    assert mended(words, [("+919811012345", 0.9)])[0] == ["+919811012345"]


def test_a_short_piece_askew_does_not_turn_its_number() -> None:
    askew = np.array([[20, 50], [60, 60], [54, 104], [14, 94]], np.float32)
    words = [ReadWord("6,", 0.9, askew, 0, 0.8), at(60, 300, "95,000")]

    def read(crops: Sequence[np.ndarray]) -> list[CropReading]:
        return [CropReading("6,95,000", 0.99) for _ in crops]

    ((whole,),) = mend_words([JoinNumbers(32)], [PICTURE], [words], read)
    along = whole.polygon[1] - whole.polygon[0]
    assert whole.text == "6,95,000" and abs(along[1]) < 0.06 * along[0]


def line_of(text: str, number: str, size: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A picture of `text`, and the quad (4, 2) around the `number` in it."""
    font = ImageFont.truetype(FONT, size)
    picture = Image.new("RGB", (round(font.getlength(text)) + 400, 3 * size), (235, 235, 230))
    ImageDraw.Draw(picture).text((200, 2 * size), text, (20, 20, 30), font, anchor="ls")
    start = 200 + font.getlength(text[: text.index(number)])
    left, top, right, bottom = font.getbbox(number, anchor="ls")
    left, right, top, bottom = start + left, start + right, 2 * size + top, 2 * size + bottom
    quad = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return np.asarray(picture), quad


@pytest.mark.parametrize("size", [24, 60, 120])
def test_ink_beside_a_number_is_seen(size: int) -> None:
    for text, before, least, most in [
        ("₹ 450", True, 0.7, 1.5), ("₹450", True, 0.5, 1.0), ("₹ 450", False, 0, 0), ("450", True, 0, 0),
        ("450/-", False, 0.5, 1.6), ("450", False, 0, 0), ("450 .", False, 0, 0), ("450 रुपये मात्र", False, 0, 0),
        ("बिक्री 450", True, 0, 0),
    ]:  # fmt: skip
        picture, quad = line_of(text, "450", size)
        assert least <= ink_reach(picture, quad, before) <= most, (text, before)


def test_a_frame_beside_a_number_is_no_ink_of_it() -> None:
    picture, quad = line_of("450", "450")
    framed = picture.copy()
    right = round(float(quad[1, 0])) + 20
    framed[:, right : right + 6] = 20
    assert ink_reach(picture, quad, False) == ink_reach(framed, quad, False) == 0


def test_a_digit_that_was_cut_off_and_a_sign_that_was_not_found() -> None:
    picture, quad = line_of("06866", "0686")
    words = [ReadWord("0686", 0.99, quad, 0, 0.8)]
    assert mended(words, [("06866", 0.96)], picture) == (["06866"], 1)
    assert mended(words, [("0686G", 0.96)], picture) == (["0686"], 1)
    picture, quad = line_of("₹ 450", "450")
    words = [ReadWord("450", 0.99, quad, 0, 0.8)]
    assert mended(words, [("₹ 450", 0.7)] * 2, picture)[0] == ["₹", "450"]
    picture, quad = line_of("450", "450")
    assert mended([ReadWord("45.50", 0.99, quad, 0, 0.8)], [], picture) == (["45.50"], 0)


def test_a_dash_within_the_box_of_a_day_comes_back() -> None:
    words = [at(20, 130, "Mon"), at(145, 200, "Sat"), at(220, 300, "11", top=120)]
    assert mended(words, [("Mon - Sat", 0.8)])[0] == ["Mon", "-", "Sat", "11"]
    assert mended(words, [("Mon Sat", 0.8)])[0] == ["Mon", "Sat", "11"]
    assert mended(words, [("Mon - Sun", 0.8)])[0] == ["Mon", "Sat", "11"]
    assert mended([at(20, 100, "11:30"), at(110, 150, "AM")], []) == (["11:30", "AM"], 0)


def test_a_place_that_says_nothing_between_times_may_be_a_dash() -> None:
    words = [at(20, 60, "AM"), at(85, 100, "", 0.0), at(130, 200, "3:30")]
    assert sorted(mended(words, [("-", 0.6)] * 3)[0]) == ["", "-", "3:30", "AM"]


@pytest.mark.parametrize(
    ("between", "right"), [("-", True), ("–", True), ("—", True), (".", False), ("·", False), (":", False), ("", False),
                           ("to", False), ("|", False), ("=", False), ("/", False), ("_", False)],
)  # fmt: skip
@pytest.mark.parametrize("size", [30, 60])
def test_a_dash_between_words_is_seen(between: str, right: bool, size: int) -> None:
    picture, quad = line_of(f"AM {between} 9", "9", size)
    font = ImageFont.truetype(FONT, size)
    gap = quad.copy()
    gap[[0, 3], 0] = 202 + font.getlength("AM")
    gap[[1, 2], 0] = quad[0, 0] - 2
    assert shows_dash(cut_out(picture, gap, 32)) is right


def test_a_dash_between_times_that_was_read_as_a_point() -> None:
    picture, quad = line_of("AM - 9:30", "9:30")
    am = line_of("AM - 9:30", "AM")[1]
    am[2:, 1] = quad[2:, 1]
    am[:2, 1] = quad[:2, 1]
    words = [ReadWord("AM", 0.99, am, 0, 0.9), ReadWord("9:30", 0.97, quad, 0, 0.9)]
    assert mended(words, [(".", 0.8)] * 3, picture)[0] == ["AM", "-", "9:30"]
    assert mended(words, [("to", 0.8)] * 3, picture)[0] == ["AM", "9:30"]
    assert mended(words, [(".", 0.8)] * 3, np.full_like(picture, 235))[0] == ["AM", "9:30"]


def test_a_fraction_whose_stroke_begins_below_its_upper_figure() -> None:
    picture = Image.new("RGB", (90, 110), (250, 250, 250))
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(FONT, 44)
    pen.text((14, 48), "1", (20, 30, 120), font, anchor="ls")
    pen.text((50, 98), "2", (20, 30, 120), font, anchor="ls")
    pen.line((10, 98, 72, 12), (20, 30, 120), 3)
    found = fraction_parts(np.asarray(picture))
    assert found is not None and found[0] <= 20


def test_a_low_group_of_zeros_beside_a_piece_with_a_comma() -> None:
    tall = np.array([[129, 55], [281, 55], [281, 136], [129, 136]], np.float32)
    low = np.array([[266, 68], [412, 68], [412, 110], [266, 110]], np.float32)
    words = [ReadWord("₹६३,", 0.93, tall, 0, 0.8), ReadWord("OOO", 0.91, low, 0, 0.8)]
    assert mended(words, [("₹६३,०००", 0.94)])[0] == ["₹६३,०००"]


def test_bold_commas_beside_low_zeros_are_seen() -> None:
    boxes = [(8, 6, 39, 43), (72, 6, 34, 44), (109, 6, 36, 48), (168, 14, 31, 30), (206, 14, 31, 30), (244, 14, 31, 30)]
    picture = np.full((64, 283, 3), 30, np.uint8)
    for x, y, wide, tall in [*boxes, (53, 40, 13, 22), (147, 40, 13, 22)]:
        picture[y : y + tall, x : x + wide] = (250, 220, 40)
    assert marks_of(picture) == [",", ","]
