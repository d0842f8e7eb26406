"""Write a set of synthetic signs: `python scripts/make_synthetic.py words|scenes --count N --output DIR --fonts DIR`.

The folder gets images/, labels.jsonl (the form that the training adapters read) and sheet.png, a contact sheet.
`--benchmark` writes nothing and prints how many samples a core makes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
from PIL import Image

from signboard.errors import SignboardError
from signboard.progress import tracked
from signboard.synthesis import FontLibrary, Lexicon, Scene, Synthesizer, WordCrop
from signboard.synthesis import benchmark as synthesis_benchmark
from signboard.synthesis.sheet import scene_sheet, word_sheet

_SHEET_WORDS, _SHEET_SCENES = 96, 16
_synthesizer: Synthesizer | None = None
_task: tuple[str, Path, int, str] = ("words", Path(), 640, "train")


def _start(synthesizer: Synthesizer, task: tuple[str, Path, int, str]) -> None:
    """Runs once in every worker."""
    global _synthesizer, _task
    _synthesizer, _task = synthesizer, task
    cv2.setNumThreads(1)


def _write(index: int) -> str:
    """Makes and saves sample `index`; returns its line of labels.jsonl."""
    assert _synthesizer is not None
    kind, folder, size, split = _task
    name = f"images/{index:07d}.webp"
    row: dict[str, object]
    if kind == "words":
        crop = _synthesizer.crop(index)
        picture = crop.image
        row = {"image": name, "text": crop.text, "split": split, "script": crop.script}
    else:
        scene = _synthesizer.scene(index, size)
        picture = scene.image
        words = [
            {
                "polygon": [[round(float(x), 1), round(float(y), 1)] for x, y in word.polygon],
                "text": word.text,
                "ignore": False,
                "script": word.script,
            }
            for word in scene.words
        ]
        row = {"image": name, "width": picture.shape[1], "height": picture.shape[0], "level": "word", "split": split}
        row["words"] = words
    Image.fromarray(picture).save(folder / name, quality=92, method=2)
    return json.dumps(row, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("words", "scenes"))
    parser.add_argument("--fonts", type=Path, required=True, help="folder of typefaces (see scripts/fetch_fonts.py)")
    parser.add_argument("--output", type=Path, help="folder to write; must be new or empty")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=640, help="side of a scene in pixels")
    parser.add_argument("--devanagari", type=float, default=0.5, help="share of words in Devanagari")
    parser.add_argument("--extra-words", type=Path, action="append", default=[], help="file of further words to print")
    parser.add_argument("--split", choices=("train", "val", "test"), default="train")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--benchmark", action="store_true", help="only measure the speed of one core")
    args = parser.parse_args(arguments)
    if args.benchmark:
        return synthesis_benchmark.main([str(args.fonts), "--size", str(args.size)])
    if args.output is None:
        parser.error("--output is needed")
    if args.count < 1 or args.workers < 1:
        parser.error("--count and --workers must be at least 1")
    if (args.output / "labels.jsonl").exists():
        print(f"{args.output}/labels.jsonl exists already: give a new folder", file=sys.stderr)
        return 1
    try:
        fonts = FontLibrary.from_folder(args.fonts)
        lexicon = Lexicon(extra_words=args.extra_words)
    except SignboardError as error:
        print(error, file=sys.stderr)
        return 1
    synthesizer = Synthesizer(fonts, lexicon, seed=args.seed, devanagari=args.devanagari)
    (args.output / "images").mkdir(parents=True, exist_ok=True)
    task = (args.kind, args.output, args.size, args.split)
    started = time.perf_counter()
    with (args.output / "labels.jsonl").open("w", encoding="utf-8") as labels:
        if args.workers == 1:
            _start(synthesizer, task)
            labels.writelines(tracked(map(_write, range(args.count)), args.kind, total=args.count))
        else:
            with multiprocessing.Pool(args.workers, _start, (synthesizer, task)) as pool:
                made = pool.imap(_write, range(args.count), chunksize=16)
                labels.writelines(tracked(made, args.kind, total=args.count))
    if args.kind == "words":
        crops: list[WordCrop] = [synthesizer.crop(i) for i in range(min(args.count, _SHEET_WORDS))]
        sheet = word_sheet(crops, fonts)
    else:
        scenes: list[Scene] = [synthesizer.scene(i, args.size) for i in range(min(args.count, _SHEET_SCENES))]
        sheet = scene_sheet(scenes)
    Image.fromarray(sheet).save(args.output / "sheet.png")
    print(f"{args.count} {args.kind} in {time.perf_counter() - started:.0f} s: {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
