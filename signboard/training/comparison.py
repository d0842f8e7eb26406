"""Which architecture reads signs best: each as the backbone of the detector and of the recogniser, on one budget.

The plan, in order (`planned`):

1. search: a few learning rates for each family, a short run each; the best is what its longer runs use.
2. random: the runs that are compared, from random weights, with several seeds.
3. pretrained: the same, but the backbone has first learned to tell characters apart.

What a finished run showed is a row of a file of results (`Results`), so a table can be drawn where there are no runs;
a run that was stopped goes on from its checkpoint. So the comparison may take days, in pieces, on several machines.
"""

from __future__ import annotations

import copy
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from signboard.backbones import BACKBONES
from signboard.detection.network import DetectorConfig, DetectorNetwork
from signboard.errors import ConfigError, DataError
from signboard.recognition.network import RecognizerConfig, RecognizerNetwork
from signboard.training.classifier_task import ClassifierTask
from signboard.training.comparison_costs import costs_config, measured
from signboard.training.config import (
    ClassifierTrainConfig,
    DataConfig,
    DetectorTrainConfig,
    RecognizerTrainConfig,
    StrictModel,
    TrainConfig,
    validated,
)
from signboard.training.curves import read_log
from signboard.training.detector_task import DetectorTask
from signboard.training.experiments import run_once, what_matters
from signboard.training.net2net import start_backbone
from signboard.training.recognizer_task import RecognizerTask

Say = Callable[[str], None]
ROLES = ("detector", "recognizer")


class RoleConfig(StrictModel):
    """How one stage is trained for the comparison.

    Attributes:
        steps: of each run that is compared.
        search_steps: of each run of the search for a learning rate.
        checks: validations of a run, evenly spread: the points of its curve.
        run: keys of `DetectorTrainConfig` or `RecognizerTrainConfig` that all families share.
        validation: what the networks are scored on, at most `validation_limit` photos or words.
    """

    steps: int = Field(gt=0)
    search_steps: int = Field(gt=0)
    checks: int = Field(10, gt=0)
    run: dict[str, Any]
    validation: DataConfig
    validation_limit: int = Field(300, gt=0)


class ComparisonConfig(StrictModel):
    """`configs/compare_backbones.yaml`.

    Attributes:
        families: each backbone's width as detector and as recogniser.
        seeds: of the runs from random weights.
        pretrained_seeds: of the runs that begin with a backbone that knows characters; may be empty.
        rates: learning rates that the search tries.
        pretraining: keys of `ClassifierTrainConfig`, without name, width and output.
    """

    families: dict[str, tuple[float, float]] = Field(min_length=1)
    seeds: list[int] = Field([0, 1], min_length=1)
    pretrained_seeds: list[int] = Field(default_factory=list)
    rates: list[float] = Field(min_length=1)
    pretraining: dict[str, Any] = Field(default_factory=dict)
    detector: RoleConfig
    recognizer: RoleConfig

    def role(self, name: str) -> RoleConfig:
        """The settings of "detector" or "recognizer"."""
        return self.detector if name == "detector" else self.recognizer

    def width(self, role: str, family: str) -> float:
        """Of a family's backbone in a role."""
        return self.families[family][ROLES.index(role)]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the plan. `kind` is "search" (with its `rate`), "random" or "pretrained"."""

    role: str
    family: str
    kind: str
    seed: int = 0
    rate: float | None = None

    @property
    def name(self) -> str:
        """Of its folder and of its row of results."""
        last = f"{self.rate:g}" if self.kind == "search" else f"seed{self.seed}"
        return f"{self.role}/{self.family}-{self.kind}-{last}"


def planned(config: ComparisonConfig, roles: Sequence[str] = ROLES) -> list[Run]:
    """All runs in the order in which they are made: every family once, as early as can be, then the next seed."""
    plan = []
    for number, seed in enumerate(config.seeds):
        for role in roles:
            if number == 0:
                plan += [Run(role, name, "search", seed, rate) for name in config.families for rate in config.rates]
            plan += [Run(role, name, "random", seed) for name in config.families]
    for seed in config.pretrained_seeds:
        plan += [Run(role, name, "pretrained", seed) for role in roles for name in config.families]
    return plan


# ---- results ---------------------------------------------------------------------------------------------------


class Results:
    """The file of results: a line of JSON for each finished run, {"name", "config", ...}; the last of a name counts.

    A row is of the comparison at hand only where its "config" is that of the run planned now.

    Raises:
        DataError: a line of the file is no such row.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows: dict[str, dict[str, Any]] = {}
        if file.is_file():
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                try:
                    row = json.loads(line)
                    self.rows[row["name"]] = row
                except (ValueError, KeyError, TypeError):
                    raise DataError(f"{file}, line {number}: not a row of results") from None

    def add(self, row: dict[str, Any]) -> None:
        """Keeps a row, in the file too."""
        self.rows[row["name"]] = row
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as rows:
            rows.write(json.dumps(row) + "\n")

    def found(self, name: str, config: dict[str, Any]) -> dict[str, Any] | None:
        """The row of `name`, if it is of this config."""
        row = self.rows.get(name)
        return row if row is not None and row["config"] == config else None


def result_of(config: ComparisonConfig, run: Run, results: Results) -> dict[str, Any] | None:
    """The row of a run; None: it is not finished, or its learning rate is not known yet."""
    rate = rate_of(config, run, results)
    if rate is None:
        return None
    return results.found(run.name, what_matters(run_config(config, run, rate, Path())))


def rate_of(config: ComparisonConfig, run: Run, results: Results) -> float | None:
    """The learning rate of a run, that whose short run ended at the lowest loss; None: the search is not finished."""
    if run.rate is not None:
        return run.rate
    losses = {}
    for rate in config.rates:
        row = result_of(config, Run(run.role, run.family, "search", config.seeds[0], rate), results)
        if row is None:
            return None
        losses[rate] = row["loss"]
    return min(losses, key=lambda rate: losses[rate])


# ---- running ---------------------------------------------------------------------------------------------------


def run_config(config: ComparisonConfig, run: Run, rate: float, runs: Path) -> TrainConfig:
    """The training config of a run at a learning rate, its folder in `runs`.

    Raises:
        ConfigError: the settings are not valid; the message names the key.
    """
    settings = config.role(run.role)
    steps = settings.search_steps if run.kind == "search" else settings.steps
    checks = 1 if run.kind == "search" else settings.checks
    values = {
        **settings.run, "backbone": run.family, "width": config.width(run.role, run.family), "seed": run.seed,
        "steps": steps, "output": runs / run.name, "validation": [settings.validation],
        "validation_limit": settings.validation_limit, "validate_every": -(-steps // checks),
        "log_every": max(1, steps // 25), "save_every": max(1, steps // 40),
        "optimizer": {**settings.run.get("optimizer", {}), "learning_rate": rate},
    }  # fmt: skip
    if run.kind == "pretrained":
        values["backbone_from"] = _characters_folder(config, run, runs) / "last.json"
    kind = DetectorTrainConfig if run.role == "detector" else RecognizerTrainConfig
    return validated(kind, values, f"{run.role}.run")


def _characters_folder(config: ComparisonConfig, run: Run, runs: Path) -> Path:
    return runs / f"characters/{run.family}-{config.width(run.role, run.family):g}"


def _characters(config: ComparisonConfig, run: Run, runs: Path) -> ClassifierTrainConfig:
    """The pretraining of a run's backbone."""
    width = config.width(run.role, run.family)
    values = {
        **config.pretraining, "name": run.family, "form": "narrow", "width": width,
        "output": _characters_folder(config, run, runs),
    }  # fmt: skip
    found = validated(ClassifierTrainConfig, values, "pretraining")
    return found.model_copy(update={"log_every": max(1, found.steps // 50)})


def network_of(config: Any) -> DetectorNetwork | RecognizerNetwork:
    """The network that a config describes, with random weights of its seed."""
    torch.manual_seed(config.seed)
    if isinstance(config, DetectorTrainConfig):
        return DetectorNetwork(DetectorConfig(config.backbone, config.width, config.neck, config.detail))
    keys = ("backbone", "width", "mixer", "mixer_layers", "height", "grid_layers", "tall")
    return RecognizerNetwork(RecognizerConfig(**{key: getattr(config, key) for key in keys}))


def with_network(task: Any, config: Any) -> Any:
    """`task` with the network, seed and start of `config`, on the data that it has loaded already."""
    other = copy.copy(task)
    other.config = config
    other.model = network_of(config)
    if config.backbone_from is not None:
        start_backbone(other.model, config.backbone_from)
    other.source = copy.copy(task.source)
    other.source.seed = config.seed
    return other


def processor() -> str:
    """The name of the processor, as far as the system tells it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


class Comparison:
    """Makes what is missing of a comparison, run by run.

    Args:
        runs: the folder of the runs.
        results: of those that are finished.
        say: gets lines for a person.
    """

    def __init__(self, config: ComparisonConfig, runs: Path, results: Results, say: Say) -> None:
        unknown = [name for name in config.families if name not in BACKBONES]
        if unknown:
            raise ConfigError(f"families: unknown backbone {unknown[0]!r}; there are: {', '.join(BACKBONES)}")
        self.config, self.runs, self.results, self.say = config, runs, results, say
        self._tasks: dict[str, Any] = {}  # one a role: its data are loaded once
        self._pictures: Any = None  # of characters, drawn once

    def go_on(self, roles: Sequence[str] = ROLES) -> None:
        """Trains what is not finished, in the order of the plan; each result is kept as soon as it is there.

        Raises:
            ConfigError: a key of the settings is wrong.
            KeyboardInterrupt: the process was asked to stop; the run in hand has saved its state.
        """
        for run in planned(self.config, roles):
            if result_of(self.config, run, self.results) is not None:
                continue
            rate = rate_of(self.config, run, self.results)
            assert rate is not None  # the search comes first
            self.say(f"== {run.name}, learning rate {rate:g}")
            if run.kind == "pretrained":
                self._pretrain(run)
            train_config = run_config(self.config, run, rate, self.runs)
            self._keep(run.name, train_config, run_once(self._task(run.role, train_config), train_config, say=self.say))

    def measure(self, again: bool = False) -> None:
        """Counts and times the networks, and keeps it as the row "costs", unless it is there already."""
        wanted = costs_config(self.config)
        if not again and self.results.found("costs", wanted) is not None:
            return
        row: dict[str, Any] = {"name": "costs", "processor": processor(), "torch": torch.__version__, "config": wanted}
        for role in ROLES:
            runs = [Run(role, family, "random") for family in self.config.families]
            configs = [run_config(self.config, run, self.config.rates[0], self.runs) for run in runs]
            row[role] = measured(role, {c.backbone: self._task(role, c) for c in configs})  # type: ignore[attr-defined]
        self.results.add(row)

    def _pretrain(self, run: Run) -> None:
        train_config = _characters(self.config, run, self.runs)
        task = ClassifierTask(train_config, self._pictures)
        self._pictures = task.training, task.validation
        result = run_once(task, train_config, say=self.say)
        name = f"characters/{train_config.output.name}"
        if self.results.found(name, what_matters(train_config)) is None:
            self._keep(name, train_config, result)

    def _task(self, role: str, train_config: Any) -> Any:
        if role not in self._tasks:
            plain = train_config.model_copy(update={"backbone_from": None})
            self._tasks = {role: DetectorTask(plain) if role == "detector" else RecognizerTask(plain)}
            self.say(self._tasks[role].describe())
        return with_network(self._tasks[role], train_config)

    def _keep(self, name: str, train_config: TrainConfig, result: dict[str, Any]) -> None:
        log = read_log(train_config.output / "log.jsonl")
        curve = [[row["step"], round(row["validation"]["score"], 4)] for row in log if "validation" in row]
        # The loss of the last fifth, of augmented pictures that are hardly ever seen twice.
        losses = [row["loss"] for row in log if "loss" in row and row["step"] > 0.8 * train_config.steps]
        figures = {key: round(value, 4) for key, value in result["figures"].items()}
        self.results.add(
            {
                "name": name, "steps": train_config.steps, "minutes": round(result["minutes"], 1), "curve": curve,
                "loss": round(sum(losses) / len(losses), 4),
                "figures": figures, "processor": processor(), "torch": torch.__version__,
                "config": what_matters(train_config),
            }
        )  # fmt: skip
        self.say(f"{name}: {json.dumps(figures)}")
