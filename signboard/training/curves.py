"""Curves of a training run: read from its log, drawn as a PNG, handed to TensorBoard while the run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from signboard.errors import ConfigError, DataError
from signboard.training.config import ClassifierTrainConfig

_NOT_CURVES = ("step", "samples", "lr", "per_second", "waiting", "norm")


def read_log(file: Path) -> list[dict[str, Any]]:
    """The rows of a run's `log.jsonl`, by step.

    A run that was stopped and resumed has logged some steps twice; the later row counts.

    Raises:
        DataError: no such file, or a row that is no JSON.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    rows: dict[tuple[int, bool], dict[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            rows[int(row["step"]), "validation" in row] = row
        except (ValueError, KeyError, TypeError):
            if number < len(lines):  # a run that was killed may leave half a last line
                raise DataError(f"{file}, line {number}: not a row of a training log") from None
    return [rows[key] for key in sorted(rows)]


def curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values of everything that was logged: "loss", ... of training, "validation/loss", ... of validation."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for row in rows:
        if "validation" in row:
            values = {f"validation/{k}": v for k, v in row["validation"].items() if k != "score"}
        else:
            values = {k: v for k, v in row.items() if k not in _NOT_CURVES}
        for name, value in values.items():
            steps, numbers = found.setdefault(name, ([], []))
            steps.append(int(row["step"]))
            numbers.append(float(value))
    return found


def smooth(values: Sequence[float], share: float = 0.05) -> list[float]:
    """A running mean over `share` of the values, centred; as many values as before."""
    half = max(0, round(share * len(values) / 2))
    totals = np.concatenate([[0.0], np.cumsum(values)])
    ends = [(max(0, i - half), min(len(values), i + half + 1)) for i in range(len(values))]
    return [float((totals[b] - totals[a]) / (b - a)) for a, b in ends]


def pyplot() -> Any:
    """matplotlib's pyplot, drawing into files.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise ConfigError("curves need matplotlib: pip install 'signboard[train]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def draw_run(log: Path, picture: Path, title: str = "") -> Path:
    """Draws a run's log: a panel for each quantity, training and validation together, against the step.

    Raises:
        ConfigError: matplotlib is not installed.
        DataError: the log cannot be read, or is empty.
    """
    found = curves(read_log(log))
    if not found:
        raise DataError(f"{log}: nothing logged yet")
    plt = pyplot()
    names = list(dict.fromkeys(name.removeprefix("validation/") for name in found))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.6 * columns, 3.2 * rows), squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        if name in found:
            steps, values = found[name]
            axis.plot(steps, values, color="tab:blue", alpha=0.3, linewidth=0.8)
            axis.plot(steps, smooth(values), color="tab:blue", label="training")
        if f"validation/{name}" in found:
            axis.plot(*found[f"validation/{name}"], color="tab:red", marker="o", markersize=3, label="validation")
        axis.set(title=name.replace("_", " "), xlabel="step")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    for axis in list(axes.flat)[len(names) :]:
        axis.set_axis_off()
    if title:
        figure.suptitle(title)
    return save_figure(figure, picture)


def save_figure(figure: Any, picture: Path) -> Path:
    """Writes a matplotlib figure as PNG and forgets it."""
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    pyplot().close(figure)
    return picture


class BoardWriter:
    """Hands the rows of a log to TensorBoard, in the folder `tensorboard` of the run's.

    Raises:
        ConfigError: tensorboard is not installed.
    """

    def __init__(self, output: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ConfigError(
                "tensorboard: the package is not installed: pip install 'signboard[train]', or leave the key out"
            ) from None
        self._writer = SummaryWriter(str(output / "tensorboard"))

    def __call__(self, row: Mapping[str, Any]) -> None:
        """One row of the log."""
        if "validation" in row:
            values = {f"validation/{k}": v for k, v in row["validation"].items()}
        else:
            values = {f"training/{k}": v for k, v in row.items() if k not in ("step", "samples")}
        for name, value in values.items():
            self._writer.add_scalar(name, float(value), int(row["step"]))

    def close(self) -> None:
        """Writes what is still held back."""
        self._writer.close()


class RunCurves(AbstractContextManager["RunCurves"]):
    """What watches a run: draws `curves.png` at each validation and at the end, and feeds TensorBoard if asked to.

    Args:
        output: the run's folder.
        title: over the picture.
        board: whether TensorBoard is fed.

    Raises:
        ConfigError: matplotlib, or with `board` tensorboard, is not installed.
    """

    def __init__(self, output: Path, title: str = "", *, board: bool = False) -> None:
        pyplot()  # missing packages are an error before the run, not after it
        self.output, self.title = output, title
        self.board = BoardWriter(output) if board and os.environ.get("RANK", "0") == "0" else None

    @classmethod
    def of(cls, config: ClassifierTrainConfig) -> RunCurves:
        """The curves of the run that `config` describes."""
        return cls(config.output, f"{config.name} ({config.form})", board=config.tensorboard)

    def __call__(self, row: Mapping[str, Any]) -> None:
        """One row of the log, which stands in `log.jsonl` already."""
        if self.board is not None:
            self.board(row)
        if "validation" in row:
            draw_run(self.output / "log.jsonl", self.output / "curves.png", self.title)

    def __exit__(self, *_: object) -> None:
        if self.board is not None:
            self.board.close()
        log = self.output / "log.jsonl"
        # A run that failed at once has logged nothing; its own error is the one to show.
        if os.environ.get("RANK", "0") == "0" and log.is_file() and read_log(log):
            draw_run(log, self.output / "curves.png", self.title)
