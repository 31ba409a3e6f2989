"""The command ``freehold prove mutants``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from freehold.specs.mutants.equivalent import reason
from freehold.specs.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from freehold.specs.mutants.hunt import Verdict

Only = Annotated[list[str], typer.Option("--table", help="Mutants of this table only; may be given again.")]
Every = Annotated[int, typer.Option(min=1, help="Every so manieth mutant only.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for each mutant.")]
Patience = Annotated[
    float, typer.Option("--seconds", min=0.0, help="Look for each so long at the most; a sixth of it for one excused.")
]


def mutants(
    table: Only = [],  # noqa: B006
    every: Every = 1,
    seconds: Patience = 60.0,
    as_json: Json = False,
) -> None:
    """freehold prove mutants --table ownership

    Put a small fault into each row of the tables, one after the other: it does nothing, asks for one thing less or in
    another order, counts wrongly, ends elsewhere, hears a stale answer.  Look for each in small models, everything that
    can happen in them, then in schedules and scenarios, and on walks by chance.  Print for each table how many were
    found; how many do the same as their rows in all that was seen; how many do something else to no effect, and why;
    and those that do something else of which nobody notices.  With --json print each mutant as soon as it is judged.
    Ends with 1 if there are such.
    """
    from rich.console import Console
    from rich.progress import track

    from freehold.core.tables import TABLES
    from freehold.specs.mutants.hunt import Grounds, judged

    names = [one.name for one in TABLES]
    if unknown := [name for name in table if name not in names]:
        refuse(f"{unknown[0]!r} is not a table; there are {', '.join(names)}")
    grounds = Grounds()
    chosen = [mutant for mutant in grounds.mutants if mutant.table.name in (table or names)][::every]
    found: dict[str, list[Verdict]] = {}
    console = Console(stderr=True)
    verdicts = judged(grounds, seconds, chosen)
    for verdict in track(
        verdicts, "mutants", len(chosen), console=console, transient=True, disable=not console.is_terminal
    ):
        found.setdefault(verdict.mutant.table.name, []).append(verdict)
        if as_json:
            typer.echo(json.dumps({**verdict._asdict(), "mutant": str(verdict.mutant)}))
    if not as_json:
        tell(found)
    raise typer.Exit(any(survives(verdict) for some in found.values() for verdict in some))


def tell(found: dict[str, list[Verdict]]) -> None:
    """Print a row for each table, one for all, and the survivors."""
    typer.echo(MUTANTS_HEAD)
    for name, some in found.items():
        typer.echo(f"{name:12}" + "".join([f"{sum(map(counts, some)):10}" for _, counts in OUTCOMES]))
    every_one = [verdict for some in found.values() for verdict in some]
    typer.echo(f"{'all':12}" + "".join([f"{sum(map(counts, every_one)):10}" for _, counts in OUTCOMES]))
    caught = sum(bool(verdict.by) for verdict in every_one)
    survivors = [verdict for verdict in every_one if survives(verdict)]
    typer.echo(f"found: {caught} of {caught + len(survivors)} that do something else to some effect")
    for verdict in survivors:
        typer.echo(f"{verdict.mutant}  (differs in {', '.join(verdict.differs)}; {verdict.seconds:.0f} s)")
    excused = [verdict for verdict in every_one if excuse(verdict)]
    for why in dict.fromkeys(map(excuse, excused)):
        typer.echo(f"to no effect, because {why}")
        typer.echo("".join([f"    {verdict.mutant}\n" for verdict in excused if excuse(verdict) == why]).rstrip())


def excuse(verdict: Verdict) -> str:
    """Return why a mutant that was not found does something else to no effect, "" if it was found or there is none."""
    return reason(verdict.mutant) if not verdict.by and verdict.differs else ""


def survives(verdict: Verdict) -> bool:
    """Tell whether a mutant does something else than its row, was not found, and has no excuse."""
    return not verdict.by and bool(verdict.differs) and not excuse(verdict)


OUTCOMES: tuple[tuple[str, Callable[[Verdict], bool]], ...] = (  # of mutants, and how one knows
    ("mutants", lambda _: True),
    ("models", lambda verdict: bool(verdict.by) and not verdict.by.startswith(("walk", "scenario", "schedule"))),
    ("schedules", lambda verdict: verdict.by.startswith("schedule")),
    ("programs", lambda verdict: verdict.by.startswith("scenario")),
    ("walks", lambda verdict: verdict.by.startswith("walk")),
    ("the same", lambda verdict: not verdict.by and not verdict.differs),
    ("excused", lambda verdict: bool(excuse(verdict))),
    ("survive", survives),
)
MUTANTS_HEAD = f"{'table':12}" + "".join([f"{what:>10}" for what, _ in OUTCOMES])
