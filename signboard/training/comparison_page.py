"""The page and the pictures of a comparison of backbones, from its file of results, however many runs are finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from signboard.training.comparison import ROLES, ComparisonConfig, Results, Run, planned, rate_of, result_of
from signboard.training.comparison_costs import PICTURES, costs_config
from signboard.training.curves import pyplot, save_figure
from signboard.training.evaluation import markdown_table
from signboard.training.experiments import count

_SCORE = {"detector": "H-mean %", "recognizer": "word accuracy %"}
_LINES = {"random": "-", "pretrained": ":"}

Row = Mapping[str, Any]

_PICTURES = [
    "![scores against the cost of a network](backbones.png)",
    "",
    "![validation against the time of training](backbones-curves.png)",
    "",
    "Dotted: with a pretrained backbone.",
    "",
]


def write_page(config: ComparisonConfig, results: Results, folder: Path, command: str) -> list[Path]:
    """Writes `backbones.md` in `folder` and, once a network is trained, `backbones.png` (score against what a network
    costs) and `backbones-curves.png` (curves of validation against the time of training).
    """
    costs = results.found("costs", costs_config(config)) or {}
    plan = planned(config)
    finished = sum(result_of(config, run, results) is not None for run in plan)
    page = [
        "# Backbones of both stages, compared",
        "",
        "Each family as the backbone of the detector and of the recogniser, everything else the same: pictures, their "
        "order, steps, the other layers. Widths are chosen so that all families need as many multiply-adds.",
        "",
        f"    {command}",
        "",
        f"**Finished: {finished} of {len(plan)} runs** ({_counts(config, plan, results)}). The same command goes on.",
        "",
    ]
    for role in ROLES:
        page += [f"## As the {'detector' if role == 'detector' else 'recogniser'}'s backbone", ""]
        page += _role(config, role, results, costs.get(role, {}))
    page += ["## With and without pretraining", "", *_pretraining(config, results)]
    page += ["## The search for a learning rate", "", *_search(config, results), *_notes(config, costs)]
    trained = any(rows_of(config, role, family, "random", results) for role in ROLES for family in config.families)
    page += _PICTURES if trained else []
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "backbones.md"
    file.write_text("\n".join(page), encoding="utf-8")
    if not trained:
        return [file]
    return [
        file,
        _draw_costs(config, results, costs, folder / "backbones.png"),
        _draw_curves(config, results, costs, folder / "backbones-curves.png"),
    ]


def _counts(config: ComparisonConfig, plan: Sequence[Run], results: Results) -> str:
    parts = []
    for role in ROLES:
        for kind in ("search", "random", "pretrained"):
            runs = [run for run in plan if (run.role, run.kind) == (role, kind)]
            done = sum(result_of(config, run, results) is not None for run in runs)
            parts.append(f"{role}, {kind}: {done} of {len(runs)}")
    return "; ".join(parts)


def rows_of(config: ComparisonConfig, role: str, family: str, kind: str, results: Results) -> list[Row]:
    """The finished runs of a family from "random" weights or a "pretrained" backbone, in the order of their seeds."""
    seeds = config.seeds if kind == "random" else config.pretrained_seeds
    found = [result_of(config, Run(role, family, kind, seed), results) for seed in seeds]
    return [row for row in found if row is not None]


def at_time(row: Row, seconds_per_step: float, seconds: float) -> float:
    """The score of a run after so many seconds of training: between the points of its curve along a straight line."""
    steps, scores = zip(*[(0, 0.0), *row["curve"]], strict=True)
    return float(np.interp(seconds, np.array(steps) * seconds_per_step, scores))


def _shown(scores: Sequence[float]) -> str:
    return " / ".join(f"{100 * score:.1f}" for score in scores) if scores else "not run"


def _role(config: ComparisonConfig, role: str, results: Results, costs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    settings = config.role(role)
    if not costs:
        return ["Not measured yet.", ""]
    per_step = {family: float(costs[family]["seconds_per_step"]) for family in config.families}
    shortest = min(per_step.values()) * settings.steps
    rows = []
    for family in config.families:
        runs, cost = rows_of(config, role, family, "random", results), costs[family]
        rate, int8 = rate_of(config, Run(role, family, "random"), results), cost["backbone_int8_ms"]
        rows.append(
            (
                family, f"{config.width(role, family):g}", count(cost["parameters"]), count(cost["multiply_adds"]),
                f"{cost['float32_ms']:.1f}", f"{cost['backbone_ms']:.1f}", "-" if int8 is None else f"{int8:.1f}",
                "-" if rate is None else f"{rate:g}", f"{per_step[family] * settings.steps / 60:.0f}",
                _shown([run["curve"][-1][1] for run in runs]),
                _shown([at_time(run, per_step[family], shortest) for run in runs]),
            )
        )  # fmt: skip
    headers = (
        "backbone", "width", "parameters", "multiply-adds", "CPU ms", "backbone ms", "backbone int8 ms",
        "learning rate", "minutes of training", _SCORE[role], f"after {shortest / 60:.0f} min",
    )  # fmt: skip
    return [
        f"{settings.steps} steps of {settings.run['batch_size']} for every network; {_SCORE[role]} on "
        f"{settings.validation_limit} pictures of {settings.validation.path.name}.",
        "",
        markdown_table(headers, rows).strip(),
        "",
    ]


def _pretraining(config: ComparisonConfig, results: Results) -> list[str]:
    rows = []
    for role in ROLES:
        for family in config.families:
            taught = results.rows.get(f"characters/{family}-{config.width(role, family):g}")
            plain = {run["config"].get("seed", 0): run for run in rows_of(config, role, family, "random", results)}
            for row in rows_of(config, role, family, "pretrained", results):
                before = plain.get(row["config"].get("seed", 0))
                early = len(row["curve"]) // 4
                characters = "-" if taught is None else f"{100 * taught['figures']['top1_error']:.1f}"
                for name, index in ((f"after {row['curve'][early][0]} steps", early), ("at the end", -1)):
                    without = [] if before is None else [before["curve"][index][1]]
                    rows.append((role, family, characters, name, _shown(without), _shown([row["curve"][index][1]])))
    if not rows:
        return ["Not run yet.", ""]
    headers = ("stage", "backbone", "error on characters %", "when", "without %", "with %")
    return [
        "H-mean of the detector and word accuracy of the recogniser, of the same seed.",
        "",
        markdown_table(headers, rows).strip(),
        "",
    ]


def _search(config: ComparisonConfig, results: Results) -> list[str]:
    rows = []
    for role in ROLES:
        for family in config.families:
            found = [
                result_of(config, Run(role, family, "search", config.seeds[0], rate), results) for rate in config.rates
            ]
            if any(row is not None for row in found):
                chosen = rate_of(config, Run(role, family, "random"), results)
                losses = ["not run" if row is None else f"{row['loss']:.3f}" for row in found]
                rows.append((role, family, *losses, "-" if chosen is None else f"{chosen:g}"))
    if not rows:
        return ["Not run yet.", ""]
    steps = ", ".join(f"{config.role(role).search_steps} ({role})" for role in ROLES)
    return [
        f"A short run with each rate, steps: {steps}. The loss of its last fifth, on pictures that are augmented anew "
        "each time; the longer runs use the rate where it is lowest.",
        "",
        markdown_table(("stage", "backbone", *(f"loss at {rate:g}" for rate in config.rates), "chosen"), rows).strip(),
        "",
    ]


def _notes(config: ComparisonConfig, costs: Row) -> list[str]:
    photo, word = ("x".join(map(str, PICTURES[role])) for role in ROLES)
    return [
        "## How to read this",
        "",
        f"- Scores: one figure a seed ({', '.join(map(str, config.seeds))}), of the running average of the weights. "
        "Steps are fixed, ten times those of the first comparison; the curves show whether that is enough.",
        f"- Parameters, multiply-adds and CPU milliseconds are those of one picture of {photo} and one word of {word} "
        "pixels (height first): of the whole network in float32, and of its backbone alone in float32 and int8. "
        f"Processor time of one thread, families in turn{' on ' + costs['processor'] if costs else ''}.",
        "- Minutes of training are steps times the processor seconds of one step, measured in the same way, so that "
        "runs that were made on other or busier machines can be compared. The last column is the score at the time "
        "that the fastest family needs: equal time instead of equal steps. The slower families' learning rate "
        "is not lowered there yet.",
        "",
    ]


def _draw_costs(config: ComparisonConfig, results: Results, costs: Row, picture: Path) -> Path:
    """Score against processor time: a point a seed, a colour a family."""
    plt = pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
    for axis, role in zip(axes, ROLES, strict=True):
        for number, family in enumerate(config.families):
            scores = [100 * run["curve"][-1][1] for run in rows_of(config, role, family, "random", results)]
            if scores and costs:
                times = [costs[role][family]["float32_ms"]] * len(scores)
                axis.plot(times, scores, color=f"C{number}", marker="o", linewidth=1, label=family)
        height, width = PICTURES[role]
        axis.set(title=role, xlabel=f"CPU ms, {height}x{width}, float32", ylabel=_SCORE[role])
        _finish(axis)
    return save_figure(figure, picture)


def _draw_curves(config: ComparisonConfig, results: Results, costs: Row, picture: Path) -> Path:
    """Curves of validation against minutes of training: a colour a family, a line a run."""
    plt = pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
    for axis, role in zip(axes, ROLES, strict=True):
        for number, family in enumerate(config.families):
            for kind, style in _LINES.items():
                for index, run in enumerate(rows_of(config, role, family, kind, results) if costs else []):
                    steps, scores = np.array(run["curve"]).T
                    minutes = steps * costs[role][family]["seconds_per_step"] / 60
                    label = family if index == 0 and kind == "random" else None
                    axis.plot(minutes, 100 * scores, color=f"C{number}", linestyle=style, label=label)
        axis.set(title=role, xlabel="minutes of training, one core", ylabel=_SCORE[role])
        _finish(axis)
    return save_figure(figure, picture)


def _finish(axis: Any) -> None:
    axis.grid(alpha=0.3)
    axis.set_xlim(0, 1.05 * axis.get_xlim()[1])
    axis.set_ylim(0, 1.05 * max(1.0, axis.get_ylim()[1]) if axis.lines else 100)
    if axis.lines:
        axis.legend()
    else:
        axis.text(0.5, 0.5, "no finished run", ha="center", transform=axis.transAxes)
