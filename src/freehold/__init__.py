"""freehold: remote objects as in Ray Core, on a real cluster, in simulated time, and under proof.

``import freehold as ray`` runs programs that use Ray's remote functions and objects.
"""

from freehold.core.api import (
    cancel,
    cluster_resources,
    get,
    get_runtime_context,
    init,
    is_initialized,
    nodes,
    put,
    remote,
    shutdown,
    story,
    wait,
)
from freehold import exceptions
from freehold.core.refs import ObjectRef

__version__ = "0.1.0"
__all__ = [
    "ObjectRef",
    "cancel",
    "cluster_resources",
    "get",
    "get_runtime_context",
    "init",
    "is_initialized",
    "nodes",
    "put",
    "remote",
    "shutdown",
    "story",
    "wait",
]
