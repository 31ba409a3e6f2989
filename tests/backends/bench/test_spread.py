"""The median of windows, and their spread."""

from freehold.backends.bench.spread import Figures


def test_no_windows() -> None:
    assert Figures().median is None and Figures().spread == 0


def test_the_median_of_an_odd_and_an_even_number() -> None:
    assert Figures([3.0, 1.0, 100.0]).median == 3
    assert Figures([1.0, 2.0]).median == 1.5


def test_the_spread_is_half_of_the_range_as_a_part_of_the_median() -> None:
    assert Figures([90.0, 100.0, 130.0]).spread == 0.2
    assert Figures([5.0]).spread == 0


def test_figures_do_not_share_their_windows() -> None:
    one, other = Figures(), Figures()
    one.windows.append(1.0)
    assert other.windows == []
