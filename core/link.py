"""The link table: a link that loses, doubles and reorders frames keeps the transport contract all the same.

One record for each peer, beneath a party and beside it: who carries messages over such a link asks it what to put on
the wire and what to hand on.  Messages are numbered; the receiver hands them on in order, each once, and says with
every frame how far it has come; the sender sends again what is not acknowledged in time.  After many times in vain the
peer is dead to us, and for ever: it hears of that with whatever it says next.  (A sliding window, as in RFC 793.)

Refuses to know what a message says, and how long a link takes.
"""

from __future__ import annotations

from typing import Any

import msgspec
from immutables import Map

from freehold.core.effects import CancelTimer, SetTimer
from freehold.core.events import Answer, Event
from freehold.core.machine import Here, Out, State, Table, replace

RESEND_SECONDS = 0.05  # the first time; then twice as long each time
TRIES_MAX = 8
EARLY_MAX = 64  # frames kept that came before others; what comes earlier still is sent again
CLOSED = -1  # the number of a frame that says that its sender has given up; 0: of one that only acknowledges


class MessageDue(Event, frozen=True, gc=False):
    """There is a message for the peer."""

    peer: int
    message: Any


class FrameCame(Event, frozen=True, gc=False):
    """A frame of the peer's has come, who knows how often and when."""

    peer: int
    number: int
    message: Any
    heard: int  # the peer has heard all messages up to this one


class ResendDue(Answer, frozen=True, gc=False):
    """What was sent last has had time to be acknowledged."""

    peer: int
    attempt: int


class Frame(msgspec.Struct, frozen=True, gc=False):
    """Put this on the wire."""

    peer: int
    number: int
    message: Any
    heard: int


class Heard(msgspec.Struct, frozen=True, gc=False):
    """Hand this message on."""

    peer: int
    message: Any


class Broken(msgspec.Struct, frozen=True, gc=False):
    """The peer is lost; a message to it is answered with this, too."""

    peer: int


class Linking(State):
    """What is on its way to the peer."""

    CLEAR = "all that was sent has been heard"
    SENDING = "what is not acknowledged in time is sent again", ResendDue
    CUT = "the two are dead to each other"


CLEAR, SENDING, CUT = Linking


class Link(msgspec.Struct, frozen=True, gc=False):
    """One end of a link."""

    peer: int
    state: Linking = CLEAR
    sent: int = 0  # the number of the last message to the peer
    open: tuple[tuple[int, Any], ...] = ()  # those that it has not acknowledged, each with its number
    heard: int = 0  # the number of the last message of the peer's that was handed on
    early: Map[int, Any] = Map()  # number -> message that came before others
    tries: int = 0  # in a row, since something was acknowledged
    attempt: int = 0  # of the timer


TABLE = Table("link", Linking, (MessageDue, FrameCame, ResendDue))


@TABLE.on(CLEAR, SENDING, event=MessageDue, to={CLEAR: (SENDING,)})
def number(r: Link, e: MessageDue, here: Here) -> tuple[Link, Out]:
    """A message is sent at once, under the next number, and kept until it is acknowledged."""
    frame = Frame(r.peer, r.sent + 1, e.message, r.heard)
    r = replace(r, sent=r.sent + 1, open=(*r.open, (r.sent + 1, e.message)))
    return (r, (frame,)) if r.state is SENDING else wait(r, here, frame)


def wait(r: Link, here: Here, *frames: Frame) -> tuple[Link, Out]:
    """Send frames, and again what is then still open."""
    timer = here.mint()
    due = SetTimer(timer, RESEND_SECONDS * 2**r.tries, ResendDue(r.peer, timer))
    return replace(r, state=SENDING, attempt=timer), (*frames, due)


@TABLE.on(CLEAR, SENDING, event=FrameCame, to={CLEAR: (CUT,), SENDING: (CLEAR, CUT)})
def hear(r: Link, e: FrameCame, here: Here) -> tuple[Link, Out]:
    """What comes in order is handed on, what came early behind it; what came already is acknowledged once more."""
    if e.number == CLOSED:
        return cut(r, ())
    still_open = tuple([item for item in r.open if item[0] > e.heard])
    tries = r.tries if still_open == r.open else 0
    r, out = taken(replace(r, open=still_open, tries=tries), e.number, e.message)
    if r.state is SENDING and not r.open:
        return replace(r, state=CLEAR, attempt=0), (*out, CancelTimer(r.attempt))
    return r, out


def taken(r: Link, number: int, message: Any) -> tuple[Link, Out]:
    """Take a message of a number, if there is one in the frame, and say how far we have come."""
    if not number:
        return r, ()
    if r.heard < number <= r.heard + EARLY_MAX:
        r = replace(r, early=r.early.set(number, message))
    handed: list[object] = []
    while r.heard + 1 in r.early:
        handed.append(Heard(r.peer, r.early[r.heard + 1]))
        r = replace(r, heard=r.heard + 1, early=r.early.delete(r.heard + 1))
    return r, (*handed, Frame(r.peer, 0, None, r.heard))


@TABLE.on(SENDING, event=ResendDue, to=(CUT,))
def send_again(r: Link, e: ResendDue, here: Here) -> tuple[Link, Out]:
    """All that is open is sent again; after many times in vain the link is cut."""
    if r.tries + 1 >= TRIES_MAX:
        return cut(r, (Frame(r.peer, CLOSED, None, r.heard),))
    return wait(replace(r, tries=r.tries + 1), here, *[Frame(r.peer, *item, r.heard) for item in r.open])


def cut(r: Link, out: Out) -> tuple[Link, Out]:
    """Let the party know that the peer is lost to it."""
    stop = (CancelTimer(r.attempt),) if r.state is SENDING else ()
    return Link(r.peer, CUT, r.sent, heard=r.heard), (*out, *stop, Broken(r.peer))


@TABLE.on(CUT, event=MessageDue)
def too_late(r: Link, e: MessageDue, here: Here) -> tuple[Link, Out]:
    """A message to the lost is answered with the news of the loss."""
    return r, (Broken(r.peer),)


@TABLE.on(CUT, event=FrameCame)
def refuse(r: Link, e: FrameCame, here: Here) -> tuple[Link, Out]:
    """The peer may not know yet."""
    return r, () if e.number == CLOSED else (Frame(r.peer, CLOSED, None, r.heard),)
