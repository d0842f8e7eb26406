"""Labelled pictures for classifiers: ImageNet-layout folders, torchvision's data sets, sign characters."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np

from signboard.errors import ConfigError, DataError
from signboard.geometry import FloatArray, ImageArray
from signboard.image_files import kind_of_file
from signboard.photo import load_photo
from signboard.training.characters import SETS, CharacterPainter, split_families
from signboard.training.config import CharactersData, ClassifierTrainConfig, TorchvisionData

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})


class LabelledPicture(NamedTuple):
    """A picture (H, W, 3) uint8 RGB, its class number, and its object's box or None.

    `box` is (4,) float32 x0, y0, x1, y1 as fractions of the picture's width and height.
    """

    image: ImageArray
    label: int
    box: FloatArray | None


class Pictures(Protocol):
    """A set of labelled pictures that can be indexed. Must be picklable: worker processes hold copies."""

    classes: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> LabelledPicture: ...

    def prepare(self) -> None:
        """Does what takes long, before worker processes are started."""
        ...


def open_pictures(config: ClassifierTrainConfig) -> tuple[Pictures, Pictures]:
    """Training and validation pictures of a run; both have the same classes in the same order.

    Raises:
        ConfigError: an unknown data set, or no folder of typefaces.
        DataError: a folder is missing, a class has no picture, there is one class only.
    """
    data = config.data
    train: Pictures
    validation: Pictures
    if data.folder is not None:
        train = FolderPictures(data.folder / "train")
        validation = FolderPictures(data.folder / "val", train.classes)
    elif data.torchvision is not None:
        train, validation = (TorchvisionPictures(data.torchvision, training=t) for t in (True, False))
        if train.classes != validation.classes:
            raise DataError(f"torchvision's {data.torchvision.name}: its two parts have different classes")
    else:
        assert data.characters is not None
        train, validation = open_characters(data.characters, config.fonts, config.size)
    if len(train.classes) < 2:
        raise DataError(f"one class only ({train.classes[0]}): a classifier needs at least two")
    return train, validation


# ---- folders ---------------------------------------------------------------------------------------------------


class FolderPictures:
    """A folder with a folder of pictures for each class, as ImageNet is laid out: FOLDER/CLASS/**/PICTURE.

    A file `boxes.csv` in it (columns picture, x0, y0, x1, y1: path inside the folder, pixels) gives objects' boxes.

    Args:
        root: the folder.
        classes: the classes of the training part, which those of this part must be among; None for that part itself.

    Raises:
        DataError: no such folder, no class in it, a class without pictures, a file that is no picture, or a class that
            training does not have.
    """

    def __init__(self, root: Path, classes: Sequence[str] | None = None) -> None:
        if not root.is_dir():
            raise DataError(f"{root}: no such folder; pictures belong at train/CLASS/PICTURE and val/CLASS/PICTURE")
        names = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
        if not names:
            raise DataError(f"{root}: no class folders in it; pictures are expected at {root.name}/CLASS/PICTURE")
        self.classes = tuple(names if classes is None else classes)
        strange = [name for name in names if name not in self.classes]
        if strange:
            raise DataError(f"{root / strange[0]}: the training part has no such class")
        self.root = root
        self.files: list[tuple[Path, int]] = []
        for name in names:
            files = sorted(p for p in (root / name).rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not files:
                raise DataError(f"{root / name}: class folder without pictures; fill or remove it")
            self.files += [(file, self.classes.index(name)) for file in files]
        # Now, not in the middle of a training run.
        broken = [file for file, _ in self.files if kind_of_file(file) is None]
        if broken:
            more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
            raise DataError(f"{broken[0]}{more}: empty or no picture; take it out of the training set")
        self.boxes = self._boxes(root / "boxes.csv")

    def _boxes(self, file: Path) -> dict[Path, FloatArray]:
        if not file.is_file():
            return {}
        boxes = {}
        with file.open(encoding="utf-8-sig", newline="") as rows:
            for number, row in enumerate(csv.DictReader(rows), 2):
                try:
                    box = np.array([float(row[key]) for key in ("x0", "y0", "x1", "y1")], np.float32)
                    boxes[self.root / row["picture"]] = box
                except (KeyError, TypeError, ValueError):
                    raise DataError(f"{file}, line {number}: needs picture, x0, y0, x1, y1 (pixels)") from None
        return boxes

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> LabelledPicture:
        file, label = self.files[index]
        pixels = load_photo(str(file)).pixels
        box = self.boxes.get(file)
        if box is not None:
            height, width = pixels.shape[:2]
            box = np.clip(box / np.array([width, height, width, height], np.float32), 0, 1)
        return LabelledPicture(pixels, label, box)

    def prepare(self) -> None:
        """Pictures are opened as they are needed."""


# ---- torchvision -----------------------------------------------------------------------------------------------

_BY_FLAG: tuple[dict[str, Any], dict[str, Any]] = ({"train": True}, {"train": False})
_BY_SPLIT: tuple[dict[str, Any], dict[str, Any]] = ({"split": "train"}, {"split": "test"})
# Data sets of torchvision that classify, and the arguments of their training and validation part.
TORCHVISION: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "CIFAR10": _BY_FLAG,
    "CIFAR100": _BY_FLAG,
    "MNIST": _BY_FLAG,
    "FashionMNIST": _BY_FLAG,
    "KMNIST": _BY_FLAG,
    "SVHN": _BY_SPLIT,
    "GTSRB": _BY_SPLIT,
    "STL10": _BY_SPLIT,
    "Food101": _BY_SPLIT,
    "DTD": ({"split": "train"}, {"split": "val"}),
    "Flowers102": ({"split": "train"}, {"split": "val"}),
    "OxfordIIITPet": ({"split": "trainval"}, {"split": "test"}),
}


class TorchvisionPictures:
    """A data set of torchvision's, from a folder where it lies, or downloaded there when the config says so.

    Raises:
        ConfigError: no such data set.
        DataError: it is not in the folder, or could not be downloaded.
    """

    def __init__(self, data: TorchvisionData, *, training: bool) -> None:
        if data.name not in TORCHVISION:
            known = ", ".join(TORCHVISION)
            raise ConfigError(f"data.torchvision.name: unknown data set {data.name!r}; there are: {known}")
        from torchvision import datasets

        options = TORCHVISION[data.name][0 if training else 1]
        try:
            self.dataset = getattr(datasets, data.name)(str(data.root), download=data.download, **options)
        except (RuntimeError, OSError) as error:
            why = " ".join(str(error).split())
            if data.download:
                raise DataError(f"torchvision's {data.name}: cannot be downloaded to {data.root} ({why})") from None
            raise DataError(
                f"{data.root}: torchvision's {data.name} is not there; "
                "put it there, or fetch it with data.torchvision.download=true"
            ) from None
        names = getattr(self.dataset, "classes", None)
        if names is None:  # digits and signs without names
            count = {"SVHN": 10, "GTSRB": 43, "Flowers102": 102}.get(data.name)
            names = range(count) if count else sorted({int(self.dataset[i][1]) for i in range(len(self.dataset))})
        self.classes = tuple(" ".join(n) if isinstance(n, tuple) else str(n) for n in names)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> LabelledPicture:
        image, label = self.dataset[index]
        return LabelledPicture(np.asarray(image.convert("RGB")), int(label), None)

    def prepare(self) -> None:
        """The data set was opened when it was made."""


# ---- sign characters -------------------------------------------------------------------------------------------


class CharacterPictures:
    """Sign characters, drawn once and kept in memory (a picture of 32 x 32 takes 3 kB).

    Args:
        classes: the characters.
        painter: draws them.
        size: side of the pictures, pixels.
        per_class: pictures of each character.
        seed: of all pictures, with `split` (a number that tells parts apart).
    """

    def __init__(
        self, classes: Sequence[str], painter: CharacterPainter, size: int, per_class: int, seed: int, split: int
    ) -> None:
        self.classes = tuple(classes)
        self.painter = painter
        self.size, self.per_class = size, per_class
        self.seed, self.split = seed, split
        self._images: ImageArray | None = None
        self._boxes: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.classes) * self.per_class

    def __getitem__(self, index: int) -> LabelledPicture:
        if self._images is None or self._boxes is None:
            image, box = self.draw(index)
        else:
            image, box = self._images[index], self._boxes[index]
        return LabelledPicture(image, index // self.per_class, box)

    def draw(self, index: int) -> tuple[ImageArray, FloatArray]:
        """Picture `index`, made anew, and its ink's box; see `CharacterPainter.draw`."""
        label, number = divmod(index, self.per_class)
        # The code points, not the class's number: a character looks the same whatever else is trained on.
        code = [ord(c) for c in self.classes[label]]
        rng = np.random.default_rng([self.seed, self.split, number, *code])
        return self.painter.draw(rng, self.classes[label], self.size)

    def prepare(self) -> None:
        """Draws them all, about a millisecond each."""
        if self._images is None:
            images = np.empty((len(self), self.size, self.size, 3), np.uint8)
            boxes = np.empty((len(self), 4), np.float32)
            for index in range(len(self)):
                images[index], boxes[index] = self.draw(index)
            self._images, self._boxes = images, boxes


def open_characters(data: CharactersData, fonts: Path | None, size: int) -> tuple[CharacterPictures, CharacterPictures]:
    """Sign characters for training and for validation, with different families of typefaces.

    Raises:
        ConfigError: no folder of typefaces is named.
        DataError: too few typefaces.
    """
    if fonts is None:
        raise ConfigError("fonts: sign characters need the folder of typefaces (see scripts/fetch_fonts.py)")
    from signboard.synthesis import FontLibrary

    library = FontLibrary.from_folder(fonts)
    classes = [c for name in data.sets for c in SETS[name]]
    parts = []
    for split, families in enumerate(split_families(library, data.val_families, data.seed)):
        painter = CharacterPainter(library, families, data.scale)
        count = data.val_per_class if split else data.per_class
        missing = [c for c in classes if not painter.faces(c)]
        if missing:
            raise DataError(f"{fonts}: no {('training', 'validation')[split]} typeface draws {' '.join(missing[:8])}")
        parts.append(CharacterPictures(classes, painter, size, count, data.seed, split))
    return parts[0], parts[1]


def fit(picture: LabelledPicture, size: int, keep: float = 1.0) -> LabelledPicture:
    """A picture for validation: the middle, `keep` of its shorter side square (1: all of it), brought to `size`.

    With `keep` 1 the whole picture is squeezed into the square, as `signboard explain` shows pictures to a classifier.
    Its box is moved and clipped with it.
    """
    image, box = picture.image, picture.box
    height, width = image.shape[:2]
    if keep < 1.0:
        side = max(1, math.floor(min(height, width) * keep))
        x, y = (width - side) // 2, (height - side) // 2
        image = image[y : y + side, x : x + side]
        if box is not None:
            box = (box * np.array([width, height, width, height]) - np.array([x, y, x, y])) / side
            box = np.clip(box, 0, 1).astype(np.float32)
    if image.shape[:2] != (size, size):
        shrinking = size * size < image.shape[0] * image.shape[1]
        method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        image = cv2.resize(image, (size, size), interpolation=method).astype(np.uint8, copy=False)
    return LabelledPicture(np.ascontiguousarray(image), picture.label, box)
