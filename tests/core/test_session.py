"""A session's references: each death is told once, whatever other threads do at that moment."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

import freehold
from freehold.core import cluster
from freehold.core.events import Event, RefDropped
from freehold.core.session import Session


class Hasty(deque[int]):
    """A queue of dead references at which another thread looks as soon as there is one, amid its ``__del__``."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.seen: list[Event] = []
        self.act: Any = None

    def append(self, object: int) -> None:
        super().append(object)
        if self.act is not None:
            self.act(object)
        self.seen += self.session.drops()


@pytest.fixture
def session() -> Iterator[Session]:
    freehold.init(backend="inline")
    assert cluster.active is not None
    yield cluster.active
    freehold.shutdown()


def test_a_reference_is_dropped_though_another_thread_looks_amid_its_end(session: Session) -> None:
    ref = freehold.put(1)
    name, queue = ref._id, Hasty(session)
    session.dropped = queue
    del ref
    assert [*queue.seen, *session.drops()] == [RefDropped(name)]
    assert not session.dropped and name not in session.refs


def test_a_reference_that_dies_is_not_handed_out_again(session: Session) -> None:
    """Another thread comes upon the name in a value while the last reference goes: it has one of its own."""
    ref = freehold.put(1)
    name, queue = ref._id, Hasty(session)
    session.dropped = queue
    found: list[Any] = []

    def adopt(object: int) -> None:
        fresh: list[Any] = []
        found.append(session.adopter(fresh)(session.nonce, object))
        assert fresh == found and not found[0]._dying

    queue.act = adopt
    old = id(ref)
    del ref
    queue.act = None
    assert [*queue.seen, *session.drops()] == []
    assert found[0]._id == name and id(found[0]) != old
    found.clear()
    assert [*queue.seen, *session.drops()] == [RefDropped(name)]


def test_a_look_waits_for_no_thread_that_takes_in_a_reference(session: Session) -> None:
    """That thread may be in a finalizer, which waits for the lock under which we look."""
    name = freehold.put(1)._id
    taken, over = threading.Event(), threading.Event()

    def take_in() -> None:
        with session._lock:
            taken.set()
            over.wait(30)

    other = threading.Thread(target=take_in)
    other.start()
    taken.wait(30)
    assert session.drops() == []
    over.set()
    other.join()
    assert session.drops() == [RefDropped(name)]
