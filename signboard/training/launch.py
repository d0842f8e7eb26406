"""Where a run computes: device, precision, and ranks of several processes, all by Lightning Fabric."""

from __future__ import annotations

import os

import torch
from lightning_fabric import Fabric
from torch import nn

from signboard.devices import choose_device, choose_precision
from signboard.errors import ConfigError
from signboard.training.config import TrainConfig

_PRECISIONS = {torch.float32: "32-true", torch.bfloat16: "bf16-mixed", torch.float16: "16-mixed"}


def pick_device(name: str) -> torch.device:
    """`choose_device`; processes that torchrun started on one machine get a GPU each, whatever number `name` has.

    Raises:
        ConfigError: the device is not there.
    """
    device = choose_device(name)
    if device.type == "cuda" and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return choose_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
    return device


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """What a run computes its products in: `name` of `TrainConfig.precision` on `device`.

    Raises:
        ConfigError: the device does not have it.
    """
    if name == "fp16" and device.type == "cpu":
        raise ConfigError("precision 'fp16': a processor trains in bf16 or fp32")
    if name != "auto":
        return choose_precision(name, device)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return choose_precision("auto", device)


def launch(config: TrainConfig) -> Fabric:
    """Joins the processes that torchrun started, or stands alone, on the device that `config` names.

    Raises:
        ConfigError: the device is not there, or does not have the precision.
    """
    device = pick_device(config.device)
    precision = pick_precision(config.precision, device)
    world, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    alone: int | list[int] = [device.index or 0] if device.type == "cuda" else 1
    fabric = Fabric(
        accelerator=device.type,
        devices=local if world > 1 else alone,
        num_nodes=max(world // local, 1),
        strategy="ddp" if world > 1 else "auto",
        precision=_PRECISIONS[precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def spread_out(model: nn.Module, world: int, device: torch.device) -> nn.Module:
    """`model` such that its batch norms see the batches of all ranks."""
    return nn.SyncBatchNorm.convert_sync_batchnorm(model) if world > 1 and device.type == "cuda" else model


def leave() -> None:
    """Leaves the group of processes, so that none waits for another one at the end."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


__all__ = ["launch", "leave", "pick_device", "pick_precision", "spread_out"]
