"""Training the detector: crops of labelled photos, their target maps, the loss, the validation."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from signboard.detection.detector import MAX_ENLARGEMENT, MEAN, STD, Detector
from signboard.detection.loss import detection_loss
from signboard.detection.maps import make_targets
from signboard.detection.network import DetectorConfig, DetectorNetwork
from signboard.errors import ConfigError, DataError, WeightsError
from signboard.geometry import FloatArray, ImageArray
from signboard.synthesis import degrade
from signboard.training.adapters import SceneSample, load_scenes, read_rgb
from signboard.training.batches import Batch
from signboard.training.config import DetectorTrainConfig
from signboard.training.net2net import start_backbone
from signboard.weights import load_card, load_state

# What suits networks trained with this loss, chosen on validation photos (docs/training-log.md, section 6).
_INFERENCE: dict[str, Any] = {"threshold": 0.4, "box_threshold": 0.74, "shrink_ratio": 0.5}
# Brings the small weights of pixels into the range of half precision. The loss does not depend on it.
_WEIGHT_SCALE = 1024.0
_FADED = 0.12  # share of the pictures whose letters hardly stand out
MIN_SIZE = 6.0  # pixels; thinner words are don't-care: nobody reads them, and no map keeps them apart


class SceneBatches:
    """Batches of augmented crops with target maps; batch `index` depends on (seed, index) alone."""

    def __init__(
        self, sources: list[tuple[list[SceneSample], float]], config: DetectorTrainConfig, synthesizer: Any = None
    ) -> None:
        self.samples = [samples for samples, _ in sources]
        weights = np.array([w for _, w in sources] + [config.live_synthesis if synthesizer is not None else 0.0])
        if weights.sum() <= 0:
            raise ConfigError("data, live_synthesis: nothing to train on")
        self.weights = weights / weights.sum()
        self.synthesizer = synthesizer
        self.seed = config.seed
        self.batch_size = config.batch_size
        self.size = config.picture.size
        self.long_side = config.picture.long_side
        self.signs_on_photos = config.signs_on_photos
        self.word_balance = config.word_balance
        self._augment: Any = None

    def pool(self, index: int) -> list[Batch]:
        """One batch: {"image" (B, S, S, 3) uint8, "kernel", "kernel_mask", "threshold", "threshold_mask",
        "weight" (B, S, S)}.
        """
        items = [self.item(np.random.default_rng([self.seed, index, i])) for i in range(self.batch_size)]
        batch: Batch = {key: torch.from_numpy(np.stack([item[key] for item in items])) for key in items[0]}
        batch["size"] = len(items)
        return [batch]

    def item(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """One augmented crop and its maps."""
        which = int(rng.choice(len(self.weights), p=self.weights))
        if which == len(self.samples):
            scene = self.synthesizer.scene(int(rng.integers(2**40)), 640)
            ignore = [False] * len(scene.words)
            image, polygons = self._crop(scene.image, [w.polygon for w in scene.words], ignore, rng)
        else:
            sample = self.samples[which][rng.integers(len(self.samples[which]))]
            ignore = [w.ignore for w in sample.words]
            image, polygons = self._crop(read_rgb(sample), [w.polygon for w in sample.words], ignore, rng)
            if self.synthesizer is not None and rng.random() < self.signs_on_photos:
                image, more = self._add_signs(image, polygons, rng)
                polygons, ignore = polygons + more, ignore + [False] * len(more)
        image = self._colours(image, rng)
        t = make_targets(polygons, ignore, self.size, self.size, min_size=MIN_SIZE, balance=self.word_balance)
        # Ten bytes a pixel: float32 maps of large batches fill the memory that processes share.
        return {
            "image": image,
            "kernel": t.kernel.astype(np.uint8),
            "kernel_mask": t.kernel_mask.astype(np.uint8),
            "threshold": t.threshold.astype(np.float16),
            "threshold_mask": t.threshold_mask.astype(np.uint8),
            "weight": (t.weight * _WEIGHT_SCALE).astype(np.float16),
        }

    def _add_signs(
        self, image: ImageArray, polygons: list[FloatArray], rng: np.random.Generator
    ) -> tuple[ImageArray, list[FloatArray]]:
        """Made-up signs beside the words of a crop; the new crop and the new polygons."""
        boxes = [np.concatenate([p.min(axis=0) - 4, p.max(axis=0) + 4]) for p in polygons]
        taken = [(float(b[0]), float(b[1]), float(b[2]), float(b[3])) for b in boxes]
        scene = self.synthesizer.onto(image, taken, int(rng.integers(2**40)))
        return scene.image, [w.polygon for w in scene.words]

    def _crop(
        self, image: ImageArray, polygons: list[FloatArray], ignore: list[bool], rng: np.random.Generator
    ) -> tuple[ImageArray, list[FloatArray]]:
        """A random scale, turn, shear and window, in one warp; of two windows the one with more words, mostly."""
        height, width = image.shape[:2]
        low, high = self.long_side
        # At inference small photos are enlarged a little only: larger words than that would waste pixels here.
        shrink = min(1.0, 1.15 * MAX_ENLARGEMENT * max(height, width) / high)
        scale = math.exp(rng.uniform(math.log(low), math.log(high))) * shrink / max(height, width)
        angle = math.radians(rng.normal(0, 5)) if rng.random() < 0.72 else math.radians(rng.uniform(-60, 60))
        if rng.random() < 0.05:
            angle += rng.choice([-math.pi / 2, math.pi / 2])
        stretch = math.exp(rng.normal(0, 0.1))
        shear = rng.normal(0, 0.05 if rng.random() < 0.7 else 0.2)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        linear = turn @ np.array([[stretch, shear], [0.0, 1.0 / stretch]]) * scale
        words = np.array([p.mean(axis=0) for p, skip in zip(polygons, ignore, strict=True) if not skip])
        middle = np.array([width / 2, height / 2])
        # Do not look far beyond the photo's edge.
        room = (np.abs(linear) @ np.array([width, height]) - self.size) / 2
        room = np.abs(room)  # a photo smaller than the window moves inside it
        best, place = -1, np.zeros(2)
        for _ in range(2 if rng.random() < 0.8 else 1):
            # The window is centred near a word to learn most of the time, else anywhere.
            if len(words) and rng.random() < 0.8:
                centre = words[rng.integers(len(words))]
            else:
                centre = np.array([rng.uniform(0, width), rng.uniform(0, height)])
            at = linear @ (centre - middle)  # from the photo's centre, in target pixels
            at = np.clip(at + rng.uniform(-0.35, 0.35, 2) * self.size, -room, room)
            inside = 0
            if len(words):
                inside = int((np.abs((words - middle) @ linear.T - at) < self.size / 2).all(axis=1).sum())
            if inside > best:
                best, place = inside, at
        target = np.array([self.size / 2, self.size / 2])
        matrix = np.empty((2, 3))
        matrix[:, :2] = linear
        matrix[:, 2] = target - place - linear @ np.array([width / 2, height / 2])
        if scale < 0.6:  # average first: a warp samples, it does not average
            factor = scale / 0.8
            small = (max(1, round(width * factor)), max(1, round(height * factor)))
            image = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
            ratio = np.array([image.shape[1] / width, image.shape[0] / height])
            warp = matrix.copy()
            warp[:, :2] = matrix[:, :2] / ratio
        else:
            warp = matrix
        shifted = warp.copy()
        shifted[:, 2] += warp[:, :2] @ np.array([0.5, 0.5]) - 0.5  # pixel edges -> pixel centres
        border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
        crop = cv2.warpAffine(
            image, shifted, (self.size, self.size), flags=cv2.INTER_LINEAR, borderMode=border,
            borderValue=tuple(float(v) for v in rng.integers(0, 256, 3)),
        )  # fmt: skip
        moved = [(p @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32) for p in polygons]
        return crop.astype(np.uint8, copy=False), moved

    def _colours(self, image: ImageArray, rng: np.random.Generator) -> ImageArray:
        if self._augment is None:
            import albumentations as A

            self._augment = A.Compose(
                [
                    A.ColorJitter(0.4, 0.4, 0.4, 0.08, p=0.7),
                    A.ToGray(p=0.05),
                    A.ChannelShuffle(p=0.05),
                    A.InvertImg(p=0.03),
                    A.OneOf(
                        [A.GaussianBlur((3, 5)), A.MotionBlur(blur_limit=(3, 7)), A.Downscale(scale_range=(0.4, 0.8))],
                        p=0.25,
                    ),
                    A.OneOf([A.GaussNoise(std_range=(0.02, 0.1)), A.ISONoise()], p=0.2),
                    A.ImageCompression(quality_range=(30, 90), p=0.3),
                    A.RandomShadow(p=0.1),
                ]
            )
        if rng.random() < _FADED:
            image = degrade.faded(image, float(rng.uniform(0.15, 0.6)), float(rng.uniform(0.02, 0.08)) * self.size)
        self._augment.set_random_seed(int(rng.integers(2**31)))
        return np.ascontiguousarray(self._augment(image=image)["image"])


def make_synthesizer(fonts: Path | None, seed: int, *, foreign: bool = False, **options: float) -> Any:
    """The synthesis with the typefaces in the folder `fonts`; `options` are those of `CropOptions`.

    Args:
        foreign: whether it shall make crops in other scripts, too.

    Raises:
        ConfigError: no folder is named.
        DataError: the folder has no typefaces, or none of other scripts.
    """
    if fonts is None:
        raise ConfigError("fonts: live_synthesis and foreign need the folder of typefaces (see scripts/fetch_fonts.py)")
    from signboard.synthesis import CropOptions, FontLibrary, ForeignWords, Synthesizer

    words = ForeignWords(fonts) if foreign else None
    return Synthesizer(FontLibrary.from_folder(fonts), seed=seed, options=CropOptions(**options), foreign=words)


def load_sources(config: DetectorTrainConfig) -> list[tuple[list[SceneSample], float]]:
    """The training photos of every source and the source's weight.

    Raises:
        DataError: a source is missing, malformed, or has no photo in its split.
    """
    sources = []
    for item in config.data:
        samples = load_scenes(item.path, item.split, item.form)
        if not samples:
            raise DataError(f"{item.path}: no photo in split {item.split!r}")
        sources.append((samples, item.weight))
    return sources


class DetectorTask:
    """What `engine.train` needs to train the detector."""

    name = "detector"
    batches_per_pool = 1

    def __init__(self, config: DetectorTrainConfig) -> None:
        self.config = config
        self._mean = torch.tensor(MEAN).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(STD).view(1, 3, 1, 1) * 255
        self.sources = load_sources(config)
        self.source = SceneBatches(
            self.sources,
            config,
            make_synthesizer(config.fonts, config.seed) if config.live_synthesis or config.signs_on_photos else None,
        )
        self.model: nn.Module = DetectorNetwork(
            DetectorConfig(config.backbone, config.width, config.neck, config.detail)
        )
        if config.start_from is not None:
            state = load_state(config.start_from, load_card(config.start_from, "detector"))
            try:
                self.model.load_state_dict(state)
            except RuntimeError:
                raise WeightsError(f"{config.start_from}: is of another architecture than the config's") from None
        if config.backbone_from is not None:
            start_backbone(self.model, config.backbone_from)
        self.validation = [
            (v.path.name, load_scenes(v.path, v.split, v.form)[: config.validation_limit]) for v in config.validation
        ]

    def describe(self) -> str:
        """Counts of the data, a line a source."""
        lines = []
        for item, (samples, weight) in zip(self.config.data, self.sources, strict=True):
            words = sum(len(s.words) for s in samples)
            ignored = sum(w.ignore for s in samples for w in s.words)
            lines.append(
                f"{item.path.name}: {len(samples)} photos, {words} words ({ignored} don't-care), weight {weight:g}"
            )
        if self.config.live_synthesis:
            lines.append(f"synthetic scenes from {self.config.fonts}, weight {self.config.live_synthesis:g}")
        lines += [f"validation {name}: {len(samples)} photos" for name, samples in self.validation]
        return "\n".join(lines)

    def loss(self, model: nn.Module, batch: Batch, device: torch.device) -> dict[str, Tensor]:
        """The losses of one batch (see `detection.loss.detection_loss`)."""
        image = batch["image"].to(device, non_blocking=True).permute(0, 3, 1, 2).float()
        if self._mean.device != device:
            self._mean, self._std = self._mean.to(device), self._std.to(device)
        image = ((image - self._mean) / self._std).contiguous(memory_format=torch.channels_last)
        probability, threshold = model(image)
        names = ("kernel", "kernel_mask", "threshold", "threshold_mask", "weight")
        maps = (batch[name].to(device, non_blocking=True).float() for name in names)
        return detection_loss(probability, threshold, *maps)

    def validate(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        """Detection H-mean of every validation set; their mean is the score."""
        from signboard.training.evaluation import score_detection

        assert isinstance(model, DetectorNetwork)
        detector = Detector(model, side=self.config.side, device=device, **_INFERENCE)
        figures: dict[str, float] = {}
        for name, samples in self.validation:
            score = score_detection(detector.detect, samples).detection
            figures[f"{name}_p"], figures[f"{name}_r"], figures[f"{name}_h"] = (
                score.precision,
                score.recall,
                score.h_mean,
            )
        scores = [v for k, v in figures.items() if k.endswith("_h")]
        figures["score"] = float(np.mean(scores)) if scores else 0.0
        return figures

    def card(self, model: nn.Module, figures: dict[str, Any]) -> dict[str, Any]:
        """The weights' card."""
        assert isinstance(model, DetectorNetwork)
        config = model.config
        return {
            "kind": "detector",
            "config": asdict(config),
            "inference": {"side": self.config.side, **_INFERENCE},
            "mean": MEAN,
            "std": STD,
            "trained_on": [
                {"name": item.path.name, "photos": len(samples), "weight": item.weight}
                for item, (samples, _) in zip(self.config.data, self.sources, strict=True)
            ],
            "figures": {k: round(float(v), 4) for k, v in figures.items()},
            "licence": "Apache-2.0",
        }

    def save_pictures(self, folder: Path, batch: Batch) -> None:
        """The first crops of a batch beside their maps: kernels in green, borders in red, don't-care in blue."""
        folder.mkdir(parents=True, exist_ok=True)
        tiles = []
        for i in range(min(8, int(batch["size"]))):
            image = batch["image"][i].numpy()
            over = image.astype(np.float32) * 0.5
            over[..., 1] += 127 * batch["kernel"][i].numpy()
            over[..., 0] += 127 * (batch["threshold"][i].numpy() - 0.3) / 0.4
            over[..., 2] += 127 * (1 - batch["kernel_mask"][i].numpy())
            tiles.append(np.concatenate([image, np.clip(over, 0, 255).astype(np.uint8)], axis=1))
        rows = [np.concatenate(tiles[i : i + 2], axis=1) for i in range(0, len(tiles) - 1, 2)] or tiles
        Image.fromarray(np.concatenate(rows)).save(folder / "detector.png")
