"""Scores for detection, word reading, end-to-end reading and bags of words: pure functions on arrays and strings.

Every score is a small frozen dataclass of counts: scores of photos add up with `+`, and ratios are taken once at the
end, as the public evaluations do.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from rapidfuzz.distance import Levenshtein

from signboard.script import DEVANAGARI_PUNCTUATION, is_devanagari

IOU_THRESHOLD = 0.5
DONT_CARE_OVERLAP = 0.5


def normalize_text(text: str) -> str:
    """The form in which two readings are compared: case-insensitive letters and digits.

    Keeps a-z (accents removed), 0-9, and the letters, matras, marks and digits of Devanagari in NFC; drops everything
    else: spaces, punctuation, joiners, other scripts. Devanagari digits stay different from 0-9.
    """
    kept = []
    for character in unicodedata.normalize("NFC", text).casefold():
        if is_devanagari(character):
            if character not in DEVANAGARI_PUNCTUATION:
                kept.append(character)
        else:
            parts = unicodedata.normalize("NFKD", character)
            kept.extend(part for part in parts.casefold() if part.isascii() and part.isalnum())
    return unicodedata.normalize("NFC", "".join(kept))


# ---- detection -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """Counts of matched words, of words that count, and of detections that count.

    Precision, recall and H-mean are 0 where nothing could be matched.
    """

    matched: int = 0
    truths: int = 0
    detections: int = 0
    photos: int = 0

    def __add__(self, other: DetectionScore) -> DetectionScore:
        return DetectionScore(
            self.matched + other.matched,
            self.truths + other.truths,
            self.detections + other.detections,
            self.photos + other.photos,
        )

    @property
    def precision(self) -> float:
        return self.matched / self.detections if self.detections else 0.0

    @property
    def recall(self) -> float:
        return self.matched / self.truths if self.truths else 0.0

    @property
    def h_mean(self) -> float:
        """Harmonic mean of precision and recall, also called F1."""
        total = self.detections + self.truths
        return 2 * self.matched / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Matches:
    """Which detection is which word.

    Attributes:
        pairs: (truth index, detection index), each index at most once.
        care_truths: indices of the words that count.
        care_detections: indices of the detections that count.
    """

    pairs: tuple[tuple[int, int], ...]
    care_truths: tuple[int, ...]
    care_detections: tuple[int, ...]

    @property
    def score(self) -> DetectionScore:
        return DetectionScore(len(self.pairs), len(self.care_truths), len(self.care_detections), 1)


def match_polygons(truths: Sequence[np.ndarray], ignored: Sequence[bool], detections: Sequence[np.ndarray]) -> Matches:
    """Match detections to words as the public evaluation of ICDAR 2015 (Karatzas et al. 2015, task 4.1) does.

    A detection more than half of whose own area lies in one don't-care region does not count. The others are matched
    one to one and greedily, words in their order, each with the first free detection with IoU > 0.5.

    Args:
        truths: polygons, each (N, 2), pixels.
        ignored: one flag a truth, True for a don't-care region.
        detections: polygons, each (M, 2), pixels. Self-crossing ones are repaired; ones without area match nothing.
    """
    if len(truths) != len(ignored):
        raise ValueError(f"{len(truths)} polygons but {len(ignored)} flags")
    shared, truth_areas, detection_areas = _intersections(truths, detections)
    dropped = np.zeros(len(detections), dtype=bool)
    flags = np.asarray(ignored, dtype=bool)
    if flags.any() and len(detections):
        cover = shared[flags] / np.maximum(detection_areas, 1e-9)  # (don't-care regions, M)
        dropped = (cover > DONT_CARE_OVERLAP).any(axis=0)
    union = truth_areas[:, None] + detection_areas[None] - shared
    iou = shared / np.maximum(union, 1e-9)  # (N, M)
    pairs = []
    free = ~dropped
    for truth in np.flatnonzero(~flags):
        hits = np.flatnonzero(free & (iou[truth] > IOU_THRESHOLD))
        if len(hits):
            pairs.append((int(truth), int(hits[0])))
            free[hits[0]] = False
    return Matches(
        tuple(pairs), tuple(int(i) for i in np.flatnonzero(~flags)), tuple(int(i) for i in np.flatnonzero(~dropped))
    )


def polygon_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two polygons, each (N, 2); 0 when either has no area."""
    shared, a, b = _intersections([first], [second])
    union = float(a[0] + b[0] - shared[0, 0])
    return float(shared[0, 0]) / union if union > 0 else 0.0


def _intersections(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, M) shared areas, (N,) and (M,) areas."""
    a, b = _shapes(first), _shapes(second)
    shared = np.zeros((len(a), len(b)))
    if len(a) and len(b):
        boxes_a, boxes_b = shapely.bounds(a), shapely.bounds(b)  # (left, top, right, bottom); NaN when empty
        with np.errstate(invalid="ignore"):
            near = (boxes_a[:, None, :2] < boxes_b[None, :, 2:]).all(-1) & (
                boxes_b[None, :, :2] < boxes_a[:, None, 2:]
            ).all(-1)
        rows, columns = np.nonzero(near)
        shared[rows, columns] = shapely.area(shapely.intersection(a[rows], b[columns]))
    return shared, shapely.area(a), shapely.area(b)


def _shapes(polygons: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) array of valid shapely geometries."""
    shapes = np.empty(len(polygons), dtype=object)
    for index, polygon in enumerate(polygons):
        points = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
        shape = shapely.Polygon(points) if len(points) >= 3 and np.isfinite(points).all() else shapely.Polygon()
        shapes[index] = shape if shape.is_valid else shapely.make_valid(shape)
    return shapes


# ---- words -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WordScore:
    """Counts over word crops. Words without a letter or digit to compare (see `normalize_text`) are only `skipped`.

    Attributes:
        words: how many were compared.
        correct: equal after `normalize_text`.
        exact: equal in NFC, with case and punctuation.
        edits, characters: Levenshtein distance to the label in NFC, with case and punctuation, and the labels' length.
        skipped: labels that `normalize_text` leaves empty.
    """

    words: int = 0
    correct: int = 0
    exact: int = 0
    edits: int = 0
    characters: int = 0
    skipped: int = 0

    def __add__(self, other: WordScore) -> WordScore:
        return WordScore(
            self.words + other.words,
            self.correct + other.correct,
            self.exact + other.exact,
            self.edits + other.edits,
            self.characters + other.characters,
            self.skipped + other.skipped,
        )

    @property
    def accuracy(self) -> float:
        """Share of words equal in case-insensitive letters and digits."""
        return self.correct / self.words if self.words else 0.0

    @property
    def exact_accuracy(self) -> float:
        return self.exact / self.words if self.words else 0.0

    @property
    def cer(self) -> float:
        """Character error rate: edits per character of the labels; can exceed 1."""
        return self.edits / self.characters if self.characters else 0.0


def score_word(truth: str, read: str) -> WordScore:
    """Compare one reading with its label."""
    truth = unicodedata.normalize("NFC", truth).strip()
    read = unicodedata.normalize("NFC", read).strip()
    wanted = normalize_text(truth)
    if not wanted:
        return WordScore(skipped=1)
    return WordScore(
        words=1,
        correct=int(wanted == normalize_text(read)),
        exact=int(truth == read),
        edits=Levenshtein.distance(truth, read),
        characters=len(truth),
    )


# ---- end to end ------------------------------------------------------------------------------------------------


def match_end_to_end(
    truths: Sequence[np.ndarray],
    texts: Sequence[str | None],
    ignored: Sequence[bool],
    detections: Sequence[np.ndarray],
    readings: Sequence[str],
) -> tuple[DetectionScore, Matches]:
    """Score a photo's readings: IoU > 0.5 and the same letters and digits (ICDAR 2015, task 4.4, without a lexicon).

    Don't-care are ignored regions, words whose text is unknown (None), and words without a letter or digit. A reading
    without any character is no claim and is left out; one of punctuation alone counts like any other.

    Args:
        truths: polygons, each (N, 2), pixels.
        texts: what each says, None when unknown.
        ignored: one flag a truth.
        detections: polygons, each (M, 2), pixels.
        readings: what was read in each.

    Returns:
        the score (`matched` = place and text are right) and the matching of places; its indices are those of the
        arguments.
    """
    if not (len(truths) == len(texts) == len(ignored)) or len(detections) != len(readings):
        raise ValueError("each polygon needs one text (and each truth one flag)")
    wanted = [normalize_text(text) if text and not flag else "" for text, flag in zip(texts, ignored, strict=True)]
    claims = [index for index, reading in enumerate(readings) if reading.strip()]
    found = match_polygons(truths, [not text for text in wanted], [detections[index] for index in claims])
    matches = Matches(
        tuple((truth, claims[detection]) for truth, detection in found.pairs),
        found.care_truths,
        tuple(claims[detection] for detection in found.care_detections),
    )
    right = sum(wanted[truth] == normalize_text(readings[detection]) for truth, detection in matches.pairs)
    return DetectionScore(right, len(matches.care_truths), len(matches.care_detections), 1), matches


def score_bag_of_words(
    truths: Sequence[np.ndarray],
    texts: Sequence[str | None],
    ignored: Sequence[bool],
    detections: Sequence[np.ndarray],
    readings: Sequence[str],
) -> DetectionScore:
    """Line-tolerant bag of words: the words of a photo as a multiset, wherever and in whatever boxes they were read.

    Labels and readings are split at white space, so a system that boxes whole lines is not punished for it. Readings
    more than half of whose area lies in don't-care regions (taken together: a line may cover several) are left out.

    Args and don't-care regions: as in `match_end_to_end`.
    """
    care = [bool(text and normalize_text(text)) and not flag for text, flag in zip(texts, ignored, strict=True)]
    wanted = Counter(
        token for text, counts in zip(texts, care, strict=True) if text and counts for token in _tokens(text)
    )
    regions = _shapes([polygon for polygon, counts in zip(truths, care, strict=True) if not counts])
    shapes = _shapes(detections)
    if len(regions) and len(shapes):
        cover = shapely.area(shapely.intersection(shapes, shapely.union_all(regions)))
        kept = cover <= DONT_CARE_OVERLAP * shapely.area(shapes)
    else:
        kept = np.ones(len(shapes), dtype=bool)
    got = Counter(token for text, keep in zip(readings, kept, strict=True) if keep for token in _tokens(text))
    return DetectionScore((wanted & got).total(), wanted.total(), got.total(), 1)


def _tokens(text: str) -> Iterable[str]:
    return filter(None, map(normalize_text, text.split()))


# ---- confidence ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Readings whose confidence lies in [low, high): how many, their mean confidence, the share that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(
    confidences: Sequence[float] | np.ndarray, right: Sequence[bool] | np.ndarray, bins: int = 10
) -> tuple[tuple[ReliabilityBin, ...], float]:
    """The reliability diagram's bins and the expected calibration error (Guo et al. 2017, section 2).

    Args:
        confidences: (N,) from 0 to 1; 1 belongs to the last bin.
        right: (N,) whether each reading is right.

    Returns:
        the bins, equally wide, empty ones included, and the error (0 for no readings).
    """
    values, hits = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if values.shape != hits.shape or values.ndim != 1:
        raise ValueError(f"confidences {values.shape} and right {hits.shape} must both be (N,)")
    places = np.clip((values * bins).astype(int), 0, bins - 1)
    rows, error = [], 0.0
    for index in range(bins):
        mine = places == index
        count = int(mine.sum())
        confidence = float(values[mine].mean()) if count else 0.0
        accuracy = float(hits[mine].mean()) if count else 0.0
        error += count / max(len(values), 1) * abs(confidence - accuracy)
        rows.append(ReliabilityBin(index / bins, (index + 1) / bins, count, confidence, accuracy))
    return tuple(rows), error
