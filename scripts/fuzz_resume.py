"""Kills runs at random moments and lets --resume go on: in the end every photo must be in the output exactly once.

    python scripts/fuzz_resume.py --kills 10

Each format in turn, with a reader that knows no networks: see `signboard.checks.resuming`.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from signboard.checks.outputs import FORMATS
from signboard.checks.resuming import killed_and_resumed


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10, help="of each format")
    parser.add_argument("--count", type=int, default=80, help="photos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    failed = 0
    for name in args.formats:
        with tempfile.TemporaryDirectory() as folder:
            try:
                middle, photos = killed_and_resumed(name, Path(folder), count=args.count, kills=args.kills, rng=rng)
            except AssertionError as error:
                failed += 1
                print(f"{name:10} FAILED: {error}")
            else:
                print(f"{name:10} {args.kills} kills, {middle} in the middle of a run; {photos} photos, each once")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
