"""The command line: `signboard run`, and the other commands where they are installed. Imports no network library."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Annotated

import typer

from signboard.commands.convert import convert
from signboard.commands.run import run

app = typer.Typer(
    name="signboard",
    help="Finds, reads and translates every word on photos of signboards, Hindi and English, offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"signboard {version('signboard')}")
        except PackageNotFoundError:
            print("signboard (not installed, running from its source)")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command(help="Read photos of signs.")(run)
app.command(help="Turn JSON lines of `signboard run` into another format.")(convert)


def _mount(parent: typer.Typer) -> None:
    """Adds the command groups of other rooms, as far as they are there."""
    for name in ("backbones", "explain"):
        module_name = f"signboard.commands.{name}"
        if importlib.util.find_spec(module_name) is not None:
            parent.add_typer(importlib.import_module(module_name).app, name=name)
    from signboard.commands.translate import translate_command

    parent.command(name="translate", help="Translate Hindi text of signs.")(translate_command)


_mount(app)


def main() -> None:
    """What the installed `signboard` runs: the commands, quiet when whoever reads their output goes away."""
    try:
        app()
    except BrokenPipeError:
        # Python flushes standard output once more on its way out: give it a place to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
