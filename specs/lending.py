"""A small cluster in which one object is lent, passed on, returned, dropped, and somebody may die: a model to explore.

Real parties: some workers and their node, which carries the news of deaths; in place of leasing an immediate grant.
A state of the whole cluster is a tuple of small numbers, for every state of a party, and every message, is kept once
and numbered.  So what a party does with a message is computed once, however often it happens.  Numbers that parties
mint are only ever compared with each other: states that differ in nothing else are the same, and the space is finite
although users may lend without end.

This file decides what users may do, what counts as the same state, and what must be true in each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import product
from typing import Any, NamedTuple

import msgspec
from immutables import Map

from freehold.core.effects import Run, Send
from freehold.core.events import Event, RefCreated, RefDropped, RefsFound, RefsHeld
from freehold.core.ids import COUNTER_BITS, COUNTER_MASK, HEAD, object_id, object_name, owner_of, party_name, worker_id
from freehold.core.node import Node
from freehold.core.node_events import PeerLost
from freehold.core.ownership import Ownership
from freehold.core.party import Party
from freehold.core.policies import DEFAULT, Policy
from freehold.core.task_events import (
    LeaseLost,
    RunEnded,
    TaskAssigned,
    TaskOver,
    TaskReady,
    TaskSubmitted,
    WorkerStarted,
)
from freehold.core.values import Description, Payload
from freehold.core.worker import Worker
from freehold.specs.properties import worker_counts_agree
from freehold.specs.world import Violation

MINTED = 1 << 60  # from here on a number is an attempt
TASKS = 1 << 30  # from here on an object's counter is a task's
IDLE = (0, 0, 0)
Action = tuple[Any, ...]
Numbers = tuple[int, ...]


class Granted(Worker):
    """A worker whose tasks run where their shape says, at once."""

    def __init__(self, me: int, policy: Policy) -> None:
        super().__init__(me, policy)
        for event in (TaskReady, TaskOver, LeaseLost):
            del self.routes[event]

    def spread(self, event: Event) -> Any:
        match event:
            case TaskReady(pool, task):
                return [TaskAssigned(task, int(pool[0][0][1]), pool)]
            case TaskOver() | LeaseLost():
                return []
        return super().spread(event)

    def mint(self) -> int:
        return MINTED | self.me << 32 | super().mint()


class State(NamedTuple):
    """The whole cluster at one moment; items of the dead are empty."""

    parties: Numbers  # by party: which snapshot; -1: dead
    wires: tuple[Numbers, ...]  # by source * parties + target: which messages are on their way
    keeps: tuple[bool, ...]  # a variable of user code refers to the object
    runs: tuple[Numbers, ...]  # the task that runs, its attempt, and whether the object is among its arguments
    results: tuple[Numbers, ...]  # tasks to whose return user code has a reference
    deaths: int  # how many may still come


class Snapshot(NamedTuple):
    """One state of one party, and what the properties ask of it."""

    tables: Any  # what ``restore`` takes
    form: int  # the tables without minted numbers
    numbers: Numbers  # the minted numbers
    calls: int  # tasks that it has submitted and that are not over
    inside: Numbers  # tasks whose return is here, with the object inside
    owns: bool  # it has the object's record
    busy: str  # what should not be there once nothing happens any more
    left: str  # nor this, once nobody has a reference


class Step(NamedTuple):
    """What a party makes of what it is told."""

    after: int  # its new snapshot
    sent: tuple[tuple[int, int], ...]  # (to whom, which message)
    run: Numbers  # the task that begins to run, IDLE if none does
    complaint: str  # what is wrong; "" if nothing is


class Lending:
    """All behaviours of some workers that share one object, which the first of them has put.

    Args:
        workers: how many.
        tasks: how many may be under way at a time, or have a return to which user code has a reference.
        deaths: how many may die.
        returns: whether tasks return something, in which the object may be.
        policy: the rules that all play by.
    """

    def __init__(
        self, workers: int = 3, tasks: int = 1, deaths: int = 0, returns: bool = False, policy: Policy = DEFAULT
    ) -> None:
        self.names = [*[worker_id(HEAD, index + 1) for index in range(workers)], HEAD]
        self.index = {name: index for index, name in enumerate(self.names)}
        self.workers = [Granted(name, policy) for name in self.names[:-1]]
        self.parties: list[Party] = [*self.workers, Node(HEAD, 0, (), policy)]
        for name in self.names[:-1]:
            self.parties[-1].handle(WorkerStarted(name))
        self.blank = [party.snapshot() for party in self.parties]
        self.functions = [object_id(name, 1) for name in self.names[:-1]]
        self.object = object_id(self.names[0], 2)
        self.tasks, self.deaths, self.returns = tasks, deaths, returns
        self.snapshots: list[Snapshot] = []
        self.snapshot_numbers: dict[Any, int] = {}
        self.messages: list[Event] = []
        self.message_numbers: dict[Event, int] = {}
        self.memory: dict[Any, Step] = {}  # (worker, snapshot, whether it has a reference, what it is told) -> step
        self.forms: dict[Any, int] = {}  # a value without its minted numbers -> a small number
        self.parts: dict[Any, tuple[int, Numbers]] = {}  # value -> its form and its minted numbers
        self.seen: set[str] = set()  # states of references that were reached

    # ------------------------------------------------------------------ what may happen

    def first(self) -> State:
        """Return the state in which the owner has just put the object."""
        count = len(self.names)
        parties = []
        for me, worker in enumerate(self.workers):
            worker.restore(self.blank[me])
            worker.handle(RefCreated(self.functions[me], Payload(1)))
            if not me:
                worker.handle(RefCreated(self.object, Payload(1)))
            parties.append(self.snapshot(me))
        self.parties[-1].restore(self.blank[-1])
        parties.append(self.snapshot(count - 1))
        keeps = tuple([not me for me in range(count)])
        return State(tuple(parties), ((),) * count**2, keeps, (IDLE,) * count, ((),) * count, self.deaths)

    def actions(self, s: State) -> Iterator[Action]:
        """Yield all that may happen next: a message arrives, user code does something, or somebody dies."""
        count = len(self.names)
        calls = sum(max(self.snapshots[p].calls, len(s.results[me])) for me, p in enumerate(s.parties) if p >= 0)
        for wire, waiting in enumerate(s.wires):
            if waiting:
                yield ("deliver", wire // count, wire % count)
        for me, party in enumerate(s.parties[:-1]):
            if party < 0:
                continue
            keeps, has = s.keeps[me], self.has(s, me)
            if keeps:
                yield ("drop", me)
            if s.runs[me] != IDLE:
                ends = product({keeps, has}, {False, has and self.returns})
                yield from (("end", me, keep, give) for keep, give in ends)
            if calls < self.tasks:
                lends = product(range(len(self.workers)), {False, True} if self.returns else {True})
                yield from (("call", me, to, x) for to, x in lends if to != me and s.parties[to] >= 0 and has >= x)
            for result in s.results[me]:
                yield ("forget", me, result)
                if not keeps and result in self.snapshots[party].inside:
                    yield ("read", me, result)
            if s.deaths:
                lengths = [range(len(s.wires[me * count + to]) + 1) for to in range(count)]
                yield from (("die", me, *arrive) for arrive in product(*lengths))

    def step(self, s: State, action: Action) -> State:
        """Return the state after an action; raise if it shows that something is wrong."""
        match action:
            case ("deliver", source, me):
                wire = source * len(self.names) + me
                message, *rest = s.wires[wire]
                return self.tell(s._replace(wires=changed(s.wires, wire, tuple(rest))), me, message, source=source)
            case ("drop", me):
                s = s._replace(keeps=changed(s.keeps, me, False))
                return s if s.runs[me][2] else self.say(s, me, RefDropped(self.object))
            case ("call", me, to, lend):
                return self.call(s, me, to, lend)
            case ("end", me, keep, give):
                task, attempt, has = s.runs[me]
                s = s._replace(runs=changed(s.runs, me, IDLE), keeps=changed(s.keeps, me, keep))
                ended = RunEnded(task, attempt, (Payload(1, (self.object,) if give else ()),) * self.returns)
                if keep or not has:
                    return self.say(s, me, ended)
                dropped = RefDropped(self.object)  # what is returned lives until the core has heard of it
                return self.say(s, me, ended, dropped) if give else self.say(s, me, dropped, ended)
            case ("forget", me, result):
                left = tuple([other for other in s.results[me] if other != result])
                return self.say(s._replace(results=changed(s.results, me, left)), me, RefDropped(result))
            case ("read", me, result):
                fresh = () if s.runs[me][2] else (RefsFound(result, (self.object,)),)
                return self.say(s._replace(keeps=changed(s.keeps, me, True)), me, *fresh)
            case ("die", me, *arrive):
                return self.die(s, me, arrive)
        raise ValueError(action)

    def has(self, s: State, me: int) -> bool:
        """Tell whether user code of a worker has a reference to the object."""
        return s.keeps[me] or bool(s.runs[me][2])

    def call(self, s: State, me: int, to: int, lend: bool) -> State:
        """Submit a task that runs on a certain worker, with or without the object inside an argument."""
        taken = {number for number in self.numbers(s) if number < MINTED}
        free = (object_id(self.names[me], TASKS + count) for count in range(len(taken) + 1))
        task = next(name for name in free if name not in taken)
        shape = (("runs on", float(self.names[to])),)
        payload = Payload(1, (self.object,) if lend else ())
        call = Description(task, self.functions[to], "f", payload, (), int(self.returns))
        results = (*s.results[me], task) if self.returns else ()
        return self.say(s._replace(results=changed(s.results, me, results)), me, TaskSubmitted(task, call, shape, 0))

    def die(self, s: State, me: int, arrive: list[int]) -> State:
        """End a worker; so many of its messages to each of the others still arrive."""
        count, wires = len(self.names), list(s.wires)
        for to in range(count):
            wires[to * count + me] = ()
            if to != me and s.parties[to] >= 0:
                arriving = s.wires[me * count + to][: arrive[to]]
                wires[me * count + to] = (*arriving, self.message(PeerLost(self.names[me])))
        s = s._replace(parties=changed(s.parties, me, -1), wires=tuple(wires), deaths=s.deaths - 1)
        keeps, runs = changed(s.keeps, me, False), changed(s.runs, me, IDLE)
        return s._replace(keeps=keeps, runs=runs, results=changed(s.results, me, ()))

    # ------------------------------------------------------------------ one party

    def say(self, s: State, me: int, *events: Event) -> State:
        """Tell a party what its user code has done."""
        return self.tell(s, me, *[self.message(event) for event in events])

    def tell(self, s: State, me: int, *told: int, source: int = -1) -> State:
        """Return the state after a party was told something, and its messages have been put on their wires.

        Args:
            s: the state before.
            me: the party.
            told: messages or facts.
            source: who has sent the message; -1: it is a fact.
        """
        own = self.names[me] << 32 | MINTED
        counter = max([number & 0xFFFFFFFF for number in self.numbers(s) if number >> 32 == own >> 32], default=0)
        asked = (me, s.parties[me], counter, s.keeps[me], told, source)
        step = self.memory.get(asked)
        if step is None:
            step = self.memory[asked] = self.handle(*asked)
        if step.complaint:
            raise Violation(step.complaint)
        count, wires = len(self.names), list(s.wires)
        for to, message in step.sent:
            if s.parties[to] >= 0:
                wires[me * count + to] += (message,)
            else:
                wires[to * count + me] += (self.message(PeerLost(self.names[to])),)
        runs = changed(s.runs, me, step.run) if step.run != IDLE else s.runs
        return s._replace(parties=changed(s.parties, me, step.after), wires=tuple(wires), runs=runs)

    def handle(self, me: int, before: int, counter: int, keeps: bool, told: Numbers, source: int) -> Step:
        """Let a party in a certain state handle events; a task that begins has the object among its arguments."""
        party, run, sent = self.parties[me], IDLE, []
        party.restore((counter, *self.snapshots[before].tables))
        queue = deque(self.messages[message] for message in told)
        cause = self.names[source] << COUNTER_BITS | 1 if source >= 0 and type(queue[0]) is not PeerLost else 0
        try:
            while queue:
                for _, effect in party.handle(queue.popleft(), 0.0, cause):
                    if isinstance(effect, Send):
                        sent.append((self.index[effect.target], self.message(effect.message)))
                    elif isinstance(effect, Run):
                        lent = effect.description.payload.refs
                        run = (effect.task, effect.attempt, len(lent))
                        queue += (RefsHeld(lent),) if lent and not keeps else ()
            for complaint in worker_counts_agree(party) if isinstance(party, Worker) else ():
                raise Violation(complaint)
        except AssertionError as error:
            return Step(before, (), IDLE, f"{type(error).__name__}: {error}")
        if isinstance(party, Worker) and party.desk:  # no timer fires here, so nobody asks how many turns there were
            party.desk[0] = msgspec.structs.replace(party.desk[0], turns=0, timed=False, attempt=0, timed_turn=0)
        return Step(self.snapshot(me), tuple(sent), run, "")

    def message(self, event: Event) -> int:
        """Return the number of a message."""
        number = self.message_numbers.get(event)
        if number is None:
            number = self.message_numbers[event] = len(self.messages)
            self.messages.append(event)
        return number

    def snapshot(self, me: int) -> int:
        """Return the number of the state in which a party is."""
        party = self.parties[me]
        tables = party.snapshot()[1:]
        form, numbers = self.part(tuple([tuple([record for _, record in sorted(records)]) for records in tables]))
        known = self.snapshot_numbers.get((me, form, numbers))
        if known is None:
            known = self.snapshot_numbers[me, form, numbers] = len(self.snapshots)
            self.snapshots.append(Snapshot(tables, form, numbers, *self.asked_of(party)))
        return known

    def asked_of(self, party: Party) -> tuple[int, Numbers, bool, str, str]:
        """Return what the properties ask of the state of a party."""
        if not isinstance(party, Worker):
            return 0, (), False, " ".join(map(str, party.tables["inquiry"].values())), ""
        waits = [*party.execution.values(), *party.running.values(), *party.inquests.values(), *party.witness.values()]
        mine = [r for r in party.ownership.values() if r.object not in self.functions]
        inside = [r.object for r in party.promotion.values() if r.payload and self.object in r.payload.refs]
        left = str(mine[0]) if mine else ""
        owns = self.object in party.ownership
        return len(party.execution), tuple(inside), owns, " ".join(map(str, waits)), left

    # ------------------------------------------------------------------ what must be true

    def check(self, s: State) -> None:
        """Raise if something is wrong in a state."""
        here = [(me, self.snapshots[party]) for me, party in enumerate(s.parties) if party >= 0]
        if s.parties[0] >= 0 and not here[0][1].owns:
            for me, _ in here:
                if self.has(s, me):
                    raise Violation(f"{object_name(self.object)} is released while {self.called(me)} has a reference")
        if any(s.wires) or any(run != IDLE for run in s.runs):
            return
        for me, snapshot in here:
            if snapshot.busy:
                raise Violation(f"{self.called(me)} waits for ever: {snapshot.busy}")
            if snapshot.left and not any(s.keeps) and not any(s.results):
                raise Violation(f"{self.called(me)} keeps {snapshot.left}")

    def called(self, me: int) -> str:
        """Return a worker's name."""
        return party_name(self.names[me])

    # ------------------------------------------------------------------ which states are the same

    def numbers(self, s: State) -> Iterator[int]:
        """Yield the minted numbers that occur anywhere, in a fixed order."""
        for party in s.parties:
            if party >= 0:
                yield from self.snapshots[party].numbers
        for waiting in s.wires:
            for message in waiting:
                yield from self.part(self.messages[message])[1]
        for results in s.results:
            yield from results

    def key(self, s: State) -> int:
        """Return a hash that is the same for states which differ only in the numbers that parties have minted."""
        fresh: dict[int, int] = {}
        numbers = tuple([fresh.setdefault(number, len(fresh)) for number in self.numbers(s)])
        parties = tuple([party if party < 0 else self.snapshots[party].form for party in s.parties])
        wires = tuple([tuple([self.part(self.messages[message])[0] for message in waiting]) for waiting in s.wires])
        runs = tuple([(run != IDLE, run[2]) for run in s.runs])
        return hash((parties, wires, s.keeps, runs, tuple(map(len, s.results)), s.deaths, numbers))

    def part(self, value: Any) -> tuple[int, Numbers]:
        """Return a value's form, in which minted numbers are holes, and these numbers."""
        known = self.parts.get(value)
        if known is None:
            form, numbers = self.taken_apart(value)
            known = self.parts[value] = self.forms.setdefault(form, len(self.forms)), numbers
        return known

    def taken_apart(self, value: Any) -> tuple[Any, Numbers]:
        """Return what ``part`` returns, but for the form's number."""
        if isinstance(value, msgspec.Struct):
            if isinstance(value, Ownership):
                self.seen.add(value.state.name)
            return self.joined(type(value).__name__, [getattr(value, field) for field in value.__struct_fields__])
        if isinstance(value, Map):
            return self.joined("Map", [item for pair in sorted(value.items()) for item in pair])
        if isinstance(value, tuple):
            return self.joined("tuple", value)
        if isinstance(value, int) and not isinstance(value, Enum):
            if value >= MINTED:
                return ("attempt", value >> 32), (value,)
            if value & COUNTER_MASK >= TASKS:
                return ("task", owner_of(value)), (value,)
        return (type(value).__name__, value), ()

    def joined(self, kind: str, values: Iterable[Any]) -> tuple[Any, Numbers]:
        """Return the form and the numbers of something that has parts."""
        parts = [self.part(value) for value in values]
        return (kind, *[form for form, _ in parts]), tuple([number for _, held in parts for number in held])


def changed(items: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    """Return a tuple with one item changed."""
    return (*items[:index], value, *items[index + 1 :])
