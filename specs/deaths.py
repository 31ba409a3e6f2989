"""A death at every step: a program is run as often as its parties are told something, and each time one dies of it.

Whoever is about to be told the nth thing dies instead: a worker, or a node with its workers; not the head node, nor the
program.  Each value that the program comes to must be the right one, or the word of a death; and nothing may be left.

Refuses to know what is right: ``oracle.py`` does; and which backend it is, if it hosts all parties in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import freehold
from freehold.core import cluster
from freehold.core.events import Event
from freehold.core.hosted import Hosted, World
from freehold.core.ids import HEAD, party_name
from freehold.specs.leftovers import settled
from freehold.specs.oracle import expected, play

OF_DEATHS = {"WorkerCrashedError", "OwnerDiedError", "ObjectReconstructionFailedError", "ObjectLostError"}
OPTIONS: dict[str, Any] = {"num_nodes": 3, "num_cpus": 1, "object_store_memory": 64 * 2**20}
LEFTOVERS_SECONDS = 10.0
PROGRAMS = {
    "references are passed on": """
@freehold.remote(num_returns=1)
def keep(refs, times):
    inner = keep.remote(refs, times - 1) if times else freehold.put(len(refs))
    return [freehold.get(refs[0]), inner]


def main():
    small, large = freehold.put(7), freehold.put(b'x' * 200_000)
    return [keep.remote([small, large], 2), keep.remote([large], 1)]
""",
    "references are found in values": """
@freehold.remote(num_returns=1)
def wrap(value):
    return [freehold.put(value), [freehold.put([freehold.put(b'y' * 150_000)])]]


@freehold.remote(num_returns=1)
def open_up(wrapped):
    first, (second,) = wrapped
    return [freehold.get(first), freehold.get(freehold.get(second)[0])]


def main():
    wrapped = wrap.remote('inside')
    return [wrapped, open_up.remote(wrapped), open_up.remote(wrap.remote([wrapped]))]
""",
    "large returns are read elsewhere": """
@freehold.remote(num_returns=2)
def make(n):
    return b'a' * n, b'b' * n


@freehold.remote(num_returns=1)
def join(a, b):
    return a + b


def main():
    a, b = make.remote(150_000)
    c, d = make.remote(120_000)
    joined = [join.remote(a, c), join.remote(b, d), join.remote(a, d)]
    del a, c
    return [*joined, join.remote(joined[0], joined[1]), b]
""",
    "tasks call tasks": """
@freehold.remote(num_returns=1)
def count(n):
    if n < 2:
        return [n]
    return sum(freehold.get([count.remote(n - 1), count.remote(n - 2)]), [])


@freehold.remote(num_returns=1)
def fail(n):
    raise ValueError(n)


def main():
    return [count.remote(4), fail.remote(3), count.remote(3)]
""",
}


class Ended(NamedTuple):
    """How a program ended with a death in it."""

    step: int  # of the one who has died; negative: nobody was to
    who: str  # has died, "" if nobody has
    lost: bool  # whether the word of a death is in what came of it, where a value should be
    wrong: str  # what is neither right nor the word of a death, or was left; "" if nothing is


class Doom:
    """Counts what the parties of a cluster are told, and lets one die of it.

    Args:
        world: the cluster.
        step: at which of the things that they are told, counted from 0.
    """

    def __init__(self, world: World, step: int) -> None:
        self.world, self.step = world, step
        self.steps = 0
        self.who = ""
        self.true: Callable[..., None] = world.deliver
        self.spared = {HEAD, *[me for me, session in world.sessions.items() if session is cluster.active]}
        world.deliver = self.deliver  # type: ignore[method-assign]

    def deliver(self, target: int, event: Event, cause: int = 0) -> None:
        """Tell a party something, unless it is to die of that."""
        mortal = target in self.world.drivers and target not in self.spared
        self.steps += mortal
        if mortal and self.steps == self.step + 1:
            self.who = party_name(target)
            self.world.remove(target)
            return
        self.true(target, event, cause)


def at_every_step(backend: str, source: str, every: int = 1) -> Iterator[Ended]:
    """Yield how a program ends without a death, then with one at each step, or each so manieth.

    Args:
        backend: one that hosts all parties in one process.
        source: the program's text, as ``oracle.py`` plays it.
        every: how many steps are between two deaths.
    """
    whole, steps = ended(backend, source, -1)
    yield whole
    for step in range(0, steps, every):
        yield ended(backend, source, step)[0]


def ended(backend: str, source: str, step: int) -> tuple[Ended, int]:
    """Run a program in a new cluster; return how it ended, and how many things its mortal parties were told."""
    freehold.init(backend=backend, **OPTIONS)
    try:
        session = cluster.active
        if session is None or not isinstance(session.host, Hosted):
            raise ValueError(f"backend {backend!r} does not host all parties in one process")
        doom = Doom(session.host.world, step)
        came, right = play(source, freehold), expected(source)
        left, _ = settled(session, LEFTOVERS_SECONDS)
        what = amiss(came, right) or "".join([f"there is still {each}" for each in left[:1]])
        return Ended(step, doom.who, came != right, what), doom.steps
    finally:
        freehold.shutdown()


def amiss(came: Any, right: Any) -> str:
    """Say what of an outcome is neither right nor the word of a death, "" if nothing is."""
    if came == right or (isinstance(came, dict) and came.get("raised", [""])[0] in OF_DEATHS):
        return ""
    if isinstance(came, dict) and isinstance(right, dict) and "of" in came and "of" in right:
        return amiss(came["of"], right["of"])
    if isinstance(came, list) and isinstance(right, list) and len(came) == len(right):
        return next((what for pair in zip(came, right, strict=True) if (what := amiss(*pair))), "")
    return f"{came!r:.300} instead of {right!r:.300}"
