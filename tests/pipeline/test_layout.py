"""Words become lines and signs by geometry alone: in any order, at any angle, on any scale."""

from __future__ import annotations

import math
import random
import time

import numpy as np
import pytest
from drawn_boards import KINDS, Spacing, seen_from
from drawn_boards import board as board_of
from hypothesis import given, settings
from hypothesis import strategies as st

from signboard.pipeline.layout import arrange
from signboard.reading import Sign, Word


def word(text: str, x: float, y: float, height: float = 20, width: float | None = None, angle: float = 0.0) -> Word:
    """A word whose top-left is (x, y), turned around that corner by `angle` degrees clockwise (as seen)."""
    width = 0.6 * height * max(len(text), 1) if width is None else width
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    polygon = tuple((x + u * cos - v * sin, y + u * sin + v * cos) for u, v in corners)
    return Word(text, polygon, 0.9, 0.8, "latin")


def turned(words: list[Word], angle: float, scale: float = 1.0) -> list[Word]:
    """The whole photo turned by `angle` degrees clockwise around (0, 0)."""
    cos, sin = math.cos(math.radians(angle)) * scale, math.sin(math.radians(angle)) * scale
    return [
        Word(w.text, tuple((x * cos - y * sin, x * sin + y * cos) for x, y in w.polygon), 0.9, 0.8, "latin")
        for w in words
    ]


def texts(signs: tuple[Sign, ...]) -> list[list[str]]:
    return [[line.text for line in sign.lines] for sign in signs]


def board() -> list[Word]:
    """A shop board of three lines, a road sign far off, and a small notice below it."""
    return [
        word("शर्मा", 100, 100, 60, 150),
        word("मिष्ठान", 275, 100, 60, 180),
        word("भंडार", 480, 100, 60, 140),
        word("Sharma", 150, 180, 40),
        word("Sweets", 310, 182, 40),
        word("&", 470, 180, 40, 30),
        word("Bakers", 515, 178, 40),
        word("Ph.", 200, 240, 22),
        word("98110", 250, 240, 22),
        word("12345", 330, 240, 22),
        word("NO", 1200, 400, 50),
        word("PARKING", 1280, 400, 50),
        word("by", 1300, 700, 20),
        word("order", 1330, 700, 20),
    ]


BOARD = [
    ["शर्मा मिष्ठान भंडार", "Sharma Sweets & Bakers", "Ph. 98110 12345"],
    ["NO PARKING"],
    ["by order"],
]


def test_nothing() -> None:
    assert arrange([]) == ()


def test_one_word() -> None:
    (sign,) = arrange([word("STOP", 10, 20)])
    assert sign.text == "STOP"
    assert np.allclose(sign.polygon, [(10, 20), (58, 20), (58, 40), (10, 40)])
    assert all(type(value) is float for point in sign.polygon for value in point)


def test_a_board_comes_out_line_by_line() -> None:
    assert texts(arrange(board())) == BOARD


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_words_does_not_matter(rng: random.Random) -> None:
    words = [*board(), word("askew", 600, 700, 30, angle=40), word("signs", 690, 776, 30, angle=40)]
    expected = arrange(words)
    rng.shuffle(words)
    assert arrange(words) == expected


@st.composite
def scattered(draw: st.DrawFn) -> list[Word]:
    """Any words anywhere, overlapping, turned, of any size."""
    count = draw(st.integers(1, 14))
    place, size = st.integers(0, 400), st.integers(4, 70)
    angles = st.sampled_from([0, 0, 0, 5, -12, 90, 180, 270, 33])
    return [
        word("w" * draw(st.integers(0, 6)), draw(place), draw(place), draw(size), draw(size), draw(angles))
        for _ in range(count)
    ]


@settings(max_examples=80, deadline=None)
@given(scattered(), st.randoms(use_true_random=False))
def test_any_words_come_back_once_each_and_in_one_order(words: list[Word], rng: random.Random) -> None:
    signs = arrange(words)
    found = [w for sign in signs for line in sign.lines for w in line.words]
    assert sorted(found, key=repr) == sorted(words, key=repr)
    shuffled = list(words)
    rng.shuffle(shuffled)
    assert arrange(shuffled) == signs


@pytest.mark.parametrize("angle", [90, 180, 270, 10, -25, 47, 133])
@pytest.mark.parametrize("scale", [1.0, 0.2, 7.0])
def test_a_turned_or_scaled_photo_reads_the_same(angle: float, scale: float) -> None:
    assert texts(arrange(turned(board(), angle, scale))) == BOARD


def test_polygons_start_at_the_texts_top_left_and_hold_all_words() -> None:
    for angle in (0, 30, 90, 200):
        signs = arrange(turned(board(), angle))
        first = signs[0]
        origin = turned([word("x", 100, 100)], angle)[0].polygon[0]
        assert np.allclose(first.polygon[0], origin, atol=0.5)
        a, b, c, _ = (np.array(point) for point in first.polygon)
        (ux, uy), (vx, vy) = b - a, c - b
        assert ux * vy - uy * vx > 0  # clockwise where y grows downwards
        for sign in signs:
            corner, along, across = np.array(sign.polygon[0]), np.array(sign.polygon[1]), np.array(sign.polygon[3])
            for point in (point for line in sign.lines for w in line.words for point in w.polygon):
                offset = np.array(point) - corner
                for side in (along - corner, across - corner):
                    assert -1e-6 <= offset @ side / (side @ side) <= 1 + 1e-6


def test_perspective_letters_of_growing_size_stay_one_line() -> None:
    words = []
    for index in range(6):
        left, right = index * 100.0, index * 100.0 + 90
        tall = [40 + 0.05 * x for x in (left, right)]
        top = [300 - 0.3 * x for x in (left, right)]
        corners = ((left, top[0]), (right, top[1]), (right, top[1] + tall[1]), (left, top[0] + tall[0]))
        words.append(Word(f"w{index}", corners, 0.9, 0.9, "latin"))
    assert texts(arrange(words[::-1])) == [["w0 w1 w2 w3 w4 w5"]]


def arc(text: str, begin: float, end: float, radius: float = 300, height: float = 40, points: int = 7) -> Word:
    """A word on a circle around (0, 0), from and to degrees clockwise from the top; top edge, then bottom edge back."""
    angles = np.radians(np.linspace(begin, end, points))
    outer = [((radius + height) * math.sin(a), -(radius + height) * math.cos(a)) for a in angles]
    inner = [(radius * math.sin(a), -radius * math.cos(a)) for a in angles[::-1]]
    return Word(text, tuple((float(x), float(y)) for x, y in outer + inner), 0.9, 0.9, "latin")


def test_arched_words_are_one_line() -> None:
    words = [arc("THE", -60, -40), arc("GRAND", -36, -4), arc("PALACE", 0, 36), arc("HOTEL", 40, 66)]
    assert texts(arrange(words[::-1])) == [["THE GRAND PALACE HOTEL"]]
    assert texts(arrange(turned(words, 90))) == [["THE GRAND PALACE HOTEL"]]
    below = [*words, word("DELHI", -60, -230, 40)]
    assert texts(arrange(below)) == [["THE GRAND PALACE HOTEL", "DELHI"]]


def test_text_on_a_full_ring_ends() -> None:
    ring = [arc(f"w{index}", index * 30, index * 30 + 27) for index in range(12)]
    found = [w.text for sign in arrange(ring) for line in sign.lines for w in line.words]
    assert sorted(found) == sorted(f"w{index}" for index in range(12))


def test_small_words_join_large_neighbours_on_the_same_line() -> None:
    words = [word("Hotel", 0, 0, 40), word("an", 130, 10, 22), word("Ganga", 170, 0, 40)]
    assert texts(arrange(words)) == [["Hotel an Ganga"]]


def test_columns_are_separate_lines() -> None:
    words = [word("LEFT", 0, 0), word("RIGHT", 400, 0), word("left", 0, 30), word("right", 400, 30)]
    assert texts(arrange(words)) == [["LEFT", "left"], ["RIGHT", "right"]]


def test_a_lonely_digit_takes_the_direction_of_its_line() -> None:
    # Its box is taller than wide, and starts where sideways text would.
    one = word("1", 145, 20, 20, 8)
    sideways = Word("1", one.polygon[1:] + one.polygon[:1], 0.9, 0.9, "digits")
    words = [word("PLATFORM", 40, 20, 20), sideways, word("NORTH", 162, 20, 20)]
    assert texts(arrange(words)) == [["PLATFORM 1 NORTH"]]


def test_upright_and_sideways_text_do_not_mix() -> None:
    words = [word("SALE", 100, 100, 30), word("TODAY", 185, 100, 30), word("UP", 60, 200, 30, angle=-90)]
    found = texts(arrange(words))
    assert ["SALE TODAY"] in found and ["UP"] in found


def test_words_without_text_keep_their_place() -> None:
    words = [word("A", 0, 0, 20, 40), word("", 50, 0, 20, 40), word("B", 100, 0, 20, 40)]
    (sign,) = arrange(words)
    assert len(sign.lines[0].words) == 3 and sign.text == "A B"


def test_degenerate_polygons_do_no_harm() -> None:
    flat = Word("x", ((5.0, 5.0),) * 4, 0.5, 0.5, "latin")
    thin = Word("y", ((0.0, 0.0), (50.0, 0.0), (50.0, 0.0), (0.0, 0.0)), 0.5, 0.5, "latin")
    many = Word("z", ((7.0, 7.0),) * 6, 0.5, 0.5, "latin")
    row = Word("v", tuple((float(x), 3.0) for x in range(6)), 0.5, 0.5, "latin")
    signs = arrange([flat, thin, many, row, word("ok", 100, 100)])
    assert len([w for sign in signs for line in sign.lines for w in line.words]) == 5
    assert np.isfinite([point for sign in signs for point in sign.polygon]).all()


def test_identical_words_are_all_kept() -> None:
    assert sum(len(line.words) for sign in arrange([word("a", 1, 1)] * 4) for line in sign.lines) == 4


def test_two_thousand_words_are_quick() -> None:
    words = [word("word", 70.0 * (i % 40), 26.0 * (i // 40), 20, 60) for i in range(2000)]
    begin = time.process_time()
    signs = arrange(words)
    assert time.process_time() - begin < 8
    assert [len(sign.lines) for sign in signs] == [50]


def in_order(words: list[Word]) -> str:
    return " ".join(w.text for sign in arrange(words) for line in sign.lines for w in line.words)


def boards(kind: str, count: int, *, wander: float, turn: float, lean: float) -> list[tuple[str, list[str]]]:
    """(what a drawn board says, how it is read at three spacings near each other), `count` times."""
    found = []
    for seed in range(count):
        rng = random.Random(f"{kind} {seed}")
        size, pitch, gutter = rng.choice([24, 36, 44, 60]), rng.uniform(1.6, 3.8), rng.uniform(2.0, 13.0)
        flush, angle, narrower = rng.random() < 0.5, rng.uniform(-turn, turn), rng.uniform(0, lean)
        state = rng.getstate()
        readings = []
        for by in (1.0, 0.93, 1.07):
            rng.setstate(state)
            made = board_of(kind, rng, Spacing(size, pitch * by, gutter / by, flush, wander))
            readings.append(in_order(seen_from(made.words, angle, narrower)))
        found.append((made.text, readings))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_columns_stay_whole_and_rows_stay_together(kind: str) -> None:
    for expected, readings in boards(kind, 5, wander=0.0, turn=0.0, lean=0.0):
        assert readings == [expected] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_boards_seen_askew_are_read_the_same(kind: str) -> None:
    made = boards(kind, 7, wander=0.06, turn=4.0, lean=0.12)
    right = sum(reading == expected for expected, readings in made for reading in readings)
    assert right >= 0.94 * 3 * len(made)


@pytest.mark.parametrize("gap", [20, 60, 150, 400, 550])
@pytest.mark.parametrize("pitch", [30, 50, 80, 110])
def test_a_directory_is_read_row_by_row_at_any_spacing(gap: float, pitch: float) -> None:
    names, rooms = ["Mehta", "Verma", "Iyer", "Khan", "Bose"], ["101", "102", "203", "305", "311"]
    words = [word("Dr.", 0, pitch * row, 20) for row in range(5)]
    words += [word(name, 45, pitch * row, 20) for row, name in enumerate(names)]
    words += [word(room, 110 + gap, pitch * row, 20) for row, room in enumerate(rooms)]
    (sign,) = arrange(words)
    assert [line.text for line in sign.lines] == [f"Dr. {n} {r}" for n, r in zip(names, rooms, strict=True)]


def test_a_title_and_a_last_line_stay_outside_the_columns() -> None:
    left, right = ["Reception", "Pharmacy", "Blood Bank"], ["Surgery", "Cardiology", "Eye Clinic"]
    words = [word("HOSPITAL", 150, 0, 40), word("CLOSED ON SUNDAYS", 60, 220, 20)]
    words += [word(text, 0, 70 + 50 * row, 20) for row, text in enumerate(left)]
    words += [word(text, 300, 70 + 50 * row, 20) for row, text in enumerate(right)]
    assert in_order(words) == "HOSPITAL Reception Pharmacy Blood Bank Surgery Cardiology Eye Clinic CLOSED ON SUNDAYS"


def test_a_thousand_cells_are_quick() -> None:
    words = [word(f"{i}", 130.0 * (i % 20), 40.0 * (i // 20), 20, 60) for i in range(1000)]
    begin = time.process_time()
    assert in_order(words) == " ".join(map(str, range(1000)))
    assert time.process_time() - begin < 8
