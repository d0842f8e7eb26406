"""Photos a second one by one and in batches, how idle a GPU is, and how long the program takes to start."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from signboard.benchmarking.options import SpeedOptions, make_reader
from signboard.benchmarking.timing import in_turn, run_process
from signboard.processes import ReaderProcesses


def measure_batch(options: SpeedOptions) -> dict[str, Any]:
    """Photos a second one by one and batched, taken in turn; on CUDA also how much of the time the GPU idles."""
    reader = make_reader(options)
    photos = options.photos
    many = {"batch_size": options.batch_size, "workers": options.workers}
    for photo in photos[:2]:  # kernels are compiled once
        reader.read(photo)
    list(reader.read_many(photos[: min(8, len(photos))], **many))
    read: dict[str, list[Any]] = {}
    ways = {
        "one_by_one": lambda: read.update(single=[reader.read(photo) for photo in photos]),
        "batched": lambda: read.update(batched=list(reader.read_many(photos, **many))),
    }
    with contextlib.ExitStack() as stack:
        if options.processes > 1:
            of_each = {"device": options.device, "precision": options.precision, **options.weights}
            pool = stack.enter_context(ReaderProcesses(options.processes, of_each, **many))
            list(pool.read_many(photos[:2] * 4 * options.processes))
            ways["processes"] = lambda: read.update(processes=list(pool.read_many(photos)))
        times = in_turn(ways, options.rounds)
    result: dict[str, Any] = {
        "photos": len(photos),
        "rounds": options.rounds,
        "failed": sum(reading.error is not None for reading in read["single"]),
        "one_by_one_per_second": len(photos) / statistics.median(times["one_by_one"]),
        "batched_per_second": len(photos) / statistics.median(times["batched"]),
        # A ratio a round: neighbours in time saw the same machine.
        "ratio": statistics.median(a / b for a, b in zip(times["one_by_one"], times["batched"], strict=True)),
        "different_texts": sum(a.text != b.text for a, b in zip(read["single"], read["batched"], strict=True)),
    }
    if "processes" in times:
        result["processes_per_second"] = len(photos) / statistics.median(times["processes"])
        result["processes_ratio"] = statistics.median(
            a / b for a, b in zip(times["one_by_one"], times["processes"], strict=True)
        )
    if str(options.device).startswith("cuda") or (options.device == "auto" and _has_cuda()):
        result["gpu_idle_one_by_one"] = gpu_idle_share(lambda: [reader.read(photo) for photo in photos])
        result["gpu_idle_batched"] = gpu_idle_share(lambda: list(reader.read_many(photos, **many)))
    return result


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def gpu_idle_share(work: Callable[[], object]) -> float:
    """The share of the wall time of `work` in which no kernel and no copy ran on the GPU."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        wall = time.perf_counter() - started
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    return 1 - covered(spans) / 1e6 / wall  # the profiler counts microseconds


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """The length of the union of intervals, sorted by their start."""
    total, reach = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return total


def measure_startup(options: SpeedOptions) -> dict[str, Any]:
    """CPU seconds of `--help` beyond the bare interpreter, and wall seconds of reading one photo in a new process."""
    run = [sys.executable, "-c", "from signboard.cli import app; app(prog_name='signboard')"]
    empty, help_times, photo_times, photo_cpu, torch_cpu = [], [], [], [], []
    for _ in range(max(5, options.rounds)):
        empty.append(run_process([sys.executable, "-c", "pass"]).cpu)
        help_times.append(run_process([*run, "--help"]).cpu)
    for _ in range(max(3, options.rounds)):
        photo = run_process([*run, "run", options.photos[0], "--quiet"])
        photo_times.append(photo.wall)
        photo_cpu.append(photo.cpu)
        torch_cpu.append(run_process([sys.executable, "-c", "import torch"]).cpu)
    return {
        "interpreter_cpu_seconds": statistics.median(empty),
        "help_cpu_seconds": statistics.median(help_times),
        "help_beyond_interpreter": statistics.median(b - a for a, b in zip(empty, help_times, strict=True)),
        "run_one_photo_seconds": statistics.median(photo_times),
        "run_one_photo_first_seconds": photo_times[0],
        "run_one_photo_cpu_seconds": statistics.median(photo_cpu),
        "import_torch_cpu_seconds": statistics.median(torch_cpu),
    }
