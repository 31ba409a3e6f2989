"""Right programs: mypy accepts every line, and finds the types that are asserted.  The file is run as well."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any, assert_type

import freehold
from freehold import ObjectRef


@freehold.remote
def describe(number: int, name: str = "x", *, loud: bool = False) -> str:
    return f"{name}{number}{'!' * loud}"


@freehold.remote
def total(*numbers: int) -> int:
    return sum(numbers)


@freehold.remote
def nothing() -> None:
    return None


@freehold.remote(num_cpus=0.5, max_retries=0)
def halved(number: int) -> float:
    return number / 2


@freehold.remote(num_returns=2)
def both(number: int) -> tuple[int, str]:
    return number, str(number)


@freehold.remote(num_returns=0)
def silent(number: int) -> None:
    return None


@freehold.remote
def eight(a: int, b: str, c: int, d: str, e: int, f: str, g: int, h: str, last: bool = True) -> list[int]:
    return [a, c, e, g]


@freehold.remote
def first_of(refs: list[ObjectRef[int]]) -> int:
    return freehold.get(refs[0])


def untyped(a: Any, b: Any = 2) -> Any:
    return a + b


def put_and_get() -> None:
    one, two = freehold.put(1), freehold.put("two")
    assert_type(one, ObjectRef[int])
    assert_type(freehold.get(one), int)
    assert_type(freehold.get(two, timeout=3, progress=True, writable=True), str)
    assert_type(freehold.get([one, one]), list[int])
    assert_type(freehold.get((one, freehold.put(2))), list[int])
    ready, rest = freehold.wait([one, freehold.put(3)], num_returns=2, progress=True)
    assert_type(ready, list[ObjectRef[int]])
    assert_type(rest, list[ObjectRef[int]])
    for ref in freehold.as_completed([one, freehold.put(4)], timeout=3, ordered=True):
        assert_type(ref, ObjectRef[int])
    wider: ObjectRef[object] = one  # an ObjectRef of an int is one of an object
    freehold.cancel(wider)


def tasks() -> None:
    number, name = freehold.put(5), freehold.put("five")
    assert_type(describe.remote(5), ObjectRef[str])
    refs = [
        describe.remote(5, "five", loud=True),
        describe.remote(number=5, name="five"),
        describe.remote(number),
        describe.remote(number, name),
        describe.remote(number, "five", loud=True),
        describe.remote(5, name, loud=True),
        describe.remote(number, name="five"),
    ]
    assert_type(freehold.get(refs), list[str])
    assert_type(total.remote(1, number, 2), ObjectRef[int])
    assert_type(total.remote(*[number, number]), ObjectRef[int])
    assert_type(total.remote(*[1, 2]), ObjectRef[int])
    assert_type(nothing.remote(), ObjectRef[None])
    assert_type(halved.remote(number), ObjectRef[float])
    assert_type(first_of.remote([number]), ObjectRef[int])
    assert_type(eight.remote(number, name, number, name, number, name, number, name, last=False), ObjectRef[list[int]])
    nested = describe.remote(total.remote(number, halves()), describe.remote(1))
    assert_type(freehold.get(nested), str)
    unknown = freehold.remote(untyped)
    assert_type(freehold.get(unknown.remote(1, b=number)), Any)
    anything: Any = number
    assert_type(describe.remote(number=anything), ObjectRef[str])  # a reference by name goes unchecked as Any


def halves() -> ObjectRef[int]:
    return total.remote(1)


def options() -> None:
    number = freehold.put(5)
    assert_type(describe.options(name="other", num_cpus=1).remote(number), ObjectRef[str])
    pair = both.remote(number)
    assert_type(pair, list[ObjectRef[Any]])
    one, two = pair
    assert (freehold.get(one), freehold.get(two)) == (5, "5")
    assert_type(both.options(num_returns=1).remote(1), ObjectRef[tuple[int, str]])
    assert_type(both.options(num_returns=1).options(name="again").remote(1), ObjectRef[tuple[int, str]])
    assert_type(silent.remote(number), None)
    count = len(pair)
    assert_type(both.options(num_returns=count).remote(number), Any)


async def awaited() -> None:
    ref = describe.remote(1)
    assert_type(await ref, str)
    assert_type(ref.future(), concurrent.futures.Future[str])
    assert_type(ref.future().result(), str)
    async for done in freehold.as_completed([ref, describe.remote(2)]):
        assert_type(done, ObjectRef[str])
        assert_type(await done, str)
    assert_type(await asyncio.wait_for(ref.as_future(), 30), str)


def main() -> None:
    put_and_get()
    tasks()
    options()
    asyncio.run(awaited())
