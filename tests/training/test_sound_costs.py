"""What English sounds become in Hindi is learned from pairs of words."""

from __future__ import annotations

import numpy as np

from signboard.training.sound_costs import (
    ENGLISH_SOUNDS,
    best_path,
    entries,
    learn,
    pairs_of,
    sounds_of,
    start_costs,
)
from signboard.translation.spelling import HINDI_SOUNDS

SPOKEN = {"bus": [["B", "AH1", "S"]], "center": [["S", "EH1", "N", "T", "ER0"]], "a": [["AH0"]]}


def test_phones_become_sounds() -> None:
    assert sounds_of(["B", "AH1", "S"]) == "b3s"
    assert sounds_of(["K", "AE1", "P"], plural=True) == sounds_of(["K", "AE1", "P"]) + "s"
    assert sounds_of(["B", "AH1", "S"], plural=True).endswith("z")


def test_entries_have_plurals_british_spelling_and_how_common_they_are() -> None:
    common = {"bus": 4.5, "buss": 1.0, "center": 6.0, "centers": 3.0, "a": 7.0}
    rows = entries(["bus", "center", "a", "unknown"], SPOKEN, lambda word: common.get(word, 0.0), {"bus"})
    assert [(word, value) for word, _, value in rows] == [("bus", 6.7), ("centre", 5.2), ("centres", 3.0)]


def test_pairs_are_word_by_word() -> None:
    rows = [("bus", "b3s", 5.0), ("stop", "stap", 5.0)]
    assert pairs_of([("बस स्टॉप", "Bus Stop"), ("बस", "Bus Stop"), ("बस", "Rabbit")], rows) == [
        ("b@s", ["b3s"]), ("sTAp", ["stap"]),
    ]  # fmt: skip


def test_the_cheapest_edits_are_found() -> None:
    cost, path = best_path("b3s", "b@s", start_costs())
    assert [(ENGLISH_SOUNDS[i], HINDI_SOUNDS[j]) for i, j in reversed(path)] == [("b", "b"), ("3", "@"), ("s", "s")]
    assert cost < best_path("b3s", "gol", start_costs())[0]


def test_what_is_heard_often_becomes_cheaper() -> None:
    costs = start_costs()
    t, soft = ENGLISH_SOUNDS.index("t"), HINDI_SOUNDS.index("t")
    said: list[str] = []
    learned = learn([("tin", ["tin"])] * 20, costs, rounds=2, said=said.append)
    assert learned.shape == costs.shape and np.isfinite(learned).all()
    assert learned[t, soft] < learned[t, HINDI_SOUNDS.index("T")]
    assert said == ["20 of 20 pairs are loanwords"] * 2
