"""How much of users' values an event carries, and the same event without them."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.core import events, messages, node_events, task_events
from freehold.core.events import Event
from freehold.core.values import Description, Failure, Payload, bare

HEAVY = 1 << 40  # bytes: more than any; the value is not bytes yet
HEADER = 100  # bytes of a message beside the values in it, roughly
VALUED = ("payload", "outcome", "outcomes", "description")  # fields in which values travel; an event has one at most
CARRIES: dict[type[Event], str] = {
    kind: field
    for module in (events, task_events, node_events, messages)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Event)
    for field in VALUED
    if field in kind.__struct_fields__
}


def without_values(event: Event) -> Event:
    """Return the event without the bytes of the values that it carries."""
    field = CARRIES.get(type(event))
    return event if field is None else msgspec.structs.replace(event, **{field: bare(getattr(event, field))})


def weight(event: Event) -> int:
    """Return how many bytes of users' values an event keeps alive."""
    field = CARRIES.get(type(event))
    return 0 if field is None else weight_of(getattr(event, field))


def weight_of(value: Any) -> int:
    """Return how many bytes of users' values one field of an event keeps alive."""
    kind: type = type(value)
    if kind is Payload:
        return value.nbytes if type(value.token) is bytes else HEAVY  # not yet bytes: it is what the user gave
    if kind is Failure:
        return len(value.data)
    if kind is Description:
        return weight_of(value.payload) + sum([weight_of(slot.value) for slot in value.slots])
    return sum([weight_of(item) for item in value]) if kind is tuple else 0


def nbytes_of(message: Event) -> int:
    """Return roughly how many bytes a message takes on the wire."""
    field = CARRIES.get(type(message))
    if field is None:
        return HEADER
    value = getattr(message, field)
    some = value if type(value) is tuple else (value,)
    if type(value) is Description:
        some = (value.payload, *[slot.value for slot in value.slots])
    return HEADER + sum([each.nbytes for each in some if type(each) is Payload and each.token is not None])
