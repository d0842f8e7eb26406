"""The command line: `signboard run`, and the other commands where they are installed. Imports no network library."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from signboard.commands.convert import convert
from signboard.commands.interrupt import let_go_of_stdout
from signboard.commands.messages import complain
from signboard.commands.options import RunCommand
from signboard.commands.run import run
from signboard.output.sink import reason


class _Commands(TyperGroup):
    """All commands: what the system refuses is a line on standard error, never a traceback."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Runs a command and ends the program."""
        _fill_streams()
        try:
            try:
                return super().main(*args, **options)
            finally:
                sys.stdout.flush()  # what is left of the output
        except OSError as error:
            if error.errno != errno.EPIPE:
                name = "" if error.filename is None else f"{error.filename}: "
                complain(f"{name}{reason(error)}")
            if error.filename is not None:
                sys.exit(2)  # a name that was given
            let_go_of_stdout()
            sys.exit(1)


def _fill_streams() -> None:
    """Opens what a caller has closed of the standard streams, so that no output gets the number of one of them.

    Nothing is read from standard input then, and writing to standard output fails.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w"))


app = typer.Typer(
    cls=_Commands,
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
