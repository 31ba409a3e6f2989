"""Claims about published figures: they hold of these, and not of whatever one likes."""

from __future__ import annotations

import pytest

from freehold.simulator.published.claims import CLAIMS, Claim, claims
from freehold.simulator.published.points import points

PUBLISHED = {name: point.value for name, point in points().items()}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.row} {claim.what}")
def test_what_is_claimed_is_published(claim: Claim) -> None:
    assert claim.holds(PUBLISHED)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.row} {claim.what}")
def test_it_is_not_so_whatever_is_simulated(claim: Claim) -> None:
    """If one scheme were as another, or the axis made a great difference or none, somebody would notice."""
    same = dict.fromkeys(PUBLISHED, 10.0)
    steep = {name: value * 10.0 ** (index % 5) for index, (name, value) in enumerate(PUBLISHED.items())}
    turned = {name: 1.0 / value for name, value in PUBLISHED.items()}
    varied = {name: 10.0 + index % 5 * (index % 3) for index, name in enumerate(PUBLISHED)}
    found = []
    for values in (steep, turned, varied, same):
        try:
            found.append(claim.holds(values))
        except ValueError:  # there is no straight line through what is all the same
            found.append(False)
    assert not all(found)


def test_nothing_is_said_of_rows_that_are_not_there() -> None:
    assert claims(PUBLISHED) == [*CLAIMS]
    assert {claim.row for claim in claims({name: 1.0 for name in PUBLISHED if "F3" in name})} == {"F3"}
    assert claims({"F3 ownership 20": 1.0}) == []
