"""Labels made by the program itself: places of photos that it reads with confidence, alone or with a second system."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidfuzz.distance import Levenshtein

from signboard.errors import DataError
from signboard.geometry import FloatArray, rectify, text_quad, text_size
from signboard.reading import Word
from signboard.recognition.charset import Charset
from signboard.script import script_of
from signboard.training.adapters import IMAGE_SUFFIXES, load_scenes, read_rgb
from signboard.training.metrics import normalize_text
from signboard.training.peers import Worker

if TYPE_CHECKING:
    from signboard.reader import Reader

Trusted = Callable[[Word], bool]
Labelled = tuple[Path, int, int, list[dict[str, Any]]]  # photo, width, height, words as labels.jsonl has them
Second = Callable[[NDArray[np.uint8]], tuple[str, float]]  # a crop -> its text and confidence
# Confidences from which on readings count: the second system's where both agree, this program's for short ones, and
# the second system's where they differ.
_AGREED, _SHORT, _ALONE = 0.8, 0.5, 0.985
_LONGEST, _WORDS = 22, 3  # characters and words of a label
_ROWS = 7  # pixels: what is lower is not read


def _word(polygon: FloatArray, word: Word | None, source: str = "signboard") -> dict[str, Any]:
    corners = [[round(float(x), 1), round(float(y), 1)] for x, y in polygon]
    if word is None:
        return {"polygon": corners, "text": "", "ignore": True}
    return {"polygon": corners, "text": word.text, "ignore": False, "script": script_of(word.text), "source": source}


def sure(word: Word, least: float = 0.9, length: int = 3) -> bool:
    """Whether a word has at least this confidence and so many letters and digits: on less, a reading may be of
    anything."""
    return word.confidence >= least and len(normalize_text(word.text)) >= length


def agreed(word: Word, text: str, confidence: float, charset: Charset) -> str | None:
    """What a word says by two readings of it, this program's and a second one's, or None where that is not known."""
    ours, theirs = normalize_text(word.text), normalize_text(text)
    if not theirs or len(text) > _LONGEST or len(text.split()) > _WORDS:
        return None
    missing = charset.missing(text)
    if any(c.isalpha() for c in missing):
        return None
    if ours == theirs:
        lengths = [[len(normalize_text(part)) for part in reading.split()] for reading in (word.text, text)]
        if lengths[0] != lengths[1] or confidence < _AGREED or (word.confidence < _SHORT and len(theirs) < 3):
            return None
        return text if not missing and confidence > word.confidence else word.text
    if missing or word.confidence > _AGREED or confidence < _ALONE or " " in text + word.text:
        return None
    near = len(theirs) > 3 and Levenshtein.distance(ours, theirs) <= len(theirs) // 3
    return text if near and not any(c.isdigit() for c in text) else None


def of_set(
    reader: Reader, path: Path, trusted: Trusted, second: Second | None = None, dont_care: bool = False
) -> Iterator[Labelled]:
    """The training photos of a labelled set whose words' texts are not known, read at their labelled places.

    Args:
        trusted: whether a word is sure enough to become a label; with `second`, `agreed` decides.
        dont_care: read the set's don't-care regions, too.
    """
    for sample in load_scenes(path, "train"):
        places, words = [], []  # what is to be read, and the rows
        for word in sample.words:
            if word.text is None and (not word.ignore or dont_care) and len(word.polygon) >= 4:
                places.append(word.polygon)
            else:
                words.append(_word(word.polygon, None))
        if not places or (sample.level != "word" and second is None):
            continue
        pixels = read_rgb(sample)
        for found in reader.read_at(pixels, places):
            polygon = np.array(found.polygon, np.float32)
            if second is None:
                words.append(_word(polygon, found if trusted(found) else None))
                continue
            quad = text_quad(polygon)
            height = round(text_size(quad)[1])
            told = second(rectify(pixels, quad, min(height, 96))) if found.text and height >= _ROWS else ("", 0.0)
            text = agreed(found, *told, reader.recognizer.charset)
            words.append(_word(polygon, replace(found, text=text) if text else None, "agreed"))
        yield sample.image, sample.width, sample.height, words


@contextmanager
def second_system(name: str, python: str) -> Iterator[Second]:
    """Another system's reader of crops, in a process of its own.

    Raises:
        DataError: it is not there, or its Python is not, or, from the reader, its process has ended.
    """
    try:
        worker = Worker(name, 1, python, {})
    except OSError as error:
        raise DataError(f"{python}: cannot be started ({error.strerror})") from None
    if worker.missing:
        raise DataError(f"{name}: {worker.missing}")
    failed = 0

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "crop.png"

        def read(crop: NDArray[np.uint8]) -> tuple[str, float]:
            nonlocal failed
            Image.fromarray(crop).save(file, compress_level=1)
            answer = worker.ask(crop=str(file))
            if worker.process.poll() is not None:
                raise DataError(f"{name}: {answer.get('error', 'its process ended')}")
            failed += "error" in answer
            return str(answer.get("text", "")).strip(), float(answer.get("confidence", 0.0))

        try:
            yield read
        finally:
            worker.close()
            if failed:
                print(f"{name}: failed on {failed} words", file=sys.stderr)


def of_folder(reader: Reader, path: Path, trusted: Trusted) -> Iterator[Labelled]:
    """The photos of a folder with every word that is found; what is not trusted is don't-care.

    Raises:
        DataError: there are no photos.
    """
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DataError(f"{path}: no labels.jsonl and no photos")
    for file, reading in zip(files, reader.read_many(files), strict=True):
        if reading.error:
            print(f"left out: {reading.error}", file=sys.stderr)
            continue
        words = [_word(np.array(word.polygon), word if trusted(word) else None) for word in reading.words]
        yield file, reading.width, reading.height, words


def write_labels(
    reader: Reader,
    inputs: Sequence[Path],
    output: Path,
    trusted: Trusted = sure,
    *,
    second: Second | None = None,
    dont_care: bool = False,
) -> Counter[str]:
    """Reads sets (`of_set`) and folders (`of_folder`) and writes `labels.jsonl` into the folder `output`; the words by
    script. The file appears when all of it is there: one that is there stays until then.

    Raises:
        SignboardError: an input that cannot be read, or a second system that ended.
    """
    kept: Counter[str] = Counter()
    output.mkdir(parents=True, exist_ok=True)
    target = output / "labels.jsonl"
    partly = target.with_suffix(".partial")
    with partly.open("w", encoding="utf-8") as file:
        for path in inputs:
            if (path / "labels.jsonl").is_file():
                rows = of_set(reader, path, trusted, second, dont_care)
            else:
                rows = of_folder(reader, path, trusted)
            for image, width, height, words in rows:
                labelled = [word for word in words if not word["ignore"]]
                kept.update(word["script"] for word in labelled)
                if labelled:
                    row = {"image": str(image.resolve()), "width": width, "height": height, "level": "word"}
                    file.write(json.dumps({**row, "split": "train", "words": words}, ensure_ascii=False) + "\n")
    partly.replace(target)
    return kept
