"""A worker: one process that owns, borrows and executes.  It routes events to records, no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from freehold.core import (
    borrow_strides,
    desk,
    execution,
    inquest,
    leasing,
    ledger,
    membership,
    ownership,
    promotion,
    request,
    resolution,
    running,
    tables,  # noqa: F401  (compiles the tables)
    task_strides,
    value_strides,
    witness,
    worker_strides,
)
from freehold.core.desk import Desk
from freehold.core.effects import Effect, Send
from freehold.core.events import (
    Event,
    HolderDied,
    Lent,
    OwnerDied,
    RefFound,
    RefHeld,
    RefsFound,
    RefsHeld,
    WaitRenewed,
)
from freehold.core.execution import Execution
from freehold.core.ids import is_node, node_of, owner_of
from freehold.core.inquest import Inquest
from freehold.core.leasing import Pool
from freehold.core.ledger import Ledger
from freehold.core.membership import Member
from freehold.core.messages import BorrowNotice, CancelNotice
from freehold.core.node_events import Announced, NodeJoined, PartyDied
from freehold.core.node_messages import NodeNotice
from freehold.core.ownership import Ownership
from freehold.core.party import Party, Routes
from freehold.core.policies import DEFAULT, Policy
from freehold.core.promotion import Promotion
from freehold.core.request import Request
from freehold.core.resolution import Resolution
from freehold.core.running import Run_
from freehold.core.strides import Strides, chosen
from freehold.core.task_events import CallerDied, CancelAsked, DeskWaits, ExecutorDied, LeaseLost, NodesChanged
from freehold.core.values import InquestKey, PoolKey
from freehold.core.witness import Witness

ROUTES = Routes(
    ownership=(ownership.TABLE, Ownership),
    promotion=(promotion.TABLE, Promotion),
    resolution=(resolution.TABLE, Resolution),
    requests=(request.TABLE, Request),
    execution=(execution.TABLE, Execution),
    running=(running.TABLE, Run_),
    desk=(desk.TABLE, lambda _: Desk()),
    pools=(leasing.TABLE, Pool),
    ledger=(ledger.TABLE, lambda _: Ledger()),
    inquests=(inquest.TABLE, lambda _: Inquest()),
    witness=(witness.TABLE, Witness),
    members=(membership.TABLE, Member),
)


STRIDES = {**borrow_strides.STRIDES, **value_strides.STRIDES, **task_strides.STRIDES, **worker_strides.STRIDES}


class Worker(Party):
    """A process of the cluster: the user's program, or one that runs tasks."""

    ownership: dict[int, Ownership]
    promotion: dict[int, Promotion]
    resolution: dict[int, Resolution]
    requests: dict[int, Request]
    execution: dict[int, Execution]
    running: dict[int, Run_]
    desk: dict[int, Desk]
    pools: dict[PoolKey, Pool]
    ledger: dict[int, Ledger]
    inquests: dict[int, Inquest]
    witness: dict[InquestKey, Witness]
    strides: Strides

    def __init__(self, me: int, policy: Policy = DEFAULT) -> None:
        super().__init__(me, ROUTES, policy)
        self.strides = chosen(STRIDES)

    def spread(self, event: Event) -> Iterable[Event | Effect]:
        """Return the events for single records that an event for many stands for."""
        match event:
            case RefsHeld(objects):
                return [RefHeld(object) for object in objects]
            case RefsFound(outer, objects):
                return [RefFound(object, outer) for object in objects]
            case BorrowNotice(objects, borrower):
                return [Lent(object, (borrower,)) for object in objects]
            case CancelAsked(object, force):
                return [Send(owner_of(object), CancelNotice(object, force))]
            case DeskWaits(task):
                return [WaitRenewed(number) for number, call in self.requests.items() if call.task == task]
            case NodeNotice(nodes):
                joined = [NodeJoined(node, resources) for node, resources in self.unknown(nodes)]
                return [*joined, *[NodesChanged(key) for key in (self.pools if joined else ())]]
            case Announced():
                return [NodesChanged(key) for key in self.pools]
            case PartyDied(party):
                return self.bereaved(party)
        return super().spread(event)

    def bereaved(self, party: int) -> Iterator[Event]:
        """Tell every record that names the dead party, or one that died with it.

        Tasks come last: their retries must find leases and arguments as the death has left them.
        """

        def dead(other: int) -> bool:
            return other == party or (is_node(party) and node_of(other) == party)

        names = {**self.ownership, **self.promotion, **self.resolution}
        for object in names:
            if dead(owner_of(object)):
                yield OwnerDied(object)
        for object, held in self.ownership.items():
            yield from [HolderDied(object, other) for other in sorted({*held.borrowers, *held.lent}) if dead(other)]
        for object, value in self.promotion.items():
            yield from [HolderDied(object, other) for other in sorted({*value.nodes, *value.askers}) if dead(other)]
        yield from [LeaseLost(key, party) for key in self.pools]
        yield from [CallerDied(task) for task, run in self.running.items() if run.query and dead(run.query.caller)]
        for task, run in self.execution.items():
            yield from [ExecutorDied(task, other) for other in sorted({run.worker, *run.waiters} - {0}) if dead(other)]
