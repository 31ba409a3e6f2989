"""Two protocols that came before ownership, and what it was compared with: leases, and one master that knows it all.

Which messages each takes is told by S. Wang et al., *Ownership: A Distributed Futures System for Fine-Grained Tasks*,
NSDI 2021, section 2 and figure 4, and by the artifact that goes with it.
"""

from __future__ import annotations

import msgspec

from freehold.core.ids import HEAD
from freehold.simulator.scripts import Body
from freehold.simulator.variants.model import Errand, Life, Modelled, Server
from freehold.simulator.world.description import Description


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that the parts take which freehold has not.

    A task costs ``scheduler`` at each node that is asked to place it, and ``master`` at the master.  Of a value that is
    lost nobody hears anything until ``expiry`` has passed.
    """

    scheduler: float = 100e-6
    master: float = 20e-6
    expiry: float = 0.2


class Leases(Modelled):
    """Each node places tasks; where values are is written into a table that is spread over many servers.

    Nobody owns a value, so it is lost when its lease has not been renewed for some time, and computed again one after
    the other, as somebody waits for it.
    """

    def __init__(
        self, description: Description, functions: dict[str, Body] | None = None, services: Services | None = None
    ) -> None:
        super().__init__(description, functions)
        self.services = services or Services()

    def placed(self, errand: Errand, node: int) -> Life:
        here, there = self.schedulers[errand.caller.node], self.schedulers[node]
        yield errand.caller.spend(0.0)
        yield from self.visit(errand.caller, here, self.services.scheduler)
        if there is not here:
            yield from self.visit(here, there, self.services.scheduler)

    def known(self, errand: Errand, node: int) -> Life:
        yield self.message(node, HEAD)  # the shard that has it, and from there to whom it may concern
        yield self.message(HEAD, errand.caller.node)

    def lookup(self, here: Server) -> Life:
        yield self.message(here.node, HEAD)
        yield self.message(HEAD, here.node)

    def overdue(self) -> float:
        return self.services.expiry


class Centralized(Leases):
    """A master places all tasks, and knows where all values are."""

    def __init__(
        self, description: Description, functions: dict[str, Body] | None = None, services: Services | None = None
    ) -> None:
        super().__init__(description, functions, services)
        self.master = Server(self, HEAD)

    def placed(self, errand: Errand, node: int) -> Life:
        here = self.schedulers[errand.caller.node]
        yield errand.caller.spend(0.0)
        yield from self.visit(errand.caller, here, self.services.scheduler)
        yield from self.visit(here, self.master, self.services.master / 2)
        yield self.message(HEAD, node)

    def known(self, errand: Errand, node: int) -> Life:
        yield from self.visit(self.schedulers[node], self.master, self.services.master / 2)
        yield self.message(HEAD, errand.caller.node)
