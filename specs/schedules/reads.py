"""Schedules of reads: answers to calls that are over, which come while the same is asked again."""

from __future__ import annotations

from freehold.core.ids import HEAD, node_id
from freehold.specs.schedules.stage import Stage, schedule, way
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
