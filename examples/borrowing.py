"""Who keeps an object alive: a borrower that outlives the task which was lent the reference.

What to look at: the owner adds the borrower when the task is over, asks it once to say when it holds the object no
more, and keeps the value although the program itself has dropped its reference.  The same file runs under
FREEHOLD_BACKEND=inline, local and sim.
"""

from typing import Any

import freehold

kept: list[Any] = []  # the worker's: a function's globals stay in its worker from task to task


@freehold.remote
def keep(box: list[Any]) -> list[Any]:
    """Keep what is in the box beyond the end of this task; for an empty box, hand over what was kept."""
    if box:
        kept.extend(box)
        return []
    handed_over = list(kept)
    kept.clear()
    return handed_over


def show(ref: freehold.ObjectRef[Any], who: str, *events: str) -> None:
    """Print the steps in which these events told one process who holds an object."""
    for step in freehold.story(ref, "ownership").steps:
        if step.who == who and step.event in events:
            change = step.before if step.before == step.after else f"{step.before} -> {step.after}"
            print(f"  {who} {change:22} {step.event:13} {'; '.join(step.asks)}".rstrip())


keep_there = keep.options(node=1)  # one function, sent once: what it keeps in its worker stays the same list

freehold.init(num_nodes=2, num_cpus=1)
box = [freehold.put("a deed")]
freehold.get(keep_there.remote(box))
print("a worker on node 1 has borrowed the object, and its task is over")

box.clear()
print("the program has dropped its own reference")

(ref,) = freehold.get(keep_there.remote([]))
print(f"the worker has handed the reference back, and the value is still there: {freehold.get(ref)!r}")

while not freehold.story(ref, "ReleaseReply").steps:  # the worker's word that it holds the object no more
    freehold.get(keep_there.remote([]))
owner = freehold.locate(ref).owner
borrower = freehold.story(ref, "Pinned").steps[0].who
print("\nthe owner, step by step:")
show(ref, owner, "RefCreated", "Lent", "RefDropped", "ReleaseReply")
print("the borrower:")
show(ref, borrower, "Pinned", "RefHeld", "ReportWanted", "ReleaseQuery", "RefDropped")
freehold.shutdown()
