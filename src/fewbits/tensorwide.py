"""Statistics of a whole tensor, exact, from passes over its slabs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fewbits.block import Shape
from fewbits.kernels import cpu, parts, sums
from fewbits.kernels.continued import ErrorSum
from fewbits.plan import Float32, Level
from fewbits.slabs import Rows

__all__ = ["Stream", "magnitude_at", "statistic"]

T = TypeVar("T")
Integers = NDArray[np.int64]

LOW_BITS = 15  # of the 31 bits of a magnitude; the other 16 are found first


@dataclass(frozen=True)
class Stream:
    """A tensor of `shape` as slabs: `read` gives rows of it, `mapped` is `map` or that of a pool."""

    shape: Shape
    spans: list[Rows]
    read: Callable[[int, int], Float32]
    mapped: Callable[..., Iterator[Any]]

    def slab(self, at: int) -> Float32:
        """Slab number `at` as a (1, rows, columns) array."""
        return np.ascontiguousarray(self.read(*self.spans[at]))[None]

    def each(self, f: Callable[[Float32, int], T]) -> Iterator[T]:
        """f of every slab and its number, in order."""

        def one(at: int) -> T:
            with np.errstate(all="ignore"):
                return f(self.slab(at), at)

        return self.mapped(one, range(len(self.spans)))

    def of(self, f: Callable[[Float32, int], Float32]) -> Stream:
        """The stream of what `f` makes of slabs and their numbers."""
        starts = {span: at for at, span in enumerate(self.spans)}

        def read(start: int, stop: int) -> Float32:
            with np.errstate(all="ignore"):
                made: Float32 = f(np.ascontiguousarray(self.read(start, stop))[None], starts[start, stop])[0]
            return made

        return Stream(self.shape, self.spans, read, self.mapped)


def statistic(stream: Stream, level: Level, zero: bool) -> tuple[Float32, Float32]:
    """(minimum, statistic) of a tensor as one block, shape (1, 1, 1); what `kernels.statistics` gives for it."""
    if level.statistic == "rms":
        return _one(0), _one(_root_mean_square(stream, float(level.parameter)))
    if level.statistic == "percentile":
        p = level.parameter

        def rank(count: int) -> int:
            return max(-(-count * p.numerator // (100 * p.denominator)) - 1, 0)

        return _one(0), _one(magnitude_at(stream, rank)[0])
    of = _first_of_largest_magnitude if level.statistic == "signed" else _extremes
    few: Float32 = np.concatenate([_one(0)[0, 0, :0], *stream.each(lambda x, _: of(x, level))])
    return parts.tensor_statistics(few.reshape(1, 1, -1), level, zero)


def magnitude_at(stream: Stream, rank: Callable[[int], int]) -> tuple[np.float32, int]:
    """(magnitude of a rank among the finite values, from 0 for the least; how many are larger); (0, 0) where none is finite.

    `rank` takes the number of finite values. Two passes count the values of each upper, then of each lower half of the bits.
    """
    upper = _total(stream.each(lambda x, _: np.bincount(_finite_patterns(x) >> LOW_BITS, minlength=1 << 16)))
    count = int(upper.sum())
    if not count:
        return np.float32(0), 0
    ends = np.cumsum(upper)
    top = int(np.searchsorted(ends, rank(count), side="right"))

    def lower_bits(x: Float32, _: int) -> Integers:
        pattern = _finite_patterns(x)
        return np.bincount(pattern[pattern >> LOW_BITS == top] & ((1 << LOW_BITS) - 1), minlength=1 << LOW_BITS)

    ends = int(ends[top] - upper[top]) + np.cumsum(_total(stream.each(lower_bits)))
    low = int(np.searchsorted(ends, rank(count), side="right"))
    return np.int32(top << LOW_BITS | low).view(np.float32), count - int(ends[low])


def _total(counts: Iterator[Integers]) -> Integers:
    total = np.zeros(1, np.int64)
    for part in counts:
        total = total + part
    return total


def _finite_patterns(x: Float32) -> NDArray[np.int32]:
    """The bits of the magnitudes of finite values."""
    pattern = x.reshape(-1).view(np.int32) & np.int32(0x7FFFFFFF)
    return pattern[pattern < 0x7F800000]


def _root_mean_square(stream: Stream, factor: float) -> float:
    """In the order of slabs, one at a time: the sum is one of floats."""
    total, count = ErrorSum(sums.SQUARED), 0
    for at in range(len(stream.spans)):
        x = stream.slab(at)
        total.add(x, np.zeros_like(x))
        count += int(np.count_nonzero(np.isfinite(x)))
    return min(factor * float(np.sqrt(total.total / max(count, 1))), float(np.finfo(np.float32).max))


def _extremes(x: Float32, _: Level) -> Float32:
    """Minimum and maximum, infinite where there is none: what largest magnitude, range and sides depend on."""
    return cpu.sum_signal(x)[5:7].astype(np.float32)


def _first_of_largest_magnitude(x: Float32, level: Level) -> Float32:
    return parts.tensor_statistics(x, level, False)[1].reshape(-1)


def _one(value: float | np.float32) -> Float32:
    return np.full((1, 1, 1), value, np.float32)
