"""The whole chain: photos in, readings out. The only place that knows all the stages, in the order of the flow:

find places (`pipeline.finding`) -> read them (`pipeline.words`) -> mend words (`pipeline.mending`) -> lines, signs and
translation (`pipeline.result`). When each photo goes through them is `pipeline.schedule`'s business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from signboard.detection import Detections, Detector
from signboard.device_pictures import upload
from signboard.devices import choose_device, choose_precision
from signboard.errors import SignboardError
from signboard.geometry import FloatArray, ImageArray
from signboard.photo import Photo, PhotoSource, load_photo
from signboard.pipeline.alternatives import alternatives
from signboard.pipeline.finding import Finder, InBatches
from signboard.pipeline.mending import STEPS, mend_words, mending_steps
from signboard.pipeline.mending.orientation import DecideOrientation, from_turned, upside_down
from signboard.pipeline.mending.verification import Verifier, from_cards
from signboard.pipeline.result import to_reading, to_word
from signboard.pipeline.schedule import Schedule
from signboard.pipeline.words import Place, ReadWord, read_places, read_whole
from signboard.reading import Reading, Word
from signboard.recognition import Recognizer

# A photo's picture, and the places on it.
_Found = tuple[ImageArray, Detections]
# Photos are decoded at no more than this side where their format allows it: words keep more pixels than are read.
_DECODE_SIDE = 2560


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
        n_best: with more than 1, each word also has up to `n_best - 1` `alternatives`, other texts that it may say;
            takes longer, as each word is read again.
        without: mending steps to leave out, by name; see `pipeline.mending.STEPS`.

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
        n_best: int = 1,
        without: Collection[str] = (),
    ) -> None:
        for name, value in (("min_confidence", min_confidence), ("detection_threshold", detection_threshold)):
            if value is not None and not 0.0 <= value <= 1.0:
                raise SignboardError(f"{name}: must be between 0 and 1, not {value}")
        if unknown := sorted(set(without) - set(STEPS)):
            raise SignboardError(f"without: no mending step {unknown[0]!r}; there are {', '.join(STEPS)}")
        if n_best < 1:
            raise SignboardError(f"n_best: must be at least 1, not {n_best}")
        where = choose_device(device)
        if precision != "int8":  # which the weights decide on
            choose_precision(precision, where)
        if not isinstance(detector, Detector):
            detector = Detector.load(detector, device=where, precision=precision)
        if not isinstance(recognizer, Recognizer):
            recognizer = Recognizer.load(recognizer, device=where, precision=precision)
        if n_best > 1 and recognizer.language is None:
            raise SignboardError("n_best: needs a recogniser with a language model")
        if verifier is None and detection_threshold is None:
            verifier = from_cards(detector.card, recognizer.card)
        self.device = where
        self.detector = detector
        self.recognizer = recognizer
        self.verifier = verifier
        self.min_confidence = (
            min_confidence if min_confidence is not None else float(recognizer.card.get("min_confidence", 0.0))
        )
        self.translate = translate
        self.n_best = n_best
        self.threshold = detector.box_threshold if detection_threshold is None else detection_threshold
        on_cpu, on_cuda = where.type == "cpu", where.type == "cuda"
        self.finder = Finder(
            detector,
            threshold=self.threshold,
            candidates=verifier.candidates if verifier else None,
            tile=tile,
            # A processor is busy with one photo; the memory for four at once is more than a gigabyte.
            batch=1 if on_cpu else 16,
        )
        self.steps = mending_steps(
            recognizer=recognizer,
            threshold=self.threshold,
            min_confidence=self.min_confidence,
            verifier=verifier,
            without=without,
        )
        self._read_crops = InBatches(recognizer.read_lines)
        self.schedule = Schedule(
            self._find,
            self._read_found,
            device=where,
            decode_side=None if tile else _DECODE_SIDE,
            window=1 if tile else 32 if on_cuda else 4,  # a photo that is read in regions is a window of its own
            ahead=on_cuda,
            one_by_one=tile,
        )

    def read(self, photo: PhotoSource) -> Reading:
        """What is written on one photo.

        Args:
            photo: a path, the bytes of an image file, a Pillow image, or an array (H, W, 3) uint8 RGB.

        Raises:
            PhotoError: the photo cannot be opened.
            ReadingError: it was opened, and could not be read.
        """
        return self.schedule.one(photo)

    def read_many(
        self,
        photos: Iterable[PhotoSource],
        *,
        batch_size: int | Literal["auto"] = "auto",
        workers: int | None = None,
    ) -> Iterator[Reading]:
        """Readings of many photos, in their order, as a stream: at most a few batches of photos are in memory.

        A photo that cannot be opened or read gives a `Reading` with its `error`; it never stops the others. What
        `photos` itself raises comes after the readings of the photos that it gave before.

        Args:
            photos: as for `read`; drawn from as needed.
            batch_size: photos whose words are found and read together. "auto" picks by device; on a processor each
                thread reads up to eight photos, as many threads side by side as the processor has, at most four.
                With `tile`, photos come one by one and the regions of each go together.
            workers: threads that decode photos ahead (on a processor with "auto": threads that read); by
                default as many as there are cores, at most eight.

        Raises:
            SignboardError: `photos` is the name of one, or an option makes no sense.
        """
        if isinstance(photos, str | bytes | PathLike):
            raise SignboardError("photos: must be a list or another iterable of photos, not one name")
        for name, value in (("batch_size", None if batch_size == "auto" else batch_size), ("workers", workers)):
            if value is not None and (not isinstance(value, int | np.integer) or value < 1):
                raise SignboardError(f"{name}: must be at least 1, not {value!r}")
        window = None if batch_size == "auto" else batch_size
        return self.schedule.many(iter(photos), window=window, workers=workers)

    def detect(self, photo: PhotoSource) -> Detections:
        """Word polygons, in pixels, and scores on one photo; nothing is read.

        Args:
            photo: as for `read`.

        Raises:
            PhotoError: the photo cannot be opened.
        """
        return self.detector.detect([load_photo(photo).pixels], box_threshold=self.threshold)[0]

    def read_at(self, photo: PhotoSource, polygons: Sequence[FloatArray]) -> list[Word]:
        """What is written at places that are known already, e.g. found by another program: a word each, in their order.

        Args:
            photo: as for `read`.
            polygons: (N, 2) numbers each, N >= 4, pixels, clockwise; quads may begin at any corner.

        Raises:
            PhotoError: the photo cannot be opened.
            SignboardError: a polygon is none.
        """
        (picture,) = upload([load_photo(photo).pixels], self.device)
        places = [Place(picture, _polygon(polygon, index)) for index, polygon in enumerate(polygons)]
        words, _ = read_whole(places, self._read_crops, self.recognizer.height)
        return [to_word(word) for word in words]

    def _find(self, photos: Sequence[Photo]) -> list[_Found]:
        """The pictures of photos, on the device if that is CUDA, and the places on them."""
        pictures = upload([photo.pixels for photo in photos], self.device)
        return list(zip(pictures, self.finder.find(pictures), strict=True))

    def _read_found(self, photos: Sequence[Photo], found: Sequence[_Found]) -> list[Reading]:
        """Readings of photos on whose pictures these places were found."""
        pictures = [picture for picture, _ in found]
        words = self._words(pictures, [detections for _, detections in found])
        words = [self._the_right_way_up(p, some) for p, some in zip(pictures, words, strict=True)]
        return [
            to_reading(
                photo,
                kept,
                warnings=self.finder.warnings(photo, detections),
                translate=self.translate,
                alternatives=alternatives(picture, kept, self.recognizer, self.n_best - 1) if self.n_best > 1 else None,
            )
            for photo, kept, (picture, detections) in zip(photos, words, found, strict=True)
        ]

    def _words(self, pictures: Sequence[ImageArray], found: Sequence[Detections]) -> list[list[ReadWord]]:
        """The words of pictures (H, W, 3) on which these places were found, mended."""
        places = [
            [Place(pixels, polygon, score >= self.threshold) for polygon, score in detections.words()]
            for pixels, detections in zip(pictures, found, strict=True)
        ]
        # One flat list of crops for the recogniser.
        at = iter(read_places([p for some in places for p in some], self._read_crops, self.recognizer.height))
        words = [_scored([next(at) for _ in some], d.scores) for some, d in zip(places, found, strict=True)]
        return mend_words(self.steps, pictures, words, self._read_crops)

    def _the_right_way_up(self, pixels: ImageArray, words: list[ReadWord]) -> list[ReadWord]:
        """The words of a picture (H, W, 3); if it hangs upside down, as they are found on it the right way up."""
        if not upside_down(words) or not any(step.name == DecideOrientation.name for step in self.steps):
            return words
        (turned,) = upload([np.ascontiguousarray(pixels[::-1, ::-1])], self.device)
        (again,) = self._words([turned], self.finder.find([turned]))
        if not again or upside_down(again):
            return words
        return [from_turned(word, *pixels.shape[:2]) for word in again]


def _polygon(points: FloatArray, index: int) -> FloatArray:
    """A polygon as an array (N, 2) float32."""
    try:
        polygon = np.asarray(points, np.float32)
    except (TypeError, ValueError):
        polygon = np.empty(0, np.float32)
    if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 4 or not np.isfinite(polygon).all():
        raise SignboardError(f"polygons[{index}]: must be four finite points (x, y) or more")
    return polygon


def _scored(words: Sequence[list[ReadWord]], scores: Sequence[float]) -> list[ReadWord]:
    """The words of a photo's places in one list, each with its place's detection score."""
    return [replace(word, score=score) for some, score in zip(words, scores, strict=True) for word in some]


def read(photo: PhotoSource, **options: Any) -> Reading:
    """`Reader(**options).read(photo)`: for a single photo. Make a `Reader` and keep it to read more than one."""
    return Reader(**options).read(photo)


__all__ = ["Reader", "read"]
