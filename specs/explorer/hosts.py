"""Processes and nodes as values: the tables of a party, and what its driver and its user have beside them.

What a driver does is done at once; its answers, like bytes, come as messages.  Of a value only the references inside
are of interest: they travel with the message that says that the bytes are there.

Refuses to know what users want.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

import msgspec
from immutables import Map

from freehold.core.effects import CancelTimer, Effect, Kill, Move, Release, Reserve, Run, Send, SetTimer, Settle
from freehold.core.events import Event, Moved, RefDropped, RefsFound, RefsHeld, ViewDropped, ViewTaken
from freehold.core.ids import COUNTER_BITS, object_name, owner_of
from freehold.core.node import Node
from freehold.core.node_events import Reserved
from freehold.core.node_messages import ChunkReply, HoldNotice, SealNotice
from freehold.core.party import Party
from freehold.core.policies import Policy
from freehold.core.queries import Held, landing, readable
from freehold.core.task_events import LeaseLost, TaskAssigned, TaskOver, TaskReady, TurnSlow
from freehold.core.values import Failure, Payload
from freehold.core.worker import Worker

MINTED = 1 << 60  # from here on a number is an attempt
MINTED_BITS, PARTY_MASK = 32, (1 << 28) - 1  # of its count; and, above, of who has minted it
Objects = tuple[int, ...]
BY_DEATHS = {"owner_died", "released", "crashed", "lost", "not_rebuilt"}  # why a get may fail when somebody has died


class Granted(Worker):
    """A worker whose tasks run where their shape says, at once; if nobody lives there, on the first other that does.

    Args:
        me: its name.
        workers: of all.
        policy: the rules.
    """

    def __init__(self, me: int, workers: Sequence[int], policy: Policy) -> None:
        super().__init__(me, policy)
        self.workers = workers
        leased = (TaskReady, TaskOver, LeaseLost)
        self.routes = {event: routes for event, routes in self.routes.items() if event not in leased}

    def spread(self, event: Event) -> Any:
        match event:
            case TaskReady(pool, task):
                first = int(pool[0][0][1])
                live = [worker for worker in (first, *self.workers) if worker != self.me and self.hears(worker)]
                return [TaskAssigned(task, live[0] if live else first, pool)]
            case TaskOver() | LeaseLost():
                return []
        return super().spread(event)

    def mint(self) -> int:
        return MINTED | self.me << MINTED_BITS | super().mint()


class Housed(Node):
    """A node whose numbers say who has minted them."""

    def mint(self) -> int:
        return MINTED | self.me << MINTED_BITS | super().mint()


class Custom(NamedTuple):
    """How life is in a cluster."""

    deaths: bool  # somebody may die, so that what is read may be lost
    views: bool  # users keep what they have read of a copy, where it lies


class Wait(NamedTuple):
    """A thread that waits, until its value can be read or has been put."""

    request: int
    object: int
    is_put: bool = False


class Process(NamedTuple):
    """A process at one moment: its worker, and what its user has."""

    tables: Any  # of the worker, and the last number that it has minted
    kept: Objects = ()  # objects to which global variables refer
    task: int = 0  # that runs, 0 if none does
    attempt: int = 0
    local: Objects = ()  # objects to which its variables refer
    waits: tuple[Wait, ...] = ()  # threads beside the one that runs
    timers: tuple[tuple[int, Event], ...] = ()  # any of which may be over
    copies: tuple[tuple[int, Objects], ...] = ()  # objects of which it may read a copy -> what is inside
    views: Objects = ()  # objects that it reads where they lie
    puts: int = 0  # so far
    calls: int = 0
    asked: int = 0

    @property
    def reach(self) -> Objects:
        """The objects that user code can name."""
        return tuple(sorted({*self.kept, *self.local}))

    @property
    def holds(self) -> Objects:
        """The objects to which user code has a reference: a thread that waits for one has it, too."""
        return (*self.reach, *[wait.object for wait in self.waits])

    def given(self, objects: Iterable[int]) -> Process:
        """Return the process with references in variables: those of the task if one runs, else global ones."""
        if self.task:
            return self._replace(local=joined(self.local, [object for object in objects if object not in self.kept]))
        return self._replace(kept=joined(self.kept, objects))


def waiting(before: Process, object: int, is_put: bool) -> tuple[Process, int]:
    """Return a process with one more thread that waits, and the number of its request."""
    request = before.asked + 1
    return before._replace(waits=(*before.waits, Wait(request, object, is_put)), asked=request), request


class Store(NamedTuple):
    """A node at one moment, with its object store."""

    tables: Any
    places: tuple[tuple[int, Objects], ...] = ()  # that are set aside -> what is inside the value there


class Carried(NamedTuple):
    """A message that says that bytes are there, and what is inside the value."""

    message: Any
    inside: Objects


class Done(NamedTuple):
    """What comes of an effect."""

    after: Any
    events: tuple[Event, ...] = ()  # what the party is told at once
    sent: tuple[tuple[int, Any], ...] = ()  # to whom, and what: to itself what its driver answers
    ends: int = 0  # whom its driver kills
    doubt: str = ""  # why it is wrong, unless somebody has died


def performed(one: Party, before: Any, effect: Effect, custom: Custom) -> Done:
    """Do what a driver does, and a user who waits for nothing else.

    Args:
        one: the party, which has just asked for it.
        before: what its driver and user have.
        effect: what it asks for.
        custom: how life is here.
    """
    match effect:
        case Send(target, SealNotice() as message):
            return Done(before, (), ((target, Carried(message, dict(before.copies)[message.object])),))
        case Send(target, HoldNotice() as message):
            return Done(before, (), ((target, Carried(message, dict(before.places)[message.place])),))
        case Send(target, message):
            return Done(before, (), ((target, message),))
        case Run():
            return begun(one, before, effect, custom)
        case Settle(request, failure):
            wait = next(wait for wait in before.waits if wait.request == request)
            before = before._replace(waits=tuple([other for other in before.waits if other is not wait]))
            if wait.is_put:
                assert failure is None, f"a put of {object_name(wait.object)} failed: {failure}"
                return Done(before, () if wait.object in before.holds else (RefDropped(wait.object),))
            done = taken_out(before, wait.object, *contents(one, before, wait.object, failure, custom), custom)
            dropped = () if wait.object in done.after.holds else (RefDropped(wait.object),)
            return done._replace(events=(*done.events, *dropped), doubt=doubt(one, wait.object, failure))
        case SetTimer(timer, _, event) if not isinstance(event, TurnSlow):  # tasks take turns in no time here
            return Done(before._replace(timers=(*before.timers, (timer, event))))
        case CancelTimer(timer):
            return Done(before._replace(timers=without(before.timers, timer)))
        case Reserve(_, attempt, _):
            place = next(n for n in range(1, len(before.places) + 2) if n not in dict(before.places))
            return Done(
                before._replace(places=(*before.places, (place, ()))), (), ((one.me, Reserved(attempt, place)),)
            )
        case Kill(worker):
            return Done(before, ends=worker)
        case Release(_, place, _):
            return Done(before._replace(places=without(before.places, place)))
        case Move(object, attempt, Payload() as payload):
            copies = (*without(before.copies, object), (object, payload.refs))
            return Done(before._replace(copies=copies), (), ((one.me, Moved(object, attempt)),))
        case Move(object, attempt, None, place, target, offset, nbytes):
            reply = ChunkReply(object, attempt, offset, nbytes)
            return Done(before, (), ((target, Carried(reply, dict(before.places)[place])),))
    return Done(before)


def begun(one: Party, before: Process, run: Run, custom: Custom) -> Done:
    """A task begins: it has the references that it was given, and those inside the values that it was given."""
    values = [run.description.payload, *[slot.value for slot in run.description.slots if slot.value is not None]]
    lent = [object for value in values for object in value.refs]
    fresh = tuple(dict.fromkeys([object for object in lent if object not in before.holds]))
    after = before._replace(task=run.task, attempt=run.attempt, local=joined((), lent))
    events: tuple[Event, ...] = (RefsHeld(fresh),) if fresh else ()
    assert isinstance(one, Worker)
    for slot in run.description.slots:
        if slot.value is None:
            assert readable(one, slot.object) is not None, f"a task runs without {object_name(slot.object)}"
            done = taken_out(after, slot.object, *contents(one, after, slot.object, None, custom), custom)
            after, events = done.after, (*events, *done.events)
    return Done(after, events)


def landed(one: Party, before: Any, carried: Carried) -> Any:
    """Return what a driver has when bytes have come."""
    message, inside = carried
    if isinstance(message, HoldNotice):
        return before._replace(copies=(*without(before.copies, message.object), (message.object, inside)))
    assert isinstance(one, Node)
    if isinstance(message, ChunkReply) and landing(one, message) is None:
        return before
    copy = one.copies.get(message.object)
    if copy is None or not copy.place:
        return before
    return before._replace(places=(*without(before.places, copy.place), (copy.place, inside)))


def doubt(one: Party, object: int, failure: Failure | None) -> str:
    """Return why a get should not have ended as it did, unless somebody has died; "" if it may."""
    assert isinstance(one, Worker)
    found = failure or readable(one, object)
    failed = isinstance(found, Failure) and found.cause in BY_DEATHS
    return f"a get of {object_name(object)} failed, and nobody has died: {found}" if failed else ""


def contents(one: Party, before: Process, object: int, failure: Failure | None, custom: Custom) -> tuple[Objects, bool]:
    """Return what is inside a value that is read, and whether it is a copy in the store."""
    assert isinstance(one, Worker)
    found = failure or readable(one, object)
    if isinstance(found, Held):
        return dict(before.copies)[object], True
    if isinstance(found, Payload):
        assert found.token == object, f"{object_name(object)} is read as {found}"
        return found.refs, False
    allowed = {"timeout", *(BY_DEATHS if custom.deaths else ())}
    if found is None or found.cause not in allowed:
        raise AssertionError(f"a get of {object_name(object)} failed: {found}")
    return (), False


def taken_out(before: Process, container: int, inside: Objects, is_copy: bool, custom: Custom) -> Done:
    """A user has read a value: it has what is inside."""
    fresh = tuple([object for object in inside if object not in before.holds])
    after = before.given(inside)
    events: tuple[Event, ...] = (RefsFound(container, fresh),) if fresh else ()
    if is_copy:
        stays = custom.views and container not in before.views
        after = after._replace(views=(*before.views, container)) if stays else after
        events = (ViewTaken(container), *events, *(() if stays else (ViewDropped(container),)))
    return Done(after, events)


def snapshot(party: Party) -> tuple[Any, ...]:
    """Return the whole state of a party; the same for the same records, in whatever order they came."""
    return in_order(party.snapshot())


def tidy(one: Party, after: Any) -> Any:
    """Return the state of a party, without what nobody asks for any more."""
    if isinstance(one, Worker):
        after = after._replace(
            copies=tuple([item for item in after.copies if item[0] in one.resolution or item[0] in one.promotion])
        )
        for desk in one.desk.values():  # nobody asks how many turns there were
            one.desk[0] = msgspec.structs.replace(desk, turns=0, timed=False, attempt=0, timed_turn=0)
    return after._replace(tables=snapshot(one))


def in_order(tables: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the state of a party with its records in the order of their names."""
    counter, *rest = tables
    return (counter, *[tuple(sorted(records, key=lambda item: repr(item[0]))) for records in rest])


def renamed(thing: Any, names: Mapping[int, int]) -> Any:
    """Return a value with other names of parties in it: these are integers, and parts of those that name objects."""
    match thing:
        case bool() | Enum():
            return thing
        case int() if thing >= MINTED:
            party = thing >> MINTED_BITS & PARTY_MASK
            return thing ^ (party ^ names.get(party, party)) << MINTED_BITS
        case int() if thing >> COUNTER_BITS:
            party = owner_of(thing)
            return thing ^ (party ^ names.get(party, party)) << COUNTER_BITS
        case int() | float():  # the latter in the shape of a task
            return names.get(int(thing), thing) if thing == int(thing) else thing
        case Process() | Store():
            fields = [renamed(field, names) for field in thing]
            return type(thing)(in_order(fields[0]), *fields[1:])
        case tuple():
            items = [renamed(item, names) for item in thing]
            return type(thing)(*items) if hasattr(thing, "_fields") else tuple(items)
        case frozenset():
            return frozenset([renamed(item, names) for item in thing])
        case Map():
            return Map([(renamed(key, names), renamed(value, names)) for key, value in thing.items()])
        case msgspec.Struct():
            fields = [(field, getattr(thing, field)) for field in thing.__struct_fields__]
            return msgspec.structs.replace(thing, **{field: renamed(value, names) for field, value in fields})
    return thing


@cache
def latest(thing: Any, party: int) -> int:
    """Return the count of the last number in a message that a party has minted, 0 if there is none."""
    match thing:
        case int() if thing >= MINTED:
            return thing & (1 << MINTED_BITS) - 1 if thing >> MINTED_BITS & PARTY_MASK == party else 0
        case tuple() | frozenset():
            return max([latest(item, party) for item in thing], default=0)
        case Map():
            return max([latest(item, party) for item in thing.items()], default=0)
        case msgspec.Struct():
            return max([latest(getattr(thing, field), party) for field in thing.__struct_fields__], default=0)
    return 0


def without(pairs: tuple[tuple[int, Any], ...], name: int) -> tuple[tuple[int, Any], ...]:
    """Return pairs without the one of a name."""
    return tuple([pair for pair in pairs if pair[0] != name])


def joined(objects: Objects, more: Iterable[int]) -> Objects:
    """Return objects with those among others that are not among them."""
    return tuple(dict.fromkeys([*objects, *more]))
