"""A node: one machine with its object store and its workers.  It routes events to records, no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from immutables import Map

from freehold.core import copy, inquiry, membership, office, room
from freehold.core.copy import Copy
from freehold.core.effects import Effect, Send
from freehold.core.events import Event, HolderDied, OwnerDied
from freehold.core.ids import HEAD, is_node, node_of, owner_of
from freehold.core.inquest_events import HoldersAsked, HoldersWanted, WitnessDied
from freehold.core.inquiry import Inquiry
from freehold.core.membership import Member
from freehold.core.messages import HoldersQuery
from freehold.core.node_events import Announced, Contested, Newcomer, NodeJoined, PartyDied
from freehold.core.node_messages import DeathNotice, NodeNotice
from freehold.core.office import Office
from freehold.core.party import Party, Routes
from freehold.core.policies import DEFAULT, Policy
from freehold.core.room import Room
from freehold.core.task_events import WorkerGone
from freehold.core.values import InquestKey, Shape

ROUTES = Routes(
    copies=(copy.TABLE, Copy),
    rooms=(room.TABLE, lambda _: Room(0)),  # a node has one of these two from the beginning, and for ever
    offices=(office.TABLE, lambda _: Office(Map())),
    inquiries=(inquiry.TABLE, Inquiry),
    members=(membership.TABLE, Member),
)


class Node(Party):
    """A machine of the cluster.

    Args:
        me: the node's name.
        capacity: bytes of its object store.
        resources: what tasks may ask of it, sorted by name; "CPU" is a number of tasks at once.
        policy: the rules it plays by.
    """

    copies: dict[int, Copy]
    rooms: dict[int, Room]
    offices: dict[int, Office]
    inquiries: dict[InquestKey, Inquiry]

    def __init__(self, me: int, capacity: int, resources: Shape, policy: Policy = DEFAULT) -> None:
        super().__init__(me, ROUTES, policy)
        self.rooms[0] = Room(capacity)
        self.offices[0] = Office(Map(resources))

    def spread(self, event: Event) -> Iterable[Event | Effect]:
        """Return the events for single records that an event for many stands for."""
        match event:
            case PartyDied(party, again):
                gone = () if again else (WorkerGone(party), *[WitnessDied(name, party) for name in self.inquiries])
                return [*self.bereaved(party), *gone]
            case Contested(party, by):  # not the first to say so has to go, and never our program
                return [DeathNotice(by if self.offices[0].workers.get(party) is False else party)]
            case HoldersWanted(inquest, objects):
                return [HoldersAsked(inquest, 0, objects, self.below())]
            case HoldersQuery(inquest, attempt, objects):
                return [HoldersAsked(inquest, attempt, objects, self.own())]
            case Announced(party):
                return [Send(target, DeathNotice(party)) for target in self.below() if target != party]
            case NodeNotice(nodes):
                return self.welcome(self.unknown(nodes))
            case Newcomer(party):
                home = node_of(party)
                own_last = sorted(self.nodes, key=lambda item: item[0] == home)
                births = [Send(party, NodeNotice(tuple(own_last)))] if own_last else []
                return [*births, *[Send(party, DeathNotice(dead)) for dead in sorted(self.members.dead)]]
        return super().spread(event)

    def welcome(self, new: tuple[tuple[int, Shape], ...]) -> Iterator[Event | Effect]:
        """Take note of nodes, tell all below of them and, from the head node, them of all others."""
        for target in self.below() if new else ():
            yield Send(target, NodeNotice(new))
        for node, resources in new:
            yield NodeJoined(node, resources)
        for node, _ in new:
            if self.me == HEAD != node:
                yield Newcomer(node)

    def below(self) -> tuple[int, ...]:
        """Return whom news is passed on to: the workers of this node and, from the head node, all other nodes."""
        return (*self.others(), *self.own())

    def others(self) -> tuple[int, ...]:
        """Return, on the head node, all other nodes that live."""
        return tuple([node for node, _ in self.nodes if node != self.me]) if self.me == HEAD else ()

    def own(self) -> tuple[int, ...]:
        """Return the workers of this node that live."""
        return tuple(sorted(filter(self.members.hears, self.offices[0].workers)))

    def bereaved(self, party: int) -> Iterator[Event]:
        """Tell every record that names the dead party, or one that died with it."""

        def dead(other: int) -> bool:
            return other == party or (is_node(party) and node_of(other) == party)

        for object, held in self.copies.items():
            following = held.next.creator if held.next is not None else 0
            waiting = [query.target for query in held.awaited]
            named = {*held.holds, *held.askers, *waiting, *held.line}
            named |= {held.creator, held.source, held.origin, following}
            yield from [HolderDied(object, other) for other in sorted(named) if other and dead(other)]
            if dead(owner_of(object)):
                yield OwnerDied(object)
