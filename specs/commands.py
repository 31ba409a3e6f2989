"""The commands of ``specs``: ``freehold prove check``, ``replay``, and those of the rooms and ``manual.py``."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freehold.specs import manual
from freehold.specs.explorer.commands import COMMANDS as EXPLORER
from freehold.specs.mutants.commands import mutants
from freehold.specs.refusal import refuse, usable
from freehold.specs.scenario import hosts
from freehold.specs.walks.commands import soak

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from freehold.specs.conformance import Verdict

TraceAt = Annotated[
    Path, typer.Argument(metavar="PATH", help="The folder of a run, or a folder of runs, or one journal.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ToStep = Annotated[str, typer.Option("--to", metavar="STEP", help="A step's name, as stories print it: n0w1.57.")]


def check(path: TraceAt, as_json: Json = False) -> None:
    """freehold prove check traces/run-0001

    Check recorded runs: that the tables alone do the same, that every message was sent once and came in order, and
    after every event that counts add up, nothing is released that somebody has, and nobody reads what is not held.
    The hash tells whether two runs were the same: on sim the same seed gives the same.
    Ends with 1 if something is wrong, with 2 if there is no whole trace. init(trace=) records a run.
    """
    from freehold.specs.traces import Check, Trace, runs_below

    wrong = False
    for folder in usable(runs_below, path):
        checked = Check(usable(Trace, folder))
        with bar(checked.trace.lines) as (shown, task):
            complaint = usable(checked.complaint, lambda moments: shown.update(task, completed=moments))
        parties = len(checked.trace.journals)
        extent = f"{folder}: {checked.moments:,} events of {parties} parties"
        digest = checked.trace.digest()
        said = f"{extent}: WRONG: {complaint}" if complaint else f"{extent}: nothing is wrong; hash {digest[:16]}"
        data = {"run": str(folder), "events": checked.moments, "parties": parties, "wrong": complaint, "hash": digest}
        typer.echo(json.dumps(data) if as_json else said)
        wrong = wrong or bool(complaint)
    raise typer.Exit(wrong)


def replay(path: TraceAt, to: ToStep, as_json: Json = False) -> None:
    """freehold prove replay traces/run-0001 --to n0w1.57

    Do a recorded run again up to one step, and print the steps that led there, the first cause first, and what the
    party then has of the object that the step is about.
    Ends with 1 if the tables do not do the same, with 2 if there is no such step.
    """
    from freehold.core.errors import UndeclaredTransition
    from freehold.core.journal import Diverged
    from freehold.specs.traces import Trace, led_to

    wrong, told = False, ""
    try:
        told = usable(led_to, usable(Trace, path), to)
    except (Diverged, UndeclaredTransition) as error:
        wrong, told = True, f"WRONG: {error}"
    typer.echo(json.dumps({"step": to, "wrong": wrong, "told": told.splitlines()}) if as_json else told)
    raise typer.Exit(wrong)


def conformance(
    backend: Annotated[str, typer.Option(help="A backend that freehold.init knows.")],
    nodes: Annotated[list[int], typer.Option(min=1, help="How many nodes clusters have; may be given twice.")] = [1, 3],  # noqa: B006
    only: Annotated[str, typer.Option(help="Only scenarios with this in their names.")] = "",
    as_json: Json = False,
) -> None:
    """freehold prove conformance --backend inline

    Run every scenario on a backend, each in a cluster of its own: the values and errors must be right, nothing may be
    left over, and the recorded events, done again by the tables alone, must lead to the same.  Print what was wrong,
    for each rule in how many scenarios it was kept, and how many scenarios the backend cannot host, and why.
    Ends with 1 if something is wrong.
    """
    from freehold.specs.conformance import Result, Verdict, judged

    known = sorted(entry.name for entry in entry_points(group="freehold"))
    if backend not in known:
        refuse(f"there is no backend {backend!r}; there are {', '.join(known)}")
    try:
        hosts(backend)
    except ImportError as error:
        refuse(f"the plugin of {backend!r} cannot be imported: {error}")
    results, left_out = list[Result](), Counter[str]()
    with bar(len(nodes) * len(scenarios_named(only)), "scenarios") as (shown, task):
        for each in judged(backend, nodes, only):
            shown.advance(task)
            if isinstance(each, str):
                left_out[each] += 1
                continue
            results.append(each)
            if each.complaint and not as_json:
                typer.echo(f"WRONG: {each.scenario} on {each.nodes} nodes: {each.complaint}")
    if not results:
        refuse(f"no scenario can run: {'; '.join(left_out)}")
    verdict = Verdict(results, left_out)
    told = json.dumps(conformance_as_data(backend, verdict)) if as_json else conformance_in_words(backend, verdict)
    typer.echo(told)
    raise typer.Exit(bool(verdict.wrong))


def deaths(
    backend: Annotated[str, typer.Option(help="One that hosts all parties in one process.")] = "sim",
    every: Annotated[int, typer.Option(min=1, help="Steps between two deaths.")] = 1,
    as_json: Json = False,
) -> None:
    """freehold prove deaths --every 5

    Run small programs again and again, each time with a death: whoever is about to be told the next thing, a worker or
    a node with its workers, dies of it.  Every value must be right, or else the word of a death; nothing may be left.
    Print for each program how many deaths it bore, how often something was lost by them, and what was wrong.
    Ends with 1 if something is wrong.
    """
    from freehold.specs.deaths import PROGRAMS, at_every_step

    if backend not in ("sim", "inline"):
        refuse(f"{backend!r} does not host all parties in one process; sim and inline do")
    rows = []
    for name, source in PROGRAMS.items():
        came = [*at_every_step(backend, source, every)]
        wrong = [{"step": each.step, "who": each.who, "what": each.wrong} for each in came if each.wrong]
        died, lost = (sum(map(bool, some)) for some in ([each.who for each in came], [each.lost for each in came]))
        rows.append({"program": name, "deaths": died, "lost": lost, "wrong": wrong})
        if not as_json:
            typer.echo(f"{name:32}{died:7,} deaths{lost:7,} with a loss{len(wrong):7,} wrong")
            for each in wrong:
                typer.echo(f"WRONG: {each['who'] or 'nobody'} dies at step {each['step']}: {each['what']}")
    if as_json:
        typer.echo(json.dumps({"backend": backend, "programs": rows}))
    raise typer.Exit(any(row["wrong"] for row in rows))


def scenarios_named(part: str) -> list[str]:
    """Return the names of the scenarios with this in them, or say that there are none."""
    from freehold.specs.scenario import scenarios

    names = [scenario.name for scenario in scenarios() if part in scenario.name]
    if not names:
        refuse(f"no scenario has {part!r} in its name")
    return names


def conformance_as_data(backend: str, verdict: Verdict) -> dict[str, Any]:
    """Return what is said of a backend, for programs."""
    from freehold.specs.rules import CHAPTERS

    rules = {rule.id: verdict.of(rule.id) for rules in CHAPTERS.values() for rule in rules if rule.cells}
    wrong = [{"scenario": each.scenario, "nodes": each.nodes, "what": each.complaint} for each in verdict.wrong]
    ran = len(verdict.results)
    return {"backend": backend, "ran": ran, "wrong": wrong, "left_out": dict(verdict.left_out), "rules": rules}


def conformance_in_words(backend: str, verdict: Verdict) -> str:
    """Return what is said of a backend: each rule, then all in a line."""
    from freehold.specs.rules import CHAPTERS

    lines = []
    for chapter, rules in CHAPTERS.items():
        said = [f"  {verdict.of(rule.id):12} {rule.id:18} {rule.text}" for rule in rules if rule.cells]
        lines += [chapter, *said] if said else []
    kept, ran = len(verdict.results) - len(verdict.wrong), len(verdict.results)
    lines += [f"{count} left out: {why}" for why, count in verdict.left_out.most_common()]
    return "\n".join([*lines, f"{backend}: {kept} of {ran} scenarios kept"])


@contextmanager
def bar(total: int, of: str = "events") -> Iterator[tuple[Progress, TaskID]]:
    """Show how much has been done, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        yield shown, shown.add_task(of, total=total)


def register(app: typer.Typer) -> None:
    """Add the commands of ``specs``."""
    prove = typer.Typer(no_args_is_help=True, help="What must be true, searched and checked.")
    for command in (*EXPLORER, mutants, soak, deaths, check, replay, conformance):
        prove.command()(command)
    app.add_typer(prove, name="prove")
    manual.register(app)
