"""The reader that commands read with: one place, so that a test can put another in."""

from __future__ import annotations

from typing import Any


def make_reader(**options: Any) -> Any:
    """A `signboard.Reader` in a process that is set up for it. Loads the networks.

    Raises:
        SignboardError: an option that cannot be met, or weights that cannot be loaded.
    """
    from signboard import processes

    return processes.make_reader(**options)
