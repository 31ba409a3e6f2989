"""Relay: the rows of the copy table about bytes that go to other nodes.

A sealed copy answers all who ask, each under a hold.  By the policy ``relay`` it sends itself to one node at a time,
and refers the next to the last that has asked.  So they form a *line*: each gets its chunks from the one before it as
they come, and no cable carries the same bytes twice.  Whoever is referred gets a *rank* that grows along the line, and
is served by nobody who is not ahead of it: none ever waits for itself, however old the word is that referred it.
No release of Ray does this; chunks of copies that are not complete are sent on by Zhuang et al., *Hoplite* (SIGCOMM
2021).

Refuses to know how many read the object, and where else there are copies: whoever loses its source begins again.
"""

from __future__ import annotations

from freehold.core.copy import (
    ABSENT,
    PULLING,
    RESERVING,
    RETIRING,
    SEALED,
    SECONDARY,
    TABLE,
    WRITING,
    Copy,
    broken_off,
    no_chunk,
    refuse,
    thanks,
)
from freehold.core.effects import Move, Send
from freehold.core.ids import is_node
from freehold.core.machine import Here, Out, replace
from freehold.core.node_events import CopyBusy
from freehold.core.node_messages import ChunkQuery, RelayReply
from freehold.core.values import Failure


def is_here(r: Copy, e: ChunkQuery) -> bool:
    """Tell whether the bytes are here; of a copy that is not complete the first ones, for they come in order."""
    return not r.source or e.offset + e.nbytes <= r.arrived


@TABLE.on(*SEALED, RETIRING, event=ChunkQuery)
def send_chunk(r: Copy, e: ChunkQuery, here: Here) -> tuple[Copy, Out]:
    """The first chunk takes a hold for the pulling node; a copy being retired still serves who holds it."""
    other = e.total != r.nbytes  # the task has run again, and returned something else: the puller was told of the first
    if other or not is_here(r, e) or (e.target not in r.holds if e.offset else r.state is RETIRING):
        return refuse_chunk(r, e, here)
    return refer(r, e, here) if refers(r, e, here) else sent(r, e, here)


@TABLE.on(WRITING, event=ChunkQuery)
def send_chunk_later(r: Copy, e: ChunkQuery, here: Here) -> tuple[Copy, Out]:
    """Its owner told of this copy as soon as it was written; the seal is on its way to us, from another process."""
    return replace(r, awaited=(*r.awaited, e)), ()


@TABLE.on(ABSENT, RESERVING, event=ChunkQuery)
def refuse_chunk(r: Copy, e: ChunkQuery, here: Here) -> tuple[Copy, Out]:
    """There is no copy here: the puller tries another location."""
    return r, (no_chunk(e),)


def sent(r: Copy, e: ChunkQuery, here: Here) -> tuple[Copy, Out]:
    """Send a chunk; the first takes a hold for the pulling node."""
    out: Out = ()
    if not e.offset:
        out = (CopyBusy(r.object),) if r.state is SECONDARY and not r.holds else ()
        line = (*r.line, e.target) if here.policy.relay and not e.origin else r.line
        r = replace(r, holds=r.holds.set(e.target, r.holds.get(e.target, 0) + 1), line=line)
    return r, (*out, Move(r.object, e.attempt, None, r.place, e.target, e.offset, e.nbytes))


# ------------------------------------------------------------------ the copy at the head of a line


def refers(r: Copy, e: ChunkQuery, here: Here) -> bool:
    """Tell whether a node that asks for its first chunk is referred: once, and if there are others to be asked for."""
    first = here.policy.relay and not (e.offset or e.origin or e.rank)
    return bool(first and r.line and r.nbytes > here.policy.chunk_bytes and any(map(is_node, r.holds)))


def refer(r: Copy, e: ChunkQuery, here: Here) -> tuple[Copy, Out]:
    """Refer a node to the last of the line, and make it the last."""
    return replace(r, line=(*r.line, e.target)), (
        Send(e.target, RelayReply(r.object, e.attempt, r.line[-1], here.mint())),
    )


# ------------------------------------------------------------------ the others


@TABLE.on(PULLING, event=ChunkQuery)
def send_on(r: Copy, e: ChunkQuery, here: Here) -> tuple[Copy, Out]:
    """A chunk goes to who is behind us in the same line, at once or as soon as it has come."""
    known = not e.offset or e.target in r.holds or any(query.target == e.target for query in r.awaited)
    behind = e.origin == (r.origin or r.source) and e.rank > r.rank
    if not (known and behind and e.total == r.nbytes):
        return r, (no_chunk(e),)
    return sent(r, e, here) if is_here(r, e) else (replace(r, awaited=(*r.awaited, e)), ())


def pass_on(r: Copy, here: Here) -> tuple[Copy, Out]:
    """Send on what others have waited for, and is here now."""
    if not r.awaited:
        return r, ()
    queries, out = r.awaited, list[object]()
    r = replace(r, awaited=tuple([query for query in queries if not is_here(r, query)]))
    for query in queries:
        if is_here(r, query):
            r, chunk = sent(r, query, here)
            out += chunk
    return r, tuple(out)


# ------------------------------------------------------------------ asking for chunks


def next_chunk(r: Copy, here: Here) -> tuple[Copy, Out]:
    """Ask for the next bytes that have not been asked for."""
    nbytes = min(here.policy.chunk_bytes, r.nbytes - r.asked)
    if nbytes <= 0:
        return r, ()
    query = ChunkQuery(r.object, r.attempt, here.me, r.asked, nbytes, r.nbytes, r.origin, r.rank)
    return replace(r, asked=r.asked + nbytes), (Send(r.source, query),)


def first_chunks(r: Copy, here: Here) -> tuple[Copy, Out]:
    """Begin to ask a source for chunks, as many as may be on their way at a time."""
    r, out = replace(r, attempt=here.mint(), asked=0), list[object]()
    for _ in range(here.policy.chunks_in_flight):
        r, query = next_chunk(r, here)
        out += query
    return r, tuple(out)


def lost(r: Copy, here: Here) -> tuple[Copy | None, Out]:
    """The source has no copy, or is dead; one to which we were referred is no loss while nobody reads ours."""
    back = thanks(r if r.arrived else replace(r, source=0), here)
    if r.origin and here.hears(r.origin) and not r.holds:
        refused = [no_chunk(query) for query in r.awaited]  # they were behind us, and we go to the end of the line
        rank = 0 if r.arrived else r.rank  # referred in vain: not once more, by the same old word
        r = replace(r, source=r.origin, origin=0, rank=rank, arrived=0, awaited=())
        r, asked = first_chunks(r, here)
        return r, (*refused, *back, *asked)
    return broken_off(r, *refuse(r, Failure("lost", r.object, r.source)), *back)
