"""What to say of a value that cannot be pickled: which part of it, and where that part is.

The search runs after a failure and never before; it is bounded, and looks at values without changing them.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice, takewhile
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any

import cloudpickle
from cloudpickle.cloudpickle import _extract_code_globals

PLAIN = frozenset({type(None), bool, int, float, str, bytes})
SEARCH_OBJECTS_MAX = 100_000


def importable(obj: Any) -> bool:
    """Tell whether workers can import a class or function; False only means that cloudpickle must judge."""
    name = getattr(obj, "__module__", None)
    module = sys.modules.get(name) if type(name) is str and name != "__main__" else None
    return getattr(module, obj.__qualname__, None) is obj and not cloudpickle.list_registry_pickle_by_value()


def complaint(value: object, name: str, culprit: object, error: Exception) -> str:
    """Say which part of a value cannot be pickled: search for the way to what the pickler looked at last."""
    subject = f"cannot pickle {'value' if name == 'root' else name}"
    if isinstance(error, RecursionError):
        return f"{subject}: it is nested too deeply (the recursion limit is {sys.getrecursionlimit()})"
    paths, queue = {id(value): name}, [value]  # the queue keeps all alive, since ids are reused
    for holder in takewhile(lambda _: id(culprit) not in paths and len(queue) < SEARCH_OBJECTS_MAX, queue):
        path = paths[id(holder)]
        with suppress(Exception):  # attributes may be the user's code
            for before, child, after in islice(_children(holder) if len(path) < 300 else (), SEARCH_OBJECTS_MAX):
                if id(child) not in paths and type(child) not in PLAIN:
                    paths[id(child)] = before + (f"({path})" if after and " of " in path else path) + after
                    queue.append(child)
    where = name if culprit is None else paths.get(id(culprit), f"something inside {name}")
    kind = type_name(type(value if culprit is None else culprit))
    raised = traceback.format_exception_only(error)[-1].strip()
    why = "" if str(error) == f"cannot pickle '{kind}' object" else f" (pickling it raised {raised})"
    return f"{subject}: {where} is a {kind}{why}"


def _children(obj: Any) -> Iterator[tuple[str, object, str]]:
    """Yield what an object holds, between the words to put before and after the path to the object."""
    if isinstance(obj, dict):
        for key, child in dict.items(obj):
            yield "", child, f"[{repr(key)[:80]}]" if type(key) in PLAIN else f"[a {type_name(type(key))}]"
    elif isinstance(obj, list | tuple):
        yield from (("", child, f"[{index}]") for index, child in enumerate(obj))
    elif isinstance(obj, set | frozenset):
        yield from (("an element of ", child, "") for child in obj)
    elif isinstance(obj, ModuleType) or (isinstance(obj, FunctionType | type) and importable(obj)):
        return
    elif isinstance(obj, FunctionType):
        for name, cell in zip(obj.__code__.co_freevars, obj.__closure__ or (), strict=True):
            yield f"closure variable {name!r} of ", cell.cell_contents, ""
        for name in _extract_code_globals(obj.__code__):
            yield f"global variable {name!r} of ", obj.__globals__.get(name), ""
        yield from (("a default of ", child, "") for child in obj.__defaults__ or ())
    yield from (("", child, f".{name}") for name, child in getattr(obj, "__dict__", {}).items())
    for base in () if isinstance(obj, FunctionType | type) else type(obj).__mro__:
        slots = [name for name, slot in vars(base).items() if isinstance(slot, MemberDescriptorType)]
        yield from (("", getattr(obj, name, None), f".{name}") for name in slots)
    yield "the class of ", type(obj), ""


def type_name(kind: type) -> str:
    """Return the name of a class as a reader would write it."""
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.").removeprefix("__main__.")
