"""The driver of a worker: a process that runs tasks, or the user's program.

The main thread of a worker process runs one task after the other; while it waits it does the process's I/O.
"""

from __future__ import annotations

import _thread
import gc
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Sized
from functools import partial
from threading import get_ident
from types import FrameType
from typing import Any

from freehold.backends.local import wire
from freehold.backends.local.arena import Arena
from freehold.backends.local.census import census_of, put_together
from freehold.backends.local.channel import Channel
from freehold.backends.local.driver import LocalDriver
from freehold.backends.local.output import end_lines
from freehold.backends.local.pump import FOREVER
from freehold.backends.local.setting import program_path
from freehold.core import serde
from freehold.core.driver import Hear, Host
from freehold.core.effects import Interrupt, Kill, Move, Run, Settle
from freehold.core.events import Event, Moved, ViewDropped, ViewTaken
from freehold.core.facts import Account
from freehold.core.failures import exit_status, how_it_ended
from freehold.core.ids import node_of
from freehold.core.queries import Held, readable
from freehold.core.session import Session
from freehold.core.tasks import run_task
from freehold.core.values import Failure
from freehold.core.worker import Worker

ANSWER_SECONDS = 5.0  # that a process has to answer a question to all
INSIST_SECONDS, INSIST_SECONDS_MAX = 0.01, 1.0  # after which a task is interrupted again that has not heard of it


class WorkerDriver(LocalDriver, Host):
    """The driver of one worker.

    Args:
        worker: the party.
        setup: what every process of the cluster knows.
        arena: the object store of its node; mapped for writing, since its values go there.
        node: the link to its node.
    """

    def __init__(self, worker: Worker, setup: wire.Setup, arena: Arena, node: Channel) -> None:
        super().__init__(worker, setup)
        self.arena = arena
        self.session = Session(worker, self, setup.nonce)
        self.node = node
        self.settled: dict[int, Failure | None] = {}
        self.listeners: dict[int, Hear] = {}
        self.runs: deque[Run] = deque()
        self.interrupting = False  # a signal is on its way to a task
        self.patience = FOREVER  # seconds after which a wait says what it waits for, again and again
        self.views: deque[int] = deque()  # objects of which a view has died
        self.printed: deque[wire.Output] = deque()
        self.paths: dict[int, tuple[bytes, ...]] = {}  # answers to PathWanted
        self.found: dict[int, list[wire.PartFound]] = {}  # answers to PartWanted
        self.ends: dict[int, wire.EndFound] = {}  # answers to EndWanted
        self.add_channel(node)

    # ------------------------------------------------------------------ links

    def dial(self, target: int) -> None:
        self.say(self.node, wire.Dial(self.party.me, target))

    def hear(self, channel: Channel, word: Any) -> None:
        match word:
            case wire.Link():
                self.linked(word, channel.descriptor())
            case wire.PartWanted():
                self.pump.work.append(partial(self.answer, channel, word))
            case wire.PartFound():
                if word.number in self.found:  # else nobody waits for it any more
                    self.found[word.number].append(word)
                    self.pump.notify()
            case wire.PathWanted(number):
                self.say(channel, wire.PathFound(number, tuple(program_path())))
            case wire.PathFound(number, path):
                self.paths[number] = path
                self.pump.notify()
            case wire.EndFound(number):
                self.ends[number] = word
                self.pump.notify()
            case wire.Output():
                self.show(word)
            case _:
                super().hear(channel, word)

    def answer(self, channel: Channel, word: wire.PartWanted) -> None:
        """Answer a question to all, outside the lock: for a census what only cycles keep alive has to go first."""
        if word.about == "census":
            gc.collect()
        self.pump.enter()
        try:
            self.drain_first()
            self.drain()
            if channel.fileno() in self.channels:
                for found in self.findings(word):
                    self.say(channel, found)
                self.flush()
        finally:
            self.pump.leave()

    def census_part(self) -> wire.Census:
        """Return what this process still knows of users' objects."""
        lines = [f"unanswered: {self.settled} {list(self.listeners)}"] if self.settled or self.listeners else []
        return census_of(self.party, [*lines, *[f"a task to run: {run.task}" for run in self.runs]], self.session)

    def census(self) -> list[str]:
        """Return, in words, what the processes of the cluster still know of users' objects, cached functions apart."""
        found = self.ask_all("census")
        self.pump.enter()
        try:
            parts = [self.census_part(), *[one.census for one in found if one.census is not None]]
        finally:
            self.pump.leave()
        silent = [] if any(one.last for one in found) else ["some processes did not answer"]
        return silent + put_together(parts)

    def show(self, word: wire.Output) -> None:
        """Have printed what a task has printed; only the program is told of any."""

    def peer_lost(self, peer: int) -> None:
        if peer == self.party.node:
            self.node_lost()
        else:
            super().peer_lost(peer)

    def node_lost(self) -> None:
        """A worker without its node is of no use to anybody."""
        os._exit(1)

    # ------------------------------------------------------------------ effects

    def settle(self, step: int, effect: Settle) -> None:
        hear = self.listeners.pop(effect.request, None)
        if hear is not None:
            hear(effect.failure)
        else:
            self.settled[effect.request] = effect.failure
        self.pump.notify()

    def run(self, step: int, effect: Run) -> None:
        self.runs.append(effect)
        self.pump.notify()

    def interrupt(self, step: int, effect: Interrupt) -> None:
        self.session.doomed.add(effect.task)  # before we look: it looks when it begins
        main = threading.main_thread().ident
        if self.session.task == effect.task and main is not None:
            self.interrupting = True
            signal.pthread_kill(main, signal.SIGINT)
            _thread.start_new_thread(self.insist, (effect.task, main))

    def insist(self, task: int, main: int) -> None:
        """Send the signal to a task again until it is heard.

        One that comes when a call has released the GIL and is just about to sleep does not end that sleep.
        """
        seconds = INSIST_SECONDS
        while True:
            time.sleep(seconds)
            # From this look to the signal CPython runs no other thread: it cannot meet the task behind this one.
            if not self.interrupting or self.session.task != task:
                return
            signal.pthread_kill(main, signal.SIGINT)
            seconds = min(2 * seconds, INSIST_SECONDS_MAX)

    def kill(self, step: int, effect: Kill) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def move(self, step: int, effect: Move) -> None:
        self.pump.work.append(partial(self.write, effect))

    def write(self, effect: Move) -> None:
        """Copy a value into the object store; several milliseconds, outside the lock."""
        if self.broken is not None:
            return
        assert effect.payload is not None
        target = self.arena.writable(effect.place, effect.nbytes)
        token = effect.payload.token
        if isinstance(token, bytes):
            Arena.copy(target, memoryview(token))
        else:
            serde.pack_into(token, target, Arena.copy)
        self.tell(Moved(effect.object, effect.attempt))

    # ------------------------------------------------------------------ what a session needs

    def drain_first(self) -> None:
        """Send what was printed before a reply, and tell that a task's views are dead before it is over."""
        while self.printed:
            word = self.printed.popleft()
            self.to(self.setup.program, lambda channel, word=word: channel.say(word))  # type: ignore[misc]
        while self.views:
            self.drive(ViewDropped(self.views.popleft()))

    def drain(self) -> None:
        if self.session.dropped:
            for event in self.session.drops():
                self.drive(event)

    def abandon(self, request: int) -> None:
        super().abandon(request)
        self.settled.pop(request, None)  # it came between the interrupt and the word of it

    def block(self, request: int, came: Sized = ()) -> Failure | None:
        return self.ask(request, (), came)

    def ask(self, request: int, events: Sequence[Event], came: Sized = ()) -> Failure | None:
        settled = self.settled
        runs: Sequence[Run] = self.runs if get_ident() == self.pump.interrupts.main else ()
        begin = partial(self.tell_inside, events) if events else None
        long = False

        def ready() -> object:
            return request in settled or came or runs or self.broken is not None

        try:
            while True:
                late = self.pump.wait(ready, self.patience, begin)
                begin = None
                if late:
                    long = True
                    self.say_why(request)
                    continue
                if not runs:
                    break
                # No worker is left: a task of ours, on this stack.  It begins before the wait returns, since the
                # core gave it the thread while the thread waited.
                run_task(self.session, self.runs.popleft(), before_reply=end_lines, reraise=self.pump.interrupts.ours)
                if self.session.task in self.session.doomed:
                    raise KeyboardInterrupt  # it was cancelled while the other ran on top of it
        except BaseException:
            settled.pop(request, None)
            raise
        finally:
            if long:
                self.wait_over()
        return settled.pop(request) if request in settled else self.broken

    def say_why(self, request: int) -> None:
        """A wait takes long: show what it waits for."""

    def wait_over(self) -> None:
        """A wait that took long is over."""

    def listen(self, request: int, hear: Hear) -> None:
        self.listeners[request] = hear
        if self.broken is not None and self.listeners.pop(request, None) is not None:
            hear(self.broken)  # nobody will settle it any more

    def forget(self, request: int) -> None:
        self.listeners.pop(request, None)

    def later(self, call: Callable[[], None]) -> None:
        if self.broken is not None and not self.pump.mine():
            call()  # nobody may be there to make it
            return
        self.pump.calls.append(call)
        self.pump.remind()
        self.pump.notify()

    def view(self, object: int) -> memoryview | None:
        self.pump.enter()
        try:
            worker = self.party
            assert isinstance(worker, Worker)
            found = readable(worker, object)
            if self.broken is not None or not isinstance(found, Held):
                return None
            self.drive(ViewTaken(object))
            place, nbytes = found
            return self.arena.view(place, nbytes, self.views.append, object)
        finally:
            self.pump.leave()  # an interrupt raised here drops the view, and that is told

    def ask_all(self, about: str, *names: tuple[int, ...]) -> list[wire.PartFound]:
        """Ask every other process of the cluster; give up on those that do not answer soon."""
        number = self.session.request()
        self.found[number] = []
        self.pump.enter()
        try:
            if self.broken is None:
                self.say(self.node, wire.PartWanted(self.party.me, number, about, *names))
                self.flush()
        finally:
            self.pump.leave()
        found = self.found[number]
        self.pump.wait(lambda: any(one.last for one in found) or self.broken is not None, ANSWER_SECONDS)
        return self.found.pop(number)

    def ask_path(self) -> tuple[bytes, ...]:
        """Ask the program where it looks for modules now; nowhere, if it cannot be asked."""
        number = self.session.request()
        if self.broken is not None or self.pump.mine():
            return ()
        self.pump.enter()
        try:
            self.to(self.setup.program, lambda channel: channel.say(wire.PathWanted(number)))
            self.flush()
        finally:
            self.pump.leave()
        self.pump.wait(lambda: number in self.paths or self.broken is not None, ANSWER_SECONDS)
        return self.paths.pop(number, ())

    def end_of(self, worker: int) -> str:
        number, node = self.session.request(), node_of(worker)
        if self.broken is not None or self.pump.mine():
            return ""
        self.pump.enter()
        try:
            if node not in self.lost:
                self.to(node, lambda channel: channel.say(wire.EndWanted(self.party.me, number, worker)))
                self.flush()
        finally:
            self.pump.leave()
        self.pump.wait(lambda: number in self.ends or self.broken or node in self.lost, ANSWER_SECONDS)
        found = self.ends.pop(number, None)
        return how_it_ended(os.waitstatus_to_exitcode(found.status), found.lines) if found is not None else ""

    def own_steps(self, *objects: int) -> list[Any]:
        self.pump.enter()
        try:
            return self.ring.steps(*objects)
        finally:
            self.pump.leave()

    def steps(self, *objects: int) -> list[Any]:
        others = [step for found in self.ask_all("steps", objects) for step in found.steps]
        return [*self.own_steps(*objects), *others]

    def account_part(self, objects: tuple[int, ...], names: tuple[int, ...]) -> Account:
        return self.session.account(objects, names, os.getpid())

    def accounts(self, objects: tuple[int, ...], names: tuple[int, ...]) -> tuple[list[Account], list[int]]:
        found = self.ask_all("accounts", objects, names)
        others = [one.account for one in found if one.account is not None]
        asked = {self.party.node, *[party for one in found for party in one.asks]}
        self.pump.enter()
        try:
            mine = self.account_part(objects, names)
        finally:
            self.pump.leave()
        return [mine, *others], sorted(asked - {self.party.me} - {account.party for account in others})

    def forked(self) -> None:
        super().forked()
        self.deafen(Failure("session", 0, 0, "this process was forked from one that uses freehold"))
        self.runs.clear()
        self.printed.clear()
        self.arena.close()

    def close(self) -> None:
        """Leave: a worker process ends with its node, not by itself."""


def work(driver: WorkerDriver) -> None:
    """Run tasks, for the life of the process."""
    pump, runs, session = driver.pump, driver.runs, driver.session

    def interrupt(number: int, frame: FrameType | None) -> None:
        ours, driver.interrupting = driver.interrupting, False
        if session.task in session.doomed or (session.task and not ours):  # ours may come when its task is over
            driver.interrupting = pump.interrupts.interrupt(number, frame) and ours

    signal.signal(signal.SIGINT, interrupt)
    while True:
        if not runs:
            pump.wait(lambda: bool(runs))
        run = runs.popleft()
        try:
            run_task(session, run, before_reply=end_lines)
        except SystemExit as error:
            os._exit(exit_status(error))  # when what was printed is sent
        if driver.broken is not None:
            os._exit(0)  # the task has forked, and its child has come out of the function
