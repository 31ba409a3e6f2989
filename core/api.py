"""The functions behind ``import freehold``: Ray's names and behaviour for remote objects."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any, TypeVar, overload

from freehold.core import cluster as current
from freehold.core.arguments import check_cluster, checked_timeout, engine_for
from freehold.core.callsites import mark
from freehold.core.completed import follow
from freehold.core.hooks import Options
from freehold.core.ids import node_id, node_index, party_name
from freehold.core.refs import ObjectRef
from freehold.core.session import Session
from freehold.core.values import Want

T = TypeVar("T")


class Context:
    """What ``init`` returns: usable in a ``with`` statement, which ends the cluster."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        current.end()

    def disconnect(self) -> None:
        """End the cluster."""
        current.end()

    def __repr__(self) -> str:
        return f"<freehold cluster, program {party_name(self._session.worker.me)}>"


def init(
    *,
    backend: str | None = None,
    num_nodes: int | None = None,
    num_cpus: float | None = None,
    resources: dict[str, float] | None = None,
    object_store_memory: int | None = None,
    ignore_reinit_error: bool = False,
    logging_level: int | str = logging.INFO,
    log_to_driver: bool = True,
    cluster: Any = None,
    trace: str | os.PathLike[str] | None = None,
    wait_line: bool = True,
    **rules: Any,
) -> Context:
    """Start a cluster on this machine, with this process as its program on the head node.

    Args:
        backend: "local" (real processes), "inline" (one process, for debugging) or "sim" (simulated time);
            None: what the environment variable FREEHOLD_BACKEND says, else "local".
        num_nodes: nodes, each with an object store and workers; node 0 is the head node; None: one, or as described.
        num_cpus: tasks that run at once on each node; None: the machine's CPUs, divided by the nodes.
        resources: further resources of each node, by name.
        object_store_memory: bytes of each node's object store; None: 30 % of what is left, divided by the nodes.
        ignore_reinit_error: return the running cluster if there is one.
        logging_level: of the logger "freehold".
        log_to_driver: show what tasks print.
        cluster: sim: a description of the cluster: the path of a TOML file, or what one holds, as a mapping.
        trace: a folder to which each run adds one with the events of every process; None: what FREEHOLD_TRACE says.
        wait_line: on a terminal a wait of over a second says what it waits for, unless FREEHOLD_WAIT_LINE is 0.
        **rules: rules of ``freehold.core.policies.Policy``, such as ``inline_bytes_max`` (bytes) or ``borrow``;
            ``call_sites=False`` keeps references from noting where they were made, as FREEHOLD_CALL_SITES=0 does.

    Returns:
        A context that ends the cluster when it is left.

    Raises:
        RuntimeError: a cluster is running and ``ignore_reinit_error`` is false.
        ValueError: an argument is out of range, or the folder of the trace cannot be written to.
    """
    if current.active is not None and not current.active.closed:
        if ignore_reinit_error:
            return Context(current.active)
        raise RuntimeError("a cluster is running: call freehold.shutdown() first, or init(ignore_reinit_error=True)")
    check_cluster(num_nodes, num_cpus, resources or {}, object_store_memory)
    logging.getLogger("freehold").setLevel(logging_level)
    options = Options(
        backend=backend or current.default_backend(),
        num_nodes=num_nodes,
        num_cpus=num_cpus,
        resources=dict(resources or {}),
        object_store_memory=object_store_memory,
        log_to_driver=log_to_driver,
        policy=current.policy_of(rules, init.__kwdefaults__ or ()),
        cluster=cluster,
        trace=os.fsdecode(trace) if trace is not None else "",
        wait_line=wait_line and os.environ.get("FREEHOLD_WAIT_LINE") != "0",
    )
    return Context(current.begin(options))


def shutdown() -> None:
    """End the cluster, also while tasks run.  Without one, do nothing."""
    current.end()


def is_initialized() -> bool:
    """Tell whether a cluster is running."""
    return current.active is not None and not current.active.closed


def put(value: T) -> ObjectRef[T]:
    """Create an object and return the reference; this process owns it.

    A small value stays in this process; a large one is in the object store of this node when the call returns.

    Raises:
        TypeError: the value is a reference, or cannot be pickled.
        ObjectStoreFullError: there is no room for it.
    """
    ref = current.engine().put(value)
    if ref._session.call_sites:
        mark(ref)
    return ref


@overload
def get(refs: ObjectRef[T], *, timeout: float | None = None, progress: bool = False, writable: bool = False) -> T: ...
@overload
def get(
    refs: Sequence[ObjectRef[T]], *, timeout: float | None = None, progress: bool = False, writable: bool = False
) -> list[T]: ...
def get(refs: Any, *, timeout: float | None = None, progress: bool = False, writable: bool = False) -> Any:
    """Return the value of a reference, or a list of values in order.

    Args:
        refs: a reference, or a list of them; duplicates are allowed.
        timeout: seconds; None or -1 waits for ever, 0 only takes what is there.
        progress: show a bar on a terminal, or in a notebook.
        writable: arrays are private copies that may be changed, instead of read-only views of the object.

    Raises:
        GetTimeoutError: the time is up; the tasks go on.
        FreeholdError: the first failure in order, of those that are known.
        TypeError: something else than references was given.
        ValueError: the timeout is negative (but -1, which means for ever, as in Ray).
    """
    seconds = checked_timeout(timeout, forever=True)
    single = isinstance(refs, ObjectRef)
    given = [refs] if single else refs
    if not single and not isinstance(refs, list | tuple):
        raise TypeError(f"get wants an ObjectRef or a list of them, not {type(refs).__name__}: {refs!r:.80}")
    session = engine_for(given, "get")
    if progress:
        seconds = follow(session, given, len(set(given)), seconds, Want.GET)
    values = session.get(given, seconds, writable)
    return values[0] if single else values


def wait(
    refs: Sequence[ObjectRef[T]],
    *,
    num_returns: int = 1,
    timeout: float | None = None,
    fetch_local: bool = True,
    progress: bool = False,
) -> tuple[list[ObjectRef[T]], list[ObjectRef[T]]]:
    """Wait until some objects are ready; return (ready, not ready), both in the order given.

    Args:
        refs: distinct references.
        num_returns: how many must be ready; at most so many are returned as ready.
        timeout: seconds; None waits for ever.
        fetch_local: an object counts as ready when its value is readable here; else when it exists anywhere.
        progress: show a bar on a terminal, or in a notebook.

    Raises:
        TypeError: not a list of references.
        ValueError: duplicates, a bad ``num_returns``, or a negative timeout.
    """
    if not isinstance(refs, list | tuple):
        raise TypeError(f"wait wants a list of ObjectRefs, not {type(refs).__name__}: {refs!r:.80}")
    session, given = engine_for(refs, "wait"), list(refs)
    if len(set(given)) != len(given):
        raise ValueError("wait wants distinct references; the list contains duplicates")
    seconds = checked_timeout(timeout)
    if not given:
        return [], []
    if type(num_returns) is not int or not 1 <= num_returns <= len(given):
        raise ValueError(f"num_returns lies between 1 and the number of references, {len(given)}, not {num_returns!r}")
    if progress:
        seconds = follow(session, given, num_returns, seconds, Want.WAIT if fetch_local else Want.LOOK)
    return session.wait(given, num_returns, seconds, fetch_local)


def cancel(ref: ObjectRef[Any], *, force: bool = False, recursive: bool = True) -> None:
    """Cancel the task that produces the object.

    One that has not begun never runs; one that runs gets a KeyboardInterrupt, or with ``force`` its worker is
    killed; a finished one is left alone.  A get then raises TaskCancelledError, or WorkerCrashedError.
    """
    engine_for([ref], "cancel").cancel(ref, force)


class Cluster:
    """A cluster whose nodes come and go: for programs, and tests of programs, that live through that.

    It starts with ``init(**arguments)``, so the calling process is its program, on the head node.

    Example:
        with freehold.Cluster(num_cpus=2) as cluster:
            node = cluster.add_node(num_cpus=2, fast=1)
            freehold.get(f.options(resources={"fast": 1}).remote())
            cluster.remove_node(node)
    """

    def __init__(self, **arguments: Any) -> None:
        self._context = init(**arguments)

    def add_node(self, *, num_cpus: float = 1, object_store_memory: int | None = None, **resources: float) -> int:
        """Start a node with these resources; return its index when it has joined."""
        if not num_cpus >= 0:
            raise ValueError(f"num_cpus is a number, 0 or more, not {num_cpus!r}")
        return node_index(current.engine().host.add_node({"CPU": float(num_cpus), **resources}, object_store_memory))

    def remove_node(self, node: int, *, graceful: bool = True) -> None:
        """Take a node out: when the tasks that run there are over, or at once, as if its machine had died.

        What only its object store held is lost.  Returns when the program knows that the node is gone.
        """
        session = current.engine()
        alive = [node_index(name) for name, _ in session.worker.nodes]
        if node not in alive or node == 0:
            raise ValueError(f"node {node!r} cannot be removed; of the nodes {alive} the head node, 0, must stay")
        session.host.remove_node(node_id(node), graceful)

    def shutdown(self) -> None:
        """End the cluster."""
        current.end()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        current.end()
