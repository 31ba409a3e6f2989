"""The tree of processes: who is told to end before it has begun ends alone."""

import signal

import pytest

import freehold

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


def test_nodes_that_are_removed_as_soon_as_they_are_added(watch) -> None:
    cluster = freehold.Cluster(num_cpus=1)
    for _ in range(30):
        cluster.remove_node(cluster.add_node(num_cpus=1), graceful=False)
    assert freehold.get(double.remote(2)) == 4
    assert len(freehold.nodes()) == 1


@freehold.remote
def double(number: int) -> int:
    """Say what twice a number is."""
    return 2 * number
