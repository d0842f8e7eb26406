"""`python -m signboard`: the command line, also where no program of this name is on the path."""

from __future__ import annotations

from signboard.cli import app

if __name__ == "__main__":
    app(prog_name="signboard")
