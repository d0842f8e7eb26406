"""Labels made by the program itself: words that it reads with high confidence, as further training data.

    python scripts/read_unlabelled.py SET_OR_FOLDER... --output DIR [--min-confidence 0.9] [--min-length 3]
    python scripts/read_unlabelled.py SET... --output DIR --agree rapidocr [--python PATH] [--dont-care]

A set of labelled photos gives its training words whose text is not known, at their labelled places; a folder of plain
photos gives every word that is found.

With `--agree`, a second system (one of those that `scripts/compare.py` knows) reads the same places of labelled sets,
and another rule holds: a word gets a label where both read it alike and the second is at least 0.8 sure, or where this
program is unsure and the second at least 0.985 sure of a word of four letters or more that differs in no more than a
third of them. From words that it cannot read yet the program learns most. The figures suit RapidOCR. Sets that label
lines give those of up to three words. `--dont-care` takes the sets' don't-care regions for words, too.

The output is a set in the form of `labels.jsonl` that names the photos where they lie; all else that was found or
labelled on them is in it as don't-care. Name it under `scenes` in the recogniser's config.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidfuzz.distance import Levenshtein

from signboard import Reader
from signboard.errors import DataError, SignboardError
from signboard.geometry import FloatArray, rectify, text_quad, text_size
from signboard.reading import Word
from signboard.recognition.charset import Charset
from signboard.script import script_of
from signboard.training.adapters import load_scenes, read_rgb
from signboard.training.metrics import normalize_text
from signboard.training.peers import Worker

Trusted = Callable[[Word], bool]
Second = Callable[[NDArray[np.uint8]], tuple[str, float]]  # a crop -> its text and confidence
# Confidences from which on readings count: the second system's where both agree, this program's for short ones, and
# the second system's where they differ.
_AGREED, _SHORT, _ALONE = 0.8, 0.5, 0.985
_LONGEST, _WORDS = 22, 3  # characters and words of a label
_ROWS = 7  # pixels: what is lower is not read
_PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


def _word(polygon: FloatArray, word: Word | None, source: str = "signboard") -> dict[str, Any]:
    corners = [[round(float(x), 1), round(float(y), 1)] for x, y in polygon]
    if word is None:
        return {"polygon": corners, "text": "", "ignore": True}
    return {"polygon": corners, "text": word.text, "ignore": False, "script": script_of(word.text), "source": source}


def _trusted(word: Word, least: float, length: int) -> bool:
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


def _of_set(
    reader: Reader, path: Path, trusted: Trusted, second: Second | None = None, dont_care: bool = False
) -> Iterator[tuple[Path, int, int, list[dict[str, Any]]]]:
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
def _second(name: str, python: str) -> Iterator[Second]:
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


def _of_folder(reader: Reader, path: Path, trusted: Trusted) -> Iterator[tuple[Path, int, int, list[dict[str, Any]]]]:
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in _PHOTOS)
    if not files:
        raise DataError(f"{path}: no labels.jsonl and no photos")
    for file, reading in zip(files, reader.read_many(files), strict=True):
        if reading.error:
            print(f"left out: {reading.error}", file=sys.stderr)
            continue
        words = [_word(np.array(word.polygon), word if trusted(word) else None) for word in reading.words]
        yield file, reading.width, reading.height, words


def _check(options: argparse.Namespace) -> None:
    """Options that contradict each other, before anything is written; DataError names them."""
    inputs = [path.resolve() for path in options.inputs]
    if options.output.resolve() in inputs:
        raise DataError(f"{options.output}: is an input, too; its labels would be lost")
    if options.agree:
        plain = [path for path in options.inputs if not (path / "labels.jsonl").is_file()]
        if plain:
            raise DataError(f"{plain[0]}: no labels.jsonl; --agree reads the places of labelled sets")
        if options.min_confidence is not None or options.min_length is not None:
            raise DataError("--min-confidence, --min-length: --agree has a rule of its own")
    elif options.dont_care or options.python:
        raise DataError(f"{'--dont-care' if options.dont_care else '--python'}: needs --agree")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", type=Path, nargs="+", help="sets of labelled photos, or folders of photos")
    parser.add_argument("--output", type=Path, required=True, help="folder of the new labels.jsonl")
    parser.add_argument("--min-confidence", type=float, help="without --agree; default 0.9")
    parser.add_argument(
        "--min-length",
        type=int,
        help="letters and digits; on less, a reading may be of anything; without --agree; default 3",
    )
    parser.add_argument(
        "--agree", choices=("rapidocr", "tesseract", "easyocr"), help="label what this system reads, too, by its rule"
    )
    parser.add_argument("--python", metavar="PATH", help="the Python in which that system is installed; default: this")
    parser.add_argument("--dont-care", action="store_true", help="with --agree: read don't-care regions, too")
    options = parser.parse_args(arguments)
    try:
        _check(options)
        reader = Reader()
        trusted = partial(
            _trusted,
            least=0.9 if options.min_confidence is None else options.min_confidence,
            length=3 if options.min_length is None else options.min_length,
        )
        kept: Counter[str] = Counter()
        target = options.output / "labels.jsonl"
        with ExitStack() as stack:
            python = options.python or sys.executable
            second = stack.enter_context(_second(options.agree, python)) if options.agree else None
            of_set = partial(_of_set, second=second, dont_care=options.dont_care)
            options.output.mkdir(parents=True, exist_ok=True)
            partly = target.with_suffix(".partial")
            file = stack.enter_context(partly.open("w", encoding="utf-8"))
            for path in options.inputs:
                rows = of_set if (path / "labels.jsonl").is_file() else _of_folder
                for image, width, height, words in rows(reader, path, trusted):
                    labelled = [word for word in words if not word["ignore"]]
                    kept.update(word["script"] for word in labelled)
                    if labelled:
                        row = {"image": str(image.resolve()), "width": width, "height": height, "level": "word"}
                        file.write(json.dumps({**row, "split": "train", "words": words}, ensure_ascii=False) + "\n")
        partly.replace(target)
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{sum(kept.values())} words: " + ", ".join(f"{count} {script}" for script, count in kept.most_common()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
