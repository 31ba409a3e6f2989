"""The hand-over table: which of a process's threads does the I/O for all, and who is next.

A thread that waits leads if nobody does: it reads and writes every link, and wakes the others when what they
wait for has come.  When its own wait is over it hands the lead to the first that still waits.  A background
thread leads only while nobody waits, and is never woken for it.

This file refuses to know locks and sockets; the pump of a backend performs what it answers.
"""

from __future__ import annotations

import msgspec

from freehold.core.events import Event
from freehold.core.machine import Here, Out, State, Table, replace


class ThreadCame(Event, frozen=True, gc=False):
    """A thread has to wait."""

    thread: int


class ThreadServed(Event, frozen=True, gc=False):
    """What a waiting thread waits for has come."""

    thread: int


class ThreadLeft(Event, frozen=True, gc=False):
    """A thread waits no more: it was served, or interrupted."""

    thread: int


class Lead(msgspec.Struct, frozen=True, gc=False):
    """Tell the thread to do the I/O."""

    thread: int


class Wake(msgspec.Struct, frozen=True, gc=False):
    """Tell the thread that it has been served."""

    thread: int


class Handing(State):
    """Whether some thread does the I/O."""

    FREE = "no thread waits"
    LED = "one thread does the I/O, others may wait for it"


FREE, LED = Handing


class Handover(msgspec.Struct, frozen=True, gc=False):
    """The threads of one process that wait."""

    state: Handing = FREE
    leader: int = 0
    followers: tuple[int, ...] = ()  # in the order in which they came


TABLE = Table("handover", Handing, (ThreadCame, ThreadServed, ThreadLeft))


@TABLE.on(FREE, event=ThreadCame, to=(LED,))
def take_lead(r: Handover, e: ThreadCame, here: Here) -> tuple[Handover, Out]:
    """The first thread that waits does the I/O itself: nobody else need be woken."""
    return replace(r, state=LED, leader=e.thread), (Lead(e.thread),)


@TABLE.on(LED, event=ThreadCame)
def follow(r: Handover, e: ThreadCame, here: Here) -> tuple[Handover, Out]:
    """The others wait for the leader's word."""
    return replace(r, followers=(*r.followers, e.thread)), ()


@TABLE.on(LED, event=ThreadServed)
def serve(r: Handover, e: ThreadServed, here: Here) -> tuple[Handover, Out]:
    """A follower is woken once; the leader looks for itself."""
    if e.thread not in r.followers:
        return r, ()
    return replace(r, followers=tuple([thread for thread in r.followers if thread != e.thread])), (Wake(e.thread),)


TABLE.ignore(FREE, event=ThreadServed, why="nobody waits")


@TABLE.on(LED, event=ThreadLeft, to=(FREE, LED))
def hand_over(r: Handover, e: ThreadLeft, here: Here) -> tuple[Handover, Out]:
    """The lead passes to the follower that has waited longest; a follower just goes."""
    if e.thread != r.leader:
        return replace(r, followers=tuple([thread for thread in r.followers if thread != e.thread])), ()
    if not r.followers:
        return replace(r, state=FREE, leader=0), ()
    return replace(r, leader=r.followers[0], followers=r.followers[1:]), (Lead(r.followers[0]),)


TABLE.ignore(FREE, event=ThreadLeft, why="it was served and told so")
