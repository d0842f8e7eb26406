#!/usr/bin/env python
"""Trains the phrase translator on composed sign phrases and on pairs of files, and measures it on its dev split.

python scripts/train_translator.py --pairs FOLDER
python scripts/train_translator.py --evaluate --pairs FOLDER
python scripts/train_translator.py --calibrate tests/translation/sign_phrases*.tsv
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import torch

from signboard.errors import ConfigError
from signboard.training.commands import reported
from signboard.training.config import load_config
from signboard.training.sign_phrases import read_pairs
from signboard.training.translator_task import (
    TranslatorConfig,
    calibrate,
    choose_vocabulary,
    gather,
    measure,
    parted,
    prepare,
    save,
    sign_outcomes,
    train,
)
from signboard.translation.speaker import CARD, Speaker
from signboard.weights import load_card, save_card

ROOT = Path(__file__).resolve().parent.parent


def refit(card_path: Path, files: list[Path]) -> None:
    """Fits the card's confidence to phrases of signs: files of Hindi and right English, with a tab between."""
    rows = [row for file in files for row in read_pairs(file.parent, file.stem) if not row[0].startswith("#")]
    outcomes = sign_outcomes(Speaker.load(card_path), rows)
    card = load_card(card_path, "translator")
    names = ", ".join(sorted(file.name for file in files))
    card["calibration"] = calibrate(outcomes)
    card["calibrated_on"] = f"{len(outcomes)} phrases of {names} that the network speaks: whether word for word right"
    save_card(card_path, card)
    print(f"{len(outcomes)} phrases, {sum(right for _, right, _ in outcomes)} right: calibration {card['calibration']}")


def run(options: argparse.Namespace) -> None:
    """Trains or measures what the command line says."""
    if options.calibrate:
        refit(options.card, options.calibrate)
        return
    if options.pairs is None:
        raise ConfigError("--pairs: name the folder of pairs")
    config = load_config(TranslatorConfig, options.config, options.set)
    torch.set_num_threads(config.threads)
    examples = gather(config, options.pairs)
    shipped = Speaker.load(options.card) if options.evaluate else None
    vocabulary = shipped.vocabulary if shipped else choose_vocabulary(examples, config)
    sizes = shipped.config if shipped else config.network(len(vocabulary))
    ready = prepare(examples, vocabulary, sizes)
    print(f"pairs {len(examples):,}, learnable {len(ready):,}: {dict(Counter(e.kind for e in ready))}", flush=True)
    train_on, dev = parted(ready)
    if shipped:
        print(json.dumps(measure(shipped, dev)[0], indent=2))
        return
    if options.overfit:
        dev = train_on[:: len(train_on) // config.batch_size][: config.batch_size]
        train_on = dev * 20
    net = train(config, train_on, dev, vocabulary, ROOT / "runs" / "translator" / "translator.json", options.steps)
    speaker = Speaker({name: value.numpy() for name, value in net.state_dict().items()}, sizes, vocabulary)
    figures, outcomes = measure(speaker, dev)
    print(json.dumps(figures, indent=2))
    if not options.overfit:
        save(net, config, vocabulary, options.card, {"figures": figures, "calibration": calibrate(outcomes)})


def main() -> int:
    """Command line; exit code 0, or 2 with one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, help="folder of tab-separated pairs")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "translator.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key")
    parser.add_argument("--card", type=Path, default=CARD, help="where the weights are or go")
    parser.add_argument("--steps", type=int, help="stop after so many steps instead of `minutes`")
    parser.add_argument("--overfit", action="store_true", help="only learn one batch by heart, to check the program")
    parser.add_argument("--evaluate", action="store_true", help="measure the weights of --card, train nothing")
    parser.add_argument(
        "--calibrate", type=Path, nargs="+", metavar="FILE", help="fit the confidence of --card to these phrases"
    )
    options = parser.parse_args()
    return reported(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
