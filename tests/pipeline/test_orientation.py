"""The words of one photo decide together which way up it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from signboard.geometry import rotate_polygon_start
from signboard.pipeline.mending.orientation import (
    DecideOrientation,
    from_turned,
    main_rotation,
    support,
    turned,
    upside_down,
    weight_of,
)
from signboard.pipeline.mending.step import mend_words
from signboard.pipeline.words import ReadWord, split_at_spaces
from signboard.recognition.recognizer import CropReading

PICTURE = np.full((400, 400, 3), 90, np.uint8)


def word(
    text: str, confidence: float, row: int = 0, rotation: int = 0, score: float = 0.9, width: int = 120
) -> ReadWord:
    quad = np.array([[20, 0], [20 + width, 0], [20 + width, 30], [20, 30]], np.float32) + np.float32([0, 50 * row])
    return ReadWord(text, confidence, rotate_polygon_start(quad, rotation), rotation, score)


def decide(words: list[ReadWord], says: Sequence[tuple[str, float]]) -> tuple[list[tuple[str, int]], int]:
    """((text, rotation) of each word afterwards, crops read) when crops are read as `says`, in order."""
    left, asked = list(says), 0

    def read(crops: Sequence[np.ndarray]) -> list[CropReading]:
        nonlocal asked
        asked += len(crops)
        return [CropReading(*left.pop(0)) for _ in crops]

    step = DecideOrientation(0.7, lambda text: text in ("POLICE", "STATION", "STORE", "Sector"), 32)
    (result,) = mend_words([step], [PICTURE], [words], read)
    return [(w.text, w.rotation) for w in result], asked


def test_the_rest_follows_the_words_that_read_well_upside_down() -> None:
    words = [word("NOILVLS", 0.71), word("POLICE", 0.999, 1, 180), word("Jonas", 0.47, 2), word("ZL", 0.87, 3)]
    result, _ = decide(words, [("STATION", 0.99), ("EOIlOd", 0.2), ("Sector", 0.99), ("12", 0.99)])
    assert result == [("STATION", 180), ("POLICE", 180), ("Sector", 180), ("12", 180)]


def test_one_unsure_word_does_not_turn_a_photo() -> None:
    words = [word("POLICE", 0.99), word("STATION", 0.99, 1), word("dn", 0.6, 2, 180)]
    result, asked = decide(words, [("EOIlOd", 0.1), ("NOILVLS", 0.5), ("up", 0.4)])
    assert result == [("POLICE", 0), ("STATION", 0), ("up", 0)] and asked == 3


def test_a_photo_that_is_right_is_not_asked_about() -> None:
    words = [word("POLICE", 0.99), word("STATION", 0.9, 1), word("xyz", 0.4, 2)]
    assert decide(words, []) == ([("POLICE", 0), ("STATION", 0), ("xyz", 0)], 0)
    assert decide([], []) == ([], 0)
    # Places that are hardly words have no vote.
    assert decide([word("POLICE", 0.99), word("qq", 0.9, 1, 180, 0.6)], [])[1] == 0


def test_badly_read_words_are_tried_the_other_way_up() -> None:
    words = [word("NOILVLS", 0.6), word("Jonas", 0.5, 1)]
    result, asked = decide(words, [("STATION", 0.99), ("Sector", 0.95)])
    assert result == [("STATION", 180), ("Sector", 180)] and asked == 2
    result, _ = decide(words, [("STAJIDN", 0.58), ("bcbb", 0.5)])
    assert result == [("NOILVLS", 0), ("Jonas", 0)]  # hardly surer: left as they are


def test_what_was_read_the_other_way_up_before_is_not_read_again() -> None:
    words = [word("NOILVLS", 0.2), word("POLICE", 0.99, 1, 180), word("Jonas", 0.5, 2)]
    words[0] = replace(words[0], other_way_up=CropReading("STATION", 0.19))
    words[1] = replace(words[1], other_way_up=CropReading("EOIlOd", 0.2))
    result, asked = decide(words, [("Sector", 0.95)])
    assert result == [("STATION", 180), ("POLICE", 180), ("Sector", 180)] and asked == 1
    # What a polygon said the other way up is not kept for another polygon, or the same one turned.
    assert turned(words[0]).other_way_up is None
    assert all(part.other_way_up is None for part in split_at_spaces(replace(words[0], text="NOI VLS"), [0.5]))


def test_a_photo_on_its_side() -> None:
    words = [word("POLICE", 0.99, 0, 90), word("STATION", 0.99, 1, 90), word("2", 0.8, 2, 0, width=34)]
    result, asked = decide(words, [("12", 0.7)])
    assert result == [("POLICE", 90), ("STATION", 90), ("12", 90)] and asked == 1
    words = [word("POLICE", 0.99, 0, 90), word("STATION", 0.99, 1, 90), word("STORE", 0.99, 2, 0)]
    assert decide(words, [("JS", 0.3)])[0][2] == ("STORE", 0)


def test_turning_twice_changes_nothing() -> None:
    one = word("POLICE", 0.9)
    again = turned(turned(one))
    assert again.rotation == 0 and np.array_equal(again.polygon, one.polygon)
    assert np.array_equal(turned(one).polygon[0], one.polygon[2])


def test_a_word_found_on_the_turned_picture_is_put_back() -> None:
    there = word("POLICE", 0.9)
    back = from_turned(there, 400, 300)
    assert back.rotation == 180 and back.text == "POLICE" and back.polygon.dtype == np.float32
    assert np.array_equal(back.polygon, [300, 400] - there.polygon)
    again = from_turned(back, 400, 300)
    assert again.rotation == 0 and np.array_equal(again.polygon, there.polygon)


def test_upside_down() -> None:
    assert upside_down([word("POLICE", 0.9, 0, 180), word("up", 0.9, 1)])
    assert not upside_down([word("POLICE", 0.9), word("up", 0.9, 1, 180)])
    assert not upside_down([])


@pytest.mark.parametrize(("text", "least"), [("NO", 0), ("SIS", 0), ("69", 0), ("STATION", 7), ("थाना", 2)])
def test_what_reads_the_same_both_ways_has_no_weight(text: str, least: float) -> None:
    assert weight_of(text) == least


def test_main_rotation() -> None:
    assert main_rotation([]) == 0
    assert main_rotation([word("a", 1), word("b", 1, 1, 180)]) == 0
    assert main_rotation([word("a", 1, 0, 180), word("b", 1, 1, 180), word("c", 1)]) == 180


def test_a_date_outweighs_the_letters_that_it_looks_like_upside_down() -> None:
    up, down = support([("10-04-2030", 0.7)], [("OEOZ-70-OL", 0.8)], lambda text: False)
    assert up > down
    # 1, 6, 8, 9 and 0 are digits both ways up: such a number says nothing more.
    up, down = support([("16-08-1990", 0.7)], [("0661-80-91", 0.8)], lambda text: False)
    assert down > up


def test_numbers_alone_are_turned_only_by_far_better_readings() -> None:
    result, _ = decide([word("११-११-१९९९", 0.43)], [("3336-66-66", 0.84)])
    assert result == [("११-११-१९९९", 0)]
    result, _ = decide([word("६००००", 0.64), word("२०,", 0.57, 1)], [("00003", 0.9), ("'oc", 0.9)])
    assert result == [("६००००", 0), ("२०,", 0)]
    result, _ = decide([word("11-20-86", 0.2)], [("98-02-11", 0.99)])
    assert result == [("98-02-11", 180)]
    result, _ = decide([word("SHEZLO", 0.5)], [("012345", 0.9)])  # no number as it hangs
    assert result == [("012345", 180)]
