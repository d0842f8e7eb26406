"""Score the weights on labelled sets: detection, words, end to end; a Markdown table on stdout, JSON on request.

    python scripts/evaluate.py all --set DIR [--set DIR ...] [--split val] [--json out.json] [--mistakes out.jsonl]

detection   the detector alone on photos: IoU > 0.5, one to one, don't-care regions (the ICDAR 2015 protocol)
words       the recogniser alone on word crops; for a set of photos, on crops along the label polygons
end-to-end  the whole reader on photos: IoU > 0.5 and the same letters and digits; and a bag of words per photo
all         each of these that a set's labels allow
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from signboard.errors import SignboardError
from signboard.progress import tracked
from signboard.training.adapters import SceneSample, load_scenes, load_words
from signboard.training.evaluation import (
    ReadWord,
    SceneReport,
    WordReport,
    detection_table,
    end_to_end_table,
    is_word_set,
    mistakes_json,
    read_labelled,
    report_json,
    scene_crops,
    score_detection,
    score_photos,
    score_words,
    word_table,
)

if TYPE_CHECKING:
    import torch


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", choices=("detection", "words", "end-to-end", "all"))
    parser.add_argument("--set", type=Path, action="append", dest="sets", required=True, help="may be repeated")
    parser.add_argument("--split", choices=("train", "val", "test"), help="only this split of each set")
    parser.add_argument("--form", default="auto", help="form of the labels when it cannot be seen: see data/README.md")
    parser.add_argument("--weights-detector", type=Path, help="card of a detector, instead of the shipped one")
    parser.add_argument("--weights-recognizer", type=Path, help="card of a recogniser, instead of the shipped one")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default auto)")
    parser.add_argument("--precision", default="auto", help="auto (what is fastest), fp32, bf16, fp16 or int8")
    parser.add_argument("--threads", type=int, help="processor threads")
    parser.add_argument(
        "--min-confidence", type=float, help="end to end: leave out less confident words; default: the card's"
    )
    parser.add_argument(
        "--without", nargs="*", default=[], metavar="STEP", help="end to end: mending steps to leave out"
    )
    parser.add_argument("--limit", type=int, help="only the first photos or words of each set")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--mistakes", type=Path, help="write every mistake here, one JSON object a line")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when every set was scored, 1 when one could not be."""
    args = parse(arguments)
    started = time.perf_counter()
    try:
        reports = evaluate(args)
    except SignboardError as error:
        print(error, file=sys.stderr)
        return 1
    titles = {"detection": "Detection", "end_to_end": "End to end", "words": "Words"}
    tables = {"detection": detection_table, "end_to_end": end_to_end_table, "words": word_table}
    for kind, title in titles.items():
        if reports[kind]:
            print(f"### {title}\n\n{tables[kind](reports[kind])}\n")  # type: ignore[operator]
    if args.json:
        command = " ".join(["scripts/evaluate.py", *(sys.argv[1:] if arguments is None else arguments)])
        figures: dict[str, Any] = {"command": command, "seconds": round(time.perf_counter() - started, 1)}
        figures |= {kind: [report_json(report) for report in found] for kind, found in reports.items() if found}
        args.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if args.mistakes:
        with args.mistakes.open("w", encoding="utf-8") as stream:
            for report in [report for found in reports.values() for report in found]:
                for mistake in mistakes_json(report):
                    stream.write(json.dumps(mistake, ensure_ascii=False) + "\n")
    return 0


def evaluate(args: argparse.Namespace) -> dict[str, list[SceneReport] | list[WordReport]]:
    """The reports asked for, by kind: "detection", "end_to_end", "words"."""
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    from signboard.devices import choose_device

    device = choose_device(args.device)
    detection: list[SceneReport] = []
    end_to_end: list[SceneReport] = []
    words: list[WordReport] = []
    wanted = {"detection", "end-to-end", "words"} if args.measure == "all" else {args.measure}

    # Labels are read before any network is loaded: a mistake in the command shows at once.
    sets: list[tuple[str, bool, list[Any]]] = []
    for path in args.sets:
        crops = is_word_set(path)
        load = load_words if crops else load_scenes
        samples: list[Any] = list(load(path, args.split, args.form))[: args.limit]
        sets.append((samples[0].source + (f" {args.split}" if args.split else ""), crops, samples))
    if "words" not in wanted and any(crops for _, crops, _ in sets):
        raise SignboardError(f"{args.measure} needs photos, and one of the sets holds word crops")

    detector = recognizer = reader = None
    for name, crops, samples in sets:
        if not crops and "detection" in wanted:
            detector = detector or _detector(args.weights_detector, device, args.precision)
            found = tracked(samples)
            detection.append(score_detection(detector.detect, found, source=name))
        if not crops and "end-to-end" in wanted:
            reader = reader or _reader(args, str(device))
            read = _photo_reader(reader)
            end_to_end.append(score_photos(read, tracked(samples), source=name))
        if "words" in wanted and (crops or _has_words(samples)):
            recognizer = recognizer or _recognizer(args.weights_recognizer, device, args.precision)
            items = tracked(samples, "words" if crops else "photos")
            cut = items if crops else scene_crops(items)
            words.append(score_words(recognizer.read_crops, cut, source=name))
    return {"detection": detection, "end_to_end": end_to_end, "words": words}


def _has_words(scenes: Sequence[SceneSample]) -> bool:
    return any(word.text and not word.ignore for scene in scenes if scene.level == "word" for word in scene.words)


def _detector(card: Path | None, device: torch.device, precision: str) -> Any:
    from signboard.detection import Detector

    return Detector.load(card, device=device, precision=precision)


def _recognizer(card: Path | None, device: torch.device, precision: str) -> Any:
    from signboard.recognition import Recognizer

    return Recognizer.load(card, device=device, precision=precision)


def _reader(args: argparse.Namespace, device: str) -> Any:
    from signboard.reader import Reader

    return Reader(
        device=device,
        precision=args.precision,
        min_confidence=args.min_confidence,
        detector=args.weights_detector,
        recognizer=args.weights_recognizer,
        without=args.without,
    )


def _photo_reader(reader: Any) -> Callable[[SceneSample], list[ReadWord]]:
    def read(sample: SceneSample) -> list[ReadWord]:
        words = read_labelled(reader, sample).words
        return [ReadWord(np.array(word.polygon), word.text, word.confidence) for word in words]

    return read


if __name__ == "__main__":
    sys.exit(main())
