"""How the commands of ``specs`` refuse what they cannot use: one line that says what and where, and exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
T = TypeVar("T")


def refuse(problem: object, command: str = "prove") -> NoReturn:
    """Say what is wrong with what the user has given, and end."""
    typer.echo(f"freehold {command}: {problem}", err=True)
    raise typer.Exit(2) from None


def usable(what: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Return what a call returns; if it cannot use what the user has given, say so and end."""
    try:
        return what(*arguments, **named)
    except (ValueError, OverflowError) as problem:
        refuse(problem)
