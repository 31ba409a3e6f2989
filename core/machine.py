"""The engine all tables share: states, rows, and how a table is compiled onto its states.

A table says for each (state, event) which function runs and in which states it may end.  It is data: it is
checked for gaps, drawn, and compiled.  ``state.rows`` maps an event type to the function to call, so that one
step is one dictionary look-up and one call.  A handler is ``handler(record, event, here) -> (record, out)``:
it performs nothing; ``out`` holds effects for the driver and events for other records of the same party, and a
record of ``None`` means that the default is back and need not be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple, Protocol

import msgspec

from freehold.core.errors import UndeclaredTransition
from freehold.core.events import Answer, Event
from freehold.core.policies import Policy
from freehold.core.values import Shape

Out = tuple[Any, ...]
Handler = Callable[[Any, Any, "Here"], tuple[Any, Out]]

replace = msgspec.structs.replace


class Here(Protocol):
    """What a handler may know of the party it runs in: names, rules and the time; never another record."""

    me: int  # the party's own name
    node: int  # the node it lives on
    policy: Policy
    now: float  # seconds, as told by the driver with the event

    @property
    def nodes(self) -> tuple[tuple[int, Shape], ...]:
        """The nodes that live, each with its resources."""
        ...

    def hears(self, party: int) -> bool:
        """Tell whether a party is listened to: not if it is known to be dead."""
        ...

    def mint(self) -> int:
        """Return a number this party has never used: an attempt, a request."""
        ...


class State(Enum):
    """A member's value is its meaning and, if the state waits, the answers it awaits.

    Members that end in -ING wait for something outside; no other member waits.
    """

    __hash__ = object.__hash__  # members are one of a kind; that of Enum is a Python function

    def __init__(self, meaning: str, *awaits: type[Event]) -> None:
        self.meaning = meaning
        self.awaits = awaits
        self.rows: dict[type[Event], Handler] = {}


class Row(NamedTuple):
    """One cell of a table."""

    run: Handler | None  # None: legal here, changes nothing
    never: bool  # the cell cannot be reached; to reach it is a bug
    to: tuple[State, ...]  # every state this row may end in; () means it stays
    why: str  # the handler's docstring, or why nothing changes


To = tuple[State, ...] | Mapping[Any, tuple[State, ...]]


class Table:
    """A state machine as data.  ``events`` are all that may reach a record of this table."""

    def __init__(self, name: str, states: type[State], events: tuple[type[Event], ...]) -> None:
        self.name = name
        self.states = tuple(states)
        self.events = events
        self.rows: dict[tuple[State, type[Event]], Row] = {}
        self.taken: set[tuple[State, type[Event], State]] = set()  # arrows that checked steps have taken

    def _declare(self, states: tuple[State, ...], event: type[Event], row: Row) -> None:
        if event not in self.events:
            raise TypeError(f"{self.name}: {event.__name__} is not an event of this table")
        for state in states:
            if (state, event) in self.rows:
                raise TypeError(f"{self.name}: two rows for {state.name}, {event.__name__}")
            self.rows[state, event] = row

    def on(self, *states: State, event: type[Event], to: To = ()) -> Callable[[Handler], Handler]:
        """Declare the decorated handler as the row of ``event`` in ``states``.

        ``to`` names every state in which it may end beside the one in which it began; a mapping names them for
        each state, and those that it leaves out stay.
        """

        def declare(run: Handler) -> Handler:
            for state in states:
                ends = to if isinstance(to, tuple) else to.get(state, ())
                self._declare((state,), event, Row(run, False, ends, run.__doc__ or ""))
            return run

        return declare

    def ignore(self, *states: State, event: type[Event], why: str) -> None:
        """Declare that ``event`` is legal in ``states`` and changes nothing."""
        self._declare(states, event, Row(None, False, (), why))

    def never(self, *states: State, event: type[Event], why: str) -> None:
        """Declare that ``event`` cannot reach a record in ``states``, and why."""
        self._declare(states, event, Row(None, True, (), why))

    def gaps(self) -> list[tuple[State, type[Event]]]:
        """Return the cells nobody has thought about.  A test keeps this empty.

        An answer needs a row only where it is awaited: elsewhere it is stale.
        """
        return [
            (state, event)
            for state in self.states
            for event in self.events
            if (state, event) not in self.rows and (not issubclass(event, Answer) or event in state.awaits)
        ]

    def compile(self, *, checked: bool) -> None:
        """Hang the rows on the states.  ``checked`` adds a test of ``to`` to every row, and a note of what is taken."""
        for state in self.states:
            state.rows.clear()
            for event in self.events:
                row = self.rows.get((state, event))
                if (row and row.never) or (row is None and not issubclass(event, Answer)):
                    continue
                run = row.run if row and row.run else unchanged
                if checked and row is not None:
                    run = _checked(self, row, run)
                if issubclass(event, Answer):
                    run = _unless_stale(run)
                state.rows[event] = run

    def ignored(self, state: State) -> set[type[Event]]:
        """Return the events that change nothing in a state."""
        return {event for (where, event), row in self.rows.items() if where is state and not (row.run or row.never)}

    def untaken(self) -> tuple[list[tuple[State, type[Event]]], list[tuple[State, type[Event], State]]]:
        """Return the cells that no checked step has met, and of the others the ends that none has come to."""
        met = {(state, event) for state, event, _ in self.taken}
        declared = {cell: row for cell, row in self.rows.items() if not row.never}
        cells = [cell for cell in declared if cell not in met]
        ends = [(*cell, end) for cell, row in declared.items() if cell in met for end in row.to]
        return cells, [arrow for arrow in ends if arrow not in self.taken]

    def mermaid(self) -> str:
        """Return the state diagram as Mermaid text; arrows that stay where they are are left out."""
        lines = ["stateDiagram-v2"]
        for state in self.states:
            lines.append(f"  {state.name}: {state.name}<br/>{state.meaning.replace(';', ',')}")
        arrows: dict[tuple[str, str], list[str]] = {}
        for (state, event), row in self.rows.items():
            for after in row.to:
                if after is not state:
                    arrows.setdefault((state.name, after.name), []).append(event.__name__)
        lines += [f"  {a} --> {b}: {', '.join(events)}" for (a, b), events in arrows.items()]
        return "\n".join(lines)


def unchanged(record: Any, event: Any, here: Here) -> tuple[Any, Out]:
    """Leave everything as it is."""
    return record, ()


def _unless_stale(run: Handler) -> Handler:
    """Wrap a row of an answer in the one rule for late or repeated answers: another attempt's is dropped."""

    def step(record: Any, event: Any, here: Here) -> tuple[Any, Out]:
        return run(record, event, here) if event.attempt == record.attempt else (record, ())

    return step


def _checked(table: Table, row: Row, run: Handler) -> Handler:
    """Wrap a row so that it cannot end anywhere its ``to`` does not name, and so that it is known where it ended."""
    taken = table.taken

    def step(record: Any, event: Any, here: Here) -> tuple[Any, Out]:
        after, out = run(record, event, here)
        state = table.states[0] if after is None else after.state
        if state is not record.state and state not in row.to:
            raise UndeclaredTransition(
                f"{table.name}: {record.state.name} on {type(event).__name__} ended in {state.name}, "
                f"which its row does not name"
            )
        taken.add((record.state, type(event), state))
        return after, out

    return step
