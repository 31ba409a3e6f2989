"""The pump: which thread does a process's I/O, and when.

The thread that waits does the I/O itself: it flushes every link, waits, reads, hands events to the party and
performs what the party asks for, until what it waits for has come; threads that wait beside it are woken by it.
Who leads is decided by ``core/handover.py``.  A background thread takes over only while no thread waits: it parks
for a few milliseconds at a time while the others are busy, and sleeps in the kernel when they are not.

One lock guards the party.  Nothing under it blocks and no user code runs under it; what must run outside is put
into ``work``.  Ctrl-C never lands inside: see ``backends/interrupts.py``.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from threading import get_ident
from time import monotonic
from typing import Any

from freehold.backends.interrupts import Interrupts
from freehold.backends.local.spin import Spin
from freehold.core.handover import Handover, Lead, ThreadCame, ThreadLeft, ThreadServed, Wake

PARK_SECONDS = 0.005  # of the background thread, while others do the I/O
HOLD_SECONDS = 0.001  # that it leaves to others to send what waits for company
LOOK_SECONDS = 0.1  # references that died while a program does something else are noticed after this long
FOREVER = 1e6  # seconds
Ready = Callable[[], object]  # true when a wait is over
Waiting = ThreadCame | ThreadServed | ThreadLeft
KNOWN_MAX = 256  # answers of the hand-over table that are kept


class Pump:
    """The I/O of one process.

    Args:
        flush: send what waits to be sent, on all links.
        serve: read a descriptor that is ready, and handle what has come.
        tick: fire the timers that are due; return the seconds until the next one.

    All three are called with the lock held.
    """

    def __init__(self, flush: Callable[[], None], serve: Callable[[int, int], None], tick: Callable[[], float]) -> None:
        self.flush, self.serve, self.tick = flush, serve, tick
        self.epoll = select.epoll()
        self.lock = threading.Lock()
        self._owner = 0  # the thread that has the lock
        self.work: deque[Callable[[], None]] = deque()  # copies and the like, to be done outside the lock
        self.calls: deque[Callable[[], None]] = deque()  # users' callbacks: neither under the lock nor in a wait
        self._running: set[tuple[int, int]] = set()  # (thread, queue) of the loops that are under way
        self.closed = False
        self._inside = 0  # threads that may be using the descriptors; the last to leave a closed pump gives them back
        self._turns = 0  # counts turns of leaders: the background thread stays away while it moves
        self.interrupts = Interrupts(self._wake_main)
        self._handover = Handover()
        self._known: dict[tuple[Handover, Waiting], tuple[Handover, tuple[int, ...]]] = {}  # what the table answered
        self._leader = 0
        self._followers: dict[int, tuple[Ready, Any]] = {}  # thread -> what it waits for, the lock it sleeps on
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._asleep = False  # the background thread is in the kernel
        self._holding = False  # it was woken to send, in a while, what waits for company
        self._spin = Spin()
        self.epoll.register(self._bell, select.EPOLLIN)

    # ------------------------------------------------------------------ the lock

    def enter(self) -> None:
        """Take the lock."""
        me = get_ident()
        if self._owner == me:
            raise RuntimeError("freehold was called by a finalizer, or a signal handler, amid its own work")
        interrupts = self.interrupts
        if me == interrupts.main:
            interrupts.depth += 1
            if interrupts.ours:
                interrupts.take()
        self.lock.acquire()
        self._owner = me

    def _take(self) -> None:
        self.lock.acquire()
        self._owner = get_ident()

    def _free(self) -> None:
        self._owner = 0
        self.lock.release()

    def mine(self) -> bool:
        """Tell whether this thread has the lock: it is in a finalizer or a signal handler."""
        return self._owner == get_ident()

    def leave(self) -> None:
        """Release the lock, do what was left for outside, and raise an interrupt that came meanwhile."""
        me, self._owner = self._owner, 0
        self.lock.release()
        interrupts = self.interrupts
        if me != interrupts.main:
            self._run(self.work)
        else:
            if self.work and interrupts.depth == 1:
                self._run(self.work)  # an interrupt is still noted only: half a copy is worse than none
            if not interrupts.leave():
                return
        if self.calls:
            self._run(self.calls)

    def _run(self, tasks: deque[Callable[[], None]]) -> bool:
        """Do everything in a queue that several threads may empty; tell whether there was anything.

        What a task of the queue adds to it is done by the loop that is under way, not by one inside it.
        """
        if not tasks:
            return False
        me = get_ident()
        if (me, id(tasks)) in self._running:
            return False
        self._running.add((me, id(tasks)))
        try:
            return self._run_all(tasks)
        finally:
            self._running.discard((me, id(tasks)))

    @staticmethod
    def _run_all(tasks: deque[Callable[[], None]]) -> bool:
        some = False
        while tasks:
            try:
                task = tasks.popleft()
            except IndexError:  # another thread took it
                break
            some = True
            task()
        return some

    def _wake_main(self) -> None:
        """An interrupt was noted: the main thread, in whose name this is called, is to leave."""
        self.ring()
        if self.interrupts.main in self._followers:
            self._wake(self.interrupts.main)

    def ring(self) -> None:
        """Wake whoever is in the kernel for this process's I/O."""
        if self._bell >= 0:
            os.eventfd_write(self._bell, 1)

    def notify(self) -> None:
        """Something that a thread may wait for has happened: if another leads, it must look."""
        if self.led():
            self.ring()

    def remind(self) -> None:
        """Something waits to be sent, or an earlier timer is set, and nobody may be awake to see to it."""
        if self.led() if self._leader else self._asleep:
            self.ring()

    def remind_soon(self) -> None:
        """Messages wait for company: if nobody has sent them in a while, the background thread does."""
        if self._asleep and not self._holding:
            self._holding = True
            self.ring()

    def led(self) -> bool:
        """Tell whether another thread does the I/O; it may be in the kernel, and look only when something comes."""
        return self._leader != 0 and self._leader != get_ident()

    # ------------------------------------------------------------------ waiting

    def wait(self, ready: Ready, seconds: float = FOREVER, begin: Callable[[], None] | None = None) -> bool:
        """Wait until ``ready()``, which is called with the lock held, or the pump is closed, or time has passed.

        ``begin`` is called first, with the lock held, too.

        Returns:
            Whether it is the time that has passed.

        Raises:
            KeyboardInterrupt: Ctrl-C, in the main thread.
        """
        me = get_ident()
        self.enter()
        try:
            if begin is not None:
                begin()
            if ready():
                return False
            until, left = monotonic() + seconds, seconds
            self._inside += 1
            self._step(ThreadCame(me))
            try:
                while not (self.closed or (self.interrupts.noted and me == self.interrupts.main)):
                    if left <= 0:
                        return True
                    if self._leader == me:
                        self.turn(ready, left)
                    else:
                        self._follow(me, ready, left)
                    if ready():
                        break
                    left = until - monotonic() if seconds < FOREVER else FOREVER
                return False
            finally:
                self._step(ThreadLeft(me))
                self._inside -= 1
                self._release()
        finally:
            self.leave()

    def turn(self, ready: Ready = lambda: False, seconds: float = FOREVER) -> None:
        """Do all there is to do, and wait some seconds for more, unless ``ready()``; the lock is free meanwhile."""
        seconds = min(seconds, self.tick())
        self.flush()
        if self._followers:
            self._serve_followers()
        self._turns += 1
        if ready():  # a timer, or a link that broke, may have been what was waited for
            return
        self._free()
        try:
            if self._run(self.work):
                seconds = 0.0
            events = self._spin.poll(self.epoll, seconds)
        finally:
            self._take()
        for fd, mask in events:
            if fd == self._bell:
                if self._leader in (0, get_ident()):  # else it is for the leader, who may not sleep yet
                    self._hush()
            else:
                self.serve(fd, mask)
        if self._followers:
            self._serve_followers()
        if events and self.led():  # by one who came amid our turn, and may have looked before we read
            self.ring()

    def listen(self) -> None:
        """Read what has come, and send what follows, unless another thread does; called with the lock held."""
        if self._leader or self.closed:
            return
        self._inside += 1
        try:
            self.turn(seconds=0.0)
            if not self.closed:
                self.flush()
        finally:
            self._inside -= 1
            self._release()

    def _hush(self) -> None:
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return  # another thread has

    def _follow(self, me: int, ready: Ready, seconds: float) -> None:
        """Sleep until the leader says that we are served, or that we lead."""
        bed = threading.Lock()
        bed.acquire()
        self._followers[me] = (ready, bed)
        self._free()
        try:
            bed.acquire(timeout=seconds)
        finally:
            self._take()
            self._followers.pop(me, None)

    def _serve_followers(self) -> None:
        for thread, (ready, _) in list(self._followers.items()):
            if ready():
                self._step(ThreadServed(thread))

    def _step(self, event: Waiting) -> None:
        """Ask the hand-over table, and do what it says."""
        after, woken = self._known.get((self._handover, event)) or self._ask_table(event)
        self._handover = after
        self._leader = after.leader
        for thread in woken:
            self._wake(thread)

    def _ask_table(self, event: Waiting) -> tuple[Handover, tuple[int, ...]]:
        """Return what follows from an event, and who is to be woken: not one that comes and leads at once."""
        before = self._handover
        after, out = before.state.rows[type(event)](before, event, None)  # type: ignore[arg-type]
        orders = [order for order in out if isinstance(order, Wake | Lead)]
        woken = [order.thread for order in orders if isinstance(order, Wake) or order.thread != event.thread]
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[before, event] = after, tuple(woken)
        return after, tuple(woken)

    def _wake(self, thread: int) -> None:
        sleeper = self._followers.get(thread)
        if sleeper is not None:
            with contextlib.suppress(RuntimeError):  # it has been woken already
                sleeper[1].release()

    # ------------------------------------------------------------------ while nobody waits

    def start_background(self) -> threading.Thread:
        """Start the thread that does the I/O while no other thread waits."""
        thread = threading.Thread(target=self._look_after, name="freehold-pump", daemon=True)
        thread.start()
        return thread

    def _look_after(self) -> None:
        poller = select.poll()
        poller.register(self.epoll.fileno(), select.POLLIN)
        turns = -1
        while not self.closed:
            if self._turns != turns:  # others are at it, or were a moment ago
                turns = self._turns
                time.sleep(PARK_SECONDS)
                continue
            self.enter()
            try:
                seconds = self._turn_if_free()
            finally:
                turns = self._turns
                self._asleep = True
                self.leave()
            ready = poller.poll(min(seconds, LOOK_SECONDS) * 1000)
            self._asleep = False
            if self._holding:
                time.sleep(HOLD_SECONDS)
                self._holding = False
            elif ready and self._leader:
                time.sleep(PARK_SECONDS)

    def _turn_if_free(self) -> float:
        """Do all there is to do, but for reading if another thread leads; return the seconds until the next timer."""
        self._inside += 1
        try:
            if self._leader:  # in the kernel, perhaps for long: references may have died since
                self.tick()
                self.flush()
                self._serve_followers()
            while not (self._leader or self.closed):
                self.turn(seconds=0.0)
                if self.closed or not self.epoll.poll(0):
                    break
        finally:
            self._inside -= 1
            self._release()
        if self.closed:
            return 0.0
        seconds = self.tick()
        self.flush()  # what follows from what was read waits for nobody: this thread may sleep next
        return seconds

    # ------------------------------------------------------------------ the end

    def close(self) -> None:
        """Let everybody go; called with the lock held."""
        self.closed = self.interrupts.closed = True
        self.ring()
        for thread in list(self._followers):
            self._wake(thread)
        self._release()

    def _release(self) -> None:
        """Give the pump's own descriptors back, when it is closed and no thread uses them any more."""
        if self.closed and not self._inside and self._bell >= 0:
            bell, self._bell = self._bell, -1
            self.epoll.close()
            os.close(bell)

    def abandon(self) -> None:
        """Forget everything, in a forked child: none of the other threads is here, and one may have had the lock."""
        self.lock = threading.Lock()
        self._owner = self._inside = self.interrupts.depth = 0
        self._followers.clear()
        self.work.clear()
        self.calls.clear()
        self.closed = self.interrupts.closed = True
        self._release()
