"""What things cost in simulated time: constants, and nothing that uses them.

The defaults are a rack of servers with 10 Gbit/s each: round figures, until a calibration on a real machine.
"""

from __future__ import annotations

import msgspec


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Constants of a star network, in which every node is linked to one switch, and of its machines."""

    latency: float = 7.5e-6  # seconds from a node to the switch, and from the switch to a node
    bandwidth: float = 1.25e9  # bytes a second of a node's network card, each way
    message: float = 5e-6  # seconds of CPU at either end, for each message that leaves or reaches a process
    local: float = 10e-6  # seconds until another process of the same node has woken up
    copy: float = 1e-10  # seconds a byte: pickling into a message of the same node, or into the object store


DEFAULT = Costs()
NOTHING = Costs(latency=0.0, bandwidth=float("inf"), message=0.0, local=0.0, copy=0.0)
