"""What the processes of a cluster take over from the program that starts it, so that tasks find what it finds.

Where modules are looked for, which warnings are shown and how is logged travel once, at the start; where modules
are looked for is asked again when one is missing, since programs and notebooks extend ``sys.path`` as they go.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

from freehold.backends.local import wire
from freehold.core.hooks import Options
from freehold.core.ids import HEAD, worker_id

if TYPE_CHECKING:
    from freehold.backends.local.worker import WorkerDriver

PROGRAM = worker_id(HEAD, 1)


def program_setup(options: Options) -> wire.Setup:
    """Return what every process of the cluster must know of this program."""
    filters = [
        (str(action), pattern(message), str(getattr(kind, "__name__", "")), pattern(module), int(line))
        for action, message, kind, module, line in warnings.filters
    ]
    return wire.Setup(
        nonce=os.urandom(16),
        policy=options.policy,
        path=program_path(),
        warnings=filters,
        program=PROGRAM,
        log_to_driver=options.log_to_driver,
        checked=checked(),
        logging=program_logging(),
        trace=options.trace,
    )


def program_path() -> list[bytes]:
    """Return where this program finds modules now: its sys.path, and the folder of its script."""
    main_file = getattr(sys.modules.get("__main__"), "__file__", None)
    here = working_folder()
    script = os.path.dirname(os.path.join(here, main_file)) if main_file else here
    path = [entry or here for entry in sys.path if isinstance(entry, str)]
    return [os.fsencode(entry) for entry in dict.fromkeys([*path, script])]


def program_logging() -> wire.Logging:
    """Return how this program logs, as far as workers can do likewise: levels, and the form of a line."""
    root = logging.getLogger()
    loggers = [root, *[one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger)]]
    levels = [(one.name if one is not root else "", one.level) for one in loggers if one.level]
    formatters = [one.formatter for one in root.handlers if type(one) is logging.StreamHandler and one.formatter]
    for formatter in formatters:
        if type(formatter) is logging.Formatter and type(formatter._style) is logging.PercentStyle:
            return wire.Logging(True, formatter._fmt or "", formatter.datefmt or "", levels)
    return wire.Logging(bool(root.handlers), levels=levels)


def pattern(compiled: Any) -> str:
    """Return the text of a pattern of a warning filter, "" for none."""
    return str(getattr(compiled, "pattern", compiled or ""))


def working_folder() -> str:
    """Return the working directory, "" if it has been removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def checked() -> bool:
    """Tell whether every step is to be checked."""
    return os.environ.get("FREEHOLD_CHECK", "off") != "off"


class ProgramFinder:
    """The last of a worker's finders: it looks where the program would look now."""

    def __init__(self, driver: WorkerDriver) -> None:
        self.driver = driver
        self.pid = os.getpid()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the place of a module that is in no package, after the program was asked for its path."""
        if path is not None or os.getpid() != self.pid:
            return None
        for entry in map(os.fsdecode, self.driver.ask_path()):
            if entry not in sys.path:
                sys.path.append(entry)
        importlib.invalidate_caches()  # the file may have been written a moment ago
        return PathFinder.find_spec(name)
