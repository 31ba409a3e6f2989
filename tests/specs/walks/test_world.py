"""A world without drivers: a node sends on only bytes that have come to it."""

from __future__ import annotations

import pytest
from tests.specs.worlds import ONE, TWO, fresh, node

from freehold.core.copy import PULLING, Copy
from freehold.core.effects import Move
from freehold.core.node_messages import ChunkReply
from freehold.specs.walks.trial import Trial
from freehold.specs.walks.world import Stored, Violation


def pulled(*chunks: ChunkReply) -> Trial:
    """A world in which some chunks have come to the first node, of a copy of two bytes, in its ninth transfer."""
    world = fresh()
    node(world, ONE).copies[5] = Copy(5, PULLING, attempt=9, nbytes=2, place=7)
    world.stores[ONE][7] = Stored(5, 2)
    for chunk in chunks:
        world.land(ONE, chunk)
    return world


def send_on(world: Trial, offset: int) -> None:
    """Let the first node send a byte of its copy to the second."""
    world.move(ONE, 0, Move(5, 1, None, 7, TWO, offset, 1))


def test_only_what_has_come_is_sent_on() -> None:
    world = pulled(ChunkReply(5, 9, 1, 1))
    send_on(world, 1)
    assert world.channels[ONE, TWO] == [(0, ChunkReply(5, 1, 1, 1))]
    with pytest.raises(Violation, match=r"n0 sends a chunk of .*5 that it has not"):
        send_on(world, 0)


@pytest.mark.parametrize("chunk", [ChunkReply(5, 8, 0, 1), ChunkReply(5, 9, 0, 1, failed=True), ChunkReply(6, 9, 0, 1)])
def test_chunks_of_other_transfers_and_refusals_bring_nothing(chunk: ChunkReply) -> None:
    assert pulled(chunk).stores[ONE][7].arrived == set()


def test_in_another_transfer_all_chunks_come_anew() -> None:
    world = pulled(ChunkReply(5, 9, 0, 1))
    node(world, ONE).copies[5] = Copy(5, PULLING, attempt=10, nbytes=2, place=7)
    world.land(ONE, ChunkReply(5, 10, 1, 1))
    assert world.stores[ONE][7].arrived == {1}
