#!/usr/bin/env python
"""Trains the transliteration model on word, spelling, votes rows, and measures it: share attested, CER, words a second.

python scripts/train_transliterator.py --train TRAIN.tsv --dev DEV.tsv
python scripts/train_transliterator.py --evaluate --dev DEV.tsv
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from signboard.training.commands import reported
from signboard.training.config import load_config
from signboard.training.data_root import set_root, with_root
from signboard.training.transliterator_task import TransliteratorConfig, evaluate, load_lexicon, save, table, train
from signboard.translation.transliteration import WEIGHTS, Transliterator

ROOT = Path(__file__).resolve().parent.parent
LEXICON = "$SIGNBOARD_DATA/lexicon/hindi_romanized_{}.tsv"  # see data/README.md


def run(options: argparse.Namespace) -> None:
    """Trains and measures what the command line says."""
    set_root(options.data)
    dev = load_lexicon(Path(with_root(options.dev, "--dev")))
    card = options.weights.with_suffix(".json")
    if not options.evaluate:
        config = load_config(TransliteratorConfig, options.config, options.set)
        net = train(config, load_lexicon(Path(with_root(options.train, "--train"))))
        save(net, config, card)
    torch.set_num_threads(options.threads or torch.get_num_threads())
    figures = evaluate(Transliterator.load(card), dev, options.show)
    if not options.evaluate:
        save(net, config, card, figures)
    print(table(figures))


def main() -> int:
    """Command line; exit code 0, or 2 with one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "transliterator.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key")
    parser.add_argument("--data", type=Path, metavar="ROOT", help="folder of data sets; else $SIGNBOARD_DATA")
    parser.add_argument("--train", default=LEXICON.format("train"), help="rows to train on (default: %(default)s)")
    parser.add_argument("--dev", default=LEXICON.format("dev"), help="rows to measure on (default: %(default)s)")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--evaluate", action="store_true", help="measure --weights on --dev, train nothing")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, over the config's")
    parser.add_argument("--show", type=int, default=0, help="print that many missed words")
    options = parser.parse_args()
    return reported(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
