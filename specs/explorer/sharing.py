"""A small cluster whose users share objects: what the search goes through.

Some processes, each on a node of its own if nothing else is asked for; nodes carry the news of deaths, and in place of
leasing there is an immediate grant.
At any time a user may put an object, with or without another inside, call a task that carries a reference, keep or
return what a task has got, get a value and take out what is inside, and drop what it has: in all so many acts, and
anybody may be slow.  The parties are real ones; this file decides what users may do, and what must be true.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import chain, product
from operator import or_
from typing import Any

import msgspec
from immutables import Map

from freehold.core import ids
from freehold.core.copy import PRIMARY, RETIRING, SECONDARY, WRITING
from freehold.core.effects import Send
from freehold.core.events import Event, GetWanted, PutWanted, RefCreated, RefDropped, ViewDropped
from freehold.core.execution import KEPT
from freehold.core.ids import COUNTER_BITS, HEAD, node_id, node_of, object_id, object_name, worker_id
from freehold.core.node import Node
from freehold.core.node_events import PeerLost
from freehold.core.node_messages import NodeNotice
from freehold.core.ownership import OWNED
from freehold.core.party import Party
from freehold.core.policies import DEFAULT, Policy
from freehold.core.queries import Held, readable
from freehold.core.resolution import IDLE, LOCAL
from freehold.core.strides import NONE
from freehold.core.task_events import RunEnded, TaskSubmitted, WorkerStarted
from freehold.core.values import Description, Payload, Slot, Want
from freehold.core.worker import Worker
from freehold.specs.explorer.beginnings import Story
from freehold.specs.explorer.bounds import Bounds, fates_of, permutations_of
from freehold.specs.explorer.hosts import (
    Carried,
    Custom,
    Granted,
    Housed,
    Process,
    Store,
    contents,
    joined,
    landed,
    latest,
    performed,
    renamed,
    snapshot,
    taken_out,
    tidy,
    waiting,
    without,
)
from freehold.specs.explorer.numbering import Numbering
from freehold.specs.explorer.parties import Act, Delivery, Facts, Step, Wrong
from freehold.specs.explorer.symmetry import Permutation
from freehold.specs.pairs import agree
from freehold.specs.properties import LASTING
from freehold.specs.records import CHECKS, Check, hears_well, hold

FUNCTION, PUTS, TASKS = 1, 2, 1 << 30  # an object's counter: the function that its user calls, what is put, a task
WAITS_MAX = 2  # threads that wait at a time, in a process
ALARMS_MAX = 2  # timers that are over; a pull is tried again and again while the news of a death is slow
BITS_MAX = 62  # of a set of objects, as a number
CAPACITY = 1 << 20  # bytes of each object store
ANY = Custom(deaths=True, views=True)
SMALL, VALUE, LIST = 0, 3, 4  # bytes of a function and of arguments; of a value; of one with references inside


class Sharing:
    """The parties of a cluster, and what its users may do.

    Args:
        bounds: how much can happen.
        policy: the rules that all play by.
        strides: whether they may take short cuts, which know nothing of changed tables.
        checks: of what each party has written down.
    """

    def __init__(
        self,
        bounds: Bounds,
        policy: Policy = DEFAULT,
        *,
        strides: bool = True,
        checks: Sequence[Check] = CHECKS,
    ) -> None:
        self.pairwise = checks is CHECKS
        self.checks = hold(calm=not bounds.cuts) if self.pairwise else checks
        processes = bounds.processes
        inlined = SMALL if bounds.large else VALUE if bounds.lists else LIST
        borrow = "copy" if bounds.replies else policy.borrow
        policy = msgspec.structs.replace(policy, inline_bytes_max=inlined, borrow=borrow)
        if bounds.relay:
            policy = msgspec.structs.replace(policy, relay=True, chunk_bytes=2, chunks_in_flight=1)
        nodes = [node_id(index) for index in range(bounds.nodes or processes)]
        workers = [worker_id(nodes[one % len(nodes)], 1 + one // len(nodes)) for one in range(processes)]
        self.names = [*workers, *nodes]
        self.index = {name: index for index, name in enumerate(self.names)}
        self.processes, self.count = processes, len(self.names)
        self.bounds = bounds
        self.custom = Custom(bool(bounds.deaths or bounds.node_deaths or bounds.cuts), bounds.views)
        self.budgets: tuple[int, ...] = (bounds.acts - 1, bounds.calls, bounds.objects - 1, ALARMS_MAX)  # 1 is put
        self.fates = list(fates_of(bounds))
        self.parties: list[Party] = [Granted(name, workers, policy) for name in workers]
        self.parties += [Housed(node, CAPACITY, (), policy) for node in nodes]
        for party in self.parties if not strides else ():
            party.strides = NONE
        self.bit: Numbering[int] = Numbering()  # of an object, in a set of them
        self.bit_of_grants: Numbering[tuple[int, int, int]] = Numbering()  # and how many grants it has of the copy
        self.bit_of_reader: Numbering[tuple[int, int]] = Numbering()  # of an object and one who reads it
        self.functions = [object_id(name, FUNCTION) for name in self.names[:processes]]
        self.alike = [*permutations_of(bounds)]
        self.story = self.begin()

    def begin(self) -> Story:
        """Let nodes hear of each other and of their workers, one user put the first object, and a story come after."""
        workers, nodes = self.names[: self.processes], self.names[self.processes :]
        queue: deque[tuple[int, Event]] = deque([(node_of(worker), WorkerStarted(worker)) for worker in workers])
        queue += [(node, NodeNotice(tuple([(other, ()) for other in nodes]))) for node in nodes]
        while queue:
            target, event = queue.popleft()
            for _, effect in self.parties[self.index[target]].handle(event):
                assert isinstance(effect, Send), effect
                queue.append((effect.target, effect.message))
        for worker, function in zip(self.parties, self.functions, strict=False):
            worker.handle(RefCreated(function, Payload(SMALL)))
        processes = [Process(snapshot(worker)) for worker in self.parties[: self.processes]]
        story = Story(self, [*processes, *[Store(snapshot(node)) for node in self.parties[self.processes :]]], workers)
        for words in ("0 puts", *self.bounds.before):
            story.tell(words)
        return story

    # ------------------------------------------------------------------ the parties

    def first(self) -> list[Hashable]:
        """Return the state in which each party begins: the first object has been put, by the first process."""
        return self.story.states

    def late(self) -> list[tuple[int, Delivery]]:
        """Return what is on its way then, and to whom."""
        return self.story.late

    def lost(self, party: int) -> Hashable:
        """Return the message that tells of the end of a connection with a party."""
        return PeerLost(self.names[party])

    def minds(self, party: int, other: int) -> bool:
        """Tell whether it acts on a lost link itself: others only tell the head node, which so hears of it anyway."""
        return self.names[party] in (HEAD, node_of(self.names[other]))

    def may_hear(self, party: int, state: Any, message: Any) -> bool:
        """Tell whether a message can reach a party in a state: not with a number that it has not given yet."""
        counter: int = state.tables[0]
        return latest(message, self.names[party]) <= counter

    def home(self, party: int) -> int:
        """Return the node of a party."""
        return self.index[node_of(self.names[party])]

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        """Let a party be told something, or a user do something."""
        one = self.parties[party]
        queue, sent, cause, ends, doubt = deque[Any](), list[tuple[int, Hashable]](), 0, -1, ""
        one.restore(before.tables)
        try:
            if isinstance(told, Act):
                before, events = self.act(party, before, told.what)
                queue += events
            else:
                message: Any = told.message
                cause = 0 if isinstance(message, PeerLost) else self.names[told.source] << COUNTER_BITS | 1
                if isinstance(message, Carried):
                    before, message = landed(one, before, message), message.message
                queue.append(message)
                for complaint in hears_well(one, message):
                    return Step(Wrong(complaint))
            while queue:
                for _, effect in one.handle(queue.popleft(), 0.0, cause):
                    before, events, messages, killed, why = performed(one, before, effect, self.custom)
                    ends, doubt = self.index[killed] if killed else ends, doubt or why
                    queue += events
                    sent += [(self.index[target], message) for target, message in messages]
            for complaint in chain.from_iterable(check(one) for check in self.checks):
                return Step(Wrong(complaint))
        except Exception as error:  # a handler that raises has done what it must not, whatever it is
            return Step(Wrong(f"{type(error).__name__}: {error}"))
        return Step(tidy(one, before), tuple(sent), ends, doubt)

    # ------------------------------------------------------------------ their users

    def act(self, party: int, before: Process, what: Any) -> tuple[Process, Iterable[Event]]:
        """Return what a user has after an act, and what its worker is told."""
        match what:
            case ("put", object, inside):
                before = before.given([object])._replace(puts=before.puts + 1)
                payload = Payload(LIST if inside else VALUE, inside, object)
                if not self.is_large(inside):
                    return before, [RefCreated(object, payload)]
                after, request = waiting(before, object, True)
                return after, [PutWanted(request, object), RefCreated(object, payload, request)]
            case ("drop", object):
                before = before._replace(kept=tuple([other for other in before.kept if other != object]))
                return before, [] if object in before.holds else [RefDropped(object)]
            case ("read", container, inside, is_copy):
                after, events, *_ = taken_out(before, container, inside, is_copy, self.custom)
                return after, events
            case ("close", object):
                kept = tuple([other for other in before.views if other != object])
                return before._replace(views=kept), [ViewDropped(object)]
            case ("get", object, timeout):
                after, request = waiting(before, object, False)
                return after, [GetWanted(request, (object,), 1, Want.GET, timeout)]
            case ("timer", timer):
                return before._replace(timers=without(before.timers, timer)), [dict(before.timers)[timer]]
            case ("call", task, to, lent, given, returns):
                shape = (("runs on", float(to)),)
                slots = tuple([Slot(object) for object in given])
                call = Description(task, self.functions[self.index[to]], "f", Payload(SMALL, lent), slots, returns)
                before = before.given([task] * returns)._replace(calls=before.calls + 1)
                return before, [TaskSubmitted(task, call, shape, self.bounds.retries)]
            case ("end", kept, given, returns):
                payload = Payload(LIST if given else VALUE, given, before.task)
                ended = RunEnded(before.task, before.attempt, (payload,) * returns)
                after = before._replace(kept=joined(before.kept, kept), task=0, attempt=0, local=())
                gone = [RefDropped(object) for object in before.local if object not in after.holds]
                late = [drop for drop in gone if drop.object in given]  # it lives until the core has heard of it
                return after, [*[drop for drop in gone if drop not in late], ended, *late]
        raise ValueError(what)

    def is_large(self, inside: tuple[int, ...]) -> bool:
        """Tell whether a value with such references inside is put into an object store."""
        return self.bounds.large or (self.bounds.lists and bool(inside))

    def may_do(self, party: int, state: Any) -> list[Act]:
        """Return what a user may do."""
        return list(self.acts(party, state)) if isinstance(state, Process) else []

    def acts(self, party: int, state: Process) -> Iterator[Act]:
        """Yield what a user may do."""
        worker, reach = self.parties[party], state.reach
        assert isinstance(worker, Worker)
        worker.restore(state.tables)
        fresh = object_id(worker.me, PUTS + state.puts)
        free = len(state.waits) < WAITS_MAX
        for inside in ((), *[(object,) for object in reach]):
            if free or not self.is_large(inside):
                yield Act(("put", fresh, inside), (1, 0, 1, 0))
        for object in state.kept:
            yield Act(("drop", object), (1, 0, 0, 0))
        for object in reach:
            found = readable(worker, object)
            if isinstance(found, Held | Payload):
                inside, is_copy = contents(worker, state, object, None, ANY)
                if not {*inside} <= {*reach} or (is_copy and self.custom.views and object not in state.views):
                    yield Act(("read", object, inside, is_copy), (1, 0, 0, 0))
            if found is None and self.bounds.gets and free:
                yield from [Act(("get", object, timeout), (1, 0, 0, 0)) for timeout in (-1.0, 1.0)]
        for object in state.views:
            yield Act(("close", object), (0, 0, 0, 0))
        for timer, _ in state.timers:
            yield Act(("timer", timer), (0, 0, 0, 1))
        fresh = object_id(worker.me, TASKS + state.calls)
        for to in self.names[: self.processes]:
            if to != worker.me and worker.hears(to):
                for object, itself, returns in product(
                    reach, range(1 + self.bounds.values), range(1 + self.bounds.returns)
                ):
                    how = ((), (object,)) if itself else ((object,), ())
                    yield Act(("call", fresh, to, *how, returns), (1, 1, 0, 0))
        if state.task:
            new = [object for object in state.local if object not in state.kept]
            query = worker.running[state.task].query
            returns = query.description.returns if query is not None else 0
            for kept in ((), new) if new else ((),):
                for given in ((), *[(object,) for object in reach]) if returns else ((),):
                    yield Act(("end", tuple(kept), given, returns), (int(bool(kept or given)), 0, 0, 0))

    # ------------------------------------------------------------------ what must be true

    def facts(self, party: int, state: Any) -> Facts:
        """Return what matters of a party's state to what must be true."""
        one = self.parties[party]
        one.restore(state.tables)
        if isinstance(one, Node):
            return self.facts_of_node(one, state)
        assert isinstance(one, Worker)
        own = [*[PUTS + n for n in range(state.puts)], *[TASKS + n for n in range(state.calls)]]
        made = [object_id(one.me, counter) for counter in own]
        released = [
            object for object in made if object not in one.ownership or one.ownership[object].state is not OWNED
        ]
        calls = any(r.state is not KEPT for r in one.execution.values())
        awaiting = any(r.state.awaits for r in one.promotion.values()) or any(
            r.state.awaits for r in one.resolution.values()
        )
        unheard = not state.timers and (state.waits or awaiting)
        waits = bool(calls or one.running or one.inquests or one.witness or unheard)
        left = {name for table, records in one.tables.items() if table not in LASTING for name in records}
        near = [r.object for r in one.resolution.values() if r.state in (LOCAL, IDLE)]
        reads = bits(self.bit_of_reader, [(object, one.me) for object in (*near, *state.views)])
        has, gone = bits(self.bit, state.holds), bits(self.bit, released)
        grants = bits(self.bit_of_grants, [(r.object, one.me, r.grants) for r in one.resolution.values() if r.grants])
        runs = bool(state.task or state.views)
        return Facts(has, gone, reads, 0, grants, 0, 0, runs, waits, not left <= {*self.functions}, self.mourned(one))

    def facts_of_node(self, one: Node, state: Store) -> Facts:
        """Return what matters of a node's state."""
        lends, keeps, grants = list[tuple[int, int]](), list[int](), list[tuple[int, int, int]]()
        for copy in one.copies.values():
            if copy.state in (PRIMARY, SECONDARY, RETIRING):
                lends += [(copy.object, holder) for holder in copy.holds]
            elif copy.state is WRITING:  # the word that it is sealed is on its way
                lends.append((copy.object, copy.creator))
            grants += [(copy.object, holder, count) for holder, count in copy.holds.items()]
            keeps += [copy.object] if copy.state is PRIMARY else []
        left = bool(one.copies or state.places)
        lent, kept = bits(self.bit_of_reader, lends), bits(self.bit, keeps)
        loans = bits(self.bit_of_grants, grants)
        return Facts(0, 0, 0, lent, 0, loans, kept, False, bool(one.inquiries), left, self.mourned(one))

    def mourned(self, one: Party) -> int:
        """Return whom a party knows to be dead."""
        return sum([1 << party for party, name in enumerate(self.names) if name in one.members.dead])

    def disagreement(self, one: int, state: Any, other: int, state_of_other: Any) -> str:
        """Return in what two parties do not agree; of others' rules only the counts are checked."""
        if not self.pairwise:
            return ""
        a, b = self.parties[one], self.parties[other]
        a.restore(state.tables)
        b.restore(state_of_other.tables)
        return next(agree(a, b), "")

    def called(self, party: int) -> str:
        """Return a party's name."""
        return ids.party_name(self.names[party])

    def complaint(self, states: list[Any]) -> str:
        """Return what is wrong in a state of all parties."""
        for wrong in [state for state in states if isinstance(state, Wrong)]:
            return wrong.what
        facts = [self.facts(party, state) if state is not None else Facts() for party, state in enumerate(states)]
        for owner, user in product(range(self.processes), repeat=2):
            for object in states[user].holds if states[user] is not None else ():
                if facts[owner].gone & bits(self.bit, [object]):
                    return f"{object_name(object)} is released while {self.called(user)} has a reference"
        for user, held in enumerate(facts[: self.processes]):
            if held.reads & ~facts[self.home(user)].lends:
                return f"{self.called(user)} reads what its node has not lent to it: {self.told(user, states)}"
        kept = [fact.keeps for fact in facts]
        if sum(kept) != reduce(or_, kept):
            return f"two nodes keep a copy: {[self.told(node, states) for node, keeps in enumerate(kept) if keeps]}"
        for node in range(self.processes, self.count):
            own = [fact.borrowed for user, fact in enumerate(facts[: self.processes]) if self.home(user) == node]
            if reduce(or_, own) != facts[node].lent and states[node] is not None:
                return f"{self.called(node)} and its processes count differently: {self.told(node, states)}"
        for field, what in (("waits", "waits for ever"), ("left", "keeps a record")):
            for party, fact in enumerate(facts):
                if getattr(fact, field):
                    return f"{self.called(party)} {what}: {self.told(party, states)}"
        raise ValueError("nothing is wrong")

    def renamed(self, thing: Any, permutation: Permutation) -> Any:
        """Return a state of a party, a message or an act with other names of parties in it."""
        names = {name: self.names[other] for name, other in zip(self.names, permutation, strict=True)}
        return renamed(thing, names)

    def told(self, party: int, states: list[Any]) -> str:
        """Return the records of a party."""
        one = self.parties[party]
        one.restore(states[party].tables)
        return "; ".join([in_short(record) for records in one.tables.values() for record in records.values()])


def in_short(record: Any) -> str:
    """Return a record without what is as in a new one."""
    said = [record.state.name] if hasattr(record, "state") else []
    for field in msgspec.structs.fields(type(record)):
        value = getattr(record, field.name)
        if field.name == "object":
            said.append(object_name(value))
        elif field.name != "state" and value not in (field.default, ()):
            said.append(f"{field.name}={dict(value) if isinstance(value, Map) else value}")
    return f"{type(record).__name__.rstrip('_')}({', '.join(said)})"


def bits(numbering: Numbering[Any], things: Iterable[Any]) -> int:
    """Return a set of things as a number, a bit for each."""
    numbers = {numbering(thing) for thing in things}
    if max(numbers, default=0) >= BITS_MAX:
        raise OverflowError(f"a model has more than {BITS_MAX} objects and readers; explore a smaller one")
    return sum(1 << number for number in numbers)
