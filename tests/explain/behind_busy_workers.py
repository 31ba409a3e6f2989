"""A get takes long: is the task slow, or has it not begun?  All workers are busy with others (ray#17449, ray#25448)."""

import time

import freehold

freehold.init(num_cpus=1)


@freehold.remote
def slow(seconds):
    time.sleep(seconds)


def wait_until(ref, kind):
    """Let time pass until a fact is known."""
    while not any(fact.kind == kind for fact in freehold.explain(ref).facts):
        freehold.wait([ref], timeout=0.1)


first = slow.remote(60)
second = slow.remote(60)
third = slow.remote(60)
wait_until(first, "runs")
wait_until(third, "office")
print(freehold.explain(third))
freehold.shutdown()
