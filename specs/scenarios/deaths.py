"""Deaths of processes: retries, owners, borrowers.

Most tasks here end their worker by SystemExit, which every backend hosts; the mark ``kills`` is for ``os._exit``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import freehold
from freehold.exceptions import OwnerDiedError, WorkerCrashedError
from freehold.specs.scenario import forget, keep, kept, scenario
from freehold.specs.scenarios.gates import Gate, folder


def crashes(ref: Any) -> bool:
    """Tell whether a get says that the worker died."""
    try:
        freehold.get(ref)
    except WorkerCrashedError:
        return True
    return False


def diary() -> tuple[Callable[[], int], str]:
    """Return a function that writes one line and returns how many there are, and the file."""
    path = os.path.join(folder(), "runs")

    def write() -> int:
        with open(path, "a") as file:
            file.write("x\n")
        with open(path) as file:
            return len(file.readlines())

    return write, path


def lines(path: str) -> int:
    """Return how many lines a file has."""
    with open(path) as file:
        return len(file.readlines())


@scenario(returns=(2, 2))
def exit_and_retry() -> Any:
    """A task's worker exits in the first run; the second run returns."""
    write, path = diary()

    @freehold.remote
    def exit_once() -> int:
        if write() == 1:
            raise SystemExit
        return lines(path)

    return freehold.get(exit_once.remote()), lines(path)


@scenario(marks=["kills"], returns=(2, 2))
def killed_and_retried() -> Any:
    """A task's process ends without a word in the first run; the second run returns."""
    write, path = diary()

    @freehold.remote
    def exit_once() -> int:
        if write() == 1:
            os._exit(1)
        return lines(path)

    return freehold.get(exit_once.remote()), lines(path)


@scenario(returns=(True, 1))
def no_retries() -> Any:
    """A task that may not be retried ends its worker: an error after one run."""
    write, path = diary()

    @freehold.remote(max_retries=0)
    def leave() -> None:
        write()
        raise SystemExit

    return crashes(leave.remote()), lines(path)


@scenario(marks=["kills"], returns=(True, 1))
def killed_without_retries() -> Any:
    """A task that may not be retried ends its process without a word: an error after one run."""
    write, path = diary()

    @freehold.remote(max_retries=0)
    def leave() -> None:
        write()
        os._exit(1)

    return crashes(leave.remote()), lines(path)


@scenario(returns=(True, 3, "alive"))
def retries_are_counted() -> Any:
    """A task always ends its worker, and may be retried twice: three runs; other tasks run on."""
    write, path = diary()

    @freehold.remote(max_retries=2)
    def leave() -> None:
        write()
        raise SystemExit

    @freehold.remote
    def fine() -> str:
        return "alive"

    gone = crashes(leave.remote())
    return gone, lines(path), freehold.get(fine.remote())


@scenario(returns=(["a", 300_000], "a"))
def retry_finds_its_arguments() -> Any:
    """A retried task has a small, a large and a borrowed argument, which the program has dropped: all are there."""
    write, _ = diary()

    @freehold.remote
    def read(small: str, large: bytes, refs: list[Any]) -> Any:
        if write() == 1:
            raise SystemExit
        return [small, len(large)], freehold.get(refs[0])

    small, large = freehold.put("a"), freehold.put(b"x" * 300_000)
    result = read.remote(small, large, [small])
    del small, large
    return freehold.get(result)


@scenario(returns=(2, ["again", 300_000]))
def retry_returns_the_same_names() -> Any:
    """A retried task with two returns, one large, that were lent to another task before: its reader gets them."""
    write, path = diary()

    @freehold.remote(num_returns=2)
    def make() -> Any:
        if write() == 1:
            raise SystemExit
        return "again", b"x" * 300_000

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        small, large = freehold.get(refs)
        return [small, len(large)]

    result = read.remote(make.remote())
    value = freehold.get(result)
    return lines(path), value


@scenario(init={"num_cpus": 1}, returns=[True, "OwnerDiedError", "OwnerDiedError"])
def owner_dies() -> Any:
    """A worker that has put two objects, and returned the references, exits: a get of one names the dead owner."""

    @freehold.remote(node=0)
    def make() -> list[Any]:
        return [freehold.put("mine"), freehold.put(bytes(300_000))]

    @freehold.remote(node=0, max_retries=0)
    def leave() -> None:
        raise SystemExit

    refs = freehold.get(make.remote())
    found: list[Any] = [crashes(leave.remote())]
    for ref in refs:
        try:
            found.append(freehold.get(ref))
        except OwnerDiedError as error:
            found.append(type(error).__name__)
    return found


@scenario(init={"num_cpus": 1}, returns=[3, 3])
def owner_dies_after_the_value_was_read() -> Any:
    """The owner of a large object dies while the program has its value: the value stays."""

    @freehold.remote(node=0)
    def make() -> list[Any]:
        return [freehold.put(b"\3" * 300_000)]

    @freehold.remote(node=0, max_retries=0)
    def leave() -> None:
        raise SystemExit

    (ref,) = freehold.get(make.remote())
    value = freehold.get(ref)
    crashes(leave.remote())
    return [value[0], value[-1]]


@scenario(init={"num_cpus": 1}, returns=("lent", True, "lent"))
def borrower_dies() -> Any:
    """A worker keeps what it was lent and exits: the owner has its object as before, and can let it go."""

    @freehold.remote(node=0)
    def borrow(refs: list[Any]) -> Any:
        keep("dying", refs[0])
        return freehold.get(refs[0])

    @freehold.remote(node=0, max_retries=0)
    def leave() -> None:
        raise SystemExit

    ref = freehold.put("lent")
    first = freehold.get(borrow.remote([ref]))
    return first, crashes(leave.remote()), freehold.get(ref)


@scenario(returns=(True, True, 7))
def death_with_borrowed_references_in_hand() -> Any:
    """A worker exits in a task that was lent a pending and a ready object; both are fine."""

    @freehold.remote
    def seven() -> int:
        return 7

    @freehold.remote(max_retries=0)
    def leave(refs: list[Any]) -> None:
        freehold.get(refs)
        raise SystemExit

    refs = [freehold.put(6), seven.remote()]
    gone = crashes(leave.remote(refs))
    return gone, freehold.get(refs[0]) == 6, freehold.get(refs[1])


@scenario(returns=[True, True, "ok"])
def death_of_a_dependency() -> Any:
    """A task's worker exits for good; what depends on the task fails with the same error."""

    @freehold.remote(max_retries=0)
    def leave() -> None:
        raise SystemExit

    @freehold.remote
    def use(value: Any) -> str:
        return "ok"

    ref = leave.remote()
    return [crashes(use.remote(ref)), crashes(ref), freehold.get(use.remote(1))]


@scenario(returns=(True, "child"))
def death_of_a_parent() -> Any:
    """A task starts another, waits for it, and exits; the program's own call of the same function is untouched."""

    @freehold.remote
    def child() -> str:
        return "child"

    @freehold.remote(max_retries=0)
    def parent() -> None:
        freehold.get(child.remote())
        raise SystemExit

    return crashes(parent.remote()), freehold.get(child.remote())


@scenario(nodes=3, init={"num_cpus": 1}, returns="lent on")
def borrower_dies_after_lending_on() -> Any:
    """A lends to B, B to C, and nobody tells A of C; A drops the object, B dies: C still reads (ray#18456)."""

    @freehold.remote
    def third(refs: list[Any]) -> None:
        keep("lent on", refs[0])

    @freehold.remote
    def second(refs: list[Any]) -> None:
        keep("lent", refs[0])
        freehold.get(third.options(node=2).remote(refs))

    @freehold.remote
    def nothing() -> None:
        """Wait until the worker of C's node is lent to us, and no longer to B: it would not outlive B."""

    @freehold.remote(max_retries=0)
    def leave() -> None:
        raise SystemExit

    @freehold.remote
    def read() -> Any:
        value = freehold.get(kept("lent on"))
        forget("lent on")
        return value

    ref = freehold.put("lent on")
    freehold.get(second.options(node=1).remote([ref]))
    freehold.get(nothing.options(node=2).remote())
    del ref
    assert crashes(leave.options(node=1).remote())
    return freehold.get(read.options(node=2).remote())


@scenario(nodes=3, init={"num_cpus": 1}, returns="nothing is left")
def orphans_are_lent_on_and_let_go_with_a_value() -> Any:
    """Who borrows from the dead, and does not know, lends on, and lets go: by itself, or while it is lent to."""

    @freehold.remote
    def make() -> list[Any]:
        return [freehold.put("orphan")]

    @freehold.remote(max_retries=0)
    def leave() -> None:
        raise SystemExit

    @freehold.remote
    def third(refs: list[Any]) -> None:
        keep("lent on", refs[0])

    @freehold.remote
    def second(refs: list[Any]) -> None:
        keep("value", freehold.put(refs))
        freehold.get(third.options(node=0).remote(refs))

    @freehold.remote
    def let_go(name: str, refs: list[Any]) -> None:
        forget(name)

    for again in (False, True):
        refs = freehold.get(make.options(node=1).remote())
        assert crashes(leave.options(node=1).remote())
        freehold.get(second.options(node=2).remote(refs))
        freehold.get(let_go.options(node=2).remote("value", refs if again else []))
        freehold.get(let_go.options(node=0).remote("lent on", []))
    return "nothing is left"


@scenario(marks=["preempts"], nodes=3, init={"num_cpus": 1}, returns="called")
def function_lent_on_by_who_dies() -> Any:
    """A runs a function on B, which lends that very function on to C and dies; A drops it, and C can still call it."""
    lent, over = Gate(), Gate()

    @freehold.remote
    def third(functions: list[Any]) -> None:
        keep("function", functions[0])

    @freehold.remote(max_retries=0)
    def second(functions: list[Any]) -> str:
        if functions:
            freehold.get(third.options(node=2).remote(functions))
            lent.open()
            over.wait()
            raise SystemExit
        return "called"

    @freehold.remote
    def nothing() -> None:
        """Wait until the worker of C's node is lent to us, and no longer to B: it would not outlive B."""

    @freehold.remote
    def call() -> Any:
        return freehold.get(forget("function").options(node=1).remote([]))

    dying = second.options(node=1).remote([second])
    lent.wait()
    freehold.get(nothing.options(node=2).remote())
    over.open()
    assert crashes(dying)
    del second
    return freehold.get(call.options(node=2).remote())


@scenario(nodes=3, init={"num_cpus": 1, "borrow": "copy"}, returns="inside")
def what_was_inside_a_reply_outlives_its_owner() -> Any:
    """A reader has got a value in a reply; its owner dies, and A drops what is inside: it can be taken out again."""

    @freehold.remote
    def make(refs: list[Any]) -> Any:
        return [freehold.put(refs)]

    @freehold.remote
    def read(refs: list[Any]) -> None:
        keep("outside", refs[0])
        freehold.get(refs[0])

    @freehold.remote(max_retries=0)
    def leave() -> None:
        raise SystemExit

    @freehold.remote
    def take_out() -> Any:
        (ref,) = freehold.get(forget("outside"))
        return freehold.get(ref)

    inside = freehold.put("inside")
    outside = freehold.get(make.options(node=1).remote([inside]))
    freehold.get(read.options(node=2).remote(outside))
    assert crashes(leave.options(node=1).remote())
    del inside, outside
    time.sleep(0.05)  # so that A has let it go, if it does; until then it can be taken out in any case
    return freehold.get(take_out.options(node=2).remote())
