"""Readers for the options that requests ask for, all on one pair of loaded networks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The options of `signboard run` that a request may choose. Photos with equal ones are read together."""

    min_confidence: float | None = None
    detection_threshold: float | None = None
    translate: bool = False
    tile: bool = False


def load_reader(**options: Any) -> Any:
    """A `Reader`. The first in a process settles its memory and makes everything ready for the first photo.

    Imports the networks' library.

    Raises:
        SignboardError: as `Reader`.
    """
    first = "detector" not in options
    if first:
        from signboard.processes import make_reader

        reader = make_reader(**options)
    else:
        from signboard.reader import Reader

        reader = Reader(**options)
    if first:
        import numpy as np

        from signboard.translation import translate

        reader.read(np.full((720, 1280, 3), 255, np.uint8))
        translate("पुलिस थाना")
    return reader


class Readers:
    """Gives a reader for any options. The first loads the networks, the others share them.

    Args:
        device, precision: as for `Reader`.
        make: what makes a reader; a test puts another in its place.
    """

    def __init__(
        self, *, device: str = "auto", precision: str = "auto", make: Callable[..., Any] = load_reader
    ) -> None:
        self._fixed = {"device": device, "precision": precision}
        self._make = make
        self._shared: dict[str, Any] = {}
        # Thresholds are numbers that a client chooses: only the latest few are kept.
        self.get = functools.lru_cache(maxsize=16)(self._new)

    def load(self) -> Any:
        """Loads the networks.

        Raises:
            SignboardError: as `Reader`.
        """
        first = self.get(ReadOptions())
        self._shared = {name: getattr(first, name) for name in ("detector", "recognizer") if hasattr(first, name)}
        return first

    def _new(self, options: ReadOptions) -> Any:
        return self._make(
            **self._fixed,
            **self._shared,
            min_confidence=options.min_confidence,
            detection_threshold=options.detection_threshold,
            translate=options.translate,
            tile=options.tile,
        )
