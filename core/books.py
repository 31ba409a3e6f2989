"""The books of a worker: its mappings from names to records, as strides see them."""

from __future__ import annotations

from typing import Protocol

from freehold.core.desk import Desk
from freehold.core.execution import Execution
from freehold.core.leasing import Pool
from freehold.core.machine import Here
from freehold.core.membership import Members
from freehold.core.ownership import Ownership
from freehold.core.promotion import Promotion
from freehold.core.request import Request
from freehold.core.resolution import Resolution
from freehold.core.running import Run_
from freehold.core.values import PoolKey, Shape


class Books(Here, Protocol):
    """A worker, to one who may replace several of its records at once."""

    counter: int  # the last number it has minted
    ownership: dict[int, Ownership]
    promotion: dict[int, Promotion]
    resolution: dict[int, Resolution]
    requests: dict[int, Request]
    execution: dict[int, Execution]
    running: dict[int, Run_]
    desk: dict[int, Desk]
    pools: dict[PoolKey, Pool]
    members: Members

    def unknown(self, nodes: tuple[tuple[int, Shape], ...]) -> tuple[tuple[int, Shape], ...]:
        """Return those of some nodes, each with its resources, that have never been heard of."""
        ...
