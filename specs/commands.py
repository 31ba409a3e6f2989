"""The commands of ``specs``: ``freehold prove check`` and ``replay``, and those of ``searching.py``."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freehold.specs.searching import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

TraceAt = Annotated[
    Path, typer.Argument(metavar="PATH", help="The folder of a run, or a folder of runs, or one journal.")
]
ToStep = Annotated[str, typer.Option("--to", metavar="STEP", help="A step's name, as stories print it: n0w1.57.")]


def check(path: TraceAt) -> None:
    """freehold prove check traces/run-0001

    Check recorded runs: that the tables alone do the same, that every message was sent once and came in order, and
    after every event that counts add up, nothing is released that somebody has, and nobody reads what is not held.
    Ends with 1 if something is wrong, with 2 if there is no whole trace. init(trace=) records a run.
    """
    from freehold.specs.traces import Check, Trace, runs_below

    wrong = False
    for folder in usable(runs_below, path):
        checked = Check(usable(Trace, folder))
        with bar(checked.trace.lines) as (shown, task):
            complaint = usable(checked.complaint, lambda moments: shown.update(task, completed=moments))
        extent = f"{folder}: {checked.moments:,} events of {len(checked.trace.journals)} parties"
        typer.echo(f"{extent}: WRONG: {complaint}" if complaint else f"{extent}: nothing is wrong")
        wrong = wrong or bool(complaint)
    raise typer.Exit(wrong)


def replay(path: TraceAt, to: ToStep) -> None:
    """freehold prove replay traces/run-0001 --to n0w1.57

    Do a recorded run again up to one step, and print the steps that led there, the first cause first, and what the
    party then has of the object that the step is about.
    """
    from freehold.specs.traces import Trace, led_to

    typer.echo(usable(led_to, usable(Trace, path), to))


def usable(what: Any, *arguments: Any) -> Any:
    """Return what a call returns; if it cannot use what the user has given, say so in one line and end with 2."""
    try:
        return what(*arguments)
    except ValueError as problem:
        typer.echo(f"freehold prove: {problem}", err=True)
        raise typer.Exit(2) from None


@contextmanager
def bar(total: int) -> Iterator[tuple[Progress, TaskID]]:
    """Show how many events have been done again, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        yield shown, shown.add_task("events", total=total)


def register(app: typer.Typer) -> None:
    """Add the commands of ``specs``."""
    prove = typer.Typer(no_args_is_help=True, help="What must be true, searched and checked.")
    for command in (*COMMANDS, check, replay):
        prove.command()(command)
    app.add_typer(prove, name="prove")
