"""Where freehold can be extended, and how a backend is found by its name.

A backend is an entry point of the group ``freehold``: its name, and a module that implements ``freehold_start``.
Only the one that is asked for is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pluggy

from freehold.core.policies import DEFAULT, Policy
from freehold.core.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from freehold.core.session import Session

hookspec = pluggy.HookspecMarker("freehold")
hookimpl = pluggy.HookimplMarker("freehold")
GROUP = "freehold"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a user asked of ``init``."""

    backend: str = "local"
    num_nodes: int | None = None  # None: one, or as the cluster is described
    num_cpus: float | None = None  # of each node; None: of the machine, divided by the nodes
    resources: dict[str, float] = {}
    object_store_memory: int | None = None  # bytes of each node
    log_to_driver: bool = True
    policy: Policy = DEFAULT
    cluster: Any = None  # sim: a description of it
    trace: str = ""  # a folder into which each process writes its events; "" for none
    wait_line: bool = True  # a wait that takes longer than a second says on a terminal what it waits for

    def nodes(self) -> int:
        """Return how many nodes there are to be, of a backend that reads no descriptions.

        Raises:
            ValueError: it is given one.
        """
        if self.cluster is not None:
            raise ValueError(f'backend={self.backend!r} reads no description of a cluster: use init(backend="sim")')
        return self.num_nodes or 1


@hookspec(firstresult=True)
def freehold_start(options: Options) -> Session | None:
    """Start a cluster and return the session of this process, the program, on its head node."""


@hookspec
def freehold_check(options: Options) -> None:
    """Refuse, with a ValueError, options with which the backend cannot start; it need not know this hook."""


def check(options: Options) -> None:
    """Refuse options with which no cluster can start, before anything runs.

    Raises:
        ValueError: there is no such backend, or it refuses.
        OSError: a file that they name cannot be read.
    """
    manager_of(options).hook.freehold_check(options=options)


def start(options: Options) -> Session:
    """Start a cluster on the backend that the options name.

    Raises:
        ValueError: there is no such backend.
        ModuleNotFoundError: it needs a package that is not installed.
    """
    session: Session = manager_of(options).hook.freehold_start(options=options)
    return session


def manager_of(options: Options) -> pluggy.PluginManager:
    """Return a plugin manager that knows the backend which the options name."""
    from importlib.metadata import entry_points

    names = {entry.name: entry for entry in entry_points(group=GROUP)}
    if options.backend not in names:
        raise ValueError(f"there is no backend {options.backend!r}; there are {', '.join(sorted(names))}")
    manager = pluggy.PluginManager("freehold")
    manager.add_hookspecs(__import__("sys").modules[__name__])
    try:
        with uninterrupted():  # what a backend needs may lose a signal while it is imported: pyexpat is, by networkx
            module = names[options.backend].load()
    except ModuleNotFoundError as error:
        from freehold.core.requirements import complaint

        raise ModuleNotFoundError(complaint(f"the backend {options.backend}", error), name=error.name) from None
    manager.register(module, options.backend)
    return manager
