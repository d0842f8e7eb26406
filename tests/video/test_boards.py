"""Boards that hang near one another are signs of their own; what stands on one board stays together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import pytest
from video_fakes import texture, write_video

from signboard.pipeline.layout import arrange
from signboard.reading import Reading, Word
from signboard.video import follow, open_source
from signboard.video.boards import part_boards

WALL, BLUE, WHITE, INK = (150, 130, 110), (30, 60, 160), (240, 240, 235), (20, 20, 20)
Box = tuple[int, int, int, int]


def word(text: str, left: int, top: int, width: int, height: int = 40) -> Word:
    right, bottom = left + width, top + height
    return Word(text, ((left, top), (right, top), (right, bottom), (left, bottom)), 0.95, 0.95, "latin")


def picture(*boards: tuple[Box, tuple[int, int, int]]) -> np.ndarray:
    """(400, 900, 3): boards (left, top, right, bottom) of a colour on a wall, with some noise."""
    pixels = np.full((400, 900, 3), WALL, np.uint8)
    for (left, top, right, bottom), colour in boards:
        pixels[top:bottom, left:right] = colour
    noise = np.random.default_rng(0).normal(0, 3, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def parted(pixels: np.ndarray, *words: Word) -> list[str]:
    """What the signs say, each on one line, of words that layout takes for one sign."""
    signs = arrange(words)
    assert len(signs) == 1, "the layout alone parts them"
    reading = part_boards(Reading("", 900, 400, signs), pixels)
    return [sign.text.replace("\n", " / ") for sign in reading.signs]


SIDE = (word("POST", 150, 180, 200), word("BANK", 430, 180, 200))  # two heights between them


def test_boards_side_by_side() -> None:
    apart = picture(((120, 100, 380, 300), BLUE), ((400, 100, 660, 300), BLUE))
    assert parted(apart, *SIDE) == ["POST", "BANK"]
    one = picture(((120, 100, 660, 300), BLUE))
    assert parted(one, *SIDE) == ["POST BANK"] or parted(one, *SIDE) == ["POST / BANK"]


def test_boards_below_one_another() -> None:
    words = (word("POST", 150, 120, 200), word("BANK", 150, 205, 200))
    assert parted(picture(((120, 80, 380, 170), WHITE), ((120, 185, 380, 280), WHITE)), *words) == ["POST", "BANK"]
    assert parted(picture(((120, 80, 380, 280), WHITE)), *words) == ["POST / BANK"]
    # Bands of two colours are one board: no wall shows between them.
    assert parted(picture(((120, 80, 380, 180), BLUE), ((120, 180, 380, 280), WHITE)), *words) == ["POST / BANK"]


def test_frames_lines_and_emblems_do_not_part_a_board() -> None:
    board = picture(((120, 60, 660, 340), WHITE))
    cv2.rectangle(board, (128, 68), (652, 332), INK, 4)
    cv2.line(board, (390, 60), (390, 340), INK, 4)
    assert len(parted(board, *SIDE)) == 1
    emblem = picture(((120, 60, 660, 340), WHITE))
    cv2.circle(emblem, (390, 200), 24, (200, 30, 30), -1)
    assert len(parted(emblem, *SIDE)) == 1


def test_four_lines_on_two_boards_go_to_their_own() -> None:
    words = (*SIDE, word("OFFICE", 150, 235, 200), word("OF INDIA", 430, 235, 200))
    apart = picture(((120, 100, 380, 320), BLUE), ((400, 100, 660, 320), WHITE))
    reading = part_boards(Reading("", 900, 400, arrange(words)), apart)
    assert sorted(sign.text for sign in reading.signs) == ["BANK\nOF INDIA", "POST\nOFFICE"]


def test_words_at_the_edge_of_the_frame_and_beyond() -> None:
    words = (word("A", -20, -10, 60), word("B", 60, 5, 60))
    reading = Reading("", 900, 400, arrange(words))
    assert part_boards(reading, picture()) is reading


@pytest.mark.parametrize("gap", [20, 0])
def test_a_video_of_two_boards(gap: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The reader is one that takes both boards for one sign on every frame, as layout does."""
    pixels = np.ascontiguousarray(cv2.resize(texture(450, 200), (900, 400)) // 4 + np.uint8(90))
    for left, right in ((120, 390 - gap // 2), (390 + gap // 2, 660)):
        pixels[100:300, left:right] = WHITE
    path = write_video(tmp_path_factory.mktemp("video") / "a.mp4", (pixels.copy() for _ in range(20)))

    class OneSign:
        def read_many(self, photos: Iterable[np.ndarray], **_: object) -> Iterator[Reading]:
            return (Reading("", 900, 400, arrange(SIDE)) for _ in photos)

    source = open_source(str(path))
    found = [sign.sign.text.split() for sign in follow(OneSign(), source)]
    source.close()
    assert found == ([["POST"], ["BANK"]] if gap else [["POST", "BANK"]])
