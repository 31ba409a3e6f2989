"""Strides: two workers, and a list as the link between them, live a life by strides, and by the tables alone."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import pytest

from freehold.core import strides
from freehold.core.effects import Effect, Move, Run, Send, Settle
from freehold.core.errors import StrideDiffers
from freehold.core.events import Event, GetWanted, Moved, RefCreated, RefDropped, RefHeld, RefsFound
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.messages import (
    BorrowNotice,
    LocateQuery,
    LocateReply,
    ReleaseQuery,
    ReleaseReply,
    TaskQuery,
    TaskReply,
)
from freehold.core.node_messages import (
    CreateQuery,
    CreateReply,
    HoldNotice,
    LeaseQuery,
    LeaseReply,
    NodeNotice,
    PullQuery,
)
from freehold.core.party import Party
from freehold.core.policies import Policy
from freehold.core.strides import NONE, Asked, Raw, Stride, Strode, compared
from freehold.core.task_events import RunEnded, TaskSubmitted
from freehold.core.trace import Ring, Step
from freehold.core.value_strides import STRIDES
from freehold.core.values import Description, Payload, Slot
from freehold.core.worker import Worker

OWNER, EXECUTOR = worker_id(HEAD, 1), worker_id(HEAD, 2)
FUNCTION, VALUE = object_id(OWNER, 1), object_id(OWNER, 2)
SHAPE = (("CPU", 1.0),)
REQUEST = 1 << 35
LARGE = 1 << 20  # bytes
BORROWS = 310
ALL: set[type[Event]] = {RefCreated, RefDropped, TaskSubmitted, GetWanted, TaskReply, TaskQuery, RunEnded}
ALL |= {RefsFound, BorrowNotice, ReleaseQuery, LocateQuery, LocateReply, ReleaseReply, NodeNotice}


class Life:
    """An owner and an executor; what they send each other is delivered in order, one message at a time."""

    def __init__(self, *, walks: bool = False) -> None:
        policy = Policy(borrow="copy")  # so that the function needs no object store
        self.parties = {name: Worker(name, policy) for name in (OWNER, EXECUTOR)}
        self.taken: Counter[type[Event]] = Counter()
        self.link: deque[tuple[int, Any, int]] = deque()
        self.settled: list[int] = []
        self.rings = [Ring(10_000), Ring(10_000)]
        for party, ring in zip(self.parties.values(), self.rings, strict=True):
            party.watch = ring
            mine = NONE if walks else party.strides
            party.strides = {kind: self.counting(kind, stride) for kind, stride in mine.items()}
        self.numbers = iter(range(2, 1000))
        self.tell(OWNER, NodeNotice(((HEAD, SHAPE),)))
        self.tell(OWNER, RefCreated(FUNCTION, Payload(10, (), b"function")))
        self.tell(EXECUTOR, RefHeld(FUNCTION))  # as a process does that has unpickled it

    def counting(self, kind: type[Event], stride: Stride) -> Stride:
        def take(party: Any, event: Any, base: int) -> Strode | None:
            strode = stride.take(party, event, base)
            self.taken[kind] += strode is not None
            return strode

        return Stride(take, stride.unfold)

    def tell(self, party: int, event: Event, cause: int = 0) -> None:
        for step, effect in self.parties[party].handle(event, 1.0, cause):
            self.perform(party, step, effect)

    def perform(self, party: int, step: int, effect: Effect) -> None:
        match effect:
            case Send(target, message) if target in self.parties:
                self.link.append((target, message, step))
            case Send(_, LeaseQuery(pool, attempt)):
                self.link.append((party, LeaseReply(pool, attempt, HEAD, (EXECUTOR,)), step))
            case Send(_, CreateQuery(object, attempt)):
                self.link.append((party, CreateReply(object, attempt, 64, False, None), step))
            case Send(_, PullQuery(object)):
                self.link.append((party, HoldNotice(object, 64, LARGE), step))
            case Move(object, attempt):
                self.link.append((party, Moved(object, attempt), step))
            case Run(task, attempt):
                value = Payload(5, (), b"value")
                self.link.append((party, RunEnded(task, attempt, (value,), 0.0001), step))
            case Settle(request):
                self.settled.append(request)

    def deliver(self) -> None:
        while self.link:
            self.tell(*self.link.popleft())

    def submit(self, count: int, *arguments: int) -> list[int]:
        tasks = [object_id(OWNER, next(self.numbers)) for _ in range(count)]
        slots = tuple([Slot(object) for object in arguments])
        for task in tasks:
            call = Description(task, FUNCTION, "f", Payload(10, (), b"arguments"), slots, 1)
            self.tell(OWNER, TaskSubmitted(task, call, SHAPE, 3))
        return tasks

    def live(self) -> None:
        """Put values; submit tasks one by one and many at once, wait for them with and without a time; drop all."""
        for _ in range(3):
            object = object_id(OWNER, next(self.numbers))
            self.tell(OWNER, RefCreated(object, Payload(3, (), b"abc")))
            self.tell(OWNER, RefDropped(object))
        large = [object_id(OWNER, next(self.numbers)) for _ in range(2)]
        for object in large:
            self.tell(OWNER, RefCreated(object, Payload(LARGE, (), b"much")))
            self.deliver()
        calls = [(count, arguments) for arguments in ((), large[:1], large) for count in (1, 1, 5, 100)]
        for request, (count, arguments) in enumerate(calls, REQUEST):
            tasks = self.submit(count, *arguments)
            self.tell(OWNER, GetWanted(request, tuple(tasks), count, timeout=5.0 if count == 5 else -1.0))
            self.deliver()
            assert request in self.settled
            for task in tasks:
                self.tell(OWNER, RefDropped(task))

        self.borrow()

    def borrow(self) -> None:
        """The other process finds references to values of the owner's, reads each, and lets it go."""
        outer = object_id(EXECUTOR, 1)
        self.tell(EXECUTOR, RefCreated(outer, Payload(9, (), b"inside it")))
        for request in range(2 * REQUEST, 2 * REQUEST + BORROWS):
            object = object_id(OWNER, next(self.numbers))
            self.tell(OWNER, RefCreated(object, Payload(3, (), b"abc")))
            self.tell(EXECUTOR, RefsFound(outer, (object,)))
            self.tell(EXECUTOR, GetWanted(request, (object,), 1))
            self.deliver()
            assert request in self.settled
            self.tell(EXECUTOR, RefDropped(object))
            self.deliver()
            self.tell(OWNER, RefDropped(object))

    def story(self) -> list[list[Step]]:
        return [ring.steps() for ring in self.rings]


def test_a_life_by_strides_is_the_life_of_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not compared step by step, as everywhere else, but as a whole: the story, the records, the numbers minted."""
    monkeypatch.setattr(strides, "checking", False)
    short, long = Life(), Life(walks=True)
    short.live()
    long.live()
    assert short.story() == long.story()
    assert [p.snapshot() for p in short.parties.values()] == [p.snapshot() for p in long.parties.values()]
    assert set(short.taken) == ALL and all(short.taken.values()) and not long.taken
    assert all(short.taken[kind] > 300 for kind in ALL - {RefCreated, GetWanted, NodeNotice}), short.taken


def test_nodes_are_heard_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strides, "checking", False)
    nodes = tuple([(node_id(index), SHAPE) for index in range(3)])
    worker = Worker(OWNER)
    for heard in (nodes[:1], nodes[:1], nodes[1:], nodes):  # what has been heard of is no news
        worker.handle(NodeNotice(heard))
        assert worker.nodes == nodes[: len(worker.nodes)]
    assert worker.nodes == nodes and worker.steps == len(nodes)


def test_strides_are_compared_with_the_tables_in_every_other_test() -> None:
    assert strides.checking
    life = Life()
    life.live()
    assert set(life.taken) == ALL


def lying(lie: Any) -> Party:
    """Return an owner whose put is followed by a lie."""
    true = STRIDES[RefCreated]
    party = Worker(OWNER)

    def take(books: Any, event: Any, base: int) -> Strode | None:
        strode = true.take(books, event, base)
        assert strode is not None
        told: Strode | None = lie(books, *strode)
        return told

    def unfold(*facts: Any) -> list[Raw]:
        return true.unfold(*facts)

    party.strides = {RefCreated: compared(Stride(take, unfold))}
    return party


def forget_a_record(books: Any, asked: Asked, steps: int, facts: Any) -> Strode:
    del books.promotion[VALUE]
    return asked, steps, facts


def ask_for_something(books: Any, asked: Asked, steps: int, facts: Any) -> Strode:
    return [(1, Settle(REQUEST, None))], steps, facts


def miscount(books: Any, asked: Asked, steps: int, facts: Any) -> Strode:
    return asked, steps + 1, facts


def mint(books: Any, asked: Asked, steps: int, facts: Any) -> Strode:
    books.counter += 1
    return asked, steps, facts


def change_the_order(books: Any, asked: Asked, steps: int, facts: Any) -> Strode:
    books.ownership[FUNCTION] = books.ownership.pop(FUNCTION)
    return asked, steps, facts


def tell_another_story(books: Any, asked: Asked, steps: int, facts: Any) -> Strode:
    object, nbytes, by = facts
    return asked, steps, (object, nbytes + 1, by)


def decline_afterwards(books: Any, asked: Asked, steps: int, facts: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("lie", "what"),
    [
        (forget_a_record, "records"),
        (ask_for_something, "effects"),
        (miscount, "number of steps"),
        (mint, "records"),
        (change_the_order, "records"),
        (tell_another_story, "story"),
        (decline_afterwards, "records after declining"),
    ],
)
def test_a_stride_that_does_something_else_is_found(lie: Any, what: str) -> None:
    party = lying(lambda *strode: strode[1:])
    party.handle(RefCreated(FUNCTION, Payload(10, (), b"function")))
    party.handle(RefCreated(VALUE, Payload(3, (), b"abc")))  # the truth passes
    party = lying(lambda *strode: strode[1:])
    party.handle(RefCreated(FUNCTION, Payload(10, (), b"function")))
    party.strides = lying(lie).strides
    with pytest.raises(StrideDiffers, match=f"^{what} differ"):
        party.handle(RefCreated(VALUE, Payload(3, (), b"abc")))
