"""The recogniser as the rest of the program sees it: any number of crops in, a text and a confidence each out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from signboard.backbones.folding import folded
from signboard.backbones.int8 import Ranges, measured_ranges, precision_of
from signboard.batching import Fetched, chosen_rows, one_ahead, power_of_two, to_device
from signboard.device_pictures import Crop, Cut, cut_all, kind_of
from signboard.devices import computed
from signboard.errors import ConfigError, WeightsError
from signboard.geometry import ImageArray, rectify
from signboard.recognition.charset import Charset
from signboard.recognition.courses import best_supported, courses
from signboard.recognition.ctc import Frames, Paths, best_two, spaces
from signboard.recognition.int8 import ByteRecognizer, has_bytes
from signboard.recognition.language import LanguageModel
from signboard.recognition.network import RecognizerConfig, RecognizerNetwork
from signboard.recognition.reranking import FURTHER, Candidates, Look, Reranker, candidates, from_card
from signboard.recognition.rescoring import Candidate, Rescorer
from signboard.weights import WEIGHTS_FOLDER, load_network

BORDER = (0.25, 0.12)  # columns and rows added on each side for a crop's second reading, in heights of it
MIN_WIDTH = 32
# Crops less wide than so many times their height may be read in their tall form, too: words on an arch or a badge and
# steeply slanted ones, whose letters are small in their crop. It has at least `TALL_WIDTH` columns.
TALL_BELOW = 2.6
TALL_WIDTH = 96
# Crops less wide than that are read lying on either side, too.
_UPENDED = 0.6
# Crops whose paths are decoded together, at least.
_TOGETHER = 64
# In bytes passes of different widths share what follows the backbone, until they have so many columns of it or more.
_SHARED = 1024
# Widths are stretched to one of few, so that crops share batches and a crop's reading never depends on its neighbours.
WIDTHS = (*range(MIN_WIDTH, 161, 16), *range(192, 1025, 32))


def crop_width(height: int, width: int, rows: int, max_width: int, min_width: int = MIN_WIDTH) -> int:
    """The width, one of `WIDTHS`, to which a crop of `height` x `width` pixels is brought at `rows` rows."""
    want = width * rows / max(height, 1)
    allowed = [w for w in WIDTHS if min_width <= w <= max_width]
    return min(allowed, key=lambda w: (abs(w - want), w))


def resize_crop(crop: ImageArray, rows: int, columns: int) -> ImageArray:
    """(H, W, 3) uint8 -> (rows, columns, 3) uint8, averaged when it shrinks, bilinear when it grows."""
    if crop.shape[:2] == (rows, columns):
        return crop
    method = cv2.INTER_AREA if crop.shape[0] > rows else cv2.INTER_LINEAR
    return cv2.resize(crop, (columns, rows), interpolation=method).astype(np.uint8, copy=False)


def with_border(crop: ImageArray) -> ImageArray:
    """A crop (H, W, 3) with its outermost pixels repeated around it, as if it had been cut out less tightly."""
    x, y = (round(share * crop.shape[0]) for share in BORDER)
    return cv2.copyMakeBorder(crop, y, y, x, x, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class CropReading:
    """What a crop says: its text, a confidence (0 to 1), and where spaces part its words, as shares of its width."""

    text: str
    confidence: float
    gaps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """What the network made of the crops `part`: logits (N, T, classes) on the device, the likeliest classes here."""

    part: list[int]
    logits: torch.Tensor
    frames: Frames


@dataclass(frozen=True, slots=True, eq=False)
class _Doubt:
    """A crop that the language model shall look at: its path (T,), and which of the probabilities `rows` are its."""

    crop: int
    path: NDArray[np.int64]
    rows: Fetched
    row: int


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What reading crops shows beside their texts, of each crop: its frames (T, C), the search's further readings."""

    frames: list[NDArray[np.float32]]
    further: list[tuple[tuple[str, float], ...]]


def most_agreed(readings: Sequence[CropReading]) -> CropReading:
    """Of several readings of one crop, the surest one of the text that has most confidence in all, case aside."""
    total: dict[str, float] = defaultdict(float)
    for reading in readings:
        total[reading.text.casefold()] += reading.confidence
    text = max(total, key=lambda text: total[text])
    return max((r for r in readings if r.text.casefold() == text), key=lambda r: r.confidence)


def _keep_surer(results: list[CropReading], which: Sequence[int], seconds: Sequence[CropReading]) -> None:
    """Put the second readings of the crops `which` into `results` where they are surer."""
    for i, second in zip(which, seconds, strict=True):
        if second.confidence > results[i].confidence:
            results[i] = second


class Recognizer:
    """Reads word crops. Unchanging after construction; safe to share between threads.

    Args:
        network: a trained network; it is put in evaluation mode.
        max_width: columns of the widest crop; longer words are squeezed.
        batch_area: pixels of crops in one forward pass.
        device: where the network runs.
        dtype: what the network computes in: float32, a half precision, or int8 (convolutions and products of attention
            layers, see `recognition.int8`; on a processor, with a card that has the ranges of the network's maps).
        card: the card of the weights, kept for whoever asks.
        language: what unsure readings are weighed with (see `language.py`); None: the network alone reads.
        again: `read_crops` reads those with less confidence a second time; 0: none.
    """

    def __init__(
        self,
        network: RecognizerNetwork,
        *,
        max_width: int = 512,
        batch_area: int = 64 * 32 * 128,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        card: dict[str, Any] | None = None,
        language: LanguageModel | None = None,
        again: float = 0.9,
    ) -> None:
        self.device = torch.device(device)
        self.network = network.eval().to(self.device).to(memory_format=torch.channels_last)
        # What runs. In half precision, with the norms folded in and the weights in that precision, a few short words
        # take a fifth less time on a processor than by autocast, and on CUDA nothing is cast in a pass. In float32
        # folding gains nothing.
        self._running = self.network
        self.card = card or {}
        self._bytes: ByteRecognizer | None = None
        if dtype == torch.int8:
            able = has_bytes(self.network)
            precision_of("int8", self.device, self.card, "the recogniser's card", able=able)
            self._bytes = ByteRecognizer(self.network, Ranges(measured_ranges(self.card)))
        elif dtype != torch.float32:
            self._running = folded(self.network).to(dtype).to(memory_format=torch.channels_last)
        self.height = network.config.height
        self.tall = network.config.tall
        self.charset = Charset(network.config.characters)
        self.max_width = max_width
        self.batch_area = batch_area
        self.dtype = dtype
        self.again = again
        self.language = language
        self._rescorer = None if language is None else Rescorer(language, self.charset.characters)
        self._reranker: Reranker | None = None if language is None else from_card(self.card)

    @classmethod
    def load(
        cls,
        card_path: str | Path | None = None,
        *,
        language: LanguageModel | str | Path | bool | None = None,
        precision: str | None = None,
        **options: Any,
    ) -> Recognizer:
        """The recogniser whose card is at `card_path`, the shipped one by default; `options` override its settings.

        Args:
            language: a language model or the path of its card; by default (None, True) the shipped one where there is
                one; False: none.
            precision: in the place of `dtype`, by name: see `devices.choose_precision`.

        Raises:
            ConfigError: a precision that these weights or the device do not have.
            WeightsError: card or weights missing, damaged, or of another architecture.
        """
        path = Path(card_path) if card_path is not None else WEIGHTS_FOLDER / "recognizer.json"
        network, card = load_network(
            path, "recognizer", lambda card: RecognizerNetwork(RecognizerConfig(**card["config"]))
        )
        settings = {**card.get("inference", {}), **{k: v for k, v in options.items() if v is not None}}
        if language is None or language is True:
            shipped = WEIGHTS_FOLDER / "language.json"
            language = LanguageModel.load(shipped) if shipped.is_file() else None
        elif not isinstance(language, LanguageModel):
            language = LanguageModel.load(language) if language is not False else None
        if precision is not None:
            device = torch.device(settings.get("device", "cpu"))
            settings["dtype"] = precision_of(precision, device, card, str(path), able=has_bytes(network))
        try:
            return cls(network, card=card, language=language, **settings)
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}") from None

    def read_crops(self, crops: Sequence[ImageArray]) -> list[tuple[str, float]]:
        """Texts (NFC, memory order) and confidences (0 to 1, 0 for empty text) of crops, in their order.

        The confidence of a reading that the language model was asked about is `Candidate.confidence`, that of the
        others `greedy_decode`'s. Crops are often cut more tightly than words are here, so unsure ones (`again`) are
        read again with a border, those that are not much wider than high in their tall form, too, and upright strips
        lying on either side; the text that has most confidence in all counts (`most_agreed`). Those that are unsure yet
        are straightened along the courses that text may take across them (see `courses`): some twenty readings more.
        The readings vote, and where that says nothing sure, all of them are weighed together (see `reranking`).

        Args:
            crops: (H, W, 3) uint8 RGB each, any sizes, upright text.
        """
        texts = [(reading.text, reading.confidence) for reading in self._read(crops)]
        unsure = [i for i, (_, confidence) in enumerate(texts) if confidence < self.again]
        for i, before, looks in self._agreed(crops, unsure):
            texts[i] = before if before[1] >= self.again else self._straightened(crops[i], before, looks)
        return texts

    def candidates(self, crops: Sequence[ImageArray]) -> list[Candidates | None]:
        """What the unsure ones of crops, as for `read_crops`, may say, by all looks at them; None for the others.

        Raises:
            ConfigError: there is no language model.
        """
        if self.language is None:
            raise ConfigError("candidates: needs a recogniser with a language model")
        found: list[Candidates | None] = [None] * len(crops)
        for i, before, looks in self._agreed(crops, self._unsure(self._read(crops))):
            if before[1] < self.again:
                found[i] = self._voted(crops[i], before, looks)[1]
        return found

    def _agreed(
        self, crops: Sequence[ImageArray], unsure: Sequence[int]
    ) -> Iterator[tuple[int, tuple[str, float], list[Look]]]:
        """(which, the (text, confidence) that its looks agree on, these looks) of each of the `unsure` crops."""
        for i, looks in zip(unsure, self._looks([crops[i] for i in unsure]), strict=True):
            before = most_agreed([CropReading(look.text, look.confidence) for look in looks])
            yield i, (before.text, before.confidence), looks

    def _straightened(self, crop: ImageArray, before: tuple[str, float], looks: Sequence[Look]) -> tuple[str, float]:
        """(text, confidence) of a crop (H, W, 3) uint8, read as `before` by some looks at it, by all `courses`, too."""
        voted, found = self._voted(crop, before, looks)
        if found is None or self._reranker is None:
            return voted
        best, probability = self._reranker.best(found)
        return voted if best is None or best == found.own else (found.texts[best], probability)

    def _voted(
        self, crop: ImageArray, before: tuple[str, float], looks: Sequence[Look]
    ) -> tuple[tuple[str, float], Candidates | None]:
        """The (text, confidence) that a crop's courses vote for, and where that is unsure what else it may say."""
        more = self._along_courses(crop)
        voted = best_supported(before, [(look.text, look.confidence) for look in more])
        if voted[1] >= self.again or self.language is None:
            return voted, None
        return voted, candidates(voted[0], [*looks, *more], self.charset, self.language)

    def _along_courses(self, crop: ImageArray) -> list[Look]:
        """Looks at a crop (H, W, 3) uint8, straightened along each of its `courses`."""
        cuts = [rectify(crop, polygon, self.height) for polygon in courses(*crop.shape[:2])]
        return self._look(cuts, straightened=True)

    def _looks(self, crops: Sequence[ImageArray]) -> list[list[Look]]:
        """Of each crop: as it is, with a border, in its tall form where it is not much wider than high, on its side."""
        squarish = [i for i, crop in enumerate(crops) if self.tall and crop.shape[1] < TALL_BELOW * crop.shape[0]]
        on_end = [i for i, crop in enumerate(crops) if crop.shape[1] < _UPENDED * crop.shape[0]]
        found: list[list[Look]] = [[] for _ in crops]

        def look(which: Sequence[int], *, border: bool = False, tall: bool = False, turns: int = 0) -> None:
            some = [np.ascontiguousarray(np.rot90(crops[i], turns)) for i in which]
            some = [with_border(crop) for crop in some] if border else some
            for i, one in zip(which, self._look(some, tall=tall), strict=True):
                found[i].append(one)

        look(range(len(crops)))
        look([i for i, looks in enumerate(found) if looks[0].text], border=True)
        look(squarish, tall=True)
        look([i for i in squarish if found[i][0].text], border=True, tall=True)
        look(on_end, turns=1)
        look(on_end, turns=-1)
        return found

    def _look(self, crops: Sequence[ImageArray], *, tall: bool = False, straightened: bool = False) -> list[Look]:
        """Crops, each looked at once, in its usual or its tall form."""
        seen = _Seen([np.zeros((0, len(self.charset)), np.float32)] * len(crops), [()] * len(crops))
        readings = self._read(crops, tall=tall, seen=seen)
        return [
            Look(rows, reading.text, reading.confidence, more, straightened)
            for rows, reading, more in zip(seen.frames, readings, seen.further, strict=True)
        ]

    def _unsure(self, results: Sequence[CropReading]) -> list[int]:
        return [i for i, reading in enumerate(results) if reading.confidence < self.again]

    def _squarish(self, crops: Sequence[Crop], results: Sequence[CropReading], *, least_rows: int) -> list[int]:
        """Which crops of `least_rows` rows or more shall be read in their tall form, too."""
        sizes = [crop.shape[:2] for crop in crops]
        fit = [i for i in self._unsure(results) if sizes[i][1] < TALL_BELOW * sizes[i][0]] if self.tall else []
        return [i for i in fit if sizes[i][0] >= least_rows]

    def read_lines(self, crops: Sequence[Crop]) -> list[CropReading]:
        """Readings of crops that may hold more than a word, with the places of their spaces.

        Crops may be such that are yet to be cut out on the device, `height` rows high (`device_pictures.Cut`).

        Each is read once, but for unsure ones not much wider than high that have more rows than the usual form shows:
        they are read in their tall form, too, and the surer reading counts.
        """
        results = self._read(crops)
        large = self._squarish(crops, results, least_rows=self.height + 1)
        _keep_surer(results, large, self._read([crops[i] for i in large], tall=True))
        return results

    @torch.inference_mode()
    def _read(self, crops: Sequence[Crop], *, tall: bool = False, seen: _Seen | None = None) -> list[CropReading]:
        """Readings of crops, each read once, in its usual or its tall form; what else was seen is put into `seen`."""
        results = [CropReading("", 0.0)] * len(crops)
        doubtful: list[_Doubt] = []
        group: list[_Pass] = []
        passes = ((part, logits, Fetched(best_two(logits))) for part, logits in self._passes(crops, tall=tall))
        for part, logits, two in one_ahead(passes):
            group.append(_Pass(part, logits, Frames.unpacked(two.numpy())))
            if seen is not None:
                for i, rows in zip(part, torch.softmax(logits.float(), dim=-1).cpu().numpy(), strict=True):
                    seen.frames[i] = rows
            if sum(len(one.part) for one in group) >= _TOGETHER:
                doubtful += self._decode(group, results)
                group = []
        doubtful += self._decode(group, results)
        if self._rescorer is not None and doubtful:
            candidates = self._rescorer.search_all([doubt.rows.numpy()[doubt.row] for doubt in doubtful])
            for doubt, found in zip(doubtful, candidates, strict=True):
                before = results[doubt.crop]
                texts = list(islice(self._texts(found), 1 if seen is None else FURTHER))
                text, confidence = texts[0] if texts else (before.text, before.confidence)
                results[doubt.crop] = self._reading(doubt.path, text, confidence)
                if seen is not None:
                    seen.further[doubt.crop] = tuple(texts[1:])
        return results

    def _decode(self, group: Sequence[_Pass], results: list[CropReading]) -> list[_Doubt]:
        """Put what the network alone reads in some passes into `results`; returns what is worth a search."""
        if not group:
            return []
        paths = Paths.of(Frames.together([one.frames for one in group]))
        crops = [(one, row, i) for one in group for row, i in enumerate(one.part)]
        for (one, row, i), classes, confidence in zip(crops, paths.classes, paths.confidence.tolist(), strict=True):
            text = self.charset.decode(classes)
            results[i] = self._reading(one.frames.best[row], text, confidence if text else 0.0)
        chosen = [crops[k] for k in self._rescorer.which(paths)] if self._rescorer is not None else []
        doubtful = []
        for one in group:
            few = [(row, i) for other, row, i in chosen if other is one]
            if few:  # only the frames of these few leave the device
                rows = Fetched(torch.softmax(chosen_rows(one.logits, [row for row, _ in few]).float(), dim=-1))
                doubtful += [_Doubt(i, one.frames.best[row], rows, k) for k, (row, i) in enumerate(few)]
        return doubtful

    def _reading(self, path: NDArray[np.int64], text: str, confidence: float) -> CropReading:
        return CropReading(text, confidence, spaces(path, self.charset.space) if " " in text else ())

    @torch.inference_mode()
    def frames(self, crops: Sequence[Crop], *, tall: bool = False) -> list[NDArray[np.float32]]:
        """(T, C) probabilities of each class, the blank first, in each frame of crops, in their order; T by width."""
        results: list[NDArray[np.float32]] = [np.zeros((0, len(self.charset)), np.float32)] * len(crops)
        for part, logits in self._passes(crops, tall=tall):
            for i, rows in zip(part, torch.softmax(logits.float(), dim=-1).cpu().numpy(), strict=True):
                results[i] = rows
        return results

    def n_best(self, crops: Sequence[Crop], n: int) -> list[list[tuple[str, float]]]:
        """Up to `n` readings of each crop, (text, confidence), the likeliest first, each text once.

        Args:
            crops: (H, W, 3) uint8 RGB each, any sizes, upright text, or as for `read_lines`.

        Raises:
            ConfigError: there is no language model, whose search finds them.
        """
        if self._rescorer is None:
            raise ConfigError("n_best: needs a recogniser with a language model")
        found = []
        for likely in self._rescorer.search_all(self.frames(crops)):
            readings: dict[str, float] = {}
            for text, confidence in self._texts(likely):
                readings.setdefault(text, confidence)
            found.append(list(readings.items())[:n])
        return found

    def form(self, height: int, width: int, *, tall: bool = False) -> tuple[int, int]:
        """Rows and columns to which a crop of `height` x `width` pixels is brought, in its tall form or not."""
        rows = self.tall if tall else self.height
        return rows, crop_width(height, width, rows, self.max_width, TALL_WIDTH if tall else MIN_WIDTH)

    def _passes(self, crops: Sequence[Crop], *, tall: bool) -> Iterator[tuple[list[int], torch.Tensor]]:
        """(which crops, their logits (N, T, classes)), crops of one width together, each crop once."""
        group: list[tuple[list[int], torch.Tensor]] = []
        frames = 0
        for part, batch in self._batches(crops, tall=tall):
            group.append((part, batch))
            frames += batch.shape[0] * batch.shape[2] // self.network.frame_width
            if self._bytes is None or frames >= _SHARED:
                yield from self._computed(group)
                group, frames = [], 0
        yield from self._computed(group)

    def _computed(self, group: Sequence[tuple[list[int], torch.Tensor]]) -> Iterator[tuple[list[int], torch.Tensor]]:
        for (part, _), logits in zip(group, self._logits([batch for _, batch in group]), strict=True):
            yield part, logits[: len(part)]

    def _batches(self, crops: Sequence[Crop], *, tall: bool) -> Iterator[tuple[list[int], torch.Tensor]]:
        """(which crops, as a batch (N, height or tall, W, 3) uint8 on the device).

        A kernel is compiled on a processor, and planned on CUDA, for every N and width, so N is a power of two: on a
        processor of fewer crops in a pass, on CUDA, where passes are short, filled up with black ones.
        """
        buckets: dict[tuple[int, bool], list[int]] = defaultdict(list)
        rows = self.height
        for i, crop in enumerate(crops):
            rows, width = self.form(crop.shape[0], crop.shape[1], tall=tall)
            buckets[width, isinstance(crop, Cut)].append(i)
        for (width, _), members in sorted(buckets.items()):
            members = sorted(members, key=lambda i: kind_of(crops[i]))
            size = max(1, self.batch_area // (width * rows))
            size = 1 << (size.bit_length() - 1)
            while members:
                count = min(size, len(members))
                if self.device.type == "cpu":
                    count = 1 << (count.bit_length() - 1)
                part, members = members[:count], members[count:]
                filled = power_of_two(count, size) if self.device.type == "cuda" else count
                yield part, self._batch([crops[i] for i in part], rows, width, filled)

    def _batch(self, crops: Sequence[Crop], rows: int, width: int, count: int) -> torch.Tensor:
        """Crops, all cut out or none, as (count, rows, width, 3) uint8 on the device; black ones fill up what lacks."""
        cuts = [crop for crop in crops if isinstance(crop, Cut)]
        if cuts:
            return cut_all(cuts, width, count)
        pictures = [resize_crop(crop, rows, width) for crop in crops if not isinstance(crop, Cut)]
        return to_device(pictures, self.device, count=count)

    def choices(self, rescorer: Rescorer, frames: NDArray[np.float32]) -> Iterator[tuple[str, float]]:
        """(text, confidence) of what a word with these frames (T, C) may say, the likeliest first; no empty texts."""
        return self._texts(rescorer.search(frames))

    def _texts(self, candidates: Sequence[Candidate]) -> Iterator[tuple[str, float]]:
        for candidate in candidates:
            text = self.charset.decode(candidate.classes)
            if text:
                yield text, candidate.confidence

    def _logits(self, batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Batches of crops (N, height or tall, W, 3) uint8 -> the logits (N, T, classes) of each."""
        if not batches:
            return []
        if self._bytes is not None:
            return self._bytes.logits([self._bytes.places(batch) for batch in batches])
        batches = [normalize_crops(batch.to(self.device)) for batch in batches]
        return [computed(self._running, batch, self.dtype)[0] for batch in batches]


def normalize_crops(batch: torch.Tensor) -> torch.Tensor:
    """Crops (N, H, W, 3) uint8 -> (N, 3, H, W) float32 about -1 to 1, channels last in memory."""
    x = batch.permute(0, 3, 1, 2).float()
    return ((x - 127.5) / 127.5).contiguous(memory_format=torch.channels_last)
