"""Quantities: what can be written, what it means, and what is refused."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.simulator.world.units import UNITS, quantity, shown


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("10 Gbit/s", "B/s", 1.25e9),
        ("9.5MB/s", "B/s", 9.5e6),
        ("64 MiB", "B", 64 * 2**20),
        ("100 kB", "B", 1e5),
        ("7.5 us", "s", 7.5e-6),
        ("2 min", "s", 120.0),
        (" 1e3 ns ", "s", 1e-6),
        ("80 ps/B", "s/B", 8e-11),
        (3, "s", 3.0),
        (0.5, "", 0.5),
        ("0.5", "", None),
        ("10", "s", None),
        ("10 m", "s", None),
        ("10 Gbit", "B/s", None),
        ("ten s", "s", None),
        (True, "s", None),
        (inf, "s", None),
        (10**400, "s", None),
        ("1e999 s", "s", None),
        (None, "B", None),
    ],
)
def test_what_can_be_written(text: object, unit: str, value: float | None) -> None:
    if value is None:
        with pytest.raises(ValueError, match="is not"):
            quantity(text, unit)
    else:
        assert quantity(text, unit) == pytest.approx(value, rel=1e-12)


def test_the_message_names_the_units_there_are() -> None:
    with pytest.raises(ValueError, match=r"'3 m' is not a quantity in one of ns, us, .*, min, h"):
        quantity("3 m", "s")


@given(st.floats(1e-9, 1e14), st.sampled_from(["s", "B", "B/s"]))
def test_what_is_shown_can_be_read(amount: float, unit: str) -> None:
    assert shown(amount, unit).partition(" ")[2] in UNITS[unit]
    assert quantity(shown(amount, unit), unit) == pytest.approx(amount, rel=1e-3)
