"""What a process holds back: while an answer from a peer is due, messages to it wait for company.

So real processes save a call of the kernel, and its receiver a wake-up, for each message of a burst.

Refuses to know what messages are about, and what sending costs.
"""

from __future__ import annotations

from freehold.core.effects import Send

Held = list[tuple[int, Send]]  # each with the step that asked for it


class Outbox:
    """The messages of one process that have yet to be sent.

    Args:
        most: so many wait for one peer, at the most.
    """

    __slots__ = ("awaiting", "held", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.awaiting: set[int] = set()  # peers to whom something was sent, and from whom nothing has come since
        self.held: dict[int, Held] = {}  # in the order in which something was first held back for a peer

    def put(self, step: int, effect: Send) -> Held:
        """Take one more message; return those that are to be sent now, in their order."""
        peer = effect.target
        if peer not in self.awaiting and peer not in self.held:
            self.awaiting.add(peer)
            return [(step, effect)]
        self.held.setdefault(peer, []).append((step, effect))
        return self.taken(peer) if len(self.held[peer]) >= self.most else []

    def taken(self, peer: int) -> Held:
        """Return what was held back for a peer, and is sent now."""
        held = self.held.pop(peer, [])
        if held:
            self.awaiting.add(peer)
        return held

    def answered(self, peer: int) -> None:
        """Note that something has come from a peer: the next message to it waits for nothing."""
        self.awaiting.discard(peer)
