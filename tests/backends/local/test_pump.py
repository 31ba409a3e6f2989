"""The pump: whoever reads sends what follows before it turns to something else."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from freehold.backends.local.pump import Pump


class Echo:
    """A pump that answers each byte; what it is called for is noted in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.near, self.far = socket.socketpair()
        self.pump = Pump(self.flush, self.serve, self.tick)
        self.pump.epoll.register(self.near, select.EPOLLIN)
        self.answers = b""

    def flush(self) -> None:
        self.calls.append("flush")
        self.near.sendall(self.answers)
        self.answers = b""

    def serve(self, fd: int, mask: int) -> None:
        self.calls.append("serve")
        self.answers += self.near.recv(100)

    def tick(self) -> float:
        self.calls.append("tick")
        return 1.0


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.pump.enter()
    made.pump.close()
    made.pump.leave()
    made.near.close()
    made.far.close()


@pytest.mark.parametrize("turn", [Pump.listen, Pump._turn_if_free])
def test_an_answer_is_sent_before_the_thread_turns_to_something_else(
    echo: Echo, turn: Callable[[Pump], object]
) -> None:
    """Else it would go out when something else comes: a borrower waited 0.1 s for an owner that runs a long task."""
    echo.far.sendall(b"asked")
    echo.pump.enter()
    turn(echo.pump)
    echo.pump.leave()
    echo.far.setblocking(False)
    assert echo.far.recv(100) == b"asked", echo.calls


def test_a_waiting_thread_reads_and_answers_until_it_has_what_it_waits_for(echo: Echo) -> None:
    echo.far.sendall(b"asked")
    assert not echo.pump.wait(lambda: "serve" in echo.calls)
    assert echo.pump.wait(lambda: False, 0.0)  # the time is over
    assert echo.calls[-1] == "serve"


def test_who_comes_amid_a_turn_of_another_thread_is_told_of_what_that_one_read(
    echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have looked before, and would sleep until something else comes: add_node waited for ever."""
    poll = echo.pump._spin.poll
    came, read = threading.Event(), threading.Event()
    woken_by: list[tuple[int, int]] = []
    waits = threading.Thread(target=lambda: echo.pump.wait(lambda: "serve" in echo.calls))

    def looks(epoll: select.epoll, seconds: float) -> list[tuple[int, int]]:
        if threading.current_thread() is waits:
            came.set()
            assert read.wait(20)
            woken_by.extend(poll(epoll, min(seconds, 20)))
            return woken_by
        events = poll(epoll, seconds)
        waits.start()
        assert came.wait(20)
        return events

    monkeypatch.setattr(echo.pump, "tick", lambda: 3600.0)
    monkeypatch.setattr(echo.pump._spin, "poll", looks)
    echo.far.sendall(b"asked")
    echo.pump.enter()
    echo.pump.turn(seconds=0.0)
    echo.pump.leave()
    read.set()
    waits.join()
    assert woken_by
