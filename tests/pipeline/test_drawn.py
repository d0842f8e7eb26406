"""Small drawn pictures through the whole reader with the shipped weights: numbers, walls, boards, tight words."""

from __future__ import annotations

import random

import numpy as np
import pytest
from drawn_boards import FONT, Spacing, board
from PIL import Image, ImageDraw, ImageFont

from signboard import Reader

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(device="cpu")


def card(lines: list[str], size: int = 48, margin: int = 60) -> np.ndarray:
    """Lines of text in dark on light, with a margin around their ink."""
    font = ImageFont.truetype(FONT, size)
    boxes = [font.getbbox(line, anchor="ls") for line in lines]
    step = round(1.6 * size)
    width = max(box[2] for box in boxes) - min(box[0] for box in boxes) + 2 * margin
    height = step * (len(lines) - 1) + boxes[-1][3] - boxes[0][1] + 2 * margin
    picture = Image.new("RGB", (width, height), (240, 240, 232))
    for row, line in enumerate(lines):
        at = (margin - boxes[row][0], margin - boxes[0][1] + row * step)
        ImageDraw.Draw(picture).text(at, line, (25, 25, 30), font, anchor="ls")
    return np.asarray(picture)


@pytest.mark.parametrize(
    "text",
    ["₹ 1,550", "४,९९९", "१२,०००", "₹ २,५०,०००", "12.50", "98110 12345", "7:30 AM - 9:30 PM",
     "15.08.2025", "½ km", "12 km", "₹ ९९१", "४,९००/-", "₹ ९,४०,०००", "Mon - Sat 9:30 AM"],
)  # fmt: skip
def test_numbers(reader: Reader, text: str) -> None:
    assert "".join(reader.read(card([text])).text.split()) == "".join(text.split())


def test_windows_say_nothing(reader: Reader) -> None:
    wall = Image.new("RGB", (800, 600), (190, 185, 170))
    pen = ImageDraw.Draw(wall)
    for y in range(30, 560, 70):
        for x in range(30, 760, 55):
            pen.ellipse((x, y, x + 36, y + 46), outline=(50, 50, 60), width=5)
    assert reader.read(wall).text == ""
    assert "O" in Reader(device="cpu", without=["repetition"]).read(wall).text.upper().replace("0", "O")


def test_a_board_upside_down_is_read_as_upright(reader: Reader) -> None:
    upright = card(["POLICE STATION", "निकास", "Sector 12"], margin=120)
    right = reader.read(upright)
    assert right.text.split() == ["POLICE", "STATION", "निकास", "Sector", "12"]
    turned = reader.read(np.ascontiguousarray(upright[::-1, ::-1]))
    assert turned.text == right.text and {word.rotation for word in turned.words} == {180}
    height, width = upright.shape[:2]
    for a, b in zip(right.words, turned.words, strict=True):
        assert np.allclose(np.array(b.polygon), [width, height] - np.array(a.polygon), atol=0.11)


@pytest.mark.parametrize("text", ["EXIT", "42", "Hotel", "दवाखाना"])
def test_a_word_that_fills_its_picture(reader: Reader, text: str) -> None:
    assert reader.read(card([text], 120, 0)).text == text


def test_a_directory(reader: Reader) -> None:
    made = board("directory", random.Random("a"), Spacing(44, 2.0, 6.0))
    assert "".join(reader.read(made.image()).text.split()) == "".join(made.text.split())
