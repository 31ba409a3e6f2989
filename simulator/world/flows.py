"""Concurrent transfers share links max-min fairly: none can have more without another, slower one having less.

Each transfer is held up by one link of its way, its *bottleneck*, and all that one link holds up have the same rate,
the link's *level*.  So a link is a clock that counts the bytes each of them has got; a change of the level changes one
number, however many there are.  A link that is asked for more than it has takes those that get most from their
bottlenecks, which then have more for the rest.

Links are *tight* if they hold somebody up, or if a transfer gets more than an equal part there; only a tight one has
to be looked at when the level of another changes.  The rates are those of Bertsekas and Gallager, *Data Networks*,
section 6.5.2.

Refuses to know what is transferred, between whom, and how long the way is.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Any

from freehold.simulator.clock import Clock, Happening

SLACK = 1e-9  # of a rate: what two sums of the same numbers may differ by


class Link:
    """One direction of a cable, or whatever bytes pass through.

    Args:
        name: for people.
        bandwidth: bytes a second.
        latency: seconds.
    """

    __slots__ = (
        "at",
        "bandwidth",
        "ceiling",
        "counted",
        "flows",
        "latency",
        "level",
        "name",
        "near",
        "next",
        "others",
        "own",
        "queue",
        "tight",
        "told",
        "until",
    )

    def __init__(self, name: str, bandwidth: float, latency: float = 0.0) -> None:
        self.name = name
        self.bandwidth = bandwidth
        self.latency = latency
        self.until = 0.0  # small messages have taken it so long
        self.flows: dict[Flow, None] = {}  # all that pass through
        self.own = 0  # how many of them it holds up
        self.others: dict[Link, int] = {}  # bottlenecks of the others -> how many
        self.level = inf  # bytes a second of each that it holds up
        self.told = inf  # what that was when other links were looked at for it
        self.tight = False
        self.ceiling = inf  # no link that is not tight becomes so while the level is at most this
        self.near: dict[Link, None] = {}  # tight links that those pass through which this one holds up
        self.counted = 0.0  # bytes that each of those it holds up would have got since the beginning
        self.at = 0.0  # when that was
        self.queue: list[tuple[float, int, Flow]] = []  # when they will be over, on that count; some are elsewhere now
        self.next = inf  # when somebody will look at the first

    def __repr__(self) -> str:
        return f"Link({self.name!r}, {self.bandwidth:g} B/s, {len(self.flows)} transfers)"


class Flow:
    """One transfer.

    Args:
        links: its way.
        nbytes: how much is left.
        done: called with the flow when its last byte has left the last link; latency is the caller's.
        what: the caller's.
    """

    __slots__ = ("bottleneck", "done", "end", "links", "turn", "what")

    def __init__(self, links: tuple[Link, ...], nbytes: float, done: Callable[[Flow], None], what: Any) -> None:
        self.links = links
        self.end = nbytes  # when it will be over, on its bottleneck's count
        self.turn = 0  # in its bottleneck's queue; 0: in none
        self.bottleneck: Link | None = None
        self.done = done
        self.what = what


class Look(Happening):
    """Somebody may have come to the end."""

    __slots__ = ("link",)

    def __init__(self, callbacks: tuple[Callable[[Look], None], ...], link: Link) -> None:
        super().__init__(callbacks)
        self.link = link


class Flows:
    """All transfers.

    Args:
        clock: simulated time.
        tolerance: how much a link may be asked for beyond its bandwidth, or be left, before levels are changed for it,
            as a part of that.  Where each depends on all others most changes are tiny.
    """

    def __init__(self, clock: Clock, tolerance: float = 0.0) -> None:
        self.clock = clock
        self.tolerance = tolerance
        self.numbers = count(1)
        self.looking = (self.look,)
        self.dirty: dict[Link, None] = {}  # to be looked at
        self.moved: dict[Link, None] = {}  # the level has changed, or who is held up

    def start(self, links: tuple[Link, ...], nbytes: float, done: Callable[[Flow], None], what: Any = None) -> Flow:
        """Begin a transfer of ``nbytes``, at least one, over some links, at least one."""
        flow = Flow(links, nbytes, done, what)
        for link in links:
            link.flows[flow] = None
        self.hold(flow, min(links, key=offer))
        for link in links:
            self.narrow(link)
        self.settle()
        return flow

    def stop(self, flow: Flow) -> None:
        """End a transfer, whether it is over or not."""
        self.let(flow)
        for link in flow.links:
            del link.flows[flow]
            if not link.flows:
                link.tight = False
        self.settle()

    def change(self, link: Link, bandwidth: float) -> None:
        """Give a link another bandwidth."""
        link.bandwidth = bandwidth
        self.narrow(link)
        self.settle()

    def rate(self, flow: Flow) -> float:
        """Return how many bytes a second a transfer gets now."""
        assert flow.bottleneck is not None
        return flow.bottleneck.level

    # ------------------------------------------------------------------ who is held up where

    def hold(self, flow: Flow, link: Link) -> None:
        """Make a link the bottleneck of a transfer, which had none."""
        self.count(link)
        flow.bottleneck, flow.end, flow.turn = link, flow.end + link.counted, next(self.numbers)
        heappush(link.queue, (flow.end, flow.turn, flow))
        link.own += 1
        self.moved[link] = self.dirty[link] = None
        self.tighten(link)
        for other in flow.links:
            if other is not link:
                other.others[link] = other.others.get(link, 0) + 1
                if other.tight:
                    link.near[other] = self.dirty[other] = None
                else:
                    link.ceiling = min(link.ceiling, other.bandwidth / len(other.flows))

    def let(self, flow: Flow) -> None:
        """Take a transfer away from its bottleneck; what is left of it is in ``flow.end``."""
        link = flow.bottleneck
        assert link is not None
        self.count(link)
        flow.bottleneck, flow.end, flow.turn = None, flow.end - link.counted, 0
        link.own -= 1
        self.moved[link] = self.dirty[link] = None
        for other in flow.links:
            if other is not link:
                left = other.others.pop(link) - 1
                if left:
                    other.others[link] = left
                else:
                    link.near.pop(other, None)
                if other.tight:
                    self.dirty[other] = None

    def count(self, link: Link) -> None:
        """Bring a link's count up to now."""
        now = self.clock.now
        if link.own and now > link.at:
            link.counted += link.level * (now - link.at)
        link.at = now

    # ------------------------------------------------------------------ levels

    def narrow(self, link: Link) -> None:
        """Each has less of a link than before, or none of them may be held up by it any more."""
        part = link.bandwidth / len(link.flows) if link.flows else inf
        if link.tight:
            self.dirty[link] = None
        elif any(other.level > part for other in link.others):
            self.tighten(link)
        for other in link.others:
            other.ceiling = min(other.ceiling, part)

    def tighten(self, link: Link) -> None:
        """Look at a link from now on whenever the level of one changes that holds up who passes through."""
        if not link.tight:
            link.tight = True
            self.dirty[link] = None
            for other in link.others:
                other.near[link] = None

    def settle(self) -> None:
        """Change levels until every link gives what it has, to all that it holds up alike, and to no other more."""
        while self.dirty:
            link = next(iter(self.dirty))
            del self.dirty[link]
            before, after = link.level, self.fill(link)
            if after != before:
                self.count(link)
                link.level = after
                self.moved[link] = None
                if link.own and after > link.ceiling:
                    self.look_around(link)
                if link.own and not abs(after - link.told) <= self.tolerance * after:
                    link.told = after
                    self.dirty.update(link.near)
        for link in self.moved:
            self.plan(link)
        self.moved.clear()

    def fill(self, link: Link) -> float:
        """Take whom it has to hold up; return its level."""
        while True:
            spent = sum([other.level * some for other, some in link.others.items()])
            level = max(0.0, link.bandwidth - spent) / link.own if link.own else inf
            most = max(link.others, key=level_of, default=None)
            if most is None or most.level <= level * (1 + SLACK):
                if link.own or spent <= link.bandwidth * (1 + SLACK):
                    return level if abs(level - link.level) > SLACK * level or not link.own else link.level
                assert most is not None
            for flow in [flow for flow in link.flows if flow.bottleneck is most]:
                self.let(flow)
                self.hold(flow, link)

    def look_around(self, link: Link) -> None:
        """Find links that have become tight because those that this one holds up get more than before."""
        link.ceiling = inf
        for flow in [flow for _, turn, flow in link.queue if flow.turn == turn]:
            for other in flow.links:
                if not other.tight:
                    part = other.bandwidth / len(other.flows)
                    if link.level > part * (1 + SLACK):
                        self.tighten(other)
                    else:
                        link.ceiling = min(link.ceiling, part * (1 + SLACK))

    # ------------------------------------------------------------------ the end of transfers

    def plan(self, link: Link) -> None:
        """Have a look when the first that a link holds up will be over, unless one is planned for before."""
        queue = link.queue
        while queue and queue[0][2].turn != queue[0][1]:
            heappop(queue)
        if len(queue) > 2 * link.own + 8:
            link.queue = queue = [entry for entry in queue if entry[2].turn == entry[1]]
            heapify(queue)
        if queue and link.level > 0:
            at = self.clock.now + max(0.0, queue[0][0] - link.counted) / link.level
            if at < link.next:
                link.next = at
                self.clock.push(at, 0, Look(self.looking, link))

    def look(self, look: Look) -> None:
        """End what is over."""
        link = look.link
        now = self.clock.now
        if now < link.next:
            return  # an earlier look was planned since, and has been had
        link.next = inf
        self.count(link)
        over = []
        near = link.counted + link.level * now * 1e-15 + 1e-6  # bytes: what is left below the resolution of the clock
        while link.queue and link.queue[0][0] <= near:
            _, turn, flow = heappop(link.queue)
            if flow.turn == turn:
                over.append(flow)
        for flow in over:
            self.stop(flow)
        self.plan(link)
        for flow in over:
            flow.done(flow)


def level_of(link: Link) -> float:
    """Return a link's level."""
    return link.level


def offer(link: Link) -> float:
    """Return what a link can give one more, if nobody else changes."""
    spent = sum([other.level * some for other, some in link.others.items()])
    return max(link.bandwidth / len(link.flows), (link.bandwidth - spent) / (link.own + 1))
