"""Schedules of reads: calls that are given up, and what comes after them."""

from __future__ import annotations

from freehold.core.ids import HEAD, node_id
from freehold.core.resolution import PULLING, RETRYING
from freehold.core.room import AWAITING, OPEN
from freehold.core.values import Want
from freehold.specs.schedules.stage import ABLE, Stage, schedule, way
from freehold.specs.walks.users import LARGE, SMALL


@schedule("resolution: PULLING PullReply stale")
def refused_room_for_a_copy_that_is_asked_for_again() -> None:
    """Two readers are refused room for a copy: one hears of it, the other had given up, and hears as it asks again."""
    stage = Stage(3, (0, 2), capacity=5 * LARGE // 2)
    (user, other), second = stage.users, node_id(2)
    x = stage.put(user, LARGE, ())
    stage.go()
    reader, another = [stage.runs(user, second, inside=[x]) for _ in range(2)]
    large = stage.put(other, 2 * LARGE, ())
    stage.go()
    stage.gets(reader, x)
    stage.gets(another, x)
    stage.go()
    refusal = way(second, reader.worker, "PullReply")
    stage.time_passes(second)
    stage.go(refusal)
    stage.expect(lambda: stage.channels[second, reader.worker])
    stage.abandon(reader)
    stage.go(refusal)
    stage.forgets(other, large)
    stage.go(refusal)
    stage.must_read(reader, x)
    stage.finish()


@schedule("resolution: ASKING LocateReply stale")
def refused_a_place_for_a_value_that_is_asked_for_again() -> None:
    """A small value finds no room where it is to lie; the refusal comes as the reader, who had given up, asks again."""
    stage = Stage(3, (0,), capacity=LARGE, borrow="promote")
    (user,), second = stage.users, node_id(2)
    x = stage.put(user, SMALL, ())
    reader = stage.runs(user, second, inside=[x])
    large = stage.put(user, LARGE - SMALL, ())
    stage.go()
    stage.gets(reader, x)
    stage.go()
    refusal = way(user.worker, reader.worker, "LocateReply")
    stage.time_passes(HEAD)
    stage.go(refusal)
    stage.expect(lambda: stage.channels[user.worker, reader.worker])
    stage.abandon(reader)
    stage.go(refusal)
    stage.forgets(user, large)
    stage.go(refusal)
    stage.must_read(reader, x)
    stage.finish()


@schedule("resolution: RETRYING WantWithdrawn dropped CancelTimer")
def given_up_while_all_locations_have_failed() -> None:
    """The only copy is lost while it comes; the reader gives up while the value is computed anew."""
    stage = Stage(4, able=(1, 2))
    (user,) = stage.users
    made = stage.runs(user, ABLE, retries=1)
    x, first = made.task, stage.parties[made.worker].node
    stage.leave(made, [(LARGE, ())])
    stage.go()
    reader = stage.runs(user, node_id(3), inside=[x])
    stage.gets(reader, x)
    seen = stage.worker(reader.worker).resolution
    stage.go(until=lambda: seen[x].state is PULLING)
    stage.dies(first, arrive=0)
    stage.go()
    stage.expect(lambda: seen[x].state is RETRYING)
    stage.abandon(reader)
    stage.go()
    stage.finish()


@schedule("room: OPEN RoomFreed dropped CancelTimer")
def given_up_while_a_pull_waits_for_its_turn() -> None:
    """Of those who wait for room the first gives up, then one who has to wait for another pull, and nobody is left."""
    stage = Stage(3, (0, 2), capacity=3 * LARGE)
    (user, other), second = stage.users, node_id(2)
    objects = []
    for _ in range(3):
        objects.append(stage.put(user, LARGE, ()))
        stage.go()
    stage.put(other, 2 * LARGE, ())
    first, urgent, last = [stage.runs(user, second, cpus=0.5, inside=[x]) for x in objects]
    chunks, rooms = way(HEAD, second, "ChunkReply"), stage.parties[second].tables["room"]
    for frame, x, want in zip((first, urgent, last), objects, (Want.WAIT, Want.GET, Want.WAIT), strict=True):
        stage.gets(frame, x, want)
        stage.go(chunks)
    stage.expect(lambda: rooms[0].state is AWAITING and len(rooms[0].queue) == 2)
    stage.abandon(urgent)
    stage.go(chunks)
    stage.expect(lambda: rooms[0].state is OPEN and rooms[0].queue)
    stage.abandon(last)
    stage.go(chunks)
    stage.finish()


@schedule("resolution: SEEN CopyWanted dropped RequestReady")
def waited_for_when_it_is_known_to_be_there() -> None:
    """A process that has fetched no copy knows that there is a value, and waits until there is one."""
    stage = Stage(2, (0,))
    (user,) = stage.users
    x = stage.put(user, LARGE, ())
    stage.go()
    reader = stage.runs(user, node_id(1), inside=[x])
    for _ in range(2):
        stage.wait(reader, [x], 1, Want.LOOK, -1.0)
        stage.go()
    stage.finish()
