"""What the backbones of a comparison cost: parameters, multiply-adds, processor time of inference and of a step."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from signboard.backbones.arithmetic import summarise
from signboard.backbones.folding import folded
from signboard.backbones.int8 import Ranges, in_bytes, pixel_qparams, pixels
from signboard.devices import multiplies_bytes
from signboard.training.experiments import cpu_milliseconds, seconds_per_step

# The pictures that networks are counted and timed on, (height, width): a small photo and a word.
PICTURES = {"detector": (640, 640), "recognizer": (32, 128)}
_MIDDLE = 127.5  # of a byte's values
_ROUNDS = 5
# Keys of a run that change nothing in what it costs.
_FREE = {"data", "ema", "flat_start_steps", "optimizer"}


def costs_config(config: Any) -> dict[str, Any]:
    """What the costs of a `ComparisonConfig` depend on, as JSON has it."""
    runs = {role: {k: v for k, v in config.role(role).run.items() if k not in _FREE} for role in PICTURES}
    found: dict[str, Any] = json.loads(json.dumps({"families": config.families, **runs}))
    return found


def measured(role: str, tasks: dict[str, Any], rounds: int = _ROUNDS) -> dict[str, dict[str, float | None]]:
    """{family: costs} of one role on this processor, one thread; the families take turns in each round.

    Args:
        tasks: a task (with its network and its config) for each family.

    Returns:
        for each family "parameters", "multiply_adds", "float32_ms" (the whole network), "backbone_ms" and
        "backbone_int8_ms" (the backbone alone; None where the processor cannot multiply bytes), and
        "seconds_per_step" (of training, its batch included): processor time, the median of the rounds.
    """
    shape = (3, *PICTURES[role])
    floats, bytes_, whole = {}, {}, {}
    found: dict[str, dict[str, float | None]] = {}
    for family, task in tasks.items():
        # The arithmetic knows layers; what attention multiplies beyond its layers is left out.
        counts = summarise(task.model.eval(), shape)
        found[family] = {"parameters": counts.parameters, "multiply_adds": counts.multiply_adds}
        whole[family] = folded(task.model).to(memory_format=torch.channels_last)
        floats[family] = whole[family].backbone
        if multiplies_bytes():
            bytes_[family] = _byte_backbone(floats[family], PICTURES[role])
    spent: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for family, task in tasks.items():
            times = {
                "float32_ms": cpu_milliseconds(whole[family], shape, repeats=3),
                "backbone_ms": cpu_milliseconds(floats[family], shape, repeats=3),
                "seconds_per_step": seconds_per_step(task, task.config, 3, time.process_time),
            }
            if family in bytes_:
                times["backbone_int8_ms"] = _milliseconds(bytes_[family])
            for name, value in times.items():
                spent.setdefault((family, name), []).append(value)
    for (family, name), values in spent.items():
        found[family][name] = round(statistics.median(values), 4)
    for family in found:
        found[family].setdefault("backbone_int8_ms", None)
    return found


def _byte_backbone(backbone: nn.Module, size: tuple[int, int]) -> Callable[[], Any]:
    """A pass of a folded backbone in bytes over one picture. Random weights do for its time."""
    mean = [_MIDDLE] * 3
    picture = torch.randint(0, 256, (1, *size, 3), dtype=torch.uint8)
    qparams = pixel_qparams(mean)
    ranges = Ranges()
    with torch.inference_mode():
        in_bytes(backbone, mean, mean, ranges)(pixels(picture, qparams, ranges))  # type: ignore[arg-type]
    ready = Ranges(ranges.table())
    network = in_bytes(backbone, mean, mean, ready)  # type: ignore[arg-type]
    return lambda: network(pixels(picture, qparams, ready))


def _milliseconds(work: Callable[[], Any], repeats: int = 3) -> float:
    spent = []
    with torch.inference_mode():
        for _ in range(repeats + 1):
            began = time.process_time()
            work()
            spent.append(time.process_time() - began)
    return 1000 * statistics.median(spent[1:])
