"""Words through frames: the same sign once, whatever the camera does, and different signs never one."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from video_fakes import reading, word

from signboard.reading import Word
from signboard.video.following import FollowedSign, Follower
from signboard.video.motion import STILL, Motion


def shifted(x: float, y: float = 0.0, *, sure: bool = True) -> Motion:
    """The motion of a picture that moved by so many pixels."""
    matrix = np.eye(3)
    matrix[:2, 2] = x, y
    return Motion(matrix, sure)


def run(
    frames: list[list[Word]], motions: list[Motion] | None = None, *, step: float = 0.5, memory: float = 20.0
) -> list[FollowedSign]:
    follower = Follower(memory=memory)
    signs = []
    for number, words in enumerate(frames):
        motion = motions[number] if motions is not None and number else STILL
        signs += follower.add(reading(*words), frame=number * 15, time=number * step, motion=motion)
    return signs + follower.finish()


def texts(signs: list[FollowedSign]) -> list[str]:
    return [sign.sign.text for sign in signs]


def test_a_sign_comes_once_with_its_times_and_its_track() -> None:
    frames = [[word("HOTEL", 100 + 10 * k, 100), word("PARK", 190 + 10 * k, 100)] for k in range(5)]
    (sign,) = run(frames, [shifted(10)] * 5)
    assert sign.sign.text == "HOTEL PARK"
    assert (sign.first, sign.last, sign.seen) == (0.0, 2.0, 5)
    assert [(at.frame, at.time) for at in sign.track] == [(0, 0.0), (15, 0.5), (30, 1.0), (45, 1.5), (60, 2.0)]
    lefts = [min(x for x, _ in at.polygon) for at in sign.track]
    assert np.diff(lefts) == pytest.approx([10] * 4, abs=0.1)


def test_the_text_is_voted_on_by_confidence() -> None:
    read = [("HQTEL", 0.4), ("HOTEL", 0.9), ("H0TEL", 0.5), ("HOTEL", 0.8)]
    (sign,) = run([[word(text, 100, 100, confidence=sure)] for text, sure in read])
    assert sign.sign.text == "HOTEL" and sign.frame == 15 and sign.sign.lines[0].words[0].confidence == 0.9
    assert sign.votes[0][0][0] == "HOTEL" and sign.votes[0][0][1] > 0.7
    assert sum(weight for _, weight in sign.votes[0]) == pytest.approx(1.0, abs=0.001)


def test_a_confident_mistake_at_a_distance_does_not_win() -> None:
    far = [word("MOTEL", 300, 200, wide=30, tall=8, confidence=0.8)]
    near = [word("HOTEL", 260, 190, wide=120, tall=32, confidence=0.9)]
    grow = Motion(np.array([[4.0, 0, -940], [0, 4, -610], [0, 0, 1]]), True)
    assert texts(run([far, near, near], [STILL, grow, STILL])) == ["HOTEL"]


def test_hand_shake_is_taken_out() -> None:
    rng = np.random.default_rng(3)
    at = np.cumsum(rng.normal(0, 25, (12, 2)), axis=0) + 200
    frames = [[word("HOTEL", x, y), word("CLOTH", x, y + 26)] for x, y in at]
    motions = [shifted(*step) for step in np.diff(at, axis=0, prepend=at[:1])]
    assert texts(run(frames, motions)) == ["HOTEL\nCLOTH"]


def test_a_missed_frame_and_a_blurred_one_change_nothing() -> None:
    frames = [[word("HOTEL", 100, 100)], [], [word("lIIl", 104, 101, confidence=0.2)], [word("HOTEL", 100, 100)]]
    (sign,) = run(frames)
    assert sign.sign.text == "HOTEL" and sign.last == 1.5


def test_behind_a_bus_and_back_it_is_the_same_even_if_the_bus_was_taken_for_the_camera() -> None:
    frames = [[word("HOTEL", 300, 100)]] * 3 + [[]] * 5 + [[word("HOTEL", 300, 100)]] * 3
    motions = [STILL] * 3 + [shifted(-80)] * 5 + [STILL] * 3
    (sign,) = run(frames, motions)
    assert (sign.first, sign.last) == (0.0, 5.0)


def test_what_the_bus_says_is_a_sign_of_its_own() -> None:
    sign = word("HOTEL", 300, 100)
    bus = [word("EXPRESS", 500 - 90 * k, 98) for k in range(5)]
    frames = [[sign], [sign]] + [[w] for w in bus] + [[sign], [sign]]
    assert sorted(texts(run(frames))) == ["EXPRESS", "HOTEL"]


def test_a_sign_that_leaves_and_comes_back_is_one() -> None:
    left = [200, 120, 40, -300, -900, -300, 40, 120, 200]
    frames = [[word("HOTEL", x, 100)] if x > 0 else [word("BANK", x + 700, 100)] if x < -400 else [] for x in left]
    motions = [shifted(b - a) for a, b in zip([left[0], *left], left, strict=False)]
    assert sorted(texts(run(frames, motions))) == ["HOTEL"]  # BANK was cut by the border
    frames = [[word("HOTEL", x, 100)] if x > 0 else [word("BANK", x + 1200, 100)] if x < -400 else [] for x in left]
    assert sorted(texts(run(frames, motions))) == ["BANK", "HOTEL"]


def test_after_its_time_it_is_another_one_and_is_forgotten() -> None:
    frames = [[word("HOTEL", 100, 100)]] * 3 + [[]] * 20 + [[word("HOTEL", 100, 100)]] * 3
    assert texts(run(frames, memory=20)) == ["HOTEL"]
    follower = Follower(memory=5)
    early = []
    for number, words in enumerate(frames):
        early += follower.add(reading(*words), frame=number, time=number * 0.5)
    assert texts(early) == ["HOTEL"] and texts(follower.finish()) == ["HOTEL"]


def test_two_that_say_the_same_side_by_side_are_two() -> None:
    frames = [[word("SALE", 60 + 8 * k, 100), word("SALE", 400 + 8 * k, 100)] for k in range(5)]
    signs = run(frames, [shifted(8)] * 5)
    assert texts(signs) == ["SALE", "SALE"]
    assert [sign.sign.polygon[0][0] for sign in signs] == pytest.approx([60, 400], abs=33)


def test_two_that_say_the_same_far_apart_are_two() -> None:
    """A street of branches of one bank: the next comes into the picture when the last has left it."""
    at = [300 - 100 * k for k in range(15)]
    frames = [[word("STATE BANK", x + offset, 100) for offset in (0, 900) if 5 < x + offset < 550] for x in at]
    assert texts(run(frames, [shifted(-100)] * 15)) == ["STATE BANK", "STATE BANK"]


def test_when_the_motion_is_not_known_the_words_tell_it() -> None:
    frames = [
        [word("HOTEL", 100, 100), word("BANK", 100, 300)],
        [word("HOTEL", 400, 120), word("BANK", 400, 320)],
        [word("HOTEL", 400, 120), word("BANK", 400, 320)],
    ]
    signs = run(frames, [STILL, shifted(0, sure=False), STILL])
    assert sorted(texts(signs)) == ["BANK", "HOTEL"]


def test_words_that_the_border_cuts_do_not_vote() -> None:
    frames = [[word("TEL", 0, 100, wide=40)], [word("OTEL", 0, 100, wide=60)]] + [[word("HOTEL", 20, 100)]] * 2
    motions = [STILL, shifted(20), shifted(40), STILL]
    assert texts(run(frames, motions)) == ["HOTEL"]
    assert run([[word("TEL", 0, 100)]] * 4) == []  # nobody knows what it says


def test_a_sign_that_comes_back_cut_at_first_is_the_same() -> None:
    """What can be seen of it as it comes back is a part; the whole word belongs to the one that left."""
    lefts = [477, 424, 34, -139, -359, -396, -433, -455, -450, -61, 263, 376]
    shown = {left: word("SWEETS", left, 100, wide=200, tall=30) for left in (477, 424, 34, 263, 376)}
    shown |= {-139: word("TS", 0, 100, wide=61, tall=30), -61: word("NEETS", 0, 100, wide=161, tall=30)}
    frames = [[shown[left]] if left in shown else [] for left in lefts]
    motions = [shifted(b - a) for a, b in zip([lefts[0], *lefts], lefts, strict=False)]
    (sign,) = run(frames, motions)
    assert sign.sign.text == "SWEETS" and (sign.first, sign.last) == (0.0, 5.5)


def test_a_flicker_is_no_sign() -> None:
    frames = [[word("HOTEL", 100, 100)] + ([word("xq", 300, 300, confidence=0.85)] if k == 3 else []) for k in range(8)]
    assert texts(run(frames)) == ["HOTEL"]
    assert run([[word("HQ", 100, 100, confidence=0.5)]]) == []


def test_words_found_joined_or_in_pieces_now_and_then_come_once() -> None:
    apart = [word("NEW", 100, 100, wide=60), word("DELHI", 170, 100, wide=90)]
    joined = [word("NEWDELHI", 100, 100, wide=160)]
    assert texts(run([apart, apart, joined, apart, joined, apart, apart])) == ["NEW DELHI"]
    pieces = [word("SWE", 100, 100, wide=60), word("ETS", 162, 100, wide=60)]
    whole = [word("SWEETS", 100, 100, wide=122)]
    assert texts(run([whole, whole, pieces, whole, whole])) == ["SWEETS"]


def test_which_words_make_a_sign_is_decided_by_most_frames() -> None:
    together = [word("HOTEL", 100, 100), word("PARK", 190, 100)]
    apart = [word("HOTEL", 100, 100), word("PARK", 420, 300)]
    moved = [word("HOTEL", 100, 100), word("PARK", 192, 101)]
    assert texts(run([together, moved, together, moved])) == ["HOTEL PARK"]
    assert sorted(texts(run([apart, apart, apart]))) == ["HOTEL", "PARK"]


def test_a_word_not_seen_on_the_best_frame_is_carried_there() -> None:
    both = [word("HOTEL", 100, 100, confidence=0.7), word("PARK", 190, 100, confidence=0.7)]
    one = [word("HOTEL", 150, 100, confidence=0.99)]
    (sign,) = run([both, one, both], [STILL, shifted(50), shifted(-50)])
    assert sign.sign.text == "HOTEL PARK"
    words = sign.sign.lines[0].words
    assert words[1].polygon[0][0] - words[0].polygon[0][0] == pytest.approx(90, abs=1)


def test_the_picture_stayed_the_same() -> None:
    follower = Follower()
    follower.add(reading(word("HOTEL", 100, 100)), frame=0, time=0.0)
    follower.extend(4.5)
    follower.add(reading(word("HOTEL", 100, 100)), frame=135, time=4.6)
    (sign,) = follower.finish()
    assert sign.track[0].until == 4.5 and sign.track[0].time == 0.0 and sign.last == 4.6


def test_a_word_that_was_lost_sight_of_is_not_there_twice() -> None:
    """On two frames it is found far from where it was expected; the word beside it keeps the sign together."""
    bus = [[word("DTC", 100, 100), word("505", 190, 100)] for _ in range(5)]
    lost = [[word("DTC", 100, 100), word("505", 10, 100)] for _ in range(2)]
    assert texts(run([*bus, *lost])) == ["DTC 505"]


def test_a_word_that_a_sign_has_twice_stays_twice() -> None:
    lines = [word("TAXI", 100, 100), word("505", 190, 100), word("505", 190, 130)]
    assert texts(run([lines] * 5)) == ["TAXI 505\n505"]


def test_memory_stays_bounded_when_nothing_leaves() -> None:
    follower = Follower(memory=5)
    rng = np.random.default_rng(0)
    held = []
    tracemalloc.start()
    for number in range(3000):
        if number in (1500, 2999):
            held.append(tracemalloc.get_traced_memory()[0])
        text = "HOTEL" if number % 3 else "".join(rng.choice(list("HOTELMN"), 5))
        follower.add(reading(word(text, 100, 100, confidence=0.5)), frame=number, time=number * 0.5)
    tracemalloc.stop()
    assert held[1] < 1.6 * held[0]  # thinned out now and then; twice as much where nothing is let go
    (sign,) = follower.finish()
    assert len(sign.track) <= 256 and len(sign.votes[0]) == 8
    assert sign.sign.text == "HOTEL" and sign.seen == 3000 and sign.first == 0.0 and sign.last == 1499.5


def test_the_order_of_words_on_a_frame_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    frames = [[word(f"WORD{n}", 40 + 120 * (n % 4), 40 + 90 * (n // 4)) for n in range(12)] for _ in range(4)]
    first = run(frames)
    shuffled = [[frame[i] for i in rng.permutation(len(frame))] for frame in frames]
    assert sorted(texts(run(shuffled))) == sorted(texts(first))
