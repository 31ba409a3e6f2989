"""How much memory a simulated cluster takes, roughly: for what it would not hold is refused before anything runs."""

from __future__ import annotations

NODE_NBYTES = 40_000  # a node with a worker, and what both know of a few objects
KNOWN_NBYTES = 180  # for each node that a process knows, with what its ring says of that
