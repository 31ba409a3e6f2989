"""To the user nothing died, and get says OwnerDiedError: a task put the object, and its worker is gone (ray#20018)."""

import freehold

freehold.init(num_cpus=1)


@freehold.remote
def make():
    return [freehold.put(bytes(200_000))]


@freehold.remote(max_retries=0)
def leave():
    raise SystemExit


(rows,) = freehold.get(make.remote())
freehold.wait([leave.remote()])
freehold.wait([rows], timeout=10)
freehold.get(freehold.remote(lambda: 1).remote())  # its node has started another worker: it has heard of the death, too
print(freehold.explain(rows))
freehold.shutdown()
