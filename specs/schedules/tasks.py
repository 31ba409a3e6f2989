"""Schedules of tasks: those that run on the stack of one that waits, those that run again, and workers that start."""

from __future__ import annotations

from freehold.core.copy import PRIMARY, RESERVING, WRITING
from freehold.core.ids import node_id
from freehold.core.promotion import RELEASED
from freehold.specs.schedules.stage import ABLE, Stage, schedule, way
from freehold.specs.walks.trial import CPUS
from freehold.specs.walks.users import LARGE, SMALL


@schedule(
    "copy: RESERVING OwnerDied dropped CreateReply",
    "copy: RESERVING OwnerDied ended in RESERVING instead of ABSENT",
    "copy: RESERVING OwnerDied dropped RoomFreed",
)
def returned_on_the_stack_of_another_owners_task() -> None:
    """A task has run on the stack of one that another owner has called, and its return is to be placed when its own
    owner dies: that does not end the worker."""
    stage = Stage(3, able=(1,), workers_max=1)
    (user,), (_, first, second) = stage.users, map(node_id, range(3))
    maker = stage.runs(user, second)
    beneath = stage.runs(user, ABLE, inside=[maker.task])
    (x,) = stage.calls(maker, ABLE)
    stage.go()
    stage.leave(maker, [(SMALL, [x])])
    stage.gets(beneath, maker.task)
    stage.go()
    stage.gets(beneath, x)
    stage.go(until=lambda: stage.running(x).worker == beneath.worker)
    stage.leave(stage.running(x), [(LARGE, ())])
    stage.go(busy=(first,), until=lambda: stage.copy_on(first, x).state is RESERVING)
    stage.dies(maker.worker)
    stage.go(busy=(first,))
    stage.go()
    stage.finish()


@schedule("request: ABSENT GetWanted swapped ValueWanted ReturnAwaited")
def computed_anew_by_who_waits() -> None:
    """A task waits for what was lost with the only other worker, so that it is computed anew on the stack of that task;
    there somebody gets what is inside its arguments, which had been forgotten and is lost as well."""
    stage = Stage(3, able=(1, 2), workers_max=1)
    (user,), (_, first, second) = stage.users, map(node_id, range(3))
    beneath = stage.runs(user, ABLE)
    stage.expect(lambda: stage.parties[beneath.worker].node == first)
    made = stage.runs(beneath, ABLE, retries=5)
    x = made.task
    stage.leave(made, [(LARGE, ())])
    stage.go()
    made = stage.runs(beneath, ABLE, inside=[x], retries=5)
    y = made.task
    stage.forgets(made, x)
    stage.leave(made, [(LARGE, ())])
    stage.go()
    stage.forgets(beneath, x)
    stage.dies(second)
    stage.go()
    stage.expect(lambda: stage.worker(beneath.worker).promotion[x].state is RELEASED)
    stage.gets(beneath, y)
    stage.go(until=lambda: stage.running(y).worker == beneath.worker)
    stage.gets(stage.running(y), x)
    stage.go()
    stage.finish()


@schedule("execution: RUNNING ExecutorDied swapped TaskReady HandOffered")
def run_again_by_who_waits() -> None:
    """A task runs on one of two workers, and the task on the other waits for it, when the former's node dies."""
    stage = Stage(3, able=(1, 2), workers_max=1)
    (user,), (_, first, second) = stage.users, map(node_id, range(3))
    awaited = stage.runs(user, ABLE, cpus=0.5, retries=5)
    stage.expect(lambda: stage.parties[awaited.worker].node == first)
    waiting = stage.runs(user, ABLE, inside=[awaited.task])
    stage.expect(lambda: stage.parties[waiting.worker].node == second)
    stage.gets(waiting, awaited.task)
    stage.go()
    stage.dies(first)
    stage.go()
    stage.finish()


@schedule("copy: WRITING FreeNotice dropped CreateReply")
def forgotten_while_a_third_run_waits_to_write() -> None:
    """Two runs of a task have died, the first before its reply arrived, the second while it wrote, and its node has not
    heard of it; the third waits to write the same return when that is forgotten. It has another, which is not."""
    stage = Stage(2, able=(1,))
    (user,), (_, node) = stage.users, map(node_id, range(2))
    x, y = stage.calls(user, ABLE, returns=2, retries=5)
    returns = [(LARGE, ()), (SMALL, ())]
    stage.go(until=lambda: stage.running(x))
    run = stage.running(x)
    stage.leave(run, returns)
    stage.go(way(run.worker, user.worker))
    stage.expect(lambda: stage.copy_on(node, x).state is PRIMARY)
    stage.dies(run.worker, arrive=0)
    stage.go(until=lambda: stage.running(x))
    run = stage.running(x)
    stage.leave(run, returns)
    stage.go(busy=(run.worker,))
    stage.expect(lambda: stage.copy_on(node, x).state is WRITING)
    stage.dies(run.worker, arrive=0)
    unheard = way(run.worker, node), way(node_id(0), node)
    stage.go(*unheard, until=lambda: stage.running(x))
    stage.leave(stage.running(x), returns)
    stage.go(*unheard, until=lambda: stage.copy_on(node, x).next)
    stage.forgets(user, x)
    stage.go(*unheard)
    stage.go()
    stage.must_read(user, y)
    stage.finish()


@schedule("office: OPEN OfficeOpened counted starting -1")
def asked_before_its_first_worker_has_come() -> None:
    """A node joins, starts the only worker that it may have, and is asked for one before that has come."""
    stage = Stage(1, workers_max=1)
    (user,), node = stage.users, node_id(1)
    stage.add_node(1, (*CPUS, ("node:1", 1.0)), 1)
    stage.go(busy=(node,))
    (x,) = stage.calls(user, node)
    stage.go(busy=(node,))
    stage.expect(lambda: stage.answers[node])
    stage.go(until=lambda: stage.running(x))
    stage.finish()


@schedule("execution: RUNNING TaskReturnNotice swapped TaskReady HandOffered")
def handed_back_to_be_run_by_who_waits() -> None:
    """A task is sent behind one that waits for another, which waits for the former: it is handed back, and there is no
    other worker."""
    stage = Stage(3, able=(1,), workers_max=2)
    (user,), second = stage.users, node_id(2)
    argument = stage.runs(user, second)
    (x,) = stage.calls(user, ABLE, slots=[argument.task])
    waiting = stage.runs(user, ABLE, cpus=0.5, inside=[x])
    stage.gets(waiting, x)
    stage.leave(stage.runs(user, ABLE), [(SMALL, ())])
    stage.go()
    before = stage.runs(user, ABLE, inside=[waiting.task])
    stage.gets(before, waiting.task)
    stage.go()
    stage.leave(argument, [(SMALL, ())])
    stage.go()
    stage.finish()


@schedule("desk: BUSY TurnSlow dropped SetTimer")
def timed_by_an_earlier_turn() -> None:
    """A timer fires that was set for a turn that is over: the next, behind which somebody waits, gets its own."""
    stage = Stage(2, able=(1,), workers_max=1)
    (user,) = stage.users
    stage.leave(stage.runs(user, ABLE), [(SMALL, ())])
    stage.go()
    task = stage.runs(user, ABLE)
    for _ in range(2):
        stage.calls(user, ABLE)
    stage.go()
    stage.leave(task, [(SMALL, ())])
    stage.go()
    stage.time_passes(task.worker)
    stage.go()
    stage.finish()
