"""Two tasks wait for each other: one for the result, the other for what the first has (ray#3307)."""

import freehold

freehold.init(num_cpus=2, resources={"disk": 1})


@freehold.remote(resources={"disk": 1})
def write(rows):
    return rows


@freehold.remote(resources={"disk": 1})
def save():
    return freehold.get(write.remote(1))  # it has the disk that this one needs


def wait_until(ref, kind):
    """Let time pass until a fact is known."""
    while not any(fact.kind == kind for fact in freehold.explain(ref).facts):
        freehold.wait([ref], timeout=0.1)


saved = save.remote()
wait_until(saved, "loan")
print(freehold.explain(saved))
freehold.shutdown()
