"""Make the language model that weighs readings, choose how much it counts, and measure what it brings.

python scripts/train_language.py            counts n-grams, writes runs/language/language.{json,safetensors}
python scripts/train_language.py --tune     chooses the weights of the search for a recogniser (--recognizer CARD)
python scripts/train_language.py --report   word accuracy with and without it on the sets of the config
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "language.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key")
    parser.add_argument("--data", type=Path, metavar="ROOT", help="folder of data sets; else $SIGNBOARD_DATA")
    parser.add_argument(
        "--card", type=Path, default=Path("runs/language/language.json"), help="where the model is or goes"
    )
    parser.add_argument("--recognizer", type=Path, help="card of the recogniser; the shipped one by default")
    parser.add_argument("--fonts", type=Path, default=Path("fonts"), help="typefaces of the synthetic words")
    parser.add_argument("--tune", action="store_true", help="choose the weights of the search; counts nothing anew")
    parser.add_argument("--report", action="store_true", help="measure on the sets of the config, after tuning if both")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--show", action="store_true", help="with --report: print the words that are newly wrong")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    """Makes, tunes or measures what the command line says."""
    import torch

    from signboard.recognition import LanguageModel, Recognizer
    from signboard.training.config import load_config
    from signboard.training.data_root import set_root
    from signboard.training.language_task import LanguageConfig, make, rewrite
    from signboard.training.language_tuning import report, report_sets, tune, tuning_sets

    torch.set_num_threads(options.threads)
    set_root(options.data)
    config = load_config(LanguageConfig, options.config, options.set)
    if not options.tune and not options.report:
        make(config, options.card)
        return
    recognizer = Recognizer.load(options.recognizer, language=False)
    model = LanguageModel.load(options.card)
    if options.tune:
        sets = tuning_sets(config, recognizer, options.fonts)
        best = tune(model, recognizer, sets, replace(model.options, **config.search()))
        rewrite(options.card, {"tuned_for": recognizer.card.get("sha256", ""), "inference": asdict(best)})
        model = LanguageModel.load(options.card)
    if options.report:
        figures = report(model, recognizer, report_sets(config, options.fonts), options.show)
        command = "python scripts/train_language.py --report --fonts DIR"
        rewrite(options.card, {"figures": figures, "figures_command": command})


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 0, or 2 with one line on stderr."""
    options = parse(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))  # before torch is imported
    from signboard.training.commands import reported

    return reported(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
