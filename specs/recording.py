"""A recorded run as one: the journals of its parties, done again in an order in which every cause comes first.

Decides what is checked in a run that has happened: that the pure core does the same, that every message was sent once
and came in order, and what must be true of all parties at once.  Refuses to know which backend has recorded it.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from freehold.core.effects import Send
from freehold.core.errors import UndeclaredTransition
from freehold.core.events import Event
from freehold.core.ids import COUNTER_BITS, object_name, party_name
from freehold.core.journal import Diverged, Effects, Redo, plain
from freehold.core.node_events import PeerLost
from freehold.core.party import Party
from freehold.core.strides import Raw
from freehold.core.trace import unfolded
from freehold.core.worker import Worker
from freehold.specs.properties import accounts_agree, object_agrees, worker_counts_agree

RECORDS_PER_LOOK = 20  # the counts of a party with so many records are looked at after every event, of others seldomer


class Moment(NamedTuple):
    """One event of one party, done again."""

    party: Party
    line: str  # where it is recorded
    first: int  # the step that the party had taken before
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


class Recording:
    """The journals of one run.

    Args:
        path: the folder of a run, or one journal: what the others did is not known then.

    Raises:
        ValueError: nothing is there, or something that is not a trace that this freehold can read.
    """

    def __init__(self, path: Path) -> None:
        files = sorted(path.glob("*.ndjson")) if path.is_dir() else [path]
        files = [file for file in files if is_whole(file)]
        if not files:
            raise ValueError(f"{path} has no traces: run a program with FREEHOLD_TRACE, or init(trace=), to make some")
        self.journals = {journal.party.me: journal for journal in [Redo(str(file)) for file in files]}
        self.touched = Touched()
        for journal in self.journals.values():
            journal.party.watch = self.touched

    def moments(self) -> Iterator[Moment]:
        """Do everything again, by time; who was told something waits until its cause has happened.

        Raises:
            UndeclaredTransition, Diverged: the core does not do what was recorded.
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
            source = self.journals.get(entry.cause >> COUNTER_BITS)
            if source is not None and source.party.step < entry.cause:
                if source.next is None:
                    what = f"is told of step {object_name(entry.cause)}, which its journal does not have"
                    raise Diverged(f"{journal.path}:{journal.line}: {party_name(me)} {what}")
                waiting[source.party.me].append(me)
                continue
            line, first = f"{journal.path}:{journal.line}", journal.party.step
            event, effects = journal.step()
            yield Moment(journal.party, line, first, entry.cause, event, effects)
            push(due, journal)
            for other in waiting.pop(me, ()):
                push(due, self.journals[other])
        if waiting:
            raise Diverged(f"causes go in a circle between {', '.join(map(party_name, waiting))}")


def push(due: list[tuple[float, int]], journal: Redo) -> None:
    """Note when the next event of a journal was, if there is one."""
    if journal.next is not None:
        heapq.heappush(due, (journal.next.at, journal.party.me))


def is_whole(file: Path) -> bool:
    """Tell whether a journal was begun, and complain if its last line is not whole; a line is written at once."""
    content = file.read_bytes()
    if content and not content.endswith(b"\n"):
        raise ValueError(f"{file}:{content.count(bytes((10,))) + 1}: the line is cut off: the file is not whole")
    return bool(content)


class Check:
    """What is wrong in a recording, moment by moment."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.alive = {me: journal.party for me, journal in recording.journals.items()}
        self.sent: dict[tuple[int, int], deque[tuple[int, Any]]] = defaultdict(deque)  # pair -> (step, message)
        self.until_look: dict[int, int] = {}  # party -> events until its counts are looked at
        self.moments = 0

    def complaint(self, each: Callable[[int], None] = lambda moments: None) -> str:
        """Return the first thing that is wrong, "" if nothing is.

        Args:
            each: called with the number of events that have been done again.
        """
        try:
            for moment in self.recording.moments():
                self.moments += 1
                for complaint in self.of(moment):
                    return f"{moment.line}: {complaint}"
                each(self.moments)
        except (UndeclaredTransition, Diverged) as error:
            return str(error)
        return next(accounts_agree(*self.alive.values()), "")

    def of(self, moment: Moment) -> Iterator[str]:
        """Yield what is wrong after one event."""
        party = moment.party
        yield from self.transport(moment)
        for gone in party.members.dead:
            for me in [me for me in self.alive if not party.hears(me)]:
                del self.alive[me]
            self.alive.pop(gone, None)
        names, self.recording.touched.names = self.recording.touched.names, set()
        for name in names:
            if isinstance(name, int) and name >> COUNTER_BITS:
                yield from object_agrees(self.alive, name)
        if isinstance(party, Worker):
            self.until_look[party.me] = left = self.until_look.get(party.me, 0) - 1
            if left < 0:
                self.until_look[party.me] = sum(map(len, party.tables().values())) // RECORDS_PER_LOOK
                yield from worker_counts_agree(party)

    def transport(self, moment: Moment) -> Iterator[str]:
        """A message was sent before it came, and between two parties they come in order, each once."""
        me, source = moment.party.me, moment.cause >> COUNTER_BITS
        for step, effect in moment.effects:
            if type(effect) is Send:
                self.sent[me, effect.target].append((step, plain(effect.message)))
        if type(moment.event) is PeerLost:
            self.sent.pop((moment.event.party, me), None)
        elif source in self.recording.journals and source != me:
            told = plain(moment.event)
            waiting = self.sent[source, me]
            step, expected = waiting.popleft() if waiting else (0, None)
            if (step, expected) != (moment.cause, told):
                name = object_name(moment.cause)
                yield f"{party_name(me)} is told {told} by step {name}; {party_name(source)} has sent {expected} first"
