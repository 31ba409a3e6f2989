"""Steps, and the story of one object: a query over steps, not a log format.

Every table step of every party is a fact: which record, from which state to which, by which event, because of
which other step.  A process keeps its last few thousand in a ring.  Values' tokens are never kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from freehold.core.effects import Effect, Move
from freehold.core.events import Event
from freehold.core.ids import COUNTER_BITS, COUNTER_MASK, object_name, party_name
from freehold.core.strides import Raw, wish
from freehold.core.values import Description, Payload
from freehold.core.weights import CARRIES, weight, without_values

RING_STEPS = 2048
KEPT_NBYTES = 1024  # of a user's value that an entry of a ring may keep alive; taking it out costs more
STRIDE_FIELDS = 5  # of the entry of a stride; that of a step has more


class Step(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One step of one record."""

    step: int  # (party, count), packed like an object's name
    cause: int  # the step that caused it, 0 for a user
    at: float  # seconds
    table: str
    object: int  # the object or task that the record is about; 0 for a party's only record of a kind
    before: str
    after: str
    event: str
    detail: str  # what of the event a reader needs
    asks: tuple[str, ...]  # what the step asked for, in words

    @property
    def who(self) -> str:
        """The party that took the step."""
        return party_name(self.step >> COUNTER_BITS)

    @property
    def name(self) -> str:
        """The step's own name: its party and its count."""
        return object_name(self.step)

    @property
    def because(self) -> str:
        """The name of the step that caused it, or "user"."""
        return object_name(self.cause) if self.cause else "user"


class Ring:
    """The last steps of one party.  Events and states are kept as they are; words are made when somebody asks."""

    def __init__(self, size: int = RING_STEPS) -> None:
        self.raw: deque[Raw] = deque(maxlen=size)  # steps, and strides
        self.wishes: deque[tuple[Any, ...]] = deque(maxlen=2 * size)  # (step, kind of effect or message, ...)
        self.strode = self.raw.append  # a stride is kept as it is, and its steps told when somebody asks

    def took(self, step: int, cause: int, at: float, name: Any, before: Any, event: Event, after: Any) -> None:
        """Take note of one step."""
        if type(event) in CARRIES and weight(event) > KEPT_NBYTES:
            event = without_values(event)
        self.strode((step, cause, at, name, type(before), before.state, after and after.state, event))

    def asked(self, step: int, effect: Effect) -> None:
        """Take note of what a step asked the driver for."""
        self.wishes.append((step, *wish(effect)))

    def reaches_to(self) -> float | None:
        """Return the time of the oldest step, None if none has rolled off yet."""
        return self.raw[0][2] if len(self.raw) == self.raw.maxlen else None

    def first(self, object: int) -> float | None:
        """Return the time of the first step of an object that is remembered."""
        entries = list(self.raw)  # others may add to it meanwhile
        return next((at for entry in entries for _, _, at, name, *_ in unfolded(entry) if name == object), None)

    def since(self, kind: type, name: Any) -> tuple[float | None, bool]:
        """Return when a record came into the state in which it was last seen, and whether the ring says so.

        If it does not reach back so far, that is the time of the oldest step in it; None if there is no step.
        """
        entries = list(self.raw)  # another thread may add to it
        for entry in reversed(entries):
            for _, _, at, about, of, before, end, *_ in reversed(unfolded(entry)):
                if about == name and of is kind and before is not end:
                    return at, True
        oldest = [unfolded(entry)[0][2] for entry in entries[:1]]
        return (oldest[0] if oldest else None), False

    def steps(self, *objects: int) -> list[Step]:
        """Return what is in the ring, oldest first, of some objects; of all if none is named."""
        told = [raw for entry in self.raw for raw in unfolded(entry) if not objects or raw[3] in objects]
        wishes: dict[int, list[str]] = {}
        for step, *effect in self.wishes if told else ():
            wishes.setdefault(step, []).append(asked(*effect))
        return [in_words(*raw, asks=wishes.get(raw[0], ())) for raw in told]


def unfolded(entry: Raw) -> list[Raw]:
    """Return the steps for which an entry of a ring stands."""
    if len(entry) != STRIDE_FIELDS:
        return [entry]
    base, cause, at, unfold, facts = entry
    told: list[Raw] = unfold(base, cause, at, *facts)
    return told


TABLE_NAMES = {"Run_": "running", "Member": "membership"}


def in_words(
    step: int,
    cause: int,
    at: float,
    name: Any,
    kind: type,
    before: Any,
    end: Any,
    event: Event,
    *told: tuple[Any, ...],
    asks: Iterable[str],
) -> Step:
    """Return one entry of a ring as a reader wants it; ``told`` is what a step of a stride asked for."""
    wishes = (*asks, *[asked(*wish) for wish in told])
    table = TABLE_NAMES.get(kind.__name__, kind.__name__.lower())
    about = name if isinstance(name, int) else 0
    after = end.name if end is not None else "-"
    return Step(step, cause, at, table, about, before.name, after, type(event).__name__, detail(event), wishes)


def detail(event: Any) -> str:
    """Return what a reader needs to know of an event beside its name, without any value."""
    kind = type(event)
    words = []
    for field in kind.__struct_fields__:
        value = getattr(event, field)
        words += word(field, value)
    return " ".join(words)


def word(field: str, value: Any) -> list[str]:
    """Return one field in words; names of objects and attempts are left to the columns."""
    if field in ("object", "attempt", "task", "request", "pool", "room"):
        return []
    if field in ("asker", "creator", "borrower", "executor", "caller", "owner", "worker", "node", "party", "source"):
        return [f"{field}={party_name(value)}"] if value else []
    if field in ("nodes", "workers", "lent", "known") and isinstance(value, tuple):
        if field == "lent" and value and value[0] > 1 << COUNTER_BITS:
            return ["lent=" + ",".join(map(object_name, value))]
        return [f"{field}=" + ",".join(map(party_name, value))] if value else []
    if isinstance(value, Payload):
        return [f"{field}={value.nbytes} B"]
    if isinstance(value, Description):
        return description_words(value)
    if isinstance(value, msgspec.Struct):
        return [f"{field}={type(value).__name__}", *detail(value).split()]
    if isinstance(value, bool):
        return [field] if value else []
    if isinstance(value, int | float) and field in ("nbytes", "offset", "count", "seconds"):
        return [f"{field}={value:g}" if isinstance(value, float) else f"{field}={value}"] if value else []
    if isinstance(value, str) and value:
        return [f"{field}={value}"]
    return []


def description_words(description: Description) -> list[str]:
    """Return a task description in words: which arguments are inlined, which are references."""
    words = [f"function={description.name}", f"arguments={description.payload.nbytes} B"]
    for slot in description.slots:
        inlined = f"inlined {slot.value.nbytes} B" if slot.value else "by reference"
        words.append(f"{object_name(slot.object)} {inlined}")
    return words


def asked(kind: type, target: int = 0, nbytes: int = 0) -> str:
    """Return an effect, or the message that is sent, in words."""
    if kind is Move and not target:
        return f"Move {nbytes} B"
    return f"{kind.__name__} to {party_name(target)}" if target else kind.__name__


def story(steps: Iterable[Step]) -> list[Step]:
    """Return the steps of an object, on every party, in the order of time and cause."""
    return sorted(steps, key=lambda step: (step.at, step.step & COUNTER_MASK, step.step))


def counted(asks: tuple[str, ...]) -> list[str]:
    """Return wishes with equal ones counted."""
    return [wish if asks.count(wish) == 1 else f"{asks.count(wish)} x {wish}" for wish in dict.fromkeys(asks)]


def table(steps: list[Step], title: str = "") -> str:
    """Return steps as text in fixed columns."""
    start = steps[0].at if steps else 0.0
    rows = [("at ms", "step", "machine", "before -> after", "event", "asks for", "because")]
    for s in steps:
        arrow = s.before if s.before == s.after else f"{s.before} -> {s.after}"
        what = f"{s.event} {s.detail}".strip()
        at = f"{(s.at - start) * 1e3:.3f}"
        rows.append((at, s.name, s.table, arrow, what, "; ".join(counted(s.asks)), s.because))
    widths = [min(max(len(row[i]) for row in rows), 60) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([title, *lines] if title else lines)
