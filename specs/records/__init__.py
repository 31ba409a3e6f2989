"""What must be true of the records of one party, whatever the others do: between any two events.

Each check says what is wrong, of whom; of a party of another kind it says nothing.

Refuses to know what others have, and what users want.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.core.copy import PRIMARY, RETIRING, SECONDARY
from freehold.core.events import Event
from freehold.core.ids import is_node, party_name
from freehold.core.node import Node
from freehold.core.node_messages import HoldReturnNotice
from freehold.core.party import Party
from freehold.specs.records import of_nodes, of_workers
from freehold.specs.records.check import CHECKS, Check, hold

__all__ = ["CHECKS", "Check", "agree", "hears_well", "hold", "of_nodes", "of_workers"]
HOLDS = (PRIMARY, SECONDARY, RETIRING)  # copies in these states, and may have been lent


def agree(party: Party, *, calm: bool = True) -> Iterator[str]:
    """What one party has written down goes together, and (``calm``) no two that live have lost each other."""
    for check in hold(calm=calm):
        yield from check(party)


def hears_well(party: Party, event: Event) -> Iterator[str]:
    """What a party is about to be told goes with what it has written down.

    A process gives no more holds back than it was granted; a node that gives up a copy need not know if it was granted.
    """
    if (
        isinstance(party, Node)
        and type(event) is HoldReturnNotice
        and not is_node(event.holder)
        and party.hears(event.holder)
    ):
        copy = party.copies.get(event.object)
        granted = copy.holds.get(event.holder, 0) if copy is not None else event.count
        if copy is not None and copy.state in HOLDS and event.count > granted:
            yield f"{party_name(party.me)} gets {event.count} holds back, but has granted {granted}: {copy}"
