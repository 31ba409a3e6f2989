"""A task has returned, and its result does not come: others fill the store, so there is no room for it (ray#13441)."""

import freehold

freehold.init(num_cpus=1, object_store_memory=80 * 2**20, store_wait=60.0)


@freehold.remote
def make():
    return bytes(30_000_000)


def wait_until(ref, kind):
    """Let time pass until a fact is known."""
    while not any(fact.kind == kind for fact in freehold.explain(ref).facts):
        freehold.wait([ref], timeout=0.1)


kept = [freehold.put(bytes(30_000_000)), freehold.put(bytes(25_000_000))]
late = make.remote()
wait_until(late, "room")
print(freehold.explain(late))
freehold.shutdown()
