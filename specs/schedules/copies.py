"""Schedules of copies: those that go while somebody reads them, and those that come back changed."""

from __future__ import annotations

from freehold.core.copy import RETIRING
from freehold.core.ids import node_id
from freehold.core.node_messages import HoldNotice, PullQuery
from freehold.core.values import Want
from freehold.specs.schedules.stage import ABLE, Stage, schedule, way
from freehold.specs.walks.users import LARGE, SMALL


@schedule(
    "copy: PRIMARY ChunkQuery dropped ChunkReply",
    "resolution: RETRYING RetryDue ignored",
)
def computed_anew_where_a_copy_was() -> None:
    """An owner's answer is late: of the copies that it names one was evicted, one is lost, and the value was computed
    anew on the node of the former, of another size."""
    stage = Stage(4, able=(1, 3), capacity=5 * LARGE // 2, chunk_bytes=60, chunks_in_flight=2)
    (user,), (_, first, second, third) = stage.users, map(node_id, range(4))
    made = stage.runs(user, ABLE, retries=5)
    x = made.task
    stage.expect(lambda: stage.parties[made.worker].node == first)
    stage.leave(made, [(LARGE, ())])
    stage.go()
    late, early = stage.runs(user, second, inside=[x]), stage.runs(user, third, inside=[x])
    stage.gets(early, x)
    stage.go(until=lambda: stage.copy_on(third, x).holds)
    stage.go()
    stage.looks_away(early)
    stage.gets(late, x)
    answer = way(user.worker, late.worker, "LocateReply")
    stage.go(answer)
    large = stage.put(early, 2 * LARGE, ())
    stage.go(answer, until=lambda: stage.copies_of(user, x) == (first,) and not early.request)
    stage.forgets(early, large)
    stage.go(answer)
    stage.dies(first, arrive=0)
    stage.go(answer, until=lambda: stage.parties[stage.running(x).worker].node == third)
    stage.leave(stage.running(x), [(LARGE + 1, ())])
    stage.go(answer)
    stage.expect(lambda: stage.copies_of(user, x) == (third,))
    stage.go()
    stage.finish()


@schedule("copy: RETIRING HoldReturnNotice counted holds -1")
def granted_twice_while_its_owner_dies() -> None:
    """A worker has given one hold back when the owner dies, and another grant of the same copy is on its way to it."""
    stage = Stage(3, (0, 2), capacity=5 * LARGE // 2)
    (user, other), (_, first, second) = stage.users, map(node_id, range(3))
    maker = stage.runs(user, first)
    x = stage.put(maker, LARGE, ())
    stage.go()
    stage.leave(maker, [(SMALL, [x])])
    stage.gets(user, maker.task)
    stage.go()
    reader = stage.runs(user, second, inside=[x])
    me = reader.worker
    there, back = way(me, second), way(second, me)
    stage.wait(reader, [x], 1, Want.WAIT, -1.0)
    stage.go(until=lambda: type(stage.channels[me, second][0][1]) is PullQuery)
    stage.deliver(me, second)
    stage.future(reader, x)
    stage.go(there, back, until=lambda: type(stage.channels[second, me][0][1]) is HoldNotice)
    stage.put(other, 2 * LARGE, ())
    stage.go(there, back)
    stage.deliver(me, second)
    stage.deliver(second, me)
    stage.go(there, back)
    stage.looks_away(reader, there, back)
    stage.deliver(second, me)
    stage.dies(maker.worker)
    stage.go(there, back, until=lambda: stage.copy_on(second, x).state is RETIRING)
    stage.go(back)
    stage.deliver(second, me)
    stage.gets(reader, x)
    stage.go()
    stage.finish()
