"""How a reference shows itself in a notebook: as a table.

Everything shown is known in this process already.  Nobody is asked, no lock is taken and no value is looked at, so
that a debugger, a finalizer or a log may show a reference at any moment, also when its cluster is gone.
"""

from __future__ import annotations

from html import escape
from typing import Any

from freehold.core.callsites import site, task_name
from freehold.core.ids import node_index, object_name, owner_of, party_name
from freehold.core.look import GONE, place, places
from freehold.core.refs import ObjectRef


def html(ref: ObjectRef[Any]) -> str:
    """Return a small table of what is known of a reference."""
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(title)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for title, text in facts(ref).items()
    )
    return f"<table><caption>ObjectRef {escape(object_name(ref._id))}</caption>{cells}</table>"


def facts(ref: ObjectRef[Any]) -> dict[str, str]:
    """Return what is known of a reference, in words, by what it is."""
    session = ref._session
    owner = owner_of(ref._id)
    found = {"state": GONE, "owner": party_name(owner)}
    if not session.closed:
        where = place(session, ref._id)
        here = " (this process)" if owner == session.worker.me else f" on node {node_index(owner)}"
        found["state"] = where.state + places(where.nodes)
        found["size"] = f"{where.nbytes:,} B" if where.nbytes else "not known here"
        found["owner"] += here
        found["age"] = age(ref)
    found["made at"] = site(ref) or ("another process" if owner != session.worker.me else "not recorded")
    if task_name(ref):
        found["task"] = task_name(ref)
    return found


def age(ref: ObjectRef[Any]) -> str:
    """Return how long this process has known of an object, as far as its ring of steps reaches back."""
    host = ref._session.host
    since, oldest = host.ring.first(ref._id), host.ring.reaches_to()
    if since is None:
        return "not known here" if oldest is None else f"over {host.now() - oldest:,.1f} s"
    return f"{'' if oldest is None else 'at least '}{host.now() - since:,.1f} s"
