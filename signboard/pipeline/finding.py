"""Finding places: photos in, polygons and scores out; large photos in regions, as many at once as memory holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch

from signboard.detection import Detections, Detector
from signboard.detection.coarse import with_unsure
from signboard.detection.detector import network_size
from signboard.device_pictures import part_of
from signboard.geometry import FloatArray, ImageArray, text_size
from signboard.photo import Photo
from signboard.pipeline.tiling import Found, merge, regions

A = TypeVar("A")
B = TypeVar("B")

# Photos shrunk more than this may hold text that is too small on the detector's picture ...
_SHRUNK = 1.5
# ... and do, as a rule, when one in ten of the words found is lower than this, in pixels of that picture. Of words on
# a made-up panorama the detector found 9 % at 10 to 15 pixels, 75 % at 20 to 30.
_LEGIBLE = 16.0
# Shrunk this much, even letters 60 pixels high are lost, and the words that are found say nothing of the others.
_SHRUNK_FAR = 4.0


class InBatches(Generic[A, B]):
    """`work` on many items, no more at once than the device has memory for; what fitted is remembered.

    Args:
        work: a result for each item, in their order.
        most: items at once, at most; None: all.
    """

    def __init__(self, work: Callable[[Sequence[A]], list[B]], most: int | None = None) -> None:
        self._work = work
        self.most = most

    def __call__(self, items: Sequence[A]) -> list[B]:
        """The results, in the order of `items`.

        Raises:
            torch.OutOfMemoryError: one item alone is too much for the device.
        """
        results: list[B] = []
        while len(results) < len(items):
            part = items[len(results) : len(results) + (self.most or len(items))]
            try:
                results += self._work(part)
            except torch.OutOfMemoryError:
                if len(part) < 2:
                    raise
                self.most = len(part) // 2
                torch.cuda.empty_cache()
        return results


class Finder:
    """Where there may be words on photos. Unchanging after construction, but for the batch that fits the device.

    Args:
        detector: the network.
        threshold: places with this score or more count as words.
        candidates: a lower score, from which on places are given, too, that may be words; None: words alone.
        tile: whether large photos are looked at at full size, in overlapping regions.
        batch: photos, or regions of one, that go through the network at once.
    """

    def __init__(
        self, detector: Detector, *, threshold: float, candidates: float | None, tile: bool, batch: int
    ) -> None:
        self.detector = detector
        self.threshold = threshold
        self.candidates = candidates
        self.tile = tile
        self.batch = batch
        self._photos = InBatches(self._detect, batch)
        self._regions = InBatches(self._detect_regions, batch)

    def find(self, pictures: Sequence[ImageArray]) -> list[Detections]:
        """Places on each picture (H, W, 3) uint8 RGB, in their order."""
        if self.tile:
            return [self._find_tiled(pixels) for pixels in pictures]
        # Pictures of like shape side by side, so that they share passes; back in their own order afterwards.
        order = sorted(range(len(pictures)), key=lambda i: pictures[i].shape)
        found = self._photos([pictures[i] for i in order])
        return [detections for _, detections in sorted(zip(order, found, strict=True), key=lambda pair: pair[0])]

    def _detect(self, pictures: Sequence[ImageArray], *, side: int | None = None) -> list[Detections]:
        return self.detector.detect(pictures, side=side, box_threshold=self.threshold, candidates=self.candidates)

    def _detect_regions(self, crops: Sequence[ImageArray]) -> list[Detections]:
        # Larger regions show the words that are too large for these.
        return self._detect(crops, side=self.detector.side)

    def _find_tiled(self, pixels: ImageArray) -> Detections:
        """Places on one photo (H, W, 3) at full resolution, each once."""
        height, width = pixels.shape[:2]
        levels = regions(height, width, self.detector.side)
        if len(levels) == 1:
            return self._detect([pixels])[0]

        found: list[Found] = []
        for level in levels:
            crops = [part_of(pixels, r.left, r.top, r.right, r.bottom) for r in level]
            for region, seen in zip(level, self._regions(crops), strict=True):
                scale = network_size(region.height, region.width, side=self.detector.side)[1] / region.width
                corner = np.array([region.left, region.top], np.float32)
                found += [Found(p + corner, s, region, scale) for p, s in seen.words()]
        limit = np.array([width, height], np.float32)
        words = with_unsure(
            merge([item for item in found if item.score >= self.threshold], height, width),
            merge([item for item in found if item.score < self.threshold], height, width),
        )
        return Detections.of([(np.clip(polygon, 0.0, limit), score) for polygon, score in words])

    def warnings(self, photo: Photo, found: Detections) -> tuple[str, ...]:
        """What a user should know of what was found on a photo: that its small text may have been lost."""
        words = [polygon for polygon, _ in found.words(at_least=self.threshold)]
        return () if self.tile else too_small(photo, words, self.detector.side)


def too_small(photo: Photo, found: Sequence[FloatArray], side: int) -> tuple[str, ...]:
    """The warning for a photo whose small text was lost when it was shrunk for the detector; empty without reason.

    Args:
        found: polygons of its words, pixels of `photo.pixels`.
        side: the longer side of the detector's picture.
    """
    height, width = photo.pixels.shape[:2]
    seen = network_size(height, width, side=side)
    shrunk = max(photo.height, photo.width) / max(seen)
    if shrunk < _SHRUNK or (not len(found) and shrunk < _SHRUNK_FAR):
        return ()
    heights = [min(text_size(polygon)) * max(seen) / max(height, width) for polygon in found]
    low = float(np.quantile(heights, 0.1)) if heights else 0.0
    if low >= _LEGIBLE and shrunk < _SHRUNK_FAR:
        return ()
    lost = round(_LEGIBLE * shrunk)
    return (
        f"text may be too small: the photo was shrunk {shrunk:.1f} times to find words, and letters under about {lost} "
        "pixels may be missed; --tile (in Python: tile=True) reads it at full size",
    )


__all__ = ["Finder", "InBatches", "too_small"]
