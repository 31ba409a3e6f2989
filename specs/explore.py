"""Every interleaving of a small cluster in which one object is lent, passed on, dropped, and somebody may die.

Real parties; in place of leasing an immediate grant.  Breadth first, so that the first counterexample is a
shortest one.  States are compared after the numbers that parties mint have been renamed: they are only ever
compared with each other, so the state space is finite although users may lend without end.

This file decides what users may do and what counts as the same state.  What must be true is in ``properties.py``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import product
from typing import Any, NamedTuple

import msgspec
from immutables import Map

from freehold.core.effects import Run, Send
from freehold.core.events import Event, RefCreated, RefDropped, RefsHeld
from freehold.core.ids import COUNTER_MASK, node_id, object_id, object_name, owner_of, party_name, worker_id
from freehold.core.node_events import PeerLost
from freehold.core.ownership import Ownership
from freehold.core.policies import DEFAULT, Policy
from freehold.core.task_events import LeaseLost, RunEnded, TaskAssigned, TaskOver, TaskReady, TaskSubmitted
from freehold.core.trace import Ring, Step, detail
from freehold.core.values import Description, Payload
from freehold.core.worker import Worker
from freehold.specs.properties import worker_counts_agree
from freehold.specs.world import Violation

MINTED = 1 << 60  # from here on a number is an attempt
TASKS = 1 << 30  # from here on an object's number is a task's
IDLE = (0, 0)
Action = tuple[Any, ...]


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
    """The whole cluster at one moment.  What is indexed by worker is empty or false for the dead."""

    parties: tuple[Any, ...]  # snapshots; None: dead
    wires: tuple[tuple[Event, ...], ...]  # messages on their way, by source * workers + target
    keeps: tuple[bool, ...]  # a variable of user code refers to the object
    runs: tuple[tuple[int, int], ...]  # the task that runs, and its attempt; it has the reference among its arguments
    named: tuple[int, ...]  # how many tasks each has named; not part of what is compared
    deaths: int  # how many may still come


class Report(NamedTuple):
    """What a search has found."""

    states: int
    steps: int
    depth: int
    seconds: float
    exhausted: bool
    violations: list[tuple[str, tuple[Action, ...]]]  # what is wrong, and the shortest way there
    seen: frozenset[str]  # the interesting things that happened at least once


class Explorer:
    """A search through all behaviours of some workers that share one object; the first of them owns it.

    Args:
        workers: how many.
        tasks: how many each may have submitted at a time.
        deaths: how many may die.
        policy: the rules that all play by.
    """

    def __init__(self, workers: int = 3, tasks: int = 1, deaths: int = 0, policy: Policy = DEFAULT) -> None:
        self.names = [worker_id(node_id(0), index + 1) for index in range(workers)]
        self.index = {name: index for index, name in enumerate(self.names)}
        self.workers = [Granted(name, policy) for name in self.names]
        self.functions = [object_id(name, 1) for name in self.names]
        self.object = object_id(self.names[0], 2)
        self.tasks = tasks
        self.deaths = deaths
        self.loaded: list[Any] = [None] * workers  # the snapshot that each party is at
        self.forms: dict[Any, int] = {}  # what is left of a value without its minted numbers -> a small number
        self.shapes: dict[Any, tuple[int, tuple[int, ...]]] = {}  # value -> its form, its minted numbers
        self.seen: set[str] = set()

    # ------------------------------------------------------------------ one step

    def first(self) -> State:
        """Return the state in which the owner has just put the object."""
        count = len(self.workers)
        for worker, function in zip(self.workers, self.functions, strict=True):
            worker.handle(RefCreated(function, Payload(1)))
        self.workers[0].handle(RefCreated(self.object, Payload(1)))
        self.loaded = [worker.snapshot() for worker in self.workers]
        keeps = (True,) + (False,) * (count - 1)
        return State(tuple(self.loaded), ((),) * count**2, keeps, (IDLE,) * count, (0,) * count, self.deaths)

    def actions(self, s: State) -> Iterator[Action]:
        """Yield all that may happen next: a message arrives, or user code does something, or somebody dies."""
        count = len(self.workers)
        for wire, waiting in enumerate(s.wires):
            if waiting:
                yield ("deliver", wire // count, wire % count)
        for me, snapshot in enumerate(s.parties):
            if snapshot is None:
                continue
            if s.keeps[me]:
                yield ("drop", me)
            if s.runs[me][0]:
                yield ("end", me)
                if not s.keeps[me]:
                    yield ("end and keep", me)
            if (s.keeps[me] or s.runs[me][0]) and len(self.at(s, me).execution) < self.tasks:
                yield from (("lend", me, to) for to in range(count) if to != me and s.parties[to] is not None)
            if s.deaths:
                lengths = [range(len(s.wires[me * count + to]) + 1) for to in range(count)]
                yield from (("die", me, *arrive) for arrive in product(*lengths))

    def at(self, s: State, me: int) -> Granted:
        """Return a worker as it is in a state."""
        worker = self.workers[me]
        if self.loaded[me] is not s.parties[me]:
            worker.restore(s.parties[me])
            self.loaded[me] = s.parties[me]
        return worker

    def step(self, s: State, action: Action) -> State:
        """Return the state after an action."""
        match action:
            case ("deliver", source, target):
                wire = source * len(self.names) + target
                event, *rest = s.wires[wire]
                return self.tell(s._replace(wires=changed(s.wires, wire, tuple(rest))), target, event)
            case ("drop", me):
                s = s._replace(keeps=changed(s.keeps, me, False))
                return s if s.runs[me][0] else self.tell(s, me, RefDropped(self.object))
            case ("lend", me, to):
                task = object_id(self.names[me], TASKS + s.named[me])
                s = s._replace(named=changed(s.named, me, s.named[me] + 1))
                shape = (("runs on", float(self.names[to])),)
                call = Description(task, self.functions[to], "f", Payload(1, (self.object,)), (), 0, shape)
                return self.tell(s, me, TaskSubmitted(task, call, 0))
            case ("end", me) | ("end and keep", me):
                run, keeps = s.runs[me], s.keeps[me] or action[0] != "end"
                s = s._replace(runs=changed(s.runs, me, IDLE), keeps=changed(s.keeps, me, keeps))
                dropped = () if keeps else (RefDropped(self.object),)
                return self.tell(s, me, *dropped, RunEnded(*run, ()))
            case ("die", me, *arrive):
                return self.die(s, me, arrive)
        raise ValueError(action)

    def tell(self, s: State, me: int, *events: Event) -> State:
        """Return the state after a party has been told events, and its effects have been put on wires."""
        worker, name, count = self.at(s, me), self.names[me], len(self.names)
        wires, runs, queue = list(s.wires), s.runs, deque(events)
        while queue:
            for _, effect in worker.handle(queue.popleft()):
                if isinstance(effect, Send):
                    to = self.index[effect.target]
                    if s.parties[to] is None:
                        wires[to * count + me] += (PeerLost(effect.target),)
                    else:
                        wires[me * count + to] += (effect.message,)
                elif isinstance(effect, Run):
                    runs = changed(runs, me, (effect.task, effect.attempt))
                    queue += () if s.keeps[me] else (RefsHeld((self.object,)),)
        for complaint in worker_counts_agree(worker):
            raise Violation(complaint)
        if worker.desk:  # no timer fires here, so nobody asks how many turns there were
            worker.desk[0] = msgspec.structs.replace(worker.desk[0], turns=0, timed=False, attempt=0, timed_turn=0)
        self.loaded[me] = worker.snapshot()
        return s._replace(parties=changed(s.parties, me, self.loaded[me]), wires=tuple(wires), runs=runs)

    def die(self, s: State, me: int, arrive: list[int]) -> State:
        """Return the state after a death; so many of its messages to each still arrive."""
        count, wires = len(self.names), list(s.wires)
        for to in range(count):
            wires[to * count + me] = ()
            if to != me and s.parties[to] is not None:
                wires[me * count + to] = (*s.wires[me * count + to][: arrive[to]], PeerLost(self.names[me]))
        return s._replace(
            parties=changed(s.parties, me, None),
            wires=tuple(wires),
            keeps=changed(s.keeps, me, False),
            runs=changed(s.runs, me, IDLE),
            deaths=s.deaths - 1,
        )

    # ------------------------------------------------------------------ what must be true

    def check(self, s: State) -> None:
        """Raise if something is wrong in a state."""
        if s.parties[0] is not None and not any(object == self.object for object, _ in s.parties[0][1]):
            for me, snapshot in enumerate(s.parties):
                if snapshot is not None and (s.keeps[me] or s.runs[me][0]):
                    raise Violation(f"{object_name(self.object)} is released while {self.called(me)} has a reference")
        if any(s.wires) or s.runs.count(IDLE) < len(s.runs):
            return
        for me, snapshot in enumerate(s.parties):
            if snapshot is not None:
                worker = self.at(s, me)
                if worker.execution or worker.running:
                    raise Violation(f"{self.called(me)} waits for ever: {worker.execution} {worker.running}")
                left = [r for r in worker.ownership.values() if r.object not in self.functions]
                if left and not any(s.keeps):
                    raise Violation(f"{self.called(me)} keeps {left[0]}")

    def called(self, me: int) -> str:
        """Return a worker's name."""
        return party_name(self.names[me])

    # ------------------------------------------------------------------ which states are the same

    def key(self, s: State) -> tuple[int, State]:
        """Return a hash that is the same for states which differ only in the numbers that parties have minted.

        With it the state itself, its parties ready to mint the lowest numbers that are free again.
        """
        shapes: list[Any] = [s.keeps, s.deaths]
        numbers: list[int] = []
        for snapshot in s.parties:
            shapes.append(snapshot is None)
            for records in snapshot[1:] if snapshot is not None else ():
                self.add(tuple([record for _, record in sorted(records)]), shapes, numbers)
        self.add(s.runs, shapes, numbers)
        self.add(s.wires, shapes, numbers)
        fresh: dict[int, int] = {}
        for number in numbers:
            fresh.setdefault(number, len(fresh))
        return hash((tuple(shapes), tuple([fresh[number] for number in numbers]))), self.lowered(s, fresh)

    def lowered(self, s: State, numbers: Iterable[int]) -> State:
        """Return the state with the counters of its parties as low as the numbers in use allow."""
        counters, named = [0] * len(self.names), [0] * len(self.names)
        for number in numbers:
            if number >= MINTED:
                me = self.index[number >> 32 & 0xFFFFFFF]
                counters[me] = max(counters[me], number & 0xFFFFFFFF)
            else:
                me = self.index[owner_of(number)]
                named[me] = max(named[me], (number & COUNTER_MASK) - TASKS + 1)
        parties = [
            p if p is None or p[0] == counter else (counter, *p[1:])
            for p, counter in zip(s.parties, counters, strict=True)
        ]
        return s._replace(parties=tuple(parties), named=tuple(named))

    def add(self, value: Any, shapes: list[Any], numbers: list[int]) -> None:
        """Take a value apart into its shape, with holes for minted numbers, and these numbers."""
        known = self.shapes.get(value)
        if known is None:
            inner: list[Any] = []
            held: list[int] = []
            self.take_apart(value, inner, held)
            known = self.shapes[value] = self.forms.setdefault(tuple(inner), len(self.forms)), tuple(held)
        shapes.append(known[0])
        numbers += known[1]

    def take_apart(self, value: Any, shapes: list[Any], numbers: list[int]) -> None:
        """Do the same, part for part."""
        if isinstance(value, msgspec.Struct):
            shapes.append(type(value).__name__)
            if isinstance(value, Ownership):
                self.seen.add(value.state.name)
            for field in value.__struct_fields__:
                self.add(getattr(value, field), shapes, numbers)
        elif isinstance(value, tuple | Map):
            items = sorted(value.items()) if isinstance(value, Map) else value
            shapes.append(len(items))
            for item in items:
                self.add(item, shapes, numbers)
        elif isinstance(value, int) and not isinstance(value, Enum) and (value >= MINTED or value & COUNTER_MASK >= TASKS):
            shapes.append(value >> 32 if value >= MINTED else owner_of(value))
            numbers.append(value)
        else:
            shapes.append(value)


def changed(items: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    """Return a tuple with one item changed."""
    return (*items[:index], value, *items[index + 1 :])


# ------------------------------------------------------------------ the search


def explore(explorer: Explorer, *, states_max: int = 10_000_000, stop_at: int = 1) -> Report:
    """Visit all states, nearest first, until all are known or so many violations were found."""
    start = time.perf_counter()
    first = explorer.first()
    key, first = explorer.key(first)
    parents: dict[int, tuple[int, Action]] = {key: (0, ())}
    depths = {key: 0}
    queue = deque([(key, first)])
    violations: list[tuple[str, tuple[Action, ...]]] = []
    steps = depth = 0
    while queue and len(violations) < stop_at and len(parents) < states_max:
        key, state = queue.popleft()
        for action in explorer.actions(state):
            steps += 1
            try:
                after_key, after = explorer.key(explorer.step(state, action))
                if after_key in parents:
                    continue
                parents[after_key] = key, action
                depth = depths[after_key] = depths[key] + 1
                explorer.check(after)
                queue.append((after_key, after))
            except AssertionError as error:
                violations.append((f"{type(error).__name__}: {error}", (*path(parents, key), action)))
    seconds = time.perf_counter() - start
    return Report(len(parents), steps, depth, seconds, not queue, violations, frozenset(explorer.seen))


def path(parents: dict[int, tuple[int, Action]], key: int) -> tuple[Action, ...]:
    """Return the actions that lead to a state."""
    actions: list[Action] = []
    while parents[key][1]:
        key, action = parents[key]
        actions.append(action)
    return tuple(reversed(actions))


def replay(explorer: Explorer, actions: Iterable[Action]) -> tuple[list[str], list[str], list[Step]]:
    """Take a path once more; return the user program, the messages in the order of their arrival, and all steps."""
    program, messages, ring = [f"{explorer.called(0)}: x = put(...)"], [], Ring()
    for worker in explorer.workers:
        worker.watch = ring.record
    state = explorer.key(explorer.first())[1]
    for action in actions:
        line = described(explorer, state, action)
        (messages if action[0] == "deliver" else program).append(line)
        if action[0] != "deliver":
            messages.append(f"            {line}")
        try:
            state = explorer.key(explorer.step(state, action))[1]
            explorer.check(state)
        except AssertionError as error:
            messages.append(f"            {type(error).__name__}: {error}")
    return program, messages, ring.steps()


def described(explorer: Explorer, state: State, action: Action) -> str:
    """Return an action in words."""
    kind, me, *rest = action
    name = explorer.called(me)
    match kind:
        case "deliver":
            event = state.wires[me * len(explorer.names) + rest[0]][0]
            return f"{name} -> {explorer.called(rest[0])}  {type(event).__name__} {detail(event)}"
        case "lend":
            return f"{name}: f.remote([x])  # runs on {explorer.called(rest[0])}"
        case "end":
            return f"{name}: return"
        case "end and keep":
            return f"{name}: KEPT = x; return"
        case "drop":
            return f"{name}: del x"
    return f"{name} dies"
