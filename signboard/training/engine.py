"""The training loop that both stages share: schedule, EMA, mixed precision, several GPUs, exact resume, logging.

A run is a sequence of batches that depends on nothing but the seed: batch t is made from random numbers seeded by
(seed, pool of t), so a run that is stopped and resumed sees the same data in the same order as one that never stopped.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import cv2
import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from signboard.backbones.heads import TrainingForm
from signboard.commands.progress import Progress
from signboard.devices import choose_device, choose_precision
from signboard.errors import SignboardError, WeightsError
from signboard.training.config import TrainConfig
from signboard.training.data_root import without_root
from signboard.training.muon import Muon, parameter_groups
from signboard.weights import save_weights

Batch = dict[str, Any]
BETAS = (0.9, 0.99)


class BatchSource(Protocol):
    """Where batches come from. Must be picklable: worker processes hold copies of it."""

    def pool(self, index: int) -> list[Batch]:
        """The `batches_per_pool` batches of pool `index`, made from random numbers that depend on `index` alone."""
        ...


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


class _Pools(Dataset[list[Batch]]):
    def __init__(self, source: BatchSource) -> None:
        self.source = source

    def __getitem__(self, index: int) -> list[Batch]:
        return self.source.pool(index)

    def __len__(self) -> int:
        return sys.maxsize


class _Counting(Sampler[int]):
    def __init__(self, start: int, step: int) -> None:
        self.start, self.step = start, step

    def __iter__(self) -> Iterator[int]:
        index = self.start
        while True:
            yield index
            index += self.step


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


def pick_device(name: str) -> torch.device:
    """`choose_device`; where several processes share a machine, "auto" gives each its own GPU.

    Raises:
        ConfigError: the device is not there.
    """
    device = choose_device(name)
    if name == "auto" and device.type == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return device


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """What a run computes its products in: `name` of `TrainConfig.precision` on `device`."""
    if name != "auto":
        return choose_precision(name, device)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return choose_precision("auto", device)


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

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


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
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    device = pick_device(config.device)
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    bar = Progress(config.steps, shown=None if rank == 0 and log is None else False, unit="steps")
    say = log or bar.say
    if rank != 0:
        say = lambda line: None  # noqa: E731
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    random.seed(config.seed)
    np.random.seed(config.seed % 2**32)  # noqa: NPY002  albumentations and others may fall back on the global state

    output = Path(config.output)
    output.mkdir(parents=True, exist_ok=True)
    model = task.model.to(device).to(memory_format=torch.channels_last)
    wrapped: nn.Module = model
    if world > 1:
        if device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        wrapped = nn.parallel.DistributedDataParallel(
            model, device_ids=[device.index] if device.type == "cuda" else None
        )
    elif config.compile and device.type == "cuda":
        wrapped = torch.compile(model, dynamic=True)  # type: ignore[assignment]
    precision = pick_precision(config.precision, device)
    optimizer = make_optimizer(model, config, precision)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16 and device.type == "cuda")
    ema = Ema(model, config.ema)
    step, seen, spent, best = 0, 0, 0.0, -math.inf
    checkpoint = output / "last.pt"
    architecture = json.dumps(getattr(task, "architecture", {}))
    if resume:
        if not checkpoint.is_file():
            raise SignboardError(f"{checkpoint}: nothing to resume from; leave --resume out to start a new run")
        # Our own file of tensors and numbers; weights_only keeps anything else from being unpickled.
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        # Networks may differ without a weight that tells them apart: a plain and a residual one, for example.
        if state.get("architecture", architecture) != architecture:
            theirs = state["architecture"]
            raise WeightsError(f"{checkpoint}: is of another architecture ({theirs}, not {architecture})")
        try:
            model.load_state_dict(state["model"])
        except RuntimeError:
            raise WeightsError(
                f"{checkpoint}: is of another architecture; name its config, or another output folder"
            ) from None
        optimizer.load_state_dict(state["optimizer"])
        scaler.load_state_dict(state["scaler"])
        ema.state = state["ema"]
        step, seen, spent, best = state["step"], state["seen"], state["spent"], state["best"]
        torch.set_rng_state(state["rng"].cpu())
        if device.type == "cuda" and state.get("cuda_rng") is not None:
            torch.cuda.set_rng_state(state["cuda_rng"].cpu(), device)
        say(f"resumed at step {step} of {config.steps}")
    (output / "config.json").write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")

    parameters = sum(p.numel() for p in model.parameters())
    say(
        f"{task.name}: {parameters / 1e6:.2f} M parameters, {config.steps} steps of {config.batch_size} x {world}, "
        f"{device}, {str(precision).removeprefix('torch.')}, {torch.get_num_threads()} threads, output {output}"
    )
    rows = (output / "log.jsonl").open("a", encoding="utf-8")
    bar.begin(step)

    def write(row: dict[str, Any]) -> None:
        if rank == 0:
            rows.write(json.dumps(row, ensure_ascii=False) + "\n")
            rows.flush()
            if watch is not None:
                watch(row)

    def save(figures: dict[str, Any], *, name: str) -> None:
        if rank == 0:
            keep = {k: v.detach().clone() for k, v in model.state_dict().items()}
            model.load_state_dict(ema.state)
            training = {
                "steps": step,
                "samples": seen,
                "seconds": round(spent),
                "config": without_root(config.model_dump(mode="json")),
            }
            bare = model.model if isinstance(model, TrainingForm) else model
            save_weights(
                output / f"{name}.json", bare.state_dict(), {**task.card(model, figures), "training": training}
            )
            model.load_state_dict(keep)

    def save_checkpoint() -> None:
        if rank == 0:
            temporary = checkpoint.with_suffix(".tmp")
            torch.save(
                {
                    "model": model.state_dict(), "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict(),
                    "ema": ema.state, "step": step, "seen": seen, "spent": spent, "best": best,
                    "architecture": architecture,
                    "rng": torch.get_rng_state(),
                    "cuda_rng": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
                },
                temporary,
            )  # fmt: skip
            temporary.replace(checkpoint)

    def validate() -> dict[str, float]:
        keep = {k: v.detach().clone() for k, v in model.state_dict().items()}
        model.load_state_dict(ema.state)
        model.eval()
        with torch.inference_mode():
            figures = task.validate(model, device)
        model.train()
        model.load_state_dict(keep)
        return figures

    stop = _Stop()
    previous = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    first_pool, skip = divmod(step, task.batches_per_pool)
    loader = DataLoader(
        _Pools(task.source),
        batch_size=None,
        sampler=_Counting(first_pool * world + rank, world),
        num_workers=config.workers,
        prefetch_factor=config.prefetch if config.workers else None,
        pin_memory=device.type == "cuda",
        worker_init_fn=_quiet_worker,
        # Its own random numbers: starting an iterator draws one, and must not shift the run's own.
        generator=torch.Generator().manual_seed(config.seed),
    )
    figures: dict[str, Any] = {}
    totals: dict[str, float] = {}
    counted, began, window_seen = 0, time.monotonic(), 0
    waited = 0.0
    model.train()
    try:
        pools = _start_workers(loader)
        batches: list[Batch] = []
        while step < config.steps and not stop.asked:
            if not batches:
                t0 = time.monotonic()
                try:
                    batches = list(next(pools))[skip:]
                except RuntimeError:
                    if stop.asked:  # whoever asked us to stop stopped the worker processes too
                        break
                    raise
                waited += time.monotonic() - t0
                skip = 0
            batch = batches.pop(0)
            batch["step"] = step
            if step == 0 and rank == 0:
                task.save_pictures(output / "samples", batch)
            rate = learning_rate(step, config)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
                losses = task.loss(wrapped, batch, device)
            loss = losses["loss"]
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            norm = nn.utils.clip_grad_norm_(model.parameters(), config.optimizer.clip_norm)
            scaler.step(optimizer)
            scaler.update()
            step += 1
            bar.to(step)
            size = int(batch["size"])
            seen += size * world
            window_seen += size * world
            ema.update(model, step)
            for key, value in losses.items():
                totals[key] = totals.get(key, 0.0) + float(value.detach())
            totals["norm"] = totals.get("norm", 0.0) + min(float(norm), 1e6)
            counted += 1
            if not math.isfinite(totals["loss"]):
                raise SignboardError(
                    f"the loss is not finite at step {step}; lower optimizer.learning_rate or look at the data"
                )
            if step % config.log_every == 0:
                seconds = time.monotonic() - began
                spent += seconds
                speed = window_seen / seconds
                left = (config.steps - step) * seconds / counted
                means = {k: round(v / counted, 4) for k, v in totals.items()}
                write(
                    {
                        "step": step,
                        "samples": seen,
                        "lr": rate,
                        "per_second": round(speed, 1),
                        "waiting": round(waited / seconds, 3),
                        **means,
                    }
                )
                text = " ".join(f"{k} {v:.3f}" for k, v in means.items())
                pace = f"{speed:.1f}/s waiting {waited / seconds:.0%} left {left / 60:.0f} min"
                say(f"step {step}/{config.steps} {text} lr {rate:.2e} {pace}")
                totals, counted, began, window_seen, waited = {}, 0, time.monotonic(), 0, 0.0
            if step % config.save_every == 0:
                save_checkpoint()
            if step % config.validate_every == 0 or step == config.steps:
                t0 = time.monotonic()
                figures = validate() if rank == 0 else {}
                write({"step": step, "samples": seen, "validation": figures})
                say(f"validation at step {step}: " + " ".join(f"{k} {v:.4g}" for k, v in figures.items()))
                score = float(figures.get("score", 0.0))
                save(figures, name="last")
                if score > best:
                    best = score
                    save(figures, name="best")
                if world > 1:
                    dist.barrier()
                began += time.monotonic() - t0
        save_checkpoint()
        if stop.asked:
            save(figures, name="last")
            say(f"stopped at step {step}; go on with --resume")
    finally:
        bar.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)
        rows.close()
    return figures


def _start_workers(loader: DataLoader[Any]) -> Iterator[Any]:
    """Start the loader's processes while OpenCV has one thread: a forked process would wait for threads it has not."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return iter(loader)
    finally:
        cv2.setNumThreads(before)


def _quiet_worker(_: int) -> None:
    """Worker processes make data on one thread each and leave signals to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
