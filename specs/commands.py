"""The commands of ``specs``: ``freehold prove explore``, ``check`` and ``replay``."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from freehold.specs.explore import Found
    from freehold.specs.lending import Lending

Workers = Annotated[int, typer.Option(min=2, max=5, help="Processes that share the object.")]
Tasks = Annotated[int, typer.Option(min=1, help="Tasks that may be under way at a time.")]
Deaths = Annotated[int, typer.Option(min=0, help="Processes that may die.")]
Returns = Annotated[bool, typer.Option("--returns", help="Let tasks return the reference, too.")]
States = Annotated[int, typer.Option(min=1, help="Give up after so many states.")]
Rule = Annotated[str, typer.Option(help="What follows from a borrower's death: inquest, or ray.")]
RULES = ("inquest", "ray")
TraceAt = Annotated[
    Path, typer.Argument(metavar="PATH", help="The folder of a run, or a folder of runs, or one journal.")
]
ToStep = Annotated[str, typer.Option("--to", metavar="STEP", help="A step's name, as stories print it: n0w1.57.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def explore(
    workers: Workers = 3,
    tasks: Tasks = 1,
    deaths: Deaths = 0,
    returns: Returns = False,
    borrower_death: Rule = "inquest",
    states: States = 300_000,
    as_json: Json = False,
) -> None:
    """freehold prove explore --deaths 1 --borrower-death ray

    Search all interleavings of lending, passing on, returning, dropping and dying, nearest first, for a state that is
    wrong: an object that is freed while somebody holds it, a count that does not add up, a record that nobody forgets.
    Ends with 1 if there is one, and prints the shortest way there.
    """
    from freehold.core.policies import Policy
    from freehold.specs.explore import explore as search
    from freehold.specs.lending import Lending

    if borrower_death not in RULES:
        raise typer.BadParameter(f"{borrower_death!r} is not a rule; there are {' and '.join(RULES)}")
    policy = Policy(borrower_death=borrower_death)  # type: ignore[arg-type]
    model = Lending(workers=workers, tasks=tasks, deaths=deaths, returns=returns, policy=policy)
    found = search(model, states_max=states, each_layer=(lambda *_: None) if as_json else progress())
    typer.echo(json.dumps(as_data(model, found)) if as_json else in_words(model, found))
    raise typer.Exit(bool(found.violations))


def progress() -> Any:
    """Return a function that shows how deep the search is, on a terminal only."""
    from rich.console import Console

    console = Console(stderr=True)

    def show(depth: int, states: int) -> None:
        if console.is_terminal:
            console.print(f"depth {depth}, {states:,} states", end="\r")

    return show


def as_data(model: Lending, found: Found) -> dict[str, Any]:
    """Return what was found, for programs."""
    from freehold.specs.explore import replay

    wrong = [{"what": what, "way": replay(model, way)[1]} for what, way in found.violations]
    fields = ("states", "steps", "depth", "seconds", "exhausted")
    return {**{field: getattr(found, field) for field in fields}, "violations": wrong}


def in_words(model: Lending, found: Found) -> str:
    """Return what was found, for people: the program that shows it, then with the messages in between."""
    from freehold.specs.explore import replay

    extent = "that is all there are" if found.exhausted else "there are more"
    lines = [f"{found.states:,} states in {found.seconds:.1f} s, up to {found.depth} actions deep; {extent}"]
    for what, way in found.violations:
        program, everything, _ = replay(model, way)
        lines += ["", f"WRONG: {what}", "", "The program:", *program, "", "With its messages:", *everything]
    return "\n".join(lines if found.violations else [*lines, "nothing is wrong in any of them"])


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
    for command in (explore, check, replay):
        prove.command()(command)
    app.add_typer(prove, name="prove")
