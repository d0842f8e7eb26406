"""The training loop: exact resume, the schedule, early errors, both tasks for two steps on made-up data."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from signboard.detection import Detector
from signboard.errors import ConfigError, DataError, SignboardError
from signboard.recognition import Recognizer
from signboard.training.config import DetectorTrainConfig, RecognizerTrainConfig, TrainConfig, load_config
from signboard.training.crops import cut_with_margin
from signboard.training.detector_task import DetectorTask
from signboard.training.engine import learning_rate, make_optimizer, train
from signboard.training.launch import pick_precision
from signboard.training.muon import Muon
from signboard.training.recognizer_task import RecognizerTask

ROOT = Path(__file__).parents[2]


def test_auto_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    for in_hardware, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr("signboard.devices.multiplies_bfloat16", lambda answer=in_hardware: answer)
        assert pick_precision("auto", cpu) == expected and pick_precision("bf16", cpu) == torch.bfloat16
        lines: list[str] = []
        config = TrainConfig(
            output=tmp_path / str(in_hardware), steps=2, batch_size=8, precision="auto", workers=0, device="cpu"
        )
        train(_Toy(), config, log=lines.append)
        assert str(expected).removeprefix("torch.") in lines[0]
        muon = config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"kind": "muon"})})
        optimizer = make_optimizer(_Toy().model, muon, expected)
        assert isinstance(optimizer, Muon) and optimizer.dtype == (torch.bfloat16 if in_hardware else None)


class _Numbers:
    def pool(self, index: int) -> list[dict[str, Any]]:
        rng = np.random.default_rng([5, index])
        return [{"x": torch.from_numpy(rng.normal(0, 1, (8, 4)).astype(np.float32)), "size": 8} for _ in range(3)]


class _Toy:
    """Fits y = sum(x) with dropout, so that the random state matters too."""

    name = "toy"
    batches_per_pool = 3

    def __init__(self, blow_up_at: int = -1) -> None:
        torch.manual_seed(3)
        self.model: nn.Module = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.source = _Numbers()
        self.blow_up_at = blow_up_at

    def loss(self, model: nn.Module, batch: dict[str, Any], device: torch.device) -> dict[str, torch.Tensor]:
        x = batch["x"].to(device)
        loss = ((model(x)[:, 0] - x.sum(dim=1)) ** 2).mean()
        return {"loss": loss * float("nan") if batch["step"] == self.blow_up_at else loss}

    def validate(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        assert not model.training
        return {"score": 1.0}

    def card(self, model: nn.Module, figures: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "toy", "figures": figures}

    def save_pictures(self, folder: Path, batch: dict[str, Any]) -> None:
        folder.mkdir(exist_ok=True)


def _config(output: Path, steps: int) -> TrainConfig:
    return TrainConfig(
        output=output,
        steps=steps,
        batch_size=8,
        device="cpu",
        workers=0,
        log_every=1,
        validate_every=1000,
        save_every=1000,
    )


def _quiet(line: str) -> None:
    pass


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path: Path, workers: int) -> None:
    whole, broken = _Toy(), _Toy()
    configs = [_config(tmp_path / name, 11).model_copy(update={"workers": workers}) for name in ("a", "b")]
    train(whole, configs[0], log=_quiet)
    train(_Stopping(broken, at=4), configs[1], log=_quiet)  # in the middle of a pool of three
    again = _Toy()
    train(again, configs[1], resume=True, log=_quiet)
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_run_can_be_resumed_in_another_precision(tmp_path: Path) -> None:
    _resumed_in(tmp_path, "cpu", ["bf16", "fp32", "bf16"])
    with pytest.raises(ConfigError, match="fp16"):
        train(_Toy(), _config(tmp_path, 9).model_copy(update={"precision": "fp16"}), log=_quiet)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_can_be_resumed_in_another_precision_on_cuda(tmp_path: Path) -> None:
    _resumed_in(tmp_path, "cuda", ["bf16", "fp16", "fp32", "fp16"])


def _resumed_in(folder: Path, device: str, precisions: list[str]) -> None:
    for number, precision in enumerate(precisions):
        lines: list[str] = []
        config = _config(folder, 4 + 2 * number).model_copy(update={"precision": precision, "device": device})
        train(_Toy(), config, resume=number > 0, log=lines.append)
        assert number == 0 or lines[0] == f"resumed at step {2 + 2 * number} of {4 + 2 * number}"


def test_two_batches_a_step_are_one_of_twice_the_size(tmp_path: Path) -> None:
    class Even(_Toy):
        """Without dropout, in pools of two batches; `whole` puts both into one."""

        batches_per_pool = 2

        def __init__(self, whole: bool) -> None:
            super().__init__()
            self.model = nn.Linear(4, 1)
            nn.init.constant_(self.model.weight, 0.3)
            nn.init.zeros_(self.model.bias)
            self.source = self  # type: ignore[assignment]
            self.whole = whole
            self.batches_per_pool = 1 if whole else 2

        def pool(self, index: int) -> list[dict[str, Any]]:
            one, two, _ = _Numbers().pool(index)
            both = {"x": torch.cat([one["x"], two["x"]]), "size": 16}
            return [both] if self.whole else [one, two]

        def loss(self, model: nn.Module, batch: dict[str, Any], device: torch.device) -> dict[str, torch.Tensor]:
            return {"loss": ((model(batch["x"])[:, 0] - batch["x"].sum(dim=1)) ** 2).mean()}

    apart, together = Even(False), Even(True)
    train(apart, _config(tmp_path / "a", 5).model_copy(update={"accumulate": 2}), log=_quiet)
    train(together, _config(tmp_path / "b", 5), log=_quiet)
    for a, b in zip(apart.model.parameters(), together.model.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_workers_start_after_opencv_has_used_its_threads(tmp_path: Path) -> None:
    code = f"""
import cv2, os, sys, numpy as np
from pathlib import Path
from tests.training.test_engine import _Toy, _config, _quiet, train
cv2.setNumThreads(2)
count = lambda: len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0
before = count()
cv2.warpPerspective(np.zeros((1500, 1500, 3), np.uint8), np.eye(3), (1500, 1500))
assert count() > before or sys.platform != "linux"
train(_Toy(), _config(Path({str(tmp_path)!r}), 4).model_copy(update={{"workers": 1}}), log=_quiet)
assert cv2.getNumThreads() == 2
"""
    # In a process of its own, which can be given up: workers that wait for the parent's threads wait for ever.
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120, check=True)


class _Stopping:
    """A task that asks for the end of the run, as Ctrl-C does, at a given step."""

    def __init__(self, task: _Toy, at: int) -> None:
        self._task, self._at = task, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def loss(self, model: nn.Module, batch: dict[str, Any], device: torch.device) -> dict[str, torch.Tensor]:
        if batch["step"] == self._at:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)
        return self._task.loss(model, batch, device)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(SignboardError, match="not finite at step 3"):
        train(_Toy(blow_up_at=2), _config(tmp_path, 10), log=_quiet)


def test_nothing_to_resume_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(SignboardError, match="nothing to resume"):
        train(_Toy(), _config(tmp_path, 10), resume=True, log=_quiet)


def test_the_schedule_warms_up_holds_and_falls() -> None:
    config = TrainConfig.model_validate(
        {
            "output": ".",
            "steps": 100,
            "batch_size": 1,
            "optimizer": {"learning_rate": 1.0, "warmup_steps": 10, "decay": 0.4},
        }
    )
    rates = [learning_rate(s, config) for s in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[30] == 1.0 and rates[59] == 1.0
    assert rates[-1] < 0.02 and all(a >= b for a, b in itertools.pairwise(rates[10:]))


@pytest.mark.parametrize("name", ["detector.yaml", "recognizer.yaml"])
def test_the_shipped_configs_are_valid(name: str) -> None:
    kind = DetectorTrainConfig if "detector" in name else RecognizerTrainConfig
    assert load_config(kind, ROOT / "configs" / name).steps > 0


def test_config_errors_name_the_key(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("output: runs\nsteps: 10\nbatch_size: 2\ncolour: red\n")
    with pytest.raises(ConfigError, match="colour"):
        load_config(TrainConfig, file)
    file.write_text("output: runs\nsteps: -1\nbatch_size: 2\n")
    with pytest.raises(ConfigError, match="steps"):
        load_config(TrainConfig, file)
    assert load_config(TrainConfig, file, ["steps=5", "optimizer.learning_rate=0.5"]).optimizer.learning_rate == 0.5
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(TrainConfig, tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        load_config(TrainConfig, file, ["steps"])


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Three photos with two words each, in the labels.jsonl form."""
    folder = tmp_path / "scenes"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)).save(folder / "images" / f"{i}.png")
        words = [
            {"polygon": [[10, 10], [80, 12], [80, 40], [10, 38]], "text": "दिल्ली", "ignore": False},
            {"polygon": [[90, 60], [150, 60], [150, 85], [90, 85]], "text": "Main", "ignore": False},
            {"polygon": [[5, 90], [30, 90], [30, 100], [5, 100]], "text": "###", "ignore": True},
        ]
        rows.append(
            {"image": f"images/{i}.png", "width": 160, "height": 120, "level": "word", "split": "train", "words": words}
        )
    (folder / "labels.jsonl").write_text("\n".join(json.dumps(r) for r in rows) + "\n", encoding="utf-8")
    return folder


def test_two_steps_of_the_detector(tmp_path: Path, scenes: Path) -> None:
    config = DetectorTrainConfig.model_validate(
        {
            "output": tmp_path / "run", "steps": 2, "batch_size": 2, "device": "cpu", "workers": 0,
            "width": 0.125, "neck": 16,
            "picture": {"size": 64, "long_side": [64, 200]}, "side": 128,
            "data": [{"path": scenes}], "validation": [{"path": scenes, "split": "train"}],
        }
    )  # fmt: skip
    figures = train(DetectorTask(config), config, log=_quiet)
    assert 0.0 <= figures["score"] <= 1.0
    assert (tmp_path / "run" / "samples" / "detector.png").is_file()
    assert Detector.load(tmp_path / "run" / "last.json").side == 128


def test_two_steps_of_the_recognizer(tmp_path: Path, scenes: Path) -> None:
    config = RecognizerTrainConfig.model_validate(
        {
            "output": tmp_path / "run", "steps": 2, "batch_size": 3, "device": "cpu", "workers": 0,
            "width": 0.125, "mixer": 32, "mixer_layers": 1, "flat_start_steps": 2,
            "scenes": [{"path": scenes}], "validation": [{"path": scenes, "split": "train"}],
        }
    )  # fmt: skip
    task = RecognizerTask(config)
    assert "3 devanagari" in task.describe() and "3 latin" in task.describe()
    train(task, config, log=_quiet)
    assert (tmp_path / "run" / "samples" / "recognizer.png").is_file()
    assert len(Recognizer.load(tmp_path / "run" / "last.json").read_crops([np.zeros((20, 50, 3), np.uint8)])) == 1


def test_batches_depend_on_seed_and_index_alone(tmp_path: Path, scenes: Path) -> None:
    values = {
        "output": tmp_path,
        "steps": 1,
        "batch_size": 2,
        "data": [{"path": scenes}],
        "picture": {"size": 64, "long_side": [64, 200]},
    }
    one, two = (DetectorTask(DetectorTrainConfig.model_validate(values)).source for _ in range(2))
    two.pool(0)
    a, b = one.pool(7)[0], two.pool(7)[0]
    assert all(torch.equal(a[k], b[k]) for k in ("image", "kernel", "threshold"))
    assert not torch.equal(a["image"], one.pool(8)[0]["image"])


def test_labels_outside_the_charset_stop_the_run_before_it_starts(tmp_path: Path) -> None:
    folder = tmp_path / "words"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (40, 20)).save(folder / "images" / "0.png")
    (folder / "labels.jsonl").write_text(
        json.dumps({"image": "images/0.png", "text": "日本", "split": "train"}) + "\n", encoding="utf-8"
    )
    config = RecognizerTrainConfig.model_validate(
        {"output": tmp_path, "steps": 1, "batch_size": 1, "data": [{"path": folder}]}
    )
    with pytest.raises(DataError, match="日"):
        RecognizerTask(config)


def test_no_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to train on"):
        RecognizerTask(RecognizerTrainConfig.model_validate({"output": tmp_path, "steps": 1, "batch_size": 1}))
    with pytest.raises(ConfigError, match="fonts"):
        DetectorTask(
            DetectorTrainConfig.model_validate({"output": tmp_path, "steps": 1, "batch_size": 1, "live_synthesis": 1})
        )


@pytest.mark.parametrize(("right", "rows"), [(450, 56), (250, 88)])  # words not much wider than high keep more rows
def test_a_word_is_cut_with_its_surroundings(right: int, rows: int) -> None:
    photo = np.zeros((200, 500, 3), np.uint8)
    photo[50:150, 100:right] = 255
    crop = cut_with_margin(photo, np.array([[100, 50], [right, 50], [right, 150], [100, 150]], np.float32), "word")
    x0, y0 = np.round(crop.quad.min(axis=0)).astype(int)
    x1, y1 = np.round(crop.quad.max(axis=0)).astype(int)
    assert y1 - y0 == pytest.approx(rows, abs=1)
    assert crop.image[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2].min() == 255
    assert crop.image[: y0 - 2].max() == 0 and crop.image.shape[0] > y1 + 10
