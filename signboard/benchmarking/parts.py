"""The parts of a benchmark by name, each in a process of its own.

`python -m signboard.benchmarking.parts PART` measures one: JSON of options on standard input, of figures on standard
output.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from signboard.benchmarking.memory import measure_memory, measure_soak
from signboard.benchmarking.options import SpeedOptions
from signboard.benchmarking.stages import measure_stages
from signboard.benchmarking.tables import report
from signboard.benchmarking.throughput import measure_batch, measure_startup
from signboard.training.peers import Worker, compare_set, start_workers, table, with_ratios

Measure = Callable[[SpeedOptions], dict[str, Any]]


def measure_peers(options: SpeedOptions) -> dict[str, Any]:
    """Accuracy and seconds a photo of every system, with the ratio to this one, for each number of threads.

    Raises:
        RuntimeError: none of the systems is installed.
    """
    results: list[dict[str, Any]] = []
    for threads in options.peer_threads:
        workers = start_workers(options.systems, threads, options.pythons, {"weights": options.weights})
        if not workers:
            raise RuntimeError("none of the systems is installed here")
        found = _compared(options, workers)
        print(f"{threads} thread{'s' * (threads > 1)}\n\n{table(found)}\n")
        for result in found:
            ratio = result.get("times_signboards_seconds")
            if ratio is not None and result["name"] != "signboard":
                print(f"{result['set']}: signboard takes {1 / ratio:.2f} of the time of {result['system']}")
        results += [result | {"threads": threads} for result in found]
    return {"systems": results}


def _compared(options: SpeedOptions, workers: Sequence[Worker]) -> list[dict[str, Any]]:
    try:
        found = [compare_set(Path(path), options.split, workers, options.count) for path in options.sets]
    finally:
        for worker in workers:
            worker.close()
    return with_ratios([result for results in found for result in results])


CHILD_PARTS: dict[str, Measure] = {
    "stages": measure_stages,
    "batch": measure_batch,
    "memory": measure_memory,
    "soak": measure_soak,
}
"""Those that load networks: each is measured in a process of its own."""

PARENT_PARTS: dict[str, Measure] = {"startup": measure_startup, "peers": measure_peers}
"""Those that start processes themselves."""

PARTS = ("startup", "stages", "batch", "memory", "soak", "peers")


def in_child(part: str, options: SpeedOptions) -> dict[str, Any]:
    """Runs a part in a new process and returns what it measured.

    Raises:
        RuntimeError: it failed; what it said is on standard error.
    """
    limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, "-m", "signboard.benchmarking.parts", part],
        input=json.dumps(dataclasses.asdict(options)),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {limit: str(options.threads) for limit in limits},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{part} ended with code {done.returncode}; see above")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(parts: Sequence[str], options: SpeedOptions) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Measures the parts in order and prints each as Markdown; gives its figures, None where it failed."""
    for part in parts:
        print(f"### {part.capitalize()}\n", flush=True)
        try:
            figures = in_child(part, options) if part in CHILD_PARTS else PARENT_PARTS[part](options)
        except RuntimeError as error:
            print(f"{part}: {error}", file=sys.stderr)
            yield part, None
            continue
        if part != "peers":  # which has printed its tables
            print(report(part, figures) + "\n", flush=True)
        yield part, figures


if __name__ == "__main__":
    print(json.dumps(CHILD_PARTS[sys.argv[1]](SpeedOptions(**json.load(sys.stdin)))))
