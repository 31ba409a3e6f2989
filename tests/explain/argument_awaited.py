"""A get hangs, and its task has not even been sent: it awaits an argument of an argument (ray#2448, dist#6263)."""

import time

import freehold

freehold.init(num_cpus=2)


@freehold.remote
def read():
    time.sleep(60)


@freehold.remote
def clean(rows):
    return rows


@freehold.remote
def train(rows, rate):
    return rows


def wait_until(ref, kind):
    """Let time pass until a fact is known."""
    while not any(fact.kind == kind for fact in freehold.explain(ref).facts):
        freehold.wait([ref], timeout=0.1)


model = train.remote(clean.remote(read.remote()), 0.1)
wait_until(model, "runs")
print(freehold.explain(model))
freehold.shutdown()
