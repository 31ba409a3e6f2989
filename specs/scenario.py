"""What a scenario is: a user program of some ten lines that causes one situation, and what must come of it.

Decides how scenarios are declared, found and left out.  Refuses to know how a cluster is started and what is
asserted.  Keep in mind: a scenario holds on every backend that hosts its marks, with the same values and errors,
so it looks at values, errors and order, never at a clock (but for the mark ``virtual``) or at a process id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Any

import msgspec

Body = Callable[[], Any]

MARKS = {
    "threads": "the program has threads of its own that call freehold",
    "asyncio": "the program awaits references in an event loop",
    "preempts": "a task runs while its caller or another task goes on",
    "kills": "a task ends its own process without a word",
    "realtime": "real seconds pass while a thread of the program does something else",
    "virtual": "seconds are simulated, so that durations are exact",
}
HOSTED = {  # by the backends of this project; another one lists its own as HOSTS, in its plugin's module
    "inline": frozenset({"asyncio"}),
    "sim": frozenset({"asyncio", "preempts", "virtual"}),
    "local": frozenset({"threads", "asyncio", "preempts", "kills", "realtime"}),
}
KEPT: dict[str, Any] = {}  # what tasks keep in their process after their end
UNSAID: Any = object()  # a scenario that asserts its results itself has no expected value


class Scenario(msgspec.Struct, frozen=True):
    """One situation, and what must come of it."""

    name: str
    body: Body
    marks: frozenset[str] = frozenset()  # what a backend must be able to do
    nodes: int = 1  # the cluster has at least so many
    init: Mapping[str, Any] = {}  # further arguments of ``freehold.init``; without any the cluster may be shared
    returns: Any = UNSAID  # what the body returns

    def __str__(self) -> str:
        return self.name

    def run(self) -> None:
        """Run the program and judge it; a cluster that suits it is running.

        What its tasks have kept is forgotten afterwards in this process: where it is also that of workers which
        have died in the course of it, they would else have left something.
        """
        try:
            value = self.body()
        finally:
            KEPT.clear()
        wanted = None if self.returns is UNSAID else self.returns
        if type(value) is not type(wanted) or value != wanted:
            raise AssertionError(f"{self.name} returned {value!r:.500}, not {wanted!r:.500}")

    def obstacle(self, hosts: Iterable[str], nodes: int) -> str:
        """Say why a backend that hosts these marks, with so many nodes, leaves the scenario out; "" if it does not."""
        missing = sorted(self.marks.difference(hosts))
        if missing:
            return f"{', '.join(missing)} not hosted"
        return f"wants {self.nodes} nodes" if nodes < self.nodes else ""


REGISTRY: dict[str, Scenario] = {}


def keep(name: str, value: Any) -> None:
    """Keep a value in this process, so that it outlives the task."""
    KEPT[name] = value


def kept(name: str) -> Any:
    """Return what an earlier task kept in this process."""
    return KEPT[name]


def forget(name: str) -> Any:
    """Return what an earlier task kept in this process, and keep it no longer."""
    return KEPT.pop(name)


def scenario(
    *,
    marks: Iterable[str] = (),
    nodes: int = 1,
    init: Mapping[str, Any] | None = None,
    returns: Any = UNSAID,
    name: str = "",
) -> Callable[[Body], Body]:
    """Declare a scenario.

    Args:
        marks: what a backend must be able to do to host it; words of ``MARKS``.
        nodes: how many nodes it needs at least.
        init: further arguments of ``freehold.init``; it then has a cluster that only its like share.
        returns: what the program returns; if unsaid it returns None, and asserts its results itself.
        name: a name, if not the function's.
    """
    unknown = set(marks).difference(MARKS)
    if unknown:
        raise ValueError(f"{sorted(unknown)} are no marks; there are {', '.join(MARKS)}")

    def declare(body: Body) -> Body:
        made = Scenario(name or body.__name__, body, frozenset(marks), nodes, dict(init or {}), returns)
        if not body.__doc__:
            raise ValueError(f"{made.name}: the docstring says what situation is caused")
        if REGISTRY.setdefault(made.name, made) is not made:
            raise ValueError(f"there are two scenarios called {made.name}")
        return body

    return declare


def scenarios() -> list[Scenario]:
    """Return all scenarios; those that can share a cluster follow each other."""
    package = import_module("freehold.specs.scenarios")
    for module in sorted(module.name for module in iter_modules(package.__path__)):
        import_module(f"freehold.specs.scenarios.{module}")
    return sorted(REGISTRY.values(), key=lambda s: sorted((name, repr(value)) for name, value in s.init.items()))


def hosts(backend: str) -> frozenset[str]:
    """Return the marks that a backend hosts: of one that is not known here, what its plugin's module lists as HOSTS."""
    if backend in HOSTED:
        return HOSTED[backend]
    listed = [getattr(entry.load(), "HOSTS", ()) for entry in entry_points(group="freehold", name=backend)]
    return frozenset().union(*listed)
