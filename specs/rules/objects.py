"""Rules of objects: who holds them, where their values are, and how a value comes to where it is wanted."""

from __future__ import annotations

from freehold.specs.rules.rule import Rule

OWNERSHIP = (
    Rule(
        "own-create",
        "Whoever creates a reference owns the object for good, and a name is minted once.",
        "NSDI'21 section 4; Ray: reference_counter.cc, AddOwnedObject",
        ("ownership RefCreated",),
    ),
    Rule(
        "count-user",
        "User code counts once in a process, however many names it has for a reference.",
        "Ray: reference_counter.cc, local_ref_count (counted by name there)",
        ("ownership RefHeld RefDropped",),
    ),
    Rule(
        "count-argument",
        "A task keeps what it carries alive until its report has been merged, or until the value travels instead.",
        "Ray: reference_counter.cc, submitted_task_ref_count",
        ("ownership ArgumentAdded ArgumentDone ArgumentInlined",),
    ),
    Rule(
        "count-lineage",
        "What a task that may run again carries stays known until it never will; a borrower goes on holding it.",
        "Ray: reference_counter.cc, lineage_ref_count",
        ("ownership ArgumentKept LineageDone",),
    ),
    Rule(
        "count-contained",
        "An object keeps alive what its value contains, and lets go of it once, when it goes itself.",
        "Ray: reference_counter.cc, contained_in_owned",
        ("ownership Contained ContentsKnown ContainerGone",),
    ),
    Rule(
        "count-pin",
        "A running task holds what it was lent, whatever its code does with it.",
        "Ray: reference_counter.cc, the executor's local reference for the time of a task",
        ("ownership Pinned Unpinned",),
    ),
    Rule(
        "count-export",
        "A reference that is written down where nobody counts is kept for the life of the process.",
        "Ray: serialization.py, references out of band",
        ("ownership RefExported",),
    ),
    Rule(
        "borrow-introduce",
        "A reference found inside a value is introduced to its owner, and that value is kept until the owner asks.",
        "ours; Ray: reference_counter.cc, AddBorrowedObject with an outer id",
        ("ownership RefFound",),
    ),
    Rule(
        "borrow-report",
        "A task's reply says whether its worker still holds what it was lent; if not, whom it was lent on to.",
        "Ray: reference_counter.cc, PopAndClearLocalBorrowers",
        ("ownership ReportWanted",),
    ),
    Rule(
        "borrow-merge",
        "News of a holder goes on towards the owner, before whoever brings it lets go; the owner asks each once.",
        "Ray: reference_counter.cc, MergeRemoteBorrowers",
        ("ownership Lent",),
    ),
    Rule(
        "borrow-asked",
        "A borrower answers its owner when nothing in its process holds the object any more.",
        "Ray: reference_counter.cc, SubscribeRefRemoved (once WaitForRefRemoved)",
        ("ownership ReleaseQuery",),
    ),
    Rule(
        "borrow-released",
        "The owner adds the borrowers that an answer names, and only then forgets whose answer it is.",
        "Ray: reference_counter.cc, WaitForRefRemoved",
        ("ownership ReleaseReply",),
    ),
    Rule(
        "fate-owner",
        "Without its owner an object means nothing: its copies are freed, whoever waits gets an error, and only who "
        "has the bytes may read on.",
        "NSDI'21 section 4.3; Ray: OWNER_DIED",
        ("ownership OwnerDied", "resolution OwnerDied", "copy OwnerDied"),
    ),
)

VALUES = (
    Rule(
        "value-put",
        "An owner's small value stays in its in-process store; a large one is promoted at once.",
        "Ray 1.x architecture paper; Ray today: core_worker.cc, Put places all in the shared store",
        ("promotion ValuePut",),
    ),
    Rule(
        "value-pending",
        "The returns of a task exist from the moment it is submitted.",
        "NSDI'21 section 3; Ray: task_manager.cc, AddPendingTask",
        ("promotion ValuePending",),
    ),
    Rule(
        "value-returned",
        "A reply carries a small value, says where a large one lies, or why there is none; an unwanted copy is freed.",
        "Ray: task_manager.cc, HandleTaskReturn",
        ("promotion ReturnArrived",),
    ),
    Rule(
        "value-wanted",
        "A settled value is answered at once; before, each waiter has one entry, which it may take back.",
        "Ray: memory_store.cc, GetRequest",
        ("promotion ValueWanted WantWithdrawn",),
    ),
    Rule(
        "value-written",
        "A value is promoted by being written once, under a hold, and sealed; its owner keeps that hold.",
        "Ray: core_worker.cc, Create, Seal and PinObjectIDs",
        ("promotion CreateReply Moved",),
    ),
    Rule(
        "value-located",
        "The owner answers each asker once: with the value, with all locations, or with why there is neither, and "
        "not before it knows.",
        "Ray: core_worker.cc, GetObjectStatus",
        ("promotion LocateQuery LocateCancelNotice",),
    ),
    Rule(
        "directory-told",
        "The owner's directory follows what the nodes say of their copies; a useless copy is freed when heard of.",
        "Ray: ownership_object_directory.cc, UpdateObjectLocationBatch",
        ("promotion CopyNotice",),
    ),
    Rule(
        "directory-death",
        "A dead node holds no copy and a dead worker asks no question; what was lost with them is had again.",
        "Ray: object_recovery_manager.cc",
        ("promotion HolderDied",),
    ),
    Rule(
        "lineage-rest",
        "While only tasks that may run again need an object its copies may be evicted; if it was put it is lost then.",
        "ours; Ray keeps what cannot be computed again: reference_counter.cc, lineage eligibility",
        ("promotion ObjectRested ObjectRoused LineageLost",),
    ),
    Rule(
        "free",
        "An object that is released is freed at once, on exactly the nodes that hold copies.",
        "Ray: reference_counter.cc and node_manager.cc, FreeLocalObjects",
        ("promotion ObjectReleased", "copy FreeNotice"),
    ),
)

RESOLUTION = (
    Rule(
        "resolve-want",
        "A reference costs no message until its value is wanted, and all who want it in a process share one question.",
        "Ray: future_resolver.cc (asks when a reference is read from a value)",
        ("resolution CopyWanted",),
    ),
    Rule(
        "resolve-told",
        "The owner's answer carries the value, why there is none, or the locations, of which the best is chosen.",
        "Ray: future_resolver.cc and pull_manager.cc, TryToMakeObjectLocal",
        ("resolution LocateReply",),
    ),
    Rule(
        "resolve-again",
        "Each location is tried once; then the owner is asked for others, and after a pause for all of them.",
        "Ray: pull_manager.cc (its pauses double, and a new location does not end one)",
        ("resolution PullReply RetryDue",),
    ),
    Rule(
        "resolve-withdrawn",
        "The last to lose interest calls off the question and the transfer.",
        "Ray: node_manager.cc, CancelGet",
        ("resolution WantWithdrawn", "copy PullCancelNotice"),
    ),
    Rule(
        "hold-counted",
        "Holds are counted by grants, so that giving some back cannot undo one that is on its way.",
        "ours; Ray: object_lifecycle_manager.cc counts clients",
        ("resolution HoldNotice", "copy HoldReturnNotice"),
    ),
    Rule(
        "hold-recalled",
        "A node that needs room asks holds back, and gets each as soon as nobody reads the copy.",
        "ours",
        ("resolution HoldRecallNotice", "copy HoldsRecalled"),
    ),
    Rule(
        "hold-unused",
        "What is cached goes with the last reference; an owner's hold ends with its object, another's when asked.",
        "ours; Ray: object_lifecycle_manager.cc, Release",
        ("resolution ObjectUnused",),
    ),
    Rule(
        "hold-view",
        "A live view keeps the hold on a copy, even when every reference is gone.",
        "Ray: plasma, PINNED_IN_MEMORY",
        ("resolution ViewTaken ViewDropped",),
    ),
    Rule(
        "call-get",
        "A get ends when all values are here or with its first failure; a wait, when enough are ready.",
        "Ray: memory_store.cc, Get and Wait",
        ("request GetWanted RequestReady",),
    ),
    Rule(
        "call-put",
        "A put of a large value returns when it is written.",
        "Ray: core_worker.cc, Put",
        ("request PutWanted",),
    ),
    Rule(
        "call-left",
        "A call whose time is up, or that its thread leaves, leaves nothing behind; the tasks go on.",
        "Ray: core_worker.cc, CancelGet at the end of each get",
        ("request DeadlinePassed RequestAbandoned",),
    ),
    Rule(
        "hand-offered",
        "A thread that waits for a task offers to run it itself.",
        "ours",
        (
            "promotion ReturnAwaited",
            "resolution CopyAwaited",
            "request WaitRenewed",
            "execution TaskAwaited",
            "pool HandOffered",
        ),
    ),
)
