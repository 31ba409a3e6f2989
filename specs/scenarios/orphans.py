"""Orphans: what lives on when its owner, or who has lent it, has died."""

from __future__ import annotations

import time
from typing import Any

import freehold
from freehold.specs.scenario import forget, keep, kept, scenario
from freehold.specs.scenarios.deaths import crashes
from freehold.specs.scenarios.gates import Gate


@scenario(nodes=3, init={"num_cpus": 1}, returns="lent on")
def borrower_dies_after_lending_on() -> Any:
    """A lends to B, B to C, and nobody tells A of C; A drops the object, B dies: C still reads (ray#18456)."""

    @freehold.remote
    def third(refs: list[Any]) -> None:
        keep("lent on", refs[0])

    @freehold.remote
    def second(refs: list[Any]) -> None:
        keep("lent", refs[0])
        freehold.get(third.options(node=2).remote(refs))

    @freehold.remote
    def nothing() -> None:
        """Wait until the worker of C's node is lent to us, and no longer to B: it would not outlive B."""

    @freehold.remote(max_retries=0)
    def leave() -> None:
        raise SystemExit

    @freehold.remote
    def read() -> Any:
        value = freehold.get(kept("lent on"))
        forget("lent on")
        return value

    ref = freehold.put("lent on")
    freehold.get(second.options(node=1).remote([ref]))
    freehold.get(nothing.options(node=2).remote())
    del ref
    assert crashes(leave.options(node=1).remote())
    return freehold.get(read.options(node=2).remote())


@scenario(nodes=3, init={"num_cpus": 1}, returns="nothing is left")
def orphans_are_lent_on_and_let_go_with_a_value() -> Any:
    """Who borrows from the dead, and does not know, lends on, and lets go: by itself, or while it is lent to."""

    @freehold.remote
    def make() -> list[Any]:
        return [freehold.put("orphan")]

    @freehold.remote(max_retries=0)
    def leave() -> None:
        raise SystemExit

    @freehold.remote
    def third(refs: list[Any]) -> None:
        keep("lent on", refs[0])

    @freehold.remote
    def second(refs: list[Any]) -> None:
        keep("value", freehold.put(refs))
        freehold.get(third.options(node=0).remote(refs))

    @freehold.remote
    def let_go(name: str, refs: list[Any]) -> None:
        forget(name)

    for again in (False, True):
        refs = freehold.get(make.options(node=1).remote())
        assert crashes(leave.options(node=1).remote())
        freehold.get(second.options(node=2).remote(refs))
        freehold.get(let_go.options(node=2).remote("value", refs if again else []))
        freehold.get(let_go.options(node=0).remote("lent on", []))
    return "nothing is left"


@scenario(marks=["preempts"], nodes=3, init={"num_cpus": 1}, returns="called")
def function_lent_on_by_who_dies() -> Any:
    """A runs a function on B, which lends that very function on to C and dies; A drops it, and C can still call it."""
    lent, over = Gate(), Gate()

    @freehold.remote
    def third(functions: list[Any]) -> None:
        keep("function", functions[0])

    @freehold.remote(max_retries=0)
    def second(functions: list[Any]) -> str:
        if functions:
            freehold.get(third.options(node=2).remote(functions))
            lent.open()
            over.wait()
            raise SystemExit
        return "called"

    @freehold.remote
    def nothing() -> None:
        """Wait until the worker of C's node is lent to us, and no longer to B: it would not outlive B."""

    @freehold.remote
    def call() -> Any:
        return freehold.get(forget("function").options(node=1).remote([]))

    dying = second.options(node=1).remote([second])
    lent.wait()
    freehold.get(nothing.options(node=2).remote())
    over.open()
    assert crashes(dying)
    del second
    return freehold.get(call.options(node=2).remote())


def taken_out_after_its_owner_died(padding: bytes) -> Any:
    """Return what is inside a value when the value's owner is dead, and nobody else holds what is inside.

    The value is as large as the padding in it: its reader has got it in a reply, or as a copy.
    """

    @freehold.remote
    def make(refs: list[Any]) -> Any:
        return [freehold.put([refs, padding])]

    @freehold.remote
    def read(refs: list[Any]) -> None:
        keep("outside", refs[0])
        freehold.get(refs[0])

    @freehold.remote(max_retries=0)
    def leave() -> None:
        raise SystemExit

    @freehold.remote
    def take_out() -> Any:
        ((ref,), _) = freehold.get(forget("outside"))
        return freehold.get(ref)

    inside = freehold.put("inside")
    outside = freehold.get(make.options(node=1).remote([inside]))
    freehold.get(read.options(node=2).remote(outside))
    assert crashes(leave.options(node=1).remote())
    del inside, outside
    time.sleep(0.05)  # so that A has let it go, if it does; until then it can be taken out in any case
    return freehold.get(take_out.options(node=2).remote())


@scenario(nodes=3, init={"num_cpus": 1, "borrow": "copy"}, returns="inside")
def what_was_inside_a_reply_outlives_its_owner() -> Any:
    """A reader has got a value in a reply; its owner dies, and A drops what is inside: it can be taken out again."""
    return taken_out_after_its_owner_died(b"")


@scenario(nodes=3, init={"num_cpus": 1}, returns="inside")
def what_was_inside_a_copy_outlives_its_owner() -> Any:
    """The same with a large value, of which the reader's node has a copy."""
    return taken_out_after_its_owner_died(bytes(300_000))
