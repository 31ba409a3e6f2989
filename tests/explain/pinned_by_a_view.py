"""All references are gone, and the memory is not: a value that get returned is still alive (ray#25741)."""

import numpy

import freehold

freehold.init(num_cpus=1)


@freehold.remote
def nothing(): ...


def rest():
    """Let what is on its way arrive."""
    freehold.get(nothing.remote())


ref = freehold.put(numpy.zeros(100_000))
kept = freehold.get(ref)[:10]
del ref
rest()
print(freehold.explain(kept))
freehold.shutdown()
