"""What two parties must agree on: each check finds what it is to find, and nothing while messages are on their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from immutables import Map

from freehold.core.copy import PRIMARY, PULLING, SECONDARY, Copy
from freehold.core.copy import RESERVING as ROOM_WANTED
from freehold.core.desk import Desk
from freehold.core.execution import RUNNING, Execution
from freehold.core.ids import HEAD, node_id, object_id
from freehold.core.leasing import LEASING, Pool
from freehold.core.machine import replace
from freehold.core.membership import ALIVE, DEAD, Member
from freehold.core.node import Node
from freehold.core.office import FULL, LeaseAsk, Loan
from freehold.core.ownership import INTRODUCING, LINGERING, OWNED, REGISTERED, Asked, Ownership
from freehold.core.policies import Policy
from freehold.core.promotion import PENDING, PLACED, RESERVING, WRITING, Promotion
from freehold.core.resolution import ASKING, LOCAL, Resolution
from freehold.core.resolution import PULLING as WAITING
from freehold.core.running import HANDING
from freehold.core.worker import Worker
from freehold.specs import pairs
from freehold.specs.properties import insist
from freehold.specs.walks.trial import CPUS, Trial
from freehold.specs.walks.world import Violation

ONE, TWO = HEAD, node_id(1)
POOL = (CPUS, 0)


class Two:
    """A cluster of two nodes with a program on each, in which nothing has happened yet."""

    def __init__(self) -> None:
        self.world = Trial(Policy(), 1000, (1, 1), (0, 1))
        self.here, self.there = [self.world.worker(program.me) for program in self.world.programs]
        self.node, self.far = self.node_of(ONE), self.node_of(TWO)
        self.mine = object_id(self.here.me, 5)

    def node_of(self, me: int) -> Node:
        found = self.world.parties[me]
        assert isinstance(found, Node)
        return found


def question_forgotten(two: Two) -> None:
    two.there.resolution[two.mine] = Resolution(two.mine, ASKING, 3)


def answer_nobody_waits_for(two: Two) -> None:
    two.here.promotion[two.mine] = Promotion(two.mine, PENDING, askers=Map({two.there.me: (3, ())}))


def borrower_unaware(two: Two) -> None:
    two.here.ownership[two.mine] = Ownership(two.mine, OWNED, True, borrowers=Map({two.there.me: Asked(2)}))


def owner_unaware(two: Two) -> None:
    two.here.ownership[two.mine] = Ownership(two.mine, OWNED, True)
    two.there.ownership[two.mine] = Ownership(two.mine, REGISTERED, True, asked=2)


def never_asked(two: Two) -> None:
    two.there.ownership[two.mine] = Ownership(two.mine, INTRODUCING, True)


def never_asked_whom_it_lent_to(two: Two) -> None:
    two.there.ownership[two.mine] = Ownership(two.mine, LINGERING, lent=(7,))


def task_nowhere(two: Two) -> None:
    two.here.execution[two.mine] = Execution(two.mine, RUNNING, 1, worker=two.there.me)


def returns_taken(two: Two) -> None:
    world, here = two.world, two.here
    frame = world.processes[here.me].frames[0]
    world.submit(frame, world.functions[0], (), (), 1, 0)
    while not (runs := [p for p in world.parties.values() if isinstance(p, Worker) and p.running]):
        world.progress()
    ((task, run),) = runs[0].running.items()
    runs[0].running[task] = replace(run, state=HANDING)


def hold_forgotten(two: Two) -> None:
    two.here.resolution[two.mine] = Resolution(two.mine, LOCAL, grants=1)


def hold_of_nobody(two: Two) -> None:
    two.node.copies[two.mine] = Copy(two.mine, PRIMARY, holds=Map({two.here.me: 1}))


def written_without_a_hold(two: Two) -> None:
    two.here.promotion[two.mine] = Promotion(two.mine, WRITING)


def nothing_comes(two: Two) -> None:
    two.here.resolution[two.mine] = Resolution(two.mine, WAITING, 4)


def room_for_nobody(two: Two) -> None:
    two.node.copies[two.mine] = Copy(two.mine, ROOM_WANTED, creator=two.here.me, creating=4)


def room_never_comes(two: Two) -> None:
    two.here.promotion[two.mine] = Promotion(two.mine, RESERVING, 4)


def cpu_not_lent(two: Two) -> None:
    office = two.far.offices
    worker = min(office[0].workers)
    two.world.worker(worker).desk[0] = Desk(lends=True)
    office[0] = replace(office[0], loans=office[0].loans.set(worker, Loan(two.here.me, POOL)))


def copy_unknown(two: Two) -> None:
    two.far.copies[two.mine] = Copy(two.mine, PRIMARY)


def primary_may_be_evicted(two: Two) -> None:
    two.here.promotion[two.mine] = Promotion(two.mine, PLACED, nodes=(TWO,))
    two.far.copies[two.mine] = Copy(two.mine, SECONDARY)


def copy_of_no_use_is_kept(two: Two) -> None:
    two.here.promotion[two.mine] = Promotion(two.mine, PLACED, nodes=(TWO,), rested=True)
    two.far.copies[two.mine] = Copy(two.mine, PRIMARY)


def primary_is_gone(two: Two) -> None:
    two.here.promotion[two.mine] = Promotion(two.mine, PLACED, nodes=(TWO,), askers=Map({7: (3, (TWO,))}))


def query_lost(two: Two) -> None:
    two.here.pools[POOL] = Pool(POOL, LEASING, asked=Map({TWO: 1}))


def owner_not_told_to_wait(two: Two) -> None:
    query_lost(two)
    office = two.far.offices
    office[0] = replace(office[0], queue=(LeaseAsk(two.here.me, POOL, 1, CPUS, 1, FULL),))


def worker_of_nobody(two: Two) -> None:
    office = two.far.offices
    worker = min(office[0].workers)
    office[0] = replace(office[0], loans=office[0].loans.set(worker, Loan(two.here.me, POOL)))


def chunks_never_come(two: Two) -> None:
    two.far.copies[two.mine] = Copy(two.mine, PULLING, source=ONE)


def held_by_a_node_for_nothing(two: Two) -> None:
    two.node.copies[two.mine] = Copy(two.mine, PRIMARY, holds=Map({TWO: 1}))


def node_not_announced(two: Two) -> None:
    two.far.members[node_id(2)] = Member(node_id(2), ALIVE)


def death_hushed_up(two: Two) -> None:
    two.far.members[two.here.me] = Member(two.here.me, DEAD)


BROKEN: list[tuple[Callable[[Two], None], Any, str]] = [
    (question_forgotten, pairs.questions_are_open, "one asks for n0w2.5 (3), the other is to be answered (None)"),
    (answer_nobody_waits_for, pairs.questions_are_open, "asks for n0w2.5 (None), the other is to be answered (3)"),
    (borrower_unaware, pairs.borrowers_are_asked, "one is asked about n0w2.5 (2), the other will answer (None)"),
    (owner_unaware, pairs.borrowers_are_asked, "one is asked about n0w2.5 (None), the other will answer (2)"),
    (never_asked, pairs.borrowers_are_asked, "waits to be asked"),
    (never_asked_whom_it_lent_to, pairs.borrowers_are_asked, "waits to be asked"),
    (task_nowhere, pairs.tasks_are_somewhere, "one was sent n0w2.5 (1), the other has (None)"),
    (returns_taken, pairs.tasks_are_somewhere, "was taken"),
    (hold_forgotten, pairs.holds_are_known, "one holds n0w2.5 (1), the other counts (None)"),
    (hold_of_nobody, pairs.holds_are_known, "one holds n0w2.5 (None), the other counts (1)"),
    (written_without_a_hold, pairs.holds_are_known, "one holds n0w2.5 (1), the other counts (None)"),
    (nothing_comes, pairs.copies_are_coming, "one waits for n0w2.5 (4), the other knows (None)"),
    (room_for_nobody, pairs.copies_are_coming, "wants room for n0w2.5 (None), the other has been asked (4)"),
    (room_never_comes, pairs.copies_are_coming, "wants room for n0w2.5 (4), the other has been asked (None)"),
    (cpu_not_lent, pairs.cpus_are_lent, "one lends the CPU of Loan("),
    (copy_unknown, pairs.copies_are_listed, "one knows of n0w2.5 None, the other has Copy("),
    (primary_may_be_evicted, pairs.primaries_are_kept, "one counts on Promotion("),
    (copy_of_no_use_is_kept, pairs.primaries_are_kept, "one counts on Promotion("),
    (primary_is_gone, pairs.primaries_are_kept, "the other has nothing"),
    (query_lost, pairs.queries_are_open, "the other has in its queue: {}"),
    (owner_not_told_to_wait, pairs.queries_are_open, "(1, False, False)}; the other has in its queue: {"),
    (worker_of_nobody, pairs.loans_are_known, "the other has {}"),
    (chunks_never_come, pairs.chunks_are_coming, "one waits for chunks of Copy("),
    (node_not_announced, pairs.views_agree, "one knows n2 (()), the other knows (None)"),
    (death_hushed_up, pairs.views_agree, "one does not know of the death of n0w2"),
    (held_by_a_node_for_nothing, pairs.chunks_are_coming, "one holds Copy("),
]


def complaints(check: Any, two: Two) -> list[str]:
    """What a check says of any two parties."""
    parties = two.world.parties.values()
    return [complaint for one in parties for other in parties if one is not other for complaint in check(one, other)]


@pytest.mark.parametrize(("fault", "check", "said"), BROKEN, ids=[fault.__name__ for fault, _, _ in BROKEN])
def test_what_is_broken_is_found(fault: Callable[[Two], None], check: Any, said: str) -> None:
    two = Two()
    assert complaints(check, two) == []
    fault(two)
    found = complaints(check, two)
    assert any(said in complaint for complaint in found), found
    assert all("nothing being on its way between them: " in complaint for complaint in found)


def test_each_check_has_a_fault() -> None:
    assert {check for _, check, _ in BROKEN} == {*pairs.CHECKS}


def test_what_is_on_its_way_may_be_the_reason() -> None:
    """And the dead, as somebody believes they are, need not know anything."""
    two = Two()
    question_forgotten(two)
    with pytest.raises(Violation, match=r"one asks for n0w2\.5"):
        insist(*[pairs.agree(two.there, other) for other in two.world.in_touch_with(two.there)])
    two.world.channels[two.here.me, two.there.me] = [(0, two.world)]  # type: ignore[list-item]  # whatever
    assert two.here not in two.world.in_touch_with(two.there)
    two.there.members[two.here.me] = Member(two.here.me, DEAD)
    assert [*pairs.agree(two.there, two.here)] == []
