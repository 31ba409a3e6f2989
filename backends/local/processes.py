"""The tree of processes: the launcher, one template for each node, and what the template forks.

The program starts the launcher, a fresh interpreter.  It forks a template for each node; the template makes the
node's arena, seals it and forks the node, and later its workers.  A template stays single-threaded and never
imports users' code, so that a fork is safe at any time.  Nothing outlives the program: the launcher ends all
when its link to the program closes.  What tasks have started and left ends at the latest with its worker: launcher
and templates take in what loses its parent, and end what belongs to nobody who lives.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import gc
import os
import random
import select
import signal
import socket
import sys
import warnings
from collections import deque
from typing import Any, NoReturn

from freehold.backends.local import wire
from freehold.backends.local.arena import Arena
from freehold.backends.local.channel import Channel
from freehold.backends.local.diary import Diary
from freehold.backends.local.lastwords import LastWords
from freehold.backends.local.limits import raise_own_limit
from freehold.backends.local.marks import MARK, adopted_children, marks_for, marks_of
from freehold.core import cluster
from freehold.core.ids import HEAD, is_node, party_name
from freehold.core.node import Node
from freehold.core.tables import compile_tables
from freehold.core.uninterrupted import uninterrupted
from freehold.core.worker import Worker

SWITCH_SECONDS = 0.0005  # between threads of a worker: a running task must not keep the pump waiting
AGAIN_MILLISECONDS = 100.0  # between two tries to fork where there may be no more processes, and two looks at one
LOOKS_MAX = 100  # at a process that shows no environment: it may have none
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when the one that forked it ends, or has ended already."""
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


class Parent:
    """A process that waits for words and for the deaths of its children: the launcher, or a template."""

    def __init__(self, fd: int, diary: Diary) -> None:
        self.channel = Channel(socket.socket(fileno=fd), 0, carries_fds=True)
        self.diary = diary
        self.children: dict[int, int] = {}  # pid -> party
        self.complained = False  # of a fork that failed
        self.looks: dict[int, int] = {}  # at children that were taken in and could be anybody's
        self.watched = -1  # a descriptor whose process must live, beside the link
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.end("it was told to"))
        self.wake_fds = (wake_read, wake_write)
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def loop(self) -> None:
        """Serve until the link closes; then end all children."""
        poller = select.poll()
        for fd in (self.channel.fileno(), self.wake_fds[0], self.watched):
            if fd >= 0:
                poller.register(fd, select.POLLIN)
        while True:
            for fd, _ in poller.poll(self.patience()):
                if fd == self.wake_fds[0]:
                    os.read(fd, 4096)
                    self.reap()
                    self.end_strays()
                elif fd == self.watched:
                    self.end("the program is gone")
                else:
                    self.listen()
            if self.looks:
                self.end_strays()
            try:
                done = self.channel.flush()
            except OSError as error:
                self.end(f"its link broke: {error}")
            poller.modify(self.channel.fileno(), select.POLLIN if done else select.POLLIN | select.POLLOUT)

    def patience(self) -> float | None:
        """Return the milliseconds for which there is nothing to do."""
        late = self.late()
        return AGAIN_MILLISECONDS if any(looks < LOOKS_MAX for looks in self.looks.values()) else late

    def late(self) -> float | None:
        """Try again what could not be done; return the milliseconds until the next time, None for never."""
        return None

    def listen(self) -> None:
        """Act on what has come on the link."""
        words = self.channel.receive(lambda chunk: None)
        if words is None:
            self.end("its link was closed")
        for word in words:
            self.hear(word)

    def hear(self, word: Any) -> None:
        """Act on a word."""
        raise NotImplementedError

    def reap(self) -> None:
        """Take in children that have ended."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            party = self.children.pop(found.si_pid, 0)
            if party:
                self.kill_group(found.si_pid)  # before its number can be another's
            _, status = os.waitpid(found.si_pid, 0)
            if party:
                self.diary.ended(party, found.si_pid, status)
                self.ended(party, status)

    def kill_group(self, pid: int) -> None:
        """End what a worker's tasks have started, and itself; other children have no group of their own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def ended(self, party: int, status: int) -> None:
        """A child has ended."""

    def end_strays(self) -> None:
        """End what was started by a process that is gone; what that has started comes next, with its end."""
        looks = dict[int, int]()
        for pid in adopted_children():
            stray = pid not in self.children and self.is_stray(pid)
            if stray:
                os.kill(pid, signal.SIGKILL)  # it is a child that nobody has waited for: the number is its own
            elif stray is None:
                looks[pid] = self.looks.get(pid, 0) + 1
        self.looks = looks

    def is_stray(self, pid: int) -> bool | None:
        """Tell whether a child that was taken in belongs to nobody who lives; None if it is to be looked at again."""
        return True  # a launcher's: templates that live take in what is theirs

    def fork(self, party: int) -> bool:
        """Fork; return True in the child, which has none of the parent's descriptors.

        Raises:
            OSError: there may be no more processes.
        """
        parent = os.getpid()
        with uninterrupted(signal.SIGTERM):  # who is told to end before it has begun has our handler, and our children
            pid = os.fork()
            if pid:
                self.children[pid] = party
                return False
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for fd in (*self.wake_fds, self.watched):
            if fd >= 0:
                os.close(fd)
        self.channel.close()
        die_with_parent(parent)
        return True

    def try_fork(self, party: int) -> bool | None:
        """Fork; return None, and say so on stderr the first time, if there may be no more processes."""
        try:
            return self.fork(party)
        except OSError as error:
            if not self.complained:
                self.complained = True
                complain(party, error)
            return None

    def end(self, why: str) -> NoReturn:
        """End every child and what it has left, and then this process."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.diary.note(f"ends all: {why}")
        while True:
            for pid in {*self.children, *adopted_children()}:
                self.kill_group(pid)
                os.kill(pid, signal.SIGKILL)  # it is a child that nobody has waited for: the number is its own
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                os._exit(0)
            self.diary.ended(self.children.pop(pid, 0), pid, status)


def complain(party: int, error: OSError) -> None:
    """Say on stderr which process could not be started, and what to do."""
    what = "it is given up" if is_node(party) else "it is tried again until another process has ended"
    text = f"freehold: no process can be started for {party_name(party)} ({error.strerror}); {what}"
    os.write(2, f"{text}. 'freehold doctor' tells the limits.\n".encode())


class Launcher(Parent):
    """The root of the tree.

    Args:
        fd: the link to the program.
        program: its process; a fork of it may hold the link open when it is dead.
    """

    def __init__(self, fd: int, program: int) -> None:
        super().__init__(fd, Diary("", "launcher"))
        self.setup: wire.Setup | None = None
        self.nodes: dict[int, int] = {}  # node -> pid of its template
        with contextlib.suppress(OSError):  # an old kernel: then only the link tells that the program has ended
            self.watched = os.pidfd_open(program)

    def hear(self, word: Any) -> None:
        match word:
            case wire.Begin(setup):
                self.setup, self.diary = setup, Diary(setup.trace, "launcher")
                prepare(setup)
            case wire.StartNode():
                self.start(word)
            case wire.StopNode(node):
                if node in self.nodes:
                    self.diary.note(f"is to stop {party_name(node)}")
                    os.kill(self.nodes[node], signal.SIGTERM)

    def ended(self, party: int, status: int) -> None:
        self.nodes.pop(party, None)

    def start(self, word: wire.StartNode) -> None:
        """Fork the template of a node."""
        assert self.setup is not None
        link = self.channel.descriptor()
        arena_fd = self.channel.descriptor() if word.node == HEAD else -1
        child = self.try_fork(word.node)
        if child:
            run_template(self.setup, word, link, arena_fd)
        if child is False:
            self.nodes[word.node] = next(reversed(self.children))
        for fd in (link, arena_fd):  # if there is no template, whoever waits for the node sees its link close
            if fd >= 0:
                os.close(fd)


class Template(Parent):
    """The process that forks a node's workers."""

    def __init__(self, fd: int, setup: wire.Setup, node: int, arena: Arena) -> None:
        super().__init__(fd, Diary(setup.trace, f"template of {party_name(node)}"))
        self.setup, self.node, self.arena = setup, node, arena
        self.waiting: deque[tuple[int, int]] = deque()  # workers that could not be forked yet, and their links
        self.words: dict[int, LastWords] = {}  # of the workers that live

    def late(self) -> float | None:
        """Fork the workers that are due; one that finds no room waits until something has ended."""
        while self.waiting:
            worker, fd = self.waiting[0]
            words = LastWords()
            child = self.try_fork(worker)
            if child is None:
                words.close()
                return AGAIN_MILLISECONDS
            self.waiting.popleft()
            if child:
                for _, other in self.waiting:
                    os.close(other)
                for others in self.words.values():
                    others.close()
                os.setpgid(0, 0)  # what its tasks start can be ended with it
                run_worker(self.setup, worker, fd, self.arena, words)
            self.words[worker] = words
            os.close(fd)
        return None

    def hear(self, word: Any) -> None:
        match word:
            case wire.Fork(worker):
                self.waiting.append((worker, self.channel.descriptor()))
            case wire.KillWorker(worker):
                for pid, party in self.children.items():
                    if party == worker:
                        os.kill(pid, signal.SIGKILL)

    def ended(self, party: int, status: int) -> None:
        if party == self.node:
            self.end("its node has ended")
        words = self.words.pop(party)
        self.channel.say(wire.Exited(party, status, words.lines()))
        words.close()

    def is_stray(self, pid: int) -> bool | None:
        marks = marks_of(pid)
        if not marks:
            return None if marks is None else False
        return marks.isdisjoint(mark for party in self.children.values() for mark in marks_for(party))


def prepare(setup: wire.Setup) -> None:
    """Make this process like the program: the same modules are found, the same warnings shown."""
    sys.path[:] = [os.fsdecode(entry) for entry in setup.path]
    warnings.resetwarnings()
    for action, message, category, module, line in setup.warnings:
        kind = getattr(builtins, category, None)
        if kind is not None:
            warnings.filterwarnings(action, message, kind, module, line, append=True)  # type: ignore[arg-type]
    if setup.checked:
        compile_tables(checked=True)


def run_template(setup: wire.Setup, start: wire.StartNode, link: int, arena_fd: int) -> None:
    """Be the template of a node: make its arena, fork the node, then fork workers until the end."""
    arena = Arena.attach(arena_fd, start.capacity, writable=True) if arena_fd >= 0 else Arena.create(start.capacity)
    arena.seal()
    to_node, to_template = socket.socketpair()
    template = Template(to_node.detach(), setup, start.node, arena)
    die_with_parent(os.getppid(), signal.SIGTERM)  # and end what the workers have started
    child = template.try_fork(start.node)
    if child:
        run_node(setup, start, link, to_template.detach(), arena)
    if child is None:
        template.end("its node cannot be started")
    to_template.close()
    os.close(link)
    template.loop()


def run_node(setup: wire.Setup, start: wire.StartNode, link: int, template: int, arena: Arena) -> None:
    """Be a node."""
    from freehold.backends.local.node import NodeDriver, serve_node

    sys.setswitchinterval(SWITCH_SECONDS)
    node = Node(start.node, start.capacity, start.resources, setup.policy)
    driver = NodeDriver(node, setup, arena, Channel(socket.socket(fileno=template), 0, carries_fds=True))
    upwards = setup.program if start.node == HEAD else HEAD
    driver.add_channel(Channel(socket.socket(fileno=link), upwards, carries_fds=True))
    serve_node(driver, start)


def run_worker(setup: wire.Setup, worker: int, fd: int, arena: Arena, words: LastWords) -> None:
    """Be a worker."""
    from freehold.backends.local.output import capture
    from freehold.backends.local.setting import ProgramFinder
    from freehold.backends.local.worker import WorkerDriver, work

    mark, name = marks_for(worker)
    os.environ[MARK] = mark.partition("=")[2]
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
    sys.setswitchinterval(SWITCH_SECONDS)
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    party = Worker(worker, setup.policy)
    driver = WorkerDriver(party, setup, arena, Channel(socket.socket(fileno=fd), party.node, carries_fds=True))
    cluster.activate(driver.session)
    cluster.ours = os.getpid()
    capture(driver, words)
    sys.meta_path.append(ProgramFinder(driver))
    driver.pump.enter()
    driver.say(driver.node, wire.Hello(worker, os.getpid()))
    driver.pump.leave()
    driver.pump.start_background()
    try:
        work(driver)
    except BaseException as error:  # a bug of ours: what lies further up this stack is the template's
        driver.crashed(error)


def main() -> None:
    """Be the launcher: ``python -m freehold.backends.local.processes FD PID``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see start_launcher
    fd, program = map(int, sys.argv[1:3])
    os.set_inheritable(fd, False)
    raise_own_limit()
    gc.freeze()  # forks share these pages as long as the collector does not write to them
    Launcher(fd, program).loop()


if __name__ == "__main__":
    main()
