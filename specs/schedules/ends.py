"""Schedules of ends: a borrower that dies had lent the object on, and its owner has not heard of it."""

from __future__ import annotations

from freehold.core.ids import HEAD, node_id
from freehold.core.promotion import RESERVING, WRITING, Promoting
from freehold.specs.schedules.stage import ABLE, Held, Stage, schedule, way
from freehold.specs.walks.frames import Frame
from freehold.specs.walks.users import LARGE, SMALL


def passed_on(stage: Stage, lender: Frame, by: Frame, node: int, x: int, *held: Held) -> Frame:
    """Let a worker keep what it was lent, and return the task that it runs next."""
    task = stage.runs(lender, node, held=held, inside=[x])
    stage.copy(task, x)
    stage.leave(task, [(SMALL, ())])
    stage.go(*held)
    reader = stage.runs(by, node, held=held)
    stage.expect(lambda: reader.worker == task.worker)
    stage.recall(reader, x)
    return reader


@schedule("inquiry: CONVENING HoldersReply ended in CLOSED instead of HEARING")
def another_dies_while_all_are_asked_what_they_hold() -> None:
    """All are asked who holds what a dead borrower had lent on; meanwhile one dies who has not answered."""
    stage = Stage(4, (0, 2))
    user, other = stage.users
    x = stage.put(user, LARGE, ())
    stage.go()
    lender, witness = stage.runs(user, node_id(3), inside=[x]), stage.runs(other, node_id(1))
    reader = passed_on(stage, lender, other, node_id(2), x)
    stage.forgets(user, x)
    stage.go()
    question = way(node_id(1), witness.worker, "HoldersQuery")  # how far it has come, then what it holds
    stage.dies(lender.worker)
    stage.go(question)
    stage.deliver(node_id(1), witness.worker)
    stage.go(question, until=lambda: stage.channels[node_id(1), witness.worker])
    stage.dies(witness.worker)
    stage.go()
    stage.must_read(reader, x)
    stage.finish()


def released_while_it_is_written(node: int) -> None:
    """By Ray's rule nobody looks for a reader of a copy that its node does not know to be complete."""
    stage = Stage(4, (0, 2), able=(1,), borrower_death="ray")
    user, other = stage.users
    made = stage.runs(user, ABLE)
    x = made.task
    sealed = way(made.worker, node_id(1), "SealNotice")
    stage.leave(made, [(LARGE, ())])
    stage.go(sealed)
    stage.runs(user, node_id(1), held=[sealed])  # on the same worker
    lender = stage.runs(user, node_id(3), inside=[x], held=[sealed])
    reader = passed_on(stage, lender, other, node, x, sealed)
    stage.gets(reader, x)
    stage.go(sealed)
    stage.expect(lambda: stage.copy_on(node_id(1), x).askers or stage.copy_on(node_id(1), x).awaited)
    stage.forgets(user, x)
    stage.dies(lender.worker)
    stage.go(sealed)
    stage.finish()


@schedule("copy: WRITING FreeNotice dropped PullReply")
def released_while_a_reader_waits_for_its_writer() -> None:
    """By Ray's rule an owner knows nothing of a reader, on the node where the value is written, and releases it."""
    released_while_it_is_written(node_id(1))


@schedule("copy: WRITING FreeNotice dropped ChunkReply")
def released_while_a_node_waits_for_its_writer() -> None:
    """By Ray's rule an owner knows nothing of a reader, on a node that waits for the first chunk, and releases it."""
    released_while_it_is_written(node_id(2))


@schedule("promotion: ABSENT LocateQuery ignored", "promotion: ABSENT LocateQuery dropped LocateReply")
def asked_for_when_it_has_been_released() -> None:
    """By Ray's rule an owner knows nothing of a reader, which asks it for what it has released."""
    stage = Stage(4, (0, 2), borrower_death="ray")
    user, other = stage.users
    x = stage.put(user, SMALL, ())
    lender = stage.runs(user, node_id(3), inside=[x])
    reader = passed_on(stage, lender, other, node_id(2), x)
    stage.forgets(user, x)
    stage.dies(lender.worker)
    stage.go()
    stage.gets(reader, x)
    stage.go()
    stage.finish()


@schedule("promotion: PENDING ObjectReleased dropped LocateReply")
def released_while_it_is_computed() -> None:
    """By Ray's rule an owner knows nothing of a reader, which waits for the result of a task, and releases that."""
    stage = Stage(4, (0, 2), borrower_death="ray")
    user, other = stage.users
    x = stage.runs(user, node_id(1)).task
    lender = stage.runs(user, node_id(3), inside=[x])
    reader = passed_on(stage, lender, other, node_id(2), x)
    stage.gets(reader, x)
    stage.go()
    stage.forgets(user, x)
    stage.dies(lender.worker)
    stage.go()
    stage.finish()


def released_while_it_is_promoted(state: Promoting, *held: Held, writes: bool = False) -> None:
    """By Ray's rule an owner knows nothing of a reader, for which it promotes a value, and releases that."""
    stage = Stage(4, (0, 2), borrower_death="ray", borrow="promote")
    user, other = stage.users
    x = stage.put(user, SMALL, ())
    lender = stage.runs(user, node_id(3), inside=[x])
    reader = passed_on(stage, lender, other, node_id(2), x)
    busy = (user.worker,) if writes else ()
    stage.gets(reader, x)
    stage.go(*held, busy=busy, until=lambda: stage.worker(user.worker).promotion[x].state is state)
    stage.forgets(user, x)
    stage.dies(lender.worker)
    stage.go(*held, busy=busy)
    stage.finish()


@schedule("promotion: RESERVING ObjectReleased dropped LocateReply")
def released_while_room_is_asked_for() -> None:
    """By Ray's rule a value is released for which a reader waits, and room has been asked for to promote it."""
    released_while_it_is_promoted(RESERVING, way(HEAD, 0, "CreateReply"))


@schedule("promotion: WRITING ObjectReleased dropped LocateReply")
def released_while_it_is_written_for_a_reader() -> None:
    """By Ray's rule a value is released for which a reader waits, and which is being written to be promoted."""
    released_while_it_is_promoted(WRITING, writes=True)
