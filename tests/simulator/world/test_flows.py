"""Transfers that share links: each has what a slow, simple way of filling links gives it, whatever comes and goes."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.simulator.clock import Clock
from freehold.simulator.world.flows import Flow, Flows, Link


def filled(flows: list[Flow]) -> dict[Flow, float]:
    """Return max-min fair rates: let all grow alike; where a link is full, those that pass through stay as they are."""
    rates: dict[Flow, float] = {}
    while len(rates) < len(flows):
        open_ = [flow for flow in flows if flow not in rates]
        left: dict[Link, float] = {}
        for link in {link for flow in open_ for link in flow.links}:
            taken = sum([rate for flow, rate in rates.items() if link in flow.links])
            left[link] = max(0.0, link.bandwidth - taken) / sum([link in flow.links for flow in open_])
        level = min(left.values())
        full = {link for link, part in left.items() if part <= level * (1 + 1e-12)}
        rates.update({flow: level for flow in open_ if full & {*flow.links}})
    return rates


class Cables:
    """Some links, and what is on them."""

    def __init__(self, *bandwidths: float, tolerance: float = 0.0) -> None:
        self.clock = Clock()
        self.flows = Flows(self.clock, tolerance)
        self.links = [Link(str(index), bandwidth) for index, bandwidth in enumerate(bandwidths)]
        self.over: dict[str, float] = {}

    def start(self, name: str, nbytes: float, *way: int) -> Flow:
        return self.flows.start(tuple([self.links[index] for index in way]), nbytes, self.ended, name)

    def ended(self, flow: Flow) -> None:
        self.over[flow.what] = self.clock.now

    def run(self) -> dict[str, float]:
        self.clock.run()
        return self.over


def test_one_alone_has_all() -> None:
    cables = Cables(10.0, 5.0)
    cables.start("a", 100.0, 0, 1)
    assert cables.run() == {"a": 20.0}


def test_two_share_a_link_and_the_first_to_end_leaves_all_to_the_other() -> None:
    cables = Cables(10.0)
    cables.start("a", 50.0, 0)
    cables.start("b", 100.0, 0)
    assert cables.run() == {"a": 10.0, "b": 15.0}


def test_who_is_held_up_elsewhere_leaves_more_to_others() -> None:
    cables = Cables(10.0, 2.0)
    slow = cables.start("slow", 20.0, 0, 1)
    fast = cables.start("fast", 80.0, 0)
    assert (cables.flows.rate(slow), cables.flows.rate(fast)) == (2.0, 8.0)
    assert cables.run() == {"slow": 10.0, "fast": 10.0}


def test_a_link_that_becomes_slower_and_one_that_is_dead() -> None:
    cables = Cables(10.0)
    flow = cables.start("a", 100.0, 0)
    cables.clock.run(until=5.0)
    cables.flows.change(cables.links[0], 0.0)
    assert cables.flows.rate(flow) == 0.0
    cables.clock.run(until=100.0)
    cables.flows.change(cables.links[0], 50.0)
    assert cables.run() == {"a": 101.0}


def test_one_that_is_stopped_leaves_nothing() -> None:
    cables = Cables(10.0, 10.0)
    first = cables.start("a", 100.0, 0, 1)
    cables.start("b", 100.0, 1)
    cables.clock.run(until=10.0)
    cables.flows.stop(first)
    assert cables.run() == {"b": 15.0}
    assert not any(link.flows or link.others or link.own or link.tight for link in cables.links)


WAYS = st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True)
ACTS = st.one_of(
    st.tuples(st.just("start"), WAYS, st.floats(1.0, 1e4)),
    st.tuples(st.just("stop"), st.integers(0, 30), st.just(0.0)),
    st.tuples(st.just("pass"), st.just(0), st.floats(0.0, 20.0)),
    st.tuples(st.just("change"), st.integers(0, 5), st.sampled_from((0.0, 3.0, 10.0, 100.0))),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from((1.0, 7.0, 10.0, 10.0, 40.0)), min_size=6, max_size=6), st.lists(ACTS, max_size=40))
def test_rates_are_max_min_fair_whatever_comes_and_goes(
    bandwidths: list[float], acts: list[tuple[str, int, float]]
) -> None:
    cables = Cables(*bandwidths)
    here: list[Flow] = []
    left: dict[Flow, float] = {}
    rates: dict[Flow, float] = {}
    for act, which, amount in acts:
        if act == "start":
            here.append(cables.start(str(len(left)), 1e9, *which))  # type: ignore[misc]
            left[here[-1]] = 1e9
        elif act == "stop" and here:
            cables.flows.stop(here.pop(which % len(here)))
        elif act == "change":
            cables.flows.change(cables.links[which], amount)
        elif act == "pass":
            for flow in here:
                left[flow] -= rates[flow] * amount
            cables.clock.run(until=cables.clock.now + amount + 1e-9)
        rates = filled(here)
        for flow in here:
            assert cables.flows.rate(flow) == pytest.approx(rates[flow], rel=1e-6, abs=1e-9)
            assert flow.bottleneck is not None
            cables.flows.count(flow.bottleneck)
            assert flow.end - flow.bottleneck.counted == pytest.approx(left[flow], rel=1e-6, abs=1e-2)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 10.0), WAYS, st.floats(1.0, 1e3)), min_size=1, max_size=20))
def test_all_come_to_the_end_when_they_should(starts: list[tuple[float, list[int], float]]) -> None:
    bandwidths = (1.0, 7.0, 10.0, 10.0, 40.0, 3.0)
    cables, slowly = Cables(*bandwidths), dict[str, float]()
    begins = sorted([(at, str(index), way, nbytes) for index, (at, way, nbytes) in enumerate(starts)])
    for at, name, way, nbytes in begins:
        if at > cables.clock.now:
            cables.clock.run(until=at)
        cables.start(name, nbytes, *way)
    now, here, todo = 0.0, dict[str, tuple[Flow, float]](), begins
    while todo or here:
        rates = filled([flow for flow, _ in here.values()])
        ends = {name: now + nbytes / rates[flow] if rates[flow] else inf for name, (flow, nbytes) in here.items()}
        first = min([*ends.values(), *[begin[0] for begin in todo]])
        here = {name: (flow, nbytes - rates[flow] * (first - now)) for name, (flow, nbytes) in here.items()}
        now = first
        for name in [name for name, end in ends.items() if end <= first * (1 + 1e-12)]:
            del here[name]
            slowly[name] = now
        while todo and todo[0][0] <= now:
            (_, name, way, nbytes), *todo = todo
            here[name] = Flow(tuple([cables.links[index] for index in way]), nbytes, cables.ended, ""), nbytes
    assert cables.run() == pytest.approx(slowly, rel=1e-6, abs=1e-6)


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_what_is_tolerated_is_bounded(acts: list[tuple[str, Any, float]]) -> None:
    """No link carries more than it has and what is tolerated; nobody waits who could go on; all come to the end."""
    cables = Cables(7.0, 10.0, 10.0, 40.0, 1.0, 13.0, tolerance=0.01)
    here: list[Flow] = []
    for act, which, amount in acts:
        if act == "start":
            here.append(cables.start(str(len(here)), amount, *which))
        elif act == "pass":
            cables.clock.run(until=cables.clock.now + amount + 1e-9)
        here = [flow for flow in here if flow.what not in cables.over]
        for link in cables.links:
            assert sum([cables.flows.rate(flow) for flow in link.flows]) <= link.bandwidth * (1 + 2 * 0.01)
        for flow in here:
            assert flow.bottleneck is not None
            spent = sum([cables.flows.rate(other) for other in flow.bottleneck.flows])
            assert spent >= flow.bottleneck.bandwidth * (1 - 2 * 0.01)
    cables.run()
    assert {flow.what for flow in here} <= {*cables.over}
