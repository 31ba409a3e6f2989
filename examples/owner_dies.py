"""What is left of an object when its owner dies: nothing, not even where copies of it survive.

What to look at: the error names the owner.  A value that was read before stays readable, for whoever read it holds
the bytes.  The same file runs under FREEHOLD_BACKEND=inline, local and sim.
"""

import sys
from typing import Any

import freehold
from freehold.exceptions import OwnerDiedError, WorkerCrashedError


@freehold.remote
def create() -> list[Any]:
    """Put two objects and return their references: the worker that runs this owns them, not its caller."""
    return [freehold.put("read before"), freehold.put("read too late")]


@freehold.remote
def exit_now() -> None:
    """End the worker that runs this."""
    sys.exit(1)


freehold.init(num_nodes=2, num_cpus=1)
early, late = freehold.get(create.options(node=1).remote())
print(f"the program owns neither object; the owner of both is {freehold.locate(early).owner}")
print(f"a value that was read while the owner lived: {freehold.get(early)!r}")

try:
    freehold.get(exit_now.options(node=1, max_retries=0).remote())
except WorkerCrashedError as error:
    print(f"WorkerCrashedError: {error}")

print(f"the same value, now that the owner is dead: {freehold.get(early)!r}")
try:
    freehold.get(late)
except OwnerDiedError as error:
    print(f"OwnerDiedError: {error}")
freehold.shutdown()
