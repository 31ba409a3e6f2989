"""Small systems to try the search on."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import permutations
from typing import Any

from freehold.specs.explorer.fates import Fate
from freehold.specs.explorer.parties import Act, Delivery, Facts, Step, Wrong


class Toy:
    """What small systems share: parties whose states are tuples, all of whom know each other."""

    count = 2
    budgets: tuple[int, ...] = (0,)
    fates: list[Fate] = [Fate()]
    alike: list[tuple[int, ...]] = []
    begin: tuple[Hashable, ...] = ()

    def first(self) -> list[Hashable]:
        return list(self.begin)

    def late(self) -> list[tuple[int, Delivery]]:
        return []

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        raise NotImplementedError

    def may_do(self, party: int, state: Any) -> list[Act]:
        return []

    def facts(self, party: int, state: Any) -> Facts:
        return Facts()

    def complaint(self, states: Any) -> str:
        return ""

    def disagreement(self, one: int, state: Any, other: int, state_of_other: Any) -> str:
        return ""

    def may_hear(self, party: int, state: Any, message: Any) -> bool:
        return True

    def lost(self, party: int) -> Hashable:
        return ("lost", party)

    def minds(self, party: int, other: int) -> bool:
        return True

    def renamed(self, thing: Any, names: Any, inside: bool = False) -> Any:
        """A number inside something is a name."""
        if isinstance(thing, tuple | frozenset):
            items = [self.renamed(item, names, True) for item in thing]
            return type(thing)(*items) if hasattr(thing, "_fields") else type(thing)(items)
        return names[thing] if inside and isinstance(thing, int) else thing


class Counters(Toy):
    """Each sends to all others, who count what comes: everything commutes."""

    count, begin, alike = 3, (0, 0, 0), [*permutations(range(3))][1:]
    budgets: tuple[int, ...] = (3,)

    def step(self, party: int, before: int, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(before, tuple([(other, 1) for other in range(3) if other != party]))
        assert isinstance(told.message, int)
        return Step(before + told.message)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("send", (1,))]


class Registers(Toy):
    """Each writes its name to all others, who keep the last: nothing commutes."""

    count, begin, alike = 3, ((), (), ()), [*permutations(range(3))][1:]
    budgets: tuple[int, ...] = (3,)

    def step(self, party: int, before: int, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step((party,), tuple([(other, (party,)) for other in range(3) if other != party]))
        return Step(told.message)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("write", (1,))]


class Lock(Toy):
    """Party 0 lends a lock to two others; a wrong one forgets to whom."""

    count, alike = 3, [(0, 2, 1)]
    budgets: tuple[int, ...] = (4,)

    def __init__(self, forgets: bool) -> None:
        self.forgets, self.begin = forgets, ((0, ()), "out", "out")  # who has it, and who waits

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if party:
            if isinstance(told, Act):
                return Step("waits" if told.what == "ask" else "out", ((0, told.what),))
            return Step("in")
        assert isinstance(told, Delivery)
        holder, queue = before
        queue = (*queue, told.source) if told.message == "ask" else queue
        holder = 0 if told.message == "leave" or self.forgets else holder
        if holder or not queue:
            return Step((holder, queue))
        return Step((queue[0], queue[1:]), ((queue[0], "yours"),))

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act({"out": "ask", "in": "leave"}[state], (1,))] if state in ("out", "in") else []

    def facts(self, party: int, state: Any) -> Facts:
        inside = int(state == "in")
        return Facts(has=inside * (party == 1), gone=inside * (party == 2))

    def complaint(self, states: Any) -> str:
        return "both are in" if [*states[1:]] == ["in", "in"] else ""


class Mortals(Toy):
    """Two pass a ball, a third hears of each pass and of deaths; one of the two may die."""

    count, begin, fates = 3, (1, 0, ()), [Fate(((0,),)), Fate(((1,),))]
    budgets: tuple[int, ...] = (3,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if party == 2:
            assert isinstance(told, Delivery)
            return Step((*before, (told.source, told.message)))
        if isinstance(told, Act):
            return Step(0, ((1 - party, "ball"), (2, "passed")))
        return Step(1 if told.message == "ball" else before)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("pass", (1,))] if party < 2 and state else []


class Together(Mortals):
    """The same; but who passes the ball dies with the third, or the link between the two that pass it breaks."""

    fates = [Fate(((0, 2),)), Fate(link=(0, 1)), Fate(((1,),), (1, 2))]


class InFlight(Together):
    """The same; the ball has been passed when it begins, twice, but has not arrived."""

    begin = (0, 0, ())

    def late(self) -> list[tuple[int, Delivery]]:
        return [
            (1, Delivery(0, "ball")),
            (2, Delivery(0, "passed")),
            (2, Delivery(1, "passed")),
            (0, Delivery(1, "ball")),
        ]


class Duel(Toy):
    """Two pass a ball; if they lose each other, a third puts to death of whom it hears that it was lost."""

    count, begin, fates, alike = 3, (0, 0, ()), [Fate(link=(1, 0))], [(1, 0, 2)]
    budgets: tuple[int, ...] = (2,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(before, ((2, "passed"), (1 - party, "ball")))
        if party == 2:
            ends = 1 - told.source if told.message == "lost" else -1
            return Step((*before, (told.source, told.message)), ends=ends)
        lost = told.message != "ball"
        return Step(before + 1, ((2, "lost" if lost else "caught"),))

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("pass", (1,))] if party < 2 else []


class PingPong(Toy):
    """Two send a ball to and fro for ever: there is never a choice, and never an end."""

    begin = (1, 0)
    budgets: tuple[int, ...] = (1,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        return Step(0, ((1 - party, "ball"),))

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("serve", (1,))] if state else []


class Answers(Toy):
    """One asks numbered questions when it is told to; no answer comes before its question."""

    count, begin = 3, (0, (0, 0), 0)
    budgets: tuple[int, ...] = (3,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(before + 1, ((1, "go"),))
        if party == 2:
            return Step(before + 1, ((1, told.message),))
        asked, answered = before
        if told.message == "go":
            return Step((asked + 1, answered), ((2, asked + 1),))
        return Step((asked, answered + 1) if self.may_hear(party, before, told.message) else Wrong("nobody asked"))

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [] if party else [Act("tell", (1,))]

    def may_hear(self, party: int, state: Any, message: Any) -> bool:
        return not isinstance(message, int) or bool(message <= state[0])


# ------------------------------------------------------------------ what would be missed if more were left out


class Hidden(Toy):
    """One lets another forget what it has, and a third release it: one of the two orders is wrong for a moment."""

    count, begin = 3, (0, 1, 0)
    budgets = (1,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        return Step(1, ((1, "forget"), (2, "release"))) if isinstance(told, Act) else Step(1 - before)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("go", (1,))] if party == 0 else []

    def facts(self, party: int, state: Any) -> Facts:
        return Facts(has=int(party == 1 and state == 1), gone=int(party == 2 and state == 1))

    def complaint(self, states: Any) -> str:
        return "it is released while one has it" if [*states[1:]] == [1, 1] else ""


class Unseen(Toy):
    """What one may do between two messages of which the first comes by a longer way."""

    count, begin = 3, (0, (), 0)
    budgets = (2,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(1, ((1, "stop"), (2, "tell"))) if told.what == "go" else Step(Wrong("it has fired"))
        return Step(before, ((1, "arm"),)) if party == 2 else Step(tuple(sorted({*before, told.message})))

    def may_do(self, party: int, state: Any) -> list[Act]:
        able = {(0, 0): "go", (1, ("arm",)): "fire"}
        return [Act(able[party, state], (1,))] if (party, state) in able else []

    def complaint(self, states: Any) -> str:
        return next((state.what for state in states if isinstance(state, Wrong)), "")


class Again(Toy):
    """One dies; another hears of it, and lets a third write to the dead, which has not heard of it yet, or has."""

    count, begin, fates = 3, (0, (0, 0), 0), [Fate(((0,),))]

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        assert isinstance(told, Delivery)
        if party == 2:
            return Step(1, ((1, "gone"),))
        written, heard = before
        return Step((1, heard), ((0, "hi"),)) if told.message == "gone" else Step((written, min(heard + 1, 2)))

    def facts(self, party: int, state: Any) -> Facts:
        return Facts(waits=party == 1 and state == (1, 1))

    def complaint(self, states: Any) -> str:
        return "it waits to hear of the death again" if states[1] == (1, 1) else ""


class Struck(Toy):
    """One sends something to another, and bids a third put that one to death; a fourth hears of both, or of that."""

    count, begin = 4, (0, 0, 0, ())
    budgets = (1,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(1, ((1, "work"), (2, "kill")))
        if party == 2:
            return Step(1, ((3, "killed"),), ends=1) if told.message == "kill" else Step(before)
        if party == 3 and told.message in ("killed", "done"):
            return Step(tuple(sorted({*before, told.message})))
        return Step(1, ((3, "done"),)) if party == 1 else Step(before)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("go", (1,))] if party == 0 and state == 0 else []

    def facts(self, party: int, state: Any) -> Facts:
        return Facts(waits=party == 3 and state == ("killed",))

    def complaint(self, states: Any) -> str:
        return "it waits for what was to be done" if states[3] == ("killed",) else ""


class Half(Toy):
    """One of two who die together is put to death before."""

    count, begin, fates = 4, (0, 0, 0, 0), [Fate(((0, 2),))]
    budgets = (1,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(1, ((2, "go"),), ends=0)
        return Step(1, ((1, "done"),) if told.message == "go" else ())

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("kill", (1,))] if party == 3 and state == 0 else []


class Greeted(Toy):
    """One who may die is bidden to greet one, and to answer another, of whom it may have heard before or not."""

    count, begin, fates = 4, (0, 0, (), ()), [Fate(((1,),))]
    budgets = (1,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(1, ((1, "greet"), (3, "tell")))
        if party == 1:
            return Step(before | 1, ((2, "hello"),)) if told.message == "greet" else Step(before | 2, ((3, "answer"),))
        after = before if party == 0 else tuple(sorted({*before, str(told.message)}))
        return Step(after, ((1, "ask"),) if told.message == "tell" else ())

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("go", (1,))] if party == 0 and state == 0 else []


class Ignored(Toy):
    """Two send a ball to and fro for ever; what one of them has told a third is never heard, or it is."""

    count, begin = 3, (0, 0, 0)
    budgets = (1,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(1, ((0, "ball"), (2, "bad")))
        return Step(Wrong("it was heard")) if party == 2 else Step(before, ((1 - party, "ball"),))

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("serve", (1,))] if party == 1 else []

    def complaint(self, states: Any) -> str:
        return next((state.what for state in states if isinstance(state, Wrong)), "")
