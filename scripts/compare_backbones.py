"""Train each family of backbones as the detector's and as the recogniser's, and write one page of what came out.

    python scripts/compare_backbones.py --config configs/compare_backbones.yaml

It takes many hours and may be stopped at any time (Ctrl-C, SIGTERM): finished runs are rows of OUTPUT/backbones.jsonl
and are not made again, a stopped one goes on. `--table` trains nothing and writes the page of what is finished.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from signboard.training.commands import write_pages


def _work(options: argparse.Namespace) -> list[Path]:
    from signboard.training import comparison
    from signboard.training.comparison_page import write_page
    from signboard.training.config import load_config

    config = load_config(comparison.ComparisonConfig, options.config, options.set)
    results = comparison.Results(options.output / "backbones.jsonl")
    made = comparison.Comparison(config, options.runs, results, lambda line: print(line, file=sys.stderr, flush=True))
    try:
        if options.measure or not options.table:
            made.measure(again=options.measure)
        if not options.table:
            made.go_on(comparison.ROLES if options.role is None else (options.role,))
    finally:
        pages = write_page(
            config, results, options.output, f"python scripts/compare_backbones.py --config {options.config}"
        )
    return pages


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/compare_backbones.yaml"))
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key, e.g. pretraining.fonts=FOLDER"
    )
    parser.add_argument("--role", choices=("detector", "recognizer"), help="only this stage")
    parser.add_argument("--table", action="store_true", help="train nothing, write the page of what is finished")
    parser.add_argument("--measure", action="store_true", help="count and time the networks again")
    parser.add_argument("--runs", type=Path, default=Path("runs/compare"), help="folder of the runs")
    parser.add_argument("--output", type=Path, default=Path("docs/experiments"), help="folder of page and results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    return write_pages(lambda: _work(options))


if __name__ == "__main__":
    raise SystemExit(main())
