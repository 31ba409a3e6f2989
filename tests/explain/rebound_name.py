"""A loop rebinds one name again and again, and the store fills: something else keeps what it meant (ray#31421)."""

import freehold

freehold.init(num_cpus=1)


@freehold.remote
def nothing(): ...


def rest():
    """Let what is on its way arrive."""
    freehold.get(nothing.remote())


log = []
for step in range(3):
    batch = freehold.put(bytes(200_000))
    log.append({"step": step, "batch": batch})
rest()
print(freehold.explain(log[0]["batch"]))

print("--- after what it says")
del log[0]["batch"]
print(freehold.explain(batch))
freehold.shutdown()
