"""Asking the command line: what it says, and how it ends."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from freehold.specs import commands


def prove(*words: object) -> tuple[int, str]:
    """Return the exit code and the output of ``freehold prove`` with these words."""
    app = typer.Typer()
    app.callback()(lambda: None)
    commands.register(app)
    answer = CliRunner().invoke(app, ["prove", *map(str, words)])
    return answer.exit_code, answer.output
