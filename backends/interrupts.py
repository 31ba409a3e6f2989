"""Ctrl-C: noted while the main thread is at freehold's own work, raised as soon as it leaves it.

An exception in the middle of a handler would leave half a step behind, and half a copy is worse than none.  In a
``__del__`` nobody would hear it: Python swallows what is raised there, and a hold would never be given back.  And
between the word that a task begins and its first line, the task would neither run nor end.
"""

from __future__ import annotations

import _thread
import signal
import threading
import time
from _signal import getsignal  # type: ignore[import-not-found]  # 40 ns; that of signal makes an Enum, in 1 us
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from freehold.core.tasks import perform, run_task

AGAIN_SECONDS = 0.001  # after which a Ctrl-C comes again that came where it must not be raised


class Interrupts:
    """What becomes of SIGINT in one process.

    Args:
        wake: called when one is noted while the main thread may be asleep.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self._handler = self.interrupt  # one object, to be recognized
        self.main = threading.main_thread().ident
        self.ours = False  # whenever Python's own handler would have it
        self.depth = 0  # how deep the main thread is in our work
        self.noted = False
        self.closed = False
        self.starting = False  # the cluster is there, and nobody has it yet

    def take(self) -> None:
        """Have SIGINT come to us, if Python would have it; called in the main thread, whenever our work begins."""
        if getsignal(signal.SIGINT) is not self._handler and plain_interrupts():
            signal.signal(signal.SIGINT, self._handler)  # notebooks put Python's own back before every cell

    def interrupt(self, _: int = signal.SIGINT, frame: FrameType | None = None) -> bool:
        """Handle SIGINT, in the main thread: at once, or as soon as it leaves our work; tell if it is sent again."""
        if self.depth:
            self.noted = True
            self._wake()
            return False
        if is_dying(frame) or is_between(frame):
            _thread.start_new_thread(self.again, ())  # a Thread takes locks that may be ours
            return True
        raise KeyboardInterrupt

    def again(self) -> None:
        """Send the main thread another SIGINT, in a moment."""
        assert self.main is not None
        time.sleep(AGAIN_SECONDS)
        signal.pthread_kill(self.main, signal.SIGINT)

    def __enter__(self) -> None:
        if threading.get_ident() == self.main:
            self.depth += 1
            self.take()

    def __exit__(self, *_: object) -> None:
        if threading.get_ident() == self.main:
            self.leave()

    def leave(self) -> bool:
        """The main thread comes out by one level; raise what was noted when it is out, and tell if it is."""
        self.depth -= 1
        if self.depth:
            return False
        if self.noted:
            self.noted = False
            raise KeyboardInterrupt
        return True

    def defer(self) -> None:
        """Have Ctrl-C noted only, while the main thread does what must come to its end."""
        if threading.get_ident() == self.main:
            self.depth += 1

    def resume(self) -> None:
        """Leave Ctrl-C to Python again, and raise one that has been noted."""
        if threading.get_ident() == self.main:
            self.restore()
            self.leave()

    def inherit(self, noted: bool) -> None:
        """Take over from ``InterruptsAtStart``: Ctrl-C is noted until the program has its cluster, see ``begun``."""
        self.starting = True
        self.depth += 1
        signal.signal(signal.SIGINT, self._handler)
        self.noted |= noted

    def begun(self) -> None:
        """The program has its cluster, and can end it: raise what was noted."""
        if self.starting:
            self.starting = False
            self.leave()

    def restore(self) -> None:
        """Leave Ctrl-C to Python again; called in the main thread."""
        if getsignal(signal.SIGINT) is self._handler:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def is_dying(frame: FrameType | None) -> bool:
    """Tell whether a ``__del__`` of freehold's is on the stack."""
    while frame is not None:
        if frame.f_code.co_name == "__del__" and str(frame.f_globals.get("__name__")).startswith("freehold."):
            return True
        frame = frame.f_back
    return False


BETWEEN: set[CodeType] = {run_task.__code__}  # what takes a task from its queue, and tells of its end


def is_between(frame: FrameType | None) -> bool:
    """Tell whether a task has been taken from its queue and has not begun, or is over and this has not been told."""
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("freehold."):
        if frame.f_code is perform.__code__:
            return False
        if frame.f_code in BETWEEN:
            return True
        frame = frame.f_back
    return False


def plain_interrupts() -> bool:
    """Tell whether Ctrl-C does what Python does by default, or what a cluster that is gone has left."""
    handler = getsignal(signal.SIGINT)
    owner = getattr(handler, "__self__", None)
    return handler is signal.default_int_handler or (isinstance(owner, Interrupts) and owner.closed)


class InterruptsAtStart:
    """Ctrl-C while a cluster is being started: noted, so that what has been started can be ended first."""

    def __init__(self) -> None:
        self.came = False
        self.heir: Interrupts | None = None  # of the cluster that has been started
        self.stir: Callable[[], None] = lambda: None  # wakes who waits for the nodes
        self.before: Any = None

    def __enter__(self) -> InterruptsAtStart:
        if threading.current_thread() is threading.main_thread() and plain_interrupts():
            self.before = signal.signal(signal.SIGINT, self.note)
        return self

    def note(self, *_: object) -> None:
        """Handle SIGINT."""
        self.came = True
        self.stir()

    def __exit__(self, *_: object) -> None:
        if self.before is None:
            return
        if self.heir is not None:
            self.heir.inherit(self.came)
        else:
            signal.signal(signal.SIGINT, signal.default_int_handler)
