"""The allocator against a model that knows nothing but the list of live ranges."""

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from freehold.backends.local.allocator import ALIGNMENT, WARM_NBYTES_MIN, WARM_RANGES_MAX, Allocator

CAPACITY = 40 * WARM_NBYTES_MIN
SIZES = st.one_of(
    st.integers(0, 5 * ALIGNMENT),
    st.integers(WARM_NBYTES_MIN - ALIGNMENT, WARM_NBYTES_MIN + WARM_NBYTES_MIN // 4),
    st.integers(0, CAPACITY // 3),
)


class AllocatorAgainstModel(RuleBasedStateMachine):
    """Reserve and free as they come; after each step the two must agree on everything that can be asked."""

    ranges = Bundle("ranges")

    def __init__(self) -> None:
        super().__init__()
        self.allocator = Allocator(CAPACITY)
        self.live: dict[int, int] = {}
        self.touched = 0

    def gaps(self, end: int) -> list[int]:
        at, gaps = 0, [0]
        for start, size in sorted(self.live.items()):
            gaps.append(min(start, end) - at)
            at = start + size
        return [*gaps, end - at]

    @rule(target=ranges, nbytes=SIZES)
    def reserve(self, nbytes: int) -> Any:
        size = max(ALIGNMENT, (nbytes + ALIGNMENT - 1) & -ALIGNMENT)
        fits, fits_below = size <= max(self.gaps(CAPACITY)), size <= max(self.gaps(self.touched))
        start = self.allocator.reserve(nbytes)
        assert (start is not None) == fits, "None is the answer exactly when no gap is long enough"
        if start is None:
            return multiple()
        assert start % ALIGNMENT == 0
        assert 0 <= start <= start + size <= CAPACITY
        assert all(start + size <= at or at + length <= start for at, length in self.live.items()), "overlap"
        assert not fits_below or start + size <= self.touched, "new pages touched, and old ones would do"
        self.live[start] = size
        self.touched = max(self.touched, start + size)
        return start

    @rule(start=consumes(ranges))
    def free(self, start: int) -> None:
        self.allocator.free(start)
        del self.live[start]
        with pytest.raises(ValueError, match="no live range"):
            self.allocator.free(start)

    @invariant()
    def agree(self) -> None:
        assert self.allocator.bytes_used == sum(self.live.values())
        assert self.allocator.largest_free == max(self.gaps(CAPACITY))
        assert self.allocator.touched == self.touched

    def teardown(self) -> None:
        for start in self.live:
            self.allocator.free(start)
        assert self.allocator.bytes_used == 0
        assert self.allocator.largest_free == CAPACITY
        assert self.allocator.reserve(CAPACITY) == 0, "all that was freed is one range again"


def take(allocator: Allocator, nbytes: int) -> int:
    start = allocator.reserve(nbytes)
    assert start is not None
    return start


TestAllocatorAgainstModel = AllocatorAgainstModel.TestCase
TestAllocatorAgainstModel.settings = settings(deadline=None, stateful_step_count=60)


def test_loop_of_put_and_drop_stays_in_the_same_pages() -> None:
    allocator = Allocator(8 << 30)
    kept = [take(allocator, n) for n in (1000, 100_000_000, 5)]
    allocator.free(kept[1])
    for _ in range(100):
        big, small = take(allocator, 100_000_000), take(allocator, 70_000)
        assert big == kept[1]
        allocator.free(big)
        allocator.free(small)
    assert allocator.touched < 101_000_000


def test_last_freed_is_first_reused() -> None:
    allocator = Allocator(1 << 30)
    starts = [take(allocator, 1 << 20) for _ in range(4)]
    for start in (starts[2], starts[0], starts[3]):
        allocator.free(start)
    assert [allocator.reserve(1 << 20) for _ in range(3)] == [starts[3], starts[0], starts[2]]


def test_free_bytes_in_pieces_do_not_make_a_range() -> None:
    allocator = Allocator(10 * ALIGNMENT)
    starts = [take(allocator, ALIGNMENT) for _ in range(10)]
    for start in starts[::2]:
        allocator.free(start)
    assert allocator.bytes_used == 5 * ALIGNMENT
    assert allocator.largest_free == ALIGNMENT
    assert allocator.reserve(ALIGNMENT + 1) is None
    assert allocator.reserve(ALIGNMENT) in starts[::2]


def test_warm_ranges_are_joined_when_only_their_union_fits() -> None:
    allocator = Allocator(WARM_RANGES_MAX * WARM_NBYTES_MIN)
    starts = [take(allocator, WARM_NBYTES_MIN) for _ in range(WARM_RANGES_MAX)]
    random.Random(1).shuffle(starts)
    for start in starts:
        allocator.free(start)
    assert allocator.largest_free == allocator.capacity
    assert allocator.reserve(allocator.capacity) == 0


def test_warm_range_counts_with_the_cold_one_behind_it() -> None:
    allocator = Allocator(2 * WARM_NBYTES_MIN)
    warm, cold, _ = (take(allocator, n) for n in (WARM_NBYTES_MIN, 640, WARM_NBYTES_MIN - 640))
    allocator.free(cold)
    allocator.free(warm)
    assert allocator.largest_free == WARM_NBYTES_MIN + 640
    assert allocator.reserve(WARM_NBYTES_MIN + 640) == warm


def test_warm_range_is_not_broken_while_a_cold_one_fits() -> None:
    allocator = Allocator(1 << 30)
    small = [take(allocator, WARM_NBYTES_MIN - 64) for _ in range(4)]
    big, _ = take(allocator, 100_000_000), take(allocator, 64)
    for start in (*small, big):
        allocator.free(start)
    assert allocator.reserve(2 * WARM_NBYTES_MIN) == small[0]
    assert allocator.reserve(100_000_000) == big


def test_empty_ranges_have_addresses_of_their_own() -> None:
    allocator = Allocator(200)
    assert allocator.capacity == 192
    assert [allocator.reserve(0) for _ in range(4)] == [0, 64, 128, None]


@pytest.mark.parametrize("capacity", [-1, 0, 63])
def test_capacity_that_holds_nothing(capacity: int) -> None:
    with pytest.raises(ValueError, match="holds no range"):
        Allocator(capacity)


def test_negative_length() -> None:
    with pytest.raises(ValueError, match="cannot reserve -1"):
        Allocator(1024).reserve(-1)


def test_hundred_thousand_live_ranges() -> None:
    """Many live ranges of very different sizes: nothing overlaps, and all is one range in the end."""
    choose = random.Random(2)
    allocator = Allocator(1 << 40)
    live: dict[int, int] = {}
    for _ in range(100_000):
        nbytes = int(2 ** choose.uniform(0, 22))
        live[take(allocator, nbytes)] = nbytes
    starts = list(live)
    choose.shuffle(starts)
    for start in starts[:50_000]:
        allocator.free(start)
        del live[start]
    for _ in range(50_000):
        nbytes = int(2 ** choose.uniform(0, 22))
        live[take(allocator, nbytes)] = nbytes
    assert all(start + nbytes <= after for (start, nbytes), (after, _) in pairwise(sorted(live.items())))
    for start in live:
        allocator.free(start)
    assert (allocator.bytes_used, allocator.largest_free) == (0, allocator.capacity)
