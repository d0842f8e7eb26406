"""How many crops and scenes one core makes: `python -m signboard.synthesis.benchmark FONTS`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2

from signboard.errors import SignboardError

from .fonts import FontLibrary
from .synthesizer import Synthesizer


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` samples in `wall` seconds of the clock, `cpu` seconds of this process."""

    count: int
    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.count / self.wall:.1f}/s by the clock, {self.count / self.cpu:.1f}/s of CPU time"


def measure(make: Callable[[int], object], count: int, warm: int) -> Rate:
    """Times `make(index)` for `count` indices after `warm` others."""
    for index in range(warm):
        make(index)
    wall, cpu = time.perf_counter(), time.process_time()
    for index in range(warm, warm + count):
        make(index)
    return Rate(count, time.perf_counter() - wall, time.process_time() - cpu)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m signboard.synthesis.benchmark", description=__doc__)
    parser.add_argument("fonts", help="folder of typefaces (see scripts/fetch_fonts.py)")
    parser.add_argument("--crops", type=int, default=2000)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--size", type=int, default=640, help="scene's side in pixels")
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        synthesizer = Synthesizer(FontLibrary.from_folder(args.fonts))
    except SignboardError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"word crops: {measure(synthesizer.crop, args.crops, max(1, args.crops // 5))}")
    print(f"scenes of {args.size} px: {measure(lambda i: synthesizer.scene(i, args.size), args.scenes, 5)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
