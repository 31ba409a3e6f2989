"""The command ``freehold prove soak``."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from freehold.specs.refusal import refuse

Kind = Annotated[str, typer.Option(help="A kind of walk, such as deaths; all if none is named.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the first walk of each kind; the next have the numbers behind it.")]
Walks = Annotated[int, typer.Option(min=1, help="So many of each kind.")]
Steps = Annotated[int, typer.Option(min=1, help="Of each walk, before its faults stop.")]
Seconds = Annotated[float, typer.Option(min=0.0, help="Begin no walk after so much time.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def soak(
    kind: Kind = "",
    seed: Seed = 0,
    walks: Walks = 1 << 40,
    steps: Steps = 300,
    seconds: Seconds = 60.0,
    as_json: Json = False,
) -> None:
    """freehold prove soak --seconds 60

    Walk through what can happen in small clusters with faults of all kinds, by chance, each walk by a seed: users act,
    messages arrive, parties die and links break; then faults stop, and everything must come to an end with nothing
    left.  What must always be true is checked after every step.
    Ends with 1 if something is wrong, and prints how to see it again.
    """
    from freehold.specs.walks.walk import WORLDS, walk

    if kind and kind not in WORLDS:
        refuse(f"{kind!r} is not a kind of walk; there are {', '.join(WORLDS)}")
    start, taken, wrong = time.perf_counter(), 0, list[dict[str, object]]()
    for number, each in (
        (number, each) for number in range(seed, seed + walks) for each in ([kind] if kind else WORLDS)
    ):
        if time.perf_counter() - start > seconds:
            break
        taken += 1
        try:
            walk(number, steps, **WORLDS[each])
        except Exception as error:  # whatever is wrong with the tables, or with the walk
            what = f"{type(error).__name__}: {error}"
            wrong.append({"kind": each, "seed": number, "what": what})
            if not as_json:
                again = f"freehold prove soak --kind '{each}' --seed {number} --walks 1 --steps {steps}"
                typer.echo(f"WRONG: {each}, seed {number}: {what}\nTo see it again: {again}")
    said = {"walks": taken, "steps": steps, "seconds": round(time.perf_counter() - start, 3), "wrong": wrong}
    words = f"{taken:,} walks of {steps:,} steps in {said['seconds']:.1f} s: {len(wrong) or 'nothing'} wrong"
    typer.echo(json.dumps(said) if as_json else words)
    raise typer.Exit(bool(wrong))
