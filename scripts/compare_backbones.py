"""Train each family of backbones as the detector's and as the recogniser's, on one small budget, and write one table.

    python scripts/compare_backbones.py --config configs/compare_backbones.yaml [--output docs/experiments]

Finished runs are skipped and stopped ones go on when the same command is given again. `--table` trains nothing and
writes the table of the runs there are.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import torch

from signboard.errors import SignboardError
from signboard.training.commands import write_pages


def _work(options: argparse.Namespace) -> list[Path]:
    from signboard.training import comparison
    from signboard.training.config import load_config

    config = load_config(comparison.ComparisonConfig, options.config, options.set)
    if not options.table:
        roles = comparison.ROLES if options.role is None else (options.role,)
        comparison.compare(config, options.runs, lambda line: print(line, file=sys.stderr, flush=True), roles)
    given = ["python", "scripts/compare_backbones.py", "--config", str(options.config)]
    given += [part for override in options.set for part in ("--set", override)]
    results = comparison.finished(config, options.runs)
    if not results:
        raise SignboardError(f"{options.runs}: no finished run; leave --table out")
    return comparison.write_comparison(config, results, comparison.costs(config), options.output, shlex.join(given))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/compare_backbones.yaml"))
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key, e.g. detector.minutes=30"
    )
    parser.add_argument("--role", choices=("detector", "recognizer"), help="only this stage")
    parser.add_argument("--table", action="store_true", help="train nothing, write the table of what there is")
    parser.add_argument("--runs", type=Path, default=Path("runs/compare"), help="folder of the runs")
    parser.add_argument("--output", type=Path, default=Path("docs/experiments"), help="folder of the page")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    return write_pages(lambda: _work(options))


if __name__ == "__main__":
    raise SystemExit(main())
