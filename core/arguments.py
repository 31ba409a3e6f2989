"""What public functions are given: references of this cluster and timeouts, or an error that says what is wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from freehold.core import cluster
from freehold.core.refs import ObjectRef
from freehold.core.remote import check_resources, is_number
from freehold.core.session import Session

SESSION = attrgetter("_session")


def engine_for(refs: Sequence[Any], what: str) -> Session:
    """Return the session of the references, or say which of them cannot be used."""
    session = cluster.active
    if session is not None and not session.closed and all_of(session, refs):
        return cluster.engine()
    for ref in refs:  # before a cluster is started for nothing
        if isinstance(ref, ObjectRef):
            ref._session.check_open(ref)
        else:
            raise TypeError(f"{what} wants ObjectRefs, not {type(ref).__name__}: {ref!r:.80}")
    session = cluster.engine()
    for ref in refs:
        session.check(ref, what)
    return session


def all_of(session: Session, refs: Sequence[Any]) -> bool:
    """Tell, quickly, whether these are references of a session; of thousands, one by one takes long."""
    count = len(refs)
    if count == 1:
        return type(refs[0]) is ObjectRef and refs[0]._session is session
    if list(map(type, refs)).count(ObjectRef) != count:
        return False
    return Session.made == 1 or list(map(SESSION, refs)).count(session) == count  # the first has made all there are


def checked_timeout(timeout: float | None, *, forever: bool = False) -> float | None:
    """Return a timeout in seconds, None for ever."""
    if timeout is None or (forever and timeout == -1):
        return None
    if not isinstance(timeout, int | float) or isinstance(timeout, bool):
        raise TypeError(f"timeout is a number of seconds or None, not {type(timeout).__name__}")
    if not timeout >= 0:
        raise ValueError(f"timeout is a number of seconds, 0 or more, or None, not {timeout!r}")
    return None if timeout == math.inf else timeout


def check_cluster(num_nodes: object, num_cpus: Any, resources: dict[str, float], object_store_memory: Any) -> None:
    """Refuse a cluster that cannot be."""
    if num_nodes is not None and (type(num_nodes) is not int or num_nodes < 1):
        raise ValueError(f"num_nodes is a count, 1 or more, not {num_nodes!r}")
    if num_cpus is not None and not (is_number(num_cpus) and num_cpus > 0):
        raise ValueError(f"num_cpus is a number above 0, not {num_cpus!r}")
    if object_store_memory is not None and not (type(object_store_memory) is int and object_store_memory > 0):
        raise ValueError(f"object_store_memory is a number of bytes, not {object_store_memory!r}")
    check_resources(resources)
