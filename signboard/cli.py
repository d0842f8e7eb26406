"""The command line: `signboard run`, and the other commands where they are installed. Imports no network library."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Annotated

import typer

from signboard.commands.convert import convert
from signboard.commands.options import RunCommand
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


app.command(help="Read photos of signs.", cls=RunCommand)(run)
app.command(help="Turn JSON lines of `signboard run` into another format.")(convert)


def _mount(parent: typer.Typer) -> None:
    """Adds the commands of other rooms, as far as they are there: each module is light to import.

    A module of several commands has an `app`; a module of one has a function `<name>_command`.
    """
    for name in ("translate", "serve", "merge", "backbones", "explain"):
        module_name = f"signboard.commands.{name}"
        if importlib.util.find_spec(module_name) is None:
            continue
        module = importlib.import_module(module_name)
        if hasattr(module, "app"):
            parent.add_typer(module.app, name=name)
        elif hasattr(module, f"{name}_command"):
            parent.command(name)(getattr(module, f"{name}_command"))


_mount(app)


if __name__ == "__main__":
    app()
