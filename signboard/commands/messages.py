"""What commands say on standard error."""

from __future__ import annotations

import sys

import typer


def usage(message: str) -> typer.Exit:
    """One line on standard error, and exit code 2."""
    complain(message)
    return typer.Exit(2)


def complain(message: str) -> None:
    from signboard.photo import printable

    print(f"signboard: {printable(message)}", file=sys.stderr, flush=True)
