"""Hold the simulator against this machine: the same programs, really and simulated, by turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from freehold.simulator.studies.plots import COLOURS, GREY, MARKS, drawn
from freehold.simulator.validation.calibration import MIDDLE, TAIL, Measured, middle
from freehold.simulator.validation.measuring import quantile, simulated
from freehold.simulator.validation.workloads import FITTED
from freehold.simulator.world.units import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAY_MISS, MAY_MISS_ONCE, TAIL_MAY_MISS = 0.15, 0.30, 0.30  # on average; each; the tail, on average


class Compared(msgspec.Struct, frozen=True):
    """A workload: for each run its seconds, measured and predicted."""

    name: str
    measured: list[list[float]]
    predicted: list[list[float]]

    @property
    def fitted(self) -> bool:
        """Whether constants were taken from it."""
        return self.name in FITTED

    def middle(self, part: float) -> tuple[float, float]:
        """Return a quantile, the middle of all runs: measured and predicted."""
        return middle(self.measured, part), middle(self.predicted, part)

    def spread(self, part: float) -> float:
        """Return by which part of it the quantile of a real run lies beside their middle, at the most."""
        found = [quantile(run, part) for run in self.measured]
        middle = quantile(found, 0.5)
        return max(abs(one / middle - 1) for one in found)

    def error(self, part: float) -> float:
        """Return by which part of what was measured the prediction is off."""
        real, ours = self.middle(part)
        return ours / real - 1

    def beyond(self, part: float) -> float:
        """Return the same, as far as it is more than real runs differ among themselves."""
        return max(0.0, abs(self.error(part)) - self.spread(part))


def predict(cluster: dict[str, Any], found: Measured, note: Callable[[str], None]) -> list[Compared]:
    """Simulate all workloads that were measured, as often.

    Args:
        cluster: the description that predicts.
        found: what was measured.
        note: is told what is being done.
    """
    compared = []
    for name, runs in found.runs.items():
        note(f"simulating {name}")
        compared.append(Compared(name, runs, [simulated(name, cluster, seed) for seed in range(len(runs))]))
    return compared


def table(found: Sequence[Compared]) -> Iterator[tuple[str, ...]]:
    """Yield the lines of a table, a head first."""
    yield "workload", "measured", "predicted", "error", "spread", "p99", "predicted", "error", "spread", ""
    for one in sorted(found, key=lambda one: not one.fitted):
        cells = [one.name]
        for part in (MIDDLE, TAIL):
            real, ours = one.middle(part)
            cells += [shown(real, "s"), shown(ours, "s"), f"{one.error(part):+.0%}", f"{one.spread(part):.0%}"]
        yield (*cells, "fitted" if one.fitted else "")


def conclude(found: Sequence[Compared]) -> str:
    """Say how far off it is, over the workloads that were not fitted."""
    some = [one for one in found if not one.fitted]
    said = []
    for part, wanted in ((MIDDLE, MAY_MISS), (TAIL, TAIL_MAY_MISS)):
        off, past = mean([abs(one.error(part)) for one in some]), mean([one.beyond(part) for one in some])
        said.append(f"by {off:.0%} on average, {past:.0%} beyond what real runs differ (wanted: {wanted:.0%})")
    worst = max(some, key=lambda one: abs(one.error(MIDDLE)))
    past_most = max(some, key=lambda one: one.beyond(MIDDLE))
    return (
        f"Over {len(some)} workloads that were not fitted the median is off {said[0]}, at the most by"
        f" {abs(worst.error(MIDDLE)):.0%} in {worst.name} and by {past_most.beyond(MIDDLE):.0%} beyond that in"
        f" {past_most.name} (wanted: {MAY_MISS_ONCE:.0%}); the 99th percentile {said[1]}."
    )


def mean(values: Sequence[float]) -> float:
    """Return the average."""
    return sum(values) / len(values)


def draw(found: Sequence[Compared]) -> Figure:
    """Draw predicted against measured medians."""
    figure, axes = drawn(3.0)
    everything = [second for one in found for second in one.middle(MIDDLE)]
    ends = [min(everything) / 1.5 * 1e3, max(everything) * 1.5 * 1e3]
    low, high = [end * (1 - MAY_MISS_ONCE) for end in ends], [end * (1 + MAY_MISS_ONCE) for end in ends]
    axes.fill_between(ends, low, high, color=GREY, alpha=0.15, linewidth=0)
    axes.plot(ends, ends, color=GREY, linewidth=0.8)
    for index, fitted in enumerate((False, True)):
        some = [one for one in found if one.fitted is fitted]
        xs, ys = zip(*[[second * 1e3 for second in one.middle(MIDDLE)] for one in some], strict=True)
        spread = [one.spread(MIDDLE) * one.middle(MIDDLE)[0] * 1e3 for one in some]
        label, face = ("fitted", "none") if fitted else ("predicted", COLOURS[index])
        style: dict[str, Any] = {"color": COLOURS[index], "markerfacecolor": face, "linewidth": 0.8}
        axes.errorbar(xs, ys, xerr=spread, fmt=MARKS[index], label=label, **style)
    axes.set(xscale="log", yscale="log", xlabel="measured (ms)", ylabel="simulated (ms)")
    axes.legend(frameon=False)
    return figure
