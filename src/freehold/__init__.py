"""freehold: remote objects as in Ray Core, on a real cluster, in simulated time, and under proof.

``import freehold as ray`` runs programs that use Ray's remote functions and objects.
"""

from freehold import exceptions as exceptions
from freehold.core.api import Cluster, cancel, get, init, is_initialized, put, shutdown, wait
from freehold.core.completed import as_completed
from freehold.core.explain import explain
from freehold.core.look import cluster_resources, get_runtime_context, locate, nodes, story
from freehold.core.refs import ObjectRef
from freehold.core.remote import remote

__version__ = "0.1.0"
__all__ = [
    "Cluster",
    "ObjectRef",
    "as_completed",
    "cancel",
    "cluster_resources",
    "explain",
    "get",
    "get_runtime_context",
    "init",
    "is_initialized",
    "locate",
    "nodes",
    "put",
    "remote",
    "shutdown",
    "story",
    "wait",
]
