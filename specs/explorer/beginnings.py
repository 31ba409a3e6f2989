"""What has happened before a search begins: acts in words, like "0 calls 1" or "0 drops x", one after the other.

A model of few acts can so begin where a long story has led, and be searched in every order from there.  Before the
next act everything arrives; but from "0 lags" on what is sent to that process is on its way until the search begins.

Refuses to know what follows from an act.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from freehold.specs.explorer.parties import Act, Delivery, Wrong

if TYPE_CHECKING:
    from freehold.specs.explorer.parties import Parties

OBJECTS = "xyzuvw"  # what is put, in this order
LAGS = "lags"


class Verb(NamedTuple):
    """What a process can be asked to do."""

    is_meant: Callable[[Any], bool]  # whether it is this act
    objects: Callable[[Any], tuple[int, ...]]  # with which objects it is done


def one_object(what: Any) -> tuple[int, ...]:
    """Return the object of an act that is done with one."""
    return (what[1],)


VERBS = {
    "puts": Verb(lambda what: what[0] == "put" and not what[2], lambda what: ()),
    "nests": Verb(lambda what: what[0] == "put" and bool(what[2]), lambda what: what[2]),
    "drops": Verb(lambda what: what[0] == "drop", one_object),
    "calls": Verb(lambda what: what[0] == "call" and bool(what[3]) and not what[5], lambda what: what[3]),
    "gets": Verb(lambda what: what[0] == "get" and what[2] < 0, one_object),  # without a timeout
    "reads": Verb(lambda what: what[0] == "read", one_object),  # what it can read without a get
    "keeps": Verb(lambda what: what[0] == "end" and bool(what[1]), lambda what: what[1]),
}


class Wish(NamedTuple):
    """What a process is to do."""

    who: int
    verb: str
    whom: int = -1  # to call
    object: str = ""  # if not given: the one that it has had longest to drop, else the last


class Story:
    """What processes have done, and where that has led.

    Args:
        parties: theirs, and others.
        states: in which each is at first; at the end of the story it is in another.
        names: of the processes.
    """

    def __init__(self, parties: Parties, states: list[Hashable], names: Sequence[int]) -> None:
        self.parties, self.states, self.names = parties, states, names
        self.acts: list[tuple[int, Act]] = []  # who did what
        self.objects: list[int] = []  # that were put
        self.lagging: set[int] = set()  # whom nothing reaches any more
        self.late: list[tuple[int, Delivery]] = []  # what is on its way to them

    def tell(self, words: str) -> None:
        """Let a process do what is asked for in words, and, unless they lag, let all that follows arrive.

        Raises:
            ValueError: nobody understands the words, or it cannot be done.
        """
        wish = understood(words, len(self.names))
        if wish.verb == LAGS:
            self.lagging.add(wish.who)
        elif not self.is_wrong():
            act = self.chosen(wish)
            if act is None:
                raise ValueError(f"{words!r} cannot be done then")
            self.acts.append((wish.who, act))
            self.objects += [act.what[1]] if act.what[0] == "put" else []
            self.go_on(wish.who, act)

    def is_wrong(self) -> bool:
        """Tell whether somebody has done what it must not: the story ends there, and the search says so."""
        return any(isinstance(state, Wrong) for state in self.states)

    def go_on(self, who: int, act: Act) -> None:
        """Let an act be done, and all that follows arrive at who does not lag."""
        told: deque[tuple[int, Delivery | Act]] = deque([(who, act)])
        while told and not self.is_wrong():
            party, what = told.popleft()
            step = self.parties.step(party, self.states[party], what)
            self.states[party] = Wrong(step.doubt) if step.doubt else step.after
            for target, message in step.sent:
                delivery = Delivery(party, message)
                if target in self.lagging:
                    self.late.append((target, delivery))
                else:
                    told.append((target, delivery))

    def chosen(self, wish: Wish) -> Act | None:
        """Return the act that is meant, of all that may be done."""
        verb, object = VERBS[wish.verb], dict(zip(OBJECTS, self.objects, strict=False)).get(wish.object)
        meant: Iterable[Act] = self.parties.may_do(wish.who, self.states[wish.who])
        meant = [act for act in meant if verb.is_meant(act.what)]
        if wish.whom >= 0:
            meant = [act for act in meant if act.what[2] == self.names[wish.whom]]
        if wish.object:
            meant = [act for act in meant if object in verb.objects(act.what)]
        return meant[0 if wish.verb == "drops" else -1] if meant else None


def understood(words: str, processes: int) -> Wish:
    """Return what is asked for, of so many processes.

    Raises:
        ValueError: nobody understands the words.
    """
    who, verb, *rest = [*words.split(), "", ""][: max(2, len(words.split()))]
    object = rest.pop() if verb not in (LAGS, "puts") and rest and rest[-1] in [*OBJECTS] else ""
    numbers = [who, *rest]
    known = all(number.isdecimal() and int(number) < processes for number in numbers)
    if not known or verb not in (*VERBS, LAGS) or len(rest) != (verb == "calls"):
        wanted = f"the number of one of {processes} processes, from 0 on, and {', '.join(VERBS)} or {LAGS}"
        raise ValueError(f"{words!r} is no act; an act is {wanted}, as in '0 calls 1' or '0 drops x'")
    return Wish(int(who), verb, int(rest[0]) if rest else -1, object)
