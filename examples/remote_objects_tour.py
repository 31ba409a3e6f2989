"""A tour of remote objects, in the order in which one meets them.

What to look at: where each value lies (an in-process store, or an object store), who answers for it (its
owner), and which messages it takes to read it.  Every claim is shown from the *story* of an object: the steps
that all processes took on its account, which the cluster records as it works.

    make tour                                                    a real cluster of several processes
    FREEHOLD_BACKEND=sim python examples/remote_objects_tour.py     the same program in simulated time
    FREEHOLD_BACKEND=inline python examples/remote_objects_tour.py  in this one process, for a debugger
"""

# %%
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy

import freehold
from freehold.exceptions import GetTimeoutError


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say what is about to happen, let it happen, and say how long it took."""
    print(f"  {what} ...", flush=True)
    start = time.perf_counter()
    yield
    took = max(time.perf_counter() - start, 0.0)  # simulated time ends with its cluster
    print(f"    took {two_digits(took)}")


def two_digits(seconds: float) -> str:
    """Return a time to two digits, in the unit that suits it."""
    size, unit = (1.0, "s") if seconds >= 1 else (1e-3, "ms") if seconds >= 1e-3 else (1e-6, "us")
    return f"{float(f'{seconds / size:.1e}'):g} {unit}"


def show(ref: freehold.ObjectRef[Any], *events: str) -> None:
    """Print those steps of an object's story that began with one of these events.

    A line says in which process or node, in which table of the protocol, from which state to which, and why.
    """
    for step in freehold.story(ref).steps:
        if step.event in events:
            change = step.before if step.before == step.after else f"{step.before} -> {step.after}"
            print(f"    | {step.who:5} {step.table:10} {change:21} {step.event} {step.detail}".rstrip())


# %% [markdown]
# ## 1. A cluster
# A *node* is a machine: it has one object store, which all its processes share, and workers that run tasks.  Here
# both nodes are on this machine.  The program is a worker too, on node 0, the head node.  A name such as `n0w1`
# reads "node 0, worker 1".

# %%
print("1. A cluster")
with timed("starting two nodes, each with an object store and two CPUs"):
    freehold.init(num_nodes=2, num_cpus=2)
print(f"    nodes: {[node['Index'] for node in freehold.nodes()]}")

# %% [markdown]
# ## 2. Put
# `put` makes a value an *object*, which never changes from then on, and returns a *reference* to it.  Whoever
# creates the reference *owns* the object: it knows who holds references to it and where copies of its value lie.
# A small value, of 100 KB at most, stays in the *in-process store* of its owner.  That costs no message.

# %%
print("2. Put")
with timed("putting [23, 42, 93]"):
    numbers = freehold.put([23, 42, 93])
where = freehold.locate(numbers)
print(f"    the reference: {numbers}")
print(f"    its owner: {where.owner}, which is this program")
print(f"    its value: {where.nbytes} bytes, serialized, in the {where.state} of the owner")

# %% [markdown]
# ## 3. Get
# `get` returns the value of a reference.  The owner of a small object reads its own in-process store.

# %%
print("3. Get")
with timed("getting the list"):
    values = freehold.get(numbers)
print(f"    the value: {values}")

# %% [markdown]
# ## 4. A task that takes an object
# A remote function runs in another process.  Calling it returns a reference at once, before there is a value; the
# caller owns the object that will come of it.  A reference that is passed as an argument arrives as its value.
# Small values travel *inside the task description*: the worker need not ask anybody for them.


# %%
@freehold.remote
def add_up(values: list[int]) -> int:
    """Return the sum of a list."""
    return sum(values)


print("4. A task that takes an object")
with timed("running add_up(numbers) in another process"):
    total = add_up.remote(numbers)
    result = freehold.get(total)
print(f"    the sum: {result}")
print("    the worker was sent a description of the task, with the list in it:")
show(total, "TaskQuery")

# %% [markdown]
# ## 5. Many objects at once
# `get` of a list of references returns the list of their values, in the same order.

# %%
print("5. Many objects at once")
with timed("putting and getting three objects"):
    values = freehold.get([freehold.put(number) for number in range(3)])
print(f"    the values: {values}")

# %% [markdown]
# ## 6. A large object, got by its owner
# A large value does not travel through processes.  The worker that returns it writes it into the object store of its
# node; the owner learns only where it is, and keeps that as a *placeholder*.  The first copy is the *primary* one: it
# stays until the owner lets the object go.
#
# To read the value, the owner *resolves* the reference, in three steps: (1) look up the locations, (2) select one and
# have the own node request a copy, (3) receive the copy.  The owner itself knows the locations, so step (1) is free.


# %%
@freehold.remote
def make_ones(count: int) -> Any:
    """Return an array of ones, 8 bytes each."""
    return numpy.ones(count)


print("6. A large object, got by its owner")
with timed("returning 2,000,000 numbers from a task on node 1, without fetching them"):
    array = make_ones.options(node=1).remote(2_000_000)
    freehold.wait([array], fetch_local=False)
where = freehold.locate(array)
print(f"    {where.nbytes:,} bytes in the {where.state} of node {where.nodes[0]}; the owner is {where.owner}")

with timed("getting them"):
    ones = freehold.get(array)
print(f"    the value: {len(ones):,} numbers, all of them {ones.max():g}")

steps = freehold.story(array).steps
asked = sum(step.event == "LocateQuery" for step in steps)
chunks = sum(step.event == "ChunkReply" for step in steps)
print(f"    (1) locations looked up at the owner, which is here: {asked} messages")
show(array, "CopyWanted")
print("    (2) node n1 selected, a copy requested")
show(array, "PullQuery")
print(f"    (3) the copy received, {chunks} chunks; this program now holds it")
show(array, "ChunkReply", "HoldNotice")

# %% [markdown]
# ## 7. A large object, got by a borrower
# A process that holds a reference to another's object is a *borrower*.  A reference inside a list is not replaced by
# its value on the way (only arguments are), so the task below receives the reference itself and borrows the object.
# Now the lookup is a message to the owner and an answer; the rest is as before.


# %%
@freehold.remote
def add_up_inside(box: list[freehold.ObjectRef[Any]]) -> int:
    """Get the value of the one reference in a list, and return the sum of the value."""
    (ref,) = box
    return int(numpy.sum(freehold.get(ref)))


print("7. A large object, got by a borrower")
with timed("returning a second array from a task on node 1"):
    second = make_ones.options(node=1).remote(2_000_000)
    freehold.wait([second], fetch_local=False)
with timed("passing [second] to a task on node 0, which gets it"):
    result = freehold.get(add_up_inside.options(node=0).remote([second]))
print(f"    the sum: {result:,.0f}")
print("    (1) locations looked up at the owner: one message there, one back")
show(second, "CopyWanted", "LocateQuery", "LocateReply")
print("    (2) node n1 selected, a copy requested")
show(second, "PullQuery")
print("    (3) the copy received; the borrower holds it")
show(second, "ChunkReply", "HoldNotice")

# %% [markdown]
# ## 8. The placeholder
# What the owner's in-process store keeps of a large object is a placeholder: no bytes, but where they are.

# %%
print("8. The placeholder")
for name, ref in {"numbers": numbers, "array": array}.items():
    where = freehold.locate(ref)
    here = "a placeholder" if where.placeholder else "the value itself"
    print(f"    {name:8} {where.nbytes:>10,} bytes in the {where.state}; at the owner: {here}")

# %% [markdown]
# ## 9. Objects are immutable
# All processes of a node read the same bytes.  That is safe because nobody can write them.

# %%
print("9. Objects are immutable")
print("  writing into the array ...")
try:
    ones[0] = 23.0
except ValueError as error:
    print(f"    ValueError: {error}")

# %% [markdown]
# ## 10. Promotion
# What if a borrower wants a *small* value, which lies in another process?  Its question makes the owner *promote* the
# object: the value is copied into the object store of the owner's node, and from there the borrower fetches it like
# any other.  (A bare reference would have been inlined, as in step 4; so we pass a list.)  The owner keeps the bytes
# as well, for its own gets and for task descriptions.

# %%
print("10. Promotion")
with timed("passing [numbers] to a task on node 1, which gets it"):
    result = freehold.get(add_up_inside.options(node=1).remote([numbers]))
print(f"    the sum: {result:g}")
print("    the owner, from put until the copy was in place:")
show(numbers, "ValuePut", "LocateQuery", "CreateReply", "Moved")
print("    the borrower:")
show(numbers, "CopyWanted", "LocateReply", "HoldNotice")
where = freehold.locate(numbers)
here = "a placeholder" if where.placeholder else "the value itself"
print(f"    now in the {where.state} of node {where.nodes[0]}; at the owner: {here}")

# %% [markdown]
# ## 11. A timeout
# A `get` waits as long as it takes, or as long as it is told.  When the time is up the task goes on: only the waiting
# ends.


# %%
@freehold.remote
def sleep_ten() -> int:
    """Sleep for ten seconds and return 42."""
    time.sleep(10)
    return 42


print("11. A timeout")
slow = sleep_ten.remote()
with timed("waiting 6 s at most for a task that takes 10 s"):
    try:
        freehold.get(slow, timeout=6)
    except GetTimeoutError as error:
        print(f"    GetTimeoutError: {error}")

# %% [markdown]
# ## 12. Shutdown
# The end of the program's cluster is the end of everything in it: tasks, objects, processes, shared memory.  (On the
# backend `inline` a task runs to completion as soon as somebody waits, so there it has ended by now.)

# %%
print("12. Shutdown")
ready, running = freehold.wait([slow], timeout=0)
print(f"    the task of step 11 {'is still running' if running else 'has ended'}")
with timed("shutting down"):
    freehold.shutdown()
print("That was the tour.  Next: docs/tour.md explains each step; docs/index.md lists all documents.")
