"""The detector as the rest of the program sees it: a batch of photos in, word polygons and scores out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from signboard.backbones.folding import folded
from signboard.backbones.int8 import Ranges, measured_ranges, precision_of
from signboard.batching import Fetched, one_ahead, to_device
from signboard.detection.coarse import LARGE, with_large_words, with_unsure
from signboard.detection.int8 import ByteDetector, has_bytes
from signboard.detection.maps import SHRINK_RATIO, polygons_from_map
from signboard.detection.network import MEAN, STD, DetectorConfig, DetectorNetwork
from signboard.detection.sparse import cells_with_text, plan
from signboard.device_pictures import is_uploaded, resize_uploaded
from signboard.devices import computed
from signboard.errors import WeightsError
from signboard.geometry import FloatArray, ImageArray, resize_image, text_size
from signboard.weights import WEIGHTS_FOLDER, load_network

# More finds no more words on small photos, and costs time (measured on training photos).
MAX_ENLARGEMENT = 1.3
LARGE_ENOUGH = 1280  # pixels: nor is any enlarged to a longer side of more
# In float32 maps of larger pictures would take a process to more than 1.5 GiB.
_FLOAT_SIDE = 1280
# A small picture that is not at least this much smaller than the large one shows nothing new; of such photos another
# is made, of this share of the large one's side.
_COARSE_WORTH, _COARSE_SHARE = 1.5, 1 / 3
# Selective looking: photos of a longer side of at least so many pixels are seen at half size first, and finely where a
# pixel there is text with at least this probability. Words at least so many times as high as `LARGE` there are clear.
# Photos that are shrunk for the large picture already are looked at everywhere: on boards of 12 megapixels a pass at
# half size lost words (end to end H 92.2 % instead of 93.3 %).
_SELECT_SIDE, _SELECT_LEAST, _SELECT_CLEAR = 640, 0.05, 1.5
_BACKGROUND = round(255 * sum(MEAN) / len(MEAN))  # what is not looked at


@dataclass(frozen=True, slots=True)
class Detections:
    """Words found on one photo: `polygons`, each (N, 2) float32 in the photo's pixels, clockwise; `scores`, 0 to 1."""

    polygons: list[FloatArray]
    scores: list[float]

    def __len__(self) -> int:
        return len(self.polygons)

    @classmethod
    def of(cls, words: Sequence[tuple[FloatArray, float]]) -> Detections:
        """From (polygon, score) of each word."""
        return cls([polygon for polygon, _ in words], [score for _, score in words])

    def words(self, *, at_least: float = 0.0, below: float = math.inf) -> list[tuple[FloatArray, float]]:
        """(polygon, score) of each word whose score is in the range."""
        pairs = zip(self.polygons, self.scores, strict=True)
        return [(polygon, score) for polygon, score in pairs if at_least <= score < below]


def network_size(height: int, width: int, *, side: int, multiple: int = 32) -> tuple[int, int]:
    """The (height, width) that a photo is resized to: its longer side becomes `side`, both multiples of `multiple`.

    A smaller photo is enlarged by at most `MAX_ENLARGEMENT`, and to a longer side of at most `LARGE_ENOUGH`.
    """
    longer = max(height, width)
    scale = min(side / longer, MAX_ENLARGEMENT, max(1.0, LARGE_ENOUGH / longer))
    return (
        max(multiple, round(height * scale / multiple) * multiple),
        max(multiple, round(width * scale / multiple) * multiple),
    )


def resize_for_network(pixels: ImageArray, size: tuple[int, int]) -> ImageArray:
    """(H, W, 3) uint8 -> (size[0], size[1], 3) uint8: see `geometry.resize_image`."""
    return resize_image(pixels, size)


class Detector:
    """Finds words on photos. Unchanging after construction; safe to share between threads.

    Args:
        network: a trained network; it is put in evaluation mode.
        side: the longer side, in pixels, that photos are resized to.
        coarse_side: the longer side of a second, small picture of each photo, on which words are found that are too
            large on the first (see `coarse.py`), smaller for small photos; None: only one is looked at.
        threshold, box_threshold: see `maps.polygons_from_map`.
        selective: on a processor, with a `coarse_side`, photos are looked at at half size, and at full size only where
            that shows what may be small text (see `sparse.py`): half the time. Otherwise at full size everywhere.
        device: where the network runs.
        dtype: what the network computes in: float32, a half precision, or int8 (see `backbones.int8`; on a processor,
            with a card that has the ranges of the network's maps).
        card: the card of the weights, kept for whoever asks.
    """

    def __init__(
        self,
        network: DetectorNetwork,
        *,
        side: int = 1280,
        coarse_side: int | None = None,
        selective: bool = True,
        threshold: float = 0.55,
        box_threshold: float = 0.65,
        shrink_ratio: float = SHRINK_RATIO,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        card: dict[str, Any] | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.network = network.eval().to(self.device).to(memory_format=torch.channels_last)
        self.card = card or {}
        # What runs. Folded it is on a processor 1.2 to 1.3 times as fast (1280x960), and on CUDA nothing is cast in it.
        self._bytes: ByteDetector | None = None
        if dtype == torch.int8:
            able = has_bytes(self.network)
            precision_of("int8", self.device, self.card, "the detector's card", able=able)
            self._bytes = ByteDetector(self.network, Ranges(measured_ranges(self.card)))
            self._folded = self.network  # not run
        else:
            self._folded = folded(self.network).to(dtype).to(memory_format=torch.channels_last)
        self.side = side
        self.coarse_side = coarse_side
        self.selective = selective and self.device.type == "cpu" and coarse_side is not None
        self.threshold = threshold
        self.box_threshold = box_threshold
        self.shrink_ratio = shrink_ratio
        self.dtype = dtype
        self._mean = torch.tensor(MEAN, device=self.device).view(1, 3, 1, 1) * 255.0
        self._std = torch.tensor(STD, device=self.device).view(1, 3, 1, 1) * 255.0

    @classmethod
    def load(cls, card_path: str | Path | None = None, *, precision: str | None = None, **options: Any) -> Detector:
        """The detector whose card is at `card_path`, the shipped one by default; `options` override its thresholds.

        Args:
            precision: in the place of `dtype`, by name: see `devices.choose_precision`. In float32 a processor looks at
                1280 pixels at most, unless `side` is given.

        Raises:
            ConfigError: a precision that these weights or the device do not have.
            WeightsError: card or weights missing, damaged, or of another architecture.
        """
        path = Path(card_path) if card_path is not None else WEIGHTS_FOLDER / "detector.json"
        network, card = load_network(path, "detector", lambda card: DetectorNetwork(DetectorConfig(**card["config"])))
        inference = dict(card.get("inference", {}))
        if "overview" in inference:  # cards before 0.2
            inference["coarse_side"] = inference.pop("overview")
        settings = {**inference, **{k: v for k, v in options.items() if v is not None}}
        if precision is not None:
            device = torch.device(settings.get("device", "cpu"))
            settings["dtype"] = precision_of(precision, device, card, str(path), able=has_bytes(network))
            if settings["dtype"] == torch.float32 and device.type == "cpu" and options.get("side") is None:
                settings["side"] = min(settings.get("side", _FLOAT_SIDE), _FLOAT_SIDE)
        try:
            return cls(network, card=card, **settings)
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}") from None

    @torch.inference_mode()
    def probability_maps(self, batch: Tensor) -> Tensor:
        """Pictures (N, H, W, 3) uint8, H and W multiples of 32 -> probability of text kernels (N, H, W) float32."""
        if self._bytes is not None:
            return torch.sigmoid(self._bytes(batch))
        x = batch.to(self.device).permute(0, 3, 1, 2).float()
        x = x.sub_(self._mean).div_(self._std).contiguous(memory_format=torch.channels_last)
        logits, _ = computed(self._folded, x, self.dtype)
        return torch.sigmoid(logits.float())

    def detect(
        self,
        photos: Sequence[ImageArray],
        *,
        side: int | None = None,
        box_threshold: float | None = None,
        candidates: float | None = None,
    ) -> list[Detections]:
        """Words on each photo, in the order of the photos.

        Args:
            photos: (H, W, 3) uint8 RGB each, any sizes, uploaded (`device_pictures.upload`) or not; those that come to
                the same network size share a forward pass.
            side: another longer side than the detector's own; then this picture alone is looked at.
            box_threshold: least mean probability of a word's region, instead of the detector's own.
            candidates: a lower one, from which on places are given, too, that may be words, behind the words and where
                none of those lies; None: words alone.
        """
        sure = self.box_threshold if box_threshold is None else box_threshold
        least = sure if candidates is None else min(sure, candidates)
        if self.coarse_side is None or side is not None:
            found = self._look(photos, self._sizes(photos, [side or self.side] * len(photos)), least)
            return [_joined(sure, fine) for fine in found]
        if self.selective:
            return [self._look_selectively(photo, sure, least) for photo in photos]
        return self._look_twice(photos, sure, least)

    def _look_twice(self, photos: Sequence[ImageArray], sure: float, least: float) -> list[Detections]:
        """Words on each photo, on a large picture and on a small one."""
        assert self.coarse_side is not None
        sizes = self._sizes(photos, [self.side] * len(photos))
        large = [max(size) for size in sizes]
        small = [self.coarse_side if n >= _COARSE_WORTH * self.coarse_side else round(n * _COARSE_SHARE) for n in large]
        coarse_sizes = self._sizes(photos, small)
        found = self._look(photos, sizes, least), self._look(photos, coarse_sizes, least)
        return [
            _joined(sure, fine, (coarse, _large(photo, size)))
            for photo, size, fine, coarse in zip(photos, coarse_sizes, *found, strict=True)
        ]

    def _look_selectively(self, photo: ImageArray, sure: float, least: float) -> Detections:
        """Words on a photo: at half and quarter size, and at full size where the half shows what may be small text."""
        shape = photo.shape[:2]
        size = network_size(*shape, side=self.side, multiple=64)
        if max(size) < _SELECT_SIDE or max(shape) > LARGE_ENOUGH:
            return self._look_twice([photo], sure, least)[0]
        half = (size[0] // 2, size[1] // 2)
        picture = resize_for_network(photo, half)
        probability = self._map(picture)
        middle = self._polygons(probability, shape, least)
        quarter = network_size(*half, side=max(half) // 2)
        coarse = self._polygons(self._map(resize_for_network(picture, quarter)), shape, least)
        to_map = np.array([half[1] / shape[1], half[0] / shape[0]], np.float32)
        clear = [
            polygon * to_map
            for polygon, _ in middle.words(at_least=sure)
            if min(text_size(polygon)) >= _SELECT_CLEAR * _large(photo, half)
        ]
        canvas = plan(cells_with_text(probability, size, _SELECT_LEAST, clear))
        if canvas is None:
            probability = self._map(resize_for_network(photo, size))
        elif canvas.parts:
            probability = canvas.restore(self._map(canvas.cut(resize_for_network(photo, size), _BACKGROUND)))
        fine = self._polygons(probability, shape, least) if canvas is None or canvas.parts else Detections([], [])
        return _joined(sure, fine, (middle, _large(photo, half)), (coarse, _large(photo, quarter)))

    def _map(self, picture: ImageArray) -> FloatArray:
        """The probability map (H, W) float32 of one picture (H, W, 3) uint8."""
        # PyTorch warns of arrays that cannot be written, as pictures of Pillow are.
        batch = torch.from_numpy(np.require(picture, requirements="W"))[None]
        values: FloatArray = self.probability_maps(batch)[0].cpu().numpy()
        return values

    @staticmethod
    def _sizes(photos: Sequence[ImageArray], sides: Sequence[int]) -> list[tuple[int, int]]:
        return [network_size(*photo.shape[:2], side=side) for photo, side in zip(photos, sides, strict=True)]

    def _look(self, photos: Sequence[ImageArray], sizes: Sequence[tuple[int, int]], least: float) -> list[Detections]:
        """Words on each photo, each resized to its (height, width) of `sizes`, with scores of at least `least`."""
        results: list[Detections | None] = [None] * len(photos)

        def passes() -> Iterator[tuple[list[int], Fetched]]:
            for size in sorted(set(sizes)):
                members = [i for i, s in enumerate(sizes) if s == size]
                batch = self._resized([photos[i] for i in members], size)
                yield members, Fetched(self.probability_maps(batch))

        for members, maps in one_ahead(passes()):
            for i, probability in zip(members, maps.numpy(), strict=True):
                results[i] = self._polygons(probability, photos[i].shape[:2], least)
        return [r for r in results if r is not None]

    def _resized(self, photos: Sequence[ImageArray], size: tuple[int, int]) -> Tensor:
        """Photos as a batch (N, size[0], size[1], 3) uint8 on the device; of uploaded ones no pixel is sent again."""
        if all(is_uploaded(photo) for photo in photos):
            return torch.stack([resize_uploaded(photo, size) for photo in photos])
        return to_device([resize_for_network(photo, size) for photo in photos], self.device)

    def _polygons(self, probability: FloatArray, shape: tuple[int, ...], least: float) -> Detections:
        polygons, scores = polygons_from_map(
            probability, threshold=self.threshold, box_threshold=least, shrink_ratio=self.shrink_ratio
        )
        height, width = shape[:2]
        scale = np.array([width / probability.shape[1], height / probability.shape[0]], np.float32)
        limit = np.array([width, height], np.float32)
        return Detections([np.clip(p * scale, 0.0, limit) for p in polygons], scores)


def _large(photo: ImageArray, size: tuple[int, int]) -> float:
    """The height, in pixels of the photo, from which words are seen better on its picture of (height, width) `size`."""
    return LARGE * max(photo.shape[:2]) / max(size)


def _joined(sure: float, fine: Detections, *coarser: tuple[Detections, float]) -> Detections:
    """The words of a picture with the large ones of smaller pictures, and behind them what may be words.

    Args:
        sure: the score from which on they are words.
        coarser: of each smaller picture, the finest first, its words and the least height of those that count.
    """
    words, unsure = fine.words(at_least=sure), fine.words(below=sure)
    for coarse, height in coarser:
        words = with_large_words(words, coarse.words(at_least=sure), height)
        unsure = with_large_words(unsure, coarse.words(below=sure), height)
    return Detections.of(with_unsure(words, unsure))
