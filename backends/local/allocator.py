"""Decides which range of a node's arena a new copy gets, and which freed range is used again first.

It does arithmetic on an address space and refuses to know memory, files, processes and what lies in a range.

The invariant to hold in mind: every byte below `touched` is in exactly one of three places, a live range, a
*warm* range (freed a moment ago, not yet joined with its neighbours) or a *cold* range (joined: no two cold
ranges touch).  Nothing above `touched` was ever given out, so the arena need not have reserved pages there.
A request takes, in this order: the warm range freed last that is about its size, the cold range that fits
best, and only then new space.
"""

from bisect import bisect_left, insort

ALIGNMENT = 64  # a cache line, and what numpy and Arrow like best
WARM_NBYTES_MIN = 64 * 1024  # below it, warm pages are worth less than looking for them
WARM_RANGES_MAX = 16  # keeps the search short, and bounds what is kept from being joined


class Allocator:
    """Ranges of an address space of `capacity` bytes, each aligned to 64.

    An operation is a few dictionary look-ups and a binary search in the list of the sizes of cold ranges.

    >>> ranges = Allocator(1 << 20)
    >>> first, second = ranges.reserve(100), ranges.reserve(100)
    >>> first, second, ranges.bytes_used
    (0, 128, 256)
    >>> ranges.free(first)
    >>> ranges.reserve(1 << 20) is None, ranges.reserve(64)
    (True, 0)
    """

    __slots__ = (
        "_cold",
        "_cold_ending",
        "_cold_of",
        "_cold_sizes",
        "_live",
        "_warm",
        "bytes_used",
        "capacity",
        "touched",
    )

    def __init__(self, capacity: int) -> None:
        if capacity < ALIGNMENT:
            raise ValueError(f"a capacity of {capacity} bytes holds no range")
        self.capacity = capacity - capacity % ALIGNMENT
        self.forget_all()

    def forget_all(self) -> None:
        """Begin with nothing given out."""
        self.touched = 0  # end of all space ever given out; never falls
        self.bytes_used = 0  # in live ranges, with the padding up to the alignment
        self._live: dict[int, int] = {}  # start -> size
        self._cold: dict[int, int] = {}  # start -> size
        self._cold_ending: dict[int, int] = {}  # end -> start, the same ranges
        self._cold_sizes: list[int] = []  # distinct, ascending
        self._cold_of: dict[int, dict[int, None]] = {}  # size -> starts, last freed last; never empty
        self._warm: list[tuple[int, int]] = []  # (start, size), last freed last

    def reserve(self, nbytes: int) -> int | None:
        """Return the offset of a range of at least `nbytes`, or None when no free range is that long.

        None does not mean that fewer bytes are free: they may lie in pieces.  `largest_free` says what fits.
        An empty range has an address of its own, too.
        """
        if nbytes < 0:
            raise ValueError(f"cannot reserve {nbytes} bytes")
        size = max(ALIGNMENT, -(-nbytes // ALIGNMENT) * ALIGNMENT)
        start = self._reserve_warm(size) if size >= WARM_NBYTES_MIN else None
        if start is None:
            start = self._reserve_cold(size)
        if start is None and self._warm:
            # What was freed is joined before new pages are touched: pages once taken are never given back.
            self._cool(len(self._warm))
            start = self._reserve_cold(size)
        if start is None:
            start = self._reserve_new(size)
        if start is not None:
            self._live[start] = size
            self.bytes_used += size
        return start

    def free(self, offset: int) -> None:
        """Take back the range that `reserve` gave at `offset`.

        Raises:
            ValueError: no live range begins there, so somebody frees twice or frees what is another's.
        """
        size = self._live.pop(offset, None)
        if size is None:
            raise ValueError(f"no live range begins at {offset}")
        self.bytes_used -= size
        if size < WARM_NBYTES_MIN:
            self._join(offset, size)
            return
        self._warm.append((offset, size))
        self._cool(len(self._warm) - WARM_RANGES_MAX)

    @property
    def largest_free(self) -> int:
        """The longest range that `reserve` could give now."""
        spans: list[tuple[int, int]] = []
        for start, size in sorted([*self._warm, (self.touched, self.capacity - self.touched)]):
            end = start + size
            end += self._cold.get(end, 0)
            start = self._cold_ending.get(start, start)
            if spans and start <= spans[-1][1]:
                start = spans.pop()[0]
            spans.append((start, end))
        return max([end - start for start, end in spans] + self._cold_sizes[-1:])

    def _reserve_warm(self, size: int) -> int | None:
        """Give the range freed last, if one is of this size or little more."""
        warm = self._warm
        for i in range(len(warm) - 1, -1, -1):
            start, found = warm[i]
            if size <= found <= size + size // 8:
                del warm[i]
                if found > size:
                    self._join(start + size, found - size)
                return start
        return None

    def _reserve_cold(self, size: int) -> int | None:
        """Give the head of the cold range that fits best; of several, the one freed last."""
        i = bisect_left(self._cold_sizes, size)
        if i == len(self._cold_sizes):
            return None
        found = self._cold_sizes[i]
        start, _ = self._cold_of[found].popitem()  # not next(reversed(...)): that walks over what was deleted
        self._forget(start, found)
        if found > size:
            self._insert(start + size, found - size)
        return start

    def _reserve_new(self, size: int) -> int | None:
        """Give space never given before, beginning in the cold range below it if there is one."""
        start = self._cold_ending.get(self.touched, self.touched)
        if start + size > self.capacity:
            return None
        if start < self.touched:
            self._remove(start, self.touched - start)
        self.touched = start + size
        return start

    def _cool(self, count: int) -> None:
        """Join the `count` warm ranges freed first; none if it is negative."""
        if count > 0:
            oldest, self._warm = self._warm[:count], self._warm[count:]
            for start, size in oldest:
                self._join(start, size)

    def _join(self, start: int, size: int) -> None:
        """Make a range cold, as one with the cold ranges on its two sides."""
        left = self._cold_ending.get(start)
        if left is not None:
            self._remove(left, start - left)
            start, size = left, size + start - left
        right = self._cold.get(start + size)
        if right is not None:
            self._remove(start + size, right)
            size += right
        self._insert(start, size)

    def _insert(self, start: int, size: int) -> None:
        self._cold[start] = size
        self._cold_ending[start + size] = start
        starts = self._cold_of.get(size)
        if starts is None:
            self._cold_of[size] = {start: None}
            insort(self._cold_sizes, size)
        else:
            starts[start] = None

    def _remove(self, start: int, size: int) -> None:
        del self._cold_of[size][start]
        self._forget(start, size)

    def _forget(self, start: int, size: int) -> None:
        """Drop all that is known of a range that `_cold_of` no longer lists."""
        del self._cold[start], self._cold_ending[start + size]
        if not self._cold_of[size]:
            del self._cold_of[size]
            del self._cold_sizes[bisect_left(self._cold_sizes, size)]


class Ranges:
    """The ranges of a whole store: large ones from its bottom, small ones from its top.

    So a small copy that lives as long as the cluster, a function say, never splits the room that a large one needs.

    >>> ranges = Ranges(1 << 20)
    >>> small, large = ranges.reserve(100), ranges.reserve(1 << 19)
    >>> small, large
    (1048448, 0)
    """

    __slots__ = ("_capacity", "_high", "_low", "_mirrored")

    def __init__(self, capacity: int) -> None:
        self._low = Allocator(capacity)
        self._high = Allocator(capacity)
        self._capacity = self._low.capacity
        self._mirrored: dict[int, int] = {}  # small ranges: offset -> the same, counted from the top

    @property
    def bytes_used(self) -> int:
        """The bytes in live ranges, with the padding up to the alignment."""
        return self._low.bytes_used + self._high.bytes_used

    def reserve(self, nbytes: int) -> int | None:
        """Return the offset of a range of at least ``nbytes``, or None when no free range is that long."""
        if nbytes >= WARM_NBYTES_MIN:
            self._low.capacity = self._capacity - self._high.touched
            return self._low.reserve(nbytes)
        self._high.capacity = self._capacity - self._low.touched
        before = self._high.bytes_used
        start = self._high.reserve(nbytes)
        if start is None:
            return None
        offset = self._capacity - start - (self._high.bytes_used - before)
        self._mirrored[offset] = start
        return offset

    def free(self, offset: int) -> None:
        """Take a range back."""
        start = self._mirrored.pop(offset, None)
        if start is None:
            self._low.free(offset)
        else:
            self._high.free(start)
        for part in (self._low, self._high):
            if not part.bytes_used:  # what lies at the other end may have it all
                part.forget_all()
