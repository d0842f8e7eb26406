"""Parts of a photo where text may be: all of them are seen, once, on a small canvas."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from signboard.detection import Detector, DetectorConfig, DetectorNetwork
from signboard.detection.sparse import CELL, cells_with_text, plan
from signboard.geometry import overlap_share


def _cells(*boxes: tuple[int, int, int, int], rows: int = 44, columns: int = 80) -> np.ndarray:
    cells = np.zeros((rows, columns), bool)
    for top, left, bottom, right in boxes:
        cells[top:bottom, left:right] = True
    return cells


@pytest.mark.parametrize("seed", range(20))
def test_a_canvas_holds_every_cell_with_text_and_nothing_twice(seed: int) -> None:
    chance = np.random.default_rng(seed)
    corners = chance.integers(0, (40, 70), (5, 2))
    cells = _cells(*((t, x, t + chance.integers(1, 6), x + chance.integers(1, 12)) for t, x in corners))
    canvas = plan(cells)
    assert canvas is not None and canvas.packed[0] % 32 == 0 and canvas.packed[1] % 32 == 0
    used = np.zeros(canvas.packed, int)
    seen = np.zeros(canvas.size, bool)
    for part in canvas.parts:
        assert used[part.target].shape == (part.height, part.width)  # inside the canvas
        used[part.target] += 1
        seen[part.source] = True
    assert used.max() == 1
    assert seen[np.repeat(np.repeat(cells, CELL, 0), CELL, 1)].all()
    picture = chance.integers(0, 256, (*canvas.size, 3), np.uint8)
    cut = canvas.cut(picture, 114)
    assert cut.shape == (*canvas.packed, 3) and (cut[used == 0] == 114).all()
    back = canvas.restore(cut[..., 0].astype(np.float32))
    np.testing.assert_array_equal(back, np.where(seen, picture[..., 0], 0))


def test_a_picture_full_of_text_is_looked_at_as_it_is_and_an_empty_one_not_at_all() -> None:
    assert plan(_cells((0, 0, 44, 80))) is None
    empty = plan(_cells())
    assert empty is not None and empty.parts == ()


def test_cells_with_text_are_those_of_likely_pixels_and_those_around() -> None:
    likely = np.zeros((352, 640), np.float32)
    likely[100, 200] = 0.2
    likely[300:340, 500:600] = 0.9
    word = np.array([[490, 290], [610, 290], [610, 350], [490, 350]], np.float32)
    cells = cells_with_text(likely, (704, 1280), 0.1, [word])
    assert cells.shape == (44, 80) and cells.sum() == 25
    assert cells[200 // CELL, 400 // CELL]
    assert (
        cells_with_text(likely, (704, 1280), 0.1).sum() > 100 and not cells_with_text(likely, (704, 1280), 0.95).any()
    )


class _BrightIsText(Detector):
    """Says that bright pixels are text; counts the pixels that it sees."""

    pixels = 0

    def probability_maps(self, batch: torch.Tensor) -> torch.Tensor:
        self.pixels += batch.shape[0] * batch.shape[1] * batch.shape[2]
        return (batch[..., 0] > 128).float()


def _detector(selective: bool) -> _BrightIsText:
    network = DetectorNetwork(DetectorConfig(width=0.125, neck=16))
    return _BrightIsText(network, side=1280, coarse_side=480, selective=selective, threshold=0.5, box_threshold=0.7)


def test_the_same_words_are_found_with_less_work() -> None:
    photo = np.full((720, 1280, 3), 60, np.uint8)
    for left, top, width, height in ((100, 80, 90, 20), (210, 80, 60, 20), (900, 500, 120, 24), (300, 560, 400, 130)):
        cv2.rectangle(photo, (left, top), (left + width, top + height), (250, 250, 250), -1)
    everywhere, selective = _detector(False), _detector(True)
    expected, found = everywhere.detect([photo])[0], selective.detect([photo])[0]
    assert len(found) == len(expected) == 4
    for polygon in expected.polygons:
        assert max(overlap_share(polygon, other) for other in found.polygons) > 0.85
    assert selective.pixels < 0.5 * everywhere.pixels
    blank = np.full((720, 1280, 3), 60, np.uint8)
    selective.pixels = 0
    assert len(selective.detect([blank])[0]) == 0
    assert selective.pixels < 0.35 * 1280 * 704  # nothing is looked at finely


@pytest.mark.filterwarnings("error")
def test_a_photo_that_cannot_be_written_is_looked_at_without_a_warning() -> None:
    photo = np.full((1280, 960, 3), 220, np.uint8)
    for y in range(20, 1280, 26):  # small text everywhere: it is seen at full size, unchanged
        cv2.putText(photo, "small words on every line of the board " * 3, (4, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0)
    photo.setflags(write=False)
    Detector.load().detect([photo])
