"""Measure how videos are read: each sign once, texts right, and how fast, on videos that are made for it.

    python scripts/benchmark_video.py signs [--videos 24] [--seed 0]      # drawn boards, truth known
    python scripts/benchmark_video.py photos --set DIR [--split val]      # a camera moves over labelled photos
    python scripts/benchmark_video.py speed [--seconds 20]                # times real time at 2 frames a second

signs   eight kinds of videos: a pan, a zoom, a way there and back, a bus that hides the sign, two signs that say the
        same side by side, signs that say the same far apart, boards near and far that move apart, a hand that shakes
photos  each photo panned and zoomed over as a video; words are compared with the labels and with what the reader
        says of the photo itself
speed   1280 x 720 at 25 frames a second; use an idle machine
"""

from __future__ import annotations

import argparse
import platform
import statistics
from pathlib import Path

import torch

from signboard.benchmarking import videos
from signboard.memory import settle_memory
from signboard.training.adapters import load_scenes


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", choices=("signs", "photos", "speed"))
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--photos", type=int, help="at most so many photos of the set")
    parser.add_argument("--set", type=Path, help="a labelled set of photos")
    parser.add_argument("--split", default="val")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of torch")
    parser.add_argument("--keep", type=Path, help="a folder that the made videos are kept in")
    parser.add_argument("--verbose", action="store_true", help="photos: also the words that differ")
    options = parser.parse_args()
    if options.measure == "photos" and options.set is None:
        parser.error("photos needs --set DIR")
    if options.threads:
        torch.set_num_threads(options.threads)
    settle_memory("auto", "auto")
    from signboard.reader import Reader

    reader = Reader()
    if options.measure == "signs":
        print(videos.sign_table(videos.measure_signs(reader, options.videos, options.seed, options.keep)))
    elif options.measure == "photos":
        scenes = load_scenes(options.set, options.split)[: options.photos]
        total = videos.WordCount()
        for name, words in videos.measure_photos(reader, scenes, options.seed):
            total += words
            if options.verbose:
                print(name, "labels but not video:", words.lost, "video alone:", words.new, flush=True)
        print(f"{len(scenes)} photos, {total}")
    else:
        paces = []
        for pace in videos.measure_speed(reader, options.seconds, options.rounds, options.seed):
            print(pace, flush=True)
            paces.append(pace.video / pace.wall)
        threads = torch.get_num_threads()
        print(f"median {statistics.median(paces):.2f} x real time, {threads} threads, {platform.processor()}")


if __name__ == "__main__":
    main()
