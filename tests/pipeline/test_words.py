"""From places to words: ways up, spaces, margins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from signboard.pipeline.words import Place, ReadWord, read_places, read_whole, split_at_spaces
from signboard.recognition.recognizer import CropReading


def test_a_reading_is_cut_at_its_spaces() -> None:
    line = ReadWord("AB CDE F", 0.7, np.array([[0, 0], [80, 0], [80, 10], [0, 10]], np.float32), 90)
    words = split_at_spaces(line, ())
    assert [(word.text, word.confidence, word.rotation) for word in words] == [(t, 0.7, 90) for t in ("AB", "CDE", "F")]
    # Spaces are the third and the seventh of eight equally wide characters; a fifth of the height is left free.
    edges = [(float(word.polygon[:, 0].min()), float(word.polygon[:, 0].max())) for word in words]
    assert np.allclose(edges, [(0, 24), (26, 64), (66, 80)], atol=0.01)
    ends = [float(word.polygon[:, 0].max()) for word in split_at_spaces(line, (0.5, 0.75))]
    assert ends == pytest.approx([39, 59, 80])
    alone = replace(line, text="AB")
    assert split_at_spaces(alone, ()) == [alone]


def test_only_likely_words_are_tried_upside_down() -> None:
    shown: list[int] = []

    def unsure(crops: Sequence[np.ndarray]) -> list[CropReading]:
        shown.append(len(crops))
        return [CropReading("a", 0.1)] * len(crops)

    pixels = np.zeros((60, 200, 3), np.uint8)
    quads = [np.array([[x, 10], [x + 50, 10], [x + 50, 30], [x, 30]], np.float32) for x in (10, 70, 130)]
    places = [Place(pixels, quad, likely) for quad, likely in zip(quads, [True, False, True], strict=True)]
    words, _ = read_whole(places, unsure, 32)
    assert shown == [3, 2]
    assert [word.other_way_up is not None for word in words] == [True, False, True]


@pytest.mark.parametrize("way_up", [0, 90, 180, 270])
def test_text_is_read_whichever_way_it_runs(way_up: int) -> None:
    """A picture whose left half is dark, as the text begins; read with certainty only when that is on the left."""
    upright = np.full((20, 80, 3), 255, np.uint8)
    upright[:, :40] = 0
    pixels = np.ascontiguousarray(np.rot90(upright, -way_up // 90))
    height, width = pixels.shape[:2]

    def read(crops: Sequence[np.ndarray]) -> list[CropReading]:
        wide = [crop.shape[1] > 2 * crop.shape[0] for crop in crops]
        dark = [crop[:, : crop.shape[1] // 3].mean() < 60 for crop in crops]
        return [CropReading("text", 0.9 if a and b else 0.1) for a, b in zip(wide, dark, strict=True)]

    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    ((word,),) = read_places([Place(pixels, quad)], read, 20)
    assert (word.text, word.confidence, word.rotation) == ("text", 0.9, way_up)
    start = {0: (0, 0), 90: (20, 0), 180: (80, 20), 270: (0, 80)}[way_up]
    assert tuple(word.polygon[0]) == start


def test_nothing_to_read() -> None:
    assert read_places([], lambda crops: [CropReading("x", 1.0)] * len(crops), 32) == []
