"""Mutants are looked for: in the models, everything that can happen in them; in scenarios and schedules; on walks.

A model is searched once with the true tables, which shows in which steps of its parties each row has a part.  A mutant
of a row that does the same in every one of these steps is the same table, as far as the model goes.  Otherwise these
steps alone are taken anew, and the search begins again, with all else at hand.
"""

from __future__ import annotations

import gc
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, count, product
from multiprocessing import get_context
from typing import Any, NamedTuple
from unittest.mock import patch

from freehold.core import worker
from freehold.core.effects import Effect
from freehold.core.events import Event
from freehold.core.party import Party
from freehold.core.strides import NONE
from freehold.specs.conformance import run
from freehold.specs.explorer import beside, plain
from freehold.specs.explorer.automata import System, Taken
from freehold.specs.explorer.bounds import Bounds
from freehold.specs.explorer.independence import Independence
from freehold.specs.explorer.numbering import HALF
from freehold.specs.explorer.sharing import Sharing
from freehold.specs.instead import Cell, instead
from freehold.specs.mutants.equivalent import reason
from freehold.specs.mutants.faults import Met, Mutant, Observer, compared, fault, observed
from freehold.specs.properties import insist
from freehold.specs.records import agree
from freehold.specs.scenario import Scenario, hosts, scenarios
from freehold.specs.schedules.stage import Elsewhere, Schedule, schedules
from freehold.specs.walks.walk import WORLDS, Walk, walk

NESTED, KEPT = ("0 nests", "0 drops", "0 calls 1"), ("1 keeps", "0 drops")
FOUND = (*NESTED, *KEPT, "1 gets y", "1 drops x", "0 lags", "1 reads y")  # again; its owner is yet to hear of it
LENT_ON = ("1 nests x", "1 calls 2 z", "2 gets z", "2 calls 3 x", "3 keeps", "2 keeps", "1 drops", "1 drops", "1 drops")
MODELS = (
    Bounds("lend", processes=2, acts=5, calls=3),
    Bounds("copy", processes=2, acts=4, calls=1, gets=True),
    Bounds("return", processes=2, acts=4, calls=2, returns=True),
    Bounds("nest", processes=2, objects=2, acts=4, calls=2),
    Bounds("three lend", acts=5, calls=3),
    Bounds("copy and return", processes=2, acts=4, calls=2, returns=True, gets=True),
    Bounds("values", processes=2, acts=4, calls=2, returns=True, values=True),
    Bounds("large", processes=2, acts=4, calls=2, gets=True, values=True, views=True, large=True),
    Bounds("lend and die", acts=5, calls=3, deaths=1),
    Bounds("copy and die", processes=2, acts=5, calls=2, deaths=1, gets=True),
    Bounds("large and die", processes=2, acts=4, calls=2, deaths=1, gets=True, values=True, views=True, large=True),
    Bounds("large return", processes=2, acts=3, calls=1, deaths=1, returns=True, gets=True, large=True),
    Bounds("one node", 2, acts=3, calls=1, deaths=1, nodes=1, returns=True, gets=True, large=True, retries=1),
    Bounds("node", processes=2, acts=4, calls=2, node_deaths=1, gets=True, values=True, large=True),
    Bounds("rebuild", nodes=2, acts=3, calls=1, node_deaths=1, returns=True, gets=True, large=True, retries=1),
    Bounds("lend and lose", acts=3, calls=2, cuts=1),
    Bounds("relay", acts=3, calls=2, node_deaths=1, values=True, large=True, relay=True),
    Bounds("relay and get", acts=3, calls=2, gets=True, values=True, large=True, relay=True),
    Bounds("lent on and die", 4, acts=2, calls=0, deaths=1, before=("0 calls 1", "1 calls 2", "2 calls 3")),
    Bounds("kept and die", 4, acts=3, calls=0, deaths=1, before=("0 calls 1", "1 keeps", "1 calls 2", "2 calls 3")),
    Bounds("read and die", 3, 2, acts=3, calls=1, deaths=1, gets=True, replies=True, before=(*NESTED, "0 drops")),
    Bounds("inside and die", 3, 2, acts=3, calls=1, deaths=1, gets=True, replies=True, before=(*NESTED, *KEPT)),
    Bounds("found again and die", 4, 3, acts=1, calls=0, deaths=1, gets=True, replies=True, before=(*FOUND, *LENT_ON)),
    Bounds("two die", processes=4, nodes=2, acts=2, calls=0, deaths=2, before=("0 calls 1", "1 calls 3")),
)
SIMULATED, NODES = "sim", 3  # where programs run, on so many nodes; but limits are meant for as few as they need
HANGS = 30.0  # seconds after which a program has not ended, or has left something, however busy the machine is
MANY = 100  # records of a party, at each step of which nobody looks at all of them
HANDLE = Party.handle
GROUNDS: list[Grounds] = []  # of this process, if it is one that looks for a mutant
WALKS = 50  # of each kind, on which it is seen which rows run
ENOUGH = 500  # situations on walks, or in programs, in which a mutant has done what its row does: it is the same
EXCUSED = 1 / 6  # of the time that others have has one for which there is a reason that nothing comes of it


class Verdict(NamedTuple):
    """What has become of a mutant."""

    mutant: Mutant
    by: str  # what has found it, "" if nothing has
    why: str  # what was wrong
    differs: tuple[str, ...]  # where it does something else than the true row, however little
    situations: int  # in models and on walks, in which it was compared with the true row
    seconds: float


class ByTables(Walk):
    """A walk of parties that take no strides: one would go on doing what is right."""

    strides = False


class Twice:
    """Lets parties take each step by the true tables, and tries a mutant wherever its row runs."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.observer = Observer()
        self.met = Met()

    @contextmanager
    def watching(self) -> Iterator[Met]:
        """See where the row runs."""
        cell = self.mutant.state, self.mutant.event
        with instead({cell: self.observer.watched(cell, self.mutant.state.rows[self.mutant.event])}):
            yield self.met

    def step(self, party: Party, take: Callable[[], list[tuple[int, Effect]]]) -> list[tuple[int, Effect]]:
        """Let a party take a step, and take it with the mutant as well if its row has a part in it."""
        before, base = party.snapshot(), party.step
        self.observer.used.clear()
        effects = take()
        if self.observer.used:
            after, last = party.snapshot(), party.step
            party.restore(before)
            party.step = base
            self.met.situations += 1
            try:
                with fault(self.mutant):
                    wrong = take()
                self.met.differs |= (asked(wrong), kept(party.snapshot())) != (asked(effects), kept(after))
            except Exception:  # whatever a mutant has brought about
                self.met.differs = True
            party.restore(after)
            party.step = last
        return effects


class Compared(ByTables):
    """A walk by the true tables, on which a mutant is tried wherever its row runs."""

    twice: Twice

    def handle(self, party: Party, event: Event, cause: int) -> list[tuple[int, Effect]]:
        return self.twice.step(party, partial(super().handle, party, event, cause))


def asked(effects: list[tuple[int, Effect]]) -> dict[Any, list[Effect]]:
    """Return what a party asks for, sorted apart: messages to others, timers, calls and copies overtake each other."""
    found: dict[Any, list[Effect]] = defaultdict(list)
    for _, effect in effects:
        name = effect.__struct_fields__[0] if effect.__struct_fields__ else ""
        found[name, getattr(effect, name, None)].append(effect)
    return found


def kept(snapshot: tuple[Any, ...]) -> list[Any]:
    """Return what a party has written down, in whatever order."""
    counter, *tables = snapshot
    return [counter, *map(dict, tables)]


class Ground(System):
    """A model that has been searched with the true tables."""

    def __init__(self, bounds: Bounds, observer: Observer) -> None:
        self.name, self.bounds = bounds.name, bounds
        self.used, self.observed = observer.used, True
        self.cells: dict[Cell, list[Taken]] = defaultdict(list)  # the steps, also guessed, in which a row has a part
        super().__init__(Sharing(bounds, strides=False))  # a stride would go on doing what is right
        self.independence = Independence(self)
        found = self.independence.explore()
        if found.violations:
            raise ValueError(f"{bounds.name}: something is wrong without a mutant: {found.violations[0][0]}")

    def take(self, before: int, told: int) -> Taken:
        self.used.clear()
        step = super().take(before, told)
        for cell in self.used if self.observed else ():
            self.cells[cell].append(step)
        return step

    def changed(self, mutant: Mutant) -> bool:
        """Take anew the steps in which a mutant, which runs, has a part; tell whether one that was seen is another."""
        self.observed = False
        changed, known = False, self.independence
        for true in self.cells.get((mutant.state, mutant.event), ()):
            known.guessed.pop((true.before, true.told), None)
            new = self.take(true.before, true.told)
            if as_seen(new) != as_seen(true):
                for step in (true, *known.leaving[true.before], *known.entering[true.before]):
                    known.race(step)  # that it commutes was found with the true one
                if self.step.known_of(true.before, true.told) is not None:
                    changed = True
                    self.step.known[true.before << HALF | true.told] = self.new_step(true.before, true.told)
        return changed

    def wrong_with(self, seconds_max: float) -> str:
        """Return what is wrong in the model now, "" if nothing is, or was found in so much time."""
        found = self.independence.explore_with(self.bounds.acts - 1, seconds_max=seconds_max)
        return found.violations[0][0] if found.violations else ""


class Grounds:
    """All models, and the mutants that can be made of the rows that run in them, on walks and in programs."""

    def __init__(self) -> None:
        self.programs: dict[Cell, list[Scenario]] = defaultdict(list)  # in which a row runs
        with observed() as observer:
            with patch.object(worker, "chosen", lambda strides: NONE):
                hosted = [one for one in scenarios() if not one.obstacle(hosts(SIMULATED), NODES)]
                for program in sorted(hosted, key=lambda one: -len(one.init)):  # those with limits of their own first
                    observer.used.clear()
                    run(SIMULATED, program, nodes_of(program))
                    for cell in observer.used:
                        self.programs[cell].append(program)
            self.schedules: dict[Cell, list[Schedule]] = defaultdict(list)  # in which a row runs
            for by_hand in schedules().values():
                observer.used.clear()
                by_hand.run()
                for cell in observer.used:
                    self.schedules[cell].append(by_hand)
            self.models = [Ground(bounds, observer) for bounds in MODELS]
            self.walks: dict[Cell, list[tuple[int, str]]] = defaultdict(list)  # on which a row runs: seed, kind
            for seed, kind in product(range(WALKS), WORLDS):
                observer.used.clear()
                walk(seed, kind=ByTables, **WORLDS[kind])
                for cell in observer.used:
                    self.walks[cell].append((seed, kind))
            self.beside: dict[Cell, list[str]] = defaultdict(list)  # models beside the parties in which a row runs
            for name, model in beside.QUICK.items():
                observer.used.clear()
                plain.gone_through(model)
                for cell in observer.used:
                    self.beside[cell].append(name)
        self.mutants = observer.mutants()

    def judge(self, mutant: Mutant, seconds_max: float) -> Verdict:
        """Look for a mutant; it changes what is known of the models, so do it in a copy of this process.

        Args:
            mutant: what to look for.
            seconds_max: how long.
        """
        start, differs, situations = time.perf_counter(), list[str](), 0

        def left() -> float:
            return seconds_max - (time.perf_counter() - start)

        def verdict(by: str = "", why: str = "", situations: int = 0) -> Verdict:
            return Verdict(mutant, by, why, tuple(differs), situations, time.perf_counter() - start)

        for name in self.beside[mutant.state, mutant.event]:
            with compared(mutant) as met:
                plain.gone_through(beside.QUICK[name])
            situations += met.situations
            differs += [name] if met.differs else []
            if what := self.wrong_beside(mutant, name, left()) if met.differs else "":
                return verdict(name, what)
        with fault(mutant):
            for model in self.models:
                if (rest := left() - seconds_max / 2) <= 0 or not model.changed(mutant):
                    continue  # half of the time is for programs, and then for walks
                differs.append(model.name)
                if what := model.wrong_with(rest):
                    return verdict(model.name, what)
            for by_hand in self.schedules[mutant.state, mutant.event]:
                if what := self.wrong_by_hand(by_hand):
                    return verdict(f"schedule {by_hand}", what)
            for program in self.programs[mutant.state, mutant.event]:
                if left() > seconds_max / 4 and (what := self.wrong_in(program)):
                    return verdict(f"scenario {program}", what)
        ways = self.walks[mutant.state, mutant.event]
        situations += sum([len(model.cells.get((mutant.state, mutant.event), ())) for model in self.models])
        alike = 0
        for name, go in self.places(mutant) if not (differs or reason(mutant)) else ():
            met = tried(mutant, go)
            alike += met.situations
            differs += [name] if met.differs else []
            if met.differs or alike > ENOUGH:
                break
        situations += alike
        for seed, kind in chain(ways, self.more_of(ways)) if differs else ():
            if left() <= 0:
                break
            with fault(mutant):
                what = self.wrong_on(seed, kind)
            if what:
                if true := self.wrong_on(seed, kind):  # nobody may have taken this walk before
                    raise ValueError(f"walk {seed}, {kind}: something is wrong without a mutant: {true}")
                return verdict(f"walk {seed}, {kind}", what)
        return verdict(situations=situations)

    def more_of(self, ways: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """Yield more walks, without end, of the kinds on which a row runs most often first."""
        kinds = [kind for kind, _ in Counter(kind for _, kind in ways).most_common()]
        return ((seed, kind) for seed in count(WALKS) for kind in kinds) if kinds else iter(())

    def wrong_on(self, seed: int, kind: str) -> str:
        """Return what is wrong on a walk now, "" if nothing is."""
        try:
            walk(seed, kind=ByTables, **WORLDS[kind])
        except Exception as error:  # whatever a mutant has brought about
            return f"{type(error).__name__}: {error}"
        return ""

    def wrong_in(self, program: Scenario) -> str:
        """Return what is wrong with a program now, or with what a party has written down, "" if nothing is."""
        try:
            run_by_tables(program, looked_after)
        except Exception as error:  # whatever a mutant has brought about
            return f"{type(error).__name__}: {error}"
        return ""

    def wrong_by_hand(self, by_hand: Schedule) -> str:
        """Return what is wrong on a schedule now, "" if nothing is, or its situation does not come about."""
        try:
            by_hand.run()
        except Elsewhere:
            return ""
        except Exception as error:  # whatever a mutant has brought about
            return f"{type(error).__name__}: {error}"
        return ""

    def wrong_beside(self, mutant: Mutant, name: str, seconds_max: float) -> str:
        """Return what is wrong in a model beside the parties if a mutant runs there, "" if nothing is."""
        try:
            with fault(mutant):
                return plain.gone_through(beside.QUICK[name], seconds_max).wrong
        except Exception as error:  # whatever a mutant has brought about
            return f"{type(error).__name__}: {error}"

    def places(self, mutant: Mutant) -> Iterator[tuple[str, Callable[[Twice], Any]]]:
        """Yield the walks and programs in which a mutant's row runs: what each is called, and what goes through it."""
        for seed, kind in self.walks[mutant.state, mutant.event]:
            yield f"walk {seed}, {kind}", partial(watched_on, seed, kind)
        for program in self.programs[mutant.state, mutant.event]:
            yield f"scenario {program}", partial(watched_in, program)


def tried(mutant: Mutant, go: Callable[[Twice], Any]) -> Met:
    """Return whether a mutant does something else than its row in a program or on a walk."""
    twice = Twice(mutant)
    with twice.watching():
        go(twice)
    return twice.met


def watched_in(program: Scenario, twice: Twice) -> None:
    """Run a program, and watch each step of its parties."""

    def handle(party: Party, event: Event, now: float = 0.0, cause: int = 0) -> list[tuple[int, Effect]]:
        return twice.step(party, partial(HANDLE, party, event, now, cause))

    run_by_tables(program, handle)


def run_by_tables(program: Scenario, handle: Callable[..., list[tuple[int, Effect]]]) -> None:
    """Run a program whose parties take no strides, and each step in this way."""
    with patch.object(worker, "chosen", lambda strides: NONE), patch.object(Party, "handle", handle):
        run(SIMULATED, program, nodes_of(program), seconds=HANGS)


def watched_on(seed: int, kind: str, twice: Twice) -> None:
    """Take a walk, and watch each step of its parties."""
    walk(seed, kind=type("Once", (Compared,), {"twice": twice}), **WORLDS[kind])


def as_seen(step: Taken) -> tuple[Any, ...]:
    """Return what there is to see of a step; messages to others overtake each other."""
    return step.after, sorted(step.sent), step.ends, step.doubt


def looked_after(party: Party, event: Event, now: float = 0.0, cause: int = 0) -> list[tuple[int, Effect]]:
    """Let a party take its steps, and look at what it has written down, unless that is too much."""
    effects = HANDLE(party, event, now, cause)
    if sum(map(len, party.records)) < MANY:
        insist(agree(party))
    return effects


def nodes_of(program: Scenario) -> int:
    """Return on how many nodes a program runs."""
    return program.nodes if program.init else NODES


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
    return GROUNDS[-1].judge(mutant, seconds_max * EXCUSED if reason(mutant) else seconds_max)
