"""What walls are read as is left out; signs, numbers and names that repeat a letter stay."""

from __future__ import annotations

import numpy as np
import pytest

from signboard.pipeline.mending.repetition import RejectRepetition, is_run, wall_words
from signboard.pipeline.mending.step import mend_words
from signboard.pipeline.words import ReadWord


def at(text: str, confidence: float, row: int, column: int = 0) -> tuple[str, float, np.ndarray]:
    x, y = 20 + 220 * column, 20 + 100 * row
    return text, confidence, np.array([[x, y], [x + 200, y], [x + 200, y + 40], [x, y + 40]], np.float32)


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("888888888888", 0.4), ("8888088", 0.9), ("OOOOOOOOOOOO", 0.94), ("llllllll", 0.73), ("IIIIII", 0.9),
        ("1000000000000000", 0.72), ("VVVVVVVVVVVVVVVVVI", 0.94), ("illillillillil", 0.5), ("NOOOOOOOO", 0.9),
        ("HIHIHIHIHI", 0.9), ("......", 0.9), ("TITILL", 0.34), ("।।।।।।", 0.8), ("०००००००००", 0.9),
    ],
)  # fmt: skip
def test_runs(text: str, confidence: float) -> None:
    assert is_run(text, confidence)


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("50000", 0.95), ("1,00,000", 0.4), ("१,००,०००", 0.4), ("10,000/-", 0.4), ("100000", 0.9), ("9888888801", 0.99),
        ("98110", 0.3), ("STALL", 0.3), ("www", 0.9), ("III", 0.9), ("MISSISSIPPI", 0.5), ("WELLNESS", 0.5),
        ("BOOKS", 0.2), ("I.C.A.R.E", 0.5), ("मायाबाजार", 0.5), ("काका", 0.5), ("बाबा", 0.9), ("10111", 0.95),
        ("VILLA", 0.9), ("COFFEE", 0.3), ("", 0.0), ("8", 0.9), ("110001", 0.9),
    ],
)  # fmt: skip
def test_no_runs(text: str, confidence: float) -> None:
    assert not is_run(text, confidence)


def test_short_runs_stay_beside_words() -> None:
    alone = [at("OOO", 0.91, 0), at("SHARMA", 0.9, 3)]
    assert wall_words(alone) == {0}
    beside = [at("PHASE", 0.9, 0), at("III", 0.7, 0, 1)]
    assert wall_words(beside) == set()
    assert wall_words([at("III", 0.9, 0)]) == set()  # a sure one is believed
    assert wall_words([at("11", 0.65, 0)]) == {0} and wall_words([at("11", 0.9, 0)]) == set()
    assert wall_words([at("mmmm", 0.66, 0)]) == {0} and wall_words([at("mmmm", 0.9, 0)]) == set()
    assert wall_words([at("BBQ", 0.5, 0), at("www", 0.5, 1), at("800", 0.5, 2)]) == set()


def test_a_wall_says_nothing_at_all() -> None:
    wall = [at("OOOOOOOOO", 0.6, row) for row in range(4)] + [at("NO", 0.5, 5), at("ole", 0.4, 6)]
    assert wall_words(wall) == set(range(6))
    few = [at("II", 0.9, row, column) for row in range(4) for column in range(2)] + [at("IO", 0.9, 5)]
    assert wall_words(few) == set(range(9))


def test_one_letter_all_over_a_photo_is_a_pattern() -> None:
    knitwear = [at("V", 0.99, row, column) for row in range(5) for column in range(4)]
    guessed = [at("Van", 0.3, 6), at("Vans", 0.25, 6, 1), at("Ve", 0.2, 6, 2)]
    assert wall_words(knitwear + guessed) == set(range(23))
    assert not wall_words([*knitwear, *guessed, at("Vans", 0.95, 7)]) & {23}
    rings = [at("()", 0.4, row, column) for row in range(5) for column in range(2)] + [
        at("C", 0.99, 6),
        at("O", 0.7, 7),
    ]
    assert wall_words(rings) == set(range(12))
    assert wall_words([at("AB", 0.99, row) for row in range(9)]) == set()  # no shape of walls


def test_a_sign_on_a_wall_stays() -> None:
    wall = [at("OOOOOOOOO", 0.6, row) for row in range(4)] + [at("HOTEL", 0.98, 5), at("GANGA", 0.99, 5, 1)]
    assert wall_words(wall) == {0, 1, 2, 3}


def test_known_words_stay() -> None:
    assert wall_words([at("LITTI", 0.5, 0)]) == {0}
    assert wall_words([at("LITTI", 0.5, 0)], lambda text: text == "LITTI") == set()


def test_one_letter_that_goes_on_and_on_is_no_word_of_a_list() -> None:
    assert wall_words([at("SOOOOOOO", 0.9, 0)], lambda text: True) == {0}
    assert wall_words([at("BARRIER", 0.9, 0)], lambda text: True) == set()


def test_a_photo_on_which_all_is_guessed_says_nothing() -> None:
    bars = ["BRISBANE", "BARRIERS", "DRESSERS", "WINERIES", "IllINI", "IIII"]
    guessed = [at(text, 0.3 + 0.04 * row, row) for row, text in enumerate(bars)]
    assert wall_words(guessed, str.isupper) == set(range(6))
    assert wall_words([at("Coo", 0.48, 0), at("00", 0.65, 2), at("2.", 0.1, 4)]) == {0, 1, 2}
    assert wall_words([at("TUTTI", 0.26, 0), at("mmmmmm", 0.63, 2)], lambda text: True) == {0, 1}


def test_one_word_that_is_sure_keeps_those_that_are_not() -> None:
    faint = [at("CHEMIST", 0.3, 0), at("AND", 0.25, 1), at("DRUGGIST", 0.4, 2), at("OPEN", 0.35, 3)]
    assert wall_words(faint) == {0, 1, 2, 3}
    assert wall_words([*faint, at("SHARMA", 0.9, 5)]) == set()
    assert wall_words([*faint, at("11", 0.9, 5)]) == set()
    assert wall_words([*faint, at("11", 0.7, 5)]) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("text", ["r", "9", "1.", "-", "0:0"])
def test_one_letter_among_guesses_is_none(text: str) -> None:
    assert wall_words([at(text, 0.95, 0), at("Fil", 0.4, 2)]) == {0, 1}
    assert wall_words([at(text, 0.95, 0), at("FLAT", 0.9, 2)]) == set()


def test_one_digit_alone_stays() -> None:
    assert wall_words([at("7", 0.9, 0)]) == set() and wall_words([at("P", 0.79, 0)]) == {0}
    assert wall_words([at("2", 0.999, 0), at("Fil", 0.4, 2)]) == set()  # certain, whatever else is guessed


def test_the_more_is_guessed_the_surer_one_word_must_be() -> None:
    assert wall_words([at("DIESEL", 0.55, 0)]) == set()
    assert wall_words([at("DIESEL", 0.45, 0)]) == {0}
    assert wall_words([at(text, 0.55, row) for row, text in enumerate(["HINT", "LINE", "TENT", "MINI"])]) == {
        0,
        1,
        2,
        3,
    }
    assert wall_words([]) == set()


def test_as_a_step() -> None:
    words = [ReadWord(*at(text, 0.9, row)) for row, text in enumerate(["OOOOOO", "MUSEUM"])]
    (left,) = mend_words([RejectRepetition(lambda text: False)], [np.zeros((9, 9, 3), np.uint8)], [words], lambda c: [])
    assert [word.text for word in left] == ["MUSEUM"]


def test_a_number_of_rings_stays_beside_the_number_that_it_goes_on_from() -> None:
    half = at("84637", 0.98, 0), at("०००८८", 0.98, 0, 1)
    assert wall_words(half) == set()
    assert 1 in wall_words([at("POINT", 0.98, 0), at("०००८८", 0.98, 0, 1)])  # beside a word it is what a wall says
    assert 1 in wall_words([at("84637", 0.98, 0), at("०००८८", 0.98, 3, 1)])  # and elsewhere, too


def test_one_letter_at_many_places_is_a_fence() -> None:
    fence = [at("A", 0.9, row, column) for row in range(3) for column in range(3)]
    assert wall_words(fence) == set(range(9))
    assert wall_words([*fence, at("PARKING", 0.95, 4)]) <= set(range(9))  # what is sure stays


def test_two_or_three_letters_all_over_a_photo_are_a_pattern() -> None:
    def left(text: str, count: int, *others: str) -> int:
        words = [at(text, 0.95, i // 4, i % 4) for i in range(count)]
        words += [at(other, 0.95, 8, i) for i, other in enumerate(others)]
        return len(words) - len(wall_words(words, lambda some: some in ("NEW", "EXIT", "HOTEL")))

    assert left("EO", 21) == 0 and left("EO", 12, "HOTEL") == 13  # what else is sure speaks for a sign
    assert left("EOE", 12) == 0
    assert left("EO", 9) == 9  # few
    assert left("EO", 12, "HOTEL", "POLICE", "STATION", "DELHI") == 16  # others as well
    assert left("99", 12) == 12 and left("NEW", 12) == 12 and left("EXIT", 12) == 12
