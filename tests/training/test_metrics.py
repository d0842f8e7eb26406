"""Scores on cases small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from signboard.training.metrics import (
    DetectionScore,
    WordScore,
    match_end_to_end,
    match_polygons,
    normalize_text,
    polygon_iou,
    reliability,
    score_bag_of_words,
    score_word,
)


def box(left: float, top: float, width: float, height: float) -> np.ndarray:
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float32)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Café No.7!", "cafeno7"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("ﬁ２", "fi2"),
        ("हिन्दी।", "हिन्दी"),
        ("क\u094d\u200dष", "क\u094dष"),  # a joiner changes the look, not the letters
        ("\u0958", "\u0915\u093c"),  # qa is two code points in NFC
        ("\u0928\u093c", "\u0929"),  # and nnna is one
        ("१२3", "१२3"),
        ("-- & ॥", ""),
        ("চা", ""),  # a script that is not read here
    ],
)
def test_normalize_text(text: str, normal: str) -> None:
    assert normalize_text(text) == normal
    assert normalize_text(normal) == normal


def test_polygon_iou() -> None:
    assert polygon_iou(box(0, 0, 10, 10), box(5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert polygon_iou(box(0, 0, 10, 10), box(0, 0, 10, 10)) == pytest.approx(1)
    assert polygon_iou(box(0, 0, 10, 10), box(10, 0, 10, 10)) == 0
    triangle = np.array([[0, 0], [10, 0], [0, 10]])
    assert polygon_iou(triangle, box(0, 0, 10, 10)) == pytest.approx(0.5)
    bow_tie = np.array([[0, 0], [10, 10], [10, 0], [0, 10]])  # two triangles of 25 each
    assert polygon_iou(bow_tie, box(0, 0, 10, 10)) == pytest.approx(0.5)
    line = np.array([[0, 0], [10, 10], [0, 0]])
    assert polygon_iou(line, box(0, 0, 10, 10)) == 0
    assert polygon_iou(np.array([[0, 0], [np.nan, 1], [3, 3]]), box(0, 0, 10, 10)) == 0


def test_half_is_not_enough() -> None:
    # 10x10 inside 20x10: IoU is 0.5 exactly, and the protocol asks for more
    assert match_polygons([box(0, 0, 20, 10)], [False], [box(0, 0, 10, 10)]).pairs == ()
    assert match_polygons([box(0, 0, 20, 10)], [False], [box(0, 0, 10.1, 10)]).pairs == ((0, 0),)


def test_one_to_one() -> None:
    twice = match_polygons([box(0, 0, 10, 10)], [False], [box(0, 0, 10, 10), box(0, 0, 10, 9)]).score
    assert (twice.matched, twice.truths, twice.detections) == (1, 1, 2)
    merged = match_polygons([box(0, 0, 10, 10), box(10, 0, 10, 10)], [False, False], [box(0, 0, 20, 10)]).score
    assert (merged.matched, merged.truths, merged.detections) == (0, 2, 1)
    # The first word takes the first detection with IoU > 0.5 (0.54 here), as the public script does: a detection
    # that fits the second word perfectly is gone, and the first word's own is left over.
    shifted = match_polygons(
        [box(0, 0, 10, 10), box(3, 0, 10, 10)], [False, False], [box(3, 0, 10, 10), box(0, 0, 10, 10)]
    )
    assert shifted.pairs == ((0, 0), (1, 1))


def test_dont_care() -> None:
    truths = [box(0, 0, 10, 10), box(100, 0, 50, 10)]
    ignored = [False, True]
    # Inside the region; 60 % inside; 40 % inside; exactly half inside: the last two count, and are wrong.
    detections = [box(110, 0, 5, 5), box(96, 0, 10, 10), box(94, 0, 10, 10), box(95, 0, 10, 10), box(0, 0, 10, 10)]
    found = match_polygons(truths, ignored, detections)
    assert found.care_truths == (0,)
    assert found.care_detections == (2, 3, 4)
    assert found.pairs == ((0, 4),)
    score = found.score
    assert (score.precision, score.recall, score.h_mean) == (pytest.approx(1 / 3), 1, pytest.approx(0.5))
    # A region is measured against the detection, not the other way round: a huge one is not excused by a small region.
    assert match_polygons([box(0, 0, 4, 4)], [True], [box(0, 0, 100, 100)]).care_detections == (0,)


def test_scores_add_counts_not_ratios() -> None:
    total = DetectionScore(1, 1, 1, 1) + DetectionScore(0, 3, 1, 1)
    assert total == DetectionScore(1, 4, 2, 2)
    assert total.h_mean == pytest.approx(2 * 0.25 * 0.5 / 0.75)
    assert DetectionScore().h_mean == DetectionScore().precision == DetectionScore().recall == 0
    empty = match_polygons([], [], [])
    assert empty.score == DetectionScore(0, 0, 0, 1)
    assert match_polygons([], [], [box(0, 0, 5, 5)]).score == DetectionScore(0, 0, 1, 1)
    with pytest.raises(ValueError):
        match_polygons([box(0, 0, 5, 5)], [], [])


def test_words() -> None:
    assert score_word("Hotel", "HOTEL") == WordScore(words=1, correct=1, exact=0, edits=4, characters=5)
    assert score_word("Dr.", "Dr") == WordScore(words=1, correct=1, exact=0, edits=1, characters=3)
    assert score_word("दिल्ली", "दिली") == WordScore(words=1, edits=2, characters=6)
    assert score_word("\u0928\u093c", "\u0929") == WordScore(words=1, correct=1, exact=1, edits=0, characters=1)
    assert score_word("&", "8") == WordScore(skipped=1)
    assert score_word("ab", "") == WordScore(words=1, edits=2, characters=2)
    total = score_word("Hotel", "Hotel") + score_word("ab", "xyz") + score_word("-", "-")
    assert (total.words, total.skipped) == (2, 1)
    assert (total.accuracy, total.exact_accuracy, total.cer) == (0.5, 0.5, pytest.approx(3 / 7))
    assert WordScore().cer == WordScore().accuracy == WordScore().exact_accuracy == 0


def test_end_to_end() -> None:
    truths = [box(0, 0, 10, 10), box(20, 0, 10, 10), box(40, 0, 10, 10), box(60, 0, 10, 10), box(80, 0, 10, 10)]
    texts = ["Shop", "होटल", None, "&", "nobody"]
    ignored = [False, False, False, False, True]
    readings = ["shop!", "होटला", "guess", "and", "else", "", "-"]
    boxes = [*truths, box(200, 0, 10, 10), box(300, 0, 10, 10)]
    score, found = match_end_to_end(truths, texts, ignored, boxes, readings)
    # Two words count; both are found and one is read. Unknown, punctuation and ignored ones excuse what lies in
    # them, the empty reading claims nothing, and the stray dash is a false claim.
    assert score == DetectionScore(matched=1, truths=2, detections=3, photos=1)
    assert found.pairs == ((0, 0), (1, 1))
    assert found.care_detections == (0, 1, 6)
    # The same unknown word counts for detection alone.
    assert match_polygons(truths, ignored, boxes).score == DetectionScore(4, 4, 6, 1)


def test_indices_survive_an_empty_reading() -> None:
    score, found = match_end_to_end(
        [box(0, 0, 9, 9)], ["go"], [False], [box(50, 0, 9, 9), box(0, 0, 9, 9)], [" ", "GO"]
    )
    assert score.matched == 1
    assert found.pairs == ((0, 1),)


def test_bag_of_words() -> None:
    truths = [box(0, 0, 10, 10), box(12, 0, 10, 10), box(24, 0, 10, 10), box(0, 50, 30, 10), box(35, 50, 30, 10)]
    texts = ["Main", "main", "Road", None, None]
    ignored = [False, False, False, False, True]
    # One line over all three words, and a line over an unknown and an ignored region (92 % of it together).
    lines = [box(0, 0, 34, 10), box(0, 50, 65, 10)]
    assert score_bag_of_words(truths, texts, ignored, lines, ["MAIN Road", "any words"]) == DetectionScore(2, 3, 2, 1)
    # Counts are of a multiset: a word read twice is right once where it stands once.
    assert score_bag_of_words(truths, texts, ignored, lines[:1], ["road main main road"]).matched == 3
    assert score_bag_of_words(truths, texts, ignored, [], []) == DetectionScore(0, 3, 0, 1)
    # A label of several words is several words.
    assert score_bag_of_words([truths[0]], ["Main Road"], [False], [truths[0]], ["main"]) == DetectionScore(1, 2, 1, 1)


def test_reliability() -> None:
    rows, error = reliability([0.95, 1.0, 0.55], [True, False, True], bins=2)
    assert [row.count for row in rows] == [0, 3]
    assert rows[1].accuracy == pytest.approx(2 / 3)
    assert error == pytest.approx(abs(2.5 / 3 - 2 / 3))
    rows, error = reliability([0.1, 0.9], [False, True], bins=2)
    assert error == pytest.approx(0.1)
    assert reliability([], [])[1] == 0
    with pytest.raises(ValueError):
        reliability([0.5], [])
