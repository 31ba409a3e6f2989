"""Who waits for whom, in words, when nothing can happen any more.

Who waits for an object waits for the task that makes it.  If that leads round in a circle, this is the deadlock, and
all others wait for it; else it ends at what nobody makes.

Refuses to know how values come: all that is read is who waits for what, and which tasks are not over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from freehold.core.errors import DeadlockError
from freehold.core.hosted import Hosted
from freehold.core.ids import object_name, party_name
from freehold.core.queries import readable
from freehold.core.worker import Worker
from freehold.simulator.unfinished import tasks

if TYPE_CHECKING:
    from freehold.simulator.cluster import Simulated

TOLD_MAX = 8  # of those who wait for one another
ENDS_MAX = 3  # of those who wait for what nobody makes, beside the first
PYTHON = "a lock, an event or the like, which nobody sets"


class Wait:
    """What a task waits for, or whoever else runs somewhere.

    Args:
        who: in words.
        task: 0 if it is none.
        objects: that are not there.
        other: what it waits for, if that is no object.
    """

    __slots__ = ("objects", "other", "task", "who")

    def __init__(self, who: str, task: int, objects: Iterable[int], other: str = "") -> None:
        self.who = who
        self.task = task
        self.objects = list(dict.fromkeys(objects))
        self.other = other


Makers = Mapping[int, Wait]  # objects -> the tasks that make them


# ---------------------------------------------------------------- who waits


def waits_of_programs(world: Simulated) -> Iterator[Wait]:
    """Yield what the program, and the tasks that have begun, wait for."""
    polling = {strand.session for strand in world.strands.polls}
    program = world.strands.program
    for session in world.sessions.values():
        worker, unheard = session.worker, session.waits.unheard()
        objects: dict[int, list[int]] = {}  # by the task that waits for them
        for number, call in worker.requests.items():
            if number not in unheard:
                objects.setdefault(call.task or session.task, []).extend(missing(worker, call.objects))
        if session in polling:
            objects.setdefault(session.task, [])
        for task, some in objects.items():
            if task or (program is not None and session is program.session):  # else nobody is left who waits
                yield Wait(who(worker, task, "the program"), task, some, PYTHON)


def missing(worker: Worker, objects: Iterable[int]) -> list[int]:
    """Return those of some objects for which a worker has to wait."""
    return [object for object in objects if readable(worker, object) is None]


def who(worker: Worker, task: int, otherwise: str) -> str:
    """Return in words who runs at a worker: a task, or what else if it is none."""
    run = worker.running.get(task)
    name = run.query.description.name if run is not None and run.query is not None else otherwise
    return f"{name} on {party_name(worker.me)}"


# ---------------------------------------------------------------- who waits for whom


def deadlock(waits: Sequence[Wait], drivers: Mapping[int, Hosted]) -> DeadlockError:
    """Return the error that says who waits for whom.

    Args:
        waits: of all who have begun, and cannot go on.
        drivers: of all parties.
    """
    makers = makers_of(waits, drivers)
    waiting = dict.fromkeys([*waits, *[maker for maker in makers.values() if maker.objects or maker.other]])
    circular = circle(waiting, makers)
    row = circular or chain(waiting, makers)
    after = dict(zip(row, [*row[1:], *circular[:1]], strict=False))  # the last of a chain waits for nobody
    lines = [saying(one, makers, after.get(one)) for one in row]
    if len(lines) > TOLD_MAX:
        lines[TOLD_MAX // 2 : -TOLD_MAX // 2] = [f"and so on, by way of {len(lines) - TOLD_MAX} more"]
    ends = [] if circular else [one for one in waiting if one not in row[-1:] and not made(one, makers)][:ENDS_MAX]
    lines += [saying(one, makers) for one in ends]
    others = len(waiting) - len(row) - len(ends)
    if others:
        lines.append(f"{others} other{'s wait' if others > 1 else ' waits'}")
    return DeadlockError("nothing can happen any more: " + ("; ".join(lines) or "nobody is known to wait"))


def makers_of(waits: Iterable[Wait], drivers: Mapping[int, Hosted]) -> dict[int, Wait]:
    """Return the tasks that make what is awaited, whether they have begun or not."""
    begun, makers = {wait.task: wait for wait in waits}, dict[int, Wait]()
    for task in tasks(drivers):
        name, other = task.returns.start, "" if task.worker else "a free worker"
        maker = begun.get(name) or Wait(str(task), name, task.awaits, other)
        makers.update(dict.fromkeys(task.returns, maker))
    return makers


def made(one: Wait, makers: Makers) -> list[int]:
    """Return what somebody waits for and a task makes."""
    return [object for object in one.objects if object in makers]


def circle(waiting: Iterable[Wait], makers: Makers) -> list[Wait]:
    """Return some of whom each waits for the next, and the last for the first; none if there are no such."""
    try:
        TopologicalSorter({one: [makers[object] for object in made(one, makers)] for one in waiting}).prepare()
    except CycleError as error:
        return list(error.args[1][:0:-1])  # it begins and ends with the same one, and the next waits for each
    return []


def chain(waiting: Mapping[Wait, None], makers: Makers) -> list[Wait]:
    """Return the first who waits, the one for whom that one waits, and so on to the end."""
    found: list[Wait] = []
    following = next(iter(waiting), None)
    while following is not None and following in waiting:
        found.append(following)
        following = next((makers[object] for object in made(following, makers)), None)
    return found


def saying(one: Wait, makers: Makers, awaited: Wait | None = None) -> str:
    """Return in words what somebody waits for: what ``awaited`` makes, if it is given."""
    if not one.objects:
        return f"{one.who} waits for {one.other}"
    known = [object for object in made(one, makers) if awaited in (None, makers[object])]
    object = (known or one.objects)[0]
    maker = makers.get(object)
    who = "nobody" if maker is None else "it" if maker is one else maker.who
    more = f", and for {len(one.objects) - 1} more" if one.objects[1:] else ""
    return f"{one.who} waits for {object_name(object)}, which {who} makes{' itself' * (maker is one)}{more}"
