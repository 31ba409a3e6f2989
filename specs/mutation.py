"""Mutants are looked for: first in the models, everything that can happen in them, then on walks by chance.

A model is searched once with the true tables, which shows in which steps of its parties each row has a part.  A mutant
of a row that does the same in every one of these steps is the same table, as far as the model goes.  Otherwise these
steps alone are taken anew, and the search begins again, with all else at hand.
"""

from __future__ import annotations

import gc
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import product
from multiprocessing import get_context
from typing import NamedTuple

from freehold.core.policies import DEFAULT
from freehold.core.strides import NONE
from freehold.specs.automata import System
from freehold.specs.bounds import Bounds
from freehold.specs.independence import Independence
from freehold.specs.mutants import Cell, Mutant, Observer, fault, observed
from freehold.specs.numbering import HALF
from freehold.specs.search import search
from freehold.specs.sharing import Sharing
from freehold.specs.walk import WORLDS, walk

MODELS = (
    Bounds("lend", processes=2, acts=5, calls=3),
    Bounds("copy", processes=2, acts=4, calls=1, gets=True),
    Bounds("return", processes=2, acts=4, calls=2, returns=True),
    Bounds("nest", processes=2, objects=2, acts=4, calls=2),
    Bounds("three lend", acts=5, calls=3),
    Bounds("copy and return", processes=2, acts=4, calls=2, returns=True, gets=True),
    Bounds("values", processes=2, acts=4, calls=2, returns=True, values=True),
    Bounds("large", processes=2, acts=4, calls=2, gets=True, values=True, views=True, large=True),
    Bounds("lend and die", acts=4, calls=2, deaths=1),
    Bounds("copy and die", processes=2, acts=5, calls=2, deaths=1, gets=True),
    Bounds("large and die", processes=2, acts=4, calls=2, deaths=1, gets=True, values=True, views=True, large=True),
)
GROUNDS: list[Grounds] = []  # of this process, if it is one that looks for a mutant
WALKS = 50  # of each kind, on which it is seen which rows run


class Verdict(NamedTuple):
    """What has become of a mutant."""

    mutant: Mutant
    by: str  # what has found it, "" if nothing has
    why: str  # what was wrong
    differs: tuple[str, ...]  # models in which it does something else than the true row, however little
    seconds: float


class Ground(System):
    """A model that has been searched with the true tables."""

    def __init__(self, bounds: Bounds, observer: Observer) -> None:
        self.name = bounds.name
        self.used, self.observed = observer.used, True
        self.cells: dict[Cell, list[int]] = defaultdict(list)  # the steps in which a row has a part
        cluster = Sharing(**{field: getattr(bounds, field) for field in bounds._fields[1:]}, policy=DEFAULT)
        for party in cluster.parties:
            party.strides = NONE  # which would go on doing what is right
        super().__init__(cluster)
        found = Independence(self).explore()
        if found.violations:
            raise ValueError(f"{bounds.name}: something is wrong without a mutant: {found.violations[0][0]}")

    def new_step(self, before: int, told: int) -> int:
        self.used.clear()
        number = super().new_step(before, told)
        for cell in self.used if self.observed else ():
            self.cells[cell].append(number)
        if not self.observed:
            self.racing.add(self.steps[number])  # nobody knows with what it commutes
        return number

    def differing(self, mutant: Mutant) -> dict[int, int]:
        """Return the steps in which a mutant, which runs, does something else: as looked up -> their numbers."""
        self.observed = False
        found: dict[int, int] = {}
        for number in self.cells.get((mutant.state, mutant.event), ()):
            true = self.steps[number]
            new = self.take(true.before, true.told)
            if (new.after, new.sent) != (true.after, true.sent):
                found[true.before << HALF | true.told] = self.new_step(true.before, true.told)
        return found


class Grounds:
    """All models, and the mutants that can be made of the rows that run in them and on walks."""

    def __init__(self) -> None:
        with observed() as observer:
            self.models = [Ground(bounds, observer) for bounds in MODELS]
            self.walks: dict[Cell, list[tuple[int, str]]] = defaultdict(list)  # on which a row runs: seed, kind
            for seed, kind in product(range(WALKS), WORLDS):
                observer.used.clear()
                walk(seed, **WORLDS[kind])
                for cell in observer.used:
                    self.walks[cell].append((seed, kind))
        self.mutants = observer.mutants()

    def judge(self, mutant: Mutant, seconds_max: float) -> Verdict:
        """Look for a mutant; it changes what is known of the models, so do it in a copy of this process.

        Args:
            mutant: what to look for.
            seconds_max: how long.
        """
        start, differs = time.perf_counter(), list[str]()
        with fault(mutant):
            for model in self.models:
                left = seconds_max - (time.perf_counter() - start)
                steps = model.differing(mutant) if left > 0 else {}
                if not steps:
                    continue
                differs.append(model.name)
                model.step.known.update(steps)
                found = search(model, seconds_max=left)
                for what, _ in found.violations:
                    return Verdict(mutant, model.name, what, tuple(differs), time.perf_counter() - start)
            for seed, kind in self.walks[mutant.state, mutant.event]:
                if time.perf_counter() - start > seconds_max:
                    break
                try:
                    walk(seed, **WORLDS[kind])
                except Exception as error:  # whatever a mutant has brought about
                    what = f"{type(error).__name__}: {error}"
                    by = f"walk {seed}, {kind}"
                    return Verdict(mutant, by, what, tuple(differs), time.perf_counter() - start)
        return Verdict(mutant, "", "", tuple(differs), time.perf_counter() - start)


def judged(grounds: Grounds, seconds_max: float, mutants: list[Mutant], processes: int = 0) -> Iterator[Verdict]:
    """Yield what becomes of mutants, each looked for in a process of its own."""
    gc.collect()
    gc.freeze()  # what is shared with those processes stays shared
    context = get_context("fork")
    with context.Pool(processes or os.cpu_count(), stand_on, (grounds,), maxtasksperchild=1) as pool:
        yield from pool.imap(partial(judge, seconds_max), mutants, chunksize=1)


def stand_on(grounds: Grounds) -> None:
    """Keep what a process has inherited, and cannot be sent."""
    GROUNDS.append(grounds)


def judge(seconds_max: float, mutant: Mutant) -> Verdict:
    """Look for a mutant in this process."""
    return GROUNDS[-1].judge(mutant, seconds_max)
