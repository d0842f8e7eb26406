"""Opens damaged photos of many formats: each must give a photo or one clear error, in bounded time and memory.

    python scripts/fuzz_photos.py --count 100000 --seed 1

Two kinds take turns: files whose bytes were changed at random, and whole pictures with metadata of every type in every
tag, which must always be read. What goes wrong is written to a folder, with the seed that makes it again. A crash or a
hang of a decoder ends a process of its own, not this one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from signboard.checks.opening import Outcomes, check_cases


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="cases in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chunk", type=int, default=2000, help="cases of one process")
    parser.add_argument("--folder", type=Path, default=Path("runs/fuzz"), help="where files that fail go")
    parser.add_argument("--here", action="store_true", help="check --count cases in this process")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.here:
        print(json.dumps(vars(check_cases(args.seed, args.count, args.folder))))
        return
    found, died, begin = Outcomes(), 0, time.monotonic()
    for index, start in enumerate(range(0, args.count, args.chunk)):
        size = min(args.chunk, args.count - start)
        seed = args.seed * 1_000_003 + index
        command = [sys.executable, __file__, "--here", "--seed", str(seed), "--count", str(size)]
        done = subprocess.run([*command, "--folder", str(args.folder)], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            died += 1
            print(f"seed {seed}: died ({done.returncode}); the file is {args.folder}/now-{seed}", file=sys.stderr)
            continue
        found.add(Outcomes(**json.loads(done.stdout.splitlines()[-1])))
        print(f"{start + size} of {args.count}, {found.bad} bad, {died} died", file=sys.stderr)
    for outcome, number in found.counts.most_common(30):
        print(f"{number:8}  {outcome}")
    seconds = time.monotonic() - begin
    print(f"{args.count} cases in {seconds:.0f} s, {found.bad} bad, {died} died, {found.memory / 1024:.0f} MB at most")
    sys.exit(1 if found.bad or died else 0)


if __name__ == "__main__":
    main()
