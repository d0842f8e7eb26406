"""Measure, on photos, the ranges of the networks' maps and write them into the cards: both then run in bytes (int8).

    python scripts/quantize.py --set DIR [DIR ...] [--split train] [--number 40]
    python scripts/quantize.py --set DIR --weights-detector my/detector.json --weights-recognizer my/recognizer.json

Run it after either network was trained, on labelled photos like those to be read. On processors with products of bytes
(VNNI) int8 takes half the time of bfloat16 and a quarter of float32's. Networks on ResNets can be computed so; of
others the card is left as it is.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from signboard.detection import Detector
from signboard.detection.int8 import has_bytes as detector_has_bytes
from signboard.errors import SignboardError
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
    try:
        detector = Detector.load(options.weights_detector)
        recognizer = Recognizer.load(options.weights_recognizer, language=False)
        if not detector_has_bytes(detector.network):
            print(f"{options.weights_detector}: not on a ResNet with detail, left as it is")
        else:
            photos = drawn_photos(options.set, options.split, options.number)
            started = time.perf_counter()
            _write(options.weights_detector, "detector", detector_ranges(detector, photos), options.dry_run)
            print(f"{options.weights_detector}: {len(photos)} photos, {time.perf_counter() - started:.0f} s")
        if not recognizer_has_bytes(recognizer.network):
            print(f"{options.weights_recognizer}: not on a ResNet, left as it is")
        else:
            crops = drawn_crops(options.set, options.split, options.number)
            started = time.perf_counter()
            _write(options.weights_recognizer, "recognizer", recognizer_ranges(recognizer, crops), options.dry_run)
            print(f"{options.weights_recognizer}: {len(crops)} words, {time.perf_counter() - started:.0f} s")
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _write(path: Path, kind: str, table: dict[str, Any], dry_run: bool) -> None:
    if dry_run:
        for name, (low, high) in table.items():
            print(f"{name:<20} {low:10.3f} {high:10.3f}")
        return
    save_card(path, {**load_card(path, kind), "ranges": table})


if __name__ == "__main__":
    sys.exit(main())
