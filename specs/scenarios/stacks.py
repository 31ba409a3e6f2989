"""More tasks wait than there are workers: a thread that waits runs what it waits for."""

from __future__ import annotations

import time
from typing import Any

import freehold
from freehold.specs.scenario import scenario
from freehold.specs.scenarios.gates import Gate


def slow_and_same() -> tuple[Any, Any]:
    """Return a remote function that takes a while for a 5, and one that returns what it is given."""

    @freehold.remote
    def slow() -> int:
        time.sleep(0.05)
        return 5

    @freehold.remote
    def same(value: int) -> int:
        return value

    return slow, same


@scenario(init={"workers_max": 4}, returns=13)
def more_waiting_tasks_than_workers() -> Any:
    """A remote function calls itself until every worker waits: gets run tasks that they wait for on their own stack."""

    @freehold.remote
    def fibonacci(n: int) -> int:
        if n < 2:
            return n
        return sum(freehold.get([fibonacci.remote(n - 1), fibonacci.remote(n - 2)]))

    return freehold.get(fibonacci.remote(7))


@scenario(init={"num_cpus": 2, "workers_max": 2}, returns=[[5] * 12, [5] * 12])
def waiting_tasks_before_what_they_wait_for() -> Any:
    """Twelve tasks wait, on two workers, for tasks that are queued behind them, and these for a slow argument."""

    slow, same = slow_and_same()

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        return freehold.get(refs[0])

    first = slow.remote()
    values = [same.remote(first) for _ in range(12)]
    readers = [read.remote([value]) for value in values]
    return [freehold.get([read.remote([reader]) for reader in readers]), freehold.get(readers)]


@scenario(init={"num_cpus": 1, "workers_max": 1}, returns=[7, 7, 7])
def waiting_for_tasks_of_others() -> Any:
    """The only worker waits for a task of its own, and that for one of the program: all run on one stack."""

    @freehold.remote
    def leaf(value: int) -> int:
        return value

    @freehold.remote
    def slow() -> int:
        time.sleep(0.05)
        return 7

    @freehold.remote
    def inner(refs: list[Any]) -> Any:
        return freehold.get(refs[0])

    @freehold.remote
    def outer(refs: list[Any]) -> Any:
        return freehold.get(inner.remote(refs))

    first = slow.remote()
    leaves = [leaf.remote(first) for _ in range(3)]
    return freehold.get([outer.remote([ref]) for ref in leaves])


@scenario(init={"num_cpus": 1, "workers_max": 1}, returns=[[5, 5, 5], [5, 5, 5]])
def waiting_for_several_tasks_of_others() -> Any:
    """The only worker waits for three tasks of the program, the last one first: while one runs it declines others."""

    slow, same = slow_and_same()

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        return freehold.get(refs)

    values = [same.remote(same.remote(slow.remote())) for _ in range(3)]
    return freehold.get([read.remote(values[::-1]), read.remote(values)])


@scenario(init={"num_cpus": 1, "workers_max": 1}, returns=[5, 5])
def waiting_for_what_was_declined() -> Any:
    """The only worker waits for two tasks of its own: the first is ready while the second runs, and comes next."""

    slow, same = slow_and_same()

    @freehold.remote
    def read() -> Any:
        return freehold.get([same.remote(same.remote(slow.remote())), slow.remote()])

    return freehold.get(read.remote())


@scenario(marks=["preempts"], init={"num_cpus": 2, "workers_max": 2}, returns=[5, "taken"])
def waiting_while_the_other_worker_is_taken() -> Any:
    """Of two workers one computes an argument for the other, and is needed elsewhere: that one runs its task itself."""
    gate = Gate()
    slow, same = slow_and_same()

    @freehold.remote
    def read() -> Any:
        value = freehold.get(same.remote(slow.remote()))
        gate.open()
        return value

    @freehold.remote
    def take() -> str:
        gate.wait()
        return "taken"

    first = read.remote()
    freehold.wait([first], timeout=0.02)  # so that the other comes after its argument; else the results are the same
    return freehold.get([first, take.remote()])


@scenario(init={"num_cpus": 1, "workers_max": 1}, returns=[5, 5])
def waiting_before_the_argument_of_what_they_wait_for() -> Any:
    """The only worker waits for a task whose argument is computed behind it: both run on its stack, in turn."""

    slow, same = slow_and_same()

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        return freehold.get(refs[0])

    value = same.remote(same.remote(slow.remote()))
    return freehold.get([read.remote([value]), read.remote([value])])


@scenario(init={"num_cpus": 1, "workers_max": 1}, returns=[[5, 5], [5, 5]])
def waiting_for_what_a_task_of_theirs_waits_for() -> Any:
    """The only worker waits for what a task of its own is to get, too, which its owner has been asked for already."""

    slow, same = slow_and_same()

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        mine = same.remote(refs[0])
        return [freehold.get(refs[0]), freehold.get(mine)]

    value = same.remote(same.remote(slow.remote()))
    return freehold.get([read.remote([value]), read.remote([value])])


@scenario(marks=["preempts"], init={"num_cpus": 1, "workers_max": 2}, returns=["child", "child"])
def waiting_for_a_retry() -> Any:
    """The worker of a task exits, and its place is taken by one that waits: who waits for the task runs it again."""
    begun, over = Gate(), Gate()

    @freehold.remote
    def child() -> str:
        if not over.is_open():
            begun.open()
            over.wait()
            raise SystemExit
        return "child"

    @freehold.remote
    def parent() -> Any:
        return freehold.get(child.remote())

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        return freehold.get(refs[0])

    first = parent.remote()
    begun.wait()
    second = read.remote([first])
    time.sleep(0.05)  # so that it is the next to get a worker; if it is not the results are the same
    over.open()
    return freehold.get([first, second])


@scenario(init={"num_cpus": 1, "workers_max": 1}, returns=5)
def waiting_for_a_task_of_another_shape() -> Any:
    """The only worker waits for a task for half a CPU, whose argument it has to compute before."""
    slow, same = slow_and_same()

    @freehold.remote
    def read() -> Any:
        return freehold.get(same.options(num_cpus=0.5).remote(slow.remote()))

    return freehold.get(read.remote())
