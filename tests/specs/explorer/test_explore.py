"""The search through what users can do with shared objects: what it proves, what it finds, that it would find more."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from immutables import Map

from freehold.core import borrowing, copy, membership, ownership
from freehold.core.effects import Kill, Send
from freehold.core.events import Moved
from freehold.core.ids import owner_of
from freehold.core.inquest_events import HoldersWanted
from freehold.core.inquiry import CLOSED, HEARING
from freehold.core.machine import replace
from freehold.core.membership import Members
from freehold.core.messages import InquestQuery, LocateQuery, LocateReply
from freehold.core.node_messages import PullQuery
from freehold.core.ownership import Owning
from freehold.core.policies import DEFAULT, Policy
from freehold.core.promotion import DISCARDING
from freehold.core.resolution import ASKING
from freehold.core.values import Failure
from freehold.specs.explorer.automata import System
from freehold.specs.explorer.bounds import Bounds
from freehold.specs.explorer.counterexample import Way, tell
from freehold.specs.explorer.fates import Fate
from freehold.specs.explorer.hosts import Process
from freehold.specs.explorer.independence import Independence
from freehold.specs.explorer.parties import Act, Delivery
from freehold.specs.explorer.search import Found, search
from freehold.specs.explorer.sharing import Sharing

# Everything that can happen: how many states there are, nothing left out.  A change of the protocol changes them.
EVERYTHING: dict[str, tuple[dict[str, Any], int]] = {
    "lend and drop": ({"processes": 2, "acts": 5, "calls": 3}, 1_860),
    "a death": ({"acts": 3, "calls": 1, "deaths": 1}, 7_677),
    "returned references": ({"processes": 2, "acts": 4, "calls": 2, "returns": True}, 1_245),
    "two objects": ({"processes": 2, "objects": 2, "acts": 4, "calls": 2}, 660),
    "large": (
        {"processes": 2, "acts": 4, "calls": 1, "gets": True, "values": True, "views": True, "large": True},
        6_334,
    ),
    "copies": ({"processes": 2, "acts": 3, "calls": 1, "deaths": 1, "gets": True}, 48_234),
    "one node": (
        {"processes": 2, "acts": 4, "calls": 1, "nodes": 1, "deaths": 1, "gets": True, "views": True, "large": True},
        10_953,
    ),
    "a broken link": ({"processes": 2, "acts": 4, "calls": 2, "cuts": 1}, 13_909),
    "a node's death": ({"processes": 2, "acts": 3, "calls": 1, "node_deaths": 1, "gets": True, "large": True}, 5_556),
}
TOLD_WHERE = ASKING.rows[LocateReply]
HOLE = [
    "n0w1: x = put(...)",
    "n0w1: f.remote([x])  # runs on n1w1",
    "n1w1: f.remote([x])  # runs on n2w1",
    "n1w1 dies",
    "n0w1: del x",
]


def explored(*, policy: Policy = DEFAULT, **what: Any) -> tuple[Found, System, Sharing]:
    cluster = Sharing(Bounds(**what), policy)
    system = System(cluster)
    return Independence(system).explore(), system, cluster


@cache
def lent_and_died() -> tuple[Found, System]:
    """Return what is found where three lend an object, and one dies."""
    found, system, _ = explored(calls=2, deaths=1)
    return found, system


def every(**what: Any) -> System:
    """Return a system of which nothing is left out."""
    system = System(Sharing(Bounds(**what)))
    system.alone = False
    system.symmetry.renamings.clear()
    return system


@pytest.mark.parametrize("what", EVERYTHING)
def test_nothing_is_wrong_in_any_state(what: str) -> None:
    arguments, states = EVERYTHING[what]
    found = search(every(**arguments))
    assert found.violations == []
    assert found.exhausted and found.states == states


def test_who_of_those_that_are_alike_dies_makes_no_difference() -> None:
    """The first process puts an object first; the others do all that the others do, under other names."""
    cluster = Sharing(Bounds(acts=3, calls=1, deaths=1))
    assert cluster.fates == [Fate(((0,),)), Fate(((1,),))]
    counts = list[tuple[int, int, int]]()
    for one in (1, 2):
        system = System(cluster, Fate(((one,),)))
        system.alone = False
        found = search(system)
        counts.append((found.states, found.transitions, found.depth))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("what", EVERYTHING)
def test_every_end_is_reached_although_much_is_left_out(what: str) -> None:
    class Resting(System):
        rest = set[Any]()

        def wrong(self, rows: Any) -> Any:
            quiet = rows[~rows[:, self.count : self.budgets].any(axis=1)]
            self.rest |= {
                tuple([*map(self.states.values.__getitem__, row[: self.count]), *row[self.budgets :]]) for row in quiet
            }
            return super().wrong(rows)

    system = Resting(Sharing(Bounds(**EVERYTHING[what][0])))
    some = Independence(system).explore()
    rest, system.rest, system.alone = system.rest, set(), False
    everything = search(system)
    assert rest >= system.rest  # with fewer acts, too
    assert some.states < everything.states


@pytest.mark.slow
def test_every_state_of_a_reference_is_seen() -> None:
    _, died = lent_and_died()
    _, inside, _ = explored(processes=2, objects=2, calls=1, gets=True)
    seen = set[str]()
    for state in (*died.states.values, *inside.states.values):
        if state is not None and isinstance(state[1], Process):
            seen |= {record.state.name for _, record in state[1].tables[1]}
    assert seen == {state.name for state in Owning} - {"UNHELD"}  # of which there is no record


def test_the_known_hole_is_found() -> None:
    """A borrower dies before anybody heard to whom it lent the object: Ray's rule frees it (ray#18456)."""
    found, system, cluster = explored(calls=3, deaths=1, policy=Policy(borrower_death="ray"))
    ((what, way),) = found.violations
    told = tell(system, cluster, way)
    assert told.program == HOLE
    assert what == "n0w1.2 is released while n2w1 has a reference" and told.everything[-1] == f"WRONG: {what}"
    news = [step.event for step in told.steps if step.table == "membership"]
    assert news[0] == "PeerLost" and news[-1] == "DeathNotice"  # its node, or who has lost it, and then all others


@pytest.mark.slow
def test_the_known_hole_is_closed() -> None:
    found, _ = lent_and_died()
    assert found.exhausted and found.violations == []


BROKEN: dict[str, Any] = {
    # a handler, and what is put in its place: faults that others have made
    "released": lambda r, e, here: ownership.let_go(replace(r, borrowers=Map()), here),
    "add_borrowers": lambda r, e, here: (r, ()),
    "remember_lent": lambda r, e, here: (r, ()),
    "put_down": lambda r, e, here: ownership.let_go(replace(r, arguments=0), here),
    "unpin": lambda r, e, here: (r, ()),
}


@pytest.mark.slow
@pytest.mark.parametrize("handler", BROKEN)
def test_a_broken_rule_is_found(handler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, broken = getattr(borrowing, handler, None) or getattr(ownership, handler), BROKEN[handler]
    for (state, event), row in ownership.TABLE.rows.items():
        if row.run is real:
            monkeypatch.setitem(state.rows, event, broken)
    found = [explored(acts=5, calls=2), explored(processes=2, calls=2, returns=True)]
    assert any(one.violations for one, _, _ in found), f"{handler} does nothing of use, as far as the search can tell"


def leave_out(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a rule about deaths forgotten."""
    real, by_ray = getattr(borrowing, rule), SimpleNamespace(policy=Policy(borrower_death="ray"))
    cells = [(state, event) for (state, event), row in ownership.TABLE.rows.items() if row.run is real]
    for state, event in cells:
        monkeypatch.setitem(state.rows, event, lambda r, e, here: real(r, e, by_ray))


@pytest.mark.slow
def test_a_dead_executor_may_have_held(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out("may_have_held", monkeypatch)
    found, _, _ = explored(calls=2, deaths=1)
    assert "is released while" in found.violations[0][0]


@pytest.mark.slow
def test_the_dead_are_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Members, "hears", lambda self, party: True)
    found, _, _ = explored(calls=2, deaths=1)
    assert "has no value for Ownership(" in found.violations[0][0]  # it came from the dead after the release


def test_of_two_who_have_lost_each_other_one_has_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lives on although others take it for dead is waited for, and waits, for ever."""

    def spared(r: Any, e: Any, here: Any) -> Any:
        after, out = membership.told_dead(r, e, here)
        return after, tuple([effect for effect in out if not isinstance(effect, Kill)])

    for (state, event), row in membership.TABLE.rows.items():
        if row.run is membership.told_dead:
            rows: dict[Any, Any] = state.rows
            monkeypatch.setitem(rows, event, spared)
    found, system, cluster = explored(processes=2, calls=1, cuts=1)
    ((what, way),) = found.violations
    assert "waits for ever" in what
    assert "n0w1 and n1w1 lose each other" in tell(system, cluster, way).program


def test_a_node_takes_its_processes_along() -> None:
    system = System(Sharing(Bounds(processes=2, acts=2, calls=1, node_deaths=1)))
    system.alone = False
    worker, node, alive = 1, 3, set[tuple[bool, bool]]()
    rows = system.first()
    for _ in range(4):
        alive |= {(bool(row[worker]), bool(row[node])) for row in rows}
        rows = system.moves(rows).rows
    assert alive == {(True, True), (False, False)}


def test_who_reads_without_a_hold_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that forgets to whom it has lent a copy could give its bytes to another."""
    for state in copy.SEALED:
        rows: dict[Any, Any] = state.rows
        monkeypatch.setitem(rows, PullQuery, lambda r, e, here: (r, copy.grant(r, e.asker)[1]))
    found, _, _ = explored(processes=2, nodes=1, acts=4, calls=1, gets=True)
    assert "reads what its node has not lent to it" in found.violations[0][0]


def test_a_record_that_is_not_forgotten_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner whose object is released while it is written gives the hold back, and waits for what has come."""
    true, rows = DISCARDING.rows[Moved], dict[Any, Any](DISCARDING.rows)
    monkeypatch.setattr(DISCARDING, "rows", {**rows, Moved: lambda r, e, here: (r, true(r, e, here)[1])})
    found, _, _ = explored(processes=2, acts=4, calls=1, gets=True)
    assert "n0w1 waits for ever" in found.violations[0][0] and "DISCARDING" in found.violations[0][0]


def refused(r: Any, e: Any, here: Any) -> Any:
    """Hear that another's object is released, whatever its owner says."""
    released = replace(e, outcome=Failure("released", e.object, here.me))
    return TOLD_WHERE(r, released if owner_of(r.object) != here.me else e, here)


def asks_again(r: Any, e: Any, here: Any) -> Any:
    """Ask the owner again, whatever it says."""
    return r, (Send(owner_of(r.object), LocateQuery(r.object, r.attempt, here.me, (), 0)),)


@pytest.mark.parametrize(
    ("row", "deaths", "said"), [(refused, 1, "nobody has died"), (asks_again, 0, "messages go on for ever")]
)
def test_gets_end_and_end_well_until_somebody_dies(
    row: Any, deaths: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: dict[Any, Any] = ASKING.rows
    monkeypatch.setitem(rows, LocateReply, row)
    found, _, _ = explored(processes=2, acts=2, calls=0, gets=True, deaths=deaths, before=("0 calls 1",))
    assert said in found.violations[0][0]


# ---------------------------------------------------------------- what four do is too far for a quick search

OWNER, LENDER, MIDDLE, LAST, OWNERS_NODE, LENDERS_NODE, MIDDLES_NODE, LASTS_NODE = range(8)
SHARED = Sharing(Bounds()).story.acts[0][1].what[1]  # what has been put first


class Schedule(Way):
    """A way that a test goes."""

    def __init__(self) -> None:
        self.cluster = Sharing(Bounds(processes=4, acts=7, calls=3, deaths=1))
        super().__init__(System(self.cluster, Fate(((LENDER,),))))
        self.system.alone = False

    def act(self, party: int, kind: str, *details: Any, dies: bool = False) -> None:
        """A user does something; if it dies thereby, its message to the other still arrives."""
        named = {self.cluster.names[to] for to in details} if kind == "call" else {*details}
        for move in self.moves():
            fits = isinstance(move.told, Act) and move.told.what[0] == kind and named <= {*move.told.what}
            if fits and move.party == party and (bool(move.wrong), sum(move.arrive)) == (dies, dies):
                return self.take(move)
        raise LookupError(kind)

    def deliver(self, *channels: tuple[int, int]) -> None:
        """Deliver what is on some channels, on all if none is named, and what follows from it."""
        found = True
        while found:
            found = False
            for move in self.moves():
                on = isinstance(move.told, Delivery) and (move.told.source, move.party)
                if on and not move.wrong and (on in channels or not channels):
                    self.take(move)
                    found = True
                    break


def the_news_is_slow() -> None:
    """The lender has passed the object on to one who passes it on when all but it have heard of the death."""
    way = Schedule()
    way.act(OWNER, "call", LENDER)
    way.deliver((OWNER, LENDER))
    way.act(OWNER, "drop")
    way.act(LENDER, "call", MIDDLE, dies=True)
    way.deliver((LENDER, OWNERS_NODE), (OWNERS_NODE, OWNER), (OWNER, OWNERS_NODE))  # the owner hears of it, and asks
    way.deliver((OWNERS_NODE, LASTS_NODE), (LASTS_NODE, LAST), (LAST, LASTS_NODE), (LASTS_NODE, OWNERS_NODE))
    way.take(
        next(move for move in way.moves() if move.party == MIDDLE)
    )  # the task; that the lender died it does not hear
    way.act(MIDDLE, "call", LAST)
    way.deliver((MIDDLE, LAST))
    way.act(LAST, "end", (SHARED,))
    way.deliver((LAST, MIDDLE))
    way.act(MIDDLE, "end", ())  # it reports to the dead to whom it has lent the object
    way.deliver()


def the_lender_is_dead() -> None:
    """The owner hears of one who has died only through another, which has lent it the object."""
    way = Schedule()
    way.act(OWNER, "call", MIDDLE)
    way.deliver((OWNER, MIDDLE))
    way.act(OWNER, "drop")
    way.act(MIDDLE, "call", LENDER)
    way.deliver((MIDDLE, LENDER))
    way.act(LENDER, "end", (SHARED,))
    way.deliver((LENDER, MIDDLE))
    way.act(LENDER, "call", LAST, dies=True)
    way.take(next(move for move in way.moves() if move.party == LAST))
    way.deliver(
        (LENDER, LENDERS_NODE), (LENDERS_NODE, OWNERS_NODE), (OWNERS_NODE, MIDDLES_NODE), (MIDDLES_NODE, MIDDLE)
    )
    way.act(MIDDLE, "end", ())
    way.deliver()


def test_nobody_is_asked_before_all_have_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    the_news_is_slow()

    def ask_at_once(r: Any, e: Any, here: Any) -> Any:
        return replace(r, state=HEARING, objects=e.objects), (HoldersWanted(r.inquest, e.objects),)

    rows: dict[Any, Any] = CLOSED.rows
    monkeypatch.setitem(rows, InquestQuery, ask_at_once)
    with pytest.raises(AssertionError, match="is released while n3w1 has a reference"):
        the_news_is_slow()


def test_a_borrower_reports_the_dead_to_whom_it_has_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    the_lender_is_dead()
    leave_out("lent_to_the_dead", monkeypatch)
    with pytest.raises(AssertionError, match="is released while n3w1 has a reference"):
        the_lender_is_dead()
