"""Schedules of relays: copies that are sent on before they are complete, and those whose source dies meanwhile."""

from __future__ import annotations

from freehold.core.copy import RETIRING
from freehold.core.ids import node_id
from freehold.specs.schedules.stage import ABLE, Stage, schedule, way
from freehold.specs.walks.users import LARGE, Frame

FIRST, SECOND, THIRD = map(node_id, range(1, 4))
APART = way(SECOND, THIRD), way(THIRD, SECOND)
CHUNKS = way(FIRST, SECOND, "ChunkReply")


@schedule("copy: WRITING SealNotice swapped Move Move")
def sent_on_between_two_chunks() -> None:
    """Two nodes wait for a copy to be sealed; the second is referred to the first, which has got one chunk by then."""
    stage = Stage(4, able=(1,), chunk_bytes=2 * LARGE // 5, chunks_in_flight=2, relay=True)
    (user,) = stage.users
    made = stage.runs(user, ABLE)
    x = made.task
    seal = way(made.worker, FIRST, "SealNotice")
    stage.leave(made, [(LARGE, ())])
    stage.go(seal, until=lambda: stage.copies_of(user, x) == (FIRST,))
    for node in (SECOND, THIRD):
        stage.gets(stage.runs(user, node, held=[seal], inside=[x]), x)
        stage.go(seal)
    stage.expect(lambda: len(stage.copy_on(FIRST, x).awaited) == 4)
    stage.deliver(made.worker, FIRST)
    stage.deliver(FIRST, THIRD)
    stage.deliver(FIRST, SECOND)
    while (THIRD, SECOND) in stage.channels:
        stage.deliver(THIRD, SECOND)
    stage.go()
    stage.finish()


@schedule("copy: PULLING ChunkReply counted asked -1")
def byte_by_byte() -> None:
    """A copy comes in chunks of one byte."""
    stage = Stage(2, chunk_bytes=1)
    (user,) = stage.users
    x = stage.put(user, LARGE, ())
    stage.must_read(stage.runs(user, FIRST, inside=[x]), x)
    stage.finish()


def in_line(chunks_in_flight: int) -> tuple[Stage, Frame, Frame]:
    """The second node gets a copy from the first, which one on the third wants, too.  Returns who reads on these."""
    stage = Stage(4, chunk_bytes=LARGE // 10, chunks_in_flight=chunks_in_flight, relay=True)
    (user,) = stage.users
    x = stage.put(user, LARGE, ())
    stage.go()
    early, late, last = [stage.runs(user, node, inside=[x]) for node in (FIRST, SECOND, THIRD)]
    stage.must_read(early, x)
    stage.gets(late, x)
    stage.go(until=lambda: stage.copy_on(SECOND, x).source == FIRST and stage.copy_on(SECOND, x).arrived > LARGE // 5)
    stage.gets(last, x)
    return stage, late, last


def sent_on() -> tuple[Stage, Frame, Frame]:
    """The second waits for the next chunk, and has sent some on to the third."""
    stage, late, last = in_line(chunks_in_flight=1)
    (x,) = last.reading
    stage.go(CHUNKS, until=lambda: stage.copy_on(THIRD, x).source == SECOND and stage.copy_on(THIRD, x).arrived)
    return stage, late, last


def sent_on_when_the_source_dies() -> tuple[Stage, Frame]:
    """The first dies; nothing passes between the two that are left until the second has given up.

    Returns who reads on the third, too.
    """
    stage, late, last = sent_on()
    (x,) = late.reading
    stage.dies(FIRST, arrive=0)
    stage.go(*APART, until=lambda: stage.copy_on(SECOND, x).state is RETIRING)
    return stage, last


@schedule(
    "copy: RETIRING PullQuery ignored",
    "copy: RETIRING PullQuery dropped PullReply",
    "copy: RETIRING ChunkQuery dropped Move",
)
def asked_again_for_what_it_sends_on() -> None:
    """Of a copy whose source is dead its node still sends on what came: its reader there turns to another location
    meanwhile, and the node behind asks for one chunk more."""
    stage, _ = sent_on_when_the_source_dies()
    stage.go(*APART)
    stage.finish()


@schedule("resolution: RETRYING RetryDue ignored")
def nothing_new_to_try() -> None:
    """All locations have failed, one because a broken copy was still being sent on; no other ever comes."""
    stage, last = sent_on_when_the_source_dies()
    stage.abandon(last)
    stage.go(*APART)
    stage.finish()


@schedule(
    "copy: PULLING HoldReturnNotice ignored",
    "copy: PULLING HoldReturnNotice dropped HoldReturnNotice",
    "copy: PULLING HoldReturnNotice dropped Release",
    "copy: PULLING HoldReturnNotice dropped RoomFreed",
)
def sent_on_and_wanted_by_nobody() -> None:
    """A copy is sent on while it comes: its reader gives up, and then the reader of the node behind."""
    stage, late, last = sent_on()
    for reader in (late, last):
        stage.abandon(reader)
        stage.go(CHUNKS)
    stage.go()
    stage.finish()


@schedule("copy: PULLING ChunkReply swapped ChunkQuery ChunkQuery")
def referred_to_one_that_has_given_up() -> None:
    """A node is referred to the one before it, of which the reader gives up: it is refused, and goes back."""
    stage, late, last = in_line(chunks_in_flight=2)
    (x,) = last.reading
    stage.go(CHUNKS, *APART, until=lambda: stage.copy_on(THIRD, x).source == SECOND)
    stage.abandon(late)
    stage.go(CHUNKS, *APART)
    stage.expect(lambda: not stage.has_copy(SECOND, x))
    stage.go()
    stage.finish()
