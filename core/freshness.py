"""What a function looked up when it was exported, to notice that one of its names has been bound anew.

A function that workers cannot import travels with the globals, the closure and the classes that it uses.  When one
of these names means something else by the next call, as after a cell was run again, the function is exported again.
An object that is changed in place is not noticed: it travels as it was when the function was exported.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import CellType, FunctionType
from typing import Any

from cloudpickle.cloudpickle import _extract_code_globals

from freehold.core.complaints import importable

PARTS_MAX = 1000  # functions and classes that are looked into
Look = Callable[[str], Any]  # returns what a name means now


class Uses:
    """Names and what they meant; a value lives no longer on our account, where it can be referred to weakly."""

    def __init__(self, found: Iterable[tuple[Look, Iterable[str]]] = ()) -> None:
        self.kept: list[tuple[Look, str, Any]] = []
        self.weak: list[tuple[Look, str, weakref.ref[Any]]] = []
        for look, names in found:
            for name in names:
                value = look(name)
                try:
                    self.weak.append((look, name, weakref.ref(value)))
                except TypeError:  # numbers, strings, lists and the like
                    self.kept.append((look, name, value))

    def same(self) -> bool:
        """Tell whether the names mean the same objects as they did.  Asked at every call: 130 ns, and 40 ns a name."""
        for look, name, value in self.kept:
            if look(name) is not value:
                return False
        for look, name, ref in self.weak:  # noqa: SIM110  (a generator takes twice as long)
            if look(name) is not ref():
                return False
        return True


def uses_of(function: object) -> Uses:
    """Return the names that a function uses, and those which the functions and classes use that travel with it."""
    found: dict[int, tuple[Look, dict[str, None]]] = {}  # a namespace's id -> how to look there, and for what
    queue, seen = [function], {id(function)}
    for part in islice(queue, PARTS_MAX):
        for space, look, names in namespaces(part):
            found.setdefault(id(space), (look, {}))[1].update(dict.fromkeys(names))
            for value in map(look, names):
                if id(value) not in seen and travels(value):
                    seen.add(id(value))
                    queue.append(value)
    return Uses(found.values())


def travels(value: object) -> bool:
    """Tell whether a value may be code that is sent by value."""
    if isinstance(value, FunctionType | type):
        return not importable(value)
    return isinstance(value, staticmethod | classmethod | property) or wrapped(value) is not None


def wrapped(value: object) -> object:
    """Return the function that a remote function, or another wrapper of that kind, stands for; None for others."""
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return attributes.get("__wrapped__") if isinstance(attributes, dict) else None


def namespaces(part: Any) -> Iterator[tuple[object, Look, list[str]]]:
    """Yield each namespace in which a function, class or wrapper looks names up: itself, how to look, the names."""
    if isinstance(part, FunctionType):
        yield part.__globals__, part.__globals__.get, list(_extract_code_globals(part.__code__))
        cells = dict(zip(part.__code__.co_freevars, part.__closure__ or (), strict=True))
        if cells:
            yield part.__closure__, in_cells(cells), list(cells)
    elif isinstance(part, type):
        for cls in part.__mro__:
            if not importable(cls):
                yield cls, in_class(cls), [name for name, value in vars(cls).items() if defined(name, value)]
    elif isinstance(part, property):
        yield part, lambda name: getattr(part, name), ["fget", "fset", "fdel"]
    elif isinstance(part, staticmethod | classmethod):
        yield part, lambda name: getattr(part, name), ["__func__"]
    else:
        yield part, lambda name: wrapped(part), ["__wrapped__"]


def defined(name: str, value: object) -> bool:
    """Tell whether an attribute of a class was written by its author."""
    return not (name.startswith("__") and name.endswith("__")) or isinstance(value, FunctionType)


def in_class(cls: type) -> Look:
    """Return a function that looks names up in a class, and does not keep it alive."""
    ref = weakref.ref(cls)
    return lambda name: getattr(ref(), "__dict__", {}).get(name)


def in_cells(cells: dict[str, CellType]) -> Look:
    """Return a function that looks names up in the cells of a closure."""

    def look(name: str) -> Any:
        try:
            return cells[name].cell_contents
        except ValueError:  # not bound yet, or no more
            return None

    return look
