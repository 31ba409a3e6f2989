"""What breaks, and when: each fault of a description is a call at its time, and another one when it is over.

Refuses to know what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from typing import Protocol

from freehold.simulator.clock import Clock
from freehold.simulator.world.description import Crash, Fault, Lossy, Partition, Slow
from freehold.simulator.world.flows import Link
from freehold.simulator.world.wires import Weather


class Breakable(Protocol):
    """A cluster, as far as it can break.  Nodes have numbers from 0."""

    def crash(self, node: int) -> None:
        """Let a node die, with its workers."""

    def replace(self, node: int) -> None:
        """Let another node join that has a dead one's place."""

    def divide(self, source: int, target: int, *, heal: bool = False) -> None:
        """Let nothing pass from one node to another any more, or (``heal``) let it pass again."""

    def worsen(self, weather: Weather, *, over: bool = False) -> None:
        """Let frames be lost, doubled and delayed, beside what does so already, or (``over``) no more."""

    def slow_down(self, node: int, factor: float) -> None:
        """Let everything that a node does take so many times as long as before."""

    def narrow(self, cable: tuple[str, str], factor: float) -> None:
        """Let a cable have so many times less bandwidth than before."""


def schedule(faults: Iterable[Fault], clock: Clock, cluster: Breakable) -> None:
    """Let everything break in its time."""
    for fault in faults:
        for at, call in calls(fault, cluster):
            if at < inf:
                clock.call_at(at, call)


def calls(fault: Fault, cluster: Breakable) -> list[tuple[float, Callable[[], None]]]:
    """Return what a fault does, and when."""
    match fault:
        case Crash(at=at, node=node, restart=restart):
            again = [] if restart is None else [(at + restart, partial(cluster.replace, node))]
            return [(at, partial(cluster.crash, node)), *again]
        case Partition(at=at, between=(one, other), one_way=one_way, until=until):
            ways = [(one, other)] if one_way else [(one, other), (other, one)]
            begin = [(at, partial(cluster.divide, *way)) for way in ways]
            return [*begin, *[(until, partial(cluster.divide, *way, heal=True)) for way in ways]]
        case Slow(at=at, cable=cable, node=node, factor=factor, until=until):
            found: list[tuple[float, Callable[[], None]]] = []
            for when, times in ((at, factor), (until, 1 / factor)):
                found += [(when, partial(cluster.slow_down, node, times))] if node is not None else []
                found += [(when, partial(cluster.narrow, cable, times))] if cable is not None else []
            return found
        case Lossy(at=at, loss=loss, duplication=duplication, delay=delay, until=until):
            worsen = partial(cluster.worsen, Weather(loss, duplication, delay))
            return [(at, worsen), (until, partial(worsen, over=True))]
    raise TypeError(f"{fault!r} is no fault")


def needs_wires(faults: Iterable[Fault]) -> bool:
    """Tell whether messages may be lost, so that who sends them must look after them."""
    return any(isinstance(fault, Partition | Lossy) for fault in faults)


def both_ways(links: dict[tuple[str, str], Link], cable: tuple[str, str]) -> list[Link]:
    """Return the two directions of a cable."""
    one, other = cable
    return [links[one, other], links[other, one]]
