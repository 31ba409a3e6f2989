"""The tables as data: nothing is forgotten, nothing is unreachable, and what waits says for what."""

from __future__ import annotations

from enum import Enum
from functools import cache
from itertools import chain
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from freehold.core import events, inquest_events, node_events, task_events
from freehold.core.effects import EFFECTS
from freehold.core.errors import UndeclaredTransition
from freehold.core.events import Answer, Event, Message, Reply
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import Row, State, Table
from freehold.core.messages import MESSAGES, Envelope
from freehold.core.node import Node
from freehold.core.party import Party
from freehold.core.tables import TABLES
from freehold.core.worker import Worker

WORKER = worker_id(HEAD, 1)
OBJECT = object_id(WORKER, 1)
NAMED = {"object": OBJECT, "task": OBJECT, "function": OBJECT, "party": WORKER, "worker": WORKER}
BASES = (Event, Answer, Message, Reply)
each_table = pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
BESIDE = [table for table in TABLES if table.name in ("handover", "link")]  # of threads, of a wire: not of a party


def local_events() -> list[type[Event]]:
    modules = (events, task_events, node_events, inquest_events)
    found = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    return [kind for kind in dict.fromkeys(found) if issubclass(kind, Event) and kind not in BASES]


def parties() -> list[Party]:
    return [Worker(WORKER), Node(HEAD, 1000, (("CPU", 1.0),))]


@cache
def sample(kind: Any) -> Any:
    """A value of a type: the least one that is not empty of meaning."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return None if type(None) in get_args(kind) else sample(get_args(kind)[0])
    if origin is tuple:
        inner = get_args(kind)
        return () if inner[-1] is Ellipsis else tuple([sample(item) for item in inner])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        return kind(*[NAMED.get(field, sample(hints[field])) for field in kind.__struct_fields__])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    return {int: 1, float: 1.0, str: "", bytes: b"", bool: False, Any: None}[kind]


# ------------------------------------------------------------------ gaps, waits, ways


@each_table
def test_nobody_has_forgotten_a_cell(table: Table) -> None:
    assert [(state.name, event.__name__) for state, event in table.gaps()] == []


@each_table
def test_a_state_ends_in_ing_if_and_only_if_it_waits(table: Table) -> None:
    assert [state.name for state in table.states if state.name.endswith("ING") != bool(state.awaits)] == []


@each_table
def test_what_is_awaited_has_a_row(table: Table) -> None:
    for state in table.states:
        for awaited in state.awaits:
            row = table.rows[state, awaited]
            assert row.run is not None and not row.never, f"{state.name} awaits {awaited.__name__}"


@each_table
def test_every_state_is_reached_by_arrows(table: Table) -> None:
    reached, new = {table.states[0]}, [table.states[0]]
    while new:
        state = new.pop()
        ends = {after for (before, _), row in table.rows.items() if before is state for after in row.to}
        new += ends - reached
        reached |= ends
    assert [state.name for state in table.states if state not in reached] == []


@each_table
def test_every_row_says_why(table: Table) -> None:
    assert [f"{state.name} {event.__name__}" for (state, event), row in table.rows.items() if not row.why.strip()] == []
    assert [state.name for state in table.states if not state.meaning] == []


@each_table
def test_every_table_is_drawn(table: Table) -> None:
    lines = table.mermaid().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert [line.split(":")[0].strip() for line in lines[1 : len(table.states) + 1]] == [s.name for s in table.states]
    arrows = {tuple(line.split(":")[0].split(" --> ")) for line in lines if "-->" in line}
    declared = {("  " + a.name, b.name) for (a, _), row in table.rows.items() for b in row.to if a is not b}
    assert arrows == declared


class Door(State):
    SHUT = "nobody gets in"
    OPEN = "anybody does"


class Pushed(Event, frozen=True, gc=False):
    object: int


class Pulled(Event, frozen=True, gc=False):
    object: int


class Doorway(msgspec.Struct, frozen=True):
    state: Door


def door() -> Table:
    return Table("door", Door, (Pushed,))


def test_a_cell_has_one_row() -> None:
    table = door()
    table.ignore(Door.SHUT, event=Pushed, why="it opens inwards")
    with pytest.raises(TypeError, match="two rows for SHUT, Pushed"):
        table.never(Door.SHUT, event=Pushed, why="it is locked")
    with pytest.raises(TypeError, match="Pulled is not an event of this table"):
        table.ignore(Door.SHUT, event=Pulled, why="there is no handle")


def test_a_gap_is_found() -> None:
    table = door()
    table.ignore(Door.OPEN, event=Pushed, why="it is open")
    assert table.gaps() == [(Door.SHUT, Pushed)]


@pytest.mark.rule(id="ends")
def test_a_row_may_end_only_where_it_says() -> None:
    table = door()
    table.on(Door.SHUT, event=Pushed)(lambda r, e, here: (Doorway(Door.OPEN), ()))
    table.compile(checked=True)
    with pytest.raises(UndeclaredTransition, match="SHUT on Pushed ended in OPEN"):
        Door.SHUT.rows[Pushed](Doorway(Door.SHUT), Pushed(1), parties()[0])
    table.compile(checked=False)
    assert Door.SHUT.rows[Pushed](Doorway(Door.SHUT), Pushed(1), parties()[0])[0].state is Door.OPEN
    assert Pushed not in Door.OPEN.rows


# ------------------------------------------------------------------ who hears what


def consumed() -> set[type[Event]]:
    return set(chain.from_iterable(table.events for table in TABLES))


def is_spread(event: Event) -> bool:
    for party in parties():
        try:
            list(party.spread(event))
        except UndeclaredTransition:
            continue
        except KeyError:
            return True  # it is about a party of which this one has not heard
        return True
    return False


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
def test_every_answer_of_an_effect_is_heard(effect: Any) -> None:
    assert set(effect.answers) <= consumed()


@pytest.mark.parametrize("kind", [*MESSAGES, *local_events()], ids=lambda kind: kind.__name__)
def test_every_event_is_heard(kind: type[Event]) -> None:
    assert kind in consumed() or is_spread(sample(kind))


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_a_message_says_what_it_is_and_survives_the_wire(kind: type[Event]) -> None:
    assert kind.__name__.endswith(("Query", "Reply", "Notice"))
    assert issubclass(kind, Message | Reply)
    envelope = Envelope(1, sample(kind))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(envelope), type=Envelope) == envelope


def test_every_message_is_in_the_union_and_no_tag_is_used_twice() -> None:
    kinds = {*Message.__subclasses__(), *Reply.__subclasses__()}
    assert kinds == set(MESSAGES)
    tags = [kind.__struct_config__.tag for kind in MESSAGES]
    assert len(set(tags)) == len(tags)


def test_every_table_belongs_to_a_party_and_finds_its_records() -> None:
    routed = set(chain.from_iterable(party.routes for party in parties()))
    assert {event for table in TABLES if table not in BESIDE for event in table.events} <= routed


# ------------------------------------------------------------------ fresh records


def fresh_cells() -> list[tuple[Party, Any, type[Event], Row]]:
    """Every declared cell of a fresh record, with the party in which it would be met."""
    cells = []
    for party in parties():
        for event, routes in party.routes.items():
            for _, key, fresh, _ in routes:
                record = fresh(key(sample(event)))
                row = next(t.rows.get((record.state, event)) for t in TABLES if record.state in t.states)
                if row is not None and not row.never:
                    cells.append((party, record, event, row))
    return cells


@pytest.mark.parametrize("cell", fresh_cells(), ids=lambda cell: f"{type(cell[1]).__name__}-{cell[2].__name__}")
def test_a_fresh_record_takes_whatever_is_declared_for_it(cell: tuple[Party, Any, type[Event], Row]) -> None:
    party, record, event, row = cell
    after, out = record.state.rows[event](record, sample(event), party)
    assert after is None or after.state is record.state or after.state in row.to
    assert isinstance(out, tuple)
    assert node_id(0) == party.node
