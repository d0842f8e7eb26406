"""Words that were found in pieces: which are asked about, what is believed, and what the reader makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from drawn_boards import FONT
from PIL import Image, ImageDraw, ImageFont

from signboard import Reader
from signboard.detection import Detections, Detector
from signboard.pipeline.mending.fragments import (
    MergeFragments,
    accepts_merge,
    confirmed,
    merge_candidates,
    next_on_line,
    without_twice,
)
from signboard.pipeline.mending.step import mend_words
from signboard.pipeline.words import ReadWord
from signboard.recognition import LanguageModel, Recognizer
from signboard.recognition.recognizer import CropReading


def _box(x: float, y: float, width: float, height: float) -> np.ndarray:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def test_the_nearest_word_to_the_right_on_the_line() -> None:
    first, second, third = _box(0, 0, 50, 20), _box(55, 1, 40, 20), _box(100, 0, 30, 20)
    below, tall = _box(0, 24, 50, 20), _box(52, -20, 30, 60)
    found = next_on_line([third, first, below, second, tall], least=-0.4, most=1.0)
    assert [(i, j) for i, j, _ in found] == [(1, 3), (3, 0)]
    assert [gap for _, _, gap in found] == pytest.approx([0.25, 0.25])
    assert next_on_line([first, second], least=-0.4, most=0.2) == []
    overlapping = next_on_line([first, _box(45, 0, 40, 20)], least=-0.4, most=0.2)
    assert overlapping == [(0, 1, pytest.approx(-0.25))]


def test_pieces_touch_or_are_single_letters() -> None:
    touching = [("Manch", _box(0, 0, 90, 30)), ("ester", _box(86, 0, 80, 30))]
    ((i, j, quad, far, _),) = merge_candidates(touching)
    assert (i, j, far) == (0, 1, False) and quad.tolist() == _box(0, 0, 166, 30).tolist()
    assert merge_candidates([("BUT", _box(0, 0, 60, 30)), ("IT'S", _box(62, 0, 60, 30))]) == []
    ((i, j, *_),) = merge_candidates([("TASTE", _box(0, 0, 90, 30)), ("R", _box(98, 0, 20, 30))])
    assert (i, j) == (0, 1)
    assert merge_candidates([("PLATFORM", _box(0, 0, 120, 30)), ("4", _box(140, 0, 15, 30))]) == []
    # A word in three pieces: the closest two come first.
    ((i, j, *_),) = merge_candidates(
        [("s", _box(0, 0, 20, 30)), ("t", _box(26, 0, 15, 30)), ("reet", _box(39, 0, 60, 30))]
    )
    assert (i, j) == (1, 2)


def test_what_is_believed() -> None:
    pieces_of = {"Manchester": (("Manch", 0.81), ("ester", 0.49)), "BUTIT'S": (("BUT", 0.99), ("IT'S", 0.98))}
    assert accepts_merge("Manchester", 0.99, *pieces_of["Manchester"])
    assert not accepts_merge("Man chester", 0.99, *pieces_of["Manchester"])  # the recogniser sees a space
    assert not accepts_merge("61tol", 0.59, ("61", 0.97), ("tol", 0.37))
    assert not accepts_merge("", 0.0, ("", 0.0), ("", 0.0))
    # Two known words must be read together with more certainty than a word whose pieces are none.
    is_word = {"but", "it's", "forum", "um", "for"}.__contains__
    assert accepts_merge("BUTIT'S", 0.9, *pieces_of["BUTIT'S"])
    assert not accepts_merge("but it's".replace(" ", ""), 0.9, ("but", 0.99), ("it's", 0.98), is_word)
    assert accepts_merge("forum", 0.62, ("foru", 0.99), ("m", 0.99), is_word)
    assert not accepts_merge("forum", 0.62, ("for", 0.99), ("um", 0.99), is_word)
    assert not accepts_merge("forux", 0.78, ("foru", 0.99), ("x", 0.99), is_word)


def test_pieces_that_make_a_word_together_may_stand_apart() -> None:
    forum = [("FORU", _box(0, 0, 90, 30)), ("M", _box(103, 0, 26, 30)), ("4", _box(135, 0, 12, 30))]
    assert [(i, j) for i, j, *_ in merge_candidates(forum)] == [(1, 2)]  # the closest
    assert [(i, j) for i, j, *_ in merge_candidates(forum, {"FORUM"}.__contains__)] == [(0, 1)]
    star = [("STAR", _box(0, 0, 90, 30)), ("WARS", _box(95, 0, 90, 30))]
    assert [(i, j) for i, j, *_ in merge_candidates(star, {"STARWARS", "STAR"}.__contains__)] == [(0, 1)]
    assert merge_candidates(star, {"STARWARS", "STAR", "WARS"}.__contains__) == []


def test_a_single_letter_may_stand_where_its_neighbour_was_lost() -> None:
    debenhams = [("DEBENH", _box(0, 0, 150, 30)), ("M", _box(176, 6, 24, 18))]
    assert [(i, j, far) for i, j, _, far, _ in merge_candidates(debenhams)] == [(0, 1, True)]
    assert merge_candidates(debenhams, {"DEBENH", "M"}.__contains__) == []
    assert merge_candidates([("DEBENH", _box(0, 0, 150, 30)), ("4", _box(176, 0, 24, 30))]) == []
    assert merge_candidates([("DEBENH", _box(0, 0, 150, 30)), ("M", _box(190, 0, 24, 30))]) == []  # too far
    both = ("DEBENH", 0.99), ("M", 0.98)
    assert accepts_merge("DEBENHAM", 0.97, *both, far=True)
    assert accepts_merge("DEBENH'M", 0.97, *both, far=True)
    assert not accepts_merge("DEBENHAM", 0.94, *both, far=True)
    assert not accepts_merge("DEBENH M", 0.99, *both, far=True)
    # None between, one lost, one behind the last, more than fit between.
    for text in ("DEBENHM", "DEBENAM", "DEBENHAMS", "DEBENHOUSEM"):
        assert not accepts_merge(text, 0.99, *both, far=True)


def test_a_small_mark_between_pieces_does_not_part_them() -> None:
    words = [("FORU", _box(0, 0, 90, 30)), ("-", _box(92, 7, 8, 17)), ("M", _box(103, 0, 26, 30))]
    (pair,) = merge_candidates(words, {"FORUM"}.__contains__)
    assert pair[:2] == (0, 2) and not pair.far


def test_a_fraction_is_never_lost() -> None:
    assert not accepts_merge("km", 0.99, ("½", 0.6), ("km", 0.99))
    assert accepts_merge("½km", 0.9, ("½", 0.6), ("km", 0.99))


@pytest.mark.parametrize(
    ("first", "second", "reading", "gap", "right"),
    [
        (("29", 0.4), ("DT", 0.99), ("29 DT", 0.99), 0.3, [("29", 0.99), ("DT", 0.99)]),
        (("29", 0.4), ("DT", 0.99), ("29 DT", 0.5), 0.3, []),  # no surer than a guess
        (("29", 0.99), ("DT", 0.99), ("29 DT", 0.9), 0.3, []),  # nothing new
        (("RJ!", 0.77), ("59", 0.99), ("RJ 59", 0.76), -0.2, [("RJ", 0.77), ("59", 0.99)]),
        (("RJ5", 0.77), ("59", 0.99), ("RJ 59", 0.76), -0.2, [("RJ", 0.77), ("59", 0.99)]),
        (("LF", 0.7), ("F65", 0.99), ("LF 65", 0.8), -0.2, [("LF", 0.8), ("65", 0.99)]),
        (("Dr.", 0.9), ("Bose", 0.99), ("Dr Bose", 0.99), 0.2, []),  # apart: the mark is its own
        (("RJ2", 0.77), ("59", 0.99), ("RJ 59", 0.9), -0.2, []),  # another digit
        (("102", 0.91), ("ZS", 0.99), ("10 ZS", 0.99), -0.37, [("10", 0.99), ("ZS", 0.99)]),  # the 2 is the Z
        (("102", 0.91), ("ZS", 0.99), ("10 ZS", 0.99), -0.2, []),
        (("102", 0.91), ("ZS", 0.99), ("10 ZS", 0.9), -0.37, []),
        (("RJ", 0.77), ("59", 0.99), ("RJ59", 0.9), -0.2, []),
        (("2", 0.77), ("59", 0.99), (" 59", 0.9), -0.2, []),
    ],
)
def test_a_reading_of_both_confirms_or_parts_two_words(
    first: tuple[str, float],
    second: tuple[str, float],
    reading: tuple[str, float],
    gap: float,
    right: list[tuple[str, float]],
) -> None:
    words = [ReadWord(*some, _box(x, 0, 40, 20)) for x, some in ((0, first), (50, second))]
    found = confirmed(CropReading(*reading), words[0], words[1], gap)
    assert [(word.text, word.confidence) for word in found] == right
    assert all(new.polygon is old.polygon for new, old in zip(found, words, strict=False))


def test_a_character_in_both_boxes_counts_once() -> None:
    wide, number = ReadWord("18JT3", 0.94, _box(0, 0, 110, 30)), ReadWord("3729", 0.99, _box(95, 0, 80, 30))
    assert [word.text for word in without_twice(wide, number)] == ["18JT", "3729"]
    surer = ReadWord("18JT3", 0.999, _box(0, 0, 110, 30))
    assert [word.text for word in without_twice(surer, number)] == ["18JT3", "729"]
    apart = ReadWord("3729", 0.99, _box(105, 0, 80, 30))
    assert without_twice(wide, apart) == []  # less than half of the character
    assert without_twice(ReadWord("JT", 0.9, _box(0, 0, 110, 30)), ReadWord("TX", 0.99, _box(95, 0, 40, 30))) == []
    assert without_twice(ReadWord("3", 0.9, _box(0, 0, 110, 30)), number) == []


def test_what_the_language_model_knows() -> None:
    language = LanguageModel.load()
    known = ["FORUM", "forum", "Police,", "(exit)", "station", "हिन्दी", "दिल्ली", "it's"]
    assert [word for word in known if not language.is_word(word)] == []
    unknown = ["", "A", "42", "COMMONWE", "EALTH", "qzxv", "B4", "क", "!?", "main road"]
    assert [word for word in unknown if language.is_word(word)] == []


class _Pieces(Detector):
    def __init__(self, boxes: Sequence[np.ndarray]) -> None:
        self.side, self.boxes = 400, boxes
        self.card, self.box_threshold = {}, 0.5

    def detect(self, photos: Sequence[np.ndarray], **_: object) -> list[Detections]:
        return [Detections(list(self.boxes), [0.9 - 0.1 * i for i in range(len(self.boxes))])]


class _Widths(Recognizer):
    """Reads by the width of a crop, brought to the height of 30."""

    def __init__(self, words: dict[int, tuple[str, float]]) -> None:
        self.height, self.card, self.words = 30, {}, words
        self.language = None

    def read_lines(self, crops: Sequence[np.ndarray]) -> list[CropReading]:
        return [CropReading(*self.words[min(self.words, key=lambda w: abs(w - c.shape[1]))]) for c in crops]


@pytest.mark.parametrize(("confidence", "expected"), [(0.97, ["street"]), (0.6, ["st", "re", "et"])])
def test_the_reader_puts_a_word_of_three_pieces_together(confidence: float, expected: list[str]) -> None:
    boxes = [_box(20, 40, 40, 30), _box(58, 40, 60, 30), _box(116, 40, 50, 30)]
    words = {40: ("st", 0.9), 60: ("re", 0.9), 50: ("et", 0.9), 98: ("stre", confidence), 108: ("reet", confidence),
             146: ("street", confidence)}  # fmt: skip
    reader = Reader(device="cpu", detector=_Pieces(boxes), recognizer=_Widths(words))
    found = reader.read(np.full((120, 200, 3), 90, np.uint8)).words
    assert sorted(word.text for word in found) == sorted(expected)
    if len(found) == 1:
        assert found[0].polygon == ((20.0, 40.0), (166.0, 40.0), (166.0, 70.0), (20.0, 70.0))
        assert found[0].confidence == confidence and found[0].detection_score == pytest.approx(0.7)


def test_a_number_that_is_merged_has_the_marks_of_its_picture() -> None:
    font = ImageFont.truetype(FONT, 60)
    picture = Image.new("RGB", (400, 160), (240, 240, 230))
    ImageDraw.Draw(picture).text((40, 100), "1,500", (20, 20, 30), font, anchor="ls")
    left, top, right, bottom = font.getbbox("1,500", anchor="ls")
    middle = font.getlength("1,")
    words = [
        ReadWord("9,", 0.7, _box(40 + left, 100 + top, middle, bottom - top)),
        ReadWord("500", 0.9, _box(40 + middle, 100 + top, right - middle, bottom - top)),
    ]

    def read(crops: Sequence[np.ndarray]) -> list[CropReading]:
        return [CropReading("1.500", 0.9) for _ in crops]

    ((whole,),) = mend_words([MergeFragments(lambda text: False, 32)], [np.asarray(picture)], [words], read)
    assert whole.text == "1,500"
