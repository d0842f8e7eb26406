"""The course's experiments and the comparison of backbones: budgets, resumed runs, pages; on tiny networks."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from signboard.backbones.arithmetic import summarise
from signboard.devices import multiplies_bytes
from signboard.errors import ConfigError, DataError
from signboard.training import comparison, experiments
from signboard.training.classifier_task import ClassifierTask
from signboard.training.comparison import ComparisonConfig, Results, Run
from signboard.training.comparison_costs import PICTURES, costs_config
from signboard.training.comparison_page import write_page
from signboard.training.config import ClassifierTrainConfig, load_config
from signboard.training.detector_task import DetectorTask
from signboard.training.experiments import ExperimentConfig

ROOT = Path(__file__).parents[2]


def _quiet(line: str) -> None:
    pass


def _experiment(folder: Path, **changes: Any) -> ExperimentConfig:
    values = {
        "title": "A trial", "question": "Which?", "steps": 3,
        "run": {
            "name": "resnet18", "form": "narrow", "width": 0.125, "size": 32, "batch_size": 4, "device": "cpu",
            "workers": 0, "threads": 1, "data": {"folder": folder},
        },
        "variants": {"wide one": {"width": 0.25}, "narrow one": {}},
        "compare": [["wide one", "narrow one"]],
        **changes,
    }  # fmt: skip
    return ExperimentConfig.model_validate(values)


def test_variants_are_trained_alike_once_and_written_down(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _experiment(folder, seeds=[0, 5])
    results = experiments.run_variants(config, "trial", tmp_path / "runs", _quiet)
    assert {label: [run["steps"] for run in runs] for label, runs in results.items()} == {
        "wide one": [3, 3],
        "narrow one": [3, 3],
    }
    assert all(run["minutes"] > 0 for runs in results.values() for run in runs)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a finished run was made again")

    monkeypatch.setattr(experiments, "train", never)
    again = experiments.run_variants(config, "trial", tmp_path / "runs", _quiet)
    assert [run["figures"] for run in again["wide one"]] == [run["figures"] for run in results["wide one"]]
    page, picture = experiments.write_variants(config, "trial", again, tmp_path / "docs", "python run.py")
    text = page.read_text()
    assert "    python run.py\n" in text and "3 steps of 4 pictures" in text and "seeds 0, 5" in text
    assert text.count("| wide one |") == 1 and "- wide one less narrow one: training error" in text
    assert Image.open(picture).width > 600


def test_a_run_of_another_budget_is_made_anew(folder: Path, tmp_path: Path) -> None:
    for steps in (2, 3):
        results = experiments.run_variants(
            _experiment(folder, steps=steps, variants={"one": {}}, compare=[]), "trial", tmp_path, _quiet
        )
        log = results["one"][0]["log"]
        assert [row["step"] for row in log if "validation" not in row] == list(range(1, steps + 1))


def test_a_stopped_run_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _experiment(folder, variants={"one": {}}, compare=[])
    loss = ClassifierTask.loss

    def stopping(task: ClassifierTask, model: Any, batch: dict[str, Any], device: torch.device) -> Any:
        if batch["step"] == 1:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)
        return loss(task, model, batch, device)

    monkeypatch.setattr(ClassifierTask, "loss", stopping)
    with pytest.raises(KeyboardInterrupt):
        experiments.run_variants(config, "trial", tmp_path, _quiet)
    monkeypatch.setattr(ClassifierTask, "loss", loss)
    lines: list[str] = []
    (result,) = experiments.run_variants(config, "trial", tmp_path, lines.append)["one"]
    assert any("resumed at step 2 of 3" in line for line in lines)
    assert result["steps"] == 3 and set(result["figures"]) >= {"top1_error", "top5_error", "cross_entropy"}


def test_the_budget_in_minutes_becomes_equal_steps(folder: Path, tmp_path: Path) -> None:
    assert experiments.affordable_steps(1.0, [0.125, 0.25], 2) == int(0.93 * 60 / 0.75)
    assert experiments.affordable_steps(1.0, [0.125, 0.25], 2, [5.0, 5.0]) == int(0.93 * 40 / 0.75)
    with pytest.raises(ConfigError, match=r"minutes: 0\.01 are too few"):
        experiments.affordable_steps(0.01, [0.5], 1)
    config = _experiment(folder, steps=None, minutes=3)
    plan = tmp_path / "plan.json"
    assert experiments.planned_steps(plan, config, lambda: (70, {"one": 0.1})) == 70
    assert experiments.planned_steps(plan, config, lambda: (99, {"one": 0.1})) == 70  # a resumed one keeps its plan
    longer = config.model_copy(update={"minutes": 6})
    assert experiments.planned_steps(plan, longer, lambda: (140, {"one": 0.1})) == 140
    with pytest.raises(ConfigError, match="give one of them"):
        experiments.planned_steps(plan, _experiment(folder, steps=None), lambda: (1, {}))


def test_a_trial_leaves_the_network_as_it_is(folder: Path) -> None:
    values = {**_experiment(folder).run, "output": folder / "x", "steps": 1}
    config = ClassifierTrainConfig.model_validate(values)
    task = ClassifierTask(config)
    before = {k: v.clone() for k, v in task.model.state_dict().items()}
    state = torch.get_rng_state()
    assert experiments.seconds_per_step(task, config, 2) > 0
    assert all(torch.equal(v, before[k]) for k, v in task.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_variants_must_share_their_pictures_and_name_real_keys(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be the same"):
        experiments.run_variants(_experiment(folder, variants={"a": {}, "b": {"size": 48}}), "t", tmp_path, _quiet)
    with pytest.raises(ConfigError, match=r"variant 'a': colour"):
        experiments.run_variants(_experiment(folder, variants={"a": {"colour": "red"}}), "t", tmp_path, _quiet)


def test_the_training_error_is_that_of_the_last_tenth() -> None:
    log = [{"step": step, "top1_error": 1.0 if step <= 18 else 0.25} for step in range(1, 21)]
    assert experiments.training_error([*log, {"step": 20, "validation": {"top1_error": 1.0}}]) == 0.25


def test_what_reduction_and_average_pooling_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "cpu_milliseconds", lambda *_, **__: 10.0)
    page, picture = experiments.reduction(tmp_path, "python scripts/experiment.py reduction")
    text = page.read_text()
    for figure in ("6,998,552", "25,305,944", "1,582,671,872", "4,426,547,200"):  # those of docs/course-notes.md
        assert figure in text
    assert "50,177,000" in text  # the class layer on the whole map, with its biases
    assert picture.is_file()


@pytest.mark.parametrize("name", ["degradation", "auxiliary"])
def test_the_shipped_experiments_are_valid(name: str) -> None:
    from signboard.training.config import read_values

    config = ExperimentConfig.model_validate(read_values(ROOT / "configs" / "experiments" / f"{name}.yaml"))
    for changes in config.variants.values():
        ClassifierTrainConfig.model_validate({**config.run, **changes, "output": ".", "steps": 1})
    assert {label for pair in config.compare for label in pair} <= set(config.variants)


# ---- comparison of backbones -----------------------------------------------------------------------------------


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """Two made-up photos with words and four word crops, for training and validation."""
    rng = np.random.default_rng(1)
    rows: dict[str, list[dict[str, Any]]] = {"scenes": [], "words": []}
    for kind, size in (("scenes", (96, 128)), ("words", (24, 60))):
        (tmp_path / kind / "images").mkdir(parents=True)
        for number in range(4):
            name = f"images/{number}.png"
            Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / kind / name)
            row: dict[str, Any] = {"image": name, "split": "val" if number > 1 else "train"}
            if kind == "words":
                row["text"] = "Main"
            else:
                word = {"polygon": [[10, 10], [80, 12], [80, 40], [10, 38]], "text": "Main", "ignore": False}
                row |= {"width": 128, "height": 96, "level": "word", "words": [word]}
            rows[kind].append(row)
        lines = "\n".join(json.dumps(row) for row in rows[kind])
        (tmp_path / kind / "labels.jsonl").write_text(lines + "\n", encoding="utf-8")
    return tmp_path


def _comparison(signs: Path, **changes: Any) -> ComparisonConfig:
    run = {"batch_size": 2, "threads": 1, "workers": 0, "device": "cpu"}
    values = {
        "families": {"resnet18": [0.125, 0.125], "googlenet": [0.125, 0.125]},
        "seeds": [3],
        "rates": [1e-3, 2e-3],
        "detector": {
            "steps": 2, "search_steps": 1, "checks": 2, "validation": {"path": signs / "scenes", "split": "val"},
            "run": {**run, "neck": 16, "side": 96, "picture": {"size": 64, "long_side": [64, 128]},
                    "data": [{"path": signs / "scenes"}]},
        },
        "recognizer": {
            "steps": 2, "search_steps": 1, "validation": {"path": signs / "words", "split": "val"},
            "run": {**run, "mixer": 32, "mixer_layers": 1, "max_width": 64, "data": [{"path": signs / "words"}]},
        },
        **changes,
    }  # fmt: skip
    return ComparisonConfig.model_validate(values)


def test_the_plan_has_every_family_once_before_the_next_seed(signs: Path) -> None:
    config = _comparison(signs, seeds=[0, 1], pretrained_seeds=[0], rates=[1e-3])
    names = [run.name for run in comparison.planned(config)]
    assert names[:4] == [
        "detector/resnet18-search-0.001", "detector/googlenet-search-0.001",
        "detector/resnet18-random-seed0", "detector/googlenet-random-seed0",
    ]  # fmt: skip
    assert names[8:10] == ["detector/resnet18-random-seed1", "detector/googlenet-random-seed1"]
    assert names[12:] == [f"{role}/{name}-pretrained-seed0" for role in comparison.ROLES for name in config.families]


def test_a_comparison_goes_on_where_it_stopped(signs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretraining = {
        "steps": 1, "batch_size": 4, "threads": 1, "workers": 0, "device": "cpu", "size": 32, "data": {"folder": folder}
    }  # fmt: skip
    config = _comparison(signs, pretrained_seeds=[3], pretraining=pretraining)
    file = signs / "docs" / "backbones.jsonl"
    train, trained = experiments.train, []

    def stopped_at_the_third(task: Any, run: Any, **options: Any) -> Any:
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append(run.output.name)
        return train(task, run, **options)

    monkeypatch.setattr(experiments, "train", stopped_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        comparison.Comparison(config, signs / "runs", Results(file), _quiet).go_on()
    assert len(file.read_text().splitlines()) == 3

    made = []
    monkeypatch.setattr(experiments, "train", lambda task, run, **o: made.append(run) or train(task, run, **o))
    comparison.Comparison(config, signs / "runs", Results(file), _quiet).go_on()
    assert len(trained) + len(made) == 8 + 4 + 2 + 4  # search, random, the two backbones' pretraining, pretrained
    assert not {run.output.name for run in made if "detector" in str(run.output)} & set(trained)
    pretrained = [run for run in made if "pretrained" in run.output.name]
    assert all(run.backbone_from.parent.parent == signs / "runs" / "characters" for run in pretrained)

    results = Results(file)
    for role in comparison.ROLES:
        for family in config.families:
            losses = {rate: results.rows[Run(role, family, "search", 3, rate).name]["loss"] for rate in config.rates}
            run = Run(role, family, "random", 3)
            assert comparison.rate_of(config, run, results) == min(losses, key=losses.__getitem__)
            assert comparison.result_of(config, run, results) is not None
    detector = results.rows["detector/resnet18-random-seed3"]
    assert [step for step, _ in detector["curve"]] == [1, 2] and detector["minutes"] >= 0 and detector["processor"]

    # Nothing is missing; other settings make all of one stage anew.
    made.clear()
    comparison.Comparison(config, signs / "runs", results, _quiet).go_on()
    assert not made
    longer = _comparison(signs, detector={**config.detector.model_dump(), "search_steps": 2})
    assert comparison.result_of(longer, Run("detector", "resnet18", "search", 3, 1e-3), results) is None
    assert comparison.result_of(longer, Run("detector", "resnet18", "random", 3), results) is None
    assert comparison.result_of(longer, Run("recognizer", "resnet18", "random", 3), results) is not None


def _row(config: ComparisonConfig, run: Run, rate: float, **values: Any) -> dict[str, Any]:
    matters = experiments.what_matters(comparison.run_config(config, run, rate, Path()))
    return {"name": run.name, "config": matters, **values}


def test_the_page_says_what_is_finished(signs: Path) -> None:
    config = _comparison(signs, seeds=[3, 4], pretrained_seeds=[3])
    results = Results(signs / "backbones.jsonl")
    for rate, loss in ((1e-3, 2.0), (2e-3, 1.5)):
        results.add(_row(config, Run("detector", "resnet18", "search", 3, rate), rate, loss=loss, curve=[[1, 0.0]]))
    for kind, end in (("random", 0.5), ("pretrained", 0.625)):
        run = Run("detector", "resnet18", kind, 3)
        results.add(_row(config, run, 2e-3, curve=[[1, 0.25], [2, end]]))
    cost = {"parameters": 1e5, "multiply_adds": 2e6, "float32_ms": 3.0, "backbone_ms": 2.0, "backbone_int8_ms": None}
    by_role = {
        role: {"resnet18": {**cost, "seconds_per_step": 60.0}, "googlenet": {**cost, "seconds_per_step": 45.0}}
        for role in comparison.ROLES
    }
    results.add({"name": "costs", "config": costs_config(config), "processor": "a Xeon", **by_role})
    page, *pictures = write_page(config, Results(results.file), signs / "docs", "python compare.py")
    text = page.read_text()
    assert "**Finished: 4 of 20 runs** (detector, search: 2 of 4; detector, random: 1 of 4;" in text
    # At equal time: 2 steps of 45 seconds are one and a half of 60, half way from 25 % to 50 %.
    assert "| resnet18 | 0.125 | 100 k | 2 M | 3.0 | 2.0 | - | 0.002 | 2 | 50.0 | 37.5 |" in text
    assert "| googlenet | 0.125 | 100 k | 2 M | 3.0 | 2.0 | - | - | 2 | not run | not run |" in text
    assert "| detector | resnet18 | - | at the end | 50.0 | 62.5 |" in text
    assert "| detector | resnet18 | 2.000 | 1.500 | 0.002 |" in text and "a Xeon" in text
    assert [Image.open(picture).width > 800 for picture in pictures] == [True, True]
    assert all(f"({picture.name})" in text for picture in pictures)


def test_a_page_of_nothing_can_be_written(signs: Path) -> None:
    page, *pictures = write_page(_comparison(signs), Results(signs / "none.jsonl"), signs / "docs", "python compare.py")
    text = page.read_text()
    assert "**Finished: 0 of 12 runs**" in text and "Not measured yet." in text
    assert not pictures and ".png" not in text


def test_networks_are_measured_once(signs: Path) -> None:
    config = _comparison(signs)
    made = comparison.Comparison(config, signs / "runs", Results(signs / "backbones.jsonl"), _quiet)
    made.measure()
    row = made.results.rows["costs"]
    assert row["detector"]["googlenet"]["multiply_adds"] != row["detector"]["resnet18"]["multiply_adds"]
    for cost in row["recognizer"].values():
        assert all(cost[name] > 0 for name in ("float32_ms", "backbone_ms", "seconds_per_step"))
        assert (cost["backbone_int8_ms"] is not None) == multiplies_bytes()
    made.measure()
    assert len(made.results.file.read_text().splitlines()) == 1


def test_a_seed_gives_its_own_network_and_order_on_the_same_data(signs: Path) -> None:
    config = _comparison(signs)
    made = []
    first: Any = None
    for seed in (0, 0, 1):
        run = comparison.run_config(config, Run("detector", "resnet18", "random", seed), 1e-3, signs)
        first = first or DetectorTask(run)  # type: ignore[arg-type]
        made.append(comparison.with_network(first, run))
    weights = [next(task.model.parameters()) for task in made]
    batches = [task.source.pool(0)[0]["image"] for task in made]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert torch.equal(batches[0], batches[1]) and not torch.equal(batches[0], batches[2])
    assert made[0].sources is made[2].sources


def test_an_unknown_family_lists_those_there_are(signs: Path) -> None:
    config = _comparison(signs, families={"lenet": [0.1, 0.1]})
    with pytest.raises(ConfigError, match=r"unknown backbone 'lenet'; there are: alexnet"):
        comparison.Comparison(config, signs / "runs", Results(signs / "none.jsonl"), _quiet)


def test_a_damaged_file_of_results_is_named(tmp_path: Path) -> None:
    (tmp_path / "backbones.jsonl").write_text('{"name": "costs"}\n<<<<<<< HEAD\n')
    with pytest.raises(DataError, match=r"backbones.jsonl, line 2"):
        Results(tmp_path / "backbones.jsonl")


def test_the_shipped_comparison_is_valid_and_its_families_cost_alike() -> None:
    config = load_config(ComparisonConfig, ROOT / "configs" / "compare_backbones.yaml")
    for role in comparison.ROLES:
        spent = []
        for family in config.families:
            for kind in ("search", "random", "pretrained"):
                run: Any = comparison.run_config(config, Run(role, family, kind, 0, 1e-3), 1e-3, Path())
            spent.append(summarise(comparison.network_of(run).eval(), (3, *PICTURES[role])).multiply_adds)
        assert max(spent) < 1.05 * min(spent)


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("experiment", ["degradation", "--fonts", "{}/none"], "none: no TTF"),
        ("compare_backbones", ["--config", "{}/none.yaml"], "cannot be read"),
    ],
)
def test_the_scripts_say_an_error_in_one_line(
    script: str, arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location(script, ROOT / "scripts" / f"{script}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main([*(a.format(tmp_path) for a in arguments), "--runs", str(tmp_path / "runs")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and message in said and said.count("\n") == 1
