"""Strides: what the tables do in several steps of one worker, done by one function.

Most of a program's life is a handful of situations: a small value is put, a task is submitted, its reply comes,
somebody waits for it, its last reference goes.  Each touches three to six records, and a step of each through the
loop of ``party.py`` costs a microsecond.  A *stride* looks whether its situation is at hand, and if so replaces the
records at once; otherwise it declines, having changed nothing, and the tables take their steps.

A stride decides nothing: what it must do is what the tables would.  With checks on (``compile_tables(checked=True)``)
both run, on every event, and the records, the order of the records, the effects, the numbers minted and the story
must be the same.  The story of a stride is told by its ``unfold``: the steps that it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from freehold.core.effects import Effect, Move, Send
from freehold.core.errors import StrideDiffers
from freehold.core.events import Event
from freehold.core.weights import without_values

Asked = list[tuple[int, Effect]]  # effects, each with the step that asks for it
NOTHING: Asked = []  # never changed
Raw = tuple[Any, ...]  # a step, as an observer is told of it: see trace.Ring
Facts = tuple[Any, ...]  # what ``unfold`` needs to know of the situation
Strode = tuple[Asked, int, Facts]  # what was asked for, and the number of steps for which the stride stands


class Stride(NamedTuple):
    """A short cut for one kind of event.

    ``take(party, event, base)`` steps the records, or declines with None; step k of those that it stands for is
    called ``base + k``, counted from 1.  ``unfold(base, cause, at, *facts)`` returns these steps, each with what it
    asked for, as in trace.Ring; the facts are few and light, since a ring keeps them: the events come without values.
    """

    take: Callable[[Any, Any, int], Strode | None]
    unfold: Callable[..., list[Raw]]


Strides = Mapping[type[Event], Stride]
NONE: Strides = {}
checking = False  # both are to run, from the next party on


def chosen(strides: dict[type[Event], Stride]) -> Strides:
    """Return the strides of a new party: as they are, or compared with the tables each time."""
    return {kind: compared(stride) for kind, stride in strides.items()} if checking else strides


def compared(stride: Stride) -> Stride:
    """Return a stride that is taken only to be compared with the tables' own steps."""

    def take(party: Any, event: Event, base: int) -> Strode | None:
        before, last = party.snapshot(), party.step
        strode = stride.take(party, event, base)
        after = party.snapshot()
        if strode is None:
            differ(event, "records after declining", before, after)
            return None
        party.restore(before)
        watch, seen = party.watch, Seen()
        party.watch = seen
        try:
            walked = party.walk(event, party.now, 0)
        finally:
            party.watch = watch
        asked, count, facts = strode
        differ(event, "records", after, party.snapshot())
        differ(event, "effects", asked, walked)
        differ(event, "number of steps", count, party.step - last)
        differ(event, "story", stride.unfold(base, 0, party.now, *facts), seen.raw)
        party.step = last
        return strode

    return Stride(take, stride.unfold)


class Seen:
    """An observer that keeps what it is told of steps."""

    def __init__(self) -> None:
        self.raw: list[Raw] = []

    def took(self, step: int, cause: int, at: float, name: Any, before: Any, event: Event, after: Any) -> None:
        """One record was stepped."""
        end = after and after.state
        self.raw.append((step, cause, at, name, type(before), before.state, end, without_values(event)))

    def asked(self, step: int, effect: Effect) -> None:
        """The step asked the driver for something."""
        self.raw[-1] += (wish(effect),)

    def strode(self, entry: Raw) -> None:
        """No stride is taken meanwhile."""


def wish(effect: Effect) -> tuple[Any, ...]:
    """Return what is remembered of an effect: its kind, or that of its message, and for whom it is."""
    if type(effect) is Send:
        return type(effect.message), effect.target
    if type(effect) is Move:
        return Move, effect.target, effect.nbytes
    return (type(effect),)


def differ(event: Event, what: str, strode: object, walked: object) -> None:
    """Refuse a stride that does something else than the tables."""
    if strode != walked:
        raise StrideDiffers(f"{what} differ after {event}\nthe stride: {strode}\nthe tables: {walked}")
