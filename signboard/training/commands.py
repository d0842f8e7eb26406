"""The command line that the training scripts share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import cv2

from signboard.errors import SignboardError
from signboard.training.config import TrainConfig, load_config
from signboard.training.data_root import set_root
from signboard.training.engine import train

T = TypeVar("T", bound=TrainConfig)


Watch = Callable[[dict[str, Any]], None]


def run_training(
    kind: type[T],
    make_task: Callable[[T], Any],
    arguments: list[str] | None = None,
    *,
    watch: Callable[[T], AbstractContextManager[Watch | None]] | None = None,
) -> None:
    """Parse the command line, load the config, build the task and train it; errors are one line and exit code 1.

    Args:
        watch: makes, for a config, what gets each row of the log; it is entered before the run and left after it.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML file of the run")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key, e.g. steps=100"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    parser.add_argument(
        "--data", type=Path, metavar="ROOT", help="folder of other people's data sets; else $SIGNBOARD_DATA"
    )
    options = parser.parse_args(arguments)
    # Pictures are made in worker processes; OpenCV's threads would only take the network's processor time.
    cv2.setNumThreads(0)
    try:
        set_root(options.data)
        config = load_config(kind, options.config, options.set)
        task = make_task(config)
        print(task.describe(), file=sys.stderr)
        with nullcontext() if watch is None else watch(config) as watcher:
            train(task, config, resume=options.resume, watch=watcher)
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def reported(work: Callable[[], None]) -> int:
    """Do `work` and return the exit code: 2 for an error, which is one line on stderr."""
    try:
        work()
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def write_pages(work: Callable[[], Iterable[Path]]) -> int:
    """Do `work`, print the paths of what it wrote, return the exit code: 1 for an error (one line), 130 for Ctrl-C."""
    cv2.setNumThreads(0)
    try:
        written = work()
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    for path in written:
        print(path)
    return 0
