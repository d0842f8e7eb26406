"""Training the recogniser: word crops from sets, labelled photos and the synthesis; the loss; the validation."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from signboard.errors import ConfigError, DataError
from signboard.geometry import FloatArray, ImageArray, grow_sides, text_size
from signboard.recognition.charset import DEFAULT_CHARACTERS, Charset, normalize
from signboard.recognition.ctc import ctc_loss, flat_start_loss
from signboard.recognition.network import RecognizerConfig, RecognizerNetwork
from signboard.recognition.recognizer import TALL_BELOW, TALL_WIDTH, Recognizer, crop_width, normalize_crops
from signboard.synthesis import degrade
from signboard.synthesis.negatives import negative_crop
from signboard.training.adapters import SceneWord, WordSample, load_scenes, load_words, read_rgb
from signboard.training.batches import Batch
from signboard.training.config import CutData, DataConfig, RecognizerTrainConfig
from signboard.training.crops import MARGIN, Crop, bent, cut_with_margin, leaning_box, neighbours, stretched, whole_crop
from signboard.training.detector_task import make_synthesizer
from signboard.training.launch import pick_device
from signboard.training.net2net import freeze, start_backbone, start_network
from signboard.training.recombination import recombine, with_cuts

# Shares of the crops that are cut out by the box around a leaning word, or with much room around it.
_LEANING, _ROOMY = 0.12, 0.1
# Share of the real words with letters of at least so many rows that are made smaller than they are, as if far away.
_FAR, _FAR_FROM = 0.15, 28.0


# What config and card of a network have in common.
_SHAPE = ("backbone", "width", "mixer", "mixer_layers", "height", "grid_layers", "tall")
# Names under which sets of photos list scripts that are not read.
FOREIGN = frozenset({
    "arab", "arabic", "assamese", "assamesse", "bangla", "beng", "bengali", "gujarati", "gujr", "gurmukhi", "guru",
    "kannada", "knda", "malayalam", "meitei", "mlym", "mtei", "odia", "oriya", "orya", "punjabi", "tamil", "taml",
    "telu", "telugu", "urdu",
})  # fmt: skip


class WordBatches:
    """Batches of crops of like widths; pool `index` depends on (seed, index) alone.

    Args:
        sources: (crops, weight) pairs, real words.
        synthesizer: makes a `WordCrop` from an index, or None.
        synthetic: weight of the synthesizer beside those of the sources.
        foreign: weight of its words in other scripts.
        negatives: weight of crops on which nothing is written.
    """

    def __init__(
        self,
        sources: list[tuple[list[Crop], float]],
        config: RecognizerTrainConfig,
        charset: Charset,
        batches_per_pool: int,
        synthesizer: Any = None,
        synthetic: float = 0.0,
        foreign: float = 0.0,
        negatives: float = 0.0,
    ) -> None:
        self.sources = [crops for crops, _ in sources]
        made = [synthetic, foreign] if synthesizer is not None else [0.0, 0.0]
        weights = np.array([weight for _, weight in sources] + made + [negatives])
        if weights.sum() <= 0:
            raise ConfigError("data, scenes, live_synthesis, foreign, negatives: nothing to train on")
        self.weights = weights / weights.sum()
        self.synthesizer = synthesizer
        self.repeat_after = config.synthetic_words
        self.recombine = config.recombine
        self._made: dict[int, tuple[ImageArray, str]] = {}
        self.seed = config.seed
        self.batch_size = config.batch_size
        self.batches_per_pool = batches_per_pool
        self.height = config.height
        self.max_width = config.max_width
        self.tall = config.tall
        self.tall_batches = round(config.tall_batches * batches_per_pool) if config.tall else 0
        self.bent = config.bent
        self.charset = charset
        self._augment: Any = None

    def pool(self, index: int) -> list[Batch]:
        """A pool of batches {"image" (B, height, W, 3) uint8, "target" concatenated, "length" (B,), "text"}."""
        count = self.batch_size * self.batches_per_pool
        # One generator a crop, from its choice to its last augmentation; a trailing 0 would give the pool's own again.
        generators = [np.random.default_rng([self.seed, index, 1 + i]) for i in range(count)]
        items = [self._draw(generator, index * count + i) for i, generator in enumerate(generators)]
        rng = np.random.default_rng([self.seed, index])
        # Neighbours in width share a batch; the width of a batch is its median, so nothing is stretched much.
        ratio = np.array([text_size(quad)[0] / max(text_size(quad)[1], 1.0) for _, quad, _, _ in items])
        tall = self._choose_tall(ratio, rng)
        order = np.lexsort((ratio * np.exp(rng.normal(0, 0.08, count)), ~tall))
        batches = []
        for b in range(self.batches_per_pool):
            part = order[b * self.batch_size : (b + 1) * self.batch_size]
            rows, narrowest = (self.tall, TALL_WIDTH) if tall[part[0]] else (self.height, 1)
            median = float(np.median(ratio[part]))
            longest = max(len(self.charset.encode(items[i][2])) for i in part)
            width = crop_width(100, round(100 * median), rows, self.max_width, narrowest)
            width = min(max(width, crop_width(rows, 4 * longest + 8, rows, self.max_width)), self.max_width)
            images = []
            for i in part:
                image, quad, _, real = items[i]
                images.append(self._render(image, quad, real, (rows, width), generators[i]))
            codes = [self.charset.encode(items[i][2]) for i in part]
            batches.append(
                {
                    "image": torch.from_numpy(np.stack(images)),
                    "target": torch.tensor([c for code in codes for c in code], dtype=torch.long),
                    "length": torch.tensor([len(code) for code in codes], dtype=torch.long),
                    "text": [items[i][2] for i in part],
                    "size": len(part),
                }
            )
        rng.shuffle(batches)  # type: ignore[arg-type]
        return batches

    def _choose_tall(self, ratio: FloatArray, rng: np.random.Generator) -> Any:
        """(N,) bool: which crops of the shapes `ratio` fill the batches of crops in their tall form.

        By chance among those that are read so, and the least wide of the others where these are too few.
        """
        chance = rng.random(len(ratio)) + np.maximum(ratio - TALL_BELOW, 0) * 1e3
        tall = np.zeros(len(ratio), bool)
        tall[np.argsort(chance)[: self.tall_batches * self.batch_size]] = True
        return tall

    def _draw(self, rng: np.random.Generator, index: int) -> tuple[ImageArray, FloatArray, str, bool]:
        which = int(rng.choice(len(self.weights), p=self.weights))
        if which < len(self.sources):
            crop = self.sources[which][rng.integers(len(self.sources[which]))]
            if self.recombine and rng.random() < self.recombine and crop.cuts:
                crop = recombine(crop, rng)
            if self.bent and crop.text and rng.random() < self.bent:
                crop = bent(crop, rng)
                return crop.image, crop.quad, crop.text, True
            return crop.image, self._boxed(crop.quad, rng), crop.text, True
        if which > len(self.sources):
            other = which == len(self.sources) + 1
            whole = whole_crop(self.synthesizer.foreign_crop(index).image if other else negative_crop(rng), "")
            return whole.image, self._boxed(whole.quad, rng), "", False
        if self.repeat_after:
            index = int(rng.integers(self.repeat_after))
            if index not in self._made:
                self._made[index] = self._make(index)
            image, text = self._made[index]
        else:
            image, text = self._make(index)
        whole = whole_crop(image, text)
        return whole.image, self._boxed(whole.quad, rng), text, False

    @staticmethod
    def _boxed(quad: FloatArray, rng: np.random.Generator) -> FloatArray:
        """At times the box around a word that leans in it, or one that is too large: many words are cut out so."""
        kind = rng.random()
        if kind < _LEANING:
            return leaning_box(quad, float(rng.uniform(0.05, 0.4)) * float(rng.choice([-1.0, 1.0])))
        if kind < _LEANING + _ROOMY:
            return grow_sides(quad, *(text_size(quad)[1] * rng.uniform(0.0, MARGIN, 4)))
        return quad

    def _make(self, index: int) -> tuple[ImageArray, str]:
        for attempt in range(20):
            made = self.synthesizer.crop(index + attempt * 1_000_003)
            text = normalize(made.text)
            if text and not self.charset.missing(text):
                return whole_crop(made.image, text).image, text
        raise DataError("the synthesis makes no text that the charset covers")

    def _render(
        self, image: ImageArray, quad: FloatArray, real: bool, size: tuple[int, int], rng: np.random.Generator
    ) -> ImageArray:
        """The crop at the network's `size` (rows, columns), corners moved as a detector would, its colours changed."""
        rows, width = size
        text_height = text_size(quad)[1]
        loose = 0.10 if real else 0.05
        # Sides move outwards more than inwards (left, top, right, bottom), corners a little on their own.
        corners: Any = grow_sides(quad, *(rng.normal(0.04, loose, 4).clip(-0.08, MARGIN) * text_height))
        corners = corners + rng.normal(0, 0.03 * text_height, (4, 2))
        if rng.random() < 0.25:  # a detector's rectangle may lean
            down = (quad[3] - quad[0]) / max(float(np.linalg.norm(quad[3] - quad[0])), 1e-3)
            corners = corners + np.stack([-down, down, down, -down]) * rng.normal(0, 0.06) * text_height
        target = np.array([[0, 0], [width, 0], [width, rows], [0, rows]], np.float32)
        if text_height > 1.6 * rows:
            factor = 1.25 * rows / text_height
            small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            image = small.astype(np.uint8, copy=False)
            corners = corners * factor
        if real and text_height > _FAR_FROM and rng.random() < _FAR:
            factor = float(rng.uniform(13.0, 24.0)) / text_size(corners)[1]
            image, corners = _far_away(image, corners, min(factor, 1.0), rng)
        matrix = cv2.getPerspectiveTransform(corners.astype(np.float32) - 0.5, target - 0.5)
        crop = cv2.warpPerspective(
            image, matrix, (width, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        if rng.random() < (0.4 if real else 0.15):
            crop = stretched(crop.astype(np.uint8, copy=False), rng)
        return self._colours(crop, real, rng)

    def _colours(self, crop: Any, real: bool, rng: np.random.Generator) -> ImageArray:
        x = crop.astype(np.float32)
        if rng.random() < 0.7:
            contrast, brightness = math.exp(rng.normal(0, 0.25)), rng.normal(0, 20)
            x = (x - 128) * contrast + 128 + brightness
            x = x * np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
        if rng.random() < 0.12:  # haze, dusk, letters in the colour of their wall
            level = x.mean(axis=(0, 1), keepdims=True)
            x = (x - level) * rng.uniform(0.25, 0.6) + level + rng.normal(0, 25)
        if rng.random() < 0.1:
            x = 255.0 - x
        if rng.random() < 0.05:
            x[...] = x.mean(axis=2, keepdims=True)
        crop = np.clip(x, 0, 255).astype(np.uint8)
        if rng.random() < (0.4 if real else 0.15):
            if self._augment is None:
                import albumentations as A

                self._augment = A.OneOf(
                    [
                        A.GaussianBlur((3, 7), sigma_limit=(0.4, 1.7), p=1),
                        A.MotionBlur(blur_limit=(3, 5), p=1),
                        A.GaussNoise(std_range=(0.02, 0.08), p=1),
                        A.ImageCompression(quality_range=(30, 80), p=1),
                        A.Downscale(
                            scale_range=(0.35, 0.8),
                            interpolation_pair={"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR},
                            p=1,
                        ),
                        A.CoarseDropout(
                            num_holes_range=(1, 2), hole_height_range=(0.1, 0.4), hole_width_range=(0.02, 0.06), p=1
                        ),
                    ],
                    p=1.0,
                )
            self._augment.set_random_seed(int(rng.integers(2**31)))
            crop = self._augment(image=crop)["image"]
        return np.ascontiguousarray(crop)


def _far_away(
    image: ImageArray, corners: FloatArray, factor: float, rng: np.random.Generator
) -> tuple[ImageArray, FloatArray]:
    """A picture at `factor` of its size, as a camera would store it there, and the corners moved with it."""
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if rng.random() < 0.5:
        small = degrade.defocus(small, float(rng.uniform(0.2, 0.9)))
    small = degrade.noise(small, rng, float(min(rng.exponential(3.0), 10.0)))
    if rng.random() < 0.7:
        small = degrade.jpeg(small, int(rng.integers(35, 90)))
    ratio = np.array([small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]])
    return small, (corners * ratio).astype(np.float32)  # type: ignore[no-any-return]


Place = tuple[Path, tuple[tuple[float, ...], ...]]


def _place(photo: Path, polygon: FloatArray) -> Place:
    return photo, tuple(tuple(map(float, corner)) for corner in polygon)


def is_foreign(word: SceneWord, charset: Charset) -> bool:
    """Whether a word is in a script that is not read: by its label, and not a don't-care region."""
    return word.script in FOREIGN and not word.ignore and (not word.text or bool(charset.missing(word.text)))


def words_held_back(item: CutData) -> set[Place]:
    """(photo, polygon) of the words whose crop, in the set `item.crops`, is in another split than the item's.

    Raises:
        DataError: the crops are not those of the photos' words, in the same order.
    """
    assert item.crops is not None
    places = [(s.image, w) for s in load_scenes(item.path, None, item.form) for w in s.words if not w.ignore]
    crops = load_words(item.crops)
    for number, ((image, word), crop) in enumerate(zip(places, crops, strict=False), 1):
        if word.text != crop.text:
            raise DataError(f"{item.crops}: crop {number} reads {crop.text!r}, that word of {image.name} {word.text!r}")
    if len(places) != len(crops):
        raise DataError(f"{item.crops}: {len(crops)} crops, but {item.path} has {len(places)} words")
    pairs = zip(places, crops, strict=True)
    return {_place(image, word.polygon) for (image, word), crop in pairs if crop.split != item.split}


def texts_of(item: DataConfig) -> set[str]:
    """The texts, as `charset.normalize` spells them, of a set of words or photos."""
    try:
        texts = [s.text for s in load_words(item.path, item.split, item.form)]
    except DataError:
        texts = [w.text or "" for s in load_scenes(item.path, item.split, item.form) for w in s.words]
    return {normalize(text) for text in texts} - {""}


class RecognizerTask:
    """What `engine.train` needs to train the recogniser."""

    name = "recognizer"
    batches_per_pool = 8

    def __init__(self, config: RecognizerTrainConfig) -> None:
        self.config = config
        characters = DEFAULT_CHARACTERS
        self.charset = Charset(characters)
        excluded = {text for item in config.exclude for text in texts_of(item)}
        self.report: list[str] = []
        self._names: list[str] = []  # of the sources
        self.skipped: Counter[str] = Counter()
        sources: list[tuple[list[Crop], float]] = []
        for item in config.data:
            words = load_words(item.path, item.split, item.form)
            self._check(item.path, [w.text for w in words])
            words = [w for w in words if normalize(w.text) not in excluded and self._usable(w.text)]
            crops = [whole_crop(read_rgb(w), normalize(w.text)) for w in words]
            self._add(sources, item.path.name, crops, item.weight)
        joined: list[Crop] = []
        others: list[Crop] = []
        for item in config.scenes:
            cut: list[Crop] = []
            before = len(others)
            held_back = words_held_back(item) if item.crops is not None else set()
            for scene in load_scenes(item.path, item.split, item.form):
                keep = [w for w in scene.words if w.text and not w.ignore and scene.level == "word"]
                keep = [w for w in keep if _place(scene.image, w.polygon) not in held_back]
                keep = [w for w in keep if normalize(w.text or "") not in excluded and self._usable(w.text or "")]
                foreign = [w for w in scene.words if is_foreign(w, self.charset)] if config.foreign else []
                if keep or foreign:
                    photo = read_rgb(scene)
                    others += [cut_with_margin(photo, w.polygon, "") for w in foreign]
                    labels = [(w.polygon, normalize(w.text or "")) for w in keep]
                    cut += [cut_with_margin(photo, polygon, text) for polygon, text in labels]
                    if config.pairs:
                        pairs = [pair for pair in neighbours(labels) if self._usable(pair[1])]
                        joined += [cut_with_margin(photo, quad, text) for quad, text in pairs]
            if cut or len(others) == before:
                self._add(sources, f"{item.path.name} (cut from photos)", cut, item.weight)
        if config.pairs:
            self._add(sources, "pairs of neighbours (cut from photos)", joined, config.pairs)
        foreign_made = config.foreign
        if others:
            self._add(sources, "words in other scripts (cut from photos)", others, config.foreign / 2)
            foreign_made /= 2
        if config.recombine:
            if config.start_from is None:
                raise ConfigError("recombine: needs start_from, the weights that tell where letters stand")
            if config.threads:
                torch.set_num_threads(config.threads)
            device = pick_device(config.device)
            reader = Recognizer.load(config.start_from, language=False, device=device, precision="auto")
            sources = [(with_cuts(crops, reader), weight) for crops, weight in sources]
            count = sum(bool(crop.cuts) for crops, _ in sources for crop in crops)
            self.report.append(f"words that can be taken apart between letters: {count}")
        synthesizer = None
        made = {"synthesis": config.live_synthesis, "synthesis in other scripts, without a text": foreign_made}
        made = {name: weight for name, weight in made.items() if weight > 0}
        if made:
            synthesizer = make_synthesizer(config.fonts, config.seed, foreign=foreign_made > 0, phrases=config.phrases)
            self.report += [f"{name}, from {config.fonts}, weight {weight:g}" for name, weight in made.items()]
        if self.skipped:
            self.report.append("left out: " + ", ".join(f"{n} {why}" for why, n in sorted(self.skipped.items())))
        self.source = WordBatches(
            sources,
            config,
            self.charset,
            self.batches_per_pool,
            synthesizer,
            config.live_synthesis,
            foreign_made,
            config.negatives,
        )
        if config.negatives:
            made["crops on which nothing is written"] = config.negatives
            self.report.append(f"crops on which nothing is written, weight {config.negatives:g}")
        shape = {name: getattr(config, name) for name in _SHAPE}
        self.model: nn.Module = RecognizerNetwork(RecognizerConfig(**shape, characters=characters))
        if config.start_from is not None:
            start_network(self.model, config.start_from, "recognizer")
        if config.backbone_from is not None:
            start_backbone(self.model, config.backbone_from)
        for name in config.frozen:
            freeze(self.model, name)
        self.trained_on = [
            {"name": name, "words": len(crops), "weight": weight}
            for name, (crops, weight) in zip(self._names, sources, strict=True)
        ] + [{"name": name, "weight": weight} for name, weight in made.items()]
        self.validation = [(v.path.name, self._validation(v.path, v.split, v.form)) for v in config.validation]

    def _add(self, sources: list[tuple[list[Crop], float]], name: str, crops: list[Crop], weight: float) -> None:
        if not crops:
            raise DataError(f"{name}: no usable word")
        counts = Counter(c.script for c in crops)
        self.report.append(
            f"{name}: {len(crops)} words ({', '.join(f'{n} {s}' for s, n in counts.most_common())}), weight {weight:g}"
        )
        self._names.append(name)
        sources.append((crops, weight))

    def _usable(self, text: str) -> bool:
        """Whether the charset covers a label and a crop can hold it."""
        if self.charset.missing(text):
            self.skipped["with characters outside the charset"] += 1
            return False
        if len(normalize(text)) > self.config.max_width // 6:
            self.skipped["too long"] += 1
            return False
        return bool(normalize(text))

    def _check(self, path: Path, texts: list[str]) -> None:
        """More than a few labels outside the charset is a mistake, not noise."""
        missing = Counter(c for text in texts for c in self.charset.missing(text))
        bad = sum(bool(self.charset.missing(text)) for text in texts)
        if bad > 0.05 * len(texts):
            shown = " ".join(f"{c!r} ({n})" for c, n in missing.most_common(8))
            raise DataError(f"{path}: {bad} of {len(texts)} labels have characters that the charset lacks: {shown}")

    def _validation(self, path: Path, split: str | None, form: str) -> list[tuple[np.ndarray, WordSample]]:
        """Words of a set; of a set of photos, the words cut out at their labelled polygons."""
        from signboard.training.evaluation import scene_crops

        try:
            samples: Any = [(read_rgb(s), s) for s in load_words(path, split, form)]
        except DataError:
            samples = list(scene_crops(load_scenes(path, split, form)))
        return samples[: self.config.validation_limit]  # type: ignore[no-any-return]

    def describe(self) -> str:
        """Counts of the data, a line a source."""
        lines = [*self.report, *(f"validation {name}: {len(samples)} words" for name, samples in self.validation)]
        return "\n".join(lines)

    def loss(self, model: nn.Module, batch: Batch, device: torch.device) -> dict[str, Tensor]:
        """CTC loss, a third of the auxiliary head's, and in the first steps the flat start's, fading out."""
        logits, early = model(normalize_crops(batch["image"].to(device, non_blocking=True)))
        target, length = batch["target"].to(device), batch["length"]
        main = ctc_loss(logits, target, length)
        loss = main + 0.3 * ctc_loss(early, target, length)
        flat = max(0.0, 1.0 - batch["step"] / self.config.flat_start_steps) if self.config.flat_start_steps else 0.0
        if flat > 0:
            loss = loss + flat * (flat_start_loss(logits, target, length) + flat_start_loss(early, target, length))
        return {"loss": loss, "ctc": main.detach()}

    def validate(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        """Word accuracy of every validation set, by script where there are several; the sets' mean is the score."""
        from signboard.training.evaluation import score_words

        assert isinstance(model, RecognizerNetwork)
        recognizer = Recognizer(model, device=device)
        figures: dict[str, float] = {}
        totals = []
        for name, samples in self.validation:
            report = score_words(recognizer.read_crops, samples)
            figures[name] = report.total.accuracy
            totals.append(report.total.accuracy)
            if len(report.by_script) > 1:
                for script in ("devanagari", "latin"):
                    if script in report.by_script:
                        figures[f"{name}_{script}"] = report.by_script[script].accuracy
        figures["score"] = float(np.mean(totals)) if totals else 0.0
        return figures

    def card(self, model: nn.Module, figures: dict[str, Any]) -> dict[str, Any]:
        """The weights' card."""
        assert isinstance(model, RecognizerNetwork)
        c = model.config
        return {
            "kind": "recognizer",
            "config": {**{name: getattr(c, name) for name in _SHAPE}, "characters": c.characters},
            "inference": {"max_width": 512},
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
            "trained_on": self.trained_on,
            "figures": {k: round(float(v), 4) for k, v in figures.items()},
            "licence": "Apache-2.0",
        }  # fmt: skip

    def save_pictures(self, folder: Path, batch: Batch) -> None:
        """The crops of the first batch in a sheet, and their texts in a file beside it."""
        folder.mkdir(parents=True, exist_ok=True)
        images = batch["image"].numpy()
        columns = max(1, 1280 // images.shape[2])
        rows = [images[i : i + columns] for i in range(0, len(images) - columns + 1, columns)] or [images]
        Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in rows])).save(
            folder / "recognizer.png"
        )
        (folder / "recognizer.txt").write_text("\n".join(batch["text"]) + "\n", encoding="utf-8")
