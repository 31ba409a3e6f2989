"""Errors: what a task raises arrives as what it was, wherever it is read."""

from __future__ import annotations

import threading
from typing import Any

import freehold
from freehold.exceptions import TaskError
from freehold.specs.scenario import scenario


def caught(ref: Any) -> Exception:
    """Return what a get raises."""
    try:
        value = freehold.get(ref)
    except Exception as error:
        return error
    raise AssertionError(f"the get returned {value!r:.80}")


@scenario(returns=(True, True, "'key'", True, "task"))
def class_is_preserved() -> Any:
    """A task raises KeyError: the get raises a KeyError that is a TaskError too, with the task's traceback."""

    @freehold.remote
    def fail() -> None:
        raise KeyError("key")

    error: Any = caught(fail.remote())
    remote = "fail" in error.remote_traceback and "KeyError" in error.remote_traceback
    return isinstance(error, KeyError), isinstance(error, TaskError), str(error.original), remote, error.cause


@scenario(returns=(True, "bad 7", 7))
def class_of_the_program() -> Any:
    """The exception's class is the program's own, with an ``__init__`` that its ``args`` do not fit."""

    class Bad(Exception):
        def __init__(self, number: int, *, word: str) -> None:
            super().__init__(f"{word} {number}")
            self.number = number

    @freehold.remote
    def fail() -> None:
        raise Bad(7, word="bad")

    error: Any = caught(fail.remote())
    return isinstance(error, Bad), str(error.original), error.number


@scenario(returns=(True, True))
def exception_that_cannot_be_pickled() -> Any:
    """A task raises an exception that holds a lock: the get raises a TaskError that says in words what it was."""

    class Held(Exception):
        def __init__(self) -> None:
            super().__init__("held")
            self.lock = threading.Lock()

    @freehold.remote
    def fail() -> None:
        raise Held

    error = caught(fail.remote())
    return isinstance(error, TaskError), "Held" in str(error) and "held" in str(error)


@scenario(returns=["ZeroDivisionError"] * 3)
def failure_of_a_dependency() -> Any:
    """A task fails; what depends on it fails with the same error and never runs, three tasks down."""

    @freehold.remote
    def fail() -> float:
        return 1 / 0

    @freehold.remote
    def never(*values: Any) -> None:
        raise AssertionError("it must not run")

    first = fail.remote()
    second = never.remote(first)
    third = never.remote(1, second, freehold.put(2))
    return [type(getattr(caught(ref), "original", None)).__name__ for ref in (first, second, third)]


@scenario(returns=(True, True, "inner"))
def failure_inside_a_task() -> Any:
    """A task gets the failure of its own task and does not catch it: its caller sees the class of the first."""

    @freehold.remote
    def inner() -> None:
        raise LookupError("inner")

    @freehold.remote
    def outer() -> Any:
        return freehold.get(inner.remote())

    error: Any = caught(outer.remote())
    return isinstance(error, LookupError), "inner" in str(error), "inner" if "inner" in error.remote_traceback else ""


@scenario(returns="caught in the task")
def failure_that_a_task_catches() -> Any:
    """A task catches the failure of its own task by its class, and goes on."""

    @freehold.remote
    def inner() -> None:
        raise FileNotFoundError(2, "no such file", "x")

    @freehold.remote
    def outer() -> str:
        try:
            freehold.get(inner.remote())
        except FileNotFoundError as error:
            return "caught in the task" if error.errno == 2 else repr(error)
        return "nothing raised"

    return freehold.get(outer.remote())


@scenario(returns="first")
def first_failure_in_order() -> Any:
    """Several objects of one get have failed: the first in the order of the list is raised."""

    @freehold.remote
    def fail(word: str) -> None:
        raise ValueError(word)

    refs = [freehold.put(1), fail.remote("first"), fail.remote("second"), freehold.put(2)]
    freehold.wait(refs, num_returns=4)
    return str(getattr(caught(refs), "original", ""))


@scenario(returns=["x", "x", "x", "x"])
def failure_is_read_again() -> Any:
    """A failure is read three times, the last time by a borrower: it does not wear out."""

    @freehold.remote
    def fail() -> None:
        raise ValueError("x")

    @freehold.remote
    def read(refs: list[Any]) -> str:
        return str(getattr(caught(refs[0]), "original", ""))

    ref = fail.remote()
    words = [str(getattr(caught(ref), "original", "")) for _ in range(3)]
    return [*words, freehold.get(read.remote([ref]))]


@scenario(returns=["ValueError"] * 3)
def failure_of_every_return() -> Any:
    """A task with three returns raises: all three have failed."""

    @freehold.remote(num_returns=3)
    def fail() -> None:
        raise ValueError("x")

    return [type(getattr(caught(ref), "original", None)).__name__ for ref in fail.remote()]


@scenario(returns=[True, True, True, True])
def wrong_number_of_returns() -> Any:
    """Tasks return too few values, too many, one that is no sequence, and None: a ValueError with both numbers."""

    @freehold.remote(num_returns=3)
    def wrong(value: Any) -> Any:
        return value

    errors = [caught(wrong.remote(value)[0]) for value in ((1, 2), [1, 2, 3, 4], 1, None)]
    return [isinstance(error, ValueError) and "3" in str(error) for error in errors]


@scenario(returns=(True, True, "after"))
def return_that_cannot_be_pickled() -> Any:
    """A task returns a lock inside a dict: a TypeError names the path and the type, and the worker lives on."""

    @freehold.remote
    def give(value: str) -> Any:
        return {"lock": threading.Lock()} if value == "lock" else value

    error = caught(give.remote("lock"))
    return isinstance(error, TypeError), "lock" in str(error), freehold.get(give.remote("after"))


@scenario(returns=(True, "a b"))
def group_of_exceptions() -> Any:
    """A task raises an ExceptionGroup: it can be split by class after the get."""

    @freehold.remote
    def fail() -> None:
        raise ExceptionGroup("both", [ValueError("a"), KeyError("b")])

    error: Any = caught(fail.remote())
    group = error if isinstance(error, ExceptionGroup) else getattr(error, "original", None)
    assert isinstance(group, ExceptionGroup)
    return isinstance(error, TaskError), " ".join(str(inner.args[0]) for inner in group.exceptions)


@scenario(returns=("cause", True))
def exception_with_a_cause() -> Any:
    """A task raises one exception from another: the remote traceback tells of both."""

    @freehold.remote
    def fail() -> None:
        try:
            raise KeyError("cause")
        except KeyError as error:
            raise RuntimeError("effect") from error

    error: Any = caught(fail.remote())
    text = error.remote_traceback
    return "cause" if "KeyError: 'cause'" in text else text, "RuntimeError: effect" in text


@scenario(returns=[False, 300_000])
def failure_lets_go_of_arguments() -> Any:
    """A task with a large argument and a borrowed reference fails; both are as readable, and as free, as before."""

    @freehold.remote
    def fail(value: bytes, refs: list[Any]) -> None:
        freehold.get(refs)
        raise ValueError(len(value))

    large, small = freehold.put(b"x" * 300_000), freehold.put("small")
    error = caught(fail.remote(large, [small]))
    return [not isinstance(error, ValueError), len(freehold.get(large))]
