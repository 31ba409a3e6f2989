"""How long simulated tasks last: as declared, as recorded, or as long as their bodies sleep, whatever is longest."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import freehold
from freehold.core.events import Event
from freehold.core.ids import HEAD, object_id, party_name, worker_id
from freehold.core.journal import Journal
from freehold.core.messages import TaskQuery
from freehold.core.task_events import RunEnded, TaskSubmitted
from freehold.core.values import Description, Payload
from freehold.core.worker import Worker
from freehold.exceptions import GetTimeoutError, TaskCancelledError, WorkerCrashedError
from freehold.simulator.durations import Durations
from freehold.simulator.world.description import described, read
from freehold.simulator.world.tasks import Tasks, recorded

PROGRAM, FIRST, SECOND = (worker_id(HEAD, number) for number in (1, 2, 3))
NOTHING = dict.fromkeys(("send", "receive", "call", "run", "local", "pickle", "copy"), 0)


@freehold.remote
def work(seconds: float = 0.0) -> float:
    """Sleep, and return when that was over."""
    time.sleep(seconds)
    return time.monotonic()


@freehold.remote
def other(seconds: float = 0.0) -> None:
    time.sleep(seconds)


@freehold.remote
def fail() -> None:
    raise KeyError("at once")


def cluster(**tasks: Any) -> dict[str, Any]:
    """Return a cluster in which nothing but tasks takes time."""
    return {"costs": NOTHING, "network": {"latency": 0, "bandwidth": 1e300}, "tasks": tasks}


def lasted(call: Callable[[], Any]) -> float:
    """Return for how many simulated seconds a call has lasted."""
    before = time.monotonic()
    call()
    return round(time.monotonic() - before, 9)


def finish(function: Any, *arguments: Any) -> Any:
    """Run a task, and wait for it."""
    return freehold.get(function.remote(*arguments))


def each(function: Any, *arguments: Any) -> list[float]:
    """Return how long each of some tasks took that ran one after another."""
    return [lasted(partial(finish, function, argument)) for argument in arguments]


# ------------------------------------------------------------------ declared


def test_a_task_lasts_as_long_as_declared_and_others_as_they_sleep(sim: Any) -> None:
    sim(cluster=cluster(seconds={"work": "20 ms"}))
    assert each(work, 0, 0.005, 0.02, 0.05) == [0.02, 0.02, 0.02, 0.05], "whichever is longer: its body or its time"
    assert each(other, 0, 0.005) == [0, 0.005]
    assert freehold.get(work.remote()) == pytest.approx(time.monotonic() - 0.02), "in the body no time has passed"


def test_waits_of_the_body_count(sim: Any) -> None:
    @freehold.remote
    def waits(seconds: float) -> None:
        freehold.get(other.remote(seconds))

    sim(cluster=cluster(seconds={"waits": 2}))
    assert each(waits, 0, 1.5, 3) == [2, 2, 3]


def test_a_function_goes_by_the_name_that_messages_show_and_by_its_own(sim: Any) -> None:
    def inner() -> None: ...

    name = f"{test_a_function_goes_by_the_name_that_messages_show_and_by_its_own.__name__}.<locals>.inner"
    sim(cluster=cluster(seconds={"inner": 1}))
    assert lasted(lambda: freehold.get(freehold.remote(inner).remote())) == 1
    freehold.shutdown()
    sim(cluster=cluster(seconds={"inner": 1, name: 2, "said": 3}))
    assert lasted(lambda: freehold.get(freehold.remote(inner).remote())) == 2
    assert lasted(lambda: freehold.get(freehold.remote(inner).options(name="said").remote())) == 3


def test_tasks_occupy_their_workers_meanwhile(sim: Any) -> None:
    sim(num_nodes=1, num_cpus=2, cluster=cluster(seconds={"work": 1}))
    assert lasted(lambda: freehold.get([work.remote() for _ in range(6)])) == 3
    with pytest.raises(GetTimeoutError):
        freehold.get(work.remote(), timeout=0.5)


def test_a_task_that_raises_lasts_as_long(sim: Any) -> None:
    sim(cluster=cluster(seconds={"fail": 4}))
    ref = fail.remote()
    assert lasted(lambda: freehold.wait([ref])) == 4
    with pytest.raises(KeyError, match="at once"):
        freehold.get(ref)


@pytest.mark.parametrize("asleep", [0, 100], ids=["when the body is over", "in the body"])
def test_a_cancelled_task_is_over_at_once(sim: Any, asleep: float) -> None:
    sim(num_nodes=1, num_cpus=1, cluster=cluster(seconds={"work": 50}))
    ref = work.remote(asleep)
    time.sleep(10)
    freehold.cancel(ref)
    with pytest.raises(TaskCancelledError):
        freehold.get(ref)
    assert round(time.monotonic(), 9) == 10
    assert each(work, 0) == [50] and len(freehold.nodes()) == 1, "its worker goes on"


def test_whatever_interrupts_a_task_whose_body_is_over_the_body_does_not_run_again(
    sim: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    world = sim(num_nodes=1, num_cpus=1, cluster=cluster(seconds={"<lambda>": 50}))
    ref = freehold.remote(lambda: print("once")).remote()
    time.sleep(10)
    (running,) = [driver for driver in world.drivers.values() if driver.session and driver.session.task]
    world.strands.ready.append(partial(world.strands.switch, running.body, KeyboardInterrupt()))
    with pytest.raises(TaskCancelledError):
        freehold.get(ref)
    assert round(time.monotonic(), 9) == 10 and capsys.readouterr().out == "once\n"
    assert not running.session.task and not running.session.doomed


def test_a_worker_that_dies_takes_its_tasks_along(sim: Any) -> None:
    world = sim(num_nodes=1, num_cpus=1, cluster=cluster(seconds={"work": 50}))
    ref = work.options(max_retries=0).remote()
    time.sleep(10)
    (running,) = [me for me, session in world.sessions.items() if session.task]
    world.remove(running)
    with pytest.raises(WorkerCrashedError):
        freehold.get(ref)
    assert round(time.monotonic(), 9) == 10


def test_a_task_that_runs_on_the_stack_of_one_that_waits_has_its_own_time(sim: Any) -> None:
    @freehold.remote
    def outer(depth: int) -> int:
        return 1 + freehold.get(outer.remote(depth - 1)) if depth else int(freehold.get(work.remote()) * 0)

    world = sim(num_nodes=1, num_cpus=1, workers_max=2, cluster=cluster(seconds={"outer": 1, "work": 5}))
    ref = outer.remote(6)
    assert lasted(lambda: freehold.wait([ref])) == 5 and freehold.get(ref) == 6
    assert len(world.sessions) == 3, "the program and two workers, for eight tasks"


def test_on_a_slow_node_it_takes_longer(sim: Any) -> None:
    slow = {"kind": "slow", "node": 1, "factor": 3, "at": 0}
    sim(cluster={**cluster(seconds={"work": 2}), "faults": [slow]})
    time.sleep(1)
    assert [lasted(partial(finish, work.options(node=node))) for node in (0, 1)] == [2, 6]


# ------------------------------------------------------------------ recorded


def record(sim: Any, folder: Path, *arguments: float) -> str:
    """Record a run in which tasks take as long as they sleep; return its folder."""
    sim(num_nodes=1, num_cpus=1, trace=folder, cluster=cluster())
    assert each(work, *arguments) == [*arguments]
    freehold.get(other.remote(7))
    freehold.shutdown()
    return str(folder / "run-0001")


def test_a_task_lasts_as_long_as_the_recorded_one(sim: Any, tmp_path: Path) -> None:
    run = record(sim, tmp_path, 3, 1, 2)
    sim(cluster=cluster(recorded=run))
    assert each(work, 0, 0, 0) == [3, 1, 2]
    assert each(work, 0, 5, 0) == [3, 5, 2], "from the first again; and one that sleeps for longer lasts longer"
    assert each(other, 0, 0) == [7, 7]
    assert lasted(lambda: freehold.wait([fail.remote()])) == 0, "which was not recorded"


def test_a_declared_time_goes_before_a_recorded_one(sim: Any, tmp_path: Path) -> None:
    run = record(sim, tmp_path, 3, 1)
    sim(cluster=cluster(recorded=run, seconds={"work": 9}))
    assert each(work, 0, 0) == [9, 9] and each(other, 0) == [7]


@pytest.mark.parametrize("backend", ["inline", "sim"])
def test_every_backend_records(sim: Any, tmp_path: Path, backend: str) -> None:
    with freehold.init(backend=backend, num_nodes=2, trace=tmp_path):
        freehold.get([work.remote() for _ in range(20)])
    run = str(tmp_path / "run-0001")
    (known,) = recorded(run).values()
    assert len(known) == 20
    sim(cluster=cluster(recorded=run))
    assert each(work, *[0] * 20) == [round(seconds, 9) for seconds in known]


def test_the_same_seed_gives_the_same_times(sim: Any, tmp_path: Path) -> None:
    run = record(sim, tmp_path, *[1.0 + number / 8 for number in range(10)])

    def ends() -> list[float]:
        sim(num_nodes=3, seed=1, cluster={"tasks": {"recorded": run}})
        freehold.get([work.remote() for _ in range(30)])
        found: list[float] = [*freehold.get([work.remote() for _ in range(30)]), time.monotonic()]
        freehold.shutdown()
        return found

    assert ends() == ends()


# ------------------------------------------------------------------ what journals hold


def description(task: int, name: str) -> Description:
    return Description(task, object_id(PROGRAM, 1), name, Payload(0, (), b""), (), 1)


def sent(task: int, name: str) -> TaskQuery:
    return TaskQuery(task, 1, PROGRAM, description(task, name), ())


def ended(task: int, seconds: float) -> RunEnded:
    return RunEnded(task, 1, (Payload(0, (), b""),), seconds)


def write(folder: Path, me: int, *told: tuple[float, Event]) -> Path:
    """Write the journal of a party that was told something at some times."""
    written = Journal.open(str(folder), Worker(me))
    for at, event in told:
        written.write(at, 0, event, None)
    written.abandon()
    return folder / f"{party_name(me)}.ndjson"


def test_the_order_is_that_in_which_recorded_tasks_began(tmp_path: Path) -> None:
    write(tmp_path, FIRST, (0.0, sent(2, "f")), (3.0, ended(2, 1.0)), (3.0, sent(3, "f")), (8.0, ended(3, 4.0)))
    write(tmp_path, SECOND, (0.0, sent(4, "f")), (9.0, ended(4, 8.0)), (9.0, sent(1, "g")), (9.5, ended(1, 0.5)))
    assert recorded(str(tmp_path)) == {"f": (8.0, 1.0, 4.0), "g": (0.5,)}
    known = Durations(Tasks(recorded=str(tmp_path), seconds={"g": 6.0}))
    assert [known.next("f") for _ in range(7)] == [8.0, 1.0, 4.0, 8.0, 1.0, 4.0, 8.0]
    assert [known.next(name) for name in ("g", "inner.g", "h")] == [6.0, 6.0, 0.0]


def test_a_name_is_found_with_the_submitter_if_its_worker_has_lost_it(tmp_path: Path) -> None:
    write(tmp_path, PROGRAM, (0.0, TaskSubmitted(1, description(1, "f"), (), 3)))
    write(tmp_path, FIRST, (2.0, ended(1, 2.0)), (5.0, ended(2, 1.0)), (6.0, sent(3, "f")))
    assert recorded(str(tmp_path)) == {"f": (2.0,)}, "the second has no name, and the third has not ended"


def test_a_line_that_a_kill_has_cut_and_an_empty_journal_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, FIRST, (0.0, sent(1, "f")), (2.0, ended(1, 2.0)), (3.0, ended(1, 1.0)))
    path.write_bytes(path.read_bytes()[:-7])
    (tmp_path / "n0w9.ndjson").touch()
    assert recorded(str(tmp_path)) == {"f": (2.0,)}


def test_what_was_read_is_not_kept_when_it_is_written_anew(tmp_path: Path) -> None:
    path = write(tmp_path, FIRST, (0.0, sent(1, "f")), (2.0, ended(1, 2.0)))
    assert recorded(str(tmp_path)) == {"f": (2.0,)}
    os.utime(path, ns=(0, 0))
    path.write_bytes(path.read_bytes().replace(b'"f"', b'"g"'))
    assert recorded(str(tmp_path)) == {"g": (2.0,)}


# ------------------------------------------------------------------ what cannot be used

TEXT = """\
nodes = 2

[tasks]
recorded = "RUN"

[tasks.seconds]
work = "20 ms"
"main.<locals>.inner" = 3
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A recorded run."""
    folder = tmp_path / "traces" / "run-0001"
    folder.mkdir(parents=True)
    write(folder, FIRST, (0.0, sent(1, "f")), (2.0, ended(1, 2.0)))
    return folder


def test_what_is_written_is_what_is_described(tmp_path: Path, run: Path) -> None:
    (tmp_path / "cluster.toml").write_text(TEXT.replace("RUN", str(run)))
    tasks = Tasks(seconds={"work": 0.02, "main.<locals>.inner": 3.0}, recorded=str(run))
    assert read(tmp_path / "cluster.toml").tasks == tasks
    assert described({"tasks": {"recorded": str(run), "seconds": {"work": "1 min"}}}).tasks.seconds == {"work": 60.0}
    assert described({}).tasks == Tasks()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"20 ms"', '"-20 ms"', "cluster.toml:7: Expected `float` >= 0.0: '-20 ms'"),
        ('"20 ms"', "-0.5", "cluster.toml:7: Expected `float` >= 0.0: -0.5"),
        ('"20 ms"', "true", "cluster.toml:7: Expected `float`, got `bool`: True"),
        ('"20 ms"', '"20 m"', "cluster.toml:7: '20 m' is not a quantity in one of ns"),
        (" = 3", ' = "3 B"', "cluster.toml:8: '3 B' is not a quantity in one of ns"),
        (" = 3", ' = nan', "cluster.toml:8: "),
        ("recorded", "record", "cluster.toml:4: there is no 'record': 'RUN'"),
        ("[tasks.seconds]", "[tasks.second]", "cluster.toml:6: there is no 'second'"),
        ('"RUN"', "3", "cluster.toml:4: Expected `str`, got `int`: 3"),
        ("RUN", "RUN/nowhere", "cluster.toml:4: there is no such folder: 'RUN/nowhere'; name a folder that init("),
        ("RUN", "TRACES", "cluster.toml:4: it has no trace of a run: 'TRACES'; name a folder that init("),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_line_and_value(
    tmp_path: Path, run: Path, old: str, new: str, said: str
) -> None:
    def placed(text: str) -> str:
        return text.replace("RUN", str(run)).replace("TRACES", str(run.parent))

    (tmp_path / "cluster.toml").write_text(placed(TEXT.replace(old, new)))
    with pytest.raises(ValueError, match=re.escape(placed(said))) as raised:
        read(tmp_path / "cluster.toml")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"version":1', b'"version":99', "n0w2.ndjson is a trace of version 99"),
        (b"{", b"<", "n0w2.ndjson is not a trace of freehold: "),
        (b"[0.0,", b"[zero,", "n0w2.ndjson:2 is not a line of a trace: "),
        (b',2.0]', b',"2"]', "n0w2.ndjson:3 is not a line of a trace: Expected `float`, got `str`"),
        (b'"f"', b'"\xff"', "n0w2.ndjson:2 is not a line of a trace: Invalid UTF-8"),
        (b'"RunEnded"', b'"TurnOver"', "no task has ended in the run of which it is the trace: "),
    ],
)  # fmt: skip
def test_a_trace_that_cannot_be_used_is_refused_before_anything_runs(
    run: Path, old: bytes, new: bytes, said: str
) -> None:
    path = run / "n0w2.ndjson"
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(ValueError, match=re.escape(said)) as raised:
        freehold.init(backend="sim", cluster=cluster(recorded=str(run)))
    assert str(raised.value).startswith("cluster: ") and "\n" not in str(raised.value)
    assert not freehold.is_initialized()
