"""Machines: as many processes run at a time as there are cores, and those that have much to do take turns."""

from __future__ import annotations

from math import inf
from statistics import mean, stdev
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from freehold.simulator.clock import Clock, EmptySchedule
from freehold.simulator.world.costs import Costs
from freehold.simulator.world.hosts import Host, Process


class Machine:
    """A host, and processes whose jobs each take some seconds."""

    def __init__(self, cores: float = 1, **costs: Any) -> None:
        self.clock = Clock(0.0)
        self.host = Host("h", self.clock, cores)
        self.host.costs = Costs(**{"slice": 10.0, **costs})
        self.done: list[tuple[str, float, float]] = []  # whose job, from when, until when
        self.processes: dict[str, Process] = {}

    def ask(self, name: str, at: float, seconds: float) -> None:
        """Give a process something to do at some time."""
        process = self.processes.setdefault(name, Process(self.host))

        def job() -> None:
            began = max(self.clock.now, process.until)
            process.until = began + seconds
            self.done.append((name, began, process.until))

        self.clock.call_at(at, lambda: process.take(job))

    def run(self) -> list[tuple[str, float, float]]:
        """Return what was done, in that order."""
        while True:
            try:
                self.clock.step()
            except EmptySchedule:
                return self.done


def test_there_are_always_enough_cores_unless_it_is_said_how_many() -> None:
    machine = Machine(inf)
    for name in "abc":
        machine.ask(name, 1.0, 2.0)
    assert machine.run() == [("a", 1.0, 3.0), ("b", 1.0, 3.0), ("c", 1.0, 3.0)]


def test_processes_wait_for_a_core_in_the_order_in_which_they_ask() -> None:
    machine = Machine(2)
    for name, at, seconds in (("a", 0.0, 3.0), ("b", 0.0, 5.0), ("c", 1.0, 1.0), ("d", 1.0, 1.0), ("e", 9.0, 1.0)):
        machine.ask(name, at, seconds)
    assert machine.run() == [("a", 0.0, 3.0), ("b", 0.0, 5.0), ("c", 3.0, 4.0), ("d", 4.0, 5.0), ("e", 9.0, 10.0)]


def order(machine: Machine) -> str:
    """Return whose jobs were done, one letter for each."""
    return "".join(name for name, _, _ in machine.run())


def test_who_has_a_core_does_all_that_it_has_to_do() -> None:
    machine = Machine()
    for name, at in (("a", 0.0), ("b", 0.5), ("a", 0.6), ("b", 0.7)):
        machine.ask(name, at, 1.0)
    assert order(machine) == "aabb"


def test_next_is_who_has_had_least() -> None:
    machine = Machine()
    for name, at in (("a", 0.0), ("a", 0.0), ("b", 0.0), ("c", 2.5), ("a", 2.6), ("b", 2.7)):
        machine.ask(name, at, 1.0)
    assert order(machine) == "aabbca"


def test_nobody_is_ahead_of_others_by_more_than_a_slice() -> None:
    machine = Machine(slice=1.5)
    for name in "aaaaabbbbb":
        machine.ask(name, 0.0, 1.0)
    assert order(machine) == "aabbbbaaab"  # 2 to 0; 2 to 4; 5 to 4


def test_a_slice_may_be_shorter_than_it_takes_to_switch() -> None:
    machine = Machine(slice=0.0, switch=0.5)
    for name in "aabb":
        machine.ask(name, 0.0, 1.0)
    assert order(machine) == "abba"


def test_another_process_has_to_be_switched_to_for_each_that_has_used_the_caches_since() -> None:
    machine = Machine(switch=0.25, turn=0.5)
    for at, name in enumerate("abcaa"):
        machine.ask(name, 10.0 * at, 1.0)
    # nobody was there before a; a before b; a and b before c; b and c since a; nobody
    assert [began - 10.0 * at for at, (_, began, _) in enumerate(machine.run())] == [0.5, 0.75, 1.0, 1.0, 0.5]


def test_who_has_been_idle_for_longer_than_it_spins_sleeps_unless_others_kept_the_core_meanwhile() -> None:
    machine = Machine(spin=2.0, wake=0.5)
    for name, at in (("a", 10.0), ("b", 11.0), ("a", 12.5), ("a", 16.5)):
        machine.ask(name, at, 1.0)
    found = machine.run()
    assert [name for name, _, _ in found] == ["a", "b", "a", "a"]
    assert [began for _, began, _ in found] == [10.5, 12.0, 13.0, 17.0]  # b has never run: it sleeps, too


def test_who_sleeps_may_take_longer_to_wake() -> None:
    """What comes by chance is exponential: as much on average as it varies."""
    machine = Machine(spin=1.0, wake=2.0, linger=0.5)
    for at in range(1000):
        machine.ask("a", 100.0 * at, 1.0)
    late = [began - 100.0 * at - 2.0 for at, (_, began, _) in enumerate(machine.run())]
    assert min(late) >= 0 and mean(late) == approx(0.5, rel=0.1) and stdev(late) == approx(0.5, rel=0.1)


@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 20), st.integers(0, 5)), min_size=1),
    st.integers(0, 4),
)
def test_no_core_does_two_things_at_a_time_and_nothing_is_forgotten(
    cores: int, jobs: list[tuple[str, int, int]], slice: int
) -> None:
    machine = Machine(cores, slice=float(slice))
    for name, at, seconds in jobs:
        machine.ask(name, float(at), float(seconds))
    done = machine.run()
    assert sorted((name, until - began) for name, began, until in done) == sorted((name, s) for name, _, s in jobs)
    for moment in {began for _, began, _ in done}:
        running = [name for name, began, until in done if began <= moment < until]
        assert len(running) <= cores and len(set(running)) == len(running)
    end = 0
    for _, at, seconds in sorted(jobs, key=lambda job: job[1]):
        end = max(end, at) + seconds
    last = max(until for _, _, until in done)
    assert last <= end and (cores > 1 or last == end)  # no core is idle while somebody waits
    assert all(core.idle for core in machine.host.cores) and not any(p.queued for p in machine.processes.values())
