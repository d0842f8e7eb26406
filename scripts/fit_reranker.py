"""Fit how the readings of an unsure crop are weighed, and write it into the recogniser's card.

    python scripts/fit_reranker.py --set DIR [DIR ...] [--split val] [--limit N] [--left-out]

Run it after the recogniser or the language model was trained, on labelled words, or on photos with labelled words.
Take such that the recogniser was not trained on: those it knows by heart tell little of unsure ones. `--left-out` says
for each set how many words are right when the others alone are fitted to.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

from signboard.devices import choose_device
from signboard.errors import SignboardError
from signboard.progress import tracked
from signboard.recognition import Recognizer
from signboard.recognition.reranking import Reranker
from signboard.training.reranking import Example, examples, fit_reranker, labelled_crops
from signboard.weights import WEIGHTS_FOLDER, load_card, save_card


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, nargs="+", required=True, help="folders of labelled words or photos")
    parser.add_argument("--split", help="only this split of each set")
    parser.add_argument("--limit", type=int, help="at most so many words of each set, drawn by chance")
    parser.add_argument("--weights", type=Path, default=WEIGHTS_FOLDER / "recognizer.json")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--left-out", action="store_true", help="fit once more for each set, to the others")
    parser.add_argument("--dry-run", action="store_true", help="print the section, write nothing")
    options = parser.parse_args(arguments)
    try:
        found = _examples(options)
        if options.left_out:
            for name, some in found.items():
                others = fit_reranker([e for other, more in found.items() if other != name for e in more])
                before = sum(e.right[e.candidates.own] for e in some if e.candidates.own is not None)
                print(f"{name}: {before} of {len(some)} right before, {_right(others, some)} fitted to the other sets")
        reranker = fit_reranker([example for some in found.values() for example in some])
        for name, some in found.items():
            print(f"{name}: {_right(reranker, some)} of {len(some)} right, fitted to all sets")
        print(json.dumps(reranker.to_card(), indent=2))
        if not options.dry_run:
            save_card(options.weights, {**load_card(options.weights, "recognizer"), "reranker": reranker.to_card()})
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _right(reranker: Reranker, some: list[Example]) -> int:
    """How many of the crops the model reads right."""
    chosen = [(example, reranker.best(example.candidates)[0]) for example in some]
    return sum(example.right[k] for example, k in chosen if k is not None)


def _examples(options: argparse.Namespace) -> dict[str, list[Example]]:
    recognizer = Recognizer.load(options.weights, device=choose_device(options.device), precision=options.precision)
    found: dict[str, list[Example]] = {}
    for folder in options.set:
        started = time.perf_counter()
        crops = list(labelled_crops(folder, options.split))
        random.Random(0).shuffle(crops)
        found[str(folder)] = examples(recognizer, tracked(crops[: options.limit]))
        print(
            f"{folder}: {len(crops[: options.limit])} words, {len(found[str(folder)])} unsure, the right text among "
            f"the candidates of {sum(any(e.right) for e in found[str(folder)])}, {time.perf_counter() - started:.0f} s"
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
