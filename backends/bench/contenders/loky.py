"""How loky does the rows that it has: it is an executor, as that of ``concurrent.futures``."""

from __future__ import annotations

import loky

from freehold.backends.bench.contenders.executors import executor_contender

LOKY = executor_contender("loky", "loky", lambda: loky.ProcessPoolExecutor(2))
