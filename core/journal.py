"""The trace of a run: the events of each party on a file, to be read, and to be redone by the pure core step by step.

A folder for each run, and in it a file for each party.  A line for the party; then one for each event, with marks of
what came of it: how many effects, a check sum over them, and how many records there were afterwards; and now and then
a check sum over all tables.  Values' tokens are left out: the core never looks at them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeAlias
from zlib import crc32

import msgspec
from immutables import Map

from freehold.core import events, messages, node_events, task_events
from freehold.core.events import Event
from freehold.core.ids import party_name
from freehold.core.machine import replace
from freehold.core.node import Node
from freehold.core.party import Party
from freehold.core.policies import Policy
from freehold.core.values import Failure, Payload, Shape
from freehold.core.weights import without_values
from freehold.core.worker import Worker

VERSION = 1
TABLES_EVERY = 16  # events between two check sums over the tables; more if they are large

Effects: TypeAlias = list[tuple[int, Any]]


class Diverged(AssertionError):
    """The pure core did something else than the recorded party."""


class Header(msgspec.Struct, frozen=True):
    """The party whose events follow."""

    version: int  # of this format
    party: int
    name: str  # of the party, as stories print it
    policy: Policy
    capacity: int = 0  # of a node's object store
    resources: Shape = ()


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One event, and what came of it."""

    at: float
    cause: int
    kind: str
    event: msgspec.Raw
    effects: int  # how many; negative: the party refused the event
    sum: int  # over the effects
    records: int  # in all tables, afterwards
    tables: int  # check sum over all of them; negative: none was taken


KINDS: dict[str, type[Event]] = {
    name: kind
    for module in (events, task_events, node_events, messages)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Event)
}


def run_folder(home: str) -> str:
    """Make a folder for one run inside another, which is made if it is not there; return its path.

    Raises:
        ValueError: no files can be made there.
    """
    home = os.path.abspath(home)
    try:
        os.makedirs(home, exist_ok=True)
        number = len(os.listdir(home))
        while True:
            number += 1
            folder = os.path.join(home, f"run-{number:04}")
            try:
                os.mkdir(folder)
            except FileExistsError:  # another run has just begun
                continue
            return folder
    except OSError as error:
        text = f"trace={home!r}: no files can be made there ({error.strerror}): name a folder that you may write to"
        raise ValueError(text) from error


class Journal:
    """A file that events are appended to.

    Args:
        path: where; nothing must be there yet.
        party: whose events.
    """

    def __init__(self, path: str, party: Party) -> None:
        self._party = party
        self._encoder = msgspec.json.Encoder()
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        self._wait = 0  # events until the tables are summed again
        header = Header(VERSION, party.me, party_name(party.me), party.policy)
        if isinstance(party, Node):
            resources = tuple(sorted(party.offices[0].free.items()))
            header = replace(header, capacity=party.rooms[0].capacity, resources=resources)
        self._line(header)

    @classmethod
    def open(cls, folder: str, party: Party) -> Journal:
        """Begin the journal of a party, in a file of its own."""
        return cls(os.path.join(folder, f"{party_name(party.me)}.ndjson"), party)

    def write(self, at: float, cause: int, event: Event, effects: Effects | None) -> None:
        """Append one event and what came of it: effects, or None if it was refused."""
        records = count(self._party)
        self._wait -= 1
        tables = -1
        if self._wait < 0:
            self._wait = max(TABLES_EVERY, records)
            tables = sum_of_tables(self._party)
        number, total = (-1, 0) if effects is None else (len(effects), sum_of(effects))
        told = without_values(event)
        self._line([at, cause, type(event).__name__, told, number, total, records, tables])

    def _line(self, value: Any) -> None:
        line = self._encoder.encode(value) + b"\n"  # written at once: who is killed loses what it did not do
        while line:
            line = line[os.write(self._fd, line) :]

    def abandon(self) -> None:
        """Close the file as it is: this process is a fork of the one that writes it, or nobody has ended the run."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        if hasattr(self, "_fd"):  # it could be opened
            self.abandon()

    def close(self) -> None:
        """End the journal with a look at the tables."""
        self._line([sum_of_tables(self._party)])
        self.abandon()


# ------------------------------------------------------------------ check sums, of what is not bytes of values


def plain(value: Any) -> Any:
    """Return a record as tuples whose text is the same in every process."""
    if isinstance(value, Payload):
        return ("Payload", value.nbytes, value.refs)
    if isinstance(value, Failure):
        return ("Failure", value.cause, value.object, value.party, value.text)
    if isinstance(value, Enum):
        return int(value) if isinstance(value, int) else value.name  # a number may have been told as its name
    if isinstance(value, msgspec.Struct):
        return (type(value).__name__, *[plain(getattr(value, field)) for field in value.__struct_fields__])
    if isinstance(value, float) and value.is_integer():
        return int(value)  # users write numbers of seconds without a point
    if isinstance(value, Map | dict):
        return sorted([(plain(key), plain(item)) for key, item in value.items()])
    if isinstance(value, tuple | list):
        return tuple([plain(item) for item in value])
    return value


def sum_of(effects: Effects) -> int:
    """Return a check sum over effects, in their order."""
    return crc32(repr([plain(effect) for _, effect in effects]).encode()) if effects else 0


def count(party: Party) -> int:
    """Return how many records a party has."""
    return sum(map(len, party.tables.values()))


def sum_of_tables(party: Party) -> int:
    """Return a check sum over all records of a party, and its counter."""
    tables: Mapping[str, Mapping[Any, Any]] = party.tables
    rows = [(name, sorted([(key, plain(record)) for key, record in tables[name].items()], key=repr)) for name in tables]
    return crc32(repr((party.counter, rows)).encode())


# ------------------------------------------------------------------ reading, and doing it again


def read(path: str) -> tuple[Header, Iterator[Entry | int]]:
    """Return the header of a journal, and its entries; a party that left in good order ends with a last sum.

    A line that a kill has cut off is left out.

    Raises:
        ValueError: the file is not a journal, or one of another version.
    """
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    try:
        header = msgspec.json.decode(lines[0], type=Header)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is not a trace of freehold: {error}") from error
    if header.version != VERSION:
        raise ValueError(f"{path} is a trace of version {header.version}; this freehold reads version {VERSION}")
    return header, _entries(lines[1:-1])


def _entries(lines: Iterable[bytes]) -> Iterator[Entry | int]:
    for line in lines:
        if line.count(b",") == 0:
            yield msgspec.json.decode(line, type=tuple[int])[0]
        else:
            yield msgspec.json.decode(line, type=Entry)


def fresh_party(header: Header) -> Party:
    """Return a party as it was when its journal began."""
    if header.capacity:
        return Node(header.party, header.capacity, header.resources, header.policy)
    return Worker(header.party, header.policy)


class Redo:
    """A journal that is run through a new party of the pure core, event by event, and compared.

    Args:
        path: the journal.

    Attributes:
        party: as it is after what has been done again.
        next: what comes next, None at the end.
        line: where that is in the file.

    Raises:
        ValueError: it is not a journal, or one of another version, or a line of it cannot be read.
    """

    def __init__(self, path: str) -> None:
        header, self._entries = read(path)
        self.path, self.line = path, 1
        self.party = fresh_party(header)
        self.next: Entry | None = None
        self._advance()

    def _advance(self) -> None:
        self.line += 1
        try:
            entry = next(self._entries, None)
        except msgspec.DecodeError as error:
            raise ValueError(f"{self.path}:{self.line} is not a line of a trace: {error}") from error
        if isinstance(entry, int):
            self._expect("the last tables", entry, sum_of_tables(self.party))
            entry = None
        self.next = entry

    def step(self) -> tuple[Event, Effects]:
        """Do the next event again; return it and what the party asked for.

        Raises:
            UndeclaredTransition: the recorded run was not a behaviour of the tables.
            Diverged: it was another behaviour than the core's.
            ValueError: the line is not one of a trace.
        """
        entry = self.next
        assert entry is not None
        try:
            event = msgspec.json.decode(entry.event, type=KINDS[entry.kind])
        except (KeyError, msgspec.DecodeError) as error:
            raise ValueError(f"{self.path}:{self.line} is not an event: {entry.kind}: {error}") from error
        effects = self.party.handle(event, entry.at, entry.cause)
        what = f"{entry.kind} {event}"
        self._expect(f"effects of {what}", entry.effects, len(effects))
        self._expect(f"effects of {what}: {effects}", entry.sum, sum_of(effects))
        self._expect(f"records after {what}", entry.records, count(self.party))
        if entry.tables >= 0:
            self._expect(f"tables after {what}", entry.tables, sum_of_tables(self.party))
        self._advance()
        return event, effects

    def _expect(self, what: str, recorded: int, redone: int) -> None:
        if recorded != redone:
            raise Diverged(f"{self.path}:{self.line}: {what:.2000}: recorded {recorded}, redone {redone}")


def redo(path: str, look: Callable[[Party], object] = lambda party: None) -> Party:
    """Run a journal through a new party of the pure core, compare, and return the party; errors as of ``Redo``.

    Args:
        path: the journal.
        look: called with the party now and then, amid the run.
    """
    journal = Redo(path)
    while (entry := journal.next) is not None:
        journal.step()
        if entry.tables >= 0:
            look(journal.party)
    return journal.party


def redo_all(folder: str, look: Callable[[Party], object] = lambda party: None) -> dict[str, Party]:
    """Redo every journal below a folder; return the parties by the paths of their journals."""
    paths = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    begun = [path for path in sorted(paths) if path.endswith(".ndjson") and os.path.getsize(path)]
    return {path: redo(path, look) for path in begun}
