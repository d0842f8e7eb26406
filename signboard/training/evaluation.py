"""Running a detector, a recogniser or a whole reader over labelled samples, and the tables that come out.

What is measured comes in as a function, so that training, `scripts/evaluate.py` and `scripts/compare.py` score
anything that finds or reads words with the same code.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from signboard.errors import DataError
from signboard.geometry import bounding_quad, rectify, text_size
from signboard.script import script_of
from signboard.training.adapters import SceneSample, WordSample, read_rgb
from signboard.training.metrics import (
    DetectionScore,
    WordScore,
    match_end_to_end,
    match_polygons,
    normalize_text,
    reliability,
    score_bag_of_words,
    score_word,
)

if TYPE_CHECKING:
    from signboard.reader import Reader
    from signboard.reading import Reading

MAX_CROP_HEIGHT = 128  # pixels; taller words are reduced to it when cut from photos
MIN_CROP_HEIGHT = 8


class Found(Protocol):
    """What a detector returns for a photo: polygons, each (N, 2) float32 in pixels."""

    @property
    def polygons(self) -> Sequence[np.ndarray]: ...


@dataclass(frozen=True, slots=True)
class ReadWord:
    """One word that a system claims to have read: (N, 2) polygon in pixels, its text, 0 to 1 confidence."""

    polygon: np.ndarray
    text: str
    confidence: float = 1.0


ReadCrops = Callable[[list[np.ndarray]], Sequence[tuple[str, float]]]  # RGB crops -> (text, confidence) each
DetectPhotos = Callable[[list[np.ndarray]], Sequence[Found]]
ReadPhoto = Callable[[SceneSample], Sequence[ReadWord]]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that went wrong. `kind` is "misread", "missed", "false", "split" or "merged"; for crops "misread"."""

    image: str
    kind: str
    truth: str
    read: str
    confidence: float
    script: str
    height: float


@dataclass(frozen=True, slots=True)
class WordReport:
    """Scores of word crops: all of them, by script of the label, and how far confidence can be trusted.

    `calibration_error` is the expected calibration error of "equal letters and digits"; `mistakes` those that differ.
    """

    source: str
    total: WordScore
    by_script: dict[str, WordScore]
    calibration_error: float
    mistakes: tuple[Mistake, ...] = ()
    confidences: tuple[tuple[float, bool], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class SceneReport:
    """Scores of photos. `end_to_end` and `bag_of_words` are None for sets that box lines or when nothing was read."""

    source: str
    detection: DetectionScore
    end_to_end: DetectionScore | None = None
    bag_of_words: DetectionScore | None = None
    by_script: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # words, found, found and read
    mistakes: tuple[Mistake, ...] = ()


# ---- scoring ---------------------------------------------------------------------------------------------------


def score_words(
    read: ReadCrops,
    samples: Iterable[WordSample] | Iterable[tuple[np.ndarray, WordSample]],
    *,
    batch_size: int = 64,
    source: str = "",
) -> WordReport:
    """Score a recogniser on word crops.

    Args:
        read: takes a list of (H, W, 3) uint8 RGB crops of any size, returns (text, confidence) for each, in order.
        samples: samples, opened here one batch at a time, or (pixels, sample) pairs, e.g. from `scene_crops`.

    Raises:
        DataError: there are no samples, or an image cannot be opened.
        ValueError: `read` returned another number of readings than it was given crops.
    """
    total, by_script = WordScore(), defaultdict[str, WordScore](WordScore)
    mistakes, confidences = [], []
    for batch in _batches(samples, batch_size):
        pairs = [item if isinstance(item, tuple) else (read_rgb(item), item) for item in batch]
        readings = read([pixels for pixels, _ in pairs])
        if len(readings) != len(pairs):
            raise ValueError(f"{len(pairs)} crops went in, {len(readings)} readings came out")
        for (pixels, sample), (text, confidence) in zip(pairs, readings, strict=True):
            score = score_word(sample.text, text)
            script = sample.script or script_of(sample.text)
            total += score
            by_script[script] += score
            if score.words:
                confidences.append((float(confidence), bool(score.correct)))
                if not score.correct:
                    height = float(pixels.shape[0])
                    wrong = Mistake(str(sample.image), "misread", sample.text, text, float(confidence), script, height)
                    mistakes.append(wrong)
    if not total.words + total.skipped:
        raise DataError("no words to score; check the set and its split")
    error = reliability([value for value, _ in confidences], [right for _, right in confidences])[1]
    ordered = {name: by_script[name] for name in sorted(by_script) if by_script[name].words}
    return WordReport(source, total, ordered, error, tuple(mistakes), tuple(confidences))


def score_detection(
    detect: DetectPhotos, samples: Iterable[SceneSample], *, batch_size: int = 1, source: str = ""
) -> SceneReport:
    """Score a detector on photos by the ICDAR 2015 protocol (see `match_polygons`).

    Args:
        detect: takes a list of (H, W, 3) uint8 RGB photos, returns an object with `.polygons` for each, in order.
        samples: photos with word or line polygons; opened here, one batch at a time.
    """
    total = DetectionScore()
    for batch in _batches(samples, batch_size):
        found = detect([read_rgb(sample) for sample in batch])
        if len(found) != len(batch):
            raise ValueError(f"{len(batch)} photos went in, {len(found)} results came out")
        for sample, result in zip(batch, found, strict=True):
            truths, ignored = [word.polygon for word in sample.words], [word.ignore for word in sample.words]
            total += match_polygons(truths, ignored, list(result.polygons)).score
    if not total.photos:
        raise DataError("no photos to score; check the set and its split")
    return SceneReport(source, total)


def score_photos(read: ReadPhoto, samples: Iterable[SceneSample], *, source: str = "") -> SceneReport:
    """Score a whole reader on photos: detection, end to end and bag of words, from the same words.

    Detection counts every word that was returned, so it is the detection of the reader as shipped, not of the network
    alone. Sets that box lines give detection only.

    Args:
        read: takes a sample (its `image` is the path) and returns the words that were read on it.
    """
    detection = end_to_end = bag = DetectionScore()
    lines = False
    by_script: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    mistakes: list[Mistake] = []
    for sample in samples:
        words = list(read(sample))
        polygons, readings = [word.polygon for word in words], [word.text for word in words]
        truths, ignored = [word.polygon for word in sample.words], [word.ignore for word in sample.words]
        texts = [word.text for word in sample.words]
        detection += match_polygons(truths, ignored, polygons).score
        if sample.level == "line":
            lines = True
            continue
        score, matches = match_end_to_end(truths, texts, ignored, polygons, readings)
        end_to_end += score
        bag += score_bag_of_words(truths, texts, ignored, polygons, readings)
        mistakes.extend(_mistakes(sample, words, matches.pairs, matches.care_truths, matches.care_detections))
        matched = dict(matches.pairs)
        for index in matches.care_truths:
            text = texts[index] or ""
            counts = by_script[sample.words[index].script or script_of(text)]
            counts[0] += 1
            counts[1] += index in matched
            counts[2] += index in matched and normalize_text(readings[matched[index]]) == normalize_text(text)
    if not detection.photos:
        raise DataError("no photos to score; check the set and its split")
    if lines:
        return SceneReport(source, detection, mistakes=tuple(mistakes))
    shares = {name: (counts[0], counts[1], counts[2]) for name, counts in sorted(by_script.items())}
    return SceneReport(source, detection, end_to_end, bag, shares, tuple(mistakes))


def _mistakes(
    sample: SceneSample,
    words: Sequence[ReadWord],
    pairs: Sequence[tuple[int, int]],
    care_truths: Sequence[int],
    care_detections: Sequence[int],
) -> Iterator[Mistake]:
    """What went wrong on one photo. A missed word is "split" when several boxes lie mostly inside it, "merged" when
    one box covers most of it and of another word."""
    image = str(sample.image)
    paired = dict(pairs)
    used = set(paired.values())
    for index in care_truths:
        word = sample.words[index]
        text, script = word.text or "", word.script or script_of(word.text or "")
        height = text_size(_quad(word.polygon))[1]
        if index in paired:
            read = words[paired[index]]
            if normalize_text(read.text) != normalize_text(text):
                yield Mistake(image, "misread", text, read.text, read.confidence, script, height)
            continue
        inside = [d for d in care_detections if d not in used and _covered(words[d].polygon, word.polygon) > 0.5]
        around = [
            d
            for d in care_detections
            if _covered(word.polygon, words[d].polygon) > 0.5
            and sum(_covered(other.polygon, words[d].polygon) > 0.5 for other in sample.words) > 1
        ]
        kind = "split" if len(inside) > 1 else "merged" if around else "missed"
        read_text = " ".join(words[d].text for d in (inside if kind == "split" else around))
        yield Mistake(image, kind, text, read_text, 0.0, script, height)
    for detection in care_detections:
        if detection not in used:
            read = words[detection]
            height = text_size(_quad(read.polygon))[1]
            yield Mistake(image, "false", "", read.text, read.confidence, script_of(read.text), height)


def _covered(inner: np.ndarray, outer: np.ndarray) -> float:
    """The share of `inner` that lies in `outer`, by their bounding boxes: enough to name a cause."""
    low = np.maximum(inner.min(axis=0), outer.min(axis=0))
    high = np.minimum(inner.max(axis=0), outer.max(axis=0))
    area = float(np.prod(np.maximum(inner.max(axis=0) - inner.min(axis=0), 1e-6)))
    return float(np.prod(np.maximum(high - low, 0))) / area


def scene_crops(samples: Iterable[SceneSample]) -> Iterator[tuple[np.ndarray, WordSample]]:
    """The words of labelled photos, cut along their label polygons: what a recogniser would see after a perfect
    detector. Words that are ignored or whose text is unknown are left out.

    Yields:
        (h, w, 3) uint8 RGB at the word's own height, between 8 and 128 pixels, and the sample it is scored as.
    """
    for sample in samples:
        pixels = None
        for word in sample.words:
            if word.ignore or word.text is None:
                continue
            pixels = read_rgb(sample) if pixels is None else pixels
            quad = _quad(word.polygon)
            height = int(np.clip(round(text_size(quad)[1]), MIN_CROP_HEIGHT, MAX_CROP_HEIGHT))
            labelled = WordSample(sample.image, word.text, word.script, sample.split, True, sample.source)
            yield rectify(pixels, quad, height), labelled


def _quad(polygon: np.ndarray) -> np.ndarray:
    """Hand-drawn outlines have points where the hand clicked, not pairs along top and bottom: take their rectangle."""
    return polygon if len(polygon) == 4 else bounding_quad(polygon)


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def read_labelled(reader: Reader, sample: SceneSample) -> Reading:
    """What `reader` reads on a labelled photo.

    Raises:
        PhotoError: the photo cannot be opened.
        DataError: its labels are for another size.
    """
    reading = reader.read(sample.image)
    if (reading.width, reading.height) != (sample.width, sample.height):
        raise DataError(
            f"{sample.image}: read at {reading.width}x{reading.height}, labelled at {sample.width}x{sample.height}"
        )
    return reading


# ---- sets ------------------------------------------------------------------------------------------------------


def is_word_set(path: str | Path) -> bool:
    """Whether a labels.jsonl set, an LMDB or a list of words holds word crops (True) or whole photos (False).

    Raises:
        DataError: there are no labels of a known form.
    """
    path = Path(path)
    file = path / "labels.jsonl" if path.is_dir() else path
    if file.suffix == ".jsonl" and file.is_file():
        with file.open(encoding="utf-8-sig") as lines:
            first = next((line for line in lines if line.strip()), "")
        try:
            return "words" not in json.loads(first)
        except json.JSONDecodeError:
            raise DataError(f"{file}:1: not valid JSON") from None
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; see data/README.md for where to put data sets")
    if path.is_dir():
        if (path / "data.mdb").is_file():
            return True
        return not (any(path.rglob("gt_*.txt")) or any(path.glob("*.xml")))
    return path.suffix in (".mat", ".mdb") or (path.suffix == ".txt" and not path.name.startswith("gt_"))


# ---- tables ----------------------------------------------------------------------------------------------------


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; cells that are numbers (or dashes) are aligned to the right."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    right = [bool(cells) and all(row[column][:1] in "-–.0123456789" for row in cells) for column in range(len(headers))]
    rule = ["---:" if flag else "---" for flag in right]
    lines = [list(headers), rule, *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def detection_table(reports: Sequence[SceneReport]) -> str:
    """Detection of every set, one row each."""
    rows = [
        (
            report.source,
            report.detection.photos,
            report.detection.truths,
            percent(report.detection.precision),
            percent(report.detection.recall),
            percent(report.detection.h_mean),
        )
        for report in reports
    ]
    return markdown_table(("set", "photos", "words", "precision", "recall", "H-mean"), rows)


def end_to_end_table(reports: Sequence[SceneReport]) -> str:
    """Detection, end to end and bag of words of every set, one row each."""
    rows = []
    for report in reports:
        row: list[object] = [report.source, report.detection.photos, report.detection.truths]
        row.append(percent(report.detection.h_mean))
        if report.end_to_end is not None and report.bag_of_words is not None:
            score = report.end_to_end
            row += [score.truths, percent(score.precision), percent(score.recall), percent(score.h_mean)]
            row.append(percent(report.bag_of_words.h_mean))
        else:
            row += ["–"] * 5
        rows.append(row)
    headers = (
        "set",
        "photos",
        "words",
        "detection H",
        "words with text",
        "precision",
        "recall",
        "end to end H",
        "bag F1",
    )
    return markdown_table(headers, rows)


def word_table(reports: Sequence[WordReport]) -> str:
    """Word reading of every set, a row for all its words and one for each script when there are several."""
    rows: list[tuple[object, ...]] = []
    for report in reports:
        rows.append((report.source, "all", *_word_cells(report.total), percent(report.calibration_error)))
        if len(report.by_script) > 1:
            rows.extend((report.source, script, *_word_cells(s), "–") for script, s in report.by_script.items())
    if len(reports) > 1:
        combined = sum((report.total for report in reports), WordScore())
        rows.append(("combined", "all", *_word_cells(combined), "–"))
    return markdown_table(("set", "script", "words", "accuracy", "exact", "CER", "calibration error"), rows)


def _word_cells(score: WordScore) -> tuple[object, ...]:
    return score.words, percent(score.accuracy), percent(score.exact_accuracy), percent(score.cer)


def percent(share: float) -> str:
    """0.1234 as "12.3 %"."""
    return f"{100 * share:.1f} %"


# ---- JSON ------------------------------------------------------------------------------------------------------


def detection_json(score: DetectionScore) -> dict[str, float | int]:
    """Counts and ratios of a score as plain JSON values."""
    return {
        "photos": score.photos,
        "matched": score.matched,
        "words": score.truths,
        "detections": score.detections,
        "precision": round(score.precision, 5),
        "recall": round(score.recall, 5),
        "h_mean": round(score.h_mean, 5),
    }


def word_json(score: WordScore) -> dict[str, float | int]:
    """Counts and ratios of a score as plain JSON values."""
    return {
        "words": score.words,
        "skipped": score.skipped,
        "accuracy": round(score.accuracy, 5),
        "exact": round(score.exact_accuracy, 5),
        "cer": round(score.cer, 5),
    }


def report_json(report: WordReport | SceneReport) -> dict[str, Any]:
    """A report as plain JSON values, without its mistakes."""
    if isinstance(report, WordReport):
        return {
            "set": report.source,
            "all": word_json(report.total),
            "by_script": {name: word_json(score) for name, score in report.by_script.items()},
            "calibration_error": round(report.calibration_error, 5),
            "reliability": [
                {
                    "low": row.low,
                    "high": row.high,
                    "count": row.count,
                    "confidence": round(row.confidence, 5),
                    "accuracy": round(row.accuracy, 5),
                }
                for row in reliability(*_columns(report.confidences))[0]
                if row.count
            ],
        }
    result: dict[str, Any] = {"set": report.source, "detection": detection_json(report.detection)}
    if report.end_to_end is not None:
        result["end_to_end"] = detection_json(report.end_to_end)
    if report.bag_of_words is not None:
        result["bag_of_words"] = detection_json(report.bag_of_words)
    if report.by_script:
        result["by_script"] = {
            name: {"words": words, "found": found, "read": read}
            for name, (words, found, read) in report.by_script.items()
        }
    return result


def _columns(pairs: Sequence[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [value for value, _ in pairs], [right for _, right in pairs]


def mistakes_json(report: WordReport | SceneReport) -> Iterator[dict[str, Any]]:
    """The mistakes of a report, one JSON object each."""
    for mistake in report.mistakes:
        yield {
            "set": report.source,
            "image": mistake.image,
            "kind": mistake.kind,
            "truth": mistake.truth,
            "read": mistake.read,
            "confidence": round(mistake.confidence, 4),
            "script": mistake.script,
            "height": round(mistake.height, 1),
        }
