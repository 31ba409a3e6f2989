"""Messages that wait for company: they keep their order, none is left behind, and programs do not notice."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import freehold
from freehold.core.effects import Send
from freehold.core.messages import BorrowNotice
from freehold.simulator.outbox import Held, Outbox
from freehold.specs.scenario import Scenario, hosts, scenarios

CROWDED: dict[str, Any] = {
    "machine": {"nodes": 3, "cores": 1},
    "costs": {"turn": 1e-5, "wake": 4e-5, "spin": 6e-5, "switch": 8e-5, "batch": 4},
}
NODES, A = 3, 99
PROGRAMS = [one for one in scenarios() if not one.obstacle(hosts("sim"), NODES)]


def numbers(held: Held) -> list[int]:
    return [step for step, _ in held]


def message(step: int, peer: int) -> tuple[int, Send]:
    return step, Send(peer, BorrowNotice((step,), A))


def test_the_first_is_sent_and_others_wait_for_an_answer() -> None:
    outbox = Outbox(3)
    assert numbers(outbox.put(*message(1, 7))) == [1]
    assert numbers(outbox.put(*message(2, 7))) == [] and numbers(outbox.put(*message(3, 8))) == [3]
    outbox.answered(7)
    assert numbers(outbox.put(*message(4, 7))) == []  # behind the other
    assert numbers(outbox.taken(7)) == [2, 4] and not outbox.held
    assert numbers(outbox.put(*message(5, 7))) == []  # these have not been answered
    outbox.answered(8)
    assert numbers(outbox.put(*message(6, 8))) == [6]


def test_many_wait_for_nothing() -> None:
    outbox = Outbox(2)
    assert [numbers(outbox.put(*message(step, 7))) for step in range(5)] == [[0], [], [1, 2], [], [3, 4]]


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from(["put", "answered", "taken"]), st.integers(1, 3))))
def test_what_is_sent_to_a_peer_keeps_its_order_and_few_wait(most: int, story: list[tuple[str, int]]) -> None:
    outbox, put, sent = Outbox(most), list[tuple[int, int]](), list[tuple[int, int]]()
    for step, (what, peer) in enumerate(story):
        if what == "put":
            put.append((peer, step))
            sent += [(peer, one) for one in numbers(outbox.put(*message(step, peer)))]
        elif what == "answered":
            outbox.answered(peer)
        else:
            sent += [(peer, one) for one in numbers(outbox.taken(peer))]
        assert all(0 < len(held) < most for held in outbox.held.values())
    sent += [(peer, one) for peer in [*outbox.held] for one in numbers(outbox.taken(peer))]
    assert sorted(sent, key=lambda one: one[0]) == sorted(put, key=lambda one: one[0])


def test_a_burst_comes_together(sim: Any) -> None:
    """Twenty calls of another node's worker are two messages: the first, and all others once the program waits."""
    took = {}
    for batch in (0, 32):
        freehold.shutdown()
        sim(num_cpus=1, cluster={"machine": {"cores": 1}, "costs": {"run": 2e-4, "call": 2e-4, "batch": batch}})
        there: Any = freehold.remote(abs).options(resources={"node:1": 1e-6})
        freehold.get(there.remote(0))
        began = time.perf_counter()
        freehold.get([there.remote(number) for number in range(20)])
        took[batch] = time.perf_counter() - began
    assert took[0] < 0.009 and took[32] > 0.0115  # the other works while calls are made; or after they were made


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_programs_on_one_core_do_not_notice(program: Scenario) -> None:
    nodes = program.nodes if program.init else NODES
    with freehold.init(backend="sim", num_nodes=nodes, cluster=CROWDED, **program.init):
        program.run()
