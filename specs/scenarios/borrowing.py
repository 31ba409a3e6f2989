"""Borrowing: whoever was lent a reference may keep it, pass it on and return it, whatever the lender does."""

from __future__ import annotations

import time
from typing import Any

import freehold
from freehold.exceptions import OwnerDiedError
from freehold.specs.scenario import forget, keep, kept, scenario
from freehold.specs.scenarios.deaths import diary
from freehold.specs.scenarios.gates import Gate


@scenario(returns="lent")
def lender_drops_at_once() -> Any:
    """The program drops its only reference while the task that was lent it has not begun."""

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        return freehold.get(refs[0])

    ref = freehold.put("lent")
    result = read.remote([ref])
    del ref
    return freehold.get(result)


@scenario(returns=("A", "C has A"))
def middle_of_a_chain_drops_first() -> Any:
    """A lends to B, B lends to C and ends; C still reads, and only C's end lets the object go."""

    @freehold.remote
    def third(refs: list[Any]) -> str:
        return f"C has {freehold.get(refs[0])}"

    @freehold.remote
    def second(refs: list[Any]) -> list[Any]:
        return [third.remote(refs)]

    ref = freehold.put("A")
    middle = second.remote([ref])
    value = freehold.get(ref)
    del ref
    return value, freehold.get(freehold.get(middle)[0])


@scenario(init={"num_cpus": 1}, returns=("kept", "kept", None))
def borrower_keeps_after_its_task() -> Any:
    """A task stores what it was lent in its process and ends; the program drops it; a later task reads it."""

    @freehold.remote
    def borrow(refs: list[Any]) -> Any:
        keep("borrowed", refs[0])
        return freehold.get(refs[0])

    @freehold.remote
    def read() -> Any:
        return freehold.get(kept("borrowed"))

    @freehold.remote
    def drop() -> None:
        forget("borrowed")

    ref = freehold.put("kept")
    first = freehold.get(borrow.options(node=0).remote([ref]))
    del ref
    return first, freehold.get(read.options(node=0).remote()), freehold.get(drop.options(node=0).remote())


@scenario(init={"num_cpus": 1}, returns="kept")
def borrower_keeps_what_it_never_read() -> Any:
    """A task stores a reference without resolving it; it is resolved when only that process holds it."""

    @freehold.remote
    def borrow(refs: list[Any]) -> None:
        keep("unread", refs[0])

    @freehold.remote
    def pop() -> Any:
        return freehold.get(forget("unread"))

    ref = freehold.put("kept")
    freehold.get(borrow.options(node=0).remote([ref]))
    del ref
    return freehold.get(pop.options(node=0).remote())


@scenario(init={"num_cpus": 1}, returns=["x", "x"])
def one_worker_borrows_twice() -> Any:
    """Two tasks on one worker are lent one object; the first keeps it, the second does not: one borrower, two uses."""

    @freehold.remote
    def borrow(refs: list[Any]) -> Any:
        keep("twice", refs[0])
        return freehold.get(refs[0])

    @freehold.remote
    def use(refs: list[Any]) -> Any:
        return freehold.get(refs[0])

    @freehold.remote
    def pop() -> Any:
        return freehold.get(forget("twice"))

    ref = freehold.put("x")
    freehold.get(borrow.options(node=0).remote([ref]))
    first = freehold.get(use.options(node=0).remote([ref]))
    del ref
    return [first, freehold.get(pop.options(node=0).remote())]


@scenario(returns=(3, 3))
def borrow_of_an_unfinished_object() -> Any:
    """A borrower asks the owner for a value that its task has not produced yet: the owner answers when it is there."""

    @freehold.remote
    def slow() -> int:
        time.sleep(0.05)
        return 3

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        return freehold.get(refs[0])

    ref = slow.remote()
    borrowed = read.remote([ref])
    return freehold.get(borrowed), freehold.get(ref)


@scenario(nodes=3, returns=["small", "small", "small", 200_000, 200_000, 200_000])
def borrowers_on_every_node() -> Any:
    """Borrowers on all nodes resolve one small object, which is promoted once, and one large."""

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        value = freehold.get(refs[0])
        return value if isinstance(value, str) else len(value)

    small, large = freehold.put("small"), freehold.put(b"x" * 200_000)
    where = [read.options(node=node) for node in range(3)]
    return freehold.get([task.remote([ref]) for ref in (small, large) for task in where])


@scenario(nodes=3, returns=[800_000, 800_000, 800_000])
def copies_come_from_copies() -> Any:
    """A large object made on node 1 is read on node 2, then 0, then by the program: locations to choose from."""

    @freehold.remote(node=1)
    def make() -> bytes:
        return b"x" * 800_000

    @freehold.remote
    def size(value: bytes) -> int:
        return len(value)

    ref = make.remote()
    sizes = [freehold.get(size.options(node=node).remote(ref)) for node in (2, 0)]
    return [*sizes, len(freehold.get(ref))]


@scenario(returns=("inner", "inner"))
def borrowed_inside_a_put_of_the_borrower() -> Any:
    """A task puts what it borrows inside an object of its own, and returns that: two owners in one chain."""

    @freehold.remote
    def wrap(refs: list[Any]) -> list[Any]:
        return [freehold.put({"lent": refs[0]})]

    @freehold.remote
    def unwrap(refs: list[Any]) -> Any:
        return freehold.get(freehold.get(refs[0])["lent"])

    inner = freehold.put("inner")
    (outer,) = freehold.get(wrap.remote([inner]))
    del inner
    by_task = freehold.get(unwrap.remote([outer]))
    return by_task, freehold.get(freehold.get(outer)["lent"])


@scenario(returns=[3, 2, 1, 0])
def lent_down_and_handed_up() -> Any:
    """A reference is lent four tasks down, and handed up again inside every return."""

    @freehold.remote
    def descend(refs: list[Any], depth: int) -> list[Any]:
        if depth == 0:
            return [refs[0], [0]]
        ref, depths = freehold.get(descend.remote(refs, depth - 1))
        return [ref, [depth, *depths]]

    ref, depths = freehold.get(descend.remote([freehold.put("top")], 3))
    assert freehold.get(ref) == "top"
    return depths


@scenario(returns=[199 * 200 // 2, 200 * 5])
def wide_fan_out_and_fan_in() -> Any:
    """One reference is lent to 200 tasks; one task takes 200 references, and gets 200 more from a list."""

    @freehold.remote
    def add(refs: list[Any], i: int) -> int:
        return int(freehold.get(refs[0])) + i - 5

    @freehold.remote
    def total(*values: Any) -> int:
        return sum(values)

    @freehold.remote
    def read(refs: list[Any]) -> int:
        return sum(freehold.get(refs))

    five = freehold.put(5)
    sums = [add.remote([five], i) for i in range(200)]
    return freehold.get([total.remote(*sums), read.remote([freehold.put(5) for _ in range(200)])])


@scenario(returns=[1, 2, 3])
def borrowed_result_of_the_borrowers_task() -> Any:
    """The program lends a reference; the borrower starts tasks on it and returns their references, unread."""

    @freehold.remote
    def pick(values: list[int], i: int) -> int:
        return values[i]

    @freehold.remote
    def start(refs: list[Any]) -> list[Any]:
        return [pick.remote(refs[0], i) for i in range(3)]

    return freehold.get(freehold.get(start.remote([freehold.put([1, 2, 3])])))


@scenario(returns=("value", 1))
def returned_again_and_again() -> Any:
    """One borrowed reference is returned by five tasks, and lent to each of the next: still one reference here."""

    @freehold.remote
    def same(refs: list[Any]) -> list[Any]:
        return refs

    refs = [freehold.put("value")]
    for _ in range(5):
        refs += freehold.get(same.remote(refs[-1:]))
    return freehold.get(refs[-1]), len(set(refs))


@scenario(returns=[4, 4])
def two_readers_of_an_executors_object() -> Any:
    """An object of an executor is read by two tasks at once, to which the program has only passed the reference."""

    @freehold.remote
    def make() -> list[Any]:
        return [freehold.put([1, 2, 3, 4])]

    @freehold.remote
    def size(refs: list[Any]) -> int:
        return len(freehold.get(refs[0]))

    refs = freehold.get(make.remote())
    return freehold.get([size.remote(refs), size.remote(refs)])


@scenario(returns="done")
def returned_reference_is_dropped_unread() -> Any:
    """A task returns references to what it has put, small and large; the program drops the result and reads nothing."""

    @freehold.remote(node=0)
    def make() -> list[Any]:
        return [freehold.put("small"), freehold.put(bytes(300_000))]

    @freehold.remote(node=0)
    def done() -> str:
        return "done"

    result = make.remote()
    freehold.wait([result])
    del result
    dropped_pending = make.remote()
    del dropped_pending
    return freehold.get(done.remote())


@scenario(returns=[1, 1, "inner"])
def nested_and_never_used() -> Any:
    """A value with a reference inside is read, and passed on, by tasks that never look at what is inside."""

    @freehold.remote
    def count(value: list[Any]) -> int:
        return len(value)

    @freehold.remote
    def count_inside(refs: list[Any]) -> int:
        return len(freehold.get(refs[0]))

    inner = freehold.put("inner")
    outer = freehold.put([inner])
    found: list[Any] = [freehold.get(count.remote(outer)), freehold.get(count_inside.remote([outer]))]
    del outer
    return [*found, freehold.get(inner)]


@scenario(marks=["preempts"], init={"num_cpus": 2}, returns=["lent", "slow", "lent"])
def replies_come_out_of_order() -> Any:
    """Two tasks borrow one object; the second ends first, and returns what it was lent; then the first ends, too."""
    gate = Gate()

    @freehold.remote(node=0)
    def slow(refs: list[Any]) -> str:
        gate.wait()
        return "slow"

    @freehold.remote(node=0)
    def quick(refs: list[Any]) -> list[Any]:
        return refs

    ref = freehold.put("lent")
    first, second = slow.remote([ref]), quick.remote([ref])
    del ref
    (ref,) = freehold.get(second)
    found = [freehold.get(ref)]
    gate.open()
    return [*found, freehold.get(first), freehold.get(ref)]


@scenario(marks=["preempts"], nodes=3, init={"num_cpus": 1}, returns=[True, "put by run 2", "put by run 2"])
def owner_runs_again_while_a_borrower_keeps_what_it_had_put() -> Any:
    """A task puts an object, lends it and dies; its next run does so again: the first is lost, the second is fine."""
    write, _ = diary()
    lent, over = Gate(), Gate()

    @freehold.remote(node=2)
    def borrow(run: int, refs: list[Any]) -> None:
        keep(f"of run {run}", refs[0])

    @freehold.remote(node=1, max_retries=1)
    def parent() -> list[Any]:
        run = write()
        ref = freehold.put(f"put by run {run}")
        freehold.get(borrow.remote(run, [ref]))
        if run == 1:
            lent.open()
            over.wait()
            raise SystemExit
        return [ref]

    @freehold.remote(node=2)
    def nothing() -> None:
        """Wait until the borrower's worker is lent to us, and no longer to the owner: it would not outlive it."""

    @freehold.remote(node=2)
    def read(name: str) -> Any:
        try:
            return freehold.get(forget(name))
        except OwnerDiedError as error:
            owner, _, _ = error.object.partition(".")
            return f"the owner {owner} of {error.object} is dead" in str(error)

    result = parent.remote()
    lent.wait()
    freehold.get(nothing.remote())
    over.open()
    (ref,) = freehold.get(result)
    return [freehold.get(read.remote("of run 1")), freehold.get(read.remote("of run 2")), freehold.get(ref)]
