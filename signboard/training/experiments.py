"""The course's experiments: variants of a network trained for equally many steps, or counted; a picture and a table.

A run that is finished is not made again, and one that was stopped goes on, so an experiment may be interrupted.
"""

from __future__ import annotations

import copy
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from pydantic import Field
from torch import nn

from signboard.backbones.arithmetic import Summary, summarise
from signboard.backbones.classifier import build_classifier
from signboard.errors import ConfigError
from signboard.training.classifier_task import ClassifierTask
from signboard.training.config import ClassifierTrainConfig, StrictModel, TrainConfig, validated
from signboard.training.curves import pyplot, read_log, save_figure, smooth
from signboard.training.engine import Task, make_optimizer, train
from signboard.training.evaluation import markdown_table, percent
from signboard.training.launch import pick_device

Say = Callable[[str], None]
_TRIAL_STEPS = 5
_VALIDATIONS = 5  # in a run


class ExperimentConfig(StrictModel):
    """An experiment that trains: `configs/experiments/*.yaml`.

    Attributes:
        title, question: of the page.
        minutes: processor time for all runs together; the steps, equally many for each run, follow from a short trial.
        steps: of each run, instead of `minutes`.
        seeds: every variant is trained with each.
        run: keys of `ClassifierTrainConfig` that all runs share.
        variants: a label for each variant, and the keys that it changes.
        compare: pairs of labels whose difference the page gives.
    """

    title: str
    question: str
    minutes: float | None = Field(None, gt=0)
    steps: int | None = Field(None, gt=0)
    seeds: list[int] = Field([0], min_length=1)
    run: dict[str, Any]
    variants: dict[str, dict[str, Any]] = Field(min_length=1)
    compare: list[tuple[str, str]] = Field(default_factory=list)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# ---- budget ----------------------------------------------------------------------------------------------------


def seconds_per_step(
    task: Task, config: TrainConfig, steps: int = _TRIAL_STEPS, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds that a step of `task` takes, its batch included: the median of `steps`, after one that warms up.

    The task's network is left as it is. With the clock `time.process_time` other programs do not matter.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    device = pick_device(config.device)
    model = copy.deepcopy(task.model).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()
    optimizer = make_optimizer(model, config)
    for group in optimizer.param_groups:
        group["lr"] = 1e-6
    spent: list[float] = []
    pool = 0
    state = torch.get_rng_state()
    while len(spent) < steps + 1:
        began = clock()
        batches = task.source.pool(10_000_000 + pool)
        drawing = (clock() - began) / len(batches)
        for batch in batches[: steps + 1 - len(spent)]:
            batch["step"] = 0
            began = clock()
            task.loss(model, batch, device)["loss"].backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            spent.append(clock() - began + drawing)
        pool += 1
    torch.set_rng_state(state)
    return statistics.median(spent[1:])


def affordable_steps(minutes: float, costs: Sequence[float], runs_each: int, validation: Sequence[float] = ()) -> int:
    """Steps that every variant can make, `runs_each` times, in so many minutes together.

    Args:
        costs: seconds a step of each variant.
        validation: seconds that each variant's run needs besides.

    Raises:
        ConfigError: not even ten.
    """
    left = 60 * minutes - runs_each * sum(validation)
    steps = int(0.93 * left / (runs_each * sum(costs)))
    if steps < 10:
        raise ConfigError(f"minutes: {minutes:g} are too few, they give {max(steps, 0)} steps a run; give more")
    return steps


def planned_steps(file: Path, config: Any, find: Callable[[], tuple[int, dict[str, float]]]) -> int:
    """The steps that an experiment has settled on, found and written to `file` by its first run.

    A resumed experiment keeps them, though another trial would come out a little different.
    """
    if config.steps is not None:
        return int(config.steps)
    if config.minutes is None:
        raise ConfigError("minutes, steps: give one of them, the budget")
    if file.is_file():
        plan = json.loads(file.read_text(encoding="utf-8"))
        if plan["minutes"] == config.minutes:
            return int(plan["steps"])
    steps, costs = find()
    file.parent.mkdir(parents=True, exist_ok=True)
    plan = {"minutes": config.minutes, "steps": steps, "seconds_per_step": costs}
    file.write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
    return steps


# Keys that say where and how a run is computed and written down, not what is trained.
_BESIDE = {
    "output", "device", "threads", "workers", "prefetch", "compile", "log_every", "save_every", "backbone_from",
    "fonts",
}  # fmt: skip


def what_matters(config: TrainConfig) -> dict[str, Any]:
    """The keys of a config that make a run what it is, as JSON has them, without those that are as usual."""
    return config.model_dump(mode="json", exclude=_BESIDE, exclude_defaults=True)


def run_once(
    task: Task, config: TrainConfig, more: Callable[[], dict[str, Any]] | None = None, say: Say = _say
) -> dict[str, Any]:
    """Trains, unless `result.json` in the run's folder says it is done; goes on with a run that was stopped.

    A folder with a run of other settings (see `what_matters`) is made anew.

    Returns:
        the content of `result.json`: "figures" of the last validation, "minutes" of training, and what `more` adds.
    """
    file = config.output / "result.json"
    begun = config.output / "config.json"
    same = begun.is_file() and what_matters(
        type(config).model_validate_json(begun.read_text(encoding="utf-8"))
    ) == what_matters(config)
    if same and file.is_file():
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found
    resume = same and (config.output / "last.pt").is_file()
    if not resume and config.output.exists():
        # Of other settings, or stopped before its first checkpoint: its log would be mixed with the new one's.
        shutil.rmtree(config.output)
    train(task, config, resume=resume, log=say)
    log = read_log(config.output / "log.jsonl")
    last = [row["validation"] for row in log if "validation" in row and row["step"] == config.steps]
    if not last:
        raise KeyboardInterrupt  # the engine was asked to stop, and has saved its state
    rows = [row for row in log if "validation" not in row]
    # Samples and speed of each row give the time spent, whatever interruptions there were.
    ends = [0, *(row["samples"] for row in rows)]
    minutes = sum((b - a) / row["per_second"] for a, b, row in zip(ends, ends[1:], rows, strict=False)) / 60
    result = {"steps": config.steps, "figures": last[0], "minutes": minutes, **(more() if more is not None else {})}
    file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    (config.output / "last.pt").unlink(missing_ok=True)
    return result


# ---- counting --------------------------------------------------------------------------------------------------


def cpu_milliseconds(network: nn.Module, shape: Sequence[int], *, repeats: int = 7, threads: int = 1) -> float:
    """Median time of one forward pass over one picture of `shape` (channels, height, width), milliseconds.

    With one thread it is processor time, so other programs do not matter.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    training = network.training
    network.eval()
    try:
        picture = torch.zeros(1, *shape)
        spent = []
        with torch.inference_mode():
            for _ in range(repeats + 2):
                began = clock()
                network(picture)
                spent.append(clock() - began)
        return 1000 * statistics.median(spent[2:])
    finally:
        network.train(training)
        torch.set_num_threads(before)


def count(value: float) -> str:
    """1234567 -> "1.23 M"."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 999.5 * size else f"{value / size:.0f} {unit}"
    return f"{value:.0f}"


# ---- experiments that train ------------------------------------------------------------------------------------


def run_variants(config: ExperimentConfig, name: str, runs: Path, say: Say = _say) -> dict[str, list[dict[str, Any]]]:
    """Trains every variant with every seed, in `runs`/NAME.

    Returns:
        for each label the results of its seeds (see `run_once`), with "log" (the rows of the log) and "counts".

    Raises:
        ConfigError: a key of a run is wrong, or the budget is too small.
    """
    base = runs / name
    configs: dict[str, ClassifierTrainConfig] = {}
    for label, changes in config.variants.items():
        values = {**config.run, **changes, "output": base / label.replace(" ", "-"), "steps": 1}
        configs[label] = validated(ClassifierTrainConfig, values, f"variant {label!r}")
    first = next(iter(configs.values()))
    same = ("size", "data", "fonts")
    if any(getattr(c, key) != getattr(first, key) for c in configs.values() for key in same):
        raise ConfigError(f"variants: {', '.join(same)} must be the same for all of them")
    opened = ClassifierTask(first)
    pictures = opened.training, opened.validation
    say(opened.describe())

    def find() -> tuple[int, dict[str, float]]:
        costs, validation = {}, []
        for label, c in configs.items():
            costs[label] = seconds_per_step(ClassifierTask(c, pictures), c)
            shown = min(len(pictures[1]), c.validation_limit)
            # A forward pass is about a third of a step.
            validation.append(_VALIDATIONS * shown / c.batch_size * costs[label] / 3)
            say(f"{label}: {costs[label]:.3f} s a step")
        assert config.minutes is not None
        return affordable_steps(config.minutes, list(costs.values()), len(config.seeds), validation), costs

    steps = planned_steps(base / "plan.json", config, find)
    results: dict[str, list[dict[str, Any]]] = {}
    for seed in config.seeds:
        for label, c in configs.items():
            run = c.model_copy(
                update={
                    "output": Path(f"{c.output}-seed{seed}"), "steps": steps, "seed": seed,
                    "log_every": max(1, steps // 100), "validate_every": max(1, -(-steps // _VALIDATIONS)),
                    "save_every": max(1, steps // 10),
                }
            )  # fmt: skip
            task = ClassifierTask(run, pictures)
            result = run_once(task, run, say=say)
            counts = summarise(task.network, (3, c.size, c.size))
            log = read_log(run.output / "log.jsonl")
            results.setdefault(label, []).append({**result, "log": log, "counts": counts})
    return results


def training_error(log: Sequence[Mapping[str, Any]]) -> float:
    """Mean top-1 error on training batches over the last tenth of a run."""
    rows = [row for row in log if "validation" not in row]
    return float(np.mean([row["top1_error"] for row in rows if row["step"] > 0.9 * rows[-1]["step"]]))


def _spread(values: Sequence[float]) -> str:
    """Mean of shares in per cent, and the lowest and highest when there are several."""
    mean = percent(float(np.mean(values)))
    return mean if len(values) == 1 else f"{mean} ({percent(min(values))} to {percent(max(values))})"


def write_variants(
    config: ExperimentConfig, name: str, results: Mapping[str, Sequence[Mapping[str, Any]]], folder: Path, command: str
) -> list[Path]:
    """The page `NAME.md` with the table, and `NAME.png` with the curves, in `folder`."""
    rows, train_errors, top1, losses = [], {}, {}, {}
    for label, runs in results.items():
        counts = cast(Summary, runs[0]["counts"])
        train_errors[label] = [training_error(run["log"]) for run in runs]
        top1[label] = [run["figures"]["top1_error"] for run in runs]
        losses[label] = [run["figures"]["cross_entropy"] for run in runs]
        rows.append(
            (
                label, counts.depth, count(counts.parameters), count(counts.multiply_adds),
                f"{np.mean([run['minutes'] for run in runs]):.1f}", _spread(train_errors[label]), _spread(top1[label]),
                _spread([run["figures"]["top5_error"] for run in runs]), f"{np.mean(losses[label]):.2f}",
            )
        )  # fmt: skip
    headers = (
        "network", "layers", "parameters", "multiply-adds", "minutes", "training error", "validation top-1 error",
        "validation top-5 error", "validation cross-entropy",
    )  # fmt: skip
    differences = [
        f"- {a} less {b}: training error {_points(train_errors, a, b)}, validation top-1 error {_points(top1, a, b)}, "
        f"validation cross-entropy {np.mean(losses[a]) - np.mean(losses[b]):+.2f}"
        for a, b in config.compare
    ]
    any_run = next(iter(results.values()))[0]
    one = ClassifierTrainConfig.model_validate(
        {**config.run, **next(iter(config.variants.values())), "steps": 1, "output": "."}
    )
    data = one.data.characters
    shown = (
        f"sign characters ({', '.join(data.sets)}; {data.per_class} pictures a class for training, "
        f"{data.val_per_class} for validation with other typefaces)"
        if data is not None
        else str(one.data.folder or one.data.torchvision)
    )
    page = [
        f"# {config.title}",
        "",
        config.question,
        "",
        f"    {command}",
        "",
        f"Data: {shown}, {one.size}x{one.size} pixels. Budget: {any_run['steps']} steps of {one.batch_size} pictures "
        f"for every network, the same pictures in the same order; {one.threads or 'all'} processor thread"
        f"{'' if one.threads == 1 else 's'}, AdamW, learning rate {one.optimizer.learning_rate:g}; "
        f"seed{'s' if len(config.seeds) > 1 else ''} {', '.join(map(str, config.seeds))}.",
        "",
        markdown_table(headers, rows).strip(),
        "",
        "The training error is the mean over the last tenth of the steps, on augmented pictures. Validation looks at "
        "the running average of the weights. With several seeds: mean (lowest to highest).",
        "",
        *(["Differences in points:", "", *differences, ""] if differences else []),
        f"![curves]({name}.png)",
        "",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.md"
    file.write_text("\n".join(page), encoding="utf-8")
    return [file, _draw_variants(config.title, results, folder / f"{name}.png")]


def _points(values: Mapping[str, Sequence[float]], a: str, b: str) -> str:
    return f"{100 * (float(np.mean(values[a])) - float(np.mean(values[b]))):+.1f}"


def _draw_variants(title: str, results: Mapping[str, Sequence[Mapping[str, Any]]], picture: Path) -> Path:
    """Training and validation error against the step, a colour a variant, a line a seed."""
    plt = pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True)
    for number, (label, runs) in enumerate(results.items()):
        colour = f"C{number}"
        for index, run in enumerate(runs):
            rows = [row for row in run["log"] if "validation" not in row]
            errors = [100 * row["top1_error"] for row in rows]
            name = label if index == 0 else None
            axes[0].plot([row["step"] for row in rows], smooth(errors, 0.08), color=colour, label=name)
            checks = [row for row in run["log"] if "validation" in row]
            values = [100 * row["validation"]["top1_error"] for row in checks]
            axes[1].plot([row["step"] for row in checks], values, color=colour, marker="o", markersize=3, label=name)
    for axis, name in zip(axes, ("training", "validation (other typefaces)"), strict=True):
        axis.set(title=name, xlabel="step", ylabel="top-1 error, %", ylim=(0, 102))
        axis.grid(alpha=0.3)
        axis.legend()
    figure.suptitle(title)
    return save_figure(figure, picture)


# ---- the experiment that counts --------------------------------------------------------------------------------

_REDUCTION = {
    "GoogLeNet": {},
    "without 1x1 reduction": {"reduction": False},
    "without average pooling": {"average_pool": False},
    "without both": {"reduction": False, "average_pool": False},
}


def reduction(folder: Path, command: str, *, repeats: int = 7, threads: int = 1) -> list[Path]:
    """What 1x1 reductions and average pooling save in GoogLeNet, 1000 classes, 224x224: `reduction.md` and `.png`."""
    rows, drawn = [], []
    for label, options in _REDUCTION.items():
        network = build_classifier("googlenet", 1000, auxiliary=False, **options)  # type: ignore[arg-type]
        counts = summarise(network, (3, 224, 224))
        time_taken = cpu_milliseconds(network, (3, 224, 224), repeats=repeats, threads=threads)
        drawn.append((label, counts.parameters / 1e6, counts.multiply_adds / 1e9, time_taken))
        rows.append(
            (
                label, f"{counts.convolution_parameters:,}", f"{counts.fully_connected_parameters:,}",
                f"{counts.parameters:,}", f"{counts.multiply_adds:,}", f"{time_taken:.0f}",
            )
        )  # fmt: skip
    base = drawn[0]
    headers = (
        "network", "parameters of convolutions", "of the class layer", "together", "multiply-adds", "CPU ms",
    )  # fmt: skip
    times = [f"{label}: {p / base[1]:.1f}, {m / base[2]:.1f}, {t / base[3]:.1f}" for label, p, m, t in drawn[1:]]
    page = [
        "# 1x1 reduction and average pooling",
        "",
        "What GoogLeNet would cost without the 1x1 convolutions before its 3x3 and 5x5 filters, and with a class layer "
        "that is connected to the whole last map (1024x7x7) instead of its average. The paper's form, 1000 classes, "
        "224x224 pixels, without the auxiliary heads. Counted and timed on the networks as built; nothing is trained.",
        "",
        f"    {command}",
        "",
        markdown_table(headers, rows).strip(),
        "",
        f"CPU: median of {repeats} passes over one picture, {threads} thread{'' if threads == 1 else 's'}, "
        "random weights.",
        "",
        "Times as many parameters, multiply-adds and milliseconds as GoogLeNet itself:",
        "",
        *(f"- {line}" for line in times),
        "",
        "![bars](reduction.png)",
        "",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "reduction.md"
    file.write_text("\n".join(page), encoding="utf-8")
    plt = pyplot()
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.2), sharey=True)
    titles = ("parameters, M", "multiply-adds, G", "CPU, ms")
    for axis, title, column in zip(axes, titles, (1, 2, 3), strict=True):
        values = [float(row[column]) for row in drawn][::-1]
        bars = axis.barh([row[0] for row in drawn][::-1], values, color=["C3", "C1", "C0", "C2"])
        axis.bar_label(bars, fmt="%.3g", padding=3)
        axis.set(title=title, xlim=(0, 1.18 * max(values)))
    return [file, save_figure(figure, folder / "reduction.png")]
