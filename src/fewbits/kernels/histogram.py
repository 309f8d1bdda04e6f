"""Sums of per-tensor scalar formats from one histogram of a 16-bit tensor: exact counts, at most 65,536 distinct values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np
from numba import njit
from numpy.typing import NDArray

from fewbits.kernels import cpu, sums
from fewbits.kernels.arithmetic import OPTIONS
from fewbits.kernels.lanes import LANES, lane_sum
from fewbits.plan import Float32, Plan

__all__ = ["PATTERNS", "Histogram", "count_patterns", "count_upper_halves", "covers"]

PATTERNS = 65536
LARGEST = np.float32(np.finfo(np.float32).max)
ZERO, ONE = np.float32(-0.0), np.float32(1)
KINDS = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}


@njit(**OPTIONS)
def count_patterns(patterns, counts):  # type: ignore[no-untyped-def]
    """Add the number of times that each 16-bit pattern occurs in flat `patterns` to counts (65536)."""
    for i in range(patterns.shape[0]):
        counts[patterns[i]] += 1


@njit(**OPTIONS)
def count_upper_halves(patterns, apart, counts, held):  # type: ignore[no-untyped-def]
    """The same for the upper halves of 32-bit patterns; those whose half is `apart` go to `held` instead: how many."""
    n = 0
    for i in range(patterns.shape[0]):
        half = patterns[i] >> 16
        if apart[half]:
            held[n] = patterns[i]
            n += 1
        else:
            counts[half] += 1
    return n


def covers(plan: Plan) -> bool:
    """Whether a format's values depend on a histogram alone: one scale for the whole tensor, or none, and no options."""
    f = plan.format
    if f.mean or f.hadamard or f.outliers:
        return False
    level = plan.levels[0]
    whole = (
        level.block is not None
        and level.block.kind == "tensor"
        and len(plan.levels) == 2
        and level.statistic != "signed"
    )
    ranged = level.statistic == "range"
    return not plan.scaled or (
        whole and not (ranged and len(plan.multipliers)) and not (plan.rule and plan.rule.search)
    )


@dataclass(frozen=True)
class Histogram:
    """The distinct finite values of a tensor and how often each occurs."""

    values: Float32
    counts: NDArray[np.float64]
    nan: int
    infinite: int

    @staticmethod
    def of(counts: NDArray[np.int64], dtype: str) -> Histogram:
        """From the number of times each bit pattern of bfloat16 or float16 occurs."""
        patterns = np.arange(PATTERNS, dtype=np.uint16).view(KINDS[dtype]).astype(np.float32)
        there = (counts > 0) & np.isfinite(patterns)
        return Histogram(
            np.ascontiguousarray(patterns[there]), counts[there].astype(np.float64),
            int(counts[np.isnan(patterns)].sum()), int(counts[np.isinf(patterns)].sum()),
        )  # fmt: skip

    def signal(self) -> NDArray[np.float64]:
        """What `cpu.sum_signal` gives for the tensor."""
        v, n = self.values.astype(np.float64), self.counts
        size = np.abs(v)
        extremes = (size.max(), v.min(), v.max()) if len(v) else (0.0, np.inf, -np.inf)
        return np.array(
            [n.sum(), _sum(n * v), _sum(n * v * v), _sum(n * size), *extremes, self.nan, self.infinite, n[v == 0].sum()]
        )

    def errors(self, plan: Plan) -> NDArray[np.float64]:
        """What `cpu.sum_errors` gives for the tensor, shape (7,)."""
        known = self._known(plan)
        if len(plan.multipliers) and known is not None:
            plan = self._best(plan, known)
        x, element = self.values.reshape(1, 1, -1), plan.levels[0].rounding
        out = np.zeros(sums.ERRORS)
        place: tuple[Any, ...] = (ZERO, ONE, ONE, ZERO)
        if plan.scaled and x.size:
            scaled = cpu.scale(x, plan, known)
            y, b = cpu.reconstruct(x, plan, scaled), scaled.blocks
            place = (b.shift.item(), b.factor.item(), b.divisor.item(), b.zero_point.item())
        else:
            y = cpu.quantize(x, plan)
        limits = np.float32(element.lowest), np.float32(element.highest)
        _weigh(self.values, y.reshape(-1), self.counts, tuple(map(np.float32, place)), plan.zero_point, limits, out)
        return out

    def _known(self, plan: Plan) -> Float32 | None:
        """The statistic of the whole tensor where it depends on how often values occur, or multipliers are tried."""
        level = plan.levels[0]
        if not plan.scaled or not len(self.values):
            return None
        if level.statistic == "rms":
            square = _sum(self.counts * self.values.astype(np.float64) ** 2) / self.counts.sum()
            statistic = min(float(level.parameter) * math.sqrt(square), float(np.finfo(np.float32).max))
        elif level.statistic == "percentile":
            sizes, ranks = self._by_size
            rank = max(math.ceil(int(ranks[-1]) * level.parameter / 100), 1)
            statistic = float(sizes[np.searchsorted(ranks, rank)])
        elif len(plan.multipliers):
            statistic = float(np.abs(self.values).max())
        else:
            return None
        return np.full((1, 1, 1), statistic, np.float32)

    def _best(self, plan: Plan, known: Float32) -> Plan:
        """The plan with the one multiplier of least error; ties to the first."""
        assert plan.rule is not None
        plans = [replace(plan, multipliers=m) for m in plan.multipliers.reshape(-1, 1)]
        x = self.values.reshape(1, 1, -1)
        errors = []
        for p in plans:
            e = np.abs(cpu.quantize(x, p, known).reshape(-1) - self.values).astype(np.float64)
            each = e * e if plan.rule.error == "squared" else e
            errors.append(float(e.max()) if plan.rule.error == "largest" else _sum(self.counts * each))
        return plans[int(np.argmin(errors))]

    @cached_property
    def _by_size(self) -> tuple[Float32, NDArray[np.float64]]:
        """(magnitudes ascending, how many values are at or below each)."""
        order = np.argsort(np.abs(self.values), kind="stable")
        return np.abs(self.values)[order], np.cumsum(self.counts[order])


@njit(**OPTIONS)
def _weigh(x, y, counts, place, has_zero_point, limits, out):  # type: ignore[no-untyped-def]
    """Fill out with the error sums of x and y, each value counted: value i to lane i mod 16, then the lanes.

    `place` (shift, factor, divisor, zero point) takes x to the element's units, where `limits` say what is clipped.
    """
    shift, factor, divisor, zero_point = place
    lowest, highest = limits
    lanes = np.zeros((4, LANES))
    for i in range(x.shape[0]):
        n, e, v = counts[i], np.float64(y[i] - x[i]), np.float64(x[i])
        lane = i % LANES
        lanes[0, lane] += n * e
        lanes[1, lane] += n * e * e
        lanes[2, lane] += n * e * v
        lanes[3, lane] += n * abs(e)
        out[4] = max(out[4], abs(e))
        out[5] += n if y[i] == np.float32(0) and x[i] != np.float32(0) else 0.0
        q = min(max(x[i] + shift, -LARGEST), LARGEST) * factor / divisor
        if has_zero_point:
            q = np.float32(np.rint(q)) + zero_point
        out[6] += n if q > highest or q < lowest else 0.0
    for k in range(4):
        for lane in range(LANES):
            out[k] += lanes[k, lane]


def _sum(v: NDArray[np.float64]) -> float:
    return float(lane_sum(np.ascontiguousarray(v), np.empty(LANES)))
