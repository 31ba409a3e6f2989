"""Grips: every usual way to hold a reference is found by name, with a command that works; looking keeps nothing."""

from __future__ import annotations

import functools
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from freehold.core import grips as module
from freehold.core.grips import Grip, grips


class Thing:
    """Something to hold."""


class Box:
    """Something with attributes."""

    __slots__ = ("inside",)
    inside: Any


class Open:
    """Something with any attributes."""


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Return the names of a module that nobody else has."""
    user = ModuleType("user_module")
    monkeypatch.setitem(sys.modules, "user_module", user)
    yield vars(user)
    gc.collect()


def found(thing: object) -> list[Grip]:
    return [grip for grip in grips(thing)[0] if "user_module" in grip.where]


def hold_in_list(thing: Thing) -> Any:
    return [1, [thing]]


def hold_in_dict(thing: Thing) -> Any:
    return {"a": {3: thing}}


def hold_in_attribute(thing: Thing) -> Any:
    box = Open()
    box.deep = Open()  # type: ignore[attr-defined]
    box.deep.inside = thing  # type: ignore[attr-defined]
    return box


def hold_in_slot(thing: Thing) -> Any:
    box = Box()
    box.inside = [thing]
    return box


def hold_in_set(thing: Thing) -> Any:
    return {thing}


def hold_in_tuple(thing: Thing) -> Any:
    return [(0, thing)]


def hold_in_closure(thing: Thing) -> Any:
    return lambda: thing


def hold_in_partial(thing: Thing) -> Any:
    return functools.partial(print, thing)


HOLDERS: dict[Callable[[Thing], Any], tuple[str, str]] = {  # how, what is said of it, and what lets go
    hold_in_list: ("held[1][0]", "del held[1][0]"),
    hold_in_dict: ("held['a'][3]", "del held['a'][3]"),
    hold_in_attribute: ("held.deep.inside", "del held.deep.inside"),
    hold_in_slot: ("held.inside[0]", "del held.inside[0]"),
    hold_in_set: ("held", "del held"),
    hold_in_tuple: ("held[0][1]", "del held[0]"),
    hold_in_closure: ("held", "del held"),
    hold_in_partial: ("held", "del held"),
}


@pytest.mark.parametrize("hold", HOLDERS, ids=lambda hold: hold.__name__)
def test_a_global_is_named_and_what_is_said_lets_go(hold: Callable[[Thing], Any], user: dict[str, Any]) -> None:
    thing = Thing()
    user["held"] = hold(thing)
    (grip,) = found(thing)
    path, drop = HOLDERS[hold]
    assert grip.where.startswith(f"the global `{path}` of user_module")
    assert grip.drop == drop.replace("del ", "del sys.modules['user_module'].")
    left = weakref.ref(thing)
    del thing
    assert left() is not None
    exec(grip.drop, {"sys": sys})
    gc.collect()
    assert left() is None


def test_a_class_and_several_names(user: dict[str, Any]) -> None:
    thing = Thing()
    user["Box"] = kind = type("Box", (), {"best": thing})
    user["a"] = user["b"] = thing
    assert {grip.drop.rpartition("]")[2] for grip in found(thing)} == {".Box.best", ".a", ".b"}
    del kind.best  # type: ignore[attr-defined]


def test_the_locals_of_all_threads_are_named() -> None:
    thing, ready, over = Thing(), threading.Event(), threading.Event()

    def other(mine: Thing) -> None:
        ready.set()
        over.wait(30)

    thread = threading.Thread(target=other, args=(thing,))
    thread.start()
    ready.wait(30)
    words = [grip.where for grip in grips(thing)[0]]
    over.set()
    thread.join()
    assert any("local `mine` of test_the_locals_of_all_threads_are_named.<locals>.other" in word for word in words)
    assert any("local `thing` of test_the_locals_of_all_threads_are_named, line" in word for word in words)


def test_a_look_keeps_no_local_alive() -> None:
    thing = Thing()
    assert grips(thing)[0]
    left = weakref.ref(thing)
    del thing
    assert left() is None


def test_a_look_leaves_locals_that_the_user_has_asked_for() -> None:
    thing = Thing()
    mine = locals()
    assert grips(thing)[0]
    assert mine["thing"] is thing


def test_a_generator_that_is_suspended() -> None:
    def numbers(inside: Thing) -> Iterator[int]:
        yield 1
        print(inside)

    thing = Thing()
    waiting = numbers(thing)
    next(waiting)
    assert any("numbers, which is suspended" in grip.where for grip in grips(thing)[0])


def test_a_cache(user: dict[str, Any]) -> None:
    for keep in (functools.cache, functools.lru_cache(maxsize=2)):
        user["load"] = load = keep(lambda: Thing())
        thing = load()
        assert any(grip.drop.endswith("<lambda>.cache_clear()") for grip in grips(thing)[0])
        left = weakref.ref(thing)
        del thing
        load.cache_clear()
        assert left() is None


def fail(mine: Thing) -> None:
    raise KeyError(id(mine))


def test_the_last_error_that_nobody_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    thing = Thing()
    try:
        fail(thing)
    except KeyError as error:
        monkeypatch.setattr(sys, "last_value", error, raising=False)
    kept = [grip for grip in grips(thing)[0] if "local of fail" in grip.where]
    assert [(grip.where.rpartition(" ")[2], grip.drop) for grip in kept] == [("sys.last_value", module.FORGET_LAST)]
    monkeypatch.undo()


def test_an_error_that_a_variable_keeps() -> None:
    thing = Thing()
    with pytest.raises(KeyError) as excinfo:
        fail(thing)
    kept = [grip for grip in grips(thing)[0] if "local of fail" in grip.where]
    assert kept and "excinfo" in kept[0].where and kept[0].drop.startswith("del excinfo")
    assert excinfo.type is KeyError


def test_the_work_is_bounded_and_that_is_said(monkeypatch: pytest.MonkeyPatch, user: dict[str, Any]) -> None:
    thing = Thing()
    user["many"] = [{"a": thing} for _ in range(300)]
    looks = [0]
    real = gc.get_referrers

    def counted(*things: Any) -> list[Any]:
        looks[0] += 1
        return real(*things)

    monkeypatch.setattr(gc, "get_referrers", counted)
    some, complete = grips(thing)
    assert not complete and len(some) <= module.GRIPS_MAX and looks[0] <= module.LOOKS_MAX


def test_nothing_is_found_where_nothing_is() -> None:
    assert grips(Thing())[0] == []
