"""Accounts: the references listed are those counted, however many there are; and since when is read off the ring."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import pytest
from immutables import Map

from freehold.core import account as accounts
from freehold.core import facts, wording
from freehold.core.account import account, holders
from freehold.core.events import Lent, RefCreated
from freehold.core.execution import KEPT, RESOLVING, Execution
from freehold.core.facts import LIKE_FACTS_MAX, REFERENCES, Account, Fact, bounded
from freehold.core.ids import HEAD, object_id, worker_id
from freehold.core.messages import TaskQuery
from freehold.core.node_messages import DeathNotice
from freehold.core.ownership import OWNED, Asked, Ownership
from freehold.core.promotion import Promotion
from freehold.core.resolution import Resolution
from freehold.core.running import HANDING, RUNNING, Run_
from freehold.core.trace import Ring
from freehold.core.values import Description, Payload, Slot
from freehold.core.worker import Worker
from freehold.specs.records.of_workers import accounts_agree

ME, OTHER = worker_id(HEAD, 1), worker_id(HEAD, 2)
REF, OUTER, TASK, RUN, AGAIN, OVER = [object_id(ME, number) for number in (1, 2, 3, 4, 11, 12)]


def description(task: int, *slots: Slot) -> Description:
    return Description(task, REF, "train", Payload(5), slots, 1)


def held_in_every_way() -> Worker:
    """Return a worker in which there is one reference, at least, of each kind."""
    worker = Worker(ME)
    borrowers = Map({OTHER + number: Asked(number) for number in range(3)})
    worker.ownership[REF] = Ownership(REF, OWNED, True, 2, 2, 4, True, 2, borrowers=borrowers)
    worker.ownership[OUTER] = Ownership(OUTER, OWNED, refs=(REF, REF), pins=1)
    borrowed = object_id(OTHER, 7)
    worker.ownership[borrowed] = Ownership(borrowed, covers=(OUTER, REF))
    worker.execution[TASK] = Execution(TASK, RESOLVING, description=description(TASK), lent=(REF,))
    again = Execution(AGAIN, RESOLVING, description=description(AGAIN), lent=(REF,), kept=(AGAIN,), due=(AGAIN,))
    worker.execution[AGAIN] = again
    worker.execution[OVER] = Execution(OVER, KEPT, description=description(OVER), lent=(REF,), kept=(OVER,))
    query = TaskQuery(RUN, 1, OTHER, description(RUN), (REF,))
    worker.running[RUN] = Run_(RUN, RUNNING, query=query, held=(REF,))
    worker.resolution[borrowed] = Resolution(borrowed, refs=(REF,), orphaned=True)
    worker.running[RUN + 1] = Run_(RUN + 1, HANDING, query=query)  # has given back what it was lent
    return worker


def test_every_reference_is_listed_with_what_it_is_part_of() -> None:
    worker = held_in_every_way()
    listed = list(holders(worker, {REF}))
    assert {(fact.kind, fact.by) for fact in listed} == {
        *(
            ("local", 0),
            ("exported", 0),
            ("outlived", object_id(OTHER, 7)),
            ("container", OUTER),
            ("argument", TASK),
            ("pin", RUN),
            ("returning", RUN),
        ),
        *(("argument", AGAIN), ("lineage", AGAIN), ("lineage", OVER)),
        *(("introduction", object_id(OTHER, 7)), *[("borrower", OTHER + number) for number in range(3)]),
    }
    assert {fact.kind for fact in listed} == {*REFERENCES}
    assert list(accounts_agree(worker)) == []


def test_a_borrower_that_is_dead_says_why_it_still_counts() -> None:
    worker = Worker(ME)
    for event in (RefCreated(REF, Payload(3)), Lent(REF, (OTHER,)), DeathNotice(OTHER)):
        worker.handle(event)
    words = wording.Words(ME, [account(worker, Ring(), [REF], 1.0)], REF, [OTHER])
    *_, last = words.holders(ME, [], True, set())
    assert last.endswith("borrows it: it is dead, and every process is asked whether it has passed the reference on")
    assert list(accounts_agree(worker)) == []


@pytest.mark.parametrize("kind", REFERENCES)
def test_a_kind_that_an_account_forgets_is_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from freehold.specs.records import of_workers

    def forgetful(worker: Worker, objects: Any) -> list[Fact]:
        return [fact for fact in holders(worker, objects) if fact.kind != kind]

    monkeypatch.setattr(of_workers, "holders", forgetful)
    assert any(REFERENCES[kind] in complaint for complaint in accounts_agree(held_in_every_way()))


def test_what_is_too_much_for_a_screen_is_counted() -> None:
    worker = Worker(ME)
    many = 1000
    worker.ownership[REF] = Ownership(REF, OWNED, True, arguments=many)
    for number in range(many):
        worker.execution[TASK + number] = Execution(TASK + number, RESOLVING, lent=(REF,))
    listed = [fact for fact in bounded(holders(worker, {REF})) if fact.kind == "argument"]
    assert len(listed) == LIKE_FACTS_MAX + 1 and sum(fact.count for fact in listed) == many
    assert list(accounts_agree(worker)) == []


def test_the_first_argument_that_is_missing_leads_on() -> None:
    worker, there = Worker(ME), object_id(ME, 20)
    slots = Slot(there, Payload(3)), Slot(OUTER), Slot(object_id(OTHER, 1), None, (HEAD,), 100)
    worker.execution[TASK] = Execution(TASK, RESOLVING, description=description(TASK, *slots))
    said = account(worker, Ring(), [TASK], 5.0)
    assert [(fact.kind, fact.object, fact.by, fact.text) for fact in said.facts] == [("awaits", TASK, OUTER, "train")]
    assert said.leads == (TASK, OUTER)


def ring_of(steps: int) -> tuple[Worker, Ring]:
    worker = Worker(ME)
    worker.watch = ring = Ring(16)
    for number in range(1, steps + 1):
        worker.handle(RefCreated(object_id(ME, number), Payload(1)), float(number))
    return worker, ring


def test_since_when_is_read_off_the_ring() -> None:
    worker, ring = ring_of(4)
    assert ring.since(Promotion, object_id(ME, 2)) == (2.0, True)
    (value,) = [fact for fact in account(worker, ring, [object_id(ME, 2)], 9.0).facts if fact.kind == "value"]
    assert (value.at, value.exact, value.nbytes) == (2.0, True, 1)


def test_what_has_rolled_off_was_so_at_the_latest_when_the_ring_begins() -> None:
    _, ring = ring_of(100)
    at, exact = ring.since(Promotion, object_id(ME, 2))
    assert not exact and at is not None and 80 < at <= 100
    assert Ring().since(Promotion, object_id(ME, 2)) == (None, False)


def test_an_account_changes_nothing() -> None:
    worker = held_in_every_way()
    before = worker.snapshot(), worker.steps
    assert isinstance(account(worker, Ring(), [REF, TASK, RUN], 1.0), Account)
    assert (worker.snapshot(), worker.steps) == before


def test_every_kind_of_fact_is_told_and_every_step_has_words() -> None:
    source = ast.parse(inspect.getsource(accounts))
    calls = [node for node in ast.walk(source) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Fact"]
    made = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert made == {*facts.KINDS}
    assert {*wording.STEPS} < {*wording.SAYINGS} <= {*facts.KINDS}
    assert {*wording.HELD} == {*REFERENCES} - {"borrower"}


def stuck() -> list[Fact]:
    """Return a fact of each kind about one object, as if all that can keep it had come together."""
    return [Fact(kind, ME, REF, OUTER, 3, 500, 1.0, others=(TASK,), text=TEXTS.get(kind, "x")) for kind in facts.KINDS]


TEXTS = {"value": "PENDING", "copy": "PULLING", "call": "get", "asked": "busy", "occupied": "runs x"}


@pytest.mark.parametrize("kind", facts.KINDS)
def test_every_fact_can_be_read_on_a_page_and_in_a_line(kind: str) -> None:
    said = Account(ME, 0, 4.5, tuple(fact for fact in stuck() if fact.kind in (kind, "queued", "room")), (REF,))
    for brief in (False, True):
        words = wording.Words(ME, [said], REF, [OTHER], brief=brief)
        page = "\n".join(words.page([], complete=True))
        assert page.startswith("n0w1.1, ") and "n0w2" in page.splitlines()[-1]
        assert "for 3.5 s" in page and "500 B" in page
    assert wording.Words(ME, [said], REF, brief=True).line()


def test_a_chain_is_bounded() -> None:
    worker = Worker(ME)
    for number in range(200):
        slot = Slot(TASK + number + 1)
        worker.execution[TASK + number] = Execution(TASK + number, RESOLVING, description=description(TASK, slot))
    assert len(account(worker, Ring(), [TASK], 1.0).leads) == accounts.OBJECTS_MAX
