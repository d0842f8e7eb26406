"""A picture that may be one word is read as one, too; on others nothing is read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from signboard.pipeline.mending.step import mend_words
from signboard.pipeline.mending.whole_picture import ReadWholePicture
from signboard.pipeline.words import ReadWord
from signboard.recognition.recognizer import CropReading


def word(text: str, confidence: float, left: float, top: float, right: float, bottom: float) -> ReadWord:
    quad = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return ReadWord(text, confidence, quad, 0, 0.8)


def read_whole(
    size: tuple[int, int],
    words: list[ReadWord],
    says: tuple[str, float],
    bordered: tuple[str, float] = ("", 0.0),
    courses: Sequence[tuple[str, float]] = (),
) -> tuple[list[str], int]:
    """(texts, crops read) of a picture of `size` (width, height); `courses`: what its first courses say, the others "".

    Crops along courses are not counted.
    """
    asked = 0

    def read(crops: Sequence[np.ndarray]) -> list[CropReading]:
        nonlocal asked
        if asked:
            return [CropReading(*(courses[i] if i < len(courses) else ("", 0.0))) for i in range(len(crops))]
        asked += len(crops)
        return [CropReading(*says), CropReading(*bordered)]

    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    (result,) = mend_words([ReadWholePicture(0.2, 48)], [picture], [words], read)
    return [w.text for w in result], asked


def test_a_picture_on_which_nothing_was_found() -> None:
    assert read_whole((439, 143), [], ("EXIT", 0.99)) == (["EXIT"], 2)
    assert read_whole((200, 80), [], ("42", 0.3), ("42", 0.8)) == (["42"], 2)
    for says in (("EXIT", 0.4), ("", 0.0), ("L", 0.86), ("NO EXIT", 0.9), ("--", 0.9)):
        assert read_whole((439, 143), [], says)[0] == [], says
    assert read_whole((60, 900), [], ("EXIT", 0.99)) == ([], 0)  # too narrow for a word


def test_where_nothing_was_found_both_readings_count() -> None:
    assert read_whole((439, 143), [], ("EXIT", 0.55), ("EXIT", 0.3))[0] == ["EXIT"]
    assert read_whole((439, 143), [], ("EXIT", 0.55), ("EDIT", 0.3))[0] == []
    assert read_whole((439, 143), [], ("EXIT", 0.65), ("EDIT", 0.3))[0] == ["EXIT"]
    assert read_whole((200, 150), [], ("92", 0.7), ("92", 0.6))[0] == []
    assert read_whole((200, 150), [], ("2", 0.95), ("2", 0.1))[0] == []  # one of both is a guess
    assert read_whole((200, 150), [], ("2", 0.95), ("2", 0.6))[0] == ["2"]


def test_the_surer_reading_counts() -> None:
    tight = [word("DAIL", 0.83, 2, 5, 95, 58)]
    assert read_whole((130, 63), tight, ("DAILY", 0.86))[0] == ["DAILY"]
    assert read_whole((130, 63), tight, ("DABRY", 0.5))[0] == ["DAIL"]
    two = [word("MAIN", 0.99, 2, 5, 95, 58), word("STREET", 0.98, 110, 5, 290, 58)]
    assert read_whole((300, 63), two, ("MAINSTREET", 0.7))[0] == ["MAIN", "STREET"]


def test_an_unsure_picture_is_read_along_other_courses() -> None:
    arch = [("STARBUCKS", 0.8), ("STARBUCKS", 0.7), ("STAR", 0.9)]
    assert read_whole((300, 130), [], ("ARENA", 0.4), courses=arch)[0] == ["STARBUCKS"]
    assert read_whole((300, 130), [], ("ARENA", 0.4), courses=[("STARBUCKS", 0.58)])[0] == []  # one alone
    assert read_whole((300, 130), [], ("ARENA", 0.95), courses=arch)[0] == ["ARENA"]
    assert read_whole((300, 130), [], ("", 0.0), courses=arch)[0] == ["STARBUCKS"]
    assert read_whole((900, 390), [], ("", 0.0), courses=arch)[0] == []
    found = [word("STAPBUCKS", 0.6, 2, 2, 298, 128)]
    assert read_whole((300, 130), found, ("ARENA", 0.4), courses=arch)[0] == ["STARBUCKS"]
    sure = [word("STARBUCKS", 0.95, 2, 2, 298, 128)]
    assert read_whole((300, 130), sure, ("ARENA", 0.4), courses=[("ARENAS", 0.99)] * 3)[0] == ["STARBUCKS"]


def test_a_whole_that_holds_the_pieces_found_takes_their_place() -> None:
    pieces = [word("NS", 1.0, 140, 5, 170, 58)]
    assert read_whole((174, 63), pieces, ("HIGGINS", 0.91))[0] == ["HIGGINS"]
    assert read_whole((174, 63), pieces, ("HIGGINS", 0.6))[0] == ["NS"]
    assert read_whole((174, 63), pieces, ("HIGGIN", 0.91))[0] == ["NS"]
    two = [word("S", 0.99, 100, 5, 120, 58), word("E", 1.0, 5, 5, 25, 58)]
    assert read_whole((174, 63), two, ("EMBASSY", 0.8))[0] == ["EMBASSY"]
    wide = [word("HIGGIN", 1.0, 2, 5, 150, 58)]
    assert read_whole((174, 63), wide, ("HIGGINS", 0.91))[0] == ["HIGGIN"]


def test_tiny_pictures_are_words() -> None:
    assert read_whole((257, 42), [], ("MAGNOLIA", 0.43))[0] == ["MAGNOLIA"]
    assert read_whole((257, 142), [], ("MAGNOLIA", 0.43))[0] == []
    assert read_whole((50, 42), [], ("IN", 0.43))[0] == []


def test_a_comma_of_the_word_is_not_lost() -> None:
    price = [word("₹7,550/-", 0.67, 2, 5, 295, 58)]
    assert read_whole((300, 63), price, ("₹7550/-", 0.9))[0] == ["₹7,550/-"]
    assert read_whole((300, 63), price, ("₹7,650/-", 0.9))[0] == ["₹7,650/-"]
    assert read_whole((300, 63), [word("DAIL", 0.67, 2, 5, 295, 58)], ("DAIL.", 0.9))[0] == ["DAIL."]


def test_ordinary_photos_cost_nothing() -> None:
    small = [word("HOTEL", 0.3, 100, 100, 300, 160)]
    assert read_whole((1280, 960), small, ("HOTEL", 1.0)) == (["HOTEL"], 0)
    many = [word(str(i), 0.3, 0, 0, 100, 900) for i in range(4)]
    assert read_whole((1280, 960), many, ("HOTEL", 1.0))[1] == 0


@pytest.mark.parametrize("found", [0, 1])
def test_the_word_takes_the_whole_picture_and_says_what_the_detector_saw(found: int) -> None:
    words = [word("DAIL", 0.4, 2, 5, 95, 58)][:found]

    def read(crops: Sequence[np.ndarray]) -> list[CropReading]:
        return [CropReading("DAILY", 0.9)] * len(crops)

    ((result,),) = mend_words([ReadWholePicture(0.2, 48)], [np.zeros((63, 130, 3), np.uint8)], [words], read)
    assert result.polygon.tolist() == [[0, 0], [130, 0], [130, 63], [0, 63]]
    assert result.score == (0.8 if found else 0.0)
