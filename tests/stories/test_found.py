"""Stories: what searches, walks and the kit have found in the core, each as it went, told by hand.

Each fails without its mend.
"""

from __future__ import annotations

from freehold.core.effects import Reserve, Run, Send
from freehold.core.events import GetWanted, RefCreated, RefDropped, RefsFound, RefsHeld, ViewDropped, ViewTaken
from freehold.core.ids import HEAD, is_node, node_id, object_id, worker_id
from freehold.core.messages import (
    BorrowNotice,
    InquestQuery,
    InquestReply,
    LocateQuery,
    LocateReply,
    ReleaseQuery,
    ReleaseReply,
    TaskQuery,
    TaskReply,
)
from freehold.core.node import Node
from freehold.core.node_events import PeerLost, Reserved, ReserveFailed
from freehold.core.node_messages import (
    ChunkQuery,
    ChunkReply,
    CopyNotice,
    CreateQuery,
    CreateReply,
    DeathNotice,
    HoldNotice,
    HoldRecallNotice,
    HoldReturnNotice,
    LossNotice,
    PullQuery,
    PullReply,
)
from freehold.core.policies import Policy
from freehold.core.queries import exists
from freehold.core.task_events import OfficeOpened, RunEnded, WorkerStarted
from freehold.core.values import Description, Payload, Placed, Want
from freehold.core.worker import Worker
from freehold.specs.records.of_workers import counts_agree
from freehold.specs.walks.trial import Trial

ME, OWNER, OTHER = (worker_id(node_id(index), 1) for index in range(3))
OTHER_OF_MINE = worker_id(HEAD, 2)
X, Y = object_id(OWNER, 5), object_id(OTHER, 7)


def sent(party: Worker | Node, *events: object) -> list[Send]:
    """Return what a party sends when it is told something."""
    effects = [effect for event in events for _, effect in party.handle(event)]  # type: ignore[arg-type]
    return [effect for effect in effects if isinstance(effect, Send)]


def test_the_news_of_a_death_comes_twice() -> None:
    """A reader has a value with a reference inside when the value's owner dies: it keeps what is inside from now on.

    It hears of the death from its link, and once more, for it had sent something meanwhile.  Each time it pinned what
    is inside, and let go of it once: the other owner's object was never freed.  (Found by walks on which links break.)
    """
    me = Worker(ME)
    (asked,) = sent(me, RefsHeld((X,)), GetWanted(1, (X,), 1, Want.GET))
    assert isinstance(asked.message, LocateQuery)
    sent(me, LocateReply(X, asked.message.attempt, Payload(3, (Y,), b"abc")), RefsFound(X, (Y,)), ReleaseQuery(Y, 9))
    sent(me, DeathNotice(OWNER), PeerLost(OWNER))
    assert me.ownership[Y].pins == 1 and [*counts_agree(me)] == []
    (released,) = sent(me, RefDropped(X), RefDropped(Y))
    assert (released.target, released.message) == (OTHER, ReleaseReply(Y, 9, ME, ()))


def test_an_owner_hears_twice_of_a_borrower_s_death() -> None:
    """Its node tells an owner of a borrower's death, and while all are being asked who holds the object the link ends.

    The owner took that for one more death, and asked everybody once more.  Nothing was wrong in the end, but the
    search had many times as much to go through.  (Found when it was counted what keeps the search from its end.)
    """
    owner = Worker(OWNER)
    owner.handle(RefCreated(X, Payload(3, (), b"abc")))
    (asked,) = sent(owner, BorrowNotice((X,), ME))
    assert isinstance(asked.message, ReleaseQuery)
    (inquest,) = sent(owner, DeathNotice(ME))
    assert isinstance(inquest.message, InquestQuery)
    assert sent(owner, PeerLost(ME)) == []
    assert sent(owner, InquestReply(inquest.message.inquest[1], ())) == []
    assert not owner.inquests and not owner.ownership[X].borrowers


def test_a_worker_dies_before_its_node_hears_that_it_has_started() -> None:
    """A worker's link ends, and only then its node is told that it is ready: it was taken for alive, and lent.

    (Found by walks on which links break, once it was looked at whether a node's workers live.)
    """
    node = Node(HEAD, 1 << 20, (("CPU", 1.0),))
    node.handle(OfficeOpened(0))
    node.handle(PeerLost(ME))
    node.handle(WorkerStarted(ME))
    assert ME not in node.offices[0].workers and not node.offices[0].idle
    node.handle(WorkerStarted(OTHER_OF_MINE))
    assert node.offices[0].idle == (OTHER_OF_MINE,)


def test_the_source_of_a_copy_dies_when_it_has_been_read() -> None:
    """A node has got a copy and lets its worker read; then the node that it came from, the only other one, dies.

    It told the worker first and the owner next.  When the death came in between the owner knew of no copy any more,
    and had the value computed again, or said that it was lost, though it had just been read.  (Found by the
    conformance kit, on a backend that delivers in any order.)
    """
    node, source = Node(HEAD, 1 << 20, ()), node_id(1)
    (reserve,) = [e for _, e in node.handle(PullQuery(X, 3, ME, source, 100, Want.GET)) if isinstance(e, Reserve)]
    (query,) = sent(node, Reserved(reserve.attempt, 7))
    assert isinstance(query.message, ChunkQuery)
    told = sent(node, ChunkReply(X, query.message.attempt, 0, 100))
    news = [(send.target, type(send.message)) for send in told if isinstance(send.message, CopyNotice | HoldNotice)]
    assert news == [(OWNER, CopyNotice), (ME, HoldNotice)]


def test_a_copy_is_asked_for_whose_owner_is_dead() -> None:
    """A node has heard of an owner's death, and its worker, which has not yet, asks it for a copy of a value.

    The node pulled it from another one that had not heard, either, and kept it: who would have released it was dead.
    (Found by the search, with three processes and large values, once it was looked at whose copies a node keeps.)
    """
    node, source = Node(HEAD, 1 << 20, ()), node_id(2)
    node.handle(DeathNotice(OWNER))
    (refused,) = sent(node, PullQuery(X, 3, ME, source, 100, Want.GET))
    assert isinstance(refused.message, PullReply) and refused.message.failure.cause == "released"
    assert not node.copies and not node.rooms[0].queue


def test_a_task_returns_a_large_value_to_its_dead_caller() -> None:
    """A node has heard of a caller's death, and its worker, which has not yet, asks for room for what a task returns.

    It got room, and what it wrote stayed there for nobody.  (Found by the same search, with tasks that return.)
    """
    node = Node(HEAD, 1 << 20, ())
    node.handle(DeathNotice(OWNER))
    (refused,) = sent(node, CreateQuery(X, 3, ME, 100))
    assert isinstance(refused.message, CreateReply) and refused.message.failure is not None
    assert not node.copies and not node.rooms[0].queue


def test_room_for_a_return_to_the_dead_is_asked_for_once() -> None:
    """The same node refuses, and the worker, which takes that for the end of an earlier copy, asks once more.

    It did so for ever, as fast as the two could, until the worker was ended: if it was, for of a worker that ran the
    task on the stack of another nobody would.  (Found by the search, in a model of large returns and a death that did
    not come to an end.)
    """
    node, worker, function, task = Node(HEAD, 1 << 30, ()), Worker(ME), object_id(ME, 1), object_id(OWNER, 8)
    node.handle(DeathNotice(OWNER))
    worker.handle(RefCreated(function, Payload(3, (), b"abc")))
    description = Description(task, function, "f", Payload(3), (), 1)
    begun = worker.handle(TaskQuery(task, 2, OWNER, description, (function,)))
    (run,) = [effect for _, effect in begun if isinstance(effect, Run)]
    (asked,) = sent(worker, RunEnded(task, run.attempt, (Payload(200_000, (), b"large"),), 0.1))
    assert isinstance(asked.message, CreateQuery)
    (refused,) = sent(node, asked.message)
    assert [type(answer.message) for answer in sent(worker, refused.message)] == [TaskReply]


def test_a_link_breaks_between_two_that_live() -> None:
    """A process has lent a reference to another, their link breaks, and the head node has yet to say who goes.

    It took the other for dead, and said so to the owner with its report.  The owner asked the other, which had not read
    yet what came with the reference: "no", it said, read it, and was the one to live on.  (Found by the search, with
    three processes and two calls; the model "lend and lose" finds it again.)  So who has lost somebody waits.
    """
    me = Worker(ME)
    mine = object_id(ME, 5)
    me.handle(RefCreated(mine, Payload(3, (), b"abc")))
    (asked,) = sent(me, BorrowNotice((mine,), OTHER))
    assert isinstance(asked.message, ReleaseQuery)
    assert sent(me, PeerLost(OTHER)) == [Send(HEAD, LossNotice(OTHER, ME))] and me.hears(OTHER)
    assert sent(me, PeerLost(OTHER)) == []
    (inquest,) = sent(me, DeathNotice(OTHER))
    assert isinstance(inquest.message, InquestQuery) and not me.hears(OTHER)


def test_two_nodes_have_lost_each_other() -> None:
    """The head node decides which of them is dead to all others, and must say so to that one, too: it lives.

    It was told by nobody, and went on, with a store full of copies of which no owner knew.  (Found by walks on which
    links break.)
    """
    world = Trial(Policy(), 1 << 20, (0, 1, 1), (0,))
    one, two = node_id(1), node_id(2)
    world.link(one, two)
    world.cut(one, two, lambda waiting: waiting)
    while not world.quiet():
        world.progress()
    assert [party in world.parties for party in (one, two)].count(True) == 1
    assert all(world.parties[HEAD].hears(party) for party in world.parties if is_node(party))


def test_a_copy_is_read_while_another_waits_for_its_room() -> None:
    """A store is full, and holds on what could go are asked back; then another worker reads the same copy.

    It was granted a hold, and kept that in case when it had read: nobody asked for it any more, and who waited was
    told that the store is full.  (Found by a search of the room table by itself, with copies that do as they like.)
    """
    node, reader, other = Node(HEAD, 100, ()), worker_id(HEAD, 1), worker_id(HEAD, 2)
    node.handle(PullQuery(X, 1, reader, node_id(1), 60, Want.GET))
    node.handle(Reserved(node.rooms[0].attempt, 1))
    node.handle(ChunkReply(X, node.copies[X].attempt, 0, 60))
    node.handle(CreateQuery(Y, 1, OTHER_OF_MINE, 50))
    assert sent(node, ReserveFailed(node.rooms[0].attempt)) == [Send(reader, HoldRecallNotice(X))]
    granted, *told = sent(node, PullQuery(X, 2, other, node_id(1), 60, Want.GET))
    assert granted == Send(other, HoldNotice(X, 1, 60)) and Send(other, HoldRecallNotice(X)) in told


def test_a_copy_goes_and_its_object_is_as_ready_as_before() -> None:
    """A borrower has read a large object, and its node wants the room of the copy back.

    The borrower gave the copy back, and forgot with it that there is a value: a wait that fetches nothing called an
    object unready that had been ready.  (Found by walks, with the promise that what was ready stays so.)
    """
    me = Worker(ME)
    me.handle(RefsHeld((X,)))
    (asked,) = sent(me, GetWanted(1, (X,), 1))
    assert isinstance(asked.message, LocateQuery) and asked.target == OWNER
    (pulled,) = sent(me, LocateReply(X, asked.message.attempt, Placed(200_000, (node_id(1),))))
    assert isinstance(pulled.message, PullQuery)
    me.handle(HoldNotice(X, 1, 200_000))
    me.handle(ViewTaken(X))
    me.handle(ViewDropped(X))
    assert sent(me, HoldRecallNotice(X)) == [Send(HEAD, HoldReturnNotice(X, ME, 1))]
    assert exists(me, X)
