"""What a simulated program finds changed in Python: its clock, its sleep, and what cannot be simulated.

Everything here asks who calls: only the program and its tasks live in simulated time, the simulator itself and
other threads do not.  Everything is put back when the session ends.
"""

from __future__ import annotations

import asyncio
import asyncio.events
import copyreg
import functools
import gc
import io
import operator
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from types import BuiltinFunctionType, FrameType
from typing import Any

from freehold.core.errors import NotSupported
from freehold.core.refs import ObjectRef
from freehold.simulator.loop import Loop
from freehold.simulator.programs import Strands

EPOCH = 1_735_689_600  # 2025-01-01, when every simulation begins, so that runs repeat
MISSING = object()
REFUSED = (
    (threading.Thread, "start", "threads cannot run in simulated time: use tasks, that is .remote(...)"),
    (socket.socket, "__init__", "sockets do not reach into simulated time: use object references"),
    (subprocess.Popen, "__init__", "processes cannot run in simulated time: use tasks, that is .remote(...)"),
    (BaseProcess, "start", "processes cannot run in simulated time: use tasks, that is .remote(...)"),
    (os, "system", "processes cannot run in simulated time: use tasks, that is .remote(...)"),
)


class Patches:
    """All changes of one session, and how to take them back."""

    def __init__(self, strands: Strands) -> None:
        self.strands = strands
        self.undo: list[Callable[[], object]] = []
        self.adopted: dict[int, dict[str, Any]] = {}  # namespaces that were searched for names imported by value
        self.virtual: dict[int, Any] = {}  # id of a real function -> what stands in its place
        self.real: dict[int, Any] = {}  # the other way round

    def install(self) -> None:
        """Make the changes."""
        running = asyncio._get_running_loop()
        if isinstance(running, asyncio.BaseEventLoop):  # a notebook's, which goes on between cells
            self.replace(running, "time", time.monotonic)
        self.virtual_time()
        for owner, name, why in REFUSED:
            if hasattr(owner, name):
                self.replace(owner, name, self.refusal(getattr(owner, name), why))
        self.replace(threading, "_allocate_lock", self.chosen(threading._allocate_lock, self.lock))  # type: ignore[attr-defined]
        self.replace(os, "_exit", self.chosen(os._exit, functools.partial(self.exit, os._exit)))
        if hasattr(os, "fork"):
            self.replace(os, "fork", self.chosen(os.fork, functools.partial(self.fork, os.fork)))
        for module in (asyncio, asyncio.events):
            self.replace(module, "new_event_loop", self.chosen(module.new_event_loop, self.loop))
        for stream in (sys.stdout, sys.stderr):
            if not isinstance(stream, io.TextIOWrapper) and hasattr(stream, "__dict__"):
                aside = functools.partial(self.strands.aside, stream.flush)  # a notebook's waits for a thread
                self.replace(stream, "flush", self.chosen(stream.flush, aside))
        if gc.isenabled():
            gc.disable()
            self.undo.append(gc.enable)
        main_thread = threading.current_thread() is threading.main_thread()
        if main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.on_interrupt)
            self.undo.append(lambda: signal.signal(signal.SIGINT, signal.default_int_handler))

    def restore(self) -> None:
        """Take the changes back, also where a replaced function was imported by value meanwhile."""
        while self.undo:
            self.undo.pop()()
        for namespace in self.adopted.values():
            swap(namespace, self.real)
        self.adopted.clear()

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute; remember what was there, if anything was."""
        before = vars(owner).get(name, MISSING)
        setattr(owner, name, value)
        back = functools.partial(delattr, owner, name)
        self.undo.append(back if before is MISSING else functools.partial(setattr, owner, name, before))

    def chosen(self, real: Callable[..., Any], other: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is ``other`` in simulated programs and ``real`` everywhere else."""
        inside = self.strands.inside

        @functools.wraps(real)
        def function(*args: Any, **kwargs: Any) -> Any:
            return other(*args, **kwargs) if inside() else real(*args, **kwargs)

        return function

    def refusal(self, real: Callable[..., Any], why: str) -> Callable[..., Any]:
        """Return a function that refuses to be called by simulated programs."""

        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise NotSupported(f"backend='sim': {why}")

        return self.chosen(real, refuse)

    # ------------------------------------------------------------------ time

    def virtual_time(self) -> None:
        """Replace what reads clocks or sleeps, also where it was imported by value into the main module."""
        now = self.strands.now
        functions: dict[str, Callable[..., Any]] = {
            "sleep": self.sleep,
            "time": lambda: EPOCH + now(),
            "time_ns": lambda: EPOCH * 10**9 + round(now() * 1e9),
        }
        begun = time.perf_counter()  # its zero means nothing: so a difference across init makes sense
        for name, zero in (("monotonic", 0.0), ("perf_counter", begun)):
            functions[name] = lambda zero=zero: zero + now()
            functions[f"{name}_ns"] = lambda zero=zero: round((zero + now()) * 1e9)
        for name, function in functions.items():
            real = getattr(time, name)
            virtual = self.virtual[id(real)] = self.chosen(real, function)
            self.real[id(virtual)] = real
            self.replace(time, name, virtual)
        for module in (sys.modules["__main__"], threading, queue):
            self.adopt(vars(module))
        copyreg.dispatch_table[BuiltinFunctionType] = self.reduce_builtin
        self.undo.append(functools.partial(copyreg.dispatch_table.pop, BuiltinFunctionType, None))

    def sleep(self, seconds: Any) -> None:
        """Sleep in simulated time; arguments are refused as ``time.sleep`` refuses them."""
        seconds = seconds if isinstance(seconds, float) else operator.index(seconds)
        if not seconds >= 0:
            raise ValueError("sleep length must be non-negative")
        self.strands.sleep(seconds)

    def adopt_function(self, function: Any) -> None:
        """Replace what the module of a task's function has imported by value."""
        namespace = getattr(function, "__globals__", None)
        if namespace is not None and id(namespace) not in self.adopted:
            self.adopt(namespace)

    def adopt(self, namespace: dict[str, Any]) -> None:
        """Replace real functions in a namespace."""
        self.adopted[id(namespace)] = namespace
        swap(namespace, self.virtual)

    def reduce_builtin(self, function: Any) -> Any:
        """Pickle a real function that was imported by value as what has taken its place."""
        if id(function) in self.virtual:
            return current, (function.__name__,)
        return function.__reduce__()

    # ------------------------------------------------------------------ the rest

    def exit(self, real: Callable[[int], None], code: int) -> None:
        """End the process of the caller without a word: a task's worker, or really the program."""
        strand = self.strands.running
        if strand is None or strand is self.strands.program:
            real(code)
        else:
            strand.session.host.close()

    def fork(self, real: Callable[[], int]) -> int:
        """Fork; the child is no part of the simulation."""
        child = real()
        if not child:
            self.strands.running = None
        return child

    def lock(self) -> VirtualLock:
        """Return the lock on which a ``threading.Condition`` waits, and so futures, events and queues."""
        return VirtualLock(self.strands)

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop whose time is simulated."""
        return self.strands.aside(lambda: Loop(self.strands))  # it wakes itself up through a pair of sockets

    def on_interrupt(self, signum: int, frame: FrameType | None) -> None:
        """Ctrl-C is for the program; it never lands in the middle of a step of the cluster."""
        if frame is not None and frame.f_code is ObjectRef.__del__.__code__:
            self.strands.interrupted = True  # Python would swallow it; so it is raised after the next step
        elif self.strands.interrupt():
            raise KeyboardInterrupt


def current(name: str) -> Any:
    """Return a function of ``time`` as it is now."""
    return getattr(time, name)


def swap(namespace: dict[str, Any], others: dict[int, Any]) -> None:
    """Replace values of a namespace by others that are listed under their ids."""
    for name, value in list(namespace.items()):
        if id(value) in others:
            namespace[name] = others[id(value)]


class VirtualLock:
    """A lock; who waits for it lets simulated time pass."""

    def __init__(self, strands: Strands) -> None:
        self.strands = strands
        self.taken = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; tell whether it could be had in time."""
        if self.taken and blocking:
            self.strands.poll(lambda: not self.taken, timeout if timeout >= 0 else None)
        free = not self.taken
        self.taken = True
        return free

    def release(self) -> None:
        """Give the lock back."""
        self.taken = False

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.release()
