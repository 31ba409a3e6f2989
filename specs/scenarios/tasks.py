"""Tasks: who runs when, with what resources, and what comes back."""

from __future__ import annotations

import time
from typing import Any

import freehold
from freehold.exceptions import TaskUnschedulableError
from freehold.specs.scenario import scenario


@scenario(init={"num_cpus": 1}, returns=("b of gate", "b of gate"))
def a_gets_b_queued_behind_it() -> Any:
    """A waits for B, which is queued behind it on the only CPU: a blocked task lends its CPU."""

    @freehold.remote
    def gate() -> str:
        return "gate"

    @freehold.remote
    def b(word: str) -> str:
        return f"b of {word}"

    @freehold.remote
    def a(refs: list[Any]) -> Any:
        return freehold.get(refs[0])

    b_ref = b.remote(gate.remote())
    a_ref = a.remote([b_ref])
    return freehold.get(a_ref), freehold.get(b_ref)


@scenario(init={"num_cpus": 1}, returns=6)
def a_starts_b_and_waits() -> Any:
    """On one CPU a task starts three tasks, one by one, and waits for each."""

    @freehold.remote
    def b(i: int) -> int:
        return i + 1

    @freehold.remote
    def a() -> int:
        return sum(int(freehold.get(b.remote(i))) for i in range(3))

    return freehold.get(a.remote())


@scenario(init={"num_cpus": 2}, returns=[0, 1, 2, 3])
def four_tasks_on_two_cpus() -> Any:
    """Four tasks that sleep share two CPUs; the results come in the order of the references."""

    @freehold.remote
    def sleep(i: int) -> int:
        time.sleep(0.1)
        return i

    return freehold.get([sleep.remote(i) for i in range(4)])


@scenario(marks=["virtual"], init={"num_cpus": 4}, returns=[0, 1, 2, 3])
def four_seconds_in_one() -> Any:
    """Four tasks that sleep a second each, on four CPUs of one node, take one second, and not four."""

    @freehold.remote(node=0)
    def sleep(i: int) -> int:
        time.sleep(1)
        return i

    start = time.monotonic()
    values = freehold.get([sleep.remote(i) for i in range(4)])
    assert 1 <= time.monotonic() - start < 1.1
    return values


@scenario(marks=["virtual"], init={"num_cpus": 2}, returns=[0, 1, 2, 3])
def four_seconds_in_two() -> Any:
    """Four tasks that sleep a second each, on two CPUs, take two seconds: none is queued behind a busy worker."""

    @freehold.remote(node=0)
    def sleep(i: int) -> int:
        time.sleep(1)
        return i

    start = time.monotonic()
    values = freehold.get([sleep.remote(i) for i in range(4)])
    assert 2 <= time.monotonic() - start < 2.1
    return values


@scenario(returns="abc")
def three_deep() -> Any:
    """A task starts a task that starts a task, and each waits for the next."""

    @freehold.remote
    def third() -> str:
        return "c"

    @freehold.remote
    def second() -> str:
        return f"b{freehold.get(third.remote())}"

    @freehold.remote
    def first() -> str:
        return f"a{freehold.get(second.remote())}"

    return freehold.get(first.remote())


@scenario(returns=8)
def recursive_function() -> Any:
    """A remote function calls itself, twice each time: more tasks wait than there are CPUs."""

    @freehold.remote
    def fibonacci(n: int) -> int:
        if n < 2:
            return n
        return sum(freehold.get([fibonacci.remote(n - 1), fibonacci.remote(n - 2)]))

    return freehold.get(fibonacci.remote(6))


@scenario(returns=(None, "one", ["a", "b", "c"]))
def numbers_of_returns() -> Any:
    """Calls with no return, one and three."""

    @freehold.remote(num_returns=0)
    def none() -> int:
        return 1

    @freehold.remote
    def one() -> str:
        return "one"

    @freehold.remote(num_returns=3)
    def three() -> tuple[str, ...]:
        return "a", "b", "c"

    return none.remote(), freehold.get(one.remote()), freehold.get(three.remote())


@scenario(returns=["b", "c"])
def some_returns_are_dropped() -> Any:
    """Of three returns the first is dropped before the task has run, and the others are read."""

    @freehold.remote(num_returns=3)
    def three() -> list[Any]:
        return ["a" * 200_000, "b", "c"]

    _, second, third = three.remote()
    del _
    return freehold.get([second, third])


@scenario(returns=["0-1-2", "5-6-2", "5-1-7", "8-9-0"])
def defaults_and_keywords() -> Any:
    """Arguments by position, by keyword and by default, as values and as references."""

    @freehold.remote
    def join(a: int = 0, b: int = 1, *rest: int, c: int = 2, **named: int) -> str:
        return "-".join(map(str, (a, b, *rest, c, *named.values())))

    five = freehold.put(5)
    seven: Any = freehold.put(7)  # a reference by name is beyond the types
    calls = [join.remote(), join.remote(5, b=6), join.remote(five, c=seven), join.remote(8, 9, c=0)]
    return freehold.get(calls)


@scenario(returns=50)
def chain_of_tasks() -> Any:
    """Fifty tasks, each of which takes the reference of the one before: submitted at once, read at the end."""

    @freehold.remote
    def increment(value: int) -> int:
        return value + 1

    ref = freehold.put(0)
    for _ in range(50):
        ref = increment.remote(ref)
    return freehold.get(ref)


@scenario(returns=136)
def tree_of_tasks() -> Any:
    """Sixteen leaves are added up in pairs; no intermediate reference is kept."""

    @freehold.remote
    def add(a: int, b: int) -> int:
        return a + b

    refs = [freehold.put(i + 1) for i in range(16)]
    while len(refs) > 1:
        refs = [add.remote(a, b) for a, b in zip(refs[::2], refs[1::2], strict=True)]
    return freehold.get(refs[0])


@scenario(returns=(6, [2, 3]))
def diamond() -> Any:
    """Two tasks share an argument, and a fourth takes both results."""

    @freehold.remote
    def add(a: int, b: int) -> int:
        return a + b

    top = add.remote(0, 1)
    left, right = add.remote(top, 1), add.remote(top, 2)
    return freehold.get(add.remote(add.remote(left, right), 1)), freehold.get([left, right])


@scenario(returns="child")
def child_outlives_its_parent() -> Any:
    """A task starts another, does not wait for it, and returns its reference: the child has a result all the same."""

    @freehold.remote
    def child() -> str:
        time.sleep(0.05)
        return "child"

    @freehold.remote
    def parent() -> Any:
        return child.remote()

    return freehold.get(freehold.get(parent.remote()))


@scenario(returns=None)
def results_that_nobody_wants() -> None:
    """Tasks are submitted, and their references dropped at once; small and large results leave nothing behind."""

    @freehold.remote
    def make(nbytes: int) -> bytes:
        return bytes(nbytes)

    for nbytes in (1, 300_000) * 5:
        make.remote(nbytes)
    assert freehold.get(make.remote(3)) == bytes(3)


@scenario(init={"resources": {"licence": 2}}, returns=[0, 1, 2, 3])
def further_resources() -> Any:
    """Tasks want a resource of which each node has two."""

    @freehold.remote(resources={"licence": 1})
    def use(i: int) -> int:
        return i

    return freehold.get([use.remote(0), use.options(resources={"licence": 2}).remote(1), use.remote(2), use.remote(3)])


@scenario(init={"num_cpus": 1}, marks=["preempts"], returns=["done", "done", "done"])
def tasks_without_cpus() -> Any:
    """Three tasks that want no CPU run beside each other on a node with one: the first is freed by the last."""

    @freehold.remote(num_cpus=0, node=0)
    def pass_on(refs: list[Any]) -> Any:
        return freehold.get(refs[0]) if refs else "done"

    first = pass_on.remote([])
    second = pass_on.remote([first])
    return freehold.get([first, second, pass_on.remote([second])])


@scenario(returns=["CPU", "tea"])
def no_node_can_run_it() -> Any:
    """A task wants more CPUs than any node has, another a resource that none has: an error, not a wait."""

    @freehold.remote
    def never() -> None:
        raise AssertionError("it must not run")

    found = []
    for task, word in ((never.options(num_cpus=10_000), "CPU"), (never.options(resources={"tea": 1}), "tea")):
        try:
            freehold.get(task.remote())
        except TaskUnschedulableError as error:
            found += [word] if word in str(error) else []
    return found


@scenario(nodes=3, returns=[0, 1, 2, 1, True])
def tasks_go_where_they_are_sent() -> Any:
    """Tasks are sent to each node, one also by its resource; a child is free to run anywhere."""

    @freehold.remote
    def here() -> int:
        return freehold.get_runtime_context().get_node_index()

    @freehold.remote
    def child_somewhere() -> bool:
        return freehold.get(here.remote()) in range(3)

    refs = [here.options(node=node).remote() for node in range(3)]
    refs.append(here.options(resources={"node:1": 0.5}).remote())
    return freehold.get([*refs, child_somewhere.options(node=2).remote()])


@scenario(returns=(None, True, True, True))
def runtime_context() -> Any:
    """The program and two tasks say where they are."""

    @freehold.remote
    def where() -> Any:
        context = freehold.get_runtime_context()
        return context.get_task_id(), context.get_worker_id(), context.get_job_id()

    here = freehold.get_runtime_context()
    one, two = freehold.get([where.remote(), where.remote()])
    known = one[0] and two[0]
    return (
        here.get_task_id(),
        bool(known) and one[0] != two[0],
        one[1] != here.get_worker_id(),
        one[2] == here.get_job_id(),
    )


@scenario(returns=(300, 44850))
def hundreds_in_flight() -> Any:
    """Three hundred tasks are submitted before the first result is read: queues deepen, and all come back in order."""

    @freehold.remote
    def same(i: int) -> int:
        return i

    values = freehold.get([same.remote(i) for i in range(300)])
    assert values == list(range(300))
    return len(values), sum(values)


@scenario(init={"num_cpus": 2, "queue_max": 64}, returns=[sum(range(20)), 20 * 7] * 5)
def blocked_tasks_give_their_cpus_back() -> Any:
    """Rounds of tasks that block, on tasks of their own and on what they borrow; afterwards no CPU is lent twice."""

    @freehold.remote
    def child(i: int) -> int:
        return i

    @freehold.remote
    def parent(i: int) -> int:
        return int(freehold.get(child.remote(i)))

    @freehold.remote
    def read(refs: list[Any]) -> int:
        return int(freehold.get(refs[0]))

    sums = []
    for _ in range(5):
        seven = freehold.put(7)
        sums.append(sum(freehold.get([parent.remote(i) for i in range(20)])))
        sums.append(sum(freehold.get([read.remote([seven]) for _ in range(20)])))
    return sums
