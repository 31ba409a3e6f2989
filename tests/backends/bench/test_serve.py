"""How an operation is timed, the same for all contenders, and what a contender answers."""

import pytest

from freehold.backends.bench.contender import Contender, Timed, nothing
from freehold.backends.bench.serve import Meter, Service


class Clock:
    """An operation that takes exactly so many seconds, without taking any."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked: list[int] = []

    def many(self, n: int) -> float:
        self.asked.append(n)
        return n * self.seconds


@pytest.mark.parametrize("seconds", [0.000_001, 0.003, 2.0])
def test_a_window_tells_the_seconds_of_one_call(seconds: float) -> None:
    clock = Clock(seconds)
    assert Meter(clock.many).window(0.5) == pytest.approx(seconds)
    assert sum(clock.asked) * seconds >= 0.5
    assert sum(clock.asked) * seconds < 0.5 * 1.2 + seconds


def test_a_window_looks_at_the_clock_about_ten_times() -> None:
    clock = Clock(0.000_001)
    meter = Meter(clock.many)
    meter.window(0.5)
    clock.asked.clear()
    meter.window(0.5)
    assert 9 <= len(clock.asked) <= 12


def contender(log: list[str]) -> Contender:
    made = Contender("someone", lambda nodes: log.append(f"begin {nodes}"), lambda: log.append("end"))

    @made.rate("get", "fast")
    def get() -> Timed:
        return Clock(2.0).many

    made.whole("queued")(lambda count: {"queued": count})
    return made


def test_a_rate_is_begun_and_done() -> None:
    log: list[str] = []
    service = Service(contender(log))
    assert service.answer("begin", "get", "fast", 2) is True
    assert service.answer("cold") == 2.0 and service.answer("window", 1.0) == 2.0
    service.end()
    assert log == ["begin 2", "end"]


def test_a_whole_is_done_at_once() -> None:
    assert Service(contender([])).answer("whole", "queued", "", 1, 10) == {"queued": 10}


@pytest.mark.parametrize("request_", [("begin", "get", "", 1), ("begin", "put", "fast", 1), ("whole", "get", "", 1, 5)])
def test_an_operation_that_the_contender_lacks_starts_nothing(request_: tuple[str, ...]) -> None:
    log: list[str] = []
    service = Service(contender(log))
    assert service.answer(*request_) is None
    service.end()
    assert log == []


def test_nothing_takes_anything() -> None:
    nothing(1, 2)
