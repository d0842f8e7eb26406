"""Which architecture reads signs best: each as the detector's and as the recogniser's backbone, on one small budget.

Every family is trained for equally many steps, with each of several seeds. Finished runs are kept, and a run that was
stopped goes on, so a comparison may be interrupted as often as need be.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from signboard.backbones import BACKBONES, build_backbone
from signboard.backbones.arithmetic import summarise
from signboard.detection import Detector
from signboard.detection.network import DetectorConfig, DetectorNetwork
from signboard.errors import ConfigError
from signboard.recognition import Recognizer
from signboard.recognition.network import RecognizerConfig, RecognizerNetwork
from signboard.training.adapters import load_scenes, load_words, read_rgb
from signboard.training.config import (
    DataConfig,
    DetectorTrainConfig,
    RecognizerTrainConfig,
    StrictModel,
    TrainConfig,
    validated,
)
from signboard.training.curves import pyplot, save_figure
from signboard.training.detector_task import DetectorTask
from signboard.training.evaluation import markdown_table, score_detection, score_words
from signboard.training.experiments import (
    affordable_steps,
    count,
    cpu_milliseconds,
    planned_steps,
    run_once,
    seconds_per_step,
)
from signboard.training.recognizer_task import RecognizerTask

Say = Callable[[str], None]
ROLES = ("detector", "recognizer")
# The pictures that networks are counted and timed on, (height, width): a small photo and a word.
PICTURES = {"detector": (640, 640), "recognizer": (32, 128)}


class RoleConfig(StrictModel):
    """How one stage is trained for the comparison.

    Attributes:
        minutes: processor time for all families and seeds of this role together; or `steps` of each run.
        run: keys of `DetectorTrainConfig` or `RecognizerTrainConfig`, without backbone, width, seed and output.
        validation: what the finished networks are scored on, at most `validation_limit` photos or words.
    """

    minutes: float | None = Field(None, gt=0)
    steps: int | None = Field(None, gt=0)
    run: dict[str, Any]
    validation: DataConfig
    validation_limit: int = Field(300, gt=0)


class ComparisonConfig(StrictModel):
    """`configs/compare_backbones.yaml`. `families` gives each backbone's width as detector and as recogniser."""

    families: dict[str, tuple[float, float]] = Field(min_length=1)
    seeds: list[int] = Field([0, 1], min_length=1)
    detector: RoleConfig
    recognizer: RoleConfig


def make_task(role: str, config: Any) -> Any:
    """The training task of a role ("detector" or "recognizer") for a config of its kind."""
    return DetectorTask(config) if role == "detector" else RecognizerTask(config)


def run_config(role: str, settings: RoleConfig, name: str, width: float, changes: Mapping[str, Any]) -> TrainConfig:
    """The config of one run: the role's settings with a backbone of this name and width, and `changes`.

    Raises:
        ConfigError: the settings are not valid; the message names the key.
    """
    values = {**settings.run, "backbone": name, "width": width, **changes}
    kind = DetectorTrainConfig if role == "detector" else RecognizerTrainConfig
    return validated(kind, values, f"{role}.run")


def with_network(task: Any, config: Any) -> Any:
    """`task` with another network and seed, on the data that it has loaded already."""
    other = copy.copy(task)
    other.config = config
    torch.manual_seed(config.seed)
    if isinstance(task, DetectorTask):
        other.model = DetectorNetwork(DetectorConfig(config.backbone, config.width, config.neck, config.detail))
    else:
        other.model = RecognizerNetwork(
            RecognizerConfig(
                config.backbone, config.width, config.mixer, config.mixer_layers, config.height,
                grid_layers=config.grid_layers, tall=config.tall, characters=task.charset.characters,
            )
        )  # fmt: skip
    other.source = copy.copy(task.source)
    other.source.seed = config.seed
    return other


def _score_detector(output: Path, settings: RoleConfig) -> dict[str, float]:
    v = settings.validation
    samples = load_scenes(v.path, v.split, v.form)[: settings.validation_limit]
    score = score_detection(Detector.load(output / "last.json", device="cpu").detect, samples).detection
    return {"h_mean": score.h_mean, "precision": score.precision, "recall": score.recall, "photos": len(samples)}


def _score_recognizer(output: Path, settings: RoleConfig) -> dict[str, float]:
    v = settings.validation
    samples = [(read_rgb(s), s) for s in load_words(v.path, v.split, v.form)[: settings.validation_limit]]
    # Without the language model: the networks are compared, not what mends their readings.
    recognizer = Recognizer.load(output / "last.json", device="cpu", language=False)
    total = score_words(recognizer.read_crops, samples).total
    return {"accuracy": total.accuracy, "cer": total.cer, "words": len(samples)}


def compare(
    config: ComparisonConfig, runs: Path, say: Callable[[str], None], roles: Sequence[str] = ROLES
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Trains what is not trained yet and scores it, in `runs`/ROLE/FAMILY-seedN.

    Returns:
        {role: {family: results of its seeds}}; each result has "figures", "steps", "minutes".

    Raises:
        ConfigError: an unknown family or key, or too small a budget.
    """
    unknown = [name for name in config.families if name not in BACKBONES]
    if unknown:
        raise ConfigError(f"families: unknown backbone {unknown[0]!r}; there are: {', '.join(BACKBONES)}")
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for role in roles:
        settings: RoleConfig = getattr(config, role)
        widths = {name: pair[ROLES.index(role)] for name, pair in config.families.items()}
        base = runs / role
        first = next(iter(widths.items()))
        task = make_task(role, run_config(role, settings, *first, {"output": base / "first", "steps": 1}))
        say(task.describe())

        def find(
            role: str = role, settings: RoleConfig = settings, widths: Mapping[str, float] = widths,
            base: Path = base, task: Any = task,
        ) -> tuple[int, dict[str, float]]:  # fmt: skip
            costs = {}
            for name, width in widths.items():
                trial = run_config(role, settings, name, width, {"output": base / "trial", "steps": 1})
                costs[name] = seconds_per_step(with_network(task, trial), trial)
                say(f"{role}, {name}: {costs[name]:.3f} s a step")
            assert settings.minutes is not None
            return affordable_steps(settings.minutes, list(costs.values()), len(config.seeds)), costs

        steps = planned_steps(base / "plan.json", settings, find)
        # Seed by seed, so that a comparison that is stopped has every family once.
        for seed in config.seeds:
            for name, width in widths.items():
                changes = {
                    "output": base / f"{name}-seed{seed}", "steps": steps, "seed": seed, "validation": [],
                    "log_every": max(1, steps // 20), "validate_every": steps, "save_every": max(1, steps // 4),
                }  # fmt: skip
                run = run_config(role, settings, name, width, changes)
                score = _score_detector if role == "detector" else _score_recognizer

                def more(run: TrainConfig = run, settings: RoleConfig = settings, score: Any = score) -> dict[str, Any]:
                    return {"score": score(run.output, settings)}

                result = run_once(with_network(task, run), run, more, say)
                say(f"{role}, {name}, seed {seed}: {json.dumps(result['score'])}")
                results.setdefault(role, {}).setdefault(name, []).append(result)
    return results


def finished(config: ComparisonConfig, runs: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The results that there are, for a table of a comparison that is not complete; of one budget a role."""
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for role in ROLES:
        for name in config.families:
            for seed in config.seeds:
                file = runs / role / f"{name}-seed{seed}" / "result.json"
                if file.is_file():
                    found = json.loads(file.read_text(encoding="utf-8"))
                    results.setdefault(role, {}).setdefault(name, []).append(found)
    return results


def costs(config: ComparisonConfig, repeats: int = 5) -> dict[str, dict[str, tuple[int, int, float]]]:
    """{role: {family: (parameters, multiply-adds, CPU milliseconds)}} of the whole networks on `PICTURES`."""
    found: dict[str, dict[str, tuple[int, int, float]]] = {}
    for role in ROLES:
        settings: RoleConfig = getattr(config, role)
        for name, pair in config.families.items():
            run: Any = run_config(role, settings, name, pair[ROLES.index(role)], {"output": ".", "steps": 1})
            network: Any
            if role == "detector":
                network = DetectorNetwork(DetectorConfig(run.backbone, run.width, run.neck, run.detail))
            else:
                network = RecognizerNetwork(
                    RecognizerConfig(run.backbone, run.width, run.mixer, run.mixer_layers, run.height)
                )
            shape = (3, *PICTURES[role])
            # The arithmetic knows layers; what attention multiplies beyond its layers is left out.
            counts = summarise(network.eval(), shape)
            found.setdefault(role, {})[name] = (
                counts.parameters, counts.multiply_adds, cpu_milliseconds(network, shape, repeats=repeats),
            )  # fmt: skip
    return found


def backbone_share(role: str, name: str, width: float) -> int:
    """Parameters of the backbone alone."""
    return sum(p.numel() for p in build_backbone(name, width=width, text=role == "recognizer").parameters())


def _spread(values: Sequence[float]) -> str:
    return " / ".join(f"{100 * v:.1f}" for v in values)


def write_comparison(
    config: ComparisonConfig,
    results: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
    found: Mapping[str, Mapping[str, tuple[int, int, float]]],
    folder: Path,
    command: str,
) -> list[Path]:
    """The page `backbones.md` with one table, and `backbones.png`, in `folder`."""
    rows = []
    for name, widths in config.families.items():
        row: list[str] = [name]
        for role, width, keys in zip(ROLES, widths, (("h_mean",), ("accuracy", "cer")), strict=True):
            parameters, multiply_adds, milliseconds = found[role][name]
            row += [f"{width:g}", count(parameters), count(multiply_adds), f"{milliseconds:.1f}"]
            scores = [run["score"] for run in results.get(role, {}).get(name, [])]
            row += [_spread([score[key] for score in scores]) if scores else "not run" for key in keys]
        rows.append(row)
    headers = (
        "backbone", "width", "parameters", "multiply-adds", "CPU ms", "H-mean %",
        "width", "parameters", "multiply-adds", "CPU ms", "word accuracy %", "character error %",
    )  # fmt: skip
    budget = []
    for role in ROLES:
        settings: RoleConfig = getattr(config, role)
        runs = [run for some in results.get(role, {}).values() for run in some]
        if not runs:
            budget.append(f"- {role}: not run")
            continue
        batch = settings.run["batch_size"]
        spent = [run["minutes"] for run in runs]
        score = runs[0]["score"]
        scored = f"{score['photos']} photos" if role == "detector" else f"{score['words']} words"
        seconds = f"{60 * min(spent):.0f} to {60 * max(spent):.0f} seconds"
        budget.append(
            f"- {role}: {runs[0]['steps']} steps of {batch} for every network ({seconds} each, one thread); "
            f"scored on {scored} of {settings.validation.path.name}, split {settings.validation.split}"
        )
    photo, word = ("x".join(map(str, PICTURES[role])) for role in ROLES)
    page = [
        "# Backbones of both stages, compared",
        "",
        "Each family as the backbone of the detector (columns 2 to 6) and of the recogniser (the others), trained from "
        "random weights with everything else the same. The widths are chosen so that the families cost about as much.",
        "",
        f"    {command}",
        "",
        "Budget:",
        "",
        *budget,
        "",
        markdown_table(headers, rows).strip(),
        "",
        f"Scores: one figure a seed ({', '.join(map(str, config.seeds))}). Parameters, multiply-adds and CPU "
        f"milliseconds are those of the whole network on one picture of {photo} and one word of {word} pixels (height "
        "first), one thread.",
        "",
        "![figures](backbones.png)",
        "",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "backbones.md"
    file.write_text("\n".join(page), encoding="utf-8")
    return [file, _draw(config, results, found, folder / "backbones.png")]


def _draw(
    config: ComparisonConfig,
    results: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
    found: Mapping[str, Mapping[str, tuple[int, int, float]]],
    picture: Path,
) -> Path:
    """Detection H-mean, word accuracy and character error against CPU time: a point a seed, a line a family."""
    plt = pyplot()
    panels = (
        ("detector", "h_mean", "detection H-mean, %"),
        ("recognizer", "accuracy", "word accuracy, %"),
        ("recognizer", "cer", "character error, %"),
    )
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.8))
    for axis, (role, key, title) in zip(axes, panels, strict=True):
        for number, name in enumerate(config.families):
            values = [100 * run["score"][key] for run in results.get(role, {}).get(name, [])]
            if not values:
                continue
            times = [found[role][name][2]] * len(values)
            axis.plot(times, values, color=f"C{number}", marker="o", linewidth=1)
            axis.annotate(
                name, (times[0], float(np.mean(values))), xytext=(5, 0), textcoords="offset points", fontsize=8
            )
        slowest = max(row[2] for row in found[role].values())
        axis.margins(y=0.15)
        axis.set(title=title, xlabel="CPU ms", xlim=(0, 1.3 * slowest))
        if key != "cer":
            axis.set_ylim(0, max(1.0, axis.get_ylim()[1]))
        axis.grid(alpha=0.3)
    return save_figure(figure, picture)
