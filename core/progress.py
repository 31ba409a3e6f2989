"""Progress bars: how many objects are complete, how fast, and how long the rest will take.

Decides when a bar is seen: on a terminal or in a notebook, and only if there is something to wait for.  What is
asked of the cluster does not depend on it.  The bar lives in real time, also beside a simulation.
"""

from __future__ import annotations

import atexit
import sys
from time import monotonic  # by value: the simulator replaces the one in the module
from typing import Any

SECONDS_MIN = 0.1  # between two drawings


class Bar:
    """A bar on stderr, or in the cell of a notebook.

    Args:
        total: how many objects there are.
        title: what is done to them.
    """

    shown = 0  # bars of this process that are seen now

    def __init__(self, total: int, title: str) -> None:
        self.total = total
        self.title = title
        self.progress: Any = None  # rich's, once the bar is seen
        self.cell: Any = None  # where a notebook shows it
        self.begun = self.drawn = 0.0  # when
        self.done = self.found = 0  # how many now, and when the bar began
        self.closed = False

    def show(self, done: int) -> None:
        """Draw so many as done, but not too often."""
        if self.closed or (done == self.done and self.progress is not None):
            return
        now = monotonic()
        if self.progress is None:
            if done == self.total or not self.begin():
                return
            Bar.shown += 1
            self.begun, self.found = now, done
        self.done = done
        if now - self.drawn >= SECONDS_MIN or done == self.total:
            self.drawn = now
            self.draw()

    def begin(self) -> bool:
        """Make the bar, if anybody can see it."""
        notebook = in_notebook()
        if not notebook and not (sys.stderr is not None and sys.stderr.isatty()):
            self.closed = True
            return False
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True, force_jupyter=notebook)
        self.progress = Progress(*columns, console=console, auto_refresh=False, get_time=monotonic)
        self.progress.add_task(self.title, total=self.total, rate="")
        if notebook:
            from IPython.display import display

            self.cell = display(self.progress, display_id=True)  # type: ignore[no-untyped-call]
            # rich itself wants a library for widgets here
        else:
            self.progress.start()
            self.progress.console.show_cursor(True)
            atexit.register(self.close)  # an error in the body of a loop, which keeps the loop, may end the program
        return True

    def draw(self) -> None:
        """Draw the bar as it stands."""
        came = self.done - self.found
        rate = f"{came / (self.drawn - self.begun):,.1f}/s" if came and self.drawn > self.begun else ""
        self.progress.update(self.progress.task_ids[0], completed=self.done, rate=rate)
        if self.cell is not None:
            self.cell.update(self.progress)
        else:
            self.progress.refresh()

    def close(self) -> None:
        """Leave the bar as it stands, and the terminal as it was."""
        if self.progress is not None and not self.closed:
            self.closed = True
            Bar.shown -= 1
            self.drawn = monotonic()
            self.draw()  # what has come since the last drawing
            if self.cell is None:
                atexit.unregister(self.close)
                self.progress.stop()
        self.closed = True


def in_notebook() -> bool:
    """Tell whether output goes to the cell of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
