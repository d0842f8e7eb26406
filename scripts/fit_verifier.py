"""Fit how the detector and the recogniser decide together what is a word, and write it into the recogniser's card.

    python scripts/fit_verifier.py --set DIR [DIR ...] [--split train] [--limit N] [--candidates 0.69]

Run it after either network was trained (--weights-detector, --weights-recognizer), on photos on which every word is
labelled. Photos that neither network was trained on are best, where there are enough that nothing else is measured on.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

from signboard.errors import SignboardError
from signboard.pipeline.mending.verification import Verifier
from signboard.progress import tracked
from signboard.reader import Reader
from signboard.training.adapters import load_scenes
from signboard.training.verification import Place, accept_all, fit_verifier, places
from signboard.weights import WEIGHTS_FOLDER, load_card, save_card


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, nargs="+", required=True, help="folders of labelled photos")
    parser.add_argument("--split", default="train")
    parser.add_argument("--limit", type=int, default=200, help="at most so many photos of each set, drawn by chance")
    parser.add_argument("--candidates", type=float, default=0.69, help="read places from this detection score on")
    parser.add_argument("--weights-detector", type=Path, default=WEIGHTS_FOLDER / "detector.json")
    parser.add_argument("--weights-recognizer", type=Path, default=WEIGHTS_FOLDER / "recognizer.json")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--dry-run", action="store_true", help="print the section, write nothing")
    options = parser.parse_args(arguments)
    try:
        verifier = _fit(options)
        card = load_card(options.weights_recognizer, "recognizer")
        card["verifier"] = verifier.to_card(load_card(options.weights_detector, "detector"))
        print(json.dumps(card["verifier"], indent=2))
        if not options.dry_run:
            save_card(options.weights_recognizer, card)
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _fit(options: argparse.Namespace) -> Verifier:
    reader = Reader(
        device=options.device,
        precision=options.precision,
        detector=options.weights_detector,
        recognizer=options.weights_recognizer,
        verifier=accept_all(options.candidates),
    )
    found: list[list[Place]] = []
    for folder in options.set:
        started = time.perf_counter()
        samples = load_scenes(folder, options.split)
        random.Random(0).shuffle(samples)
        found.append(places(reader, tracked(samples[: options.limit])))
        print(
            f"{folder}: {len(found[-1])} places, {sum(place.word for place in found[-1])} of them words, "
            f"{time.perf_counter() - started:.0f} s"
        )
    return fit_verifier(found, options.candidates)


if __name__ == "__main__":
    sys.exit(main())
