"""How much can happen in a model of users who share objects, and what may go wrong."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, combinations, permutations, product
from typing import Any, NamedTuple

from freehold.specs.explorer.fates import Fate
from freehold.specs.explorer.symmetry import Permutation, under


class Bounds(NamedTuple):
    """How much can happen."""

    name: str = ""
    processes: int = 3
    objects: int = 1  # that may be put
    acts: int = 4  # that users may do in all
    calls: int = 2  # that may be among these, each of a task that carries a reference
    deaths: int = 0  # of processes
    nodes: int = 0  # on which the processes live in turn; 0: each on one of its own
    node_deaths: int = 0  # of nodes with their processes
    cuts: int = 0  # links between two processes that may break
    returns: bool = False  # tasks may return something
    gets: bool = False  # values may be got, with and without a timeout, two at a time in each process
    values: bool = False  # calls may carry values: a reference as an argument by itself
    views: bool = False  # users may keep what they have read of a copy, where it lies
    large: bool = False  # values are too large for an in-process store
    lists: bool = False  # those with references inside are
    replies: bool = False  # borrowers are sent small values in replies, which are not promoted then
    retries: int = 0  # how often a task may run again
    before: tuple[str, ...] = ()  # acts of a long story that begins the model, each with all that follows: "0 calls 1"
    relay: bool = False  # copies are of two chunks, and sent on before they are complete


def fates_of(bounds: Bounds) -> Iterable[Fate]:
    """Yield what may go wrong, once of what differs in names only; the head node never dies."""
    everyone, nodes = range(bounds.processes), bounds.nodes or bounds.processes
    single = [(one,) for one in everyone]
    whole = [(*everyone[node::nodes], bounds.processes + node) for node in range(1, nodes)]
    some = combinations(single, bounds.deaths), combinations(whole, bounds.node_deaths)
    names, seen = [range(bounds.processes + nodes), *permutations_of(bounds)], set[Any]()
    for dying, falling, link in product(*some, combinations(everyone, 2) if bounds.cuts else [None]):
        fate, once = Fate((*dying, *falling), link), {*chain(*dying)}.isdisjoint(chain(*falling))
        if once and under(fate, names[0]) not in seen:
            yield fate
        seen |= {under(fate, each) for each in names}


def permutations_of(bounds: Bounds) -> Iterable[Permutation]:
    """Yield the permutations of processes, and of their nodes behind them, that change nothing but names.

    The first process is special, and so is its node; so are all that have a story.  Where there are copies, which one
    is read goes by names.
    """
    count, nodes = bounds.processes, bounds.nodes or bounds.processes
    copies = bounds.gets or bounds.large or bounds.lists
    for order in permutations(range(count)) if not (copies or bounds.before) else ():
        homes = sorted({(one % nodes, other % nodes) for one, other in enumerate(order)})  # a node, and its new name
        moved = [home for _, home in homes]
        if order[0] == moved[0] == 0 and sorted(moved) == [*range(nodes)] and order != (*range(count),):
            yield (*order, *[count + home for home in moved])
