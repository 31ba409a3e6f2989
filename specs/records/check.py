"""What a check of one party's records is, and all that are declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import TypeVar, cast

from freehold.core.ids import party_name
from freehold.core.party import Party

Check = Callable[[Party], Iterator[str]]
CHECKS: list[Check] = []
P = TypeVar("P", bound=Party)


def of(kind: type[P]) -> Callable[[Callable[[P], Iterator[str]]], Check]:
    """Declare the decorated function as a check of parties of a kind; it need not say of whom it complains."""

    def declare(check: Callable[[P], Iterator[str]]) -> Check:
        @wraps(check)
        def complain(party: Party) -> Iterator[str]:
            if kind in type(party).__mro__:  # isinstance would ask a protocol's metaclass, and take longer than a check
                yield from [f"{party_name(party.me)} {what}" for what in check(cast(P, party))]

        CHECKS.append(complain)
        return complain

    return declare
