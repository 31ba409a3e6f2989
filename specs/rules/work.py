"""Rules of what works: how tasks run, what a node does, and what follows when somebody dies."""

from __future__ import annotations

from freehold.specs.rules.rule import Rule

TASKS = (
    Rule(
        "task-submitted",
        "A task waits for its arguments: small values are put in, large ones stay references, a failed one fails it.",
        "Ray: dependency_resolver.cc",
        ("execution TaskSubmitted DependencyReady",),
    ),
    Rule(
        "task-sent",
        "A task is sent to a worker that is leased to its owner; a worker without a task is free for the next.",
        "Ray: normal_task_submitter.cc",
        ("execution TaskAssigned",),
    ),
    Rule(
        "task-replied",
        "What a reply reports is merged before anything that the task carried is let go.",
        "Ray: task_manager.cc, CompletePendingTask",
        ("execution TaskReply",),
    ),
    Rule(
        "task-retried",
        "A worker's death costs its task a retry; without one left, or once cancelled, the task fails.",
        "Ray: task_manager.cc, RetryTaskIfPossible",
        ("execution ExecutorDied",),
    ),
    Rule(
        "task-hopeless",
        "A task that no node can ever run fails.",
        "ours; Ray waits, and warns",
        ("execution Unschedulable",),
    ),
    Rule(
        "task-cancelled",
        "A reference stands for its task: what has not begun never runs, what runs is interrupted, or by force its "
        "worker ended, and what is over stays.",
        "Ray: normal_task_submitter.cc, CancelTask",
        ("promotion CancelNotice", "execution CancelWanted", "running StopNotice", "desk TurnDropped"),
    ),
    Rule(
        "lineage-run",
        "A lost result is computed again, its arguments first, once for all that is lost, at the cost of a retry.",
        "Ray: object_recovery_manager.cc; task_manager.cc, ResubmitTask",
        ("execution ReturnLost",),
    ),
    Rule(
        "lineage-kept",
        "A task's description is kept while a return of it may be lost, and while there is room; the oldest go first.",
        "Ray: task_manager.cc, max_lineage_bytes",
        ("execution ReturnGone LineageEvicted", "ledger LineageKept LineageForgotten"),
    ),
    Rule(
        "run-accepted",
        "A worker pins what a task was lent and fetches what it needs before the task is ready.",
        "Ray: task_receiver.cc; core_worker.cc, GetAndPinArgsForExecutor",
        ("running TaskQuery ArgumentReady",),
    ),
    Rule(
        "run-turn",
        "A worker runs one task at a time, first come first served, but for what runs on the stack of one that waits.",
        "Ray: task_receiver.cc",
        ("running TurnGiven", "desk TurnWanted TurnOver"),
    ),
    Rule(
        "run-slow",
        "A task that would wait long behind another goes back to its owner, unused.",
        "ours",
        ("desk TurnSlow", "running TurnLost", "execution TaskReturnNotice"),
    ),
    Rule(
        "run-late",
        "A task whose argument was lost goes back to its owner, until it is computed again: it may need that worker.",
        "ours",
        ("resolution LateNotice", "running ArgumentLate"),
    ),
    Rule(
        "run-ended",
        "Small returns travel in the reply, up to a bound in all; the others are placed before it goes.",
        "Ray: core_worker.cc, AllocateReturnObject, task_rpc_inlined_bytes_limit",
        ("running RunEnded ReturnPlaced",),
    ),
    Rule(
        "run-reported",
        "A reply goes when the report on everything that the task was lent is complete.",
        "Ray: core_worker.cc, ExecuteTask",
        ("running HoldReported",),
    ),
    Rule(
        "run-blocked",
        "A task that waits lends its CPU and keeps nobody waiting behind it; when its wait is over it goes on at once.",
        "Ray: NotifyWorkerBlocked",
        (
            "running ThreadBlocked ThreadResumed",
            "desk DeskBlocked DeskResumed",
            "office BlockedNotice ResumedNotice",
        ),
    ),
    Rule(
        "run-handed",
        "References in returns are kept until the caller has taken them or is dead; for a dead caller all that a task "
        "was lent is a borrower's like anything else.",
        "ours; Ray: reference_counter.cc, stored_in_objects",
        ("running TaskTakenNotice CallerDied",),
    ),
)

NODES = (
    Rule(
        "copy-created",
        "Nothing is promised before the bytes are reserved, and what was sealed is never written again.",
        "Ray: plasma, Create and Seal",
        ("copy CreateQuery SealNotice",),
    ),
    Rule(
        "copy-pulled",
        "One transfer to a node serves all who ask there, in the order of the most urgent.",
        "Ray: pull_manager.cc",
        ("copy PullQuery", "room PullOver"),
    ),
    Rule(
        "copy-chunks",
        "Chunks come from a sealed copy under a hold; each lets the next be asked for, and the last one seals.",
        "Ray: object_buffer_pool.cc, push_manager.cc",
        ("copy ChunkQuery ChunkReply",),
    ),
    Rule(
        "copy-relayed",
        "By the policy relay a copy serves one node at a time, and refers the next to the last that has asked; "
        "who is referred gets each chunk as soon as that one has it, and from nobody behind it in the line.",
        "ours; Hoplite sends on chunks of copies that are not complete (Zhuang et al., SIGCOMM 2021)",
        ("copy RelayReply",),
    ),
    Rule(
        "copy-kept",
        "A secondary copy takes the place of a primary that was lost, before anything is computed again.",
        "Ray: object_recovery_manager.cc, PinObjectIDs",
        ("copy KeepNotice",),
    ),
    Rule(
        "copy-death",
        "A dead worker reads, writes and waits for nothing; a dead node sends nothing.",
        "Ray: plasma, DisconnectClient",
        ("copy HolderDied",),
    ),
    Rule(
        "room-queued",
        "Room is given to the most urgent first, and what can never fit is refused at once.",
        "Ray: create_request_queue.cc, pull_manager.cc",
        ("room RoomWanted RoomFreed Reserved", "copy RoomGranted"),
    ),
    Rule(
        "room-evicted",
        "For room the copies that nobody holds are evicted, those first that have been idle longest.",
        "Ray: eviction_policy.cc",
        ("room CopyIdle CopyBusy ReserveFailed", "copy CopyEvicted"),
    ),
    Rule(
        "room-full",
        "A store that stays full is an error that says who fills it, never a wait without end.",
        "Ray: create_request_queue.cc, oom_grace_period_s",
        ("room RoomOverdue", "copy RoomDenied"),
    ),
    Rule(
        "lease-queue",
        "Tasks that are ready take the free workers of their owner, first come first served; one that came back first.",
        "Ray: normal_task_submitter.cc",
        ("pool TaskReady TaskOver",),
    ),
    Rule(
        "lease-asked",
        "A node lends workers at once or queues the question, until it is served or taken back.",
        "Ray: node_manager.cc, RequestWorkerLease",
        ("pool LeaseReply", "office LeaseQuery LeaseCancelNotice"),
    ),
    Rule(
        "lease-busy",
        "While a busy node keeps a question in its queue another node is asked as well.",
        "ours; Ray: cluster_task_manager.cc, spillback",
        ("pool LeaseBusyNotice",),
    ),
    Rule(
        "lease-home",
        "A worker that others wait for goes home when it has nothing of its owner's to do.",
        "Ray: node_manager.cc, ReturnWorkerLease",
        ("pool LeaseRecallNotice", "office LeaseReturnNotice"),
    ),
    Rule(
        "lease-lost",
        "The dead neither lend nor work: their CPUs come back, and the workers that a dead owner had leased are ended.",
        "Ray: node_manager.cc, HandleUnexpectedWorkerFailure",
        ("pool LeaseLost", "office WorkerGone"),
    ),
    Rule(
        "lease-nodes",
        "Where a task can run is looked at anew whenever a node comes or goes.",
        "Ray: cluster_task_manager.cc",
        ("pool NodesChanged",),
    ),
    Rule(
        "office-hours",
        "A node starts workers before they are needed, tells each which nodes live, and takes no task once it closes.",
        "Ray: worker_pool.cc",
        ("office OfficeOpened OfficeClosed WorkerStarted",),
    ),
    Rule(
        "threads-lead",
        "Of the threads of a process that wait one leads and does the I/O, and hands that over when it goes.",
        "ours",
        ("handover ThreadCame ThreadLeft",),
    ),
    Rule(
        "threads-served",
        "A thread that follows is woken once, when what it waits for is there.",
        "ours",
        ("handover ThreadServed",),
    ),
    Rule(
        "link-order",
        "What a lossy link brings is handed on in the order in which it was sent, each message once.",
        "RFC 793; Ray: gRPC over TCP",
        ("link MessageDue FrameCame",),
    ),
    Rule(
        "link-again",
        "What is not acknowledged in time is sent again; after many times in vain both ends are dead to each other.",
        "RFC 793; ours, that a link never comes back",
        ("link ResendDue",),
    ),
)

DEATHS = (
    Rule(
        "death-borrower",
        "A dead borrower is forgotten only when it has been found out whom it had lent the object to.",
        "ours; Ray: reference_counter.cc forgets it at once (ray#18456)",
        ("ownership HolderDied InquestOver",),
    ),
    Rule(
        "death-executor",
        "Whoever had lent a reference to a task that died tells the owner of the dead, who may have held it.",
        "ours; Ray: task_manager.cc merges nothing for a task that failed",
        ("ownership BorrowerLost",),
    ),
    Rule(
        "inquest-one",
        "All that follows from one death is one question, asked behind the news of that death.",
        "ours",
        ("inquest InquestWanted InquestDue",),
    ),
    Rule(
        "inquest-ask",
        "The question goes up to the head node and down to every process; who dies meanwhile does not answer, and "
        "then it is asked once more.",
        "ours",
        ("inquiry InquestQuery HoldersAsked HoldersReply WitnessDied",),
    ),
    Rule(
        "inquest-testify",
        "A process names what it holds of which the owner can hear in no other way.",
        "ours",
        ("ownership HoldingAsked", "witness HoldersQuery HoldingTold"),
    ),
    Rule(
        "inquest-over",
        "Those who were found are borrowers from now on; only then the dead are let go.",
        "ours",
        ("inquest InquestReply",),
    ),
    Rule(
        "member-joins",
        "The head node tells a new node of all others and of the dead, and all others of it.",
        "Ray: gcs_node_manager.cc",
        ("membership NodeJoined",),
    ),
    Rule(
        "member-dies",
        "A death that a node vouches for is passed on once to everybody, and is final.",
        "Ray: gcs_node_manager.cc, gcs_worker_manager.cc",
        ("membership DeathNotice",),
    ),
    Rule(
        "member-loses",
        "Of two that have lost each other the head node decides who goes on; until then they do nothing about it.",
        "ours",
        ("membership LossNotice",),
    ),
    Rule(
        "member-link",
        "Who has lost a link reports it, or decides; what is sent to the dead ends like what was sent before.",
        "ours; Ray: gcs_health_check_manager.cc waits for missed heartbeats",
        ("membership PeerLost",),
    ),
)
