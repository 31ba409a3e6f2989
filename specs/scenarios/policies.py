"""The same programs under other policies: what is decided differently must not be seen in the results."""

from __future__ import annotations

from typing import Any

import freehold
from freehold.specs.scenario import REGISTRY, scenario
from freehold.specs.scenarios import borrowing, errors, references, sizes, waiting

BY_COPY = (
    borrowing.lender_drops_at_once,
    borrowing.middle_of_a_chain_drops_first,
    borrowing.borrow_of_an_unfinished_object,
    borrowing.borrowers_on_every_node,
    borrowing.borrowed_inside_a_put_of_the_borrower,
    borrowing.wide_fan_out_and_fan_in,
    borrowing.two_readers_of_an_executors_object,
    references.references_in_a_list,
    references.reference_owned_by_a_third,
    references.deep_nesting,
    references.nested_ping_pong,
    errors.failure_is_read_again,
    waiting.borrower_runs_out_of_time,
    waiting.borrower_waits,
    waiting.borrower_waits_without_fetching,
    sizes.large_value_with_references,
)
for _body in BY_COPY:
    _plain = REGISTRY[_body.__name__]
    scenario(
        name=f"{_plain.name}_by_copy",
        marks=_plain.marks,
        nodes=_plain.nodes,
        init={"borrow": "copy"},
        returns=_plain.returns,
    )(_body)

scenario(
    name="copies_come_from_random_copies",
    nodes=3,
    init={"location": "random", "seed": 7},
    returns=[800_000, 800_000, 800_000],
)(borrowing.copies_come_from_copies)


@scenario(nodes=3, init={"relay": True, "chunk_bytes": 100_000, "chunks_in_flight": 2}, returns=[3_000_000] * 6)
def copies_are_sent_on_before_they_are_complete() -> Any:
    """Three nodes read a large object at once, two times each: chunks go from one to the next."""

    @freehold.remote
    def size(value: bytes) -> int:
        return len(value)

    ref = freehold.put(b"x" * 3_000_000)
    return freehold.get([size.options(node=node % 3).remote(ref) for node in range(6)])


@scenario(init={"queue_max": 1}, returns=list(range(50)))
def one_task_at_a_time_on_a_worker() -> Any:
    """No worker is ever given a second task before the first is over."""

    @freehold.remote
    def same(i: int) -> int:
        return i

    return freehold.get([same.remote(i) for i in range(50)])


@scenario(init={"quick_seconds": 60.0, "queue_max": 8, "num_cpus": 1}, returns=list(range(30)))
def tasks_wait_behind_tasks() -> Any:
    """All tasks count as quick, so they queue on the workers; some of them block, and hand back who waits there."""

    @freehold.remote
    def child(i: int) -> int:
        return i

    @freehold.remote
    def parent(i: int) -> int:
        return int(freehold.get(child.remote(i))) if i % 5 == 0 else i

    return freehold.get([parent.remote(i) for i in range(30)])
