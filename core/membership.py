"""The membership table: which nodes and workers live.

Every party has its own view, one record for each party it has heard of; what is dead stays dead, for names are never
reused.  The head node is told of nodes by its driver, every node of its own workers; they tell each other, and each its
workers.  A broken link is the death of one of its ends.  Whoever had it says so, and does nothing until the head node
has decided: of two that have lost each other the first to say so lives on, or the program; and what one has sent
may still come.  So news of deaths goes up and down a tree, and what follows on the same way finds everybody informed.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from freehold.core.effects import Kill, Send
from freehold.core.ids import HEAD, is_node, node_of
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.node_events import Announced, Contested, NodeJoined, PartyDied, PeerLost
from freehold.core.node_messages import DeathNotice, LossNotice
from freehold.core.values import Shape


class Living(State):
    """What is known of a party."""

    UNKNOWN = "nothing has been heard of it"
    ALIVE = "it is a node and lives"
    MISSING = "its link has broken; the head node is to decide who goes", DeathNotice
    DEAD = "it is dead, for ever"


UNKNOWN, ALIVE, MISSING, DEAD = Living


class Member(msgspec.Struct, frozen=True, gc=False):
    """One party."""

    party: int
    state: Living = UNKNOWN
    resources: Shape = ()  # of a node


class Members(dict[int, Member]):
    """The records of a party, by name, and of them the nodes that live and the dead: asked often, changed seldom."""

    dead: frozenset[int] = frozenset()
    _alive: tuple[tuple[int, Shape], ...] | None = None

    def __setitem__(self, party: int, member: Member) -> None:
        super().__setitem__(party, member)
        self._alive = None
        if member.state is DEAD:
            self.dead |= {party}

    def join(self, nodes: Iterable[tuple[int, Shape]]) -> None:
        """Take up nodes that nothing has been heard of, each with its resources, all at once."""
        self.update({node: Member(node, ALIVE, resources) for node, resources in nodes})
        self._alive = None

    def clear(self) -> None:
        """Forget all."""
        super().clear()
        self._alive = None
        self.dead = frozenset()

    def alive(self) -> tuple[tuple[int, Shape], ...]:
        """Return the nodes that live, each with its resources."""
        if self._alive is None:
            self._alive = tuple([(r.party, r.resources) for r in list(self.values()) if r.state is ALIVE])
        return self._alive

    def hears(self, party: int) -> bool:
        """Tell whether what a party says is still listened to: not if it is dead, or its node is."""
        return party not in self.dead and node_of(party) not in self.dead


TABLE = Table("membership", Living, (NodeJoined, DeathNotice, LossNotice, PeerLost))


@TABLE.on(UNKNOWN, event=NodeJoined, to=(ALIVE,))
def join(r: Member, e: NodeJoined, here: Here) -> tuple[Member, Out]:
    """A node is new here; whoever hears of it passes that on, of as many as came at once in one message."""
    return replace(r, state=ALIVE, resources=e.resources), ()


TABLE.ignore(ALIVE, MISSING, DEAD, event=NodeJoined, why="it is no news, or came too late")


@TABLE.on(UNKNOWN, ALIVE, MISSING, event=DeathNotice, to=(DEAD,))
def told_dead(r: Member, e: DeathNotice, here: Here) -> tuple[Member, Out]:
    """A death that a node vouches for, or the head node decides; who is the one ends, if need be by its node's hand."""
    dead = replace(r, state=DEAD)
    if not is_node(here.me):
        return dead, (PartyDied(r.party),)
    kill = (Kill(r.party),) if node_of(r.party) == here.me else ()
    told = (Send(r.party, e),) if here.me == HEAD and is_node(r.party) else ()
    return dead, (*kill, *told, PartyDied(r.party), Announced(r.party))


@TABLE.on(UNKNOWN, ALIVE, event=PeerLost, to=(MISSING, DEAD))
def link_broke(r: Member, e: PeerLost, here: Here) -> tuple[Member, Out]:
    """The head node is to decide, unless it is the head node that has lost the peer, or whom it has; so are workers."""
    mine = node_of(r.party) == here.me
    if not (mine or here.me == HEAD or r.party in (HEAD, here.node)):
        return replace(r, state=MISSING), (Send(HEAD if is_node(here.me) else here.node, LossNotice(r.party, here.me)),)
    kill = (Kill(r.party),) if mine else ()
    report = (Send(HEAD, DeathNotice(r.party)),) if mine and here.me != HEAD else ()
    told = (*report, Announced(r.party)) if is_node(here.me) else ()  # else nobody is left to tell
    return replace(r, state=DEAD), (*kill, PartyDied(r.party), *told)


TABLE.ignore(DEAD, event=DeathNotice, why="it is no news")
TABLE.ignore(MISSING, event=PeerLost, why="the head node has been asked, and whatever waits for an answer will hear")


@TABLE.on(UNKNOWN, ALIVE, MISSING, event=LossNotice)
def pass_up(r: Member, e: LossNotice, here: Here) -> tuple[Member, Out]:
    """The head node decides which of two goes on that have lost each other, unless it has lost who says so itself."""
    if here.me != HEAD:
        return r, (Send(HEAD, e),)
    return r, (Contested(e.party, e.by),) if here.hears(e.by) and e.party != HEAD else ()


TABLE.ignore(DEAD, event=LossNotice, why="that is decided, and who says so is told like all others")


@TABLE.on(DEAD, event=PeerLost)
def still_dead(r: Member, e: PeerLost, here: Here) -> tuple[Member, Out]:
    """Something was sent to a party after its death: whatever waits for an answer must hear of it."""
    return r, (PartyDied(r.party, again=True),)
