"""What a workload is: scripts that make calls, on freehold's own protocol (``users.py``) or a model of another.

A *script* is a generator.  It does things at a process of the cluster, like ``put`` and ``drop``, and waits with
``yield from``, or for some seconds with ``yield``.  Values are stand-ins: a size, the references inside, and no bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

from freehold.core.values import Description as Task
from freehold.core.values import Failure, Payload, Shape
from freehold.simulator.clock import Clock

ONE_CPU: Shape = (("CPU", 1.0),)
Script = Generator[Any, Any, Any]  # yields seconds, and what its cluster has given it to wait for
Body = Callable[[Any, Task], Script]  # returns a size for each return, or (size, references inside)


def stand_in(nbytes: int, refs: Sequence[int] = ()) -> Payload:
    """Return what stands for a value of some size: it weighs as much on its way, and has no bytes."""
    return Payload(nbytes, tuple(refs), b"")


def fine(failure: Failure | None) -> None:
    """Refuse to go on if a value could not be had.

    Raises:
        RuntimeError: it could not.
    """
    if failure is not None:
        raise RuntimeError(f"a value of the workload could not be had: {failure}")


class Caller(Protocol):
    """Where a script runs, and the calls that it may make there."""

    def now(self) -> float:
        """Return its own time: it may be ahead of the cluster's."""

    def put(self, nbytes: int, refs: Sequence[int] = ()) -> Generator[Any, Any, int]:
        """Put a value of some size; return its object."""

    def get(self, *objects: int) -> Generator[Any, Any, Any]:
        """Wait for values, and read them; return the first failure, None if there is none."""

    def find(self, outer: int, *objects: int) -> None:
        """Take references out of a value."""

    def hold(self, *objects: int) -> None:
        """Keep references that have come with a task."""

    def drop(self, *objects: int) -> None:
        """Let references go."""

    def submit(
        self,
        name: str,
        nbytes: int = 50,
        refs: Sequence[int] = (),
        values: Sequence[int] = (),
        returns: int = 1,
        shape: Shape = ONE_CPU,
        retries: int = 3,
    ) -> int:
        """Submit a task; return the first of its returns, which follow each other.

        Args:
            name: of its function.
            nbytes: of its arguments, beside those that are values of objects.
            refs: references among them.
            values: objects whose values are arguments.
            returns: how many objects it returns.
            shape: what it occupies while it runs.
            retries: how often it may run again.
        """


class Cluster(Protocol):
    """What runs scripts."""

    clock: Clock

    def populate(self, *, idle_head: bool = False) -> Sequence[Caller]:
        """Start all nodes, in no time; return a caller on each.

        Args:
            idle_head: whether no task runs on the first node.
        """

    def join(self, index: int) -> Caller:
        """Start a process on a node, which runs scripts; no task is ever given to it."""

    def start(self, caller: Any, script: Script) -> None:
        """Let a script begin."""

    def run_all(self) -> None:
        """Let time pass until all scripts are over.

        Raises:
            DeadlockError: nothing can happen any more, and somebody waits.
        """
