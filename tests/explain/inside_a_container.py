"""`del ref` frees nothing: the value of another object contains it, and somebody keeps that one (ray#12863)."""

import freehold

freehold.init(num_cpus=1)


@freehold.remote
def nothing(): ...


def rest():
    """Let what is on its way arrive."""
    freehold.get(nothing.remote())


rows = freehold.put(bytes(200_000))
table = freehold.put({"rows": rows})
name = rows
del rows, name
rest()
again = freehold.get(table)["rows"]
print(freehold.explain(again))
freehold.shutdown()
