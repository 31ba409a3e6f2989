"""Functions that look at a cluster: where code runs, where objects are, what happened to them."""

from __future__ import annotations

from typing import Any, NamedTuple

from freehold.core import cluster
from freehold.core.ids import node_index, object_name, owner_of, party_name
from freehold.core.queries import whereabouts
from freehold.core.refs import ObjectRef
from freehold.core.session import Session
from freehold.core.trace import table

GONE = "of a cluster that was shut down"


def nodes() -> list[dict[str, Any]]:
    """Return the nodes that live: NodeID, Index, Alive, Resources."""
    session = cluster.engine()
    return [
        {"NodeID": f"{node:016x}", "Index": node_index(node), "Alive": True, "Resources": dict(resources)}
        for node, resources in session.worker.nodes
    ]


def cluster_resources() -> dict[str, float]:
    """Return the resources of all nodes, added up."""
    total: dict[str, float] = {}
    for _, resources in cluster.engine().worker.nodes:
        for name, amount in resources:
            total[name] = total.get(name, 0.0) + amount
    return total


class RuntimeContext:
    """Where the calling code runs."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_node_id(self) -> str:
        """Return the node's name as hexadecimal digits."""
        return f"{self._session.worker.node:016x}"

    def get_node_index(self) -> int:
        """Return the node's index, counted from 0, the head node."""
        return node_index(self._session.worker.node)

    def get_worker_id(self) -> str:
        """Return the process's name as hexadecimal digits."""
        return f"{self._session.worker.me:016x}"

    def get_task_id(self) -> str | None:
        """Return the running task's name as hexadecimal digits, None in the program."""
        return f"{self._session.task:016x}" if self._session.task else None

    def get_job_id(self) -> str:
        """Return the cluster's nonce as hexadecimal digits."""
        return self._session.nonce.hex()


def get_runtime_context() -> RuntimeContext:
    """Return where the calling code runs."""
    return RuntimeContext(cluster.engine())


class Whereabouts(NamedTuple):
    """Where an object is, as this process knows it."""

    state: str  # "pending", "in-process store", "object store", "failed" or "borrowed"
    nbytes: int  # its serialized size, 0 if it is not known here
    nodes: tuple[int, ...]  # indices of the nodes that hold copies, the primary copy's first
    owner: str  # the process that answers for it
    placeholder: bool  # the owner has only a placeholder: the bytes are in object stores alone

    def __repr__(self) -> str:
        size = f", {self.nbytes:,} B" if self.nbytes else ""
        owner = f", placeholder at the owner {self.owner}" if self.placeholder else f", owner {self.owner}"
        return f"{self.state}{places(self.nodes)}{size}{owner}"


def locate(ref: ObjectRef[Any]) -> Whereabouts:
    """Return where an object is, as far as this process knows; asks nobody."""
    session = cluster.engine()
    return place(session, session.check(ref, "locate")._id)


def place(session: Session, object: int) -> Whereabouts:
    """Return where an object is, as far as the process of a session knows; takes no lock."""
    state, nbytes, nodes, placeholder = whereabouts(session.worker, object)
    indices = tuple([node_index(node) for node in nodes])
    return Whereabouts(state, nbytes, indices, party_name(owner_of(object)), placeholder)


def places(nodes: tuple[int, ...]) -> str:
    """Return which nodes' object stores are meant, in words."""
    return f" of node{'s' * (len(nodes) > 1)} {', '.join(map(str, nodes))}" if nodes else ""


def line(ref: ObjectRef[Any]) -> str:
    """Return a reference in one line: its name, and its object's state, size and owner.

    It asks nobody and takes no lock, so that a debugger, a finalizer or a log may show a reference at any moment.
    """
    what = GONE if ref._session.closed else repr(place(ref._session, ref._id))
    return f"ObjectRef({object_name(ref._id)} {what})"


class Story(str):
    """The story of an object: text in fixed columns, with the steps behind it in ``steps``."""

    steps: list[Any]

    def __repr__(self) -> str:
        return str(self)


def story(ref: ObjectRef[Any], *only: str) -> Story:
    """Return what happened to an object on every process, step by step, as far as the rings reach back.

    Args:
        ref: the object.
        only: names of tables, events or processes; steps in which none of them occurs are left out.
    """
    session = cluster.engine()
    session.check(ref, "story")
    steps = session.story(ref._id)
    if only:
        steps = [step for step in steps if {step.table, step.event, step.who} & set(only)]
    text = Story(table(steps, f"story of {object_name(ref._id)}"))
    text.steps = steps
    return text
