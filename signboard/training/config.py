"""Typed configurations of training runs. An unknown key or a value out of range is an error that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from signboard.errors import ConfigError
from signboard.training.data_root import with_root


class StrictModel(BaseModel):
    """A config section: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")


class OptimizerConfig(StrictModel):
    """The optimizer and its schedule.

    Attributes:
        kind: "adamw", or "muon" (see `signboard.training.muon`), which takes the same learning rates.
        decay: the share of the run, at its end, over which the learning rate falls.
    """

    kind: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_steps: int = Field(200, ge=0)
    decay: float = Field(0.4, ge=0, le=1)
    clip_norm: float = Field(5.0, gt=0)


class DataConfig(StrictModel):
    """One source of training data.

    Attributes:
        path: a folder that `signboard.training.adapters` can read.
        weight: how often it is drawn from, relative to the other sources.
        split: which rows are used.
        form: the format, "auto" to look.
    """

    path: Path
    weight: float = Field(1.0, ge=0)
    split: str | None = "train"
    form: str = "auto"


class CutData(DataConfig):
    """Photos that words are cut from.

    Attributes:
        crops: a set of the same words as crops, in the same order (ICDAR 2015 has both). Words whose crop is in another
            split than `split` are left out, so that either set can validate.
    """

    crops: Path | None = None


class TrainConfig(StrictModel):
    """What every run has. `threads` 0 leaves torch's default; `workers` are processes that make data. Each step sees
    `accumulate` batches on each rank.

    `precision` is that of convolutions and products, the weights are float32 always; "auto" is bf16 where the device
    multiplies it in hardware (a recent GPU, processors with AVX512-BF16 or AMX), fp32 elsewhere.
    """

    output: Path
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    seed: int = 0
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32"
    compile: bool = False
    accumulate: int = Field(1, gt=0)
    threads: int = Field(0, ge=0)
    workers: int = Field(1, ge=0)
    prefetch: int = Field(2, gt=0)
    ema: float = Field(0.999, ge=0, lt=1)
    log_every: int = Field(20, gt=0)
    validate_every: int = Field(500, gt=0)
    save_every: int = Field(200, gt=0)
    start_from: Path | None = None
    optimizer: OptimizerConfig = OptimizerConfig()  # type: ignore[call-arg]


class DetectorDataOptions(StrictModel):
    """How pictures for the detector are made. `size` is the side of the square crops, pixels (a multiple of 32).

    `long_side` is the range, pixels, that a photo's longer side is scaled to before a crop is taken; smaller photos,
    which inference enlarges only a little, are scaled by as much less.
    """

    size: int = Field(512, gt=0, multiple_of=32)
    long_side: tuple[int, int] = (512, 1600)


class DetectorTrainConfig(TrainConfig):
    """A run of `scripts/train_detector.py`.

    Attributes:
        data, live_synthesis: photos, each source with its weight, and the weight of synthetic scenes beside them.
        signs_on_photos: share of the real crops that get made-up signs beside their own words.
        word_balance: 0: every pixel of a word counts the same in the loss; 1: every word does (see
            `detection.maps.make_targets`).
        fonts: the folder of typefaces that the synthesis draws with (see `scripts/fetch_fonts.py`).
        backbone_from: card of a classifier (`scripts/train_backbone.py`) whose backbone this one begins with.
        side: the longer side, pixels, of photos at validation and inference.
    """

    backbone: str = "resnet18"
    width: float = Field(0.5, gt=0)
    neck: int = Field(64, gt=0, multiple_of=8)
    detail: bool = False
    picture: DetectorDataOptions = DetectorDataOptions()  # type: ignore[call-arg]
    data: list[DataConfig] = []
    validation: list[DataConfig] = []
    validation_limit: int = Field(100, gt=0)
    fonts: Path | None = None
    live_synthesis: float = Field(0.0, ge=0)
    signs_on_photos: float = Field(0.0, ge=0, le=1)
    word_balance: float = Field(0.5, ge=0, le=1)
    backbone_from: Path | None = None
    side: int = Field(1536, gt=0)


class RecognizerTrainConfig(TrainConfig):
    """A run of `scripts/train_recognizer.py`.

    Attributes:
        grid_layers, tall: as in `RecognizerConfig`.
        frozen: names of parts of the network that stay as `start_from` has them, such as "backbone.layer1"; steps take
            less time, and what is learned elsewhere fits the weights it began with.
        height: rows of a crop, pixels.
        max_width: columns of the widest crop; wider ones are squeezed.
        tall_batches: share of the batches that are crops in their tall form.
        bent: share of the real crops that are put on an arch or slanted.
        data: word sets, each with its weight; also the folders that `scripts/make_synthetic.py words` writes.
        scenes: photos that words are cut from, with some of their surroundings.
        exclude: sets of words or photos whose texts must not be trained on.
        live_synthesis: weight of words that are made while training, beside those of `data` and `scenes`.
        fonts: the folder of typefaces that the synthesis draws with (see `scripts/fetch_fonts.py`).
        pairs: weight of pairs of neighbouring words of one line, cut from `scenes` as one crop: detectors join words,
            and the space between them is where a reader parts them again.
        foreign: weight of words in scripts that are not read, half of it cut from `scenes` (words whose `script` is one
            of `recognizer_task.FOREIGN`), the rest made up, which needs `fonts`; all of it where no photo has such
            words. Their label is empty, so that they are left out instead of being read as something.
        negatives: weight of crops of walls, fences, foliage and the like, on which nothing is written: their label is
            empty, too.
        recombine: share of the real words, among those whose letters the weights of `start_from` find, of which parts
            are shown alone or in another order (see `training.recombination`). A run that is resumed needs the same
            weights.
        phrases: share of synthetic crops that hold two or three words.
        synthetic_words: make so many different words, keep them in memory (about 25 kB each and worker) and draw from
            them; 0 makes every word anew, which needs more processor time than a narrow network's own training.
        backbone_from: card of a classifier (`scripts/train_backbone.py`) whose backbone this one begins with.
        flat_start_steps: steps over which the flat start fades out (see `recognition.ctc.flat_start_loss`).
    """

    backbone: str = "resnet18"
    width: float = Field(0.375, gt=0)
    mixer: int = Field(192, gt=0, multiple_of=8)
    mixer_layers: int = Field(2, ge=0)
    height: int = Field(32, gt=0, multiple_of=16)
    max_width: int = Field(320, gt=0, multiple_of=8)
    grid_layers: int = Field(0, ge=0)
    tall: int = Field(0, ge=0, multiple_of=16)
    tall_batches: float = Field(0.375, ge=0, le=1)
    bent: float = Field(0.0, ge=0, le=1)
    frozen: list[str] = []
    data: list[DataConfig] = []
    scenes: list[CutData] = []
    exclude: list[DataConfig] = []
    validation: list[DataConfig] = []
    validation_limit: int = Field(1000, gt=0)
    fonts: Path | None = None
    live_synthesis: float = Field(0.0, ge=0)
    pairs: float = Field(0.0, ge=0)
    foreign: float = Field(0.0, ge=0)
    negatives: float = Field(0.0, ge=0)
    recombine: float = Field(0.0, ge=0, le=1)
    phrases: float = Field(0.03, ge=0, le=1)
    synthetic_words: int = Field(0, ge=0)
    backbone_from: Path | None = None
    flat_start_steps: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> RecognizerTrainConfig:
        if self.tall and self.tall <= self.height:
            raise ValueError(f"tall: {self.tall} rows are not more than height, {self.height}")
        if self.frozen and self.start_from is None:
            raise ValueError("frozen: needs start_from, whose weights those parts keep")
        return self


class CharactersData(StrictModel):
    """Sign characters, drawn at the start of the run and kept in memory.

    Attributes:
        sets: names in `signboard.training.characters.SETS`.
        per_class, val_per_class: pictures of each character, for training and for validation.
        val_families: share of the typeface families that only validation draws with.
        scale: range of a character's longer side, as a share of the picture's side.
        seed: of the pictures; the run's own seed changes weights, order and augmentation alone.
    """

    sets: list[Literal["letters", "digits", "aksharas", "devanagari_digits", "syllables"]] = Field(
        ["letters", "digits", "aksharas"], min_length=1
    )
    per_class: int = Field(60, gt=0)
    val_per_class: int = Field(10, gt=0)
    val_families: float = Field(0.2, gt=0, lt=1)
    scale: tuple[float, float] = (0.5, 0.9)
    seed: int = Field(0, ge=0)


class TorchvisionData(StrictModel):
    """A data set of torchvision's by name, in the folder `root`; it is fetched only with `download: true`."""

    name: str
    root: Path
    download: bool = False


class PictureData(StrictModel):
    """Where a classifier's pictures come from: exactly one of the three.

    Attributes:
        folder: with train/CLASS/PICTURE and val/CLASS/PICTURE, as ImageNet is laid out.
        torchvision: a data set of torchvision's.
        characters: sign characters, which need nothing but typefaces.
    """

    folder: Path | None = None
    torchvision: TorchvisionData | None = None
    characters: CharactersData | None = None

    @model_validator(mode="after")
    def _one(self) -> PictureData:
        if sum(source is not None for source in (self.folder, self.torchvision, self.characters)) != 1:
            raise ValueError("give one of folder, torchvision, characters")
        return self


class AugmentConfig(StrictModel):
    """How training pictures are changed.

    Attributes:
        crop: range of the share of the picture's area that a random crop keeps; None: no crop.
        flip: mirror half of the pictures; wrong for letters.
        turn: degrees to either side.
        shift: share of the side, either way.
        colour: strength of changes of brightness, contrast and saturation, 0 to 1.
        damage: share of pictures that are blurred, noisy or erased in part.
    """

    crop: tuple[float, float] | None = None
    flip: bool = False
    turn: float = Field(8.0, ge=0, le=180)
    shift: float = Field(0.05, ge=0, le=0.5)
    colour: float = Field(0.3, ge=0, le=1)
    damage: float = Field(0.2, ge=0, le=1)


class ClassifierTrainConfig(TrainConfig):
    """A run of `scripts/train_backbone.py`.

    Attributes:
        name, form, width, auxiliary, reduction, average_pool, localisation: as in `build_classifier`.
        size: side of the pictures, pixels.
        fonts: the folder of typefaces that sign characters are drawn with (see `scripts/fetch_fonts.py`).
        auxiliary_weight: of each auxiliary head's loss beside the main one, in training (0.3 in the paper).
        box_weight: of the box's loss beside the class's, with `localisation`.
        validation_crop: share of the shorter side that validation looks at, in the middle; 1 squeezes the whole picture
            into the square. ImageNet's usual figure is 0.875.
        validation_limit: pictures, evenly spread over the validation part.
        tensorboard: write the curves for TensorBoard, too.
    """

    name: str
    form: str = "paper"
    width: float | None = Field(None, gt=0)
    auxiliary: bool = True
    reduction: bool = True
    average_pool: bool = True
    localisation: bool = False
    size: int = Field(64, gt=0)
    data: PictureData
    fonts: Path | None = None
    augment: AugmentConfig = AugmentConfig()  # type: ignore[call-arg]
    auxiliary_weight: float = Field(0.3, ge=0)
    box_weight: float = Field(5.0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    validation_crop: float = Field(1.0, gt=0, le=1)
    validation_limit: int = Field(50000, gt=0)
    tensorboard: bool = False


S = TypeVar("S", bound=StrictModel)


def load_config(kind: type[S], path: str | Path, overrides: list[str] | None = None) -> S:
    """The config of type `kind` in the YAML file `path`, with overrides such as "optimizer.learning_rate=0.002".

    Paths may begin with `$SIGNBOARD_DATA` (see `signboard.training.data_root`).

    Raises:
        ConfigError: no such file, not YAML, an unknown key, or a value that does not fit; the key is named.
    """
    values = read_values(path)
    for override in overrides or []:
        key, separator, text = override.partition("=")
        if not separator:
            raise ConfigError(f"--set {override}: write KEY=VALUE")
        target = values
        *parents, last = key.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise ConfigError(f"--set {override}: {parent} is not a section")
        target[last] = yaml.safe_load(text)
    return validated(kind, with_root(values, path), path)


def read_values(path: str | Path) -> dict[str, Any]:
    """The mapping in the YAML file `path`.

    Raises:
        ConfigError: no such file, not YAML, or no mapping.
    """
    path = Path(path)
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a config is a mapping of keys to values")
    return values


def validated(kind: type[S], values: dict[str, Any], where: str | Path) -> S:
    """`values` as a `kind`.

    Raises:
        ConfigError: an unknown key, or a value that does not fit; `where` and the key are named.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {key}: {first['msg']}") from None
