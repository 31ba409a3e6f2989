"""Exceptions of tasks, from the worker that pickles them to the program that catches them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from freehold.core.errors import TaskError
from freehold.core.failures import ends_process, exception_of, failure_of


class Wanting(OSError):
    def __init__(self, code: int, *, who: Any) -> None:
        super().__init__(f"{who} wants {code}")
        self.code, self.who = code, who


def caught(error: BaseException) -> Any:
    return exception_of(failure_of(error, "f", 1, 1))


def test_an_attribute_that_cannot_travel_is_left_out() -> None:
    """The class is what a user catches: it is worth more than an attribute."""
    lock = threading.Lock()
    error = caught(Wanting(5, who=lock))
    assert isinstance(error, Wanting) and isinstance(error, TaskError)
    assert (error.code, str(error.original), hasattr(error, "who")) == (5, f"{lock} wants 5", False)
    assert caught(Wanting(5, who="she")).who == "she"


def test_the_name_and_path_of_an_import_error() -> None:
    error = caught(ImportError("not in a.b", name="a.b", path="p"))
    assert (error.name, error.path, error.args) == ("a.b", "p", ("not in a.b",))


def test_what_ends_a_process_and_what_is_an_outcome() -> None:
    import asyncio

    from greenlet import GreenletExit

    assert [kind() for kind in (KeyboardInterrupt, SystemExit, GreenletExit) if not ends_process(kind())] == []
    for kind in (asyncio.CancelledError, GeneratorExit, BaseException):
        assert not ends_process(kind())
        error = caught(kind("why"))
        assert type(error) is TaskError and type(error.original) is kind and "why" in str(error)


def test_where_a_module_was_sought_is_said_once(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package_of_test").mkdir()
    (tmp_path / "package_of_test" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, place in (("no_such", str(tmp_path)), ("package_of_test.no_such", str(tmp_path / "package_of_test"))):
        with pytest.raises(ModuleNotFoundError) as raised:
            __import__(name)
        first = str(caught(raised.value))
        assert f"No module named '{name}'; process " in first
        assert f"looked in {place}" in first
        assert str(caught(raised.value)) == first
