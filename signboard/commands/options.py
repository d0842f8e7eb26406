"""Options that several commands share, and what they take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from signboard.commands.messages import usage

DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
PrecisionOption = Annotated[str, typer.Option(help="auto (what is fastest here), fp32, bf16, fp16 or int8.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an output that is already there.")]
CsvSafeOption = Annotated[
    bool,
    typer.Option("--csv-safe", help="CSV with an apostrophe before texts that a spreadsheet takes for formulas."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only errors on standard error.")]

# Of videos -----------------------------------------------------------------------------------------------------------

SequenceOption = Annotated[
    bool, typer.Option("--sequence", help="The folders that are named hold the frames of videos, a picture each.")
]
GpxOption = Annotated[
    Path | None, typer.Option("--gpx", help="Videos: a GPX track; each sign gets the position of its best moment.")
]
StartOption = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="TIME",
        help="Videos: when the video begins, e.g. 2026-05-01T10:30:00+05:30 (UTC without a zone); default: the time in "
        "the file.",
    ),
]
RateOption = Annotated[
    float, typer.Option("--sample-rate", min=0.1, max=60.0, help="Videos: frames that are read, at most, a second.")
]
FrameRateOption = Annotated[
    float | None, typer.Option("--frame-rate", min=0.01, max=1000.0, help="Videos: pictures a second of a --sequence.")
]
MemoryOption = Annotated[
    float,
    typer.Option("--memory", min=0.0, help="Videos: seconds after which a sign that comes back counts as another one."),
]

# What they take ------------------------------------------------------------------------------------------------------


def check_device(device: str, precision: str) -> None:
    """Refuses names that no device or precision has."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise usage(f"--device {device}: must be auto, cpu, cuda, cuda:N or mps")
    if precision not in ("auto", "fp32", "bf16", "fp16", "int8"):
        raise usage(f"--precision {precision}: must be auto, fp32, bf16, fp16 or int8")


def batch_size(value: str) -> int | Literal["auto"]:
    """The number of photos that --batch-size names."""
    if value == "auto":
        return "auto"
    if not re.fullmatch(r"[1-9]\d{0,5}", value):
        raise usage(f"--batch-size {value}: must be a number from 1 on, or auto")
    return int(value)


def output_path(name: str | None) -> Path | None:
    """What --output names; None for standard output."""
    return None if name in (None, "-") else Path(name or "")


# What may follow --ray: everything else that stands there is a photo.
_ADDRESS = re.compile(r"auto|local|ray://\S+|([\w.-]+|\[[\da-fA-F:]+\]):\d+")


class RunCommand(TyperCommand):
    """`signboard run`, whose option --ray takes an address or stands alone, which typer has no words for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Gives a --ray that stands alone its value before the arguments are taken apart."""
        return super().parse_args(ctx, _with_address(args))


def _with_address(arguments: Sequence[str]) -> list[str]:
    """`--ray ADDRESS` and `--ray` as `--ray=ADDRESS` and `--ray=local`."""
    given = list(arguments)
    result: list[str] = []
    while given:
        argument = given.pop(0)
        if argument == "--":
            return [*result, argument, *given]
        if argument == "--ray":
            follows = bool(given and _ADDRESS.fullmatch(given[0]) and not Path(given[0]).exists())
            argument = f"--ray={given.pop(0)}" if follows else "--ray=local"
        result.append(argument)
    return result
