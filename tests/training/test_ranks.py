"""Several processes train together: weights of one unbroken run, one end for all, one process that validates."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from signboard.training.config import TrainConfig
from signboard.training.engine import train

ROOT = Path(__file__).parents[2]


class _Numbers:
    """Pool i holds two batches of numbers that depend on i alone."""

    def pool(self, index: int) -> list[dict[str, Any]]:
        generator = torch.Generator().manual_seed(index)
        return [{"x": torch.randn(4, 3, generator=generator), "size": 4} for _ in range(2)]


class Sum:
    """Learns the sum of three numbers; validation and pictures leave a file that says which rank made them."""

    name = "sum"
    batches_per_pool = 2

    def __init__(self, output: Path, stop_rank: int, stop_at: int) -> None:
        torch.manual_seed(1)
        self.model: nn.Module = nn.Linear(3, 1)
        self.source = _Numbers()
        self.output, self.stop_rank, self.stop_at = output, stop_rank, stop_at
        self.rank = int(os.environ["RANK"])

    def loss(self, model: nn.Module, batch: dict[str, Any], device: torch.device) -> dict[str, torch.Tensor]:
        if batch["step"] == self.stop_at and self.rank == self.stop_rank:
            os.kill(os.getpid(), signal.SIGTERM)
        x = batch["x"].to(device)
        return {"loss": ((model(x)[:, 0] - x.sum(dim=1)) ** 2).mean()}

    def validate(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        (self.output / f"validated-by-{self.rank}").touch()
        return {"score": 0.5}

    def card(self, model: nn.Module, figures: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "sum", "figures": figures}

    def save_pictures(self, folder: Path, batch: dict[str, Any]) -> None:
        (self.output / f"pictured-by-{self.rank}").touch()


def run_rank(output: str, steps: str, resume: str, stop_rank: str, stop_at: str) -> None:
    """What each process of a test runs; the last line says at which step it ended."""
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    config = TrainConfig(
        output=folder, steps=int(steps), batch_size=4, device="cpu", workers=0, threads=1,
        log_every=5, validate_every=1000, save_every=1000, accumulate=2,
    )  # fmt: skip
    task = Sum(folder, int(stop_rank), int(stop_at))
    train(task, config, resume=resume == "yes")
    weights = [round(float(p), 6) for p in task.model.weight.flatten()]  # type: ignore[union-attr, arg-type]
    (folder / f"weights-{task.rank}.json").write_text(json.dumps(weights))


def _run(output: Path, steps: int, *, resume: bool = False, stop_rank: int = -1, stop_at: int = -1) -> list[Any]:
    """Two processes; the weights that each ended with."""
    arguments = [str(output), str(steps), "yes" if resume else "no", str(stop_rank), str(stop_at)]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "-m", "tests.training.test_ranks"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads((output / f"weights-{rank}.json").read_text()) for rank in (0, 1)]


def _steps(output: Path) -> int:
    return int(torch.load(output / "last.pt", weights_only=True)["step"])


@pytest.mark.slow
def test_two_processes_stop_together_resume_and_end_as_an_unbroken_run_does(tmp_path: Path) -> None:
    whole = _run(tmp_path / "whole", 32)
    assert whole[0] == whole[1]
    assert _steps(tmp_path / "whole") == 32
    assert sorted(p.name for p in (tmp_path / "whole").glob("*-by-*")) == ["pictured-by-0", "validated-by-0"]
    rows = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    # Two ranks, two batches a step, four numbers a batch.
    assert [row["samples"] for row in rows if "loss" in row] == [80 * n for n in range(1, 7)]
    # One process alone is asked to stop: both end at the same step, soon after.
    _run(tmp_path / "broken", 32, stop_rank=1, stop_at=13)
    assert _steps(tmp_path / "broken") == 20
    assert _run(tmp_path / "broken", 32, resume=True) == whole


if __name__ == "__main__":
    run_rank(*sys.argv[1:])
