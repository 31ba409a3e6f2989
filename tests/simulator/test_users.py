"""Users that are generators: the protocol is the same, values have a size and no bytes."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import pytest

from freehold.core.errors import DeadlockError
from freehold.core.ids import node_id, object_name, worker_id
from freehold.core.policies import Policy
from freehold.core.values import Description as Task
from freehold.simulator.scripts import Body, Script
from freehold.simulator.users import User, Users
from freehold.simulator.world.costs import Costs
from freehold.simulator.world.description import Description

MIB = 2**20


def cluster(nodes: int = 3, *, tasks: bool = True, **functions: Body) -> tuple[Users, list[User]]:
    world = Users(Description(nodes=nodes, cpus=1), Policy(), functions)
    return world, world.populate(tasks=tasks)


def records(world: Users) -> list[Any]:
    """Return what workers still know of objects."""
    users = [driver.party for driver in world.drivers.values() if isinstance(driver, User)]
    names = ("ownership", "promotion", "resolution", "request", "execution", "running", "copy")
    return [record for party in users for name in names for record in party.tables.get(name, {}).values()]


def test_a_node_is_told_of_all_others_at_once() -> None:
    """A cluster of twice as many nodes takes twice as many messages to start, and each party knows of all nodes."""

    def started(nodes: int) -> int:
        world, users = cluster(nodes)
        assert {len(driver.party.nodes) for driver in world.drivers.values()} == {nodes}
        assert len(users) == nodes
        return world.clock.pushed

    assert started(40) <= 2 * started(20)


def test_only_what_a_store_has_never_held_is_touched_for_the_first_time() -> None:
    """A store that has held two values at a time has room for two that costs no more than the copy."""
    world = Users(Description(nodes=1, costs=Costs(touch=1e-8)), Policy())
    (user,) = world.populate()
    took: list[float] = []

    def put(count: int) -> Script:
        began, objects = user.now(), []
        for _ in range(count):
            objects.append((yield from user.put(MIB)))
        took.append(user.now() - began)
        user.drop(*objects)

    for count in (1, 1, 2, 2):
        world.start(user, put(count))
        world.run_all()
    first, again, two, two_again = took
    assert first - again == pytest.approx(MIB * 1e-8, rel=0.01)
    assert two - two_again == pytest.approx(MIB * 1e-8, rel=0.01)
    assert two_again == pytest.approx(2 * again, rel=0.05)


@pytest.mark.parametrize("nbytes", [100, 200_000, 64 * MIB])
@pytest.mark.parametrize("tasks", [False, True])
def test_a_value_is_resolved_on_another_node(nbytes: int, tasks: bool) -> None:
    """It takes as long as its size says, nobody has the bytes, and when all is dropped nothing is left."""
    world, (owner, reader, _) = cluster(tasks=tasks)
    took: list[float] = []

    def write() -> Script:
        object = yield from owner.put(nbytes)
        world.start(reader, read(object))

    def read(object: int) -> Script:
        outer = yield from reader.put(10)
        reader.find(outer, object)
        began = reader.now()
        assert (yield from reader.get(object)) is None
        took.append(reader.now() - began)
        reader.drop(object, outer)
        yield 1.0
        owner.drop(object)

    world.start(owner, write())
    world.run_all()
    while world.clock.peek() < float("inf"):
        world.clock.step()
    assert took[0] > nbytes / 1.25e9
    assert took[0] < 5 * nbytes / 1.25e9 + 0.001
    assert not records(world) and sum(len(b) for driver in world.drivers.values() for b in driver.places.values()) == 0


def test_tasks_return_sizes_and_take_references(task_log: list[Any]) -> None:
    """A task has a reference and a value as arguments, waits, submits a task of its own, and returns two objects."""

    def outer(user: User, task: Task) -> Script:
        (lent,) = task.payload.refs
        user.hold(lent)
        assert (yield from user.get(lent)) is None
        yield 0.5
        inner = user.submit("inner", values=[lent])
        assert (yield from user.get(inner)) is None
        user.drop(lent, inner)
        return [100, 300_000]

    def inner(user: User, task: Task) -> Script:
        task_log.append((task.name, len(task.slots)))
        yield 0.25
        return 7

    def program(user: User) -> Script:
        small, large = (yield from user.put(10)), (yield from user.put(MIB))
        first = user.submit("outer", refs=[small], values=[large], returns=2)
        assert (yield from user.get(first, first + 1)) is None
        task_log.append(round(user.now(), 2))

    world, (user, *_) = cluster(outer=outer, inner=inner)
    world.start(user, program(user))
    world.run_all()
    assert task_log == [("inner", 1), 0.75]


@pytest.fixture
def task_log() -> list[Any]:
    return []


def test_who_waits_for_ever_is_named() -> None:
    world, (user, *_) = cluster(tasks=False)

    def program() -> Script:
        yield user.request()  # which nobody has made

    world.start(user, program())
    with pytest.raises(DeadlockError, match=r"any more: a script on n0w1 waits for an answer that nobody gives$"):
        world.run_all()


@pytest.mark.parametrize("length", [1, 2, 3, 20])
def test_the_circle_of_tasks_that_wait_for_each_other_is_told(length: int) -> None:
    """Each of some tasks gets the return of the next, the last that of the first; of many some are left out."""
    returns: list[int] = []

    def link(user: User, task: Task) -> Script:
        yield 1.0
        after = returns[(returns.index(task.task) + 1) % length]
        user.hold(after)
        yield from user.get(after)

    def program(user: User) -> Script:
        returns.extend([user.submit("link") for _ in range(length)])
        yield from user.get(*returns)

    world, (user, *_) = cluster(link=link)
    world.start(user, program(user))
    with pytest.raises(DeadlockError, match=r"; 1 other waits$") as raised:
        world.run_all()
    told = str(raised.value).removeprefix("nothing can happen any more: ").split("; ")[:-1]
    names = [re.fullmatch(r"(link on n\dw\d+) waits for (.+), which (.+) makes( itself)?", line) for line in told]
    if length == 20:
        assert told[4] == "and so on, by way of 12 more" and names.pop(4) is None
    found = [match.groups() for match in names if match is not None]
    assert len(found) == len(names) == min(length, 8)
    assert found[-1][2] == found[0][0] if length > 1 else found[0][2:] == ("it", " itself")
    assert {object for _, object, *_ in found} <= set(map(object_name, returns))


def test_the_way_to_who_waits_for_nobody_is_told() -> None:
    """The script waits for a task that has not begun, that for another's second return, and that for an answer."""

    def lost(user: User, task: Task) -> Script:
        yield user.request()  # which nobody has made

    def program(user: User) -> Script:
        second = user.submit("lost", returns=2) + 1
        yield from user.get(user.submit("later", values=[second]), second)

    world, (user, *_) = cluster(lost=lost)
    world.start(user, program(user))
    told = (
        r"any more: a script on n0w1 waits for n0w1\.5, which later \(not begun\) makes, and for 1 more; later"
        r" \(not begun\) waits for n0w1\.3, which (lost on n\dw\d) makes; \1 waits for an answer that nobody gives$"
    )
    with pytest.raises(DeadlockError, match=told):
        world.run_all()


def test_a_worker_dies_and_its_task_runs_again() -> None:
    """The script of a dead worker is over; its task's caller gets the value all the same."""
    ran: list[int] = []

    def work(user: User, task: Task) -> Script:
        ran.append(user.party.me)
        yield 1.0
        return 1

    def program(user: User) -> Script:
        failure = yield from user.get(user.submit("work", shape=(("CPU", 1.0), ("node:1", 0.001))))
        assert failure is None

    world, (user, *_) = cluster(work=work)
    world.start(user, program(user))
    world.clock.call_at(0.5, lambda: world.remove(worker_id(node_id(1), 1)))
    world.run_all()
    assert ran == [worker_id(node_id(1), 1), worker_id(node_id(1), 2)]
    assert 1.5 < world.clock.now < 1.6


def test_a_script_ends_with_its_worker_whatever_it_waits_for() -> None:
    """One waits for an answer that never comes, in another's place nobody is left to wait: all is over."""
    world, (user, other, _) = cluster(tasks=False)

    def waits() -> Script:
        yield other.request()  # which nobody has made

    world.start(other, waits())
    world.clock.call_at(1.0, lambda: world.remove(other.party.me))
    world.run_all()
    assert world.clock.now == 1.0 and user.party.me in world.drivers


def test_the_same_seed_the_same_times() -> None:
    def times() -> list[float]:
        found: list[float] = []

        def program(user: User) -> Generator[Any, Any, None]:
            for _ in range(3):
                yield from user.get(*[user.submit("work") for _ in range(5)])
                found.append(user.now())

        def work(user: User, task: Task) -> Script:
            yield 0.01
            return 1

        world, users = cluster(work=work)
        for user in users:
            world.start(user, program(user))
        world.run_all()
        return found

    assert times() == times()


def test_the_seed_says_who_is_first_at_one_instant() -> None:
    def order(seed: int) -> tuple[int, ...]:
        found: list[int] = []

        def waits(number: int) -> Script:
            yield 1.0
            found.append(number)

        world = Users(Description(nodes=4), Policy(seed=seed))
        for number, user in enumerate(world.populate(tasks=False)):
            world.start(user, waits(number))
        world.run_all()
        return tuple(found)

    assert len({order(seed) for seed in range(8)}) > 1 and order(3) == order(3)


def test_a_process_is_busy_for_each_step_that_is_no_part_of_a_stride() -> None:
    """A value that a task takes by reference is many steps; one that travels in its arguments is a stride."""

    def busy(step: float, *, by_reference: bool) -> float:
        def program(user: User) -> Script:
            object = yield from user.put(100)
            yield from user.get(user.submit("work", values=[object] if by_reference else []))

        def work(user: User, task: Task) -> Script:
            return 10
            yield

        world = Users(Description(nodes=1, costs=Costs(step=step)), Policy(), {"work": work})
        (one,) = world.populate()
        world.start(one, program(one))
        world.run_all()
        return one.now()

    extra = [busy(1e-3, by_reference=way) - busy(0.0, by_reference=way) for way in (False, True)]
    assert 0 <= extra[0] < extra[1] and extra[1] > 5e-3
