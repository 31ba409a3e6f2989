"""A random walk through the behaviours of a small cluster: users, network, timers and deaths, all by one seed.

Every step is one choice, drawn from a generator that is made from the seed; after each the properties are
checked.  At the end faults stop, user code returns and forgets everything, and the cluster must come to rest
with every call returned and nothing kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from freehold.core.ids import HEAD, is_node, owner_of
from freehold.core.policies import Policy
from freehold.core.promotion import PENDING
from freehold.core.resolution import ASKING, PULLING
from freehold.core.values import Shape, Want
from freehold.core.worker import Worker
from freehold.specs.walks.trial import Trial
from freehold.specs.walks.users import LARGE, SMALL, Frame

WORLDS: dict[str, dict[str, Any]] = {  # the kinds of walks that are taken
    "calm": {},
    "deaths": {"deaths": 2},
    "cut links": {"cuts": 2},
    "deaths and cut links": {"deaths": 2, "cuts": 2, "cancels": True},
    "cancels": {"cancels": True},
    "tight limits": {"tight": True},
    "values in replies": {"borrow": "copy"},
    "everything": {"deaths": 2, "cancels": True, "tight": True},
    "losses": {"deaths": 3, "losing": True},
    "losses and tight limits": {"deaths": 3, "losing": True, "tight": True, "cancels": True},
    "full stores": {"crowded": True},
    "full stores and cut links": {"crowded": True, "cuts": 2},
    "relays": {"relay": True},
    "relays that are lost": {"losing": True, "deaths": 3, "relay": True, "cancels": True},
}
FETCHING = (ASKING, PULLING)
READS = ("drop", "put", "submit", "get", "get", "get", "get", "get", "wait", "future", "keep", "recall", "lose")
ACTS = ("drop", "drop", "put", "submit", "submit", "get", "get", "wait", "future", "keep", "recall", "lose", "cancel")


class Walk(Trial):
    """A cluster of two or three nodes with two programs, and a generator that decides everything.

    Args:
        seed: of the generator.
        deaths: how many workers and nodes may die.
        cuts: how many links may break, of two that can live without.
        cancels: whether users cancel tasks.
        tight: whether object stores are so small that copies must be evicted.
        losing: whether values are large and it is nodes that die, so that tasks run again.
        crowded: whether values are large and read on many nodes, so that copies that nobody reads are evicted.
        borrow: the policy of that name.
        relay: the policy of that name; values are large then, and read on many nodes.
    """

    def __init__(
        self,
        seed: int,
        *,
        deaths: int = 0,
        cuts: int = 0,
        cancels: bool = False,
        tight: bool = False,
        losing: bool = False,
        crowded: bool = False,
        borrow: str = "",
        relay: bool = False,
    ):
        self.random = Random(seed)
        self.deaths = deaths
        self.cuts_left = cuts
        self.tight = tight
        self.losing = losing
        self.crowded = crowded
        self.spread = 5 if relay else 3 if crowded else 0  # nodes on which tasks are placed to read
        self.large = losing or crowded or relay
        self.does = READS if self.spread else ACTS[losing:]
        borrow = borrow or self.random.choice(("promote", "copy"))
        policy = Policy(
            inline_bytes_max=LARGE // 2,
            borrow=borrow,  # type: ignore[arg-type]
            location=self.random.choice(("nearest", "random")),
            seed=seed,
            chunk_bytes=LARGE // 12 if relay else LARGE * 2 // 5,
            chunks_in_flight=self.random.choice((1, 2, 3)),
            relay=relay,
            queue_max=3,
            workers_max=self.random.choice((2, 3, 12)),
            lineage_bytes_max=self.random.choice((1500, 2**30)) if losing else 2**30,
        )
        nodes = 5 if losing or relay else 3 if crowded else self.random.choice((1, 2, 3))
        workers = tuple([1 if self.large else self.random.choice((0, 1, 2)) for _ in range(nodes)])
        super().__init__(
            policy, (2 if crowded else 3 if tight else 1000) * LARGE, workers, (0, 0 if losing else nodes - 1)
        )
        self.cancels = self.cancelling = cancels

    # ------------------------------------------------------------------ one step

    def step(self) -> None:
        """Do one thing, and check what must always be true."""
        chance = self.random.random()
        if chance < 0.55 and not self.quiet():
            self.progress()
        elif chance < 0.57 and self.timers:
            self.fire(*self.random.choice(list(self.timers)))
        elif chance < 0.58 and self.deaths:
            self.die()
        elif chance < 0.59 and self.cuts_left:
            self.part()
        elif chance < 0.68:
            self.housekeeping()
        else:
            self.act()
        self.check()

    def progress(self) -> None:
        """Deliver one message or answer."""
        choices: list[tuple[int, int, int]] = [(0, *pair) for pair in self.channels]
        choices += [(1, party, index) for party, owed in self.answers.items() for index in range(len(owed))]
        kind, a, b = self.random.choice(choices)
        if kind:
            self.answer(a, b)
        else:
            self.deliver(a, b)

    def die(self) -> None:
        """End a worker, or a node with its workers; not the head node, with which the cluster ends."""
        mortal = [party for party in self.parties if party != HEAD]
        nodes = [party for party in mortal if is_node(party)]
        if self.losing:  # those that have something to lose
            victims = [node for node in nodes if any(stored.token for stored in self.stores[node].values())]
        else:
            victims = nodes if nodes and self.random.random() < 0.2 else [p for p in mortal if not is_node(p)]
        fetched = sorted(self.awaited_owners().intersection(mortal))
        if fetched and self.random.random() < (0.2 if self.losing else 0.5):
            victims = fetched
        if victims:
            self.deaths -= 1
            self.crash(self.random.choice(victims), lambda waiting: self.random.randint(0, waiting))

    def awaited_owners(self) -> set[int]:
        """Return the owners of values that somebody is fetching."""
        workers = [party for party in self.parties.values() if isinstance(party, Worker)]
        return {owner_of(r.object) for worker in workers for r in worker.resolution.values() if r.state in FETCHING}

    def part(self) -> None:
        """Break a link."""
        pairs = self.separable()
        if pairs:
            self.cuts_left -= 1
            self.cut(*self.random.choice(pairs), lambda waiting: self.random.randint(0, waiting))

    def housekeeping(self) -> None:
        """Let a process look after its dead references, or end a view."""
        if not self.processes:
            return
        me = self.random.choice(list(self.processes))
        p = self.processes[me]
        if p.views and self.random.random() < 0.5:
            self.drop_view(me, self.random.randrange(len(p.views)))
        else:
            self.drain(me)

    # ------------------------------------------------------------------ user code

    def act(self) -> None:
        """Let one thread of user code do one thing."""
        frames = [p.frames[-1] for p in self.processes.values() if p.frames]
        if not frames:
            return
        frame = self.random.choice(frames)
        if frame.request:
            if self.random.random() < 0.05:
                self.abandon(frame)
        elif frame.interrupted and frame.run is not None:
            self.leave(frame, [None] * frame.run.description.returns)
        elif frame.run is not None and self.random.random() < 0.2:
            self.leave(frame, self.outcomes(frame))
        else:
            self.move_on(frame)

    def move_on(self, frame: Frame) -> None:
        """Do one of the things that user code does with references."""
        r = self.random
        match r.choice(self.does):
            case "put":
                self.put(frame, r.choice((SMALL, LARGE)), self.some(frame, 2))
            case "submit" if len(frame.handles) < 12:
                function = r.choice(self.functions) if not frame.run else frame.run.description.function
                if self.processes[frame.worker].handles[function]:
                    slots = [r.choice(frame.handles) for _ in range(r.choice((0, 1, 1, 2))) if frame.handles]
                    retries = r.choice((0, 2, 5) if self.losing else (0, 1))
                    where = ((f"node:{r.randrange(self.spread)}", 0.001),) if self.spread else ()
                    shape: Shape = (("CPU", 1.0), *where)
                    self.submit(frame, function, slots, self.some(frame, 2), r.choice((0, 1, 1, 2)), retries, shape)
            case "get" if frame.handles:
                self.wait(frame, self.some(frame, 2) or frame.handles[:1], 0, Want.GET, r.choice((-1.0, -1.0, 1.0)))
            case "wait" if frame.handles:
                objects = self.some(frame, 3) or frame.handles[:1]
                want = r.choice((Want.WAIT, Want.LOOK))
                self.wait(frame, objects, r.randint(1, len(objects)), want, r.choice((-1.0, 1.0)))
            case "future" if frame.handles:
                self.future(frame, r.choice(frame.handles))
            case "drop" if frame.handles:
                self.drop(frame, r.randrange(len(frame.handles)))
            case "keep" if frame.handles and frame.run:
                self.copy(frame, r.choice(frame.handles))
            case "recall" if self.kept_by(frame):
                self.recall(frame, r.choice(self.kept_by(frame)))
            case "lose" if self.kept_by(frame):
                self.lose(frame, r.choice(self.kept_by(frame)))
            case "cancel" if self.cancels and frame.handles:
                self.cancel(frame, r.choice(frame.handles), r.random() < 0.2)

    def kept_by(self, frame: Frame) -> list[int]:
        """Return what earlier tasks have left in global variables, but for what may wait for this one."""
        return [object for object in self.processes[frame.worker].kept if frame.run and not self.is_awaited(object)]

    def is_awaited(self, object: int) -> bool:
        """Tell whether a task is still to produce the object."""
        owner = self.parties.get(owner_of(object))
        return isinstance(owner, Worker) and object in owner.promotion and owner.promotion[object].state is PENDING

    def some(self, frame: Frame, most: int) -> list[int]:
        """Choose some references that a thread has."""
        distinct = list(dict.fromkeys(frame.handles))
        return self.random.sample(distinct, min(len(distinct), self.random.randint(0, most)))

    def outcomes(self, frame: Frame) -> list[tuple[int, Sequence[int]] | None]:
        """Choose what a task returns; what is large may be larger or smaller when it runs again."""
        assert frame.run is not None
        large = LARGE - frame.run.attempt % 3
        r, sizes = self.random, (SMALL, large, large, large) if self.large else (SMALL, large)
        task, count = frame.run.task, frame.run.description.returns
        own = {*range(task, task + count)}  # which it may know from a global variable of its caller, and not return
        return [
            None
            if r.random() < 0.1
            else (r.choice(sizes), [ref for ref in self.some(frame, 2) if not self.inside(ref) & own])
            for _ in range(count)
        ]

    def finish(self) -> None:
        self.deaths, self.cuts_left, self.cancels = 0, 0, False
        super().finish()


def walk(seed: int, steps: int = 300, kind: type[Walk] = Walk, **options: bool | int | str) -> Walk:
    """Take so many steps in a world of some kind, then bring the cluster to rest."""
    world = kind(seed, **options)  # type: ignore[arg-type]
    for _ in range(steps):
        world.step()
    world.finish()
    return world
