"""Training a classifier: augmented pictures, the loss with auxiliary heads and box, top-1 and top-5 error."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from signboard.backbones.classifier import CLASSIFIERS, build_classifier
from signboard.backbones.heads import (
    Classifier,
    ClassifierOutput,
    TrainingForm,
    classification_loss,
    localisation_loss,
)
from signboard.detection.detector import MEAN, STD
from signboard.errors import ConfigError, DataError, WeightsError
from signboard.geometry import FloatArray, ImageArray
from signboard.training.batches import Batch, BatchSource
from signboard.training.config import AugmentConfig, ClassifierTrainConfig
from signboard.training.pictures import LabelledPicture, Pictures, fit, open_pictures
from signboard.weights import load_card, load_state

_VALIDATION_BATCH = 64


class Augment:
    """Random changes of pictures; after `start` with the same seed the same ones.

    With `boxes` the pictures' boxes change with them, which takes most of the time; else they are left out.
    """

    def __init__(self, config: AugmentConfig, size: int, boxes: bool) -> None:
        self.config = config
        self.size = size
        self.boxes = boxes
        self._compose: Any = None

    def start(self, seed: int) -> None:
        """Begins a batch. Seeding takes as long as changing a small picture, so it is done once a batch."""
        if self._compose is None:
            self._compose = self._build()
        self._compose.set_random_seed(seed)

    def __call__(self, picture: LabelledPicture) -> tuple[ImageArray, FloatArray | None]:
        """A picture of any size -> (size, size, 3) uint8 and its box, None where the box has left the picture."""
        image = np.ascontiguousarray(picture.image)
        if not self.boxes:
            return np.ascontiguousarray(self._compose(image=image)["image"]), None
        boxes = np.zeros((0, 4), np.float32) if picture.box is None else picture.box[None]
        out = self._compose(image=image, bboxes=boxes)
        kept = np.asarray(out["bboxes"], np.float32).reshape(-1, 4)
        return np.ascontiguousarray(out["image"]), kept[0] if len(kept) else None

    def _build(self) -> Any:
        import albumentations as A

        c = self.config
        steps: list[Any] = []
        if c.crop is not None:
            steps.append(A.RandomResizedCrop((self.size, self.size), scale=c.crop, ratio=(0.75, 4 / 3)))
        else:
            # Squeezed, not cropped, as validation does; averaged when it shrinks.
            steps.append(A.Resize(self.size, self.size, interpolation=cv2.INTER_AREA))
        if c.flip:
            steps.append(A.HorizontalFlip(p=0.5))
        if c.turn or c.shift:
            steps.append(
                A.Affine(
                    rotate=(-c.turn, c.turn), translate_percent=(-c.shift, c.shift), scale=(0.9, 1.1), shear=(-5, 5),
                    border_mode=cv2.BORDER_REPLICATE, p=0.8,
                )
            )  # fmt: skip
        if c.colour:
            steps.append(A.ColorJitter(c.colour, c.colour, c.colour, 0.1 * c.colour, p=0.7))
        if c.damage:
            holes = A.CoarseDropout(
                num_holes_range=(1, 2), hole_height_range=(0.1, 0.25), hole_width_range=(0.1, 0.25), p=1
            )
            damage = [A.GaussianBlur((3, 3), p=1), A.GaussNoise(std_range=(0.02, 0.08), p=1), holes]
            steps.append(A.OneOf(damage, p=c.damage))
        kept = A.BboxParams(format="albumentations", clip=True, min_visibility=0.2) if self.boxes else None
        return A.Compose(steps, bbox_params=kept)


class PictureBatches:
    """Augmented batches: an order of all pictures for each pass; batch `index` depends on (seed, index) alone."""

    batches_per_pool = 1

    def __init__(self, pictures: Pictures, config: ClassifierTrainConfig) -> None:
        self.pictures = pictures
        self.seed = config.seed
        self.batch_size = config.batch_size
        self.augment = Augment(config.augment, config.size, config.localisation)
        self._order: tuple[int, np.ndarray] | None = None

    def pool(self, index: int) -> list[Batch]:
        """One batch: {"image" (B, S, S, 3) uint8, "label" (B,) int64, "box" (B, 4) float32}.

        Boxes are centre x, centre y, width, height as fractions of the side; NaN where a picture has none, and
        everywhere in a run without localisation.
        """
        images, labels = [], []
        boxes = np.full((self.batch_size, 4), np.nan, np.float32)
        self.augment.start(int(np.random.default_rng([self.seed, index]).integers(2**31)))
        for i in range(self.batch_size):
            picture = self.pictures[self._number(index * self.batch_size + i)]
            image, box = self.augment(picture)
            images.append(image)
            labels.append(picture.label)
            if box is not None:
                boxes[i] = centred(box)
        return [
            {
                "image": torch.from_numpy(np.stack(images)),
                "label": torch.tensor(labels, dtype=torch.long),
                "box": torch.from_numpy(boxes),
                "size": len(images),
            }
        ]

    def _number(self, position: int) -> int:
        """The picture at a position of the endless sequence of shuffled passes."""
        turn, offset = divmod(position, len(self.pictures))
        if self._order is None or self._order[0] != turn:
            self._order = turn, np.random.default_rng([self.seed, turn, 7]).permutation(len(self.pictures))
        return int(self._order[1][offset])


def centred(box: FloatArray) -> FloatArray:
    """(4,) x0, y0, x1, y1 -> centre x, centre y, width, height."""
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]], np.float32)


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes (N, 4) centre x, centre y, width, height -> (N,); NaN where a box has NaN."""
    low = torch.maximum(first[:, :2] - first[:, 2:] / 2, second[:, :2] - second[:, 2:] / 2)
    high = torch.minimum(first[:, :2] + first[:, 2:] / 2, second[:, :2] + second[:, 2:] / 2)
    both = (high - low).clamp(min=0).prod(dim=1)
    either = first[:, 2:].prod(dim=1) + second[:, 2:].prod(dim=1) - both
    return both / either.clamp(min=1e-9)


def errors(logits: Tensor, labels: Tensor, k: int) -> int:
    """How many of N pictures have a label (N,) that is not among the `k` largest of their logits (N, classes)."""
    best = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return int((best != labels[:, None]).all(dim=1).sum())


class ClassifierTask:
    """What `engine.train` needs to train a classifier.

    Args:
        config: the run.
        pictures: training and validation pictures, opened before; several runs on the same ones need not draw them
            again. None: what the config says.

    Raises:
        ConfigError: an unknown architecture, or pictures smaller than it can take.
        DataError: see `open_pictures`.
        WeightsError: `start_from` is the card of another architecture.
    """

    name = "classifier"
    batches_per_pool = 1

    def __init__(self, config: ClassifierTrainConfig, pictures: tuple[Pictures, Pictures] | None = None) -> None:
        self.config = config
        if config.form not in CLASSIFIERS.get(config.name, ()):
            build_classifier(config.name, 2, form=config.form)  # says what there is, before any data is opened
        self.training, self.validation = pictures or open_pictures(config)
        self.classes = self.training.classes
        torch.manual_seed(config.seed)
        self.architecture = self._architecture()
        network = build_classifier(**self.architecture)
        self._check_size(network)
        if config.start_from is not None:
            self._start_from(network, config.start_from)
        self.model: nn.Module = TrainingForm(network)
        if config.localisation and all(self.training[i].box is None for i in range(min(len(self.training), 50))):
            raise DataError("localisation: the pictures have no boxes; add boxes.csv, or set localisation: false")
        for part in (self.training, self.validation):
            part.prepare()
        self.source: BatchSource = PictureBatches(self.training, config)

    def _architecture(self) -> dict[str, Any]:
        """The arguments of `build_classifier`; what stands on the card."""
        c = self.config
        values: dict[str, Any] = {"name": c.name, "num_classes": len(self.classes), "form": c.form}
        if c.width is not None:
            values["width"] = c.width
        if c.localisation:
            values["localisation"] = True
        return values | {k: False for k in ("auxiliary", "reduction", "average_pool") if not getattr(c, k)}

    def _check_size(self, network: Classifier) -> None:
        """One training step without numbers, so that a picture that is too small is an error now and not later."""
        c = self.config
        where = f"size, {c.name} ({c.form})"
        if c.size < network.smallest:
            raise ConfigError(
                f"{where}: input {c.size}x{c.size} is too small for this network: "
                f"the smallest is {network.smallest}x{network.smallest}"
            )
        try:
            copy.deepcopy(network).to("meta").train().outputs(
                torch.zeros(c.batch_size, network.in_channels, c.size, c.size, device="meta")
            )
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
        except ValueError:  # batch norm: one value a channel has no spread
            raise ConfigError(
                f"{where}: input {c.size}x{c.size} in batches of {c.batch_size} leaves one unit a channel, of which "
                "batch norm can learn nothing: take larger pictures or a batch_size of 2 or more"
            ) from None

    def _start_from(self, network: Classifier, path: Path) -> None:
        card = load_card(path, "classifier")
        known = dict(card.get("config", {}))
        for key, usual in (("name", None), ("form", "paper"), ("width", None)):
            theirs, ours = (values.get(key, usual) for values in (known, self.architecture))
            if theirs != ours:
                raise WeightsError(f"{path}: is the card of another architecture ({key} {theirs}, not {ours})")
        state = load_state(path, card)
        wanted = network.state_dict()
        # Layers that depend on the number of classes, and heads that one of the two lacks, start afresh.
        fitting = {k: v for k, v in state.items() if k in wanted and wanted[k].shape == v.shape}
        lost = [k for k in wanted if k not in fitting]
        heads = ("fc.", "classifier.", "box.", "aux1.", "aux2.")
        if any(not k.startswith(heads) for k in lost):
            raise WeightsError(f"{path}: the weights lack {next(k for k in lost if not k.startswith(heads))}")
        network.load_state_dict(fitting, strict=False)

    @property
    def network(self) -> Classifier:
        """The classifier itself."""
        assert isinstance(self.model, TrainingForm)
        return self.model.model

    def describe(self) -> str:
        """Counts of the data and of the network's parts."""
        c = self.config
        source = c.data.folder or (c.data.torchvision.name if c.data.torchvision is not None else "sign characters")
        return (
            f"{source}: {len(self.classes)} classes, {len(self.training)} pictures for training, "
            f"{len(self.validation)} for validation, {c.size}x{c.size}\n"
            f"{c.name}, form {c.form}" + ("" if c.width is None else f", width {c.width:g}")
        )

    def loss(self, model: nn.Module, batch: Batch, device: torch.device) -> dict[str, Tensor]:
        """Cross-entropy, plus `auxiliary_weight` times each auxiliary head's and `box_weight` times the box's."""
        c = self.config
        labels = batch["label"].to(device, non_blocking=True)
        output: ClassifierOutput = model(normalize_pictures(batch["image"].to(device, non_blocking=True)))
        loss = classification_loss(
            output, labels, auxiliary_weight=c.auxiliary_weight, label_smoothing=c.label_smoothing
        )
        logged = {"cross_entropy": nn.functional.cross_entropy(output.logits.detach().float(), labels)}
        if output.box is not None:
            boxes = batch["box"].to(device, non_blocking=True)
            full = localisation_loss(
                output, labels, boxes, box_weight=c.box_weight, auxiliary_weight=c.auxiliary_weight
            )
            # Its class part is taken off again: the one above heeds label smoothing.
            part = full - classification_loss(output, labels, auxiliary_weight=c.auxiliary_weight)
            logged["box"] = part.detach()
            loss = loss + part
        wrong = errors(output.logits.detach(), labels, 1) / len(labels)
        return {"loss": loss, **logged, "top1_error": torch.tensor(wrong)}

    def validate(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        """Top-1 and top-5 error and cross-entropy; with boxes their mean overlap and the localisation error.

        The localisation error is ImageNet's on one guess: the class is wrong, or the box overlaps the true one by less
        than a half. The score is 1 less the top-1 error.
        """
        network = model.model if isinstance(model, TrainingForm) else model
        assert isinstance(network, Classifier)
        c = self.config
        count = min(len(self.validation), c.validation_limit)
        chosen = np.linspace(0, len(self.validation) - 1, count).round().astype(int)
        first = fifth = 0
        loss = 0.0
        overlaps: list[Tensor] = []
        located = 0
        for start in range(0, count, _VALIDATION_BATCH):
            numbers = chosen[start : start + _VALIDATION_BATCH]
            pictures = [fit(self.validation[int(i)], c.size, c.validation_crop) for i in numbers]
            labels = torch.tensor([p.label for p in pictures], device=device)
            images = torch.from_numpy(np.stack([p.image for p in pictures])).to(device)
            output = network.outputs(normalize_pictures(images))
            logits = output.logits.float()
            first += errors(logits, labels, 1)
            fifth += errors(logits, labels, 5)
            loss += float(nn.functional.cross_entropy(logits, labels, reduction="sum"))
            if output.box is not None:
                nothing = np.full(4, np.nan, np.float32)
                truths = np.stack([nothing if p.box is None else centred(p.box) for p in pictures])
                shared = overlap(output.box.float(), torch.from_numpy(truths).to(device))
                known = torch.isfinite(shared)
                right = logits.argmax(dim=1) == labels
                overlaps.append(shared[known].cpu())
                located += int((right & (shared >= 0.5))[known].sum())
        figures = {"top1_error": first / count, "top5_error": fifth / count, "cross_entropy": loss / count}
        if overlaps and (boxes := torch.cat(overlaps)).numel():
            figures["overlap"] = float(boxes.mean())
            figures["localisation_error"] = 1 - located / boxes.numel()
        figures["score"] = 1 - figures["top1_error"]
        return figures

    def card(self, model: nn.Module, figures: dict[str, Any]) -> dict[str, Any]:
        """The weights' card, as `signboard explain --card` reads it."""
        c = self.config
        data = c.data.model_dump(mode="json", exclude_none=True)
        return {
            "kind": "classifier",
            "config": self.architecture,
            "classes": list(self.classes),
            "size": c.size,
            "mean": MEAN,
            "std": STD,
            "trained_on": [{**data, "pictures": len(self.training)}],
            "figures": {k: round(float(v), 4) for k, v in figures.items()},
            "licence": "Apache-2.0",
        }

    def save_pictures(self, folder: Path, batch: Batch) -> None:
        """The first batch as the network is fed it, with its boxes, in one sheet."""
        folder.mkdir(parents=True, exist_ok=True)
        tiles = []
        for image, box in zip(batch["image"].numpy(), batch["box"].numpy(), strict=True):
            tile = image.copy()
            if np.isfinite(box).all():
                low, high = ((box[:2] + sign * box[2:] / 2) * self.config.size for sign in (-1, 1))
                cv2.rectangle(tile, low.astype(int).tolist(), high.astype(int).tolist(), (255, 0, 0))
            tiles.append(tile)
        columns = min(len(tiles), max(1, 1280 // self.config.size))
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
        rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
        Image.fromarray(np.concatenate(rows)).save(folder / "classifier.png")


def normalize_pictures(images: Tensor) -> Tensor:
    """(N, S, S, 3) uint8 RGB -> (N, 3, S, S) float32 normalised by ImageNet's mean and deviation."""
    mean, std = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
    x = (images.permute(0, 3, 1, 2).float() - mean) / std
    return x.contiguous(memory_format=torch.channels_last)
