"""Compare `signboard` with RapidOCR, Tesseract and EasyOCR on labelled photos: same photos, threads and scorer.

Installs nothing: systems that cannot be imported are named and left out. Each system runs in a process of its own, and
every photo is read by all of them in turn, so that a busy machine slows all alike. Pixels are decoded before the clock
starts. The readings of systems that return lines are cut into words at white space, in proportion to the number of
characters, before they are scored; that favours them.

    python scripts/compare.py --set DIR [--set DIR ...] [--split val] [--threads 2] [--json out.json]

A system that lives in another environment: --python rapidocr=/path/to/python.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from signboard.errors import SignboardError
from signboard.training.peer_systems import SYSTEMS
from signboard.training.peers import compare_set, start_workers, table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--set", type=Path, action="append", dest="sets", required=True, help="may be repeated")
    parser.add_argument("--split", choices=("train", "val", "test"), help="only this split")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="which to run, separated by commas")
    parser.add_argument("--python", action="append", default=[], metavar="SYSTEM=PATH", help="interpreter of a system")
    parser.add_argument("--threads", type=int, default=2, help="processor threads for each (default 2)")
    parser.add_argument("--limit", type=int, help="only the first photos (or words) of a set")
    parser.add_argument("--tesseract-languages", default="hin+eng")
    parser.add_argument("--easyocr-languages", default="hi+en")
    parser.add_argument("--weights-detector", help="card of a detector, instead of the shipped one")
    parser.add_argument("--weights-recognizer", help="card of a recogniser, instead of the shipped one")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--verbose", action="store_true", help="show what the systems print")
    args = parser.parse_args(arguments)
    names = args.systems.split(",")
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown or args.threads < 1:
        parser.error(f"unknown system {unknown[0]!r}" if unknown else "--threads must be at least 1")
    pythons = dict(item.split("=", 1) for item in args.python if "=" in item)
    if len(pythons) != len(args.python) or set(pythons) - set(SYSTEMS):
        parser.error("--python takes SYSTEM=PATH")

    weights = {"detector": args.weights_detector, "recognizer": args.weights_recognizer}
    options = {
        "weights": {key: value for key, value in weights.items() if value},
        "tesseract_languages": args.tesseract_languages,
        "easyocr_languages": args.easyocr_languages,
        "verbose": args.verbose,
    }
    workers = start_workers(names, args.threads, pythons, options)
    if not workers:
        print("none of the systems is installed here", file=sys.stderr)
        return 1
    results: list[dict[str, Any]] = []
    try:
        for path in args.sets:
            results += compare_set(path, args.split, workers, args.limit)
    except SignboardError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        for worker in workers:
            worker.close()
    print(table(results))
    if args.json:
        args.json.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
