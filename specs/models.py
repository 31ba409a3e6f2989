"""The models that are searched to prove the protocol, and a row of a table for each."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple

from freehold.core.policies import DEFAULT, Policy
from freehold.specs.automata import System
from freehold.specs.bounds import Bounds
from freehold.specs.counterexample import Told, tell
from freehold.specs.independence import Independence
from freehold.specs.search import Found
from freehold.specs.sharing import Sharing


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
    Bounds("lend and lose", processes=2, acts=5, calls=2, cuts=1),
    Bounds("node", processes=2, acts=4, calls=2, node_deaths=1, gets=True, values=True, large=True),
)
WHOLE = (
    Bounds("lists", objects=2, acts=6, calls=2, values=True, lists=True),
    Bounds("lend", acts=6, calls=3, deaths=1),
    Bounds("return", acts=5, calls=3, deaths=1, returns=True),
    Bounds("nest", objects=2, acts=6, calls=3, deaths=1),
    Bounds("copy", acts=5, calls=3, deaths=1, gets=True, values=True, views=True),
    Bounds("large", acts=4, calls=2, deaths=1, gets=True, values=True, views=True, large=True),
    Bounds("one node", acts=5, calls=2, deaths=1, nodes=1, gets=True, values=True, views=True, large=True),
    Bounds("lend and lose", acts=5, calls=3, cuts=1),
    Bounds("node", acts=4, calls=2, node_deaths=1, gets=True, values=True, large=True),
    Bounds("everything", objects=2, acts=6, calls=3, deaths=1, returns=True, gets=True),
    Bounds("four", processes=4, objects=1, acts=6, calls=3, deaths=2),
)


def gone_through(
    bounds: Bounds,
    policy: Policy = DEFAULT,
    *,
    strides: bool = True,
    states_max: int = 1 << 40,
    seconds_max: float = float("inf"),
    each_layer: Callable[[int, int], Any] = lambda depth, states: None,
) -> Row:
    """Search a model.

    Args:
        bounds: of the model.
        policy: the rules that all play by.
        strides: whether they may take short cuts, which know nothing of changed tables.
        states_max: give up a search that has so many states.
        seconds_max: give up after so much time.
        each_layer: called with the depth that is finished and the states known.
    """
    start, cluster = time.perf_counter(), Sharing(bounds, policy, strides=strides)
    each = [Independence(System(cluster, fate)) for fate in cluster.fates]
    last = list[Found]()  # what the last search of each has found
    finished = 0
    for acts in range(bounds.acts):
        for index, independence in enumerate(each):
            left = seconds_max - (time.perf_counter() - start)
            if left > 0 or not acts:
                found = independence.explore_with(acts, states_max=states_max, seconds_max=left, each_layer=each_layer)
                last[index : index + 1] = [found]
        if not all(found.exhausted and not found.violations for found in last) or left <= 0:
            break
        finished = acts + 1  # the first object has been put
    wrong = [
        (what, tell(one.system, cluster, way))
        for one, found in zip(each, last, strict=False)
        for what, way in found.violations
    ]
    wrong = sorted(wrong, key=lambda one: len(one[1].everything))[:1]
    return Row(bounds, finished, together(last, finished == bounds.acts), time.perf_counter() - start, wrong)


def together(searches: list[Found], exhausted: bool) -> Found:
    """Return what some searches have found, as one."""
    states, transitions, depth, seconds, _, violations = zip(*searches, strict=True)
    return Found(sum(states), sum(transitions), max(depth), sum(seconds), exhausted, [*chain(*violations)])
