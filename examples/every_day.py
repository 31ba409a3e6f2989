"""Every day: results as they come, references that tell what they are, and arrays that may be changed.

Four tasks, each of which takes the value of the one before it, approach the square root of 2.  Look at the order in
which they come, and at what a reference says of itself before and after.  On a terminal there is a progress bar.

The same file runs under FREEHOLD_BACKEND=inline, local and sim.
"""

import numpy

import freehold

freehold.init(num_cpus=2)


@freehold.remote
def refine(estimate: float) -> float:
    """Return a better estimate of the square root of 2."""
    return (estimate + 2 / estimate) / 2


estimates = [freehold.put(1.0)]
for _ in range(4):
    estimates.append(refine.remote(estimates[-1]))  # mypy knows: an ObjectRef[float], as the parameter wants
for ref in freehold.as_completed(estimates, progress=True):
    print(f"{freehold.get(ref):.12f}")
print(f"{estimates[-1]} is the last of them")

grid = freehold.put(numpy.zeros((1000, 1000)))
print(grid)
mine = freehold.get(grid, writable=True)
mine[0, 0] = 5.0
print(f"my copy has a {mine.max():g}; the largest number of the object is {freehold.get(grid).max():g}")

freehold.shutdown()
print(f"{grid} is all that is left to say")
