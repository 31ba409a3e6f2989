"""The models that are searched to prove the protocol, and a row of a table for each."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import chain
from multiprocessing import get_context
from typing import Any, NamedTuple

from freehold.core.policies import DEFAULT, Policy
from freehold.specs.explorer.automata import System
from freehold.specs.explorer.bounds import Bounds
from freehold.specs.explorer.counterexample import Told, tell
from freehold.specs.explorer.fates import Fate
from freehold.specs.explorer.independence import Independence
from freehold.specs.explorer.search import Found
from freehold.specs.explorer.sharing import Sharing
from freehold.specs.records import CHECKS, Check


class Row(NamedTuple):
    """What a search of a model has found."""

    bounds: Bounds
    acts: int  # so many were gone through to the end
    found: Found
    seconds: float  # with all searches that were made to learn what commutes
    wrong: list[tuple[str, Told]]


QUICK = (
    Bounds("lend", acts=6, calls=3),
    Bounds("return", acts=4, calls=2, returns=True),
    Bounds("nest", processes=2, objects=2, acts=5, calls=2, values=True),
    Bounds("copy", processes=2, acts=5, calls=2, gets=True),
    Bounds("lend and die", acts=4, calls=2, deaths=1),
    Bounds("copy and die", processes=2, acts=4, calls=1, deaths=1, gets=True),
    Bounds("large", processes=2, acts=4, calls=2, deaths=1, gets=True, values=True, views=True, large=True),
    Bounds("one node", processes=2, acts=4, calls=1, deaths=1, nodes=1, gets=True, views=True, large=True),
    Bounds("lend and lose", acts=4, calls=2, cuts=1),
    Bounds("node", processes=2, acts=4, calls=2, node_deaths=1, gets=True, values=True, large=True),
    Bounds("rebuild", nodes=2, acts=3, calls=1, node_deaths=1, returns=True, gets=True, large=True, retries=1),
    Bounds("large return", processes=2, acts=3, calls=1, deaths=1, returns=True, gets=True, large=True),
    Bounds("relay", acts=3, calls=2, values=True, large=True, relay=True),
)
WHOLE = (
    Bounds("lists", objects=2, acts=6, calls=2, values=True, lists=True),
    Bounds("lend", acts=6, calls=3, deaths=1),
    Bounds("lend, two die", acts=4, calls=2, deaths=1, node_deaths=1),
    Bounds("return", acts=5, calls=3, deaths=1, returns=True),
    Bounds("nest", objects=2, acts=6, calls=3, deaths=1),
    Bounds("copy", acts=5, calls=3, deaths=1, gets=True, values=True, views=True),
    Bounds("large", acts=4, calls=2, deaths=1, gets=True, values=True, views=True, large=True),
    Bounds("one node", acts=5, calls=2, deaths=1, nodes=1, gets=True, values=True, views=True, large=True),
    Bounds("lend and lose", acts=5, calls=3, cuts=1),
    Bounds("node", acts=4, calls=2, node_deaths=1, gets=True, values=True, large=True),
    Bounds("rebuild", acts=4, calls=2, node_deaths=1, returns=True, gets=True, large=True, retries=1),
    Bounds("large return", acts=3, calls=2, deaths=1, returns=True, gets=True, large=True),
    Bounds("relay", acts=4, calls=2, node_deaths=1, values=True, large=True, relay=True),
    Bounds("relay and get", acts=5, calls=2, gets=True, values=True, large=True, relay=True),
    Bounds("relay, four", processes=4, acts=4, calls=3, values=True, large=True, relay=True),
    Bounds("everything", objects=2, acts=6, calls=3, deaths=1, returns=True, gets=True),
    Bounds("four", processes=4, objects=1, acts=6, calls=3, deaths=2),
)
LONGER = {"nest": 6}  # the pinned model has so many times as long as others: it comes to its end


def gone_through(
    bounds: Bounds,
    policy: Policy = DEFAULT,
    *,
    strides: bool = True,
    checks: Sequence[Check] = CHECKS,
    states_max: int = 1 << 40,
    seconds_max: float = float("inf"),
    each_layer: Callable[[int, int], Any] = lambda depth, states: None,
) -> Row:
    """Search a model, as many fates at a time as there are processors, each in a process of its own.

    Args:
        bounds: of the model.
        policy: the rules that all play by.
        strides: whether they may take short cuts, which know nothing of changed tables.
        checks: of what each party has written down.
        states_max: give up a search that has so many states.
        seconds_max: give up after so much time.
        each_layer: called with the depth that is finished and the states known, of the fates searched here.
    """
    start, cluster = time.perf_counter(), Sharing(bounds, policy, strides=strides, checks=checks)
    fates = [Searcher(cluster, fate) for fate in cluster.fates]
    share = min(len(fates), len(os.sched_getaffinity(0)))
    finished, limits = 0, {"states_max": states_max}
    with ExitStack() as stack:
        others = [stack.enter_context(Helper(fates[first::share])) for first in range(1, share)]
        for acts in range(bounds.acts):
            left = seconds_max - (time.perf_counter() - start)
            if left <= 0 and acts:
                break
            for other in others:
                other.ask(acts, seconds_max=left, **limits)
            own = [fate.explore(acts, seconds_max=left, each_layer=each_layer, **limits) for fate in fates[::share]]
            last = [*own, *chain(*[other.answer() for other in others])]
            if not all(one.found.exhausted and not one.wrong for one in last):
                break
            finished = acts + 1  # the first object has been put
    wrong = sorted(chain(*[one.wrong for one in last]), key=lambda one: len(one[1].everything))[:1]
    found = together([one.found for one in last], finished == bounds.acts)
    return Row(bounds, finished, found, time.perf_counter() - start, wrong)


class Explored(NamedTuple):
    """What a search of one fate has found."""

    found: Found
    wrong: list[tuple[str, Told]]


class Searcher:
    """One fate of a cluster, which is searched with ever more acts."""

    def __init__(self, cluster: Sharing, fate: Fate) -> None:
        self.cluster = cluster
        self.independence = Independence(System(cluster, fate))

    def explore(self, acts: int, **limits: Any) -> Explored:
        """Search; tell what is wrong."""
        found = self.independence.explore_with(acts, **limits)
        return Explored(
            found, [(what, tell(self.independence.system, self.cluster, way)) for what, way in found.violations]
        )


class Helper:
    """A process that searches some fates.

    Args:
        fates: which.
    """

    def __init__(self, fates: list[Searcher]) -> None:
        context = get_context("fork")
        self.pipe, self.far = context.Pipe()
        self.process = context.Process(target=self.serve, args=(fates, self.far, os.getpid()), daemon=True)

    def __enter__(self) -> Helper:
        self.process.start()
        self.far.close()  # so that its end is noticed
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()

    @staticmethod
    def serve(fates: list[Searcher], pipe: Any, parent: int) -> None:
        """Search whenever one is asked to, as long as there is somebody to ask."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever has asked for it ends it

        def go_on(*_: int) -> None:
            if os.getppid() != parent:
                sys.exit()

        while True:
            acts, limits = pipe.recv()
            try:
                answer: Any = [fate.explore(acts, each_layer=go_on, **limits) for fate in fates]
            except Exception as error:  # as of a model that is too large: whoever has asked is to hear it
                answer = error
            pipe.send(answer)

    def ask(self, acts: int, **limits: Any) -> None:
        """Let it search with so many acts."""
        self.pipe.send((acts, limits))

    def answer(self) -> list[Explored]:
        """Wait for what it has found.

        Raises:
            Exception: what the search has raised there.
            EOFError: it was killed.
        """
        found: list[Explored] | Exception = self.pipe.recv()
        if isinstance(found, Exception):
            raise found
        return found


def together(searches: list[Found], exhausted: bool) -> Found:
    """Return what some searches have found, as one."""
    states, transitions, depth, seconds, _, violations = zip(*searches, strict=True)
    return Found(sum(states), sum(transitions), max(depth), sum(seconds), exhausted, [*chain(*violations)])
