"""Labels made by the program itself: words that it reads with high confidence, as further training data.

    python scripts/read_unlabelled.py SET_OR_FOLDER... --output DIR [--min-confidence 0.9] [--min-length 3]

A set of labelled photos gives its training words whose text is not known, at their labelled places; a folder of plain
photos gives every word that is found. The output is a set in the form of `labels.jsonl` that names the photos where
they lie; all else that was found or labelled on them is in it as don't-care. Name it under `scenes` in the
recogniser's config.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from signboard import Reader
from signboard.errors import DataError, SignboardError
from signboard.geometry import FloatArray
from signboard.reading import Word
from signboard.training.adapters import load_scenes, read_rgb
from signboard.training.metrics import normalize_text

Trusted = Callable[[Word], bool]
_PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


def _word(polygon: FloatArray, word: Word | None) -> dict[str, Any]:
    corners = [[round(float(x), 1), round(float(y), 1)] for x, y in polygon]
    if word is None:
        return {"polygon": corners, "text": "", "ignore": True}
    return {"polygon": corners, "text": word.text, "ignore": False, "script": word.script, "source": "signboard"}


def _trusted(word: Word, least: float, length: int) -> bool:
    return word.confidence >= least and len(normalize_text(word.text)) >= length


def _of_set(reader: Reader, path: Path, trusted: Trusted) -> Iterator[tuple[Path, int, int, list[dict[str, Any]]]]:
    for sample in load_scenes(path, "train"):
        unknown = [word for word in sample.words if word.text is None and not word.ignore and len(word.polygon) >= 4]
        if not unknown or sample.level != "word":
            continue
        read = reader.read_at(read_rgb(sample), [word.polygon for word in unknown])
        words = [_word(np.array(w.polygon), w if trusted(w) else None) for w in read]
        yield sample.image, sample.width, sample.height, words


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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", type=Path, nargs="+", help="sets of labelled photos, or folders of photos")
    parser.add_argument("--output", type=Path, required=True, help="folder of the new labels.jsonl")
    parser.add_argument("--min-confidence", type=float, default=0.9)
    parser.add_argument(
        "--min-length", type=int, default=3, help="letters and digits; on less, a reading may be of anything"
    )
    options = parser.parse_args(arguments)
    try:
        reader = Reader()
        trusted = partial(_trusted, least=options.min_confidence, length=options.min_length)
        options.output.mkdir(parents=True, exist_ok=True)
        kept: Counter[str] = Counter()
        with (options.output / "labels.jsonl").open("w", encoding="utf-8") as file:
            for path in options.inputs:
                rows = _of_set if (path / "labels.jsonl").is_file() else _of_folder
                for image, width, height, words in rows(reader, path, trusted):
                    labelled = [word for word in words if not word["ignore"]]
                    kept.update(word["script"] for word in labelled)
                    if labelled:
                        row = {"image": str(image.resolve()), "width": width, "height": height, "level": "word"}
                        file.write(json.dumps({**row, "split": "train", "words": words}, ensure_ascii=False) + "\n")
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{sum(kept.values())} words: " + ", ".join(f"{count} {script}" for script, count in kept.most_common()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
