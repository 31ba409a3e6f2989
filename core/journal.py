"""The events of a party on a file, so that a run can be redone by the pure core.

A line for the party, then one for each event: (seconds, cause, kind, fields).  Values' tokens are left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import msgspec

from freehold.core import events, handover, messages, node_events, task_events
from freehold.core.events import Event
from freehold.core.messages import bare
from freehold.core.node import Node
from freehold.core.party import Party
from freehold.core.policies import Policy
from freehold.core.values import Payload, Shape
from freehold.core.worker import Worker


class Header(msgspec.Struct, frozen=True):
    """The party whose events follow."""

    party: int
    policy: Policy
    capacity: int = 0  # of a node's object store
    resources: Shape = ()


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One event."""

    at: float
    cause: int
    kind: str
    event: msgspec.Raw


KINDS: dict[str, type[Event]] = {
    name: kind
    for module in (events, task_events, node_events, messages, handover)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Event)
}


class Journal:
    """A file that events are appended to."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "ab", buffering=1 << 16)  # noqa: SIM115  (closed by close)
        self._encoder = msgspec.json.Encoder(enc_hook=lambda value: None)

    @classmethod
    def open(cls, folder: str, party: Party) -> Journal:
        """Begin the journal of a party, in a file of its own."""
        journal = cls(os.path.join(folder, f"{party.me}.ndjson"))
        header = Header(party.me, party.policy)
        if isinstance(party, Node):
            resources = tuple(sorted(party.offices[0].free.items()))
            header = Header(party.me, party.policy, party.rooms[0].capacity, resources)
        journal._line(header)
        return journal

    def write(self, at: float, cause: int, event: Event) -> None:
        """Append one event; what a crash loses is what was not flushed."""
        self._line([at, cause, type(event).__name__, tokenless(event)])
        self._file.flush()

    def _line(self, value: Any) -> None:
        self._file.write(self._encoder.encode(value) + b"\n")

    def close(self) -> None:
        """End the journal."""
        self._file.close()


def tokenless(event: Event) -> Event:
    """Return an event without the tokens of its values, at any depth that events have."""
    event = bare(event)
    outcomes = getattr(event, "outcomes", None)
    if outcomes:
        light = tuple([_light(outcome) for outcome in outcomes])
        event = msgspec.structs.replace(event, outcomes=light)
    return event


def _light(outcome: Any) -> Any:
    return msgspec.structs.replace(outcome, token=None) if isinstance(outcome, Payload) else outcome


def read(path: str) -> tuple[Header, Iterator[tuple[float, int, Event]]]:
    """Return the header of a journal, and its events; a line that a crash cut off is left out."""
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    header = msgspec.json.decode(lines[0], type=Header)
    return header, _events(lines[1:])


def _events(lines: list[bytes]) -> Iterator[tuple[float, int, Event]]:
    for line in lines[:-1]:
        entry = msgspec.json.decode(line, type=Entry)
        yield entry.at, entry.cause, msgspec.json.decode(entry.event, type=KINDS[entry.kind])


def redo(path: str) -> Party:
    """Run a journal through a new party of the pure core and return it.

    Raises:
        UndeclaredTransition: the recorded run was not a behaviour of the tables.
    """
    header, recorded = read(path)
    party: Party
    if header.resources:
        party = Node(header.party, header.capacity, header.resources, header.policy)
    else:
        party = Worker(header.party, header.policy)
    for at, cause, event in recorded:
        party.handle(event, at, cause)
    return party
