"""Deaths of processes: retries, owners, borrowers.

Most tasks here end their worker by SystemExit, which every backend hosts; the mark ``kills`` is for ``os._exit``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import freehold
from freehold.exceptions import OwnerDiedError, WorkerCrashedError
from freehold.specs.scenario import keep, scenario
from freehold.specs.scenarios.gates import folder


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
