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
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from signboard.errors import DataError, SignboardError
from signboard.reader import Reader
from signboard.training.pseudo_labels import second_system, sure, write_labels


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
    least = 0.9 if options.min_confidence is None else options.min_confidence
    length = 3 if options.min_length is None else options.min_length
    try:
        _check(options)
        with ExitStack() as stack:
            reader = Reader()
            second = None
            if options.agree:
                second = stack.enter_context(second_system(options.agree, options.python or sys.executable))
            trusted = partial(sure, least=least, length=length)
            kept = write_labels(
                reader, options.inputs, options.output, trusted, second=second, dont_care=options.dont_care
            )
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{sum(kept.values())} words: " + ", ".join(f"{count} {script}" for script, count in kept.most_common()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
