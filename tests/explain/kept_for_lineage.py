"""A task is over, and its argument is kept: a result that is lost is to be computed again from it (ray#59562)."""

import freehold

freehold.init(num_cpus=1)


@freehold.remote
def double(rows):
    return 2 * rows


rows = freehold.put(bytes(200_000))
twice = double.remote(rows)
freehold.get(twice)
print(freehold.explain(rows))
freehold.shutdown()
