"""What the protocol promises, one by one: what is true after every step, and what once everything has come to rest.

Each promise has an id, a sentence, whose it is, and what checks it: functions over a whole cluster (``properties.py``,
for walks and Hypothesis), facts of the search (``sharing.py``), or tests, where no state shows it.  *Sometimes* names
situations that must really occur on walks, so that it says something if nothing is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from freehold.specs import pairs, properties, records
from freehold.specs.records import of_nodes, of_workers

Check = Callable[[Any], Iterator[str]]


class Promise(NamedTuple):
    """Something that is true whenever its time is: always, at rest, or at the end."""

    id: str
    what: str
    source: str
    checks: tuple[Check, ...] = ()  # over a world with users; each yields what is wrong
    where: str = ""  # what else shows it
    of_each: tuple[records.Check, ...] = ()  # over one party, whichever
    of_two: tuple[pairs.Check, ...] = ()  # over two parties between which nothing is on its way
    covers: tuple[str, ...] = ()  # those of ``INVARIANTS`` that it is, or is a part of


def readers_hold(world: Any) -> Iterator[str]:
    """Who reads a copy holds it."""
    return properties.readers_hold(world.parties)


def one_primary(world: Any) -> Iterator[str]:
    """One node keeps an object."""
    return properties.one_primary(world.parties)


ALWAYS = (
    Promise(
        "not-released",
        "An object to which a live process has a reference is not released while its owner lives, whoever else dies.",
        "NSDI'21 section 4; ray#18456 is where Ray breaks it",
        (properties.held_is_not_released, properties.users_agree),
        "search: has, gone",
        covers=("1", "I1"),
    ),
    Promise(
        "counted-in-flight",
        "A reference that is on its way is counted by somebody: else it could be released before it arrives.",
        "Ray: reference_counter.cc, the order of merging and releasing",
        where="search: every order of messages; prove mutants, a pair swapped",
        covers=("2",),
    ),
    Promise(
        "counts-agree",
        "Each count of references is the number of what it counts, kind by kind, and an account lists just these.",
        "ours",
        of_each=(
            of_workers.counts_agree,
            of_workers.accounts_agree,
        ),
        where="search: every state; prove check: every event of a run",
        covers=("3", "4", "I3"),
    ),
    Promise(
        "counts-natural",
        "No count falls below zero.",
        "Ray: reference_counter.cc, its checks",
        of_each=(
            of_workers.counts_are_natural,
            of_nodes.holds_are_held,
        ),
        covers=("14",),
    ),
    Promise(
        "value",
        "Whoever reads an object reads what was written, or an error.",
        "NSDI'21 section 3; Ray: objects are immutable",
        where="users.py, load: each read is compared with what was put; programs.py: with the oracle",
        covers=("5", "I4"),
    ),
    Promise(
        "placeholder-true",
        "What stands in the place of a large value at its owner names a location.",
        "Ray: the marker for an object in plasma",
        of_each=(of_workers.placeholders_are_true,),
        covers=("7",),
    ),
    Promise(
        "one-primary",
        "At most one node keeps the copy that may not be evicted.",
        "Ray: local_object_manager.cc, pinned objects",
        (one_primary,),
        "search: keeps; prove check",
        covers=("6", "8"),
    ),
    Promise(
        "sealed-only",
        "Who reads a copy where it lies holds it, and it is sealed, with all its bytes; none are given away that "
        "somebody views.",
        "Ray: plasma store, ref_count and seal",
        (readers_hold, properties.sealed_is_complete),
        "search: reads, lends; users.py, released; prove check",
        covers=("9",),
    ),
    Promise(
        "small-inline",
        "An in-process store keeps no value that is larger than the policy says.",
        "Ray: max_direct_call_object_size, 100 KiB",
        of_each=(of_workers.small_values_travel,),
        where="scenarios/sizes.py: one byte less, as much, one byte more",
        covers=("10",),
    ),
    Promise(
        "pull-share",
        "What is pulled for waits and arguments takes at most its share of a store, unless it is one; gets go first.",
        "Ray: pull_manager.cc, its quota",
        of_each=(of_nodes.pulls_keep_to_their_share,),
        covers=("11", "I7"),
    ),
    Promise(
        "store-bounded",
        "A store has no more bytes than it may; nobody waits for room that there is, or that is kept just in case; its "
        "books, and those of the CPUs, add up.",
        "ours",
        (properties.room_is_used, properties.nothing_is_kept_in_case),
        of_each=(
            of_nodes.rooms_agree,
            of_nodes.cpus_add_up,
            of_nodes.stores_are_bounded,
            of_nodes.rooms_take_turns,
        ),
        covers=("16", "22", "I7"),
    ),
    Promise(
        "workers-bounded",
        "No node starts more workers than it may, and it waits for those that it has ordered.",
        "Ray: num_workers_soft_limit; ours is hard",
        (properties.workers_are_few, properties.workers_are_expected),
    ),
    Promise(
        "open-only",
        "What is wanted is wanted for somebody who waits: no call or task that is over keeps a question open.",
        "ours",
        of_each=(
            of_workers.wants_are_open,
            of_workers.own_questions_are_open,
            of_workers.threads_agree,
        ),
        where="search: every state",
        covers=("16",),
    ),
    Promise(
        "dead-forgotten",
        "Nobody waits for the dead, or is to answer them.",
        "ours",
        of_each=(
            of_workers.the_dead_wait_no_more,
            of_nodes.lenders_live,
        ),
        where="search: every state",
        covers=("20",),
    ),
    Promise(
        "records-agree",
        "The records of one party say the same: of copies, rests, introductions, queues, leases and workers.",
        "ours",
        of_each=(
            of_workers.copies_agree,
            of_workers.copies_are_used,
            of_workers.copies_rest,
            of_nodes.copies_are_of_use,
            of_workers.values_are_owned,
            of_workers.owners_have_values,
            of_workers.introductions_are_covered,
            of_workers.records_are_needed,
            of_workers.lineage_agrees,
            of_workers.pools_agree,
            of_workers.pools_ask_on,
            of_nodes.offices_agree,
        ),
        where="search: every state",
        covers=("20", "24"),
    ),
    Promise(
        "pairs-agree",
        "What two parties know of each other is true while nothing is on its way between them.",
        "ours",
        of_two=tuple(pairs.CHECKS),
        covers=("24",),
    ),
    Promise(
        "timed",
        "Who has tried all locations in vain tries them again after a while, and a call with a timeout ends by then; "
        "no timer is left behind by what is over.",
        "Ray: pull_manager.cc, its timer; the timeouts of get and wait",
        (properties.timers_are_set, properties.timers_are_awaited),
        covers=("16",),
    ),
    Promise(
        "computed-once",
        "The run of a task that its owner awaits is on one worker, however often its values are lost at once.",
        "NSDI'21 section 4.3; Ray: object_recovery_manager.cc",
        (properties.runs_once,),
        "tests/core/test_lineage.py",
        covers=("12", "21"),
    ),
    Promise(
        "retries-fall",
        "A task is run again no more often than its caller has said: the number falls, and not below zero.",
        "Ray: task_manager.cc, num_retries_left",
        (properties.retries_fall,),
        covers=("12",),
    ),
    Promise(
        "one-outcome",
        "Who has read a value or an error reads the same again, unless somebody dies: then a value may be lost, or "
        "computed again.",
        "Ray: objects are immutable, and the first put wins",
        where="trial.py, check_changes: each read is compared with the last one of its process",
        covers=("5", "6", "I5"),
    ),
    Promise(
        "ready-stays",
        "Who was told by a wait that a value exists goes on knowing it, as long as nobody dies.",
        "Ray: ray.wait with fetch_local=False",
        (properties.ready_stays,),
        covers=("23",),
    ),
    Promise(
        "stale-ignored",
        "An answer to an earlier attempt, and what the dead have said, changes nothing.",
        "ours; Ray: attempt numbers",
        where="prove mutants, a stale answer heard; tests/core",
        covers=("13",),
    ),
    Promise(
        "errors-expected",
        "A read fails only if its task failed or was cancelled, its time ran out, the store is full or somebody died.",
        "ours",
        where="trial.py, check; hosts.py, contents",
    ),
)
AT_REST = (
    Promise(
        "calls-return",
        "Once faults stop every get, wait and put ends: with a value, an error, or its time.",
        "NSDI'21 section 4.3",
        (properties.calls_return,),
        "search: waits",
        covers=("15", "20", "21", "22", "24", "I6"),
    ),
    Promise(
        "borrowers-known",
        "An owner knows each borrower of an object, or a borrower that knows it, and nobody else.",
        "Ray: reference_counter.cc, the tree of borrowers",
        (properties.borrowers_agree,),
        "search: has, gone, at every step",
        covers=("4", "18", "I3"),
    ),
    Promise(
        "deaths-known",
        "Who lives knows of each death that came later, and who goes of two that have lost each other; "
        "no node waits for a worker to start, or has lent the dead one.",
        "ours",
        (properties.deaths_are_known, properties.losses_are_decided, properties.offices_rest),
    ),
    Promise(
        "directory-agrees",
        "An owner knows the nodes that have copies, and no others; of one whose worker died as it wrote it hears late.",
        "Ray: object directory by ownership",
        (properties.directories_agree,),
        covers=("17",),
    ),
)
AT_THE_END = (
    Promise(
        "nothing-left",
        "When no reference is left no record, copy, byte, borrower or lent CPU is left either.",
        "NSDI'21 section 4.2",
        (properties.nothing_is_left,),
        "search: left; tests/backends/local: census, bytes, descriptors, processes",
        covers=("18", "19", "I2"),
    ),
)
PROMISES = {"always": ALWAYS, "at rest": AT_REST, "at the end": AT_THE_END}
INVARIANTS = {  # what a protocol of shared objects has to keep, safety first, then liveness; I: whatever breaks down
    "1": "no value is released too early",
    "2": "a reference is counted before it is handed over",
    "3": "a container that ends takes exactly its own references along",
    "4": "two uses in one process end before it is no borrower any more",
    "5": "a value never changes",
    "6": "the first value that is put wins, and is placed once",
    "7": "a placeholder names a copy",
    "8": "an object has one primary copy",
    "9": "only sealed copies are read, and none is taken away from its readers",
    "10": "small values, and only these, travel inside messages",
    "11": "pulls keep to their quota",
    "12": "what is lost is computed once at a time, and retries end",
    "13": "what is out of date changes nothing",
    "14": "counts are natural numbers",
    "15": "every get ends",
    "16": "a timeout is kept, and leaves nothing behind",
    "17": "the directory of copies comes to be true",
    "18": "borrowers are forgotten in the end",
    "19": "nothing leaks",
    "20": "an owner's death is told to everybody who waits",
    "21": "a recovery ends, with a value or one error",
    "22": "who waits for room in a store is served or refused",
    "23": "what is ready stays ready",
    "24": "a transfer of chunks is completed, whatever comes twice or not at all",
    "I1": "what a live process can reach is not released while its owner lives",
    "I2": "at rest nothing is kept without a reference",
    "I3": "an owner's count is the sum of what its holders have",
    "I4": "what is read is what was put",
    "I5": "an outcome that was seen stays",
    "I6": "when faults stop every call ends",
    "I7": "stores and what is on its way are bounded",
}
# Situations that occur on walks, each as rows of tables, any of which may be taken: TABLE.STATE.EVENT, and where to.
SOMETIMES = {
    "a borrower dies": ("ownership.OWNED.HolderDied",),
    "somebody is found to whom it had lent": ("ownership.OWNED.Lent",),
    "an owner dies while its value is fetched": ("resolution.ASKING.OwnerDied", "resolution.PULLING.OwnerDied"),
    "a reader turns to another copy": ("resolution.PULLING.PullReply",),
    "a value is asked for while it is placed": ("promotion.RESERVING.LocateQuery", "promotion.WRITING.LocateQuery"),
    "the last copy is lost, and computed again": ("promotion.PLACED.HolderDied PENDING",),
    "the last copy is lost, and nobody can compute it": ("promotion.PLACED.HolderDied FAILED",),
    "a task runs again": ("execution.KEPT.ReturnLost",),
    "a hold is asked back while it is used": ("resolution.LOCAL.HoldRecallNotice",),
    "a copy is released while somebody reads it": ("copy.RETIRING.HoldReturnNotice",),
    "a store is full": ("room.AWAITING.RoomFreed", "room.AWAITING.RoomOverdue"),
    "a copy is evicted": ("copy.SECONDARY.CopyEvicted",),
    "two have lost each other": ("membership.ALIVE.LossNotice",),
    "a running task is cancelled": ("execution.RUNNING.CancelWanted",),
    "a get gives up while it waits": ("request.WAITING.DeadlinePassed", "request.WAITING.RequestAbandoned"),
    "a hold comes when nobody wants it": ("resolution.ABSENT.HoldNotice", "resolution.ASKING.HoldNotice"),
}
