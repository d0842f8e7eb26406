"""What commands say on standard error."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import typer

from signboard.progress import put


def usage(message: str) -> typer.Exit:
    """One line on standard error, and exit code 2."""
    complain(message)
    return typer.Exit(2)


def complain(message: str) -> None:
    from signboard.photo import printable

    put(f"signboard: {printable(message)}\n")


@contextlib.contextmanager
def tracebacks() -> Iterator[None]:
    """Everything that is caught on the way goes to standard error, with the place in the program it comes from."""
    log, handler = logging.getLogger("signboard"), logging.StreamHandler()
    level = log.level
    log.setLevel(logging.DEBUG)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
