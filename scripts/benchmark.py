"""Measure signboard: start-up, stages, one by one against batches, memory, and the ratio to other programs.

    python scripts/benchmark.py --photos DIR [--parts startup,stages,batch,memory] [--json out.json]
    python scripts/benchmark.py --photos DIR --parts soak --soak-photos 2000
    python scripts/benchmark.py --set DIR --parts peers [--python rapidocr=/path/to/python]

startup  CPU time of `signboard --help` beyond the interpreter's, and `signboard run` on one photo in a new process
stages   seconds a photo in each stage, one photo at a time; what the stages leave unexplained is "other"; the time
         outside the networks, and how much of the photo's area the detector's network sees
batch    photos a second with read_many against read in a loop, taken in turn, and whether both read the same; with
         --processes also with several processes
memory   peak of a process that reads 12-megapixel photos
soak     memory while thousands of photos of mixed sizes stream through
peers    seconds a photo and accuracy beside RapidOCR and others, taken in turn (needs a labelled --set), with one
         thread and with two

Every part runs in a process of its own. Figures are medians over rounds. Use an idle machine: shares and ratios of
things that ran in turn survive a busy one, seconds do not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from signboard.benchmarking import options as of
from signboard.benchmarking.parts import PARTS, measure


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    default = of.SpeedOptions()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--photos", type=Path, action="append", default=[], help="file or folder; may be repeated")
    add("--set", action="append", default=[], dest="sets", help="labelled set for peers")
    add("--split", choices=("train", "val", "test"))
    add("--parts", type=of.names, default=PARTS[:4], help=f"of {', '.join(PARTS)}")
    add("--count", type=of.number, default=default.count, help="photos in each round (default 64)")
    add("--rounds", type=of.number, default=default.rounds)
    add("--threads", type=of.number, default=default.threads, help="processor threads")
    add("--peer-threads", type=of.numbers, default=default.peer_threads, help="beside peers (default 1,2)")
    add("--device", default=default.device, help="cpu (default), cuda, mps or auto")
    add("--precision", default=default.precision, help="as in signboard run")
    add("--batch-size", type=of.number_or_auto, default=default.batch_size, help="a number or auto")
    add("--workers", type=of.number, help="threads that open photos")
    add("--processes", type=of.number, default=default.processes, help="of the part batch, beside one process")
    add("--soak-photos", type=of.number, default=default.soak_photos)
    add("--systems", type=of.names, default=default.systems, help="for peers, separated by commas")
    add("--python", type=of.setting, action="append", default=[], dest="pythons", metavar="SYSTEM=PATH",
        help="interpreter of a system")  # fmt: skip
    add("--weights-detector", metavar="CARD", help="instead of the shipped one; not for startup")
    add("--weights-recognizer", metavar="CARD", help="instead of the shipped one; not for startup")
    add("--json", type=Path, help="write all figures here")
    given = vars(parser.parse_args(arguments))
    parts, target = given.pop("parts"), given.pop("json")
    weights = {name: given.pop(f"weights_{name}") for name in ("detector", "recognizer")}
    given |= {"weights": {key: value for key, value in weights.items() if value}, "pythons": dict(given["pythons"])}
    options = of.SpeedOptions(**given | {"photos": of.find_photos(given["photos"], given["count"])})
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--parts {unknown.pop()}: must be of {', '.join(PARTS)}")
    if "peers" in parts and not options.sets:
        parser.error("peers needs a labelled --set")
    if not options.photos and set(parts) - {"peers"}:
        parser.error("no photos; name a file or folder with --photos")
    if missing := [photo for photo in options.photos if not Path(photo).is_file()]:
        parser.error(f"{missing[0]}: no such photo")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {options.threads} threads, {options.device}"
    print(f"{machine}\n")
    figures = dict(measure(parts, options))
    if target:
        found = {part: value for part, value in figures.items() if value is not None}
        text = json.dumps({"machine": machine, "command": " ".join(sys.argv), **found}, indent=2, ensure_ascii=False)
        target.write_text(text + "\n", encoding="utf-8")
    return int(None in figures.values())


if __name__ == "__main__":
    sys.exit(main())
