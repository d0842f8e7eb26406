"""The whole chain: photos in, readings out. The only place that knows all the stages."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch

from signboard.detection import Detections, Detector
from signboard.detection.coarse import with_unsure
from signboard.detection.detector import network_size
from signboard.devices import choose_device, choose_precision
from signboard.errors import PhotoError, SignboardError
from signboard.geometry import (
    FloatArray,
    ImageArray,
    grow_quad,
    grow_sides,
    order_quad,
    part_polygon,
    rectify,
    rotate_polygon_start,
    text_size,
)
from signboard.memory import give_back_memory
from signboard.photo import Photo, PhotoSource, load_photo, printable
from signboard.pipeline.layout import arrange
from signboard.pipeline.mending.fragments import accepts_merge, merge_candidates, one_letter_more
from signboard.pipeline.mending.verification import Verifier, from_cards
from signboard.pipeline.mending.vertical_text import box, side_by_side, vertical_words
from signboard.pipeline.tiling import Found, Region, merge, regions
from signboard.reading import Line, Reading, Sign, Word
from signboard.recognition import Recognizer, script_of
from signboard.recognition.recognizer import CropReading

# Crops taller than this many times their width may hold text that runs up or down.
_TALL = 1.5
# A reading less sure than this is tried upside down too.
_UNSURE = 0.3
# At most so many photos are read at once on a processor: each needs about 300 MB.
_SIDE_BY_SIDE = 4
# On a processor, free memory is given back after so many photos of a stream.
_GIVE_BACK = 16
# On a processor, a thread reads so many photos of a stream together, fewer when they have more pixels than this.
_GROUP = 8
_GROUP_PIXELS = 8_000_000
# Photos are decoded at no more than this side where their format allows it: words keep more pixels than are read.
_DECODE_SIDE = 2560
# Photos shrunk more than this may hold text that is too small on the detector's picture ...
_SHRUNK = 1.5
# ... and do, as a rule, when one in ten of the words found is lower than this, in pixels of that picture. Of words on
# a made-up panorama the detector found 9 % at 10 to 15 pixels, 75 % at 20 to 30.
_LEGIBLE = 16.0
# Shrunk this much, even letters 60 pixels high are lost, and the words that are found say nothing of the others.
_SHRUNK_FAR = 4.0

# Words are read with so much around them, as a share of their height: boxes that fit tightly cut off marks and strokes.
_MARGIN = 0.05
# A word that was found in pieces is put together in so many rounds: two pieces, then up to four, then eight.
_PIECES = 3
# How far beyond a word a lost first or last letter is looked for, in heights of the text.
_LOST = 0.8
# Between words that are parted at a space, this share of the text's height belongs to neither.
_GAP = 0.2


class _ReadWord(NamedTuple):
    """A reading, its polygon from the text's top-left, and by how much its crop was turned (see `Word.rotation`)."""

    text: str
    confidence: float
    polygon: FloatArray
    rotation: int


A = TypeVar("A")
B = TypeVar("B")


def _halving(work: Callable[[Sequence[A]], list[B]], items: Sequence[A]) -> list[B]:
    """`work(items)`; when the device has too little memory for all of them at once, in halves."""
    try:
        return work(items)
    except torch.OutOfMemoryError:
        if len(items) < 2:
            raise
    torch.cuda.empty_cache()
    middle = len(items) // 2
    return _halving(work, items[:middle]) + _halving(work, items[middle:])


class Reader:
    """Reads signs on photos. Immutable after construction; safe to share between threads.

    Args:
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        min_confidence: words read with less confidence (0 to 1) are left out; by default the recogniser's card says.
        detection_threshold: least mean probability (0 to 1) of a word's region; by default the detector's card says.
            One that is given decides alone, unless `verifier` is given, too.
        verifier: reads the places, too, that the detector is less sure of, and decides by both networks what is a word;
            by default what the recogniser's card says, if it says it for this detector.
        precision: "auto" (the fastest: see `devices.choose_precision`), "fp32", "fp16", "bf16" or "int8".
            Models that are loaded already keep their own.
        detector, recognizer: loaded models, or paths to their cards; the shipped ones by default.
        translate: also say the Hindi lines in Latin letters and in English.
        tile: read photos larger than the detector's side at full resolution, in overlapping regions: finds small text
            on panoramas and photos of many megapixels, and takes longer by their number (see `pipeline.tiling`).

    Raises:
        SignboardError: an option that cannot be met, or weights that cannot be loaded.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        min_confidence: float | None = None,
        detection_threshold: float | None = None,
        verifier: Verifier | None = None,
        precision: str = "auto",
        detector: Detector | str | Path | None = None,
        recognizer: Recognizer | str | Path | None = None,
        translate: bool = False,
        tile: bool = False,
    ) -> None:
        for name, value in (("min_confidence", min_confidence), ("detection_threshold", detection_threshold)):
            if value is not None and not 0.0 <= value <= 1.0:
                raise SignboardError(f"{name}: must be between 0 and 1, not {value}")
        where = choose_device(device)
        if precision != "int8":  # which the weights decide on
            choose_precision(precision, where)
        if not isinstance(detector, Detector):
            detector = Detector.load(detector, device=where, precision=precision)
        if not isinstance(recognizer, Recognizer):
            recognizer = Recognizer.load(recognizer, device=where, precision=precision)
        self.device = where
        self.detector = detector
        self.recognizer = recognizer
        self.min_confidence = (
            min_confidence if min_confidence is not None else float(recognizer.card.get("min_confidence", 0.0))
        )
        if verifier is None and detection_threshold is None:
            verifier = from_cards(detector.card, recognizer.card)
        self.verifier = verifier
        self._threshold = detector.box_threshold if detection_threshold is None else detection_threshold
        self.translate = translate
        self.tile = tile
        self._decode_side = None if tile else _DECODE_SIDE
        # Photos, or regions of one, that go through the detector together. A processor is busy with one; the memory for
        # four at once is more than a gigabyte.
        self._together = 1 if where.type == "cpu" else 16
        # On CUDA, words of one window are found while those of the window before are cut out and read.
        self._overlap = where.type == "cuda"

    def read(self, photo: PhotoSource) -> Reading:
        """What is written on one photo.

        Args:
            photo: a path, the bytes of an image file, a Pillow image, or an array (H, W, 3) uint8 RGB.

        Raises:
            PhotoError: the photo cannot be opened.
        """
        return self._read_opened(load_photo(photo, decode_side=self._decode_side))

    def read_many(
        self,
        photos: Iterable[PhotoSource],
        *,
        batch_size: int | Literal["auto"] = "auto",
        workers: int | None = None,
    ) -> Iterator[Reading]:
        """Readings of many photos, in their order, as a stream: at most a few batches of photos are in memory.

        A photo that cannot be opened gives a `Reading` with its `error`; it never stops the others.

        Args:
            photos: as for `read`; drawn from as needed.
            batch_size: photos whose words are found and read together. "auto" picks by device; on a processor each
                thread reads up to eight photos, as many threads side by side as the processor has, at most four.
                With `tile`, photos come one by one and the regions of each go together.
            workers: threads that decode photos ahead (on a processor with "auto": threads that read); by
                default as many as there are cores, at most eight.
        """
        if batch_size != "auto" and batch_size < 1:
            raise SignboardError(f"batch_size: must be at least 1, not {batch_size}")
        threads = min(os.cpu_count() or 1, 8) if workers is None else max(1, workers)
        if batch_size == "auto" and self.device.type == "cpu" and min(threads, torch.get_num_threads()) > 1:
            readers = min(threads, torch.get_num_threads(), _SIDE_BY_SIDE)
            return _giving_back(self._side_by_side(iter(photos), readers))
        size = self._batch_size() if batch_size == "auto" else batch_size
        readings = self._stream(iter(photos), size, threads)
        return _giving_back(readings) if self.device.type == "cpu" else readings

    def _batch_size(self) -> int:
        """Photos of a window, by device. A photo that is read in regions is a batch of its own."""
        return 1 if self.tile else 32 if self.device.type == "cuda" else 4

    def _side_by_side(self, photos: Iterator[PhotoSource], readers: int) -> Generator[Reading, None, None]:
        """Readings in order, from threads that read a few photos each.

        A layer of a small network is too little work for several processor threads; photos for each keep them busy.
        """
        total = torch.get_num_threads()
        with contextlib.ExitStack() as stack:
            stack.callback(torch.set_num_threads, total)  # the matrix library's own setting is the process's
            pool = stack.enter_context(
                ThreadPoolExecutor(readers, "signboard-read", torch.set_num_threads, (max(1, total // readers),))
            )
            waiting: deque[Future[list[Reading]]] = deque()
            stack.callback(lambda: [future.cancel() for future in waiting])
            # Words of several photos share the recogniser's passes. The first groups are small: a folder of few
            # photos keeps all threads busy, too.
            sizes = itertools.repeat(1) if self.tile else itertools.chain((1, 2), itertools.repeat(_GROUP))
            size = itertools.chain.from_iterable(itertools.repeat(n, readers) for n in sizes)
            while True:
                while len(waiting) < 2 * readers and (group := list(itertools.islice(photos, next(size)))):
                    waiting.append(pool.submit(self._read_group, group))
                if not waiting:
                    return
                yield from waiting.popleft().result()

    def _read_group(self, photos: Sequence[PhotoSource]) -> list[Reading]:
        """The readings of a few photos; of each that cannot be opened, a reading with its error."""
        readings: list[Reading] = []
        window: list[Photo | Reading] = []
        pixels = 0
        for number, source in enumerate(photos, 1):
            window.append(opened := _open(source, self._decode_side))
            pixels += opened.pixels.size // 3 if isinstance(opened, Photo) else 0
            if number == len(photos) or pixels > _GROUP_PIXELS:
                good = [photo for photo in window if isinstance(photo, Photo)]
                read = iter(self._read_found(good, self._find(good)) if good else [])
                readings += [photo if isinstance(photo, Reading) else next(read) for photo in window]
                window, pixels = [], 0
        return readings

    def _read_opened(self, photo: Photo) -> Reading:
        return self._read_found([photo], self._find([photo]))[0]

    def _stream(self, photos: Iterator[PhotoSource], size: int, threads: int) -> Generator[Reading, None, None]:
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(threads, thread_name_prefix="signboard-decode"))
            finder = None
            if self._overlap:
                finder = stack.enter_context(
                    ThreadPoolExecutor(1, "signboard-find", initializer=_own_stream, initargs=(self.device,))
                )
            waiting: deque[Future[Photo | Reading]] = deque()
            stack.callback(lambda: [future.cancel() for future in waiting])

            def windows() -> Iterator[list[Photo | Reading]]:
                while True:
                    for photo in itertools.islice(photos, 2 * size - len(waiting)):
                        waiting.append(pool.submit(_open, photo, self._decode_side))
                    if not waiting:
                        return
                    yield [waiting.popleft().result() for _ in range(min(size, len(waiting)))]

            for window, found in self._found(windows(), finder):
                readings = iter(self._read_found([p for p in window if isinstance(p, Photo)], found))
                for item in window:
                    yield item if isinstance(item, Reading) else next(readings)

    def _found(
        self, windows: Iterator[list[Photo | Reading]], finder: ThreadPoolExecutor | None
    ) -> Iterator[tuple[list[Photo | Reading], list[Detections]]]:
        """Each window with what was found on its photos; with a `finder`, one window ahead of what is asked for."""
        last: tuple[list[Photo | Reading], Future[list[Detections]]] | None = None
        for window in windows:
            photos = [p for p in window if isinstance(p, Photo)]
            if finder is None:
                yield window, self._find(photos)
                continue
            job = finder.submit(self._find, photos)
            if last is not None:
                yield last[0], last[1].result()
            last = window, job
        if last is not None:
            yield last[0], last[1].result()

    def detect(self, pixels: ImageArray) -> Detections:
        """Word polygons and scores on one photo (H, W, 3) uint8 RGB; nothing is read."""
        return self.detector.detect([pixels], box_threshold=self._threshold)[0]

    def _detect(self, pictures: Sequence[ImageArray], *, side: int | None = None) -> list[Detections]:
        """The places on each picture (H, W, 3) that are read."""
        candidates = self.verifier.candidates if self.verifier else None
        return self.detector.detect(pictures, side=side, box_threshold=self._threshold, candidates=candidates)

    def read_at(self, pixels: ImageArray, polygons: Sequence[FloatArray]) -> list[Word]:
        """What is written at places that are known already, e.g. found by another program: a word each, in their order.

        Args:
            pixels: the photo (H, W, 3) uint8 RGB.
            polygons: (N, 2) float32 each, N >= 4, pixels, clockwise; quads may begin at any corner.
        """
        words, _ = self._read_words([pixels] * len(polygons), list(polygons))
        return [
            Word(
                w.text,
                tuple((float(x), float(y)) for x, y in w.polygon),
                w.confidence,
                1.0,
                script_of(w.text),
                w.rotation,
            )
            for w in words
        ]

    def _find(self, photos: Sequence[Photo]) -> list[Detections]:
        """Words on opened photos: one detection pass a shape, or one for the regions of each photo."""
        if self.tile:
            return [self._find_tiled(photo.pixels) for photo in photos]
        found: list[Detections] = []
        # Photos of like shape side by side, so that they share passes; back in their own order afterwards.
        order = sorted(range(len(photos)), key=lambda i: photos[i].pixels.shape)
        for start in range(0, len(order), self._together):
            part = [photos[i].pixels for i in order[start : start + self._together]]
            found += _halving(self._detect, part)
        return [detections for _, detections in sorted(zip(order, found, strict=True), key=lambda pair: pair[0])]

    def _find_tiled(self, pixels: ImageArray) -> Detections:
        """Words on one photo (H, W, 3) at full resolution, each once."""
        height, width = pixels.shape[:2]
        levels = regions(height, width, self.detector.side)
        if len(levels) == 1:
            return self._detect([pixels])[0]
        found: list[Found] = []
        for level in levels:
            for start in range(0, len(level), self._together):
                part = level[start : start + self._together]
                for region, seen in zip(part, _halving(lambda some: self._look(pixels, some), part), strict=True):
                    scale = network_size(region.height, region.width, side=self.detector.side)[1] / region.width
                    corner = np.array([region.left, region.top], np.float32)
                    found += [Found(p + corner, s, region, scale) for p, s in seen.words()]
        limit = np.array([width, height], np.float32)
        words = with_unsure(
            merge([item for item in found if item.score >= self._threshold], height, width),
            merge([item for item in found if item.score < self._threshold], height, width),
        )
        return Detections.of([(np.clip(polygon, 0.0, limit), score) for polygon, score in words])

    def _look(self, pixels: ImageArray, part: Sequence[Region]) -> list[Detections]:
        crops = [pixels[r.top : r.bottom, r.left : r.right] for r in part]
        # Larger regions show the words that are too large for these.
        return self._detect(crops, side=self.detector.side)

    def _read_found(self, photos: Sequence[Photo], found: Sequence[Detections]) -> list[Reading]:
        """Readings of opened photos whose words were found: one flat list of crops for the recogniser."""
        places = [(photo, *word) for photo, d in zip(photos, found, strict=True) for word in d.words()]
        words = iter(
            self._read_polygons(
                [photo.pixels for photo, _, _ in places],
                [polygon for _, polygon, _ in places],
                [score >= self._threshold for _, _, score in places],
            )
        )
        readings = []
        for photo, detections in zip(photos, found, strict=True):
            scored = [(word, score) for score in detections.scores for word in next(words)]
            whole = self._with_last_letters(photo.pixels, self._with_whole_words(photo.pixels, scored))
            kept = [
                Word(
                    text,
                    tuple((round(float(x) / photo.scale, 1), round(float(y) / photo.scale, 1)) for x, y in polygon),
                    round(confidence, 4),
                    round(score, 4),
                    script_of(text),
                    rotation,
                )
                for (text, confidence, polygon, rotation), score in self._with_stacks(photo.pixels, whole)
                if confidence >= self.min_confidence
                and (self.verifier is None or self.verifier.accepts(text, confidence, score))
            ]
            sure = [polygon for polygon, _ in detections.words(at_least=self._threshold)]
            signs = arrange(kept)
            if self.translate:
                signs = _translate(signs)
            readings.append(
                Reading(
                    source=printable(photo.source),
                    width=photo.width,
                    height=photo.height,
                    signs=signs,
                    warnings=() if self.tile else _too_small(photo, sure, self.detector.side),
                    metadata=photo.metadata,
                )
            )
        return readings

    def _with_whole_words(
        self, pixels: ImageArray, words: list[tuple[_ReadWord, float]]
    ) -> list[tuple[_ReadWord, float]]:
        """(word, detection score) of one photo, words that were found in pieces put together."""
        language = self.recognizer.language
        is_word = language.is_word if language is not None else lambda text: False
        readings: dict[bytes, CropReading] = {}  # of quads: pairs that stay apart come up in each round
        for _ in range(_PIECES):
            level = [i for i, (word, _) in enumerate(words) if word.rotation == 0 and len(word.polygon) == 4]
            pairs = merge_candidates([(words[i][0].text, words[i][0].polygon) for i in level], is_word)
            new = {pair.quad.tobytes(): pair.quad for pair in pairs if pair.quad.tobytes() not in readings}
            crops = [self._crop(pixels, quad) for quad in new.values()]
            readings |= zip(new, self.recognizer.read_lines(crops), strict=True)
            joined: list[tuple[_ReadWord, float]] = []
            gone: set[int] = set()
            for i, j, quad, far in pairs:
                reading = readings[quad.tobytes()]
                (first, score), (second, other) = words[level[i]], words[level[j]]
                if accepts_merge(reading.text, reading.confidence, first[:2], second[:2], is_word, far=far):
                    gone |= {level[i], level[j]}
                    joined.append((_ReadWord(reading.text, reading.confidence, quad, 0), min(score, other)))
            if not joined:
                break
            words = [word for i, word in enumerate(words) if i not in gone] + joined
        return words

    def _with_last_letters(
        self, pixels: ImageArray, words: list[tuple[_ReadWord, float]]
    ) -> list[tuple[_ReadWord, float]]:
        """(word, detection score) of one photo, words that a first or last letter was cut off from made whole.

        Asked about are texts that are no words but become one with a letter more (BUILDE): a little more of the photo
        is read there, and taken if it says such a word.
        """
        language = self.recognizer.language
        if language is None:
            return words
        jobs: list[tuple[int, bool]] = []  # (word, whether the letter may be missing before it)
        for i, (word, _) in enumerate(words):
            if word.rotation == 0 and len(word.polygon) == 4 and word.confidence >= _UNSURE:
                jobs += [
                    (i, first)
                    for first, lacks in zip((True, False), language.lacks_letter(word.text), strict=True)
                    if lacks
                ]

        def wider(i: int, first: bool, by: float) -> FloatArray:
            return grow_sides(words[i][0].polygon, by if first else 0.0, 0.0, 0.0 if first else by, 0.0)

        crops = [self._crop(pixels, wider(i, first, _LOST * text_size(words[i][0].polygon)[1])) for i, first in jobs]
        result = list(words)
        for (i, first), reading in zip(jobs, self.recognizer.read_lines(crops), strict=True):
            word, score = words[i]
            if one_letter_more(word.text, reading.text, first) and language.is_word(reading.text):
                quad = wider(i, first, text_size(word.polygon)[0] / max(len(word.text), 1))
                result[i] = _ReadWord(reading.text, reading.confidence, quad, 0), score
        return result

    def _with_stacks(self, pixels: ImageArray, words: list[tuple[_ReadWord, float]]) -> list[tuple[_ReadWord, float]]:
        """(word, detection score) of one photo, letters that stand below one another joined to words."""
        unsure = [word for word in words if word[1] < self._threshold]
        words = [word for word in words if word[1] >= self._threshold]
        found = vertical_words([(word.text, word.polygon) for word, _ in words])
        if not found:
            return words + unsure
        polygons = [[words[i][0].polygon for i in column] for column in found]
        crops = [side_by_side(pixels, column, self.recognizer.height) for column in polygons]
        joined = []
        for column, places, reading in zip(found, polygons, self.recognizer.read_lines(crops), strict=True):
            apart = "".join(words[i][0].text for i in column)
            least = min(words[i][0].confidence for i in column)
            text, confidence = reading.text.replace(" ", ""), reading.confidence
            if confidence < least and len(text) != len(apart):
                text, confidence = apart, least
            joined.append((_ReadWord(text, confidence, box(places), 0), min(words[i][1] for i in column)))
        members = {i for column in found for i in column}
        return [word for i, word in enumerate(words) if i not in members] + joined + unsure

    def _read_polygons(
        self, pictures: Sequence[ImageArray], polygons: Sequence[FloatArray], likely: Sequence[bool]
    ) -> list[list[_ReadWord]]:
        """The words inside each polygon, in the order of `polygons`: mostly one; more where the detector joined words.

        Args:
            pictures: for each polygon the pixels (H, W, 3) it lies on.
            polygons: (N, 2) each, pixels.
            likely: for each polygon, whether it is likely enough a word to be tried upside down, too.
        """
        words, gaps = self._read_words(pictures, polygons, likely=likely)
        joined = [i for i, places in enumerate(gaps) if places]
        parts = [(i, part) for i in joined for part in part_polygon(words[i].polygon, gaps[i], _GAP)]
        results = [_at_spaces(word, places) for word, places in zip(words, gaps, strict=True)]
        if not parts:
            return results
        # Each part is read again on its own: it fills its crop, as words do.
        apart, _ = self._read_words([pictures[i] for i, _ in parts], [part for _, part in parts], upright=True)
        for i in joined:
            found = [word for (owner, _), word in zip(parts, apart, strict=True) if owner == i]
            if min(word.confidence for word in found) >= min(_UNSURE, words[i].confidence):
                found = [word._replace(rotation=words[i].rotation) for word in found]
                results[i] = [piece for word in found for piece in _at_spaces(word, ())]
        return results

    def _read_words(
        self,
        pictures: Sequence[ImageArray],
        polygons: Sequence[FloatArray],
        *,
        likely: Sequence[bool] | None = None,
        upright: bool = False,
    ) -> tuple[list[_ReadWord], list[tuple[float, ...]]]:
        """What each polygon says, in their order, and the places of its spaces as shares of its width.

        Args:
            likely: which polygons are tried upside down when they read badly; all by default.
            upright: whether all polygons begin at their text's top-left; else other ways up are tried, too.
        """
        starts = polygons if upright else [order_quad(p) if len(p) == 4 else p for p in polygons]
        jobs: list[tuple[int, int]] = []  # (word, rotation)
        for i, polygon in enumerate(starts):
            width, tall = text_size(polygon)
            jobs += [(i, r) for r in ((0, 90, 270) if tall > _TALL * width and not upright else (0,))]
        best: dict[int, tuple[CropReading, int]] = {}

        def attempt(some: list[tuple[int, int]]) -> None:
            crops = [self._crop(pictures[i], rotate_polygon_start(starts[i], r)) for i, r in some]
            for (i, r), reading in zip(some, _halving(self.recognizer.read_lines, crops), strict=True):
                if i not in best or reading.confidence > best[i][0].confidence:
                    best[i] = (reading, r)

        attempt(jobs)
        if not upright:
            unsure = [i for i, (reading, r) in best.items() if reading.confidence < _UNSURE and r == 0]
            attempt([(i, 180) for i in unsure if likely is None or likely[i]])
        words = [
            _ReadWord(best[i][0].text, best[i][0].confidence, rotate_polygon_start(polygon, best[i][1]), best[i][1])
            for i, polygon in enumerate(starts)
        ]
        return words, [_inside(best[i][0].gaps, word.polygon) for i, word in enumerate(words)]

    def _crop(self, pixels: ImageArray, polygon: FloatArray) -> ImageArray:
        """What the recogniser sees of the word at `polygon`: a little of what is around it, too."""
        if len(polygon) == 4:
            polygon = grow_quad(polygon, _MARGIN * text_size(polygon)[1])
        return rectify(pixels, polygon, self.recognizer.height)


def _at_spaces(word: _ReadWord, places: Sequence[float]) -> list[_ReadWord]:
    """`word`, or where its reading holds spaces, the words between them.

    Args:
        places: where the spaces are, as shares of the width; if not one for each, spaces are where they would be if all
            characters were equally wide.
    """
    texts = word.text.split()
    if len(texts) < 2:
        return [word]
    if len(places) != len(texts) - 1:
        lengths = np.cumsum([len(text) + 1 for text in texts])
        places = [float(end - 0.5) / float(lengths[-1] - 1) for end in lengths[:-1]]
    parts = part_polygon(word.polygon, places, _GAP)
    return [word._replace(text=text, polygon=part) for text, part in zip(texts, parts, strict=True)]


def _inside(places: tuple[float, ...], polygon: FloatArray) -> tuple[float, ...]:
    """Shares of a crop's width (see `Reader._crop`) as shares of the width of the polygon that was cut out."""
    if len(polygon) != 4:
        return places
    width, height = text_size(polygon)
    margin = _MARGIN * height / max(width, 1.0)
    return tuple(min(max(place * (1 + 2 * margin) - margin, 0.0), 1.0) for place in places)


def _too_small(photo: Photo, found: Sequence[FloatArray], side: int) -> tuple[str, ...]:
    """The warning for a photo whose small text was lost when it was shrunk for the detector; empty without reason."""
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


def _own_stream(device: torch.device) -> None:
    """Gives this thread a CUDA stream of its own, so that its copies and kernels do not queue behind another's."""
    if device.type == "cuda":
        torch.cuda.set_stream(torch.cuda.Stream(device))


def _giving_back(readings: Generator[Reading, None, None]) -> Generator[Reading, None, None]:
    """`readings`, free memory given back between them now and then."""
    with contextlib.closing(readings):
        for done, reading in enumerate(readings, 1):
            yield reading
            if done % _GIVE_BACK == 0:
                give_back_memory()


def _open(photo: PhotoSource, decode_side: int | None) -> Photo | Reading:
    """The opened photo, or the reading that says why it could not be opened."""
    name = os.fspath(photo) if isinstance(photo, str | os.PathLike) else ""
    try:
        return load_photo(photo, decode_side=decode_side)
    except PhotoError as error:
        return Reading(source=printable(str(name)), width=0, height=0, error=str(error))


def _translate(signs: tuple[Sign, ...]) -> tuple[Sign, ...]:
    """`signs` with `romanized` and `translation` filled in for the lines that hold Hindi."""
    from signboard.translation import translate_lines

    result = []
    for sign in signs:
        lines: list[Line] = []
        for line, said in zip(sign.lines, translate_lines([line.text for line in sign.lines]), strict=True):
            lines.append(
                replace(line, romanized=said.romanized, translation=said.english) if said is not None else line
            )
        result.append(replace(sign, lines=tuple(lines)))
    return tuple(result)


def read(photo: PhotoSource, **options: Any) -> Reading:
    """`Reader(**options).read(photo)`: for a single photo. Make a `Reader` and keep it to read more than one."""
    return Reader(**options).read(photo)


__all__ = ["Reader", "read"]
