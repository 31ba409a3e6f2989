"""The commands of the search: ``freehold prove explore``, ``models`` and ``variants``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freehold.specs.refusal import refuse, usable

if TYPE_CHECKING:
    from freehold.core.policies import Policy
    from freehold.specs.explorer.bounds import Bounds
    from freehold.specs.explorer.counterexample import Told
    from freehold.specs.explorer.models import Row
    from freehold.specs.explorer.plain import Outcome
    from freehold.specs.explorer.search import Found

Processes = Annotated[int, typer.Option(min=2, max=6, help="Processes.")]
Nodes = Annotated[int, typer.Option(min=0, help="Nodes, on which processes live in turn; 0: each on one of its own.")]
Objects = Annotated[int, typer.Option(min=1, max=4, help="Objects that users may put.")]
Acts = Annotated[int, typer.Option(min=1, help="What users may do in all: put, call, keep, return, take out, drop.")]
Calls = Annotated[int, typer.Option(min=0, max=4, help="How much of it may be calls of a task with a reference.")]
Deaths = Annotated[int, typer.Option(min=0, help="Processes that may die, at any step.")]
NodeDeaths = Annotated[int, typer.Option(min=0, help="Nodes that may die with their processes, at any step.")]
Cuts = Annotated[int, typer.Option(min=0, max=1, help="Links between two processes that may break, at any step.")]
Returns = Annotated[bool, typer.Option("--returns", help="Let tasks return references, too.")]
Gets = Annotated[bool, typer.Option("--gets", help="Let users get values, so that copies are made and pulled.")]
Values = Annotated[bool, typer.Option("--values", help="Let calls carry values: a reference as an argument by itself.")]
Views = Annotated[bool, typer.Option("--views", help="Let users keep what they read of a copy, where it lies.")]
Large = Annotated[bool, typer.Option("--large", help="Make all values too large for an in-process store.")]
Lists = Annotated[bool, typer.Option("--lists", help="Make values with references inside too large for it.")]
Replies = Annotated[bool, typer.Option("--replies", help="Send small values to borrowers in replies.")]
Relay = Annotated[bool, typer.Option("--relay", help="Send on copies, of two chunks, before they are complete.")]
Retries = Annotated[int, typer.Option(min=0, max=2, help="How often a task may run again, for what was lost.")]
Before = Annotated[list[str], typer.Option(help="What came before, like '0 calls 1' or '0 lags'; may be given again.")]
States = Annotated[int, typer.Option(min=1, help="Give up after so many states.")]
Seconds = Annotated[float, typer.Option(min=0.0, help="Give up after so much time.")]
Rule = Annotated[str, typer.Option(help="What follows from a borrower's death: inquest, or ray.")]
Quick = Annotated[bool, typer.Option("--quick", help="Small models, of which all is gone through in a minute.")]
Name = Annotated[str, typer.Option(help="A variant to play by, like ray17553; prove variants lists them.")]
Only = Annotated[list[str], typer.Option("--model", help="Search this model only; may be given again.")]
Replay = Annotated[str, typer.Option(help="Search nothing; go the way that a search with these options has printed.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
HEAD = f"{'model':14} procs objects  lost   acts calls {'states':>12}  depth {'seconds':>15} transitions/s"
BORROWER_DEATHS = ("inquest", "ray")


def explore(
    processes: Processes = 3,
    objects: Objects = 1,
    acts: Acts = 4,
    calls: Calls = 3,
    deaths: Deaths = 0,
    nodes: Nodes = 0,
    node_deaths: NodeDeaths = 0,
    cuts: Cuts = 0,
    returns: Returns = False,
    gets: Gets = False,
    values: Values = False,
    views: Views = False,
    large: Large = False,
    lists: Lists = False,
    replies: Replies = False,
    relay: Relay = False,
    retries: Retries = 0,
    before: Before = [],  # noqa: B006
    borrower_death: Rule = "inquest",
    variant: Name = "",
    states: States = 1 << 40,
    seconds: Seconds = float("inf"),
    replay: Replay = "",
    as_json: Json = False,
) -> None:
    """freehold prove explore --deaths 1 --borrower-death ray

    Search all that can happen when some processes share objects, in every order, nearest first, for a state that is
    wrong: an object that is freed while somebody holds it, a count that does not add up, a record that nobody forgets.
    Ends with 1 if there is one, and prints the shortest way there.
    """
    from freehold.specs.explorer.bounds import Bounds

    if nodes > processes:
        refuse(f"{processes} processes do not live on {nodes} nodes")
    if deaths + node_deaths > processes or node_deaths >= (nodes or processes):
        refuse(f"{deaths} of {processes} processes and {node_deaths} nodes but the head cannot die")
    much = (processes, objects, acts, calls, deaths, nodes, node_deaths, cuts)
    what = (returns, gets, values, views, large, lists, replies)
    bounds = Bounds("", *much, *what, retries, tuple(before), relay)
    if before:
        from freehold.specs.explorer.sharing import Sharing

        usable(Sharing, bounds)
    if replay:
        typer.echo("\n".join(as_told(gone_again(bounds, borrower_death, variant, replay))))
        raise typer.Exit
    row = searched(bounds, borrower_death, variant, states_max=states, seconds_max=seconds, quiet=as_json)
    typer.echo(json.dumps(as_data(row)) if as_json else in_words(row))
    raise typer.Exit(bool(row.wrong))


def models(
    quick: Quick = False,
    seconds: Seconds = 600.0,
    borrower_death: Rule = "inquest",
    variant: Name = "",
    model: Only = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """freehold prove models --quick

    Search the models that are to prove the protocol, each for so much time at the most (the pinned one, "nest", for
    six times as long), and print a row for each: how many processes, objects and acts, and who may die or which link
    may break; how many states and how deep, and whether that is all there are; how long it took, and how many
    transitions a second the last search made.  First two-phase commit, of which the number of states is known; last the
    threads that share a process's I/O, a link that loses, doubles and reorders what it carries, a store, and leases.
    Ends with 1 if something is wrong in one.
    """
    from freehold.specs.explorer import beside, plain
    from freehold.specs.explorer.known import counted
    from freehold.specs.explorer.models import LONGER, QUICK, WHOLE
    from freehold.specs.explorer.plain import Outcome

    wrong = False
    if variant:
        known(variant)  # what is unknown is refused before anything is printed
    policy_of(borrower_death, variant)
    searches = {bounds.name: bounds for bounds in (QUICK if quick else WHOLE)}
    others: dict[str, Any] = beside.QUICK if quick else beside.WHOLE
    if unknown := [name for name in model if name not in searches]:
        refuse(f"{unknown[0]!r} is none of the models; there are {', '.join(searches)}")
    if not as_json:
        typer.echo(HEAD)
    for each in counted() if not model else ():
        outcome = Outcome(*each.found[:4], "" if each.found.states == each.known else f"{each.known:,} are known", [])
        typer.echo(json.dumps({"name": each.name, **outcome._asdict()}) if as_json else plainly(each.name, outcome))
        wrong = wrong or bool(outcome.wrong)
    for bounds in [searches[name] for name in model or searches]:
        row = searched(bounds, borrower_death, variant, seconds_max=seconds * LONGER.get(bounds.name, 1))
        typer.echo(json.dumps(as_data(row)) if as_json else in_a_line(row))
        wrong = wrong or bool(row.wrong)
    for name, beside_it in others.items() if not model else ():
        outcome = plain.gone_through(beside_it)
        typer.echo(json.dumps({"name": name, **outcome._asdict()}) if as_json else plainly(name, outcome))
        wrong = wrong or bool(outcome.wrong)
    raise typer.Exit(wrong)


def variants(quick: Quick = False, seconds: Seconds = 600.0, as_json: Json = False) -> None:
    """freehold prove variants --quick

    Search the models for what is wrong with other rules than the true ones, errors that were made in a real system,
    and print in which model each is found, and its program.
    Ends with 1 if one is not found.
    """
    from freehold.specs.explorer.models import QUICK, WHOLE
    from freehold.specs.variants import VARIANTS

    missed = False
    models_searched = QUICK if quick else QUICK + WHOLE
    for name, variant in VARIANTS.items():
        if not as_json:
            typer.echo(f"{name}: {variant.what}\n    {variant.source}")
        rows = (searched(bounds, "inquest", name, seconds_max=seconds) for bounds in models_searched)
        row = next((row for row in rows if row.wrong), None)
        missed = missed or row is None
        said = "    NOT FOUND" if row is None else "\n".join([f"    {line}" for line in found_in(row)])
        typer.echo(json.dumps({"variant": name, "found": row and as_data(row)}) if as_json else said)
    raise typer.Exit(missed)


def found_in(row: Row) -> list[str]:
    """Return where something wrong was found, and the program that shows it."""
    (what, told), bounds = row.wrong[0], row.bounds
    where = (
        f"found in {bounds.name!r} with {row.acts} acts, {row.found.depth} choices deep, in {row.seconds:.1f} s: {what}"
    )
    return [where, *[f"    {line}" for line in told.program]]


def gone_again(bounds: Bounds, borrower_death: str, variant: str, replay: str) -> Told:
    """Go a way that a search has printed."""
    from freehold.specs.explorer.counterexample import replayed
    from freehold.specs.explorer.sharing import Sharing
    from freehold.specs.variants import COUNTS, played

    policy = policy_of(borrower_death, variant)
    if not variant:
        return usable(replayed, Sharing(bounds, policy), replay)
    with played(known(variant)) as policy:
        return usable(replayed, Sharing(bounds, policy, strides=False, checks=COUNTS), replay)


def known(variant: str) -> str:
    """Return the name of a variant, or say which there are."""
    from freehold.specs.variants import VARIANTS

    if variant not in VARIANTS:
        refuse(f"{variant!r} is not a variant; there are {', '.join(VARIANTS)}")
    return variant


def searched(bounds: Bounds, borrower_death: str, variant: str, *, quiet: bool = False, **limits: Any) -> Row:
    """Search a model by some rules."""
    from freehold.specs.explorer.models import gone_through
    from freehold.specs.variants import COUNTS, played

    shown = (lambda *_: None) if quiet else progress()
    policy = policy_of(borrower_death, variant)
    if not variant:
        return usable(gone_through, bounds, policy, each_layer=shown, **limits)
    with played(known(variant)) as policy:
        return usable(gone_through, bounds, policy, strides=False, checks=COUNTS, each_layer=shown, **limits)


def policy_of(borrower_death: str, variant: str) -> Policy:
    """Return the rules of a cluster in which this follows from a borrower's death, unless a variant has its own."""
    from freehold.core.policies import Policy

    if borrower_death not in BORROWER_DEATHS:
        refuse(f"{borrower_death!r} is not a rule; there are {' and '.join(BORROWER_DEATHS)}")
    if variant and borrower_death != BORROWER_DEATHS[0]:
        refuse(f"{variant!r} has rules of its own: leave out --borrower-death {borrower_death}")
    return Policy(borrower_death=borrower_death)  # type: ignore[arg-type]


def progress() -> Any:
    """Return a function that shows how deep the search is, on a terminal only."""
    from rich.console import Console

    console = Console(stderr=True)

    def show(depth: int, states: int) -> None:
        if console.is_terminal:
            console.print(f"depth {depth}, {states:,} states ", end="\r")

    return show


def as_data(row: Row) -> dict[str, Any]:
    """Return what was found, for programs."""
    fields = ("states", "transitions", "depth", "exhausted")
    wrong = [
        {"what": what, "program": told.program, "way": told.everything, "replay": told.replay}
        for what, told in row.wrong
    ]
    found = {field: getattr(row.found, field) for field in fields}
    times = {"seconds": row.seconds, "seconds_of_last_search": row.found.seconds}
    return {**row.bounds._asdict(), "acts_finished": row.acts, **found, **times, "violations": wrong}


def in_words(row: Row) -> str:
    """Return what was found, for people: the program that shows it, then with the messages in between."""
    found = row.found
    extent = "that is all there are" if found.exhausted else "there are more"
    lines = [
        f"{found.states:,} states in which there is a choice, up to {found.depth} choices deep; {extent}",
        f"{found.transitions:,} transitions in {found.seconds:.1f} s, {rate(found):,.0f} a second; "
        f"{row.seconds:.1f} s with the searches before, which learn what commutes",
    ]
    for what, told in row.wrong:
        lines += ["", f"WRONG: {what}", "", *as_told(told), "", f"To see it again: --replay {told.replay}"]
    return "\n".join(lines if row.wrong else [*lines, "nothing is wrong in any of them"])


def as_told(told: Told) -> list[str]:
    """Return a counterexample: the program, its messages, and the diagram."""
    return ["The program:", *told.program, "", "With its messages:", *told.everything, "", *told.diagram]


def in_a_line(row: Row) -> str:
    """Return what was found as a row of a table; a search that was given up says how many acts were finished."""
    bounds, found = row.bounds, row.found
    counts = zip((bounds.deaths, bounds.node_deaths, bounds.cuts), ("", " node", " link"), strict=True)
    ends = ", ".join([f"{count}{what}" for count, what in counts if count]) or "0"
    acts = f"{bounds.acts}" if found.exhausted else f"{row.acts} of {bounds.acts}"
    extent = "" if found.exhausted else "+"
    text = (
        f"{bounds.name:14} {bounds.processes:5} {bounds.objects:7} {ends:>6} {acts:>6} {bounds.calls:5} "
        f"{found.states:12,}{extent:1} {found.depth:5}{extent:1} {row.seconds:15.1f} {rate(found):13,.0f}"
    )
    return f"{text}  WRONG: {row.wrong[0][0]}" if row.wrong else text


def plainly(name: str, outcome: Outcome) -> str:
    """Return what was found in one of the models beside the protocol as a row of the same table."""
    rate = outcome.transitions / max(outcome.seconds, 1e-9)
    text = f"{name:45} {outcome.states:12,}  {outcome.depth:5}  {outcome.seconds:14.1f} {rate:13,.0f}"
    way = f", after {', '.join(outcome.way)}" if outcome.way else ""
    return f"{text}  WRONG: {outcome.wrong}{way}" if outcome.wrong else text


def rate(found: Found) -> float:
    """Return how many transitions a search made in a second."""
    return found.transitions / max(found.seconds, 1e-9)


COMMANDS = (explore, models, variants)
