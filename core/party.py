"""What both kinds of party share: the one door ``handle(event) -> effects``, and the loop behind it.

A party is mappings from names to records; its kind has routes from event types to these.  Local events run from a queue
to the end before any effect leaves; nothing here recurses.  Subclasses route; they decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Protocol

from freehold.core.effects import EFFECTS, Effect, Send
from freehold.core.errors import Livelock, UndeclaredTransition
from freehold.core.events import Event
from freehold.core.ids import COUNTER_BITS, COUNTER_MASK, node_of, object_name, party_name
from freehold.core.machine import Here, Table
from freehold.core.membership import Members
from freehold.core.policies import DEFAULT, Policy
from freehold.core.strides import NONE, Raw, Strides
from freehold.core.values import Shape

Records = dict[Any, Any]
Key = Callable[[Any], Any]
Route = tuple[int, Key, Callable[[Any], Any], bool]  # which records, their keys, a new one, whether that ignores it
EFFECT_KINDS = frozenset(EFFECTS)
STEPS_MAX = 10_000_000  # of one event; more is a livelock


def only(_: Any) -> int:
    """Return the key of a record that is the only one of its kind."""
    return 0


class Routes(dict[type[Event], tuple[Route, ...]]):
    """Which events go to which records, of all parties of a kind; one of several tables reaches them in this order.

    Args:
        tables: by the attribute for their records, each with what makes a new one of a name.
    """

    tables: dict[str, Table]

    def __init__(self, **tables: tuple[Table, Callable[[Any], Any]]) -> None:
        super().__init__()
        self.tables = {attribute: table for attribute, (table, _) in tables.items()}
        for number, (table, fresh) in enumerate(tables.values()):
            ignored = table.ignored(table.states[0])
            for event in table.events:
                self[event] = (*self.get(event, ()), (number, key_of(event), fresh, event in ignored))


def key_of(event: type[Event]) -> Key:
    """Return the function that finds the key of an event's record."""
    return attrgetter(event.key) if event.key else only


class Watch(Protocol):
    """An observer of steps; whatever it does, the party does the same."""

    def took(self, step: int, cause: int, at: float, name: Any, before: Any, event: Event, after: Any) -> None:
        """One record was stepped."""

    def asked(self, step: int, effect: Effect) -> None:
        """The step asked the driver for something."""

    def strode(self, entry: Raw, /) -> Any:
        """A stride was taken: (base, cause, at, unfold, facts)."""


class Party(Here):
    """A worker or a node: records, and the loop that steps them.

    Args:
        me: the party's name.
        routes: of its kind.
        policy: the rules it plays by.
    """

    me: int
    node: int
    policy: Policy
    now: float
    counter: int
    step: int  # the name of the last step: whose it was, and the how manieth
    members: Members
    tables: dict[str, Records]  # all records, by the table that they are stepped by
    records: tuple[Records, ...]  # the same, by the numbers in routes
    routes: dict[type[Event], tuple[Route, ...]]
    strides: Strides
    watch: Watch | None

    def __init__(self, me: int, routes: Routes, policy: Policy = DEFAULT) -> None:
        self.me = me
        self.node = node_of(me)
        self.policy = policy
        self.now = 0.0
        self.counter = 0
        self.step = me << COUNTER_BITS
        self.members = Members()
        self.tables = {}
        for attribute, table in routes.tables.items():
            self.tables[table.name] = records = self.members if attribute == "members" else {}
            setattr(self, attribute, records)
        self.records = (*self.tables.values(),)
        self.routes = routes
        self.strides = NONE
        self.watch = None

    def hears(self, party: int) -> bool:
        """Tell whether a party is listened to: not if it, or its node, is known to be dead."""
        return self.members.hears(party)

    def mint(self) -> int:
        """Return a number that this party has never used."""
        self.counter += 1
        return self.counter

    @property
    def steps(self) -> int:
        """How many steps it has taken."""
        return self.step & COUNTER_MASK

    @property
    def nodes(self) -> tuple[tuple[int, Shape], ...]:
        """The nodes that live, as far as this party knows, each with its resources."""
        return self.members.alive()

    def unknown(self, nodes: tuple[tuple[int, Shape], ...]) -> tuple[tuple[int, Shape], ...]:
        """Return those of some nodes, each with its resources, that this party has never heard of."""
        return tuple([item for item in nodes if item[0] not in self.members])

    def spread(self, event: Event) -> Iterable[Event | Effect]:
        """Return the events for single records that an event for many stands for."""
        raise UndeclaredTransition(f"{party_name(self.me)} does not know {event!r}")

    def handle(self, event: Event, now: float = 0.0, cause: int = 0) -> list[tuple[int, Effect]]:
        """Take one event and everything that follows from it here; return the effects asked for.

        Args:
            event: what happened.
            now: seconds, on any clock that does not run backwards.
            cause: the step, here or elsewhere, that caused the event; 0 for a user.  What a party has caused that is
                dead, as is known here, is not listened to.

        Returns:
            Effects in the order in which they are to be performed, each with the step that asked for it.
        """
        self.now = now
        if cause and self.members.dead and not self.members.hears(cause >> COUNTER_BITS):
            return []
        stride = self.strides.get(type(event))
        if stride is not None:
            take, unfold = stride
            base = self.step
            strode = take(self, event, base)
            if strode is not None:
                asked, steps, facts = strode
                self.step = base + steps
                watch = self.watch
                if watch is not None:
                    watch.strode((base, cause, now, unfold, facts))
                return asked
        return self.walk(event, now, cause)

    def walk(self, event: Event, now: float, cause: int) -> list[tuple[int, Effect]]:
        """Do what ``handle`` promises, step by step."""
        effects: list[tuple[int, Effect]] = []
        queue: list[tuple[int, Any]] = []  # what is to follow; grows as it is gone through
        done, routes_of, tables, step = 0, self.routes, self.records, self.step
        took = None if self.watch is None else self.watch.took
        while True:
            kind = type(event)
            routes = routes_of.get(kind)
            if routes is None:
                self.sort(cause, self.spread(event), queue, effects)
                routes = ()
            for number, key, fresh, ignored in routes:  # one step of one record, written out: it is the hot loop
                name = key(event)
                records = tables[number]
                record = records.get(name)
                if record is None:
                    if ignored:
                        continue
                    record = fresh(name)
                try:
                    run = record.state.rows[kind]
                except KeyError:
                    raise UndeclaredTransition(self.undeclared(record, event)) from None
                after, out = run(record, event, self)
                if after is None:
                    records.pop(name, None)
                elif after is not record:
                    records[name] = after
                step += 1
                if took is not None:
                    took(step, cause, now, name, record, event, after)
                if out:
                    self.sort(step, out, queue, effects)
            if done == len(queue):
                break
            cause, event = queue[done]
            done += 1
        self.step = step
        return effects

    def sort(self, step: int, out: Iterable[Any], queue: list[tuple[int, Any]], effects: list[Any]) -> None:
        """Put what a step asked for where it belongs: events into the queue, effects on the list for the driver."""
        for following in out:
            kind = type(following)
            if kind not in EFFECT_KINDS:
                queue.append((step, following))
                continue
            if self.watch is not None:
                self.watch.asked(step, following)
            if kind is Send and following.target == self.me:
                queue.append((step, following.message))
            else:
                effects.append((step, following))
        if len(queue) > STEPS_MAX:
            raise Livelock(f"{party_name(self.me)}: {queue[0][1]!r} does not come to an end")

    def undeclared(self, record: Any, event: Event) -> str:
        """Say which cell of which table was reached that nobody has declared."""
        name = getattr(record, "object", None) or getattr(record, "task", None) or 0
        about = f" for {object_name(name)}" if name else ""
        return (
            f"{party_name(self.me)}: {type(record).__name__} in {record.state.name} "
            f"has no row for {type(event).__name__}{about}: {event!r}"
        )

    def snapshot(self) -> tuple[Any, ...]:
        """Return the whole state of the party as an immutable value; ``restore`` takes it back."""
        return (self.counter, *(tuple(records.items()) for records in self.tables.values()))

    def restore(self, snapshot: tuple[Any, ...]) -> None:
        """Become what the party was when ``snapshot`` was taken."""
        self.counter = snapshot[0]
        for records, items in zip(self.tables.values(), snapshot[1:], strict=True):
            records.clear()
            for name, record in items:
                records[name] = record
