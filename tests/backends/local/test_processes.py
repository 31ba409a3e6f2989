"""The tree of processes: who is told to end before it has begun ends alone."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

import freehold
from freehold.core import cluster
from freehold.exceptions import NotSupported

pytestmark = pytest.mark.local

FORKS = """
import os, signal, socket, time
from freehold.backends.local.diary import Diary
from freehold.backends.local.processes import Parent

ours, theirs = socket.socketpair()
parent = Parent(theirs.detach(), Diary("", ""))
if parent.fork(1):
    time.sleep(600)
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
if parent.fork(2):
    time.sleep(600)
sibling, child = parent.children
print(os.waitpid(child, 0)[1], os.waitpid(sibling, os.WNOHANG)[1])
os.kill(sibling, signal.SIGKILL)
os.waitpid(sibling, 0)
ours.close()
"""


def test_a_child_that_is_told_to_end_at_once_has_no_children_to_end(watch) -> None:
    """It is a copy of its parent until it has begun: with the parent's handler, which would end its siblings."""
    done = watch.run(FORKS)
    assert (done.stdout, done.stderr) == (f"{int(signal.SIGTERM)} 0\n", "")


MARKED = """
import os, signal
from freehold.backends.local.marks import MARK, marks_of

with open("/proc/self/comm", "w") as comm:
    comm.write("fh-n0w1")
shown = set()
for _ in range(100):
    child = os.fork()
    if not child:
        os.execvpe("sleep", ["sleep", "600"], {**os.environ, MARK: "n0w1"})
    while True:
        marks = marks_of(child)
        shown.add("nothing yet" if marks is None else min(marks, default="nothing"))
        if marks and "fh-n0w1" not in marks:
            break
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print(sorted(shown))
"""
TAKEN_IN = """
import os, signal, socket, time
from freehold.backends.local.diary import Diary
from freehold.backends.local.processes import Parent

class Slow(Parent):
    looks_taken = 0

    def is_stray(self, pid):
        self.looks_taken += 1
        return True if self.looks_taken > 3 else None

ours, theirs = socket.socketpair()
read, write = os.pipe()
if not os.fork():
    ours.close()
    parent = Slow(theirs.detach(), Diary("", ""))
    if parent.fork(1):
        stray = os.fork()
        if not stray:
            time.sleep(600)
        os.write(write, str(stray).encode())
        os._exit(0)
    parent.loop()
theirs.close()
stray = int(os.read(read, 100))
while os.path.exists(f"/proc/{stray}"):
    time.sleep(0.01)
ours.close()
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_who_becomes_another_program_shows_nothing_for_a_moment(watch) -> None:
    """It must not be taken for one that belongs to nobody: a task's child once outlived its worker that way."""
    done = watch.run(MARKED)
    assert (done.stdout, done.stderr) == ("['FREEHOLD_WORKER=n0w1', 'fh-n0w1', 'nothing yet']\n", "")


def test_who_shows_nothing_yet_is_looked_at_again(watch) -> None:
    done = watch.run(TAKEN_IN)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_nodes_that_are_removed_as_soon_as_they_are_added(watch) -> None:
    growing = freehold.Cluster(num_cpus=1)
    for _ in range(30):
        growing.remove_node(growing.add_node(num_cpus=1), graceful=False)
    assert freehold.get(double.remote(2)) == 4
    assert len(freehold.nodes()) == 1


@freehold.remote
def at_its_host(call: Callable[[Any], None]) -> None:
    call(cluster.engine().host)


@pytest.mark.parametrize("call", [lambda host: host.add_node({}, None), lambda host: host.remove_node(0, True)])
def test_a_task_neither_adds_nor_removes_nodes(watch, call: Callable[[Any], None]) -> None:
    freehold.init(num_cpus=1)
    with pytest.raises(NotSupported, match="by the program that has started the cluster, not by a task"):
        freehold.get(at_its_host.remote(call))


@freehold.remote
def double(number: int) -> int:
    """Say what twice a number is."""
    return 2 * number
