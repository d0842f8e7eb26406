"""What is measured, and with which reader."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from signboard.training.adapters import IMAGE_SUFFIXES


@dataclasses.dataclass(frozen=True, slots=True)
class SpeedOptions:
    """What `scripts/benchmark.py` was asked for. Plain values: it goes to other processes as JSON.

    Attributes:
        photos: paths of those that are read.
        rounds: of which the median is taken.
        threads: of the processor.
        device, precision, batch_size, workers, processes: as `signboard run` takes them.
        weights: cards by the argument of `Reader`; the shipped ones without.
        soak_photos: how many photos stream through.
        sets, split, count: labelled sets for peers; at most so many photos of each.
        peer_threads: numbers of threads that peers are compared with.
        systems, pythons: the peers, and the interpreters of those that live in another environment.
    """

    photos: tuple[str, ...] = ()
    rounds: int = 3
    threads: int = os.cpu_count() or 1
    device: str = "cpu"
    precision: str = "auto"
    batch_size: Any = "auto"
    workers: int | None = None
    processes: int = 1
    weights: dict[str, str] = dataclasses.field(default_factory=dict)
    soak_photos: int = 2000
    sets: tuple[str, ...] = ()
    split: str | None = None
    count: int = 64
    peer_threads: tuple[int, ...] = (1, 2)
    systems: tuple[str, ...] = ("signboard", "rapidocr", "tesseract")
    pythons: dict[str, str] = dataclasses.field(default_factory=dict)


def make_reader(options: SpeedOptions) -> Any:
    """The reader that is measured, in a process set up as `signboard run` does."""
    import torch

    torch.set_num_threads(options.threads)
    from signboard import processes

    return processes.make_reader(device=options.device, precision=options.precision, **options.weights)


def find_photos(places: Sequence[Path], count: int) -> tuple[str, ...]:
    """The first `count` photos of files and folders, sorted; repeated from the start where there are fewer."""

    def walk() -> Iterator[Path]:
        for place in places:
            if place.is_dir():
                yield from sorted(path for path in place.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
            else:
                yield place

    found = [str(path) for path in walk()]
    return tuple(found[index % len(found)] for index in range(count)) if found else ()


# What an option of the command line takes; a ValueError becomes argparse's own message.


def number(value: str) -> int:
    """A number from 1 on."""
    found = int(value)
    if found < 1:
        raise ValueError(f"{value}: must be at least 1")
    return found


def numbers(value: str) -> tuple[int, ...]:
    """Numbers from 1 on, separated by commas."""
    return tuple(number(part) for part in value.split(","))


def number_or_auto(value: str) -> int | str:
    """A number from 1 on, or auto."""
    return value if value == "auto" else number(value)


def names(value: str) -> tuple[str, ...]:
    """Names, separated by commas."""
    return tuple(value.split(","))


def setting(value: str) -> tuple[str, str]:
    """NAME=VALUE as a pair."""
    name, equals, content = value.partition("=")
    if not (name and equals and content):
        raise ValueError(f"{value}: must be NAME=VALUE")
    return name, content
