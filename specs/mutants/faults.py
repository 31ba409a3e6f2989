"""Mutants: what the tables would be with one small fault, for each place where there can be one.

What a row asks for, in which order, which counts it changes and where it ends is seen while the true tables run; each
of these is a place for faults.  A mutant takes the row's place on its state, so that every party that runs in this
process has the fault.

Refuses to know how a fault is found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
from immutables import Map

from freehold.core.effects import Effect, Send
from freehold.core.events import Answer, Event
from freehold.core.link import Frame
from freehold.core.machine import Handler, Here, Out, State, Table, replace, unchanged
from freehold.core.tables import TABLES
from freehold.specs.instead import Cell, instead, rows

NAMES = {"place", "attempt", "nbytes"}  # numbers in records that count nothing; bytes may change by one in a model
TABLE_OF = {state: table for table in TABLES for state in table.states}


class Mutant(NamedTuple):
    """A row with a fault.

    ``kind`` and ``detail``:
        ignored: nothing happens.
        dropped: it does not ask for something: the first of a kind.
        swapped: two things that it asks for come the other way round: the first two of two kinds.
        counted: a count that it changes becomes greater, or less, by one: (field, +1 or -1).
        ended: it ends in another state: (the true one, the other).
        stale: the answer to another attempt is taken for the one that is awaited.
    """

    state: State
    event: type[Event]
    kind: str
    detail: Any = None

    @property
    def table(self) -> Table:
        """The table of the row."""
        return TABLE_OF[self.state]

    def __str__(self) -> str:
        detail = self.detail
        if self.kind == "counted":
            detail = f"{detail[0]} {detail[1]:+}"
        elif self.kind == "ended":
            detail = f"in {detail[1].name} instead of {detail[0].name}"
        elif self.kind == "swapped":
            detail = " ".join(detail)
        name = f"{self.table.name}: {self.state.name} {self.event.__name__} {self.kind}"
        return name if detail is None else f"{name} {detail}"


class Seen:
    """What a row has been seen to do."""

    def __init__(self) -> None:
        self.asks = set[str]()  # for what
        self.pairs = set[tuple[str, str]]()  # of these, one after the other, whose order may matter
        self.counts: set[str] = set()  # that it changes by one
        self.ends: set[State] = set()  # other than where it begins
        self.changes = False

    def note(self, before: Any, after: Any, out: Out, me: int) -> None:
        """See what it has done this time."""
        self.changes = self.changes or bool(out) or after is not before
        self.asks.update(map(named, out))
        self.pairs.update([(named(one), named(two)) for one, two in pairwise(out) if not commute(one, two, me)])
        end = TABLE_OF[before.state].states[0] if after is None else after.state
        if end is not before.state:
            self.ends.add(end)
        self.counts |= {name for name, _, by in changes(before, after) if abs(by) == 1}

    def faults(self, cell: Cell) -> Iterator[Mutant]:
        """Yield the row's mutants."""
        if not self.changes:
            return
        state, event = cell
        yield Mutant(state, event, "ignored")
        yield from [Mutant(state, event, "dropped", name) for name in sorted(self.asks)]
        yield from [Mutant(state, event, "swapped", pair) for pair in sorted(self.pairs)]
        yield from [Mutant(state, event, "counted", (name, by)) for name in sorted(self.counts) for by in (1, -1)]
        states = TABLE_OF[state].states
        for end in sorted(self.ends, key=states.index):
            other = states[(states.index(end) + 1) % len(states)]
            yield from [Mutant(state, event, "ended", (end, wrong)) for wrong in dict.fromkeys((state, other))]
        if issubclass(event, Answer):
            yield Mutant(state, event, "stale")


class Observer:
    """Sees what all rows do.

    ``used`` are the cells that were met since somebody emptied it.
    """

    def __init__(self) -> None:
        self.seen: Mapping[Cell, Seen] = defaultdict(Seen)
        self.used: set[Cell] = set()

    def watched(self, cell: Cell, run: Handler) -> Handler:
        """Return a row that is seen."""
        seen, used = self.seen[cell], self.used

        def step(record: Any, event: Any, here: Here) -> tuple[Any, Out]:
            used.add(cell)
            after, out = run(record, event, here)
            seen.note(record, after, out, here.me)
            return after, out

        return step

    def mutants(self) -> list[Mutant]:
        """Return all that differ from the true tables in what has been seen, table by table."""
        cells = [(state, event) for table in TABLES for state, event in table.rows if (state, event) in self.seen]
        return [mutant for cell in cells for mutant in self.seen[cell].faults(cell)]


def named(thing: Any) -> str:
    """Return what a thing that a row asks for is called: a message by its own name."""
    return type(thing.message if isinstance(thing, Send) else thing).__name__


def commute(one: Any, two: Any, me: int) -> bool:
    """Tell whether it is plain that the order of two things a row asks for does not matter, whoever asks.

    Events and effects are sorted apart; messages to different parties may overtake each other anyway.
    """
    if one == two or Frame in (type(one), type(two)):  # frames overtake everything
        return True
    apart = [isinstance(thing, Effect) and not (isinstance(thing, Send) and thing.target == me) for thing in (one, two)]
    if apart[0] is not apart[1]:
        return True
    return isinstance(one, Send) and isinstance(two, Send) and one.target != two.target


def changes(before: Any, after: Any) -> Iterator[tuple[str, int | None, int]]:
    """Yield the numbers of a record that a step has changed: in which field, for which key, and by how much."""
    for field in msgspec.structs.fields(type(before)):
        old, new = getattr(before, field.name), field.default if after is None else getattr(after, field.name)
        if old == new or new is msgspec.NODEFAULT or field.name in NAMES:
            continue
        if type(new) is int and type(old) is int:
            yield field.name, None, new - old
        elif isinstance(new, Map):
            keys = [key for key in {*old, *new} if type(old.get(key, 0)) is type(new.get(key, 0)) is int]
            yield from [(field.name, key, new.get(key, 0) - old.get(key, 0)) for key in sorted(keys)]


def miscounted(run: Handler, record: Any, event: Any, here: Any, name: str, by: int) -> tuple[Any, Out]:
    """Take a step; if it changes a count, that is too great, or too small, all the while."""
    minted = here.counter
    after, out = run(record, event, here)
    changed = [key for field, key, difference in changes(record, after) if field == name and abs(difference) == 1]
    if not changed:
        return after, out
    here.counter = minted
    (key, *_), count = changed, getattr(record, name)
    wrong = count + by if key is None else count.set(key, count.get(key, 0) + by)
    return run(replace(record, **{name: wrong}), event, here)


def faulty(mutant: Mutant, run: Handler) -> Handler:
    """Return a row with a mutant's fault."""
    kind, detail, first = mutant.kind, mutant.detail, mutant.table.states[0]

    def step(record: Any, event: Any, here: Here) -> tuple[Any, Out]:
        if kind == "counted":
            return miscounted(run, record, event, here, *detail)
        after, out = run(record, event, here)
        match kind:
            case "dropped":
                return after, without(out, detail)
            case "swapped":
                return after, other_way_round(out, detail, here.me)
            case "ended" if (first if after is None else after.state) is detail[0] and record.state is not detail[0]:
                wrong = detail[1]
                return None if wrong is first else replace(record if after is None else after, state=wrong), out
        return after, out

    return unchanged if kind == "ignored" else step


def without(out: Out, name: str) -> Out:
    """Return what a row asks for, but for the first thing of this name."""
    n = next((n for n, thing in enumerate(out) if named(thing) == name), len(out))
    return out[:n] + out[n + 1 :]


def other_way_round(out: Out, names: tuple[str, str], me: int) -> Out:
    """Return what a row asks for, the first two things of these names, of which the order may matter, swapped."""
    for n, (one, two) in enumerate(pairwise(out)):
        if (named(one), named(two)) == names and not commute(one, two, me):
            return (*out[:n], two, one, *out[n + 2 :])
    return out


@contextmanager
def observed() -> Iterator[Observer]:
    """See what the rows of all tables do."""
    observer = Observer()
    cells = [cell for table in TABLES for cell, row in table.rows.items() if row.run is not None]
    with instead({cell: observer.watched(cell, run) for cell, run in rows(cells).items()}):
        yield observer


@contextmanager
def fault(mutant: Mutant) -> Iterator[None]:
    """Let a mutant run in place of its row."""
    cell = mutant.state, mutant.event
    true = mutant.table.rows[cell].run
    assert true is not None
    run = true if mutant.kind == "stale" else faulty(mutant, mutant.state.rows[mutant.event])
    with instead({cell: run}):
        yield


class Met:
    """In how many situations a mutant has been compared with its row, and whether it did something else in any."""

    def __init__(self) -> None:
        self.situations = 0
        self.differs = False


@contextmanager
def compared(mutant: Mutant) -> Iterator[Met]:
    """Let the true row run, and see whether a mutant would do something else."""
    with fault(mutant):
        other = mutant.state.rows[mutant.event]
    cell = mutant.state, mutant.event
    true, met = mutant.state.rows[mutant.event], Met()

    def both(record: Any, event: Any, here: Here) -> tuple[Any, Out]:
        done = true(record, event, here)
        met.situations += 1
        try:
            met.differs = met.differs or other(record, event, here) != done
        except Exception:  # whatever a mutant has brought about
            met.differs = True
        return done

    with instead({cell: both}):
        yield met
