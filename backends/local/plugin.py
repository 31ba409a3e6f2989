"""The local backend: a real cluster on this machine.  Here the program starts it, joins it and ends it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from typing import Any

from freehold import core
from freehold.backends.interrupts import InterruptsAtStart
from freehold.backends.local import wire
from freehold.backends.local.arena import Arena, default_capacity
from freehold.backends.local.channel import Channel
from freehold.backends.local.diary import Diary
from freehold.backends.local.limits import check
from freehold.backends.local.setting import PROGRAM, program_setup
from freehold.backends.local.waitline import SECONDS, WaitLine, on_terminal
from freehold.backends.local.worker import WorkerDriver
from freehold.core.errors import NotSupported
from freehold.core.explain import long_wait
from freehold.core.hooks import Options, hookimpl
from freehold.core.ids import HEAD, node_id, node_index, party_name
from freehold.core.queries import is_alive
from freehold.core.session import Session
from freehold.core.tables import compile_tables
from freehold.core.uninterrupted import uninterrupted
from freehold.core.values import Failure
from freehold.core.worker import Worker

END_SECONDS_MAX = 10.0
JOIN_SECONDS = 1.0


class ProgramDriver(WorkerDriver):
    """The driver of the user's program: a worker of the head node that started the cluster, and ends it."""

    def __init__(self, setup: wire.Setup, arena: Arena, node: Channel, launcher: subprocess.Popen[bytes]) -> None:
        super().__init__(Worker(PROGRAM, setup.policy), setup, arena, node)
        self.launcher = launcher
        self.lifeline: Channel | None = None  # to the launcher: its end is the end of the cluster
        self.nodes_started = 0
        self.background: Any = None
        self.ending = threading.RLock()  # of who ends the cluster
        self.ended = False
        self.shown: deque[wire.Output] = deque()  # to be printed, in this order
        self.showing = threading.RLock()  # of who prints: the background thread or one that waits
        self.lines: dict[tuple[int, int], str] = {}  # (worker, stream) -> the beginning of a long line
        self.wait_line = WaitLine()

    def begin(self, lifeline: Channel) -> None:
        """Join the cluster, as the worker that has no tasks to run."""
        self.lifeline = lifeline
        self.pump.enter()
        try:
            self.say(self.node, wire.Hello(PROGRAM, os.getpid()))
        finally:
            self.pump.leave()
        self.background = self.pump.start_background()
        self.pump.interrupts.ours = True

    def begun(self) -> None:
        self.pump.interrupts.begun()

    def start_node(self, capacity: int, resources: dict[str, float], workers: int) -> int:
        """Start one more node; return its name."""
        node = node_id(self.nodes_started)
        self.nodes_started += 1
        shape = tuple(sorted({f"node:{node_index(node)}": 1.0, **resources}.items()))
        word = wire.StartNode(node, capacity, shape, workers)
        assert self.lifeline is not None
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            self.lifeline.say(word, theirs.detach())
            send_all(self.lifeline)
            undo.pop_all()
        self.pump.enter()
        try:
            self.say(self.node, wire.NodeLinked(node, shape), ours.detach())
            self.flush()
        finally:
            self.pump.leave()
        return node

    def add_node(self, resources: dict[str, float], capacity: int | None) -> int:
        node = self.start_node(capacity or self.arena.capacity, resources, max(1, int(resources.get("CPU", 0.0))))
        self.pump.wait(lambda: self.knows([node]) or self.broken is not None)
        self.check_alive([node])
        if self.broken is not None:
            raise RuntimeError(
                "the cluster ended while a node was being started: 'freehold doctor' looks for the cause"
            )
        return node

    def remove_node(self, node: int, graceful: bool) -> None:
        if graceful:
            self.pump.enter()
            try:
                self.say(self.node, wire.Leave(node))
                self.flush()
            finally:
                self.pump.leave()
        else:
            assert self.lifeline is not None
            self.lifeline.say(wire.StopNode(node))
            send_all(self.lifeline)
        self.pump.wait(lambda: all(other != node for other, _ in self.party.nodes) or self.broken is not None)

    def wait_for_nodes(self, count: int, interrupts: InterruptsAtStart) -> None:
        """Wait until so many nodes live."""
        interrupts.stir = self.pump.ring
        nodes = [node_id(index) for index in range(count)]
        self.pump.wait(lambda: self.knows(nodes) or self.broken is not None or interrupts.came)
        if interrupts.came:
            raise KeyboardInterrupt
        if self.broken is not None:
            raise RuntimeError("the cluster ended while it was being started: 'freehold doctor' looks for the cause")
        self.check_alive(nodes)

    def knows(self, nodes: list[int]) -> bool:
        """Tell whether each of the nodes has joined, or one is dead."""
        fates = [is_alive(self.party, node) for node in nodes]
        return all(fates) or False in fates

    def check_alive(self, nodes: list[int]) -> None:
        """Raise an error if one of the nodes has died."""
        for node in nodes:
            if is_alive(self.party, node) is False:
                text = f"{party_name(node)} ended while it was being started: 'freehold doctor' looks for the cause"
                raise RuntimeError(text)

    def show(self, word: wire.Output) -> None:
        self.shown.append(word)
        self.pump.calls.append(self.show_all)

    def show_all(self) -> None:
        """Print what has come, one thread at a time, so that lines keep their order."""
        with self.showing:
            while self.shown:
                self.print(self.shown.popleft())

    def print(self, word: wire.Output) -> None:
        """Print whole lines, each with the task's name; keep the beginning of a long one."""
        text = self.lines.pop((word.worker, word.stream), "") + word.text
        if not text.endswith("\n"):
            self.lines[word.worker, word.stream] = text
            return
        self.wait_line.erase()
        prefix = f"({word.name or 'worker'} pid={word.pid}, node={node_index(word.worker)}) "
        stream = sys.stdout if word.stream == 1 else sys.stderr
        with contextlib.suppress(OSError, ValueError, AttributeError):  # it is closed, or there is none
            stream.write("".join(f"{prefix}{line}\n" for line in text.removesuffix("\n").split("\n")))
            stream.flush()

    def say_why(self, request: int) -> None:
        if not self.wait_line.begins():
            return
        self.pump.enter()
        try:
            text = long_wait(self.session, request)
        finally:
            self.pump.leave()
        self.wait_line.show(text)

    def wait_over(self) -> None:
        self.wait_line.end()

    # ------------------------------------------------------------------ the end

    def node_lost(self) -> None:
        self.lost_for(Failure("session", 0, HEAD, f"{party_name(HEAD)} ended, and the cluster with it"))

    def crashed(self, error: BaseException) -> None:
        self.lost_for(Failure("system", 0, PROGRAM, f"the cluster ended, since freehold has a bug: {error!r}"))

    def lost_for(self, failure: Failure) -> None:
        """The cluster is lost: who waits hears why, and another thread clears up.  Called with the lock held."""
        if self.broken is None:
            Diary(self.setup.trace, "program").note(failure.text)
            self.deafen(failure)
            self.session.closed = True
            self.pump.notify()
            with contextlib.suppress(RuntimeError):  # the interpreter ends, and all with it
                threading.Thread(target=self.close, name="freehold-end").start()

    def close(self) -> None:
        """End the cluster: every process, also those in the middle of a task, and every descriptor."""
        if not self.ending.acquire(blocking=threading.current_thread() is not self.background):
            return  # a user's callback ends what somebody is ending
        self.pump.interrupts.defer()
        try:
            if not self.ended:
                self.ended = True
                Diary(self.setup.trace, "program").note("ends the cluster")
                self.deafen(Failure("session", 0, 0, "the cluster was shut down"))
                self.end()
        finally:
            self.ending.release()
            self.pump.interrupts.resume()

    def end(self) -> None:
        """End everything, whatever may go wrong with a part of it."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.arena.close)  # comes last
            stack.callback(self.call_all)
            stack.callback(end_process, self.launcher)
            stack.callback(self.join_background)
            if self.lifeline is not None:
                stack.callback(self.lifeline.close)
            stack.callback(self.close_pump)  # comes first

    def close_pump(self) -> None:
        """Let every thread go, and close the links."""
        amid = self.pump.mine()  # a signal handler may end the cluster in the middle of anything
        if not amid:
            self.pump.enter()
        try:
            self.pump.close()
            self.close_links()
        finally:
            if not amid:
                self.pump.leave()

    def call_all(self) -> None:
        """Tell who listens that nothing will come of it."""
        assert self.broken is not None
        while self.listeners:
            self.listeners.popitem()[1](self.broken)

    def join_background(self) -> None:
        """Wait for the background thread, unless it runs a user's callback that takes long, or is this one."""
        if self.background is not None and self.background is not threading.current_thread():
            self.background.join(JOIN_SECONDS)

    def forked(self) -> None:
        super().forked()
        self.ended = True
        self.launcher.returncode = 0  # it is the parent's to wait for
        if self.lifeline is not None:
            self.lifeline.close()
        self.pump.interrupts.restore()


def end_process(launcher: subprocess.Popen[bytes]) -> None:
    """Wait until the launcher has ended all others and itself."""
    try:
        launcher.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()


def send_all(lifeline: Channel) -> None:
    """Send what waits on the link to the launcher, which no pump looks after.

    Raises:
        RuntimeError: the launcher is dead.
    """
    import select

    try:
        while not lifeline.flush():
            select.select([], [lifeline.fileno()], [])
    except ConnectionError as error:
        raise RuntimeError("the process that starts nodes has ended: 'freehold doctor' looks for the cause") from error


def start_launcher(setup: wire.Setup) -> tuple[subprocess.Popen[bytes], Channel]:
    """Start the launcher; return it and the link to it.

    It has a session of its own, but not from its first instant, so Ctrl-C is blocked for it until it ignores that.
    """
    ours, theirs = socket.socketpair()
    with theirs, uninterrupted():
        command = [
            sys.executable,
            *interpreter_options(),
            *("-P", "-m", "freehold.backends.local.processes"),  # -P: a random.py in this folder is not ours
            *(str(theirs.fileno()), str(os.getpid())),
        ]
        launcher = subprocess.Popen(
            command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, start_new_session=True, env=environment()
        )
    channel = Channel(ours, 0, carries_fds=True)
    channel.say(wire.Begin(setup))
    return launcher, channel


def interpreter_options() -> list[str]:
    """Return options that the launcher's interpreter shares with ours, but no -W: warnings travel by themselves."""
    return ["-W", "ignore", *(["-O"] if sys.flags.optimize else [])]


def environment() -> dict[str, str]:
    """Return the environment of the launcher: ours, and a path on which it finds freehold as we do."""
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(core.__file__))))
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([home, *([path] if path else [])])}


def default_cpus(nodes: int) -> float:
    """Return how many tasks run at once on each node, by default: the CPUs that we may use, divided by the nodes."""
    return max(1.0, len(os.sched_getaffinity(0)) // nodes)


@hookimpl
def freehold_check(options: Options) -> None:
    """Refuse a description of a cluster."""
    options.nodes()


@hookimpl
def freehold_start(options: Options) -> Session:
    """Start a cluster of processes on this machine and return the program's session."""
    if not sys.platform.startswith("linux"):
        raise NotSupported('the local backend needs Linux; use init(backend="inline") or init(backend="sim")')
    nodes = options.nodes()
    cpus = options.num_cpus or default_cpus(nodes)
    check(nodes, max(1, int(cpus)))
    setup = program_setup(options)
    if setup.checked:
        compile_tables(checked=True)
    capacity = options.object_store_memory or default_capacity(nodes)
    with InterruptsAtStart() as interrupts, contextlib.ExitStack() as undo:
        arena = Arena.create(capacity)
        undo.callback(arena.close)
        launcher, lifeline = start_launcher(setup)
        undo.callback(end_process, launcher)
        undo.callback(lifeline.close)
        driver = first_node(options, setup, arena, launcher, lifeline, cpus)
        undo.pop_all()  # from here on it is the driver that ends all
        try:
            for _ in range(nodes - 1):
                driver.start_node(arena.capacity, {"CPU": cpus, **options.resources}, max(1, int(cpus)))
            driver.wait_for_nodes(nodes, interrupts)
        except BaseException:
            driver.session.close()
            raise
        interrupts.heir = driver.pump.interrupts
    return driver.session


def first_node(
    options: Options, setup: wire.Setup, arena: Arena, launcher: Any, lifeline: Channel, cpus: float
) -> ProgramDriver:
    """Start the head node and join it."""
    head, ours = socket.socketpair()
    shape = tuple(sorted({"node:0": 1.0, "CPU": cpus, **options.resources}.items()))
    word = wire.StartNode(HEAD, arena.capacity, shape, max(1, int(cpus)))
    lifeline.say(word, head.detach(), os.dup(arena.fileno()))
    with contextlib.ExitStack() as undo:
        undo.callback(ours.close)
        send_all(lifeline)
        undo.pop_all()
    driver = ProgramDriver(setup, arena, Channel(ours, HEAD, carries_fds=True), launcher)
    driver.nodes_started = 1
    if options.wait_line and on_terminal():
        driver.patience = SECONDS
    driver.begin(lifeline)
    return driver
