"""Words too large for the network are found on a small picture, and take the place of their crumbs alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from signboard.detection import Detector, DetectorConfig, DetectorNetwork
from signboard.detection.coarse import with_large_words
from signboard.geometry import overlap_share


def _box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def test_a_large_word_takes_the_place_of_its_crumbs() -> None:
    crumb, apart = (_box(110, 120, 140, 180), 0.8), (_box(600, 100, 700, 130), 0.9)
    large = (_box(100, 100, 500, 220), 0.75)
    assert with_large_words([crumb, apart], [large], 96) == [apart, large]


def test_lines_of_small_words_are_not_replaced_by_one_large_word() -> None:
    lines = [(_box(100, 100, 500, 150), 0.9), (_box(100, 170, 500, 220), 0.9)]
    assert with_large_words(lines, [(_box(100, 100, 500, 220), 0.99)], 96) == lines


def test_a_word_seen_on_both_pictures_counts_once_as_the_large_picture_shows_it() -> None:
    fine, coarse = (_box(100, 100, 500, 220), 0.8), (_box(90, 95, 505, 230), 0.95)
    assert with_large_words([fine], [coarse], 96) == [fine]


def test_a_lone_part_of_a_word_gives_way_to_the_whole_if_that_is_surer() -> None:
    part, whole = _box(100, 130, 500, 190), _box(100, 100, 500, 220)
    assert with_large_words([(part, 0.76)], [(whole, 0.86)], 96) == [(whole, 0.86)]
    assert with_large_words([(part, 0.86)], [(whole, 0.76)], 96) == [(part, 0.86)]


def test_words_that_are_not_large_are_left_to_the_large_picture() -> None:
    low, large = (_box(0, 0, 200, 95), 0.9), (_box(0, 200, 200, 297), 0.9)
    assert with_large_words([], [low, large], 96) == [large]


def test_of_two_large_words_at_one_place_the_surer_counts() -> None:
    first, second = (_box(0, 0, 300, 100), 0.8), (_box(10, 5, 310, 105), 0.9)
    assert with_large_words([], [first, second], 96) == [second]


class _ShortSighted(Detector):
    """Sees bright bars, but none higher than 60 pixels of the picture. Counts the pictures that it is shown."""

    shown = 0

    def probability_maps(self, batch: torch.Tensor) -> torch.Tensor:
        self.shown += len(batch)
        maps = []
        for picture in batch.numpy():
            bright = (picture[..., 0] > 128).astype(np.uint8)
            count, labels, stats, _ = cv2.connectedComponentsWithStats(bright)
            seen = [i for i in range(1, count) if stats[i, cv2.CC_STAT_HEIGHT] <= 60]
            maps.append(np.isin(labels, seen).astype(np.float32))
        return torch.from_numpy(np.stack(maps))


def _detector(coarse_side: int | None) -> _ShortSighted:
    network = DetectorNetwork(DetectorConfig("resnet18", 0.125, 8))
    return _ShortSighted(network, side=960, coarse_side=coarse_side, selective=False, threshold=0.5, box_threshold=0.7)


def _photo(height: int, width: int) -> np.ndarray:
    photo = np.zeros((height, width, 3), np.uint8)
    photo[int(0.2 * height) : int(0.4 * height), int(0.1 * width) : int(0.8 * width)] = 255  # 0.2 of the height
    photo[int(0.7 * height) : int(0.73 * height), int(0.1 * width) : int(0.3 * width)] = 255
    return photo


def test_the_detector_finds_large_words_with_a_coarse_pass_only() -> None:
    photo = _photo(720, 960)
    assert len(_detector(None).detect([photo])[0]) == 1
    found = _detector(320).detect([photo])[0]
    assert len(found) == 2
    large = max(found.polygons, key=lambda p: float(np.ptp(p[:, 1])))
    middle = large.mean(axis=0)
    assert abs(middle[0] - 0.45 * 960) < 12 and abs(middle[1] - 0.3 * 720) < 12
    assert float(np.ptp(large[:, 1])) > 0.2 * 720


def test_photos_of_a_batch_keep_their_own_large_words() -> None:
    empty = np.zeros((720, 960, 3), np.uint8)
    detector = _detector(320)
    assert [len(found) for found in detector.detect([_photo(720, 960), empty, _photo(840, 960)])] == [2, 0, 2]


def test_a_named_side_is_looked_at_alone() -> None:
    detector = _detector(320)
    detector.detect([_photo(720, 960)], side=960)
    assert detector.shown == 1
    detector.detect([_photo(720, 960)])
    assert detector.shown == 3


def test_of_a_small_photo_the_small_picture_is_smaller() -> None:
    photo = _photo(360, 300)  # the bar is 72 pixels high, 94 enlarged
    assert len(_detector(None).detect([photo])[0]) == 1
    assert len(_detector(480).detect([photo])[0]) == 2


@pytest.mark.parametrize("coarse_side", [None, 320])
def test_places_that_may_be_words_take_no_words_place(coarse_side: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    noise = [cv2.GaussianBlur(rng.random((240, 320)).astype(np.float32), (0, 0), sigmaX=9, sigmaY=4) for _ in "ab"]
    spread = [(one - one.min()) / (one.max() - one.min()) for one in noise]
    detector = _detector(coarse_side)

    def maps(batch: torch.Tensor) -> torch.Tensor:
        size = (batch.shape[2], batch.shape[1])
        return torch.from_numpy(np.stack([cv2.resize(spread[int(batch.shape[1] > 400)], size)] * len(batch)))

    monkeypatch.setattr(detector, "probability_maps", maps)
    photo = np.zeros((720, 960, 3), np.uint8)
    (words,) = detector.detect([photo], box_threshold=0.6)
    (both,) = detector.detect([photo], box_threshold=0.6, candidates=0.52)
    assert len(both) > len(words) > 0
    assert both.scores[: len(words)] == words.scores
    assert all(np.array_equal(a, b) for a, b in zip(words.polygons, both.polygons, strict=False))
    assert all(0.52 <= score < 0.6 for score in both.scores[len(words) :])
    unsure = both.polygons[len(words) :]
    assert all(overlap_share(a, b) <= 0.5 for a in unsure for b in words.polygons)
    (alone,) = detector.detect([photo], box_threshold=0.6, candidates=0.9)  # not lower: words alone
    assert alone.scores == words.scores
