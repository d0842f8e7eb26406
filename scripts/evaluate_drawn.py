"""Score the whole reader on pictures drawn for the purpose, whose truth is known: a line a kind on stdout.

    python scripts/evaluate_drawn.py numbers walls upside-down words [--fonts fonts] [--mistakes out.jsonl]

numbers      prices, phone numbers, PINs, times, number plates, dates and distances in digits of both scripts
walls        facades, fences, tiles, bricks, grilles, keyboards and the like that say nothing: right is to read nothing
upside-down  boards the right way up, upside down, and on either side
words        words that fill their picture, without a margin
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from signboard.checks.drawn import KINDS, pictures, score
from signboard.errors import SignboardError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="+", choices=KINDS)
    parser.add_argument("--fonts", type=Path, default=Path("fonts"), help="typefaces, see scripts/fetch_fonts.py")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=18, help="pictures of each number and script; three times walls")
    parser.add_argument("--without", nargs="*", default=[], metavar="STEP", help="mending steps to leave out")
    parser.add_argument("--mistakes", type=Path, help="write every mistake here, one JSON object a line")
    args = parser.parse_args(arguments)
    from signboard import Reader

    mistakes = []
    try:
        reader = Reader(without=args.without)
        print("| pictures | about | right | of |\n| --- | --- | --- | --- |")
        for name in args.kinds:
            started = time.perf_counter()
            drawn = pictures(name, args.fonts, args.seed, args.count)
            found = score(name, drawn, lambda picture: reader.read(picture).text)
            print(found.table(name))
            mistakes += found.mistakes
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    except SignboardError as error:
        print(error, file=sys.stderr)
        return 1
    if args.mistakes:
        lines = [json.dumps(mistake, ensure_ascii=False) + "\n" for mistake in mistakes]
        args.mistakes.write_text("".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
