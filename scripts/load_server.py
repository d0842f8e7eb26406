"""Load a server with photos: are all answers right and their own, how long do they take, does memory stay flat?

    python scripts/load_server.py load [--photos DIR] [--clients 8] [--count 400] [--json out.json]
    python scripts/load_server.py figures [--photos DIR] [--rounds 3] [--json out.json]

load     clients that each send one photo after another, every tenth of them broken. Every answer is compared with what
         `Reader.read` says of the same photo: its text, its places and its confidences.
figures  answers for one photo on loopback beside `Reader.read`, photo by photo in turn, in seconds and in processor
         seconds; and photos a second of several clients beside `read_many`. The server is a process of its own that
         sleeps while the reader is timed.

Without --photos the sample signs of data/samples are used, each at several sizes. Photos are sent at --size pixels, as
JPEG. The server is started and stopped by this script. Figures need an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from signboard.benchmarking import serving
from signboard.benchmarking.memory import resident
from signboard.errors import DataError
from signboard.memory import settle_memory

SAMPLES = Path(__file__).parents[1] / "data" / "samples"


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("load", "figures"))
    parser.add_argument("--photos", type=Path, default=SAMPLES, help="a folder of photos; the sample signs by default")
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))), default=(1280, 720))
    parser.add_argument("--different", type=int, default=40, help="how many different photos")
    parser.add_argument("--count", type=int, default=400, help="photos that are sent")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    parser.add_argument(
        "--server", nargs=argparse.REMAINDER, default=[], help="options for signboard serve, after all others"
    )
    options = parser.parse_args()
    try:
        photos = serving.pictures(options.photos, options.size, options.different)
    except DataError as error:
        parser.error(str(error))
    settle_memory()
    from signboard.reader import Reader

    reader: Reader | None = Reader(translate=True)
    if options.part == "load":
        sent = serving.with_broken(photos, options.count)
        expected = serving.expected_rows(reader, sent)
        reader = None  # its memory is the server's now
    with serving.server(*options.server) as (process, url):
        clients = [serving.Client(url) for _ in range(options.clients)]
        if options.part == "load":
            result = serving.load(clients, sent, expected, lambda: resident(process))
        else:
            result = {"photos": len(photos), "clients": len(clients)}
            busy = lambda: serving.processor_seconds(process)  # noqa: E731
            result |= serving.latency(reader, clients[0], photos, busy, options.rounds)
            result |= serving.throughput(reader, clients, photos, options.rounds)
    result["machine"] = f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    if result.get("wrong"):
        sys.exit(1)


if __name__ == "__main__":
    main()
