"""MACHINE 3, resolution: how a process that holds a reference comes to a value that it does not have.

One record for each object whose copy this process reads, or is fetching.  The three steps: (1) ask the owner
for locations, unless we are the owner or the task description named them; (2) select one and have this node
request a copy; (3) receive it.  What arrives is a *hold*: the node's word that the bytes stay where they are.
A hold is kept while anything here uses it, and after that until the node asks for it, so that further gets and
tasks on this process cost no message.

When a location fails the next one is tried; when none is left the owner is asked again, at once for one that we
have not tried, and after a growing back-off for any.  A new location cuts the back-off short.

What becomes of the hold on a copy that has come is in ``holding.py``.

This file refuses to know how bytes travel between nodes, and who keeps the object alive.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.effects import CancelTimer, Send, SetTimer
from freehold.core.events import (
    CopyAwaited,
    CopyWanted,
    Event,
    ObjectUnused,
    OwnerDied,
    RetryDue,
    Unpinned,
    ViewDropped,
    ViewTaken,
    WantWithdrawn,
    known,
    ready,
)
from freehold.core.ids import owner_of
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.messages import LateNotice, LocateCancelNotice, LocateQuery, LocateReply
from freehold.core.node_messages import HoldNotice, HoldRecallNotice, PullCancelNotice, PullQuery, PullReply
from freehold.core.policies import backoff_seconds, order_locations
from freehold.core.task_events import ArgumentLate
from freehold.core.values import Failure, Outcome, Payload, Placed, Want


class Resolving(State):
    """How far this process is on its way to the value."""

    ABSENT = "nothing here has wanted the value"
    SEEN = "the value is known to exist; nothing here wants a copy"
    ASKING = "the owner has been asked where copies are", LocateReply
    PULLING = "this node has been asked to get a copy from one location", PullReply
    RETRYING = "all locations failed; waiting for a new one, or to ask once more", LocateReply, RetryDue
    LOCAL = "a sealed copy on this node is held and in use"
    IDLE = "the hold is kept in case; the node may ask for it"
    CACHED = "the owner's reply carried the value itself"
    FAILED = "no get here can succeed"


ABSENT, SEEN, ASKING, PULLING, RETRYING, LOCAL, IDLE, CACHED, FAILED = Resolving


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """What one process knows about getting one value."""

    object: int
    state: Resolving = ABSENT
    attempt: int = 0  # of what is now awaited; an answer to any other is stale
    sources: tuple[int, ...] = ()  # locations still to be tried, the current one first
    tried: tuple[int, ...] = ()  # locations that failed since the owner was first asked
    round: int = 0  # how often all locations have failed
    nbytes: int = 0
    refs: tuple[int, ...] = ()  # references inside the value
    orphaned: bool = False  # LOCAL, CACHED: the owner is dead, and it is we who keep them alive
    place: int = 0  # LOCAL, IDLE: where the copy is
    grants: int = 0  # holds granted by the node and not given back
    views: int = 0  # zero-copy views that user code has
    unused: bool = False  # no reference of any kind is left here; only views keep the hold
    unread: tuple[int, ...] = ()  # gets (0: tasks) that were told of the copy and may not have read it yet
    recalled: bool = False  # the node wants the hold back
    released: bool = False  # and there will be no other copy: references keep the hold
    payload: Payload | None = None
    failure: Failure | None = None
    wanted: Map[int, int] = Map()  # requests and tasks that wait -> why


TABLE = Table(
    "resolution",
    Resolving,
    (
        CopyWanted,
        CopyAwaited,
        LocateReply,
        LateNotice,
        PullReply,
        RetryDue,
        HoldNotice,
        HoldRecallNotice,
        WantWithdrawn,
        ObjectUnused,
        ViewTaken,
        ViewDropped,
        OwnerDied,
    ),
)
WAITING = (ASKING, PULLING, RETRYING)
READS = (Want.GET, Want.RUN)
CALLS = (Want.GET, Want.WAIT, Want.LOOK)
EMPTY: Map[int, int] = Map()


def wake(r: Resolution) -> tuple[Resolution, Out]:
    """Tell all who waited, in the order in which they asked."""
    out = tuple([ready(r.object, by, r.wanted[by], r.failure) for by in sorted(r.wanted)])
    return replace(r, wanted=EMPTY), out


def wake_senders(r: Resolution, outcome: Outcome) -> tuple[Resolution, Out]:
    """Tell those for whom it is enough that the value exists: tasks that are still to be sent, above all."""
    senders = [(by, want) for by, want in sorted(r.wanted.items()) if want >= Want.SEND]
    if not senders:
        return r, ()
    wanted = r.wanted
    for by, _ in senders:
        wanted = wanted.delete(by)
    return replace(r, wanted=wanted), tuple([known(r.object, by, want, outcome) for by, want in senders])


def urgency(r: Resolution) -> int:
    """Return the strongest reason for which the value is wanted here."""
    return min(r.wanted.values(), default=Want.SEND)


def reader(by: int, want: int) -> int:
    """Return under what name one is noted who is about to read; tasks go by one, for some have read already."""
    return by if want == Want.GET else 0


def waits(r: Resolution) -> bool:
    """Tell whether a call waits for the value, and so a thread."""
    return any(want in CALLS for want in r.wanted.values())


def asking(r: Resolution, here: Here, known: tuple[int, ...] = ()) -> tuple[Resolution, Out]:
    """Step 1: ask the owner for locations."""
    attempt = here.mint()
    r = replace(r, state=ASKING, attempt=attempt, sources=())
    return r, (Send(owner_of(r.object), LocateQuery(r.object, attempt, here.me, known, attempt * waits(r))),)


def pulling(r: Resolution, sources: tuple[int, ...], here: Here) -> tuple[Resolution, Out]:
    """Step 2: select a location, and have this node request a copy from it."""
    attempt = here.mint()
    r = replace(r, state=PULLING, attempt=attempt, sources=sources)
    query = PullQuery(r.object, attempt, here.me, sources[0], r.nbytes, urgency(r))
    return r, (Send(here.node, query),)


def retrying(r: Resolution, here: Here) -> tuple[Resolution, Out]:
    """Leave a question with the owner for any other location, and ask again for all of them after a while."""
    attempt = here.mint()
    pause = backoff_seconds(here.policy, r.round)
    r = replace(r, state=RETRYING, attempt=attempt, sources=(), round=r.round + 1)
    return r, (
        Send(owner_of(r.object), LocateQuery(r.object, attempt, here.me, r.tried, attempt * waits(r))),
        SetTimer(attempt, pause, RetryDue(r.object, attempt)),
    )


def stop(r: Resolution, here: Here) -> Out:
    """Return the messages that call off what is under way."""
    if r.state is PULLING:
        return (Send(here.node, PullCancelNotice(r.object, here.me)),)
    timer = (CancelTimer(r.attempt),) if r.state is RETRYING else ()
    return (*timer, Send(owner_of(r.object), LocateCancelNotice(r.object, here.me)))


def failed(r: Resolution, failure: Failure, out: Out = ()) -> tuple[Resolution, Out]:
    """Fail all who wait, and whoever comes later."""
    r, woken = wake(replace(r, state=FAILED, failure=failure, sources=(), tried=()))
    return r, out + woken


# ------------------------------------------------------------------ the value is wanted


@TABLE.on(ABSENT, event=CopyWanted, to=(ASKING, PULLING, FAILED))
def first_want(r: Resolution, e: CopyWanted, here: Here) -> tuple[Resolution, Out]:
    """Until a value is wanted a reference costs no message.  Known locations save the question to the owner."""
    r = Resolution(r.object, nbytes=e.nbytes, refs=e.refs, wanted=EMPTY.set(e.by, e.want))
    if not here.hears(owner_of(r.object)):
        return share_fate(r, OwnerDied(r.object), here)
    if e.nodes:
        return pulling(r, order_locations(here.policy, r.object, 0, here.node, e.nodes), here)
    return asking(r, here)


@TABLE.on(SEEN, event=CopyWanted, to=(ASKING, PULLING))
def want_seen(r: Resolution, e: CopyWanted, here: Here) -> tuple[Resolution, Out]:
    """Locations that were true a moment ago save the question; if all fail the owner is asked again."""
    if e.want == Want.LOOK or (e.want == Want.SEND and r.sources):
        return r, (known(r.object, e.by, e.want, placed(r)),)
    r = replace(r, wanted=EMPTY.set(e.by, e.want))
    if not r.sources:
        return asking(r, here)
    return pulling(r, order_locations(here.policy, r.object, 0, here.node, r.sources), here)


@TABLE.on(ASKING, RETRYING, event=CopyWanted)
def join(r: Resolution, e: CopyWanted, here: Here) -> tuple[Resolution, Out]:
    """Several gets of one object wait for one answer; the first call after tasks that want it reminds the owner.

    What has once been known to exist does, while its owner is asked again.
    """
    if e.want == Want.LOOK and r.nbytes:
        return r, (known(r.object, e.by, e.want, placed(r)),)
    after = replace(r, wanted=r.wanted.set(e.by, e.want))
    return remind(after, CopyAwaited(r.object), here) if waits(after) and not waits(r) else (after, ())


@TABLE.on(ASKING, RETRYING, event=CopyAwaited)
def remind(r: Resolution, e: CopyAwaited, here: Here) -> tuple[Resolution, Out]:
    """The question is repeated, under its number, to say that a thread waits for the answer."""
    return r, (Send(owner_of(r.object), LocateQuery(r.object, r.attempt, here.me, r.tried, here.mint())),)


TABLE.ignore(ABSENT, SEEN, PULLING, LOCAL, IDLE, CACHED, FAILED, event=CopyAwaited, why="no task is awaited any more")


@TABLE.on(PULLING, event=CopyWanted)
def join_pull(r: Resolution, e: CopyWanted, here: Here) -> tuple[Resolution, Out]:
    """A more urgent want makes the pull more urgent; a task still to be sent needs only to know that copies exist."""
    if e.want >= Want.SEND:
        return r, (known(r.object, e.by, e.want, placed(r)),)
    before = urgency(r)
    r = replace(r, wanted=r.wanted.set(e.by, e.want))
    if e.want >= before:
        return r, ()
    return r, (Send(here.node, PullQuery(r.object, r.attempt, here.me, r.sources[0], r.nbytes, e.want)),)


@TABLE.on(LOCAL, IDLE, event=CopyWanted, to=(LOCAL,))
def read(r: Resolution, e: CopyWanted, here: Here) -> tuple[Resolution, Out]:
    """A held copy is read without a message, unless only views have kept it since its owner died."""
    if e.want >= Want.SEND:
        told: Event = known(r.object, e.by, e.want, bereft(r) or placed(r, here.node))
    else:
        told = ready(r.object, e.by, e.want, r.failure)
    if r.failure is not None:
        return r, (told,)
    fresh = e.want in READS and reader(e.by, e.want) not in r.unread
    unread = (*r.unread, reader(e.by, e.want)) if fresh else r.unread
    return replace(r, state=LOCAL, unused=False, unread=unread), (told,)


@TABLE.on(CACHED, FAILED, event=CopyWanted)
def answer_now(r: Resolution, e: CopyWanted, here: Here) -> tuple[Resolution, Out]:
    """A settled question is answered at once, whichever way it was settled."""
    if e.want >= Want.SEND:
        outcome = r.failure or bereft(r) or r.payload
        assert outcome is not None
        return r, (known(r.object, e.by, e.want, outcome),)
    return r, (ready(r.object, e.by, e.want, r.failure),)


# ------------------------------------------------------------------ step 1: the owner answers


def placed(r: Resolution, *here: int) -> Placed:
    """Return what a task description says of the object: where its copies are."""
    return Placed(r.nbytes, here or r.sources, r.refs)


def bereft(r: Resolution) -> Failure | None:
    """Return why the value is not passed on: nobody could answer for the references inside but us."""
    return r.failure or (Failure("owner_died", r.object, owner_of(r.object)) if r.orphaned else None)


@TABLE.on(ASKING, RETRYING, event=LocateReply, to=(PULLING, CACHED, FAILED, SEEN))
def told_where(r: Resolution, e: LocateReply, here: Here) -> tuple[Resolution, Out]:
    """Pull from the best location; an answer may instead carry the value, or why there is none."""
    timer = (CancelTimer(r.attempt),) if r.state is RETRYING else ()
    outcome = e.outcome
    r, sent = wake_senders(r, outcome)
    out = timer + sent
    if isinstance(outcome, Failure):
        return failed(r, outcome, out)
    if isinstance(outcome, Payload):
        r, woken = wake(replace(r, state=CACHED, payload=outcome, nbytes=outcome.nbytes, refs=outcome.refs))
        return r, out + woken
    r = replace(r, nbytes=outcome.nbytes, refs=outcome.refs)
    if not r.wanted:
        return replace(r, state=SEEN, sources=outcome.nodes, tried=()), out
    fresh = tuple([node for node in outcome.nodes if node not in r.tried]) or outcome.nodes
    r, pull = pulling(r, order_locations(here.policy, r.object, e.attempt, here.node, fresh), here)
    return r, out + pull


@TABLE.on(ASKING, RETRYING, event=LateNotice)
def told_late(r: Resolution, e: LateNotice, here: Here) -> tuple[Resolution, Out]:
    """A call goes on waiting; a task goes back, for what it waits for may need its worker."""
    return r, tuple([ArgumentLate(by, r.object) for by in sorted(r.wanted) if r.wanted[by] == Want.RUN])


TABLE.ignore(ABSENT, SEEN, PULLING, LOCAL, IDLE, CACHED, FAILED, event=LateNotice, why="no answer is awaited any more")


@TABLE.on(RETRYING, event=RetryDue, to=(ASKING,))
def ask_again(r: Resolution, e: RetryDue, here: Here) -> tuple[Resolution, Out]:
    """Locations that failed once may have recovered: ask for all of them."""
    return asking(replace(r, tried=()), here)


# ------------------------------------------------------------------ steps 2 and 3: the copy comes, or not


@TABLE.on(PULLING, event=PullReply, to=(PULLING, RETRYING, FAILED))
def try_next(r: Resolution, e: PullReply, here: Here) -> tuple[Resolution, Out]:
    """Try the next location; when none is left only the owner can know of another.  A full store is final."""
    if e.failure.cause in ("full", "too_large"):
        return failed(r, e.failure)
    r = replace(r, tried=(*r.tried, r.sources[0]))
    if r.sources[1:]:
        return pulling(r, r.sources[1:], here)
    return retrying(r, here)


@TABLE.on(PULLING, RETRYING, event=HoldNotice, to=(LOCAL,))
def arrived(r: Resolution, e: HoldNotice, here: Here) -> tuple[Resolution, Out]:
    """The copy is here, however it came: every waiting get and task goes on."""
    out = stop(r, here) if r.state is not PULLING else ()
    unread = tuple(sorted({reader(by, want) for by, want in r.wanted.items() if want in READS}))
    r = replace(r, state=LOCAL, place=e.place, nbytes=e.nbytes, grants=r.grants + 1, unread=unread)
    r = replace(r, sources=(), tried=(), round=0)
    r, sent = wake_senders(r, placed(r, here.node))
    r, woken = wake(r)
    return r, out + sent + woken


# ------------------------------------------------------------------ nobody wants it any more


def remembered(r: Resolution, here: Here) -> Resolution | None:
    """Return what is kept in mind of a value that nothing here wants: that it exists, which an owner knows anyway."""
    if not r.nbytes or r.unused or r.orphaned or owner_of(r.object) == here.me:
        return None
    return Resolution(r.object, SEEN, sources=r.sources, nbytes=r.nbytes, refs=r.refs)


@TABLE.on(*WAITING, event=WantWithdrawn, to=(SEEN, ABSENT))
def withdraw(r: Resolution, e: WantWithdrawn, here: Here) -> tuple[Resolution | None, Out]:
    """The last to lose interest calls everything off."""
    if e.by not in r.wanted:
        return r, ()
    r = replace(r, wanted=r.wanted.delete(e.by))
    return (r, ()) if r.wanted else (remembered(r, here), stop(r, here))


TABLE.ignore(ABSENT, SEEN, IDLE, CACHED, FAILED, event=WantWithdrawn, why="nobody waits in this state")


@TABLE.on(SEEN, CACHED, FAILED, event=ObjectUnused, to=(ABSENT,))
def forget(r: Resolution, e: ObjectUnused, here: Here) -> tuple[None, Out]:
    """What was cached goes with the last reference."""
    return None, unpinned(r)


def unpinned(r: Resolution) -> Out:
    """Let the references go that were kept alive in a dead owner's stead."""
    return tuple([Unpinned(ref) for ref in r.refs]) if r.orphaned else ()


@TABLE.on(*WAITING, event=ObjectUnused, to=(ABSENT,))
def call_off(r: Resolution, e: ObjectUnused, here: Here) -> tuple[None, Out]:
    """Nobody can want it any more."""
    return None, stop(r, here)


TABLE.ignore(ABSENT, event=ObjectUnused, why="nothing is kept for it")


@TABLE.on(SEEN, *WAITING, event=OwnerDied, to=(FAILED,))
def share_fate(r: Resolution, e: OwnerDied, here: Here) -> tuple[Resolution, Out]:
    """Without its owner an object means nothing, even where copies survive."""
    out = stop(r, here)[:1] if r.state in (PULLING, RETRYING) else ()
    failure = Failure("owner_died", r.object, owner_of(r.object))
    r, sent = wake_senders(r, failure)
    return failed(r, failure, out + sent)


TABLE.ignore(ABSENT, FAILED, event=OwnerDied, why="nobody wants the bytes, or can have them")
