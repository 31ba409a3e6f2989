"""What is lost with its node: computed again by its task, or else an error that says why not."""

from __future__ import annotations

import time
from typing import Any

import freehold
from freehold.exceptions import ObjectReconstructionFailedError
from freehold.specs.scenario import scenario
from freehold.specs.scenarios.gates import Gate
from freehold.specs.scenarios.nodes import MIB, SMALL_CHUNKS, Changing, make, outcome
from freehold.specs.scenarios.waiting import times_out

FAST: dict[str, Any] = {"fast": 1}
SLOT: dict[str, Any] = {"slot": 1}


def reason(ref: Any) -> Any:
    """Return how long a value is, or why it could not be computed again."""
    try:
        return len(freehold.get(ref))
    except ObjectReconstructionFailedError as error:
        return error.reason


class Fast(Changing):
    """A cluster with a node that is the only fast one: tasks that want it leave their results there."""

    def __init__(self) -> None:
        super().__init__()
        self.node = self.add_node(**FAST)

    def __enter__(self) -> Fast:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove_node(self.node)

    def lose(self, *refs: Any) -> None:
        """Let the fast node die when these are there, and have been read there; another has come before."""

        @freehold.remote(num_cpus=0, resources=FAST)
        def read(*values: bytes) -> None:
            """Their owner has heard of every death before: else the values would not be there."""

        freehold.get(read.remote(*refs))
        node, self.node = self.node, self.add_node(**FAST)
        self.remove_node(node, graceful=False)


@scenario(returns=300_002)
def lost_results_are_computed_again() -> Any:
    """A chain of three large results dies with its node; only the last is needed, and its task needs the others."""

    @freehold.remote(num_cpus=0, resources=FAST)
    def longer(value: bytes) -> bytes:
        return value + b"x"

    with Fast() as cluster:
        ref = make(300_000, resources=FAST)
        for _ in range(2):
            ref = longer.remote(ref)
        cluster.lose(ref)
        return outcome(ref)


@scenario(returns=[300_000, "no_retries"])
def lost_more_often_than_it_may_be_computed() -> Any:
    """Two results may be computed once more: one is lost once, the other twice."""
    with Fast() as cluster:
        once = make(300_000, resources=FAST, max_retries=1)
        cluster.lose(once)
        found = [reason(once)]
        twice = make(300_000, resources=FAST, max_retries=1)
        cluster.lose(twice)
        cluster.lose(twice)
        return [*found, reason(twice)]


@scenario(marks=["preempts"], returns="cancelled")
def lost_after_it_was_cancelled_in_vain() -> Any:
    """A task does not let itself be cancelled; when its result is lost nobody computes it again."""

    @freehold.remote(num_cpus=0, resources=FAST)
    def stubborn(begun: Gate, gate: Gate) -> bytes:
        try:
            begun.open()
            gate.wait()
        except KeyboardInterrupt:
            return bytes(300_000)
        return b"never"

    with Fast() as cluster:
        begun = Gate()
        ref = stubborn.remote(begun, Gate())
        begun.wait()
        freehold.cancel(ref)
        freehold.wait([ref], fetch_local=False)
        cluster.lose(ref)
        return reason(ref)


@scenario(init={"lineage": False}, returns="disabled")
def lost_where_nothing_is_computed_again() -> Any:
    """A cluster keeps no descriptions of tasks that are over: what is lost stays lost."""
    with Fast() as cluster:
        ref = make(300_000, resources=FAST)
        cluster.lose(ref)
        return reason(ref)


@scenario(init={"lineage_bytes_max": 40_000}, returns=["evicted", 300_000])
def lost_when_its_description_had_to_go() -> Any:
    """A process keeps so many bytes of descriptions; of more than that the oldest go until half is left: the first."""

    @freehold.remote(num_cpus=0, resources=FAST)
    def zeros(padding: bytes) -> bytes:
        return bytes(300_000)

    with Fast() as cluster:
        first = zeros.remote(bytes(30_000))
        freehold.wait([first], fetch_local=False)
        second = zeros.remote(bytes(12_000))
        cluster.lose(first, second)
        return [reason(first), reason(second)]


@scenario(returns=[300_000, "no_retries"])
def lost_after_another_result_has_cost_the_last_retry() -> Any:
    """One of a task's two results is lost, and computed again; then the other, which lay elsewhere, is lost."""

    @freehold.remote(num_cpus=0, resources=FAST, num_returns=2, max_retries=1)
    def two() -> Any:
        return bytes(300_000), bytes(300_000)

    @freehold.remote(num_cpus=0, resources={"other": 1})
    def read(value: bytes) -> None:
        """Leave a copy there."""

    with Fast() as cluster:
        first, second = two.remote()
        other = cluster.add_node(other=1)
        freehold.get(read.remote(second))
        cluster.lose(first, second)
        found = [outcome(first)]
        cluster.remove_node(other, graceful=False)
        return [*found, reason(second)]


def lost_with_what_was_put(*, inside: bool) -> Any:
    """Return why a result is lost, when the large value from which it was computed has made room for others."""

    @freehold.remote(num_cpus=0, resources=FAST)
    def same(value: bytes) -> bytes:
        return value

    with Fast() as cluster:
        put = freehold.put(bytes(MIB))
        ref, held = same.remote(put), [freehold.put([put])] if inside else []
        freehold.wait([ref], fetch_local=False)
        del put
        held.clear()
        others = [freehold.put(bytes(MIB)) for _ in range(3)]
        cluster.lose(ref)
        found = reason(ref)
        return found if len(others) == 3 else None


@scenario(init={"object_store_memory": 4 * MIB}, returns="put")
def lost_with_an_argument_that_was_put() -> Any:
    """A result is lost, and the large value from which it was computed has made room for others: nobody has it."""
    return lost_with_what_was_put(inside=False)


@scenario(init={"object_store_memory": 4 * MIB}, returns="put")
def lost_with_an_argument_that_lay_in_another() -> Any:
    """The same, and the last reference to that large value was inside another one."""
    return lost_with_what_was_put(inside=True)


@scenario(returns=[300_000, 300_001, 300_000])
def lost_while_it_is_asked_for() -> Any:
    """A node dies with a result and with what its task was given, and two tasks and a get ask for both at once."""

    @freehold.remote(num_cpus=0, resources=FAST)
    def longer(value: bytes) -> bytes:
        return value + b"x"

    @freehold.remote
    def size(value: bytes) -> int:
        return len(value)

    with Fast() as cluster:
        first = make(300_000, resources=FAST)
        second = longer.remote(first)
        cluster.lose(second)
        sizes = [size.remote(first), size.remote(second)]
        last = outcome(first)
        return [*freehold.get(sizes), last]


@scenario(marks=["preempts"], init=SMALL_CHUNKS, returns=40 * MIB)
def lost_while_gets_of_it_run_out_of_time() -> Any:
    """A task tries to get a result for 10 ms, again and again: while it comes, is missed, is computed again."""

    @freehold.remote(num_cpus=0, resources=FAST)
    def slowly() -> bytes:
        time.sleep(0.1)
        return bytes(40 * MIB)

    @freehold.remote(num_cpus=0)
    def poll(refs: list[Any]) -> int:
        for _ in range(15):
            times_out(refs, 0.01)
        return len(freehold.get(refs[0]))

    with Fast() as cluster:
        ref = slowly.remote()
        freehold.wait([ref], fetch_local=False)
        polling = poll.remote([ref])
        freehold.wait([polling], timeout=0.03)
        node, cluster.node = cluster.node, cluster.add_node(**FAST)
        cluster.remove_node(node, graceful=False)
        return freehold.get(polling)


@scenario(marks=["preempts"], init={**SMALL_CHUNKS, "resources": SLOT}, returns=40 * MIB)
def lost_where_its_reader_has_the_last_worker() -> Any:
    """A result is lost while a task fetches it that has all that its own task needs: that one goes back, and waits."""

    @freehold.remote
    def wait(gate: Gate) -> None:
        gate.wait()

    @freehold.remote
    def size(value: bytes) -> int:
        return len(value)

    cluster, gate = Changing(), Gate()
    node = cluster.add_node(**SLOT)
    busy = wait.options(node=0, resources=SLOT).remote(gate)
    ref = make(40 * MIB, resources=SLOT)
    freehold.wait([ref], fetch_local=False)
    gate.open()
    freehold.get(busy)
    reading = size.options(node=0, resources=SLOT).remote(ref)
    freehold.wait([reading], timeout=0.005)
    cluster.remove_node(node, graceful=False)
    return freehold.get(reading)
