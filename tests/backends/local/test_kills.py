"""kill -9 at random points: every get ends with the right value or the right error, and nothing is left behind.

A round builds one situation, kills one process after a random pause, and looks at everything that was asked for.
A round is named by its number: its choices are drawn from that, so that one which fails can be run alone.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest

import freehold
from freehold.core import cluster
from freehold.exceptions import (
    FreeholdError,
    NodeDiedError,
    ObjectLostError,
    OwnerDiedError,
    TaskUnschedulableError,
    WorkerCrashedError,
)
from freehold.specs import scenario

pytestmark = [pytest.mark.local, pytest.mark.slow, pytest.mark.timeout(100)]

SIZES = (10, 20_000, 200_000)  # elements: small, a little above the inline limit, several chunks with chunk_bytes
KINDS = ("worker", "borrower", "owner", "node", "source", "lender", "lost")
GET_SECONDS = 30
NODE_GONE = (WorkerCrashedError, NodeDiedError, ObjectLostError, TaskUnschedulableError)


@freehold.remote
def work(seed: int, count: int, *rest: Any) -> tuple[int, Any]:
    """Take a while; return the process and an array that follows from the arguments."""
    time.sleep(random.Random(seed).uniform(0, 0.02))
    base = sum(int(array[0]) for _, array in rest)
    return os.getpid(), np.arange(count) + seed + base


@freehold.remote
def keep(holder: list[Any]) -> int:
    """Keep borrowed references in this process, and use them."""
    scenario.keep("holder", holder)
    freehold.get(holder)
    return os.getpid()


@freehold.remote
def own(seed: int, count: int) -> tuple[int, list[Any]]:
    """Return references to objects that this process owns: a put, and what its own task returns."""
    return os.getpid(), [freehold.put((0, np.arange(count) + seed)), work.remote(seed, count)]


@freehold.remote
def pass_on(holder: list[Any], depth: int) -> Any:
    """Get through a chain of borrowers."""
    if depth:
        return freehold.get(pass_on.remote(holder, depth - 1))
    return freehold.get(holder[0])


@freehold.remote
def lend(holder: list[Any], node: int) -> int:
    """Keep borrowed references in this process, and in one of another node."""
    scenario.keep("holder", holder)
    freehold.get(keep.options(node=node).remote(holder))
    return os.getpid()


@freehold.remote
def kept() -> Any:
    """Read what was kept, and forget it."""
    return freehold.get(scenario.forget("holder")[0])


def killed_later(pid: int, pause: float) -> threading.Timer:
    """Kill a process after a pause."""
    timer = threading.Timer(pause, lambda: kill(pid))
    timer.start()
    return timer


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


class Storm:
    """Rounds of one cluster, each with one kill."""

    def __init__(self, watch: Any, eventually: Any) -> None:
        self.watch, self.eventually = watch, eventually
        self.ends: Counter[str] = Counter()  # how gets ended
        self.cluster = freehold.Cluster(num_cpus=2, object_store_memory=2**26, chunk_bytes=2**18)

    def check(self, ref: Any, seed: int, count: int, *errors: type[Exception]) -> None:
        """Get a value and compare it; or end with one of the errors."""
        try:
            _, array = freehold.get(ref, timeout=GET_SECONDS)
        except errors as error:
            self.ends[type(error).__name__] += 1
            return
        assert array.shape == (count,) and (array == np.arange(count) + seed).all()
        self.ends["value"] += 1

    def workers(self) -> list[int]:
        """Return the processes of the head node that run tasks, or are about to."""
        return [pid for role, pid in self.watch.roles().items() if role.startswith("worker 0")]

    def worker(self, dice: random.Random, seed: int) -> None:
        """A worker dies amid tasks; each is run again."""
        count = dice.choice(SIZES)
        first = work.remote(seed, count)
        refs = [first] + [work.remote(seed + i, count) for i in range(6)]
        chained = [work.remote(0, count, ref) for ref in refs]
        timer = killed_later(dice.choice(self.eventually(self.workers)), dice.uniform(0, 0.03))
        for i, ref in enumerate(refs):
            self.check(ref, seed + max(0, i - 1), count)
        for i, ref in enumerate(chained):
            self.check(ref, seed + max(0, i - 1), count)
        timer.join()

    def borrower(self, dice: random.Random, seed: int) -> None:
        """A process that keeps references dies; its owner and the others that hold them do not mind."""
        count = dice.choice(SIZES)
        holder = [freehold.put((0, np.arange(count) + seed)), work.remote(seed, count)]
        pid = freehold.get(keep.remote(holder), timeout=GET_SECONDS)
        chain = pass_on.remote(holder, dice.randrange(3))
        timer = killed_later(pid, dice.uniform(0, 0.02))
        for ref in (*holder, chain):
            self.check(ref, seed, count)
        timer.join()

    def owner(self, dice: random.Random, seed: int) -> None:
        """The owner of objects dies that the program and another worker borrow."""
        count = dice.choice(SIZES)
        pid, refs = freehold.get(own.remote(seed, count), timeout=GET_SECONDS)
        chain = pass_on.options(max_retries=0).remote(refs, 1)
        timer = killed_later(pid, dice.choice((0, dice.uniform(0, 0.03))))
        for ref in refs:
            self.check(ref, seed, count, OwnerDiedError)
        self.check(chain, seed, count, OwnerDiedError, WorkerCrashedError)
        timer.join()
        for ref in refs:  # one outcome for ever, or at least a right one
            self.check(ref, seed, count, OwnerDiedError)

    def node(self, dice: random.Random, seed: int) -> None:
        """A node dies with its workers and its store."""
        count = dice.choice(SIZES)
        node = self.cluster.add_node(num_cpus=2)
        there = work.options(node=node, max_retries=0)
        if dice.random() < 0.8:
            freehold.get(there.remote(seed, 1), timeout=GET_SECONDS)  # its workers have started
        refs = [there.remote(seed, count) for _ in range(4)]
        chained = [work.remote(0, count, ref) for ref in refs]
        pid = self.eventually(lambda: self.watch.roles().get("node 1"))
        timer = killed_later(pid, dice.uniform(0, 0.06))
        for ref in (*refs, *chained):
            self.check(ref, seed, count, *NODE_GONE)
        timer.join()
        assert self.eventually(lambda: len(freehold.nodes()) == 1)

    def source(self, dice: random.Random, seed: int) -> None:
        """The source of transfers dies amid them; what has a copy elsewhere is had from there."""
        count = SIZES[-1]
        node, other = (self.cluster.add_node(num_cpus=1) for _ in range(2))
        ref = work.options(node=node).remote(seed, count)
        if copied := dice.random() < 0.5:
            freehold.get(pass_on.options(node=other).remote([ref], 0), timeout=GET_SECONDS)
        else:
            freehold.wait([ref], fetch_local=False)
        pid = self.eventually(lambda: self.watch.roles().get("node 1"))
        timer = killed_later(pid, dice.uniform(0, 0.01))
        self.check(ref, seed, count, *(() if copied else (ObjectLostError, TaskUnschedulableError)))
        timer.join()
        self.cluster.remove_node(other, graceful=False)
        assert self.eventually(lambda: len(freehold.nodes()) == 1)

    def lender(self, dice: random.Random, seed: int) -> None:
        """A process dies that has passed a reference on; whoever has it from there reads it, as nobody else does."""
        count = dice.choice(SIZES)
        node, other = (self.cluster.add_node(num_cpus=1) for _ in range(2))
        pid = freehold.get(lend.options(node=node).remote([freehold.put((0, np.arange(count) + seed))], other))
        freehold.get(work.options(node=other).remote(seed, 1))  # its worker is lent to us now, not to the one that dies
        timer = killed_later(pid, dice.uniform(0, 0.02))
        if dice.random() < 0.5:
            timer.join()
        self.check(kept.options(node=other).remote(), seed, count)
        timer.join()
        for gone in (node, other):
            self.cluster.remove_node(gone, graceful=False)
        assert self.eventually(lambda: len(freehold.nodes()) == 1)

    def lost(self, dice: random.Random, seed: int) -> None:
        """A node dies with large results; what is needed of them is computed again on another."""
        count = SIZES[-1]
        self.cluster.add_node(num_cpus=1, fast=4)
        there = work.options(num_cpus=0, resources={"fast": 1})
        first = there.remote(seed, count)
        chain = [there.remote(0, count, first)]
        for _ in range(dice.randrange(4)):
            chain.append(there.remote(0, count, chain[-1]))
        del chain[:-1], first
        freehold.wait(chain, fetch_local=False)
        pid = self.eventually(lambda: self.watch.roles().get("node 1"))
        other = self.cluster.add_node(num_cpus=1, fast=4)
        timer = killed_later(pid, dice.uniform(0, 0.02))
        if dice.random() < 0.5:
            timer.join()
        self.check(chain.pop(), seed, count)
        timer.join()
        self.cluster.remove_node(other, graceful=False)
        assert self.eventually(lambda: len(freehold.nodes()) == 1)

    def run(self, number: int) -> None:
        """Do one round."""
        dice = random.Random(number)
        kind = KINDS[number % len(KINDS)]
        try:
            getattr(self, kind)(dice, number * 1000)
        except (AssertionError, FreeholdError) as error:
            error.add_note(f"in round {number}, {kind}")
            raise

    def assert_clean(self) -> None:
        """The tables of all processes are empty once everything is dropped, but for functions that workers keep."""
        freehold.get([work.remote(0, 1), own.remote(0, 1), pass_on.remote([freehold.put(1)], 1), keep.remote([])])
        host: Any = cluster.engine().host
        self.eventually(lambda: not host.census())
        assert host.census() == []


SOME = [range(start, start + 20) for start in range(0, 60, 20)]
MANY = [pytest.param(range(start, start + 20), marks=pytest.mark.soak) for start in range(60, 300, 20)]


@pytest.mark.parametrize("rounds", [*SOME, *MANY], ids=str)
def test_whatever_is_killed_at_whatever_point(watch, eventually, rounds: range) -> None:
    storm = Storm(watch, eventually)
    for number in rounds:
        storm.run(number)
    storm.assert_clean()
    assert storm.ends["value"] > len(rounds)
    print(dict(storm.ends))
