"""Measure, on photos, the ranges of the networks' maps and write them into the cards: both then run in bytes (int8).

    python scripts/quantize.py --set DIR [DIR ...] [--split train] [--number 40]
    python scripts/quantize.py --set DIR --weights-detector my/detector.json --weights-recognizer my/recognizer.json

Run it after either network was trained, on labelled photos like those to be read. On x86 processors with AVX2
convolutions take a quarter to two fifths of float32's time in int8, the products of attention layers a quarter.
Networks on ResNets can be computed so; of others the card is left as it is.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from signboard.detection import Detector
from signboard.detection.int8 import has_bytes as detector_has_bytes
from signboard.errors import SignboardError
from signboard.progress import tracked
from signboard.recognition import Recognizer
from signboard.recognition.int8 import has_bytes as recognizer_has_bytes
from signboard.training.quantizing import detector_ranges, drawn_crops, drawn_photos, recognizer_ranges
from signboard.weights import WEIGHTS_FOLDER, load_card, save_card


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, nargs="+", required=True, help="folders of labelled photos")
    parser.add_argument("--split", default="train")
    parser.add_argument("--number", type=int, default=40, help="photos, and words, of each set (default 40)")
    parser.add_argument("--weights-detector", type=Path, default=WEIGHTS_FOLDER / "detector.json")
    parser.add_argument("--weights-recognizer", type=Path, default=WEIGHTS_FOLDER / "recognizer.json")
    parser.add_argument("--dry-run", action="store_true", help="print, write nothing")
    options = parser.parse_args(arguments)
    if options.number < 1:
        parser.error(f"--number {options.number}: must be 1 or more")
    paths = {"detector": options.weights_detector, "recognizer": options.weights_recognizer}
    try:
        tables = _measure(paths, options)
        for kind, table in tables.items():
            card = load_card(paths[kind], kind)
            if not options.dry_run:
                save_card(paths[kind], {**card, "ranges": table, "ranges_of": card["sha256"]})
                continue
            for name, (low, high) in table.items():
                print(f"{kind:<12} {name:<20} {low:10.3f} {high:10.3f}")
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _measure(paths: dict[str, Path], options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """The ranges of both networks' maps; without the networks that cannot be computed in bytes."""
    detector = Detector.load(paths["detector"])
    recognizer = Recognizer.load(paths["recognizer"], language=False)
    tables = {}
    started = time.perf_counter()
    if detector_has_bytes(detector.network):
        photos = drawn_photos(options.set, options.split, options.number)
        tables["detector"] = detector_ranges(detector, tracked(photos))
        print(f"{paths['detector']}: {len(photos)} photos, {time.perf_counter() - started:.0f} s")
    else:
        print(f"{paths['detector']}: not on a ResNet with the picture's detail, left as it is")
    started = time.perf_counter()
    if recognizer_has_bytes(recognizer.network):
        crops = drawn_crops(options.set, options.split, options.number)
        tables["recognizer"] = recognizer_ranges(recognizer, tracked(crops, "words"))
        print(f"{paths['recognizer']}: {len(crops)} words, {time.perf_counter() - started:.0f} s")
    else:
        print(f"{paths['recognizer']}: not on a ResNet, left as it is")
    return tables


if __name__ == "__main__":
    sys.exit(main())
