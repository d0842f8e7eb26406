"""The course's three experiments; each writes a picture and a table.

`degradation`: plain networks of 20 and 56 layers against residual ones. `auxiliary`: GoogLeNet with and without its
auxiliary loss. `reduction`: GoogLeNet with and without 1x1 reduction and average pooling, counted and timed.

    python scripts/experiment.py degradation --fonts fonts [--minutes 12] [--output docs/experiments]

An experiment that was stopped goes on where it was when the same command is given again.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from signboard.training.commands import write_pages

CONFIGS = Path(__file__).parents[1] / "configs" / "experiments"


def _work(options: argparse.Namespace) -> list[Path]:
    from signboard.training import experiments
    from signboard.training.config import read_values, validated

    if options.name == "reduction":
        return experiments.reduction(options.output, "python scripts/experiment.py reduction")
    file = CONFIGS / f"{options.name}.yaml"
    values = read_values(file)
    given = ["python", "scripts/experiment.py", options.name]
    if options.minutes is not None or options.steps is not None:
        values = {**values, "minutes": options.minutes, "steps": options.steps}
        budget = ("--steps", options.steps) if options.steps is not None else ("--minutes", options.minutes)
        given += [budget[0], f"{budget[1]:g}"]
    if options.seed:
        values["seeds"] = options.seed
        given += [part for seed in options.seed for part in ("--seed", str(seed))]
    config = validated(experiments.ExperimentConfig, values, file)
    config.run["fonts"] = options.fonts
    results = experiments.run_variants(config, options.name, options.runs)
    return experiments.write_variants(config, options.name, results, options.output, shlex.join(given))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("degradation", "auxiliary", "reduction"))
    parser.add_argument(
        "--fonts", type=Path, default=Path("fonts"), help="folder of typefaces (scripts/fetch_fonts.py)"
    )
    parser.add_argument("--minutes", type=float, help="processor time for all runs together, instead of the config's")
    parser.add_argument("--steps", type=int, help="of each run, instead of the config's minutes")
    parser.add_argument("--seed", type=int, action="append", help="again for more, instead of the config's")
    parser.add_argument("--runs", type=Path, default=Path("runs/experiments"), help="folder of the runs")
    parser.add_argument("--output", type=Path, default=Path("docs/experiments"), help="folder of the page")
    options = parser.parse_args(arguments)
    return write_pages(lambda: _work(options))


if __name__ == "__main__":
    raise SystemExit(main())
