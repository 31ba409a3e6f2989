"""Assignment to an array that get returned fails: where does it come from, and how is it changed (ray#369)?"""

import numpy

import freehold

freehold.init(num_cpus=1)


@freehold.remote
def nothing(): ...


def rest():
    """Let what is on its way arrive."""
    freehold.get(nothing.remote())


ref = freehold.put({"weights": numpy.zeros(100_000)})
weights = freehold.get(ref)["weights"]
try:
    weights[0] = 1
except ValueError as error:
    print(error)
rest()
print(freehold.explain(weights))
freehold.shutdown()
