"""Drawn pictures: what numbers look like, that walls say nothing twice the same, and how reading them is scored."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from signboard.checks.drawn import BOARDS, SINGLE, boards_to_turn, is_right, pictures, score, tight_words
from signboard.checks.lettering import COLOURS, Drawn, Lettering, card
from signboard.checks.numbers import DEVANAGARI, KINDS, LATIN, number, numbers
from signboard.checks.walls import WALLS, wall, walls
from signboard.errors import DataError

SHIPPED = Path(__file__).parents[2] / "signboard" / "output" / "fonts" / "Mukta-SemiBold.ttf"
FORMS = {
    "price": r"(₹ ?)?(\d{1,3}|\d{1,2}(,\d\d)*,\d{3})(\.\d\d)?(/-)?", "phone": r"(\+91 |011-|0522 )?\d{5}[ -]?\d{2,5}",
    "pin": r"\d{3} ?\d{3}", "time": r"\d{1,2}:\d\d( AM)?( - \d{1,2}:\d\d( PM)?)?",
    "plate": r"[A-Z]{2} \d\d [A-Z]{2} \d{4}", "date": r"\d\d([-/.])\d\d\1\d{4}",
    "distance": r"½ km|\d+(\.\d)? km|\d+ m",
}  # fmt: skip


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every face that is asked for is the shipped one."""
    folder = tmp_path_factory.mktemp("fonts")
    for name in (*LATIN, *DEVANAGARI, "Laila-devanagari-500"):
        path = folder / name.split("-")[0] / f"{name}-normal.ttf"
        path.parent.mkdir(exist_ok=True)
        shutil.copy(SHIPPED, path)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_written_as_on_signs(kind: str) -> None:
    texts = {number(kind, random.Random(seed)) for seed in range(200)}
    assert len(texts) > 20 and all(re.fullmatch(FORMS[kind], text) for text in texts), texts
    if kind == "price":
        assert any(re.search(r"\d\d,\d\d,\d{3}", text) for text in texts)  # lakhs in twos


def test_there_is_no_other_kind_of_number() -> None:
    with pytest.raises(ValueError, match="'age'"):
        number("age", random.Random(0))


def test_numbers_in_both_scripts_always_the_same(fonts: Path) -> None:
    first, again = (list(numbers(fonts, 3, 1)) for _ in range(2))
    assert [d.text for d in first] == [d.text for d in again] and len(first) == 11
    assert all(np.array_equal(np.asarray(a.picture), np.asarray(b.picture)) for a, b in zip(first, again, strict=True))
    native = [d for d in first if " devanagari " in d.about]
    assert len(native) == 4 and all(re.search("[०-९]", d.text) and not re.search("[0-9]", d.text) for d in native)
    assert [d.text for d in numbers(fonts, 4, 1)] != [d.text for d in first]


def test_a_card_has_its_margin_and_ink_inside(fonts: Path) -> None:
    face = Lettering(fonts, LATIN[0], 40)
    pixels = np.asarray(card(face, ["EXIT", "निकास"], *COLOURS[0], margin=30))
    ground = (pixels == COLOURS[0][1]).all(axis=2)
    rows, columns = np.nonzero(~ground)
    assert 28 <= columns.min() <= 34 and 28 <= rows.min() <= 40
    assert pixels.shape[1] - columns.max() >= 28 and pixels.shape[0] - rows.max() >= 28
    left, top, right, bottom = face.box("EXIT")
    assert 0 <= left < right and top < bottom <= 2


def test_a_missing_face_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Roboto-latin-400"):
        Lettering(tmp_path, "Roboto-latin-400", 40)


@pytest.mark.parametrize("kind", WALLS)
def test_walls_repeat_and_are_drawn_the_same_for_a_seed(kind: str) -> None:
    first, again, other = (np.asarray(wall(kind, random.Random(seed))) for seed in ("a", "a", "b"))
    assert first.dtype == np.uint8 and min(first.shape[:2]) >= 600 and np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)
    assert first.astype(float).std() > 5.0


def test_every_wall_comes_and_says_nothing() -> None:
    drawn = list(walls(1, 1))
    assert [d.about for d in drawn] == list(WALLS) and {d.text for d in drawn} == {""}


def test_boards_and_words(fonts: Path) -> None:
    assert [d.text for d in boards_to_turn(fonts, 1)] == [" ".join(lines) for lines in BOARDS]
    words = list(tight_words(fonts))
    assert len(words) == 3 * len(SINGLE)
    for k, drawn in enumerate(words[:3]):  # cut at the ink
        ink = np.abs(np.asarray(drawn.picture).astype(int) - COLOURS[k][1]).max(axis=2) > 60
        rows, columns = np.nonzero(ink)
        assert rows.min() <= 2 and columns.min() <= 2 and rows.max() >= ink.shape[0] - 3
    turned = list(pictures("upside-down", fonts, 1, 1))
    assert len(turned) == 4 * len(BOARDS) and turned[len(BOARDS)].about == "turned by 180"
    upright, on_its_head = (np.asarray(turned[i].picture) for i in (0, len(BOARDS)))
    assert np.array_equal(upright[::-1, ::-1], on_its_head)


def test_what_is_right() -> None:
    def drawn(text: str) -> Drawn:
        return Drawn(next(walls(1, 1)).picture, text, "price latin Roboto 40")

    assert is_right("numbers", drawn("₹ 1,550"), "₹1,550") and not is_right("numbers", drawn("1,550"), "1.550")
    assert is_right("upside-down", drawn("NO EXIT"), "EXIT NO") and not is_right("upside-down", drawn("NO"), "NO NO")
    assert is_right("walls", drawn(""), "") and not is_right("walls", drawn(""), "I")
    assert not is_right("words", drawn("EXIT"), "EX IT")


def test_the_score_counts_by_kind_and_keeps_mistakes(fonts: Path) -> None:
    answers = iter(["", "OOOO"] + [""] * (len(WALLS) - 2))
    found = score("walls", pictures("walls", fonts, 1, 3), lambda picture: next(answers))
    assert found.of.total() == len(WALLS) and found.right.total() == len(WALLS) - 1
    assert found.mistakes == [{"kind": "walls", "about": WALLS[1], "drawn": "", "read": "OOOO"}]
    assert f"| walls | {WALLS[1]} | 0 | 1 |" in found.table("walls")
    assert found.table("walls").endswith(f"| walls | all | {len(WALLS) - 1} | {len(WALLS)} |")
    by_kind = score("numbers", pictures("numbers", fonts, 1, 1), lambda picture: "")
    assert "price latin" in by_kind.of and by_kind.right.total() == 0
