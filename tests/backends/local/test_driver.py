"""A driver's links: what is said first is sent first, for one who is told later may act on it at once."""

from __future__ import annotations

import socket
from itertools import permutations

import pytest

from freehold.backends.local import wire
from freehold.backends.local.channel import Channel
from freehold.backends.local.driver import LocalDriver
from freehold.core.ids import node_id
from freehold.core.node import Node
from freehold.core.policies import DEFAULT


class Noting(LocalDriver):
    """A driver that notes which links it flushes."""

    def __init__(self) -> None:
        setup = wire.Setup(b"", DEFAULT, [], [], 0, log_to_driver=False, checked=False)
        super().__init__(Node(node_id(0), 1 << 20, (), DEFAULT), setup)
        self.flushed: list[int] = []

    def flush_channel(self, channel: Channel) -> None:
        self.flushed.append(channel.peer)
        super().flush_channel(channel)


@pytest.mark.parametrize("order", [*permutations((1, 2, 3))])
def test_links_are_flushed_in_the_order_in_which_something_was_said(order: tuple[int, ...]) -> None:
    driver, far = Noting(), list[socket.socket]()
    for peer in (1, 2, 3):
        ours, theirs = socket.socketpair()
        far.append(theirs)
        driver.add_channel(Channel(ours, node_id(peer)))
    try:
        for peer in order:
            driver.say(driver.links[node_id(peer)], wire.Dial(1, 2))
        driver.flush()
        assert driver.flushed == [node_id(peer) for peer in order]
        assert not driver.dirty and all(theirs.recv(1000) for theirs in far)
    finally:
        for theirs in far:
            theirs.close()
        driver.close_links()
        driver.pump.epoll.close()
