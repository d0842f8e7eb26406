"""Where other people's data sets lie: one folder, named once, so that configs and cards name no place of one machine.

A config writes `$SIGNBOARD_DATA/scenes/icdar2015_train`; the environment variable SIGNBOARD_DATA, or `--data ROOT` of
the training scripts, says where that folder is. `data/README.md` says what belongs into it.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import Any

from signboard.errors import ConfigError

VARIABLE = "SIGNBOARD_DATA"
MARK = "$" + VARIABLE


def set_root(root: str | Path | None) -> None:
    """Takes `root` for the rest of the process; None leaves the environment variable as it is.

    Raises:
        ConfigError: no such folder.
    """
    if root is None:
        return
    if not Path(root).is_dir():
        raise ConfigError(f"--data {root}: no such folder")
    os.environ[VARIABLE] = str(root)


def with_root(values: Any, where: str | Path, key: str = "") -> Any:
    """A config's values with the root in the place of its mark, in every string of every section.

    Raises:
        ConfigError: a value needs the root, and none is named; `where` and the key are named.
    """
    if isinstance(values, dict):
        return {name: with_root(value, where, f"{key}.{name}".lstrip(".")) for name, value in values.items()}
    if isinstance(values, list):
        return [with_root(value, where, f"{key}.{number}") for number, value in enumerate(values)]
    if not isinstance(values, str) or MARK not in values:
        return values
    root = os.environ.get(VARIABLE)
    if not root:
        raise ConfigError(
            f"{where}:{f' {key}:' if key else ''} {values} lies outside this project; say where with --data ROOT or "
            f"the environment variable {VARIABLE} (data/README.md says what belongs there)"
        )
    return values.replace(MARK, root.rstrip("/\\") or root)


def without_root(values: Any) -> Any:
    """A config's values as a card may tell them: the mark for the root, and of other absolute paths the last name."""
    if isinstance(values, dict):
        return {name: without_root(value) for name, value in values.items()}
    if isinstance(values, list):
        return [without_root(value) for value in values]
    if not isinstance(values, str):
        return values
    root = os.environ.get(VARIABLE, "").rstrip("/\\")
    if root and values.startswith(root) and values[len(root) : len(root) + 1] in ("", "/", "\\"):
        return MARK + values[len(root) :]
    path = PurePath(values)
    return path.name if path.is_absolute() or ".." in path.parts else values
