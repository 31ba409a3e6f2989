"""The trace of a run as one: the journals of its parties, done again in an order in which every cause comes first.

Decides what is checked in a run that has happened: that the pure core does the same, that every message was sent once
and came in order, and what must be true of all parties at once.  Refuses to know which backend it was.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from freehold.core.effects import Send
from freehold.core.errors import UndeclaredTransition
from freehold.core.events import Event
from freehold.core.ids import COUNTER_BITS, COUNTER_MASK, object_name, party_name
from freehold.core.journal import Diverged, Effects, Redo, plain
from freehold.core.node_events import PeerLost
from freehold.core.node_messages import ChunkReply
from freehold.core.party import Party
from freehold.core.strides import Raw
from freehold.core.trace import Ring, Step, unfolded
from freehold.core.trace import table as table_of
from freehold.specs.properties import object_agrees, runs_once
from freehold.specs.records import agree
from freehold.specs.walks.world import Violation

RECORDS_PER_LOOK = 4  # the counts of a party with so many records are looked at after every event, of others seldomer
STEPS_KEPT = 1 << 20  # of each party, to find causes among


class Moment(NamedTuple):
    """One event of one party, done again."""

    party: Party
    line: str  # where it is recorded
    cause: int
    event: Event
    effects: Effects


class Touched:
    """The records that were stepped since somebody looked, by name; a ``Watch``."""

    def __init__(self) -> None:
        self.names: set[Any] = set()

    def took(self, step: int, cause: int, at: float, name: Any, before: Any, event: Event, after: Any) -> None:
        """Take note of one step."""
        self.names.add(name)

    def asked(self, step: int, effect: object) -> None:
        """Effects are looked at when the event is over."""

    def strode(self, entry: Raw, /) -> None:
        """Take note of several steps."""
        self.names.update(raw[3] for raw in unfolded(entry))


class Trace:
    """The journals of one run.

    Args:
        path: the folder of a run, or one journal: what the others did is not known then.
        cut: whether the last line of a journal may have been cut off, as by a kill.

    Raises:
        ValueError: nothing is there, or something that is not a trace that this freehold can read.
    """

    def __init__(self, path: Path, *, cut: bool = False) -> None:
        files = sorted(path.glob("*.ndjson")) if path.is_dir() else [path]
        lines = {file: count for file in files if (count := lines_of(file, cut))}
        if not lines:
            raise ValueError(f"{path} has no trace of a run: a program makes one with init(trace=) or FREEHOLD_TRACE")
        self.whole = path.is_dir()
        self.lines = sum(lines.values())  # a little more than events
        self.journals = {journal.party.me: journal for journal in [begun(file) for file in lines]}
        self.files = [*lines]

    def digest(self) -> str:
        """Return what tells one run from another: the sha256 of all that its parties were told, and did."""
        found = hashlib.sha256()
        for file in self.files:
            found.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        return found.hexdigest()

    def moments(self) -> Iterator[Moment]:
        """Do everything again, by time; who was told something waits until its cause has happened.

        Raises:
            UndeclaredTransition, Diverged: the core does not do what was recorded.
            ValueError: something is missing.
        """
        due: list[tuple[float, int]] = []
        for journal in self.journals.values():
            push(due, journal)
        waiting: dict[int, list[int]] = defaultdict(list)  # party -> those that were told of what it has yet to do
        while due:
            _, me = heapq.heappop(due)
            journal = self.journals[me]
            entry = journal.next
            assert entry is not None
            source = self.source(journal, entry.cause)
            if source is not None and source.party.step < entry.cause:
                waiting[source.party.me].append(me)
                continue
            line = f"{journal.path}:{journal.line}"
            event, effects = journal.step()
            yield Moment(journal.party, line, entry.cause, event, effects)
            push(due, journal)
            for other in waiting.pop(me, ()):
                push(due, self.journals[other])
        if waiting:
            stuck = [self.journals[me] for others in waiting.values() for me in others]
            lines = ", ".join([f"{journal.path}:{journal.line}" for journal in stuck])
            raise Diverged(f"nothing comes first: {lines} are each told of what others do later")

    def source(self, journal: Redo, cause: int) -> Redo | None:
        """Return the journal with the step that caused what comes next, None if it is not known.

        Whoever does something writes it down first, so that even one who was killed has written what others heard.
        """
        source = self.journals.get(cause >> COUNTER_BITS)
        missing = cause and (self.whole if source is None else source.party.step < cause and source.next is None)
        if missing:
            where, name = f"{journal.path}:{journal.line}", party_name(cause >> COUNTER_BITS)
            lost = "the journal of" if source is None else "the end of the journal of"
            raise ValueError(f"{where}: step {object_name(cause)} was heard of, but {lost} {name} is missing")
        return source


def begun(file: Path) -> Redo:
    """Return a journal, of which nothing has been done again."""
    try:
        return Redo(str(file))
    except Diverged as error:  # its last line is of tables in which something is
        raise ValueError(f"the events are missing: {error}") from None


def push(due: list[tuple[float, int]], journal: Redo) -> None:
    """Note when the next event of a journal was, if there is one."""
    if journal.next is not None:
        heapq.heappush(due, (journal.next.at, journal.party.me))


def lines_of(file: Path, cut: bool) -> int:
    """Return how many lines a journal has, and complain if the last one is not whole and has to be."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    lines = content.count(b"\n")
    if content and not cut and not content.endswith(b"\n"):
        raise ValueError(f"{file}:{lines + 1}: the line is cut off, so this is not the whole trace")
    return lines


def runs_below(path: Path) -> list[Path]:
    """Return the folders of runs below a folder, or what was given if it has none, or is a journal."""
    return sorted({file.parent for file in path.rglob("*.ndjson")}) or [path] if path.is_dir() else [path]


def insist_on(path: Path) -> int:
    """Check all runs below a folder, of processes that may have been killed; return how many parties they had.

    Raises:
        AssertionError: something is wrong.
    """
    parties = 0
    for folder in runs_below(path):
        if any(file.stat().st_size for file in folder.glob("*.ndjson")):
            trace = Trace(folder, cut=True)
            parties += len(trace.journals)
            if complaint := Check(trace).complaint():
                raise Violation(complaint)
    return parties


def led_to(trace: Trace, name: str) -> str:
    """Return the steps that led to one, in words, and what its party had in its tables when its event was over.

    Raises:
        ValueError: it is not the name of a step of the trace.
    """
    step = step_named(trace, name)
    rings = {me: Ring(STEPS_KEPT) for me in trace.journals}
    for me, journal in trace.journals.items():
        journal.party.watch = rings[me]
    party = trace.journals[step >> COUNTER_BITS].party
    for moment in trace.moments():
        if moment.party is party and party.step >= step:
            break
    else:
        raise ValueError(f"{name} was not reached: the trace of {party_name(party.me)} ends before it")
    known = {each.step: each for ring in rings.values() for each in ring.steps()}
    object, chain = known[step].object, list[Step]()
    while step in known:
        chain.append(known[step])
        step = known[step].cause
    lines = [table_of(chain[::-1], f"what led to {name}")]
    records = {table: rows[object] for table, rows in party.tables.items() if object and object in rows}
    about = object_name(object) if object >> COUNTER_BITS else party_name(object)
    lines += [f"{party_name(party.me)} has then of {about}:"] if records else []
    return "\n".join([*lines, *[f"  {table}: {in_words(record)}" for table, record in records.items()]])


def in_words(record: Any) -> str:
    """Return a record's state, and the fields that are not as they are at first."""
    defaults = dict(zip(reversed(record.__struct_fields__), reversed(record.__struct_defaults__), strict=False))
    fields = [field for field in record.__struct_fields__ if field != "state"]
    told = [(field, getattr(record, field)) for field in fields]
    said = [f"{field}={value!r}" for field, value in told if field not in defaults or value != defaults[field]]
    return " ".join([record.state.name, *said])


def step_named(trace: Trace, name: str) -> int:
    """Return a step by its name in stories."""
    who, _, count = name.rpartition(".")
    names = {party_name(me): me for me in trace.journals}
    if who not in names or not count.isdecimal() or not 0 < int(count) <= COUNTER_MASK:
        known = ", ".join(sorted(names))
        raise ValueError(f"{name!r} is not a step, such as n0w1.57, of a party of this trace: {known}")
    return names[who] << COUNTER_BITS | int(count)


class Alive(NamedTuple):
    """Some parties of a run."""

    parties: dict[int, Party]


class Check:
    """What is wrong in a trace, moment by moment."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.touched = Touched()
        self.alive = {me: journal.party for me, journal in trace.journals.items()}
        self.parties = len(self.alive)
        for party in self.alive.values():
            party.watch = self.touched
        self.sent: dict[tuple[int, int], deque[tuple[int, Any]]] = defaultdict(deque)  # pair -> (step, message)
        self.until_look: dict[int, int] = {}  # party -> events until its counts are looked at
        self.moments = 0

    def complaint(self, each: Callable[[int], None] = lambda moments: None) -> str:
        """Return the first thing that is wrong, "" if nothing is.

        Args:
            each: called with the number of events that have been done again.
        """
        try:
            for moment in self.trace.moments():
                self.moments += 1
                for complaint in self.of(moment):
                    return f"{moment.line}: {complaint}"
                each(self.moments)
        except (UndeclaredTransition, Diverged) as error:
            return str(error)
        return ""

    def of(self, moment: Moment) -> Iterator[str]:
        """Yield what is wrong after one event."""
        party = moment.party
        yield from self.transport(moment)
        if party.members.dead:
            self.alive = {me: other for me, other in self.alive.items() if party.hears(me)}
        names, self.touched.names = self.touched.names, set()
        for name in names:
            if isinstance(name, int) and name >> COUNTER_BITS:
                yield from object_agrees(self.alive, name)
        self.until_look[party.me] = left = self.until_look.get(party.me, 0) - 1
        if left < 0:
            self.until_look[party.me] = sum(map(len, party.tables.values())) // RECORDS_PER_LOOK
            yield from runs_once(Alive(self.alive))
            yield from agree(party, calm=len(self.alive) == self.parties)

    def transport(self, moment: Moment) -> Iterator[str]:
        """A message was sent before it came, and between two parties they come in order, each once.

        Chunks, and refusals of them, come by way of drivers, which need not know the step.
        """
        me, source = moment.party.me, moment.cause >> COUNTER_BITS
        for step, effect in moment.effects:
            if type(effect) is Send and step and type(effect.message) is not ChunkReply:  # 0: a user's act, passed on
                self.sent[me, effect.target].append((step, plain(effect.message)))
        if type(moment.event) is PeerLost:
            self.sent.pop((moment.event.party, me), None)
        elif source in self.trace.journals and source != me and type(moment.event) is not ChunkReply:
            told = plain(moment.event)
            waiting = self.sent[source, me]
            step, expected = waiting.popleft() if waiting else (0, None)
            if (step, expected) != (moment.cause, told):
                name = object_name(moment.cause)
                yield f"{party_name(me)} is told {told} by step {name}; {party_name(source)} has sent {expected} first"
