"""What a check of one party's records is, and all that are declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import TypeVar, cast

from freehold.core.ids import party_name
from freehold.core.party import Party

Check = Callable[[Party], Iterator[str]]
CHECKS: list[Check] = []
CALM: set[Check] = set()  # those of them that hold only as long as no two that live have lost each other
P = TypeVar("P", bound=Party)


def of(kind: type[P], *, calm: bool = False) -> Callable[[Callable[[P], Iterator[str]]], Check]:
    """Declare the decorated function as a check of parties of a kind; it need not say of whom it complains.

    Args:
        kind: of parties.
        calm: whether it holds only as long as no two that live have lost each other.
    """

    def declare(check: Callable[[P], Iterator[str]]) -> Check:
        @wraps(check)
        def complain(party: Party) -> Iterator[str]:
            if kind in type(party).__mro__:  # isinstance would ask a protocol's metaclass, and take longer than a check
                yield from [f"{party_name(party.me)} {what}" for what in check(cast(P, party))]

        CHECKS.append(complain)
        if calm:
            CALM.add(complain)
        return complain

    return declare


@cache
def hold(*, calm: bool) -> tuple[Check, ...]:
    """Return the checks that hold: all if it is calm, else those that always do."""
    return tuple([check for check in CHECKS if calm or check not in CALM])
