"""The ranges of a network's maps on photos, from which it is computed in bytes: see `signboard.backbones.int8`."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from signboard.backbones.int8 import Ranges
from signboard.detection.detector import Detector, network_size, resize_for_network
from signboard.detection.int8 import ByteDetector
from signboard.errors import DataError
from signboard.geometry import ImageArray
from signboard.recognition.int8 import ByteRecognizer
from signboard.recognition.recognizer import TALL_BELOW, Recognizer, resize_crop
from signboard.training.adapters import SceneSample, load_scenes, read_rgb
from signboard.training.evaluation import scene_crops


def detector_ranges(detector: Detector, photos: Iterable[ImageArray]) -> dict[str, list[float]]:
    """[low, high] of each map of a detector's network on photos, (H, W, 3) uint8 RGB each, at the sizes it looks at.

    Raises:
        DataError: there are no photos.
    """
    ranges = Ranges()
    network = ByteDetector(detector.network, ranges)
    for photo in photos:
        for side in {detector.side, detector.coarse_side or detector.side}:
            size = network_size(*photo.shape[:2], side=side)
            network(torch.from_numpy(resize_for_network(photo, size))[None])
    return _table(ranges)


def recognizer_ranges(recognizer: Recognizer, crops: Iterable[ImageArray]) -> dict[str, list[float]]:
    """[low, high] of each map of a recogniser's network on crops, (H, W, 3) uint8 RGB each.

    Raises:
        DataError: there are no crops.
    """
    ranges = Ranges()
    network = ByteRecognizer(recognizer.network, ranges)
    crops = list(crops)
    squarish = [crop for crop in crops if crop.shape[1] < TALL_BELOW * crop.shape[0]]
    # The layers of the tall form need ranges, whatever the crops are like.
    for tall, some in ((False, crops), (True, (squarish or crops) if recognizer.tall else [])):
        for crop in some:
            network(torch.from_numpy(resize_crop(crop, *recognizer.form(*crop.shape[:2], tall=tall)))[None])
    return _table(ranges)


def _table(ranges: Ranges) -> dict[str, list[float]]:
    table = ranges.table()
    if not table:
        raise DataError("no pictures to measure ranges on; check the sets and their split")
    return table


def _drawn(folder: Path, split: str, number: int, chance: random.Random) -> list[SceneSample]:
    samples = load_scenes(folder, split)
    return chance.sample(samples, min(number, len(samples)))


def drawn_photos(sets: Sequence[Path], split: str, number: int, seed: int = 0) -> list[ImageArray]:
    """`number` photos of each labelled set, drawn by chance.

    Raises:
        DataError: a set or a photo cannot be read.
    """
    result = []
    for folder in sets:
        result += [read_rgb(sample) for sample in _drawn(folder, split, number, random.Random(seed))]
    return result


def drawn_crops(sets: Sequence[Path], split: str, number: int, seed: int = 0) -> list[ImageArray]:
    """At most `number` labelled words of each set of photos, cut out, one or two a photo.

    Raises:
        DataError: a set or a photo cannot be read.
    """
    result = []
    for folder in sets:
        chance = random.Random(seed)
        crops: list[ImageArray] = []
        for sample in _drawn(folder, split, number, chance):
            words = [pixels for pixels, _ in scene_crops([sample])]
            crops += chance.sample(words, min(2, len(words)))
            if len(crops) >= number:
                break
        result += crops[:number]
    return result
