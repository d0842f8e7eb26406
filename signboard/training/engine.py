"""The training loop that both stages share: schedule, mean of weights, exact resume, logging, any number of ranks."""

from __future__ import annotations

import json
import math
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from signboard.backbones.heads import TrainingForm
from signboard.errors import SignboardError, WeightsError
from signboard.progress import Progress
from signboard.training.batches import Batch, Batches, BatchSource
from signboard.training.config import TrainConfig
from signboard.training.data_root import without_root
from signboard.training.launch import launch, leave, pick_precision, spread_out
from signboard.training.muon import Muon, parameter_groups
from signboard.weights import save_weights

BETAS = (0.9, 0.99)
# Ranks ask each other whether to stop once in so many steps: a question takes a moment in which none computes.
_ASK_EVERY = 10


class Task(Protocol):
    """What is trained: a network, its data, its loss, its validation."""

    name: str
    model: nn.Module
    source: BatchSource
    batches_per_pool: int

    def loss(self, model: nn.Module, batch: Batch, device: torch.device) -> dict[str, Tensor]:
        """{"loss": scalar to minimise, ...scalars to log}."""
        ...

    def validate(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        """Figures on the validation sets; the one called "score" says which weights are best."""
        ...

    def card(self, model: nn.Module, figures: dict[str, Any]) -> dict[str, Any]:
        """The card that goes with the weights of `model`."""
        ...

    def save_pictures(self, folder: Path, batch: Batch) -> None:
        """Pictures of what the network is fed, for a person to look at before the run."""
        ...


class Ema:
    """A running mean of a network's weights (Polyak averaging), warmed up so that early weights are soon forgotten."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards `model`, which has made `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)


def learning_rate(step: int, config: TrainConfig) -> float:
    """Learning rate at `step`: linear warm-up, a plateau, then a cosine fall to 1 % over the last `decay` of the run.

    A plateau lets a run be prolonged without regret (Hägele et al. 2024, "Scaling laws and compute-optimal training
    beyond fixed training durations").
    """
    o = config.optimizer
    warm = min(1.0, (step + 1) / max(o.warmup_steps, 1))
    begin = config.steps * (1.0 - o.decay)
    fall = min(max((step - begin) / max(config.steps - begin, 1), 0.0), 1.0)
    return o.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fall)))


def make_optimizer(
    model: nn.Module, config: TrainConfig, precision: torch.dtype = torch.float32
) -> torch.optim.Optimizer:
    """The optimizer that `config.optimizer` names, for a run whose products are computed in `precision`."""
    o = config.optimizer
    groups = parameter_groups(model, o.weight_decay, muon=o.kind == "muon")
    if o.kind == "muon":
        # A third of a small network's step on a processor was orthogonalisation in float32.
        half = torch.bfloat16 if precision == torch.bfloat16 else None
        return Muon(groups, o.learning_rate, betas=BETAS, dtype=half)
    return torch.optim.AdamW(groups, lr=o.learning_rate, betas=BETAS)


class _Stop:
    """Turns SIGINT and SIGTERM into a flag, so that a run ends after the step in hand, with its state saved."""

    def __init__(self) -> None:
        self.asked = False
        self._previous = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


class _Sums:
    """Sums of what is logged, kept on the device: a number is fetched when a row is due, not at every step."""

    def __init__(self) -> None:
        self.steps = 0
        self._sums: dict[str, Tensor] = {}
        self._bad: Tensor | None = None  # the first step whose loss was not finite

    def add(self, values: dict[str, Tensor], step: int) -> None:
        """Takes the scalars of `step` into account."""
        for key, value in values.items():
            value = value.detach().float()
            self._sums[key] = self._sums[key] + value if key in self._sums else value.clone()
        bad = torch.where(torch.isfinite(values["loss"].detach()), torch.inf, float(step))
        self._bad = bad if self._bad is None else torch.minimum(self._bad, bad)
        self.steps += 1

    def check(self, fabric: Fabric) -> None:
        """Looks at the losses of all ranks since the last means.

        Raises:
            SignboardError: one was not finite.
        """
        if self._bad is None:
            return
        step = -float(_of_all(fabric, -self._bad, "max"))
        if math.isfinite(step):
            raise SignboardError(
                f"the loss is not finite at step {step:.0f}; lower optimizer.learning_rate or look at the data"
            )

    def means(self, fabric: Fabric) -> dict[str, float]:
        """The mean over steps and ranks of each scalar; begins anew.

        Raises:
            SignboardError: as `check`.
        """
        self.check(fabric)
        sums = _of_all(fabric, torch.stack(list(self._sums.values())), "mean").tolist()
        result = {key: number / self.steps for key, number in zip(self._sums, sums, strict=True)}
        self.steps, self._sums, self._bad = 0, {}, None
        return result


def _of_all(fabric: Fabric, value: Tensor, operation: str) -> Tensor:
    """`value` of all ranks together; of one rank, as it is."""
    if fabric.world_size == 1:
        return value
    result = fabric.all_reduce(value, reduce_op=operation)
    assert isinstance(result, Tensor)
    return result


class _Run:
    """A run's state: network, optimizer, mean of weights, where it stands, and the files that it writes."""

    def __init__(self, task: Task, config: TrainConfig, fabric: Fabric) -> None:
        self.task, self.config, self.fabric = task, config, fabric
        self.output = Path(config.output)
        self.precision = pick_precision(config.precision, fabric.device)
        model = task.model.to(fabric.device).to(memory_format=torch.channels_last)
        self.model = spread_out(model, fabric.world_size, fabric.device)
        self.optimizer = make_optimizer(self.model, config, self.precision)
        compiled: Any = self.model
        if config.compile and fabric.device.type == "cuda" and fabric.world_size == 1:
            compiled = torch.compile(self.model, dynamic=True)
        self.wrapped, self.stepper = fabric.setup(compiled, self.optimizer)
        self.ema = Ema(self.model, config.ema)
        self.step, self.seen, self.spent, self.best = 0, 0, 0.0, -math.inf
        self.architecture = json.dumps(getattr(task, "architecture", {}))
        self.checkpoint = self.output / "last.pt"

    @property
    def _scaler(self) -> Any:
        return getattr(self.fabric._precision, "scaler", None)  # Fabric keeps it to itself

    def save_checkpoint(self) -> None:
        """Writes everything needed to resume; on the first rank alone."""
        if self.fabric.is_global_zero:
            device = self.fabric.device
            temporary = self.checkpoint.with_suffix(".tmp")
            torch.save(
                {
                    "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "scaler": self._scaler.state_dict() if self._scaler else {},
                    "ema": self.ema.state, "step": self.step, "seen": self.seen, "spent": self.spent,
                    "best": self.best, "architecture": self.architecture,
                    "rng": torch.get_rng_state(),
                    "cuda_rng": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
                },
                temporary,
            )  # fmt: skip
            temporary.replace(self.checkpoint)

    def resume(self) -> None:
        """Goes on from the checkpoint. Another precision than before is allowed.

        Raises:
            SignboardError: there is none.
            WeightsError: it is of another architecture.
        """
        if not self.checkpoint.is_file():
            raise SignboardError(f"{self.checkpoint}: nothing to resume from; leave --resume out to start a new run")
        device = self.fabric.device
        # Our own file of tensors and numbers; weights_only keeps anything else from being unpickled.
        state = torch.load(self.checkpoint, map_location=device, weights_only=True)
        # Networks may differ without a weight that tells them apart: a plain and a residual one, for example.
        if state.get("architecture", self.architecture) != self.architecture:
            theirs = state["architecture"]
            raise WeightsError(f"{self.checkpoint}: is of another architecture ({theirs}, not {self.architecture})")
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError:
            raise WeightsError(
                f"{self.checkpoint}: is of another architecture; name its config, or another output folder"
            ) from None
        self.optimizer.load_state_dict(state["optimizer"])
        if self._scaler and state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        self.ema.state = state["ema"]
        self.step, self.seen, self.spent, self.best = (state[k] for k in ("step", "seen", "spent", "best"))
        torch.set_rng_state(state["rng"].cpu())
        if device.type == "cuda" and state.get("cuda_rng") is not None:
            torch.cuda.set_rng_state(state["cuda_rng"].cpu(), device)

    def save_weights(self, figures: dict[str, Any], name: str) -> None:
        """Writes the mean of the weights with its card; on the first rank alone."""
        if self.fabric.is_global_zero:
            keep = self._with_mean()
            training = {
                "steps": self.step,
                "samples": self.seen,
                "seconds": round(self.spent),
                "config": without_root(self.config.model_dump(mode="json")),
            }
            bare = self.model.model if isinstance(self.model, TrainingForm) else self.model
            card = {**self.task.card(self.model, figures), "training": training}
            save_weights(self.output / f"{name}.json", bare.state_dict(), card)
            self.model.load_state_dict(keep)

    def validate(self) -> dict[str, float]:
        """The task's figures for the mean of the weights; on the first rank, while the others wait; {} on them."""
        figures: dict[str, float] = {}
        if self.fabric.is_global_zero:
            keep = self._with_mean()
            self.model.eval()
            with torch.inference_mode():
                figures = self.task.validate(self.model, self.fabric.device)
            self.model.train()
            self.model.load_state_dict(keep)
        self.fabric.barrier()
        return figures

    def _with_mean(self) -> dict[str, Tensor]:
        """Gives the network the mean of its weights; returns those it had."""
        keep = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.ema.state)
        return keep

    def make_step(self, batches: Batches) -> tuple[dict[str, Tensor], int]:
        """One step of the optimizer: (scalars to log, samples on this rank)."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.config)
        count = self.config.accumulate
        sums: dict[str, Tensor] = {}
        samples = 0
        for part in range(count):
            batch = next(batches)
            batch["step"] = self.step
            if self.step == 0 and part == 0 and self.fabric.is_global_zero:
                self.task.save_pictures(self.output / "samples", batch)
            samples += int(batch["size"])
            with self.fabric.no_backward_sync(self.wrapped, enabled=part < count - 1):
                with self.fabric.autocast():
                    losses = self.task.loss(self.wrapped, batch, self.fabric.device)
                self.fabric.backward(losses["loss"] / count)
            for key, value in losses.items():
                sums[key] = sums.get(key, 0.0) + value.detach() / count
        norm = self.fabric.clip_gradients(
            self.wrapped, self.stepper, max_norm=self.config.optimizer.clip_norm, error_if_nonfinite=False
        )
        self.stepper.step()
        self.stepper.zero_grad(set_to_none=True)
        self.step += 1
        self.seen += samples * self.fabric.world_size
        self.ema.update(self.model, self.step)
        assert norm is not None
        return {**sums, "norm": norm.clamp(max=1e6)}, samples


def train(
    task: Task,
    config: TrainConfig,
    *,
    resume: bool = False,
    log: Callable[[str], None] | None = None,
    watch: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train `task` as `config` says, into the folder `config.output`.

    Writes there: `config.json`, `log.jsonl` (a row each `log_every` steps and each validation), `samples/` (pictures of
    the first batch), `last.pt` (everything needed to resume), `best.json`/`.safetensors` and `last.json`/`.safetensors`
    (fp16 weights with their card).

    Args:
        resume: go on from `last.pt`; the schedule is that of `config`, which may be longer or shorter than before.
        log: gets lines for a person; standard error by default.
        watch: gets each row of the log as it is written.

    Returns:
        The last validation's figures.

    Raises:
        SignboardError: the loss is not finite, or there is nothing to resume from.
        WeightsError: the checkpoint to resume from is of another architecture.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    random.seed(config.seed)
    np.random.seed(config.seed % 2**32)  # noqa: NPY002  albumentations and others may fall back on the global state
    fabric = launch(config)
    try:
        return _train(_Run(task, config, fabric), resume, log, watch)
    finally:
        leave()


def _train(
    run: _Run,
    resume: bool,
    log: Callable[[str], None] | None,
    watch: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any]:
    config, fabric, task = run.config, run.fabric, run.task
    first = fabric.is_global_zero
    run.output.mkdir(parents=True, exist_ok=True)

    bar = Progress(config.steps, shown=None if first and log is None else False, unit="steps")

    def say(line: str) -> None:
        if first:
            (log or bar.say)(line)

    if resume:
        run.resume()
        say(f"resumed at step {run.step} of {config.steps}")
    if first:
        (run.output / "config.json").write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    parameters = sum(p.numel() for p in run.model.parameters())
    say(
        f"{task.name}: {parameters / 1e6:.2f} M parameters, {config.steps} steps of {config.batch_size} x "
        f"{fabric.world_size * config.accumulate}, {fabric.device}, {str(run.precision).removeprefix('torch.')}, "
        f"{torch.get_num_threads()} threads, output {run.output}"
    )
    rows = (run.output / "log.jsonl").open("a", encoding="utf-8") if first else None

    bar.begin(run.step)

    def write(row: dict[str, Any]) -> None:
        if rows is not None:
            rows.write(json.dumps(row, ensure_ascii=False) + "\n")
            rows.flush()
            if watch is not None:
                watch(row)

    stop = _Stop()
    figures: dict[str, Any] = {}
    try:
        batches = Batches(
            task.source,
            task.batches_per_pool,
            first=run.step * config.accumulate,
            rank=fabric.global_rank,
            world=fabric.world_size,
            workers=config.workers,
            prefetch=config.prefetch,
            pinned=fabric.device.type == "cuda",
            seed=config.seed,
        )
        sums, began, samples = _Sums(), time.monotonic(), 0
        run.model.train()
        while run.step < config.steps and not _all_stop(stop, run):
            try:
                losses, count = run.make_step(batches)
            except RuntimeError:
                if stop.asked and fabric.world_size == 1:  # who asked us to stop stopped the worker processes, too
                    break
                raise
            bar.to(run.step)
            sums.add(losses, run.step)
            samples += count * fabric.world_size
            if run.step % config.log_every == 0:
                steps, means = sums.steps, sums.means(fabric)
                seconds = time.monotonic() - began
                run.spent += seconds
                rate, speed, waiting = learning_rate(run.step - 1, config), samples / seconds, batches.waited / seconds
                row = {"step": run.step, "samples": run.seen, "lr": rate, "per_second": round(speed, 1)}
                write({**row, "waiting": round(waiting, 3), **{k: round(v, 4) for k, v in means.items()}})
                text = " ".join(f"{k} {v:.3f}" for k, v in means.items())
                left = (config.steps - run.step) * seconds / steps / 60
                say(
                    f"step {run.step}/{config.steps} {text} lr {rate:.2e} {speed:.1f}/s waiting {waiting:.0%} "
                    f"left {left:.0f} min"
                )
                began, samples, batches.waited = time.monotonic(), 0, 0.0
            due = run.step % config.validate_every == 0 or run.step == config.steps
            if due or run.step % config.save_every == 0:
                sums.check(fabric)  # what is not finite must not reach a file
            if run.step % config.save_every == 0:
                run.save_checkpoint()
            if due:
                begin = time.monotonic()
                figures = run.validate()
                write({"step": run.step, "samples": run.seen, "validation": figures})
                say(f"validation at step {run.step}: " + " ".join(f"{k} {v:.4g}" for k, v in figures.items()))
                score = float(figures.get("score", 0.0))
                run.save_weights(figures, "last")
                if score > run.best:
                    run.best = score
                    run.save_weights(figures, "best")
                began += time.monotonic() - begin
        sums.check(fabric)
        run.save_checkpoint()
        if run.step < config.steps:
            run.save_weights(figures, "last")
            say(f"stopped at step {run.step}; go on with --resume")
    finally:
        bar.clear()
        stop.restore()
        if rows is not None:
            rows.close()
    return figures


def _all_stop(stop: _Stop, run: _Run) -> bool:
    """Whether the run ends here, on all ranks alike: one that was asked to stop tells the others."""
    if run.fabric.world_size == 1:
        return stop.asked
    if run.step % _ASK_EVERY:
        return False
    return bool(_of_all(run.fabric, torch.tensor(float(stop.asked), device=run.fabric.device), "max") > 0)


__all__ = ["Batch", "BatchSource", "Ema", "Task", "learning_rate", "make_optimizer", "train"]
