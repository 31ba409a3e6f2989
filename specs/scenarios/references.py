"""References inside values, returned, closed over and passed around: who owns them, and when they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import freehold
from freehold import ObjectRef
from freehold.specs.scenario import scenario


@scenario(returns=(["ObjectRef", "ObjectRef"], [1, 2], 3))
def references_in_a_list() -> Any:
    """References are put inside a list; the program drops them, and reads through the list."""

    @freehold.remote
    def total(refs: list[ObjectRef[int]]) -> int:
        return sum(freehold.get(refs))

    outer = freehold.put([freehold.put(1), freehold.put(2)])
    inner = freehold.get(outer)
    return [type(ref).__name__ for ref in inner], freehold.get(inner), freehold.get(total.remote(outer))


@scenario(returns=(11, 22, 33))
def references_in_other_containers() -> Any:
    """References lie in a dict, a dataclass and a tuple in a set of frozensets; a task finds them all."""

    @dataclass
    class Box:
        ref: Any

    @freehold.remote
    def unpack(mapping: dict[str, Any], box: Any, deep: Any) -> tuple[int, ...]:
        ((inner,),) = deep
        return tuple(freehold.get([mapping["ref"], box.ref, inner]))

    one, two, three = freehold.put(11), freehold.put(22), freehold.put(33)
    return freehold.get(unpack.remote({"ref": one}, Box(two), frozenset([(three,)])))


@scenario(returns=(int, "ObjectRef", int, "ObjectRef"))
def top_level_and_nested_arguments() -> Any:
    """A reference given as an argument arrives as its value, one inside a list as itself; for keywords too."""

    @freehold.remote
    def kinds(value: Any, refs: list[Any], *, named: Any, boxed: Any) -> Any:
        return type(value), type(refs[0]).__name__, type(named), type(boxed["ref"]).__name__

    ref = freehold.put(1)
    return freehold.get(kinds.remote(ref, [ref], named=ref, boxed={"ref": ref}))


@scenario(returns=(5, 6))
def reference_owned_by_the_executor() -> Any:
    """A task returns a reference to what it has put, and one to a task of its own; the program reads both."""

    @freehold.remote
    def child() -> int:
        return 6

    @freehold.remote
    def make() -> list[ObjectRef[int]]:
        return [freehold.put(5), child.remote()]

    return tuple(freehold.get(freehold.get(make.remote())))


@scenario(returns=(True, "mine"))
def reference_owned_by_the_caller() -> Any:
    """A task returns the very reference that it was lent: the caller gets its own reference back."""

    @freehold.remote
    def hand_back(refs: list[Any]) -> Any:
        return refs[0]

    ref = freehold.put("mine")
    back = freehold.get(hand_back.remote([ref]))
    return back is ref, freehold.get(back)


@scenario(returns="third")
def reference_owned_by_a_third() -> Any:
    """A task returns a reference that it found in the result of another task, whose worker owns it."""

    @freehold.remote
    def make() -> list[Any]:
        return [freehold.put("third")]

    @freehold.remote
    def broker() -> Any:
        return freehold.get(make.remote())[0]

    return freehold.get(freehold.get(broker.remote()))


@scenario(returns=[0, 10, 20])
def function_closes_over_references() -> Any:
    """A function closes over a small and a large reference; the program drops both before the calls."""

    def define(small: Any, large: Any) -> Any:
        @freehold.remote
        def scaled(factor: int) -> int:
            assert len(freehold.get(large)) == 200_000
            return factor * int(freehold.get(small))

        return scaled

    scaled = define(freehold.put(10), freehold.put(b"x" * 200_000))
    refs = [scaled.remote(factor) for factor in range(3)]
    del scaled, define
    return freehold.get(refs)


@scenario(returns=(14, 400_000, 8))
def duplicate_arguments() -> Any:
    """One reference is given twice, and a third time inside a list: it is lent once, and let go once."""

    @freehold.remote
    def add(a: Any, b: Any, *refs: Any) -> int:
        more = len(freehold.get(refs[0][0])) if refs else 0
        return a + b if isinstance(a, int) else len(a) + len(b) + more * 0

    small, large = freehold.put(7), freehold.put(b"x" * 200_000)
    text = freehold.put("four")
    return tuple(freehold.get([add.remote(small, small), add.remote(large, large, [large]), add.remote(text, text)]))


@scenario(returns=(True, [9], True))
def value_with_a_reference_is_read_twice() -> Any:
    """A value that holds a reference is got twice; one result is dropped, the reference in the other still counts."""
    outer = freehold.put([freehold.put([9])])
    first, second = freehold.get(outer), freehold.get(outer)
    same = first[0] is second[0]
    del first, outer
    third = freehold.put(second)
    return same, freehold.get(second[0]), freehold.get(third)[0] is second[0]


@scenario(returns="bottom")
def deep_nesting() -> Any:
    """A reference in a reference, thirty deep: only the outermost is held, and a task digs down."""

    @freehold.remote
    def dig(box: Any) -> Any:
        while isinstance(box, list):
            box = freehold.get(box[0])
        return box

    box: Any = "bottom"
    for _ in range(30):
        box = [freehold.put(box)]
    return freehold.get(dig.remote(box))


@scenario(returns=["ping", "pong", "ping", "pong", "ping", "pong"])
def nested_ping_pong() -> Any:
    """Two tasks wrap and pass on what the other has returned: owners alternate in one chain of references."""

    @freehold.remote
    def play(word: str, box: list[Any]) -> list[Any]:
        return [word, freehold.put(box)]

    box: Any = []
    for turn in range(6):
        box = play.remote("ping" if turn % 2 else "pong", box)
        box = freehold.get(box)
    words = []
    while box:
        words.append(box[0])
        box = freehold.get(box[1])
    return words


@scenario(returns=("inner", "inner"))
def two_containers() -> Any:
    """One reference lies in two containers: it outlives the first, and the program's own reference."""
    inner = freehold.put("inner")
    one, two = freehold.put([inner]), freehold.put((inner, "x"))
    first = freehold.get(freehold.get(one)[0])
    del inner, one
    return first, freehold.get(freehold.get(two)[0])


@scenario(returns=(1225, 1225))
def many_references_in_one_result() -> Any:
    """A task returns fifty references of its own; they are read at once, and by another task."""

    @freehold.remote
    def make() -> list[Any]:
        return [freehold.put(i) for i in range(50)]

    @freehold.remote
    def total(refs: list[Any]) -> int:
        return sum(freehold.get(refs))

    ref = make.remote()
    return sum(freehold.get(freehold.get(ref))), freehold.get(total.remote(ref))


@scenario(init={"num_cpus": 1}, returns=["a", "a", "a"])
def returned_reference_comes_back_as_an_argument() -> Any:
    """A reference that a worker returned goes back to that worker, as an argument and in a list (ray#19910)."""

    @freehold.remote
    def make() -> list[Any]:
        return [freehold.put("a")]

    @freehold.remote
    def read(value: Any) -> Any:
        return freehold.get(value[0]) if isinstance(value, list) else value

    (ref,) = freehold.get(make.remote())
    refs = [read.remote(ref), read.remote([ref])]
    del ref
    return [*freehold.get(refs), freehold.get(read.remote(make.remote()))]


@scenario(returns=[b"x" * 3, 200_000])
def argument_nested_in_a_return() -> Any:
    """A task returns what it was lent inside a new list; the caller drops its own reference meanwhile (ray#17553)."""

    @freehold.remote
    def wrap(refs: list[Any]) -> list[Any]:
        return [refs[0], "wrapped"]

    small, large = freehold.put(b"x" * 3), freehold.put(b"x" * 200_000)
    wrapped = [wrap.remote([small]), wrap.remote([large])]
    del small, large
    values = [freehold.get(freehold.get(ref)[0]) for ref in wrapped]
    return [values[0], len(values[1])]


@scenario(returns="value")
def reference_to_what_is_not_there_yet() -> Any:
    """A task puts a reference to an unfinished task into an object, and returns that: the reader waits for both."""

    @freehold.remote
    def late() -> str:
        return "value"

    @freehold.remote
    def promise() -> Any:
        return freehold.put({"ref": late.remote()})

    return freehold.get(freehold.get(freehold.get(promise.remote()))["ref"])
