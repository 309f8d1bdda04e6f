"""Sums of per-tensor scalar formats from one histogram of a 16-bit tensor: exact counts, at most 65,536 distinct values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import ml_dtypes
import numpy as np
from numba import njit
from numpy.typing import NDArray

from fewbits.kernels import cpu
from fewbits.kernels.arithmetic import OPTIONS
from fewbits.kernels.lanes import LANES, lane_sum
from fewbits.plan import Float32, Plan

__all__ = ["PATTERNS", "Histogram", "count_patterns", "covers"]

PATTERNS = 65536
LARGEST = np.finfo(np.float32).max
KINDS = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}


@njit(**OPTIONS)
def count_patterns(patterns, counts):  # type: ignore[no-untyped-def]
    """Add the number of times that each 16-bit pattern occurs in flat `patterns` to counts (65536)."""
    for i in range(patterns.shape[0]):
        counts[patterns[i]] += 1


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
        x = self.values.reshape(1, 1, -1)
        y = cpu.quantize(x, plan, known).reshape(-1)
        v, n = self.values.astype(np.float64), self.counts
        with np.errstate(all="ignore"):
            e = (y - self.values).astype(np.float64)
        made = n[(y == 0) & (self.values != 0)].sum()
        largest = np.abs(e).max() if len(e) else 0.0
        clipped = _sum(n * self._clipped(plan, known))
        return np.array([_sum(n * e), _sum(n * e * e), _sum(n * e * v), _sum(n * np.abs(e)), largest, made, clipped])

    def _known(self, plan: Plan) -> Float32 | None:
        """The statistic of the whole tensor where it depends on how often values occur, or multipliers are tried."""
        level = plan.levels[0]
        if not plan.scaled or not len(self.values):
            return None
        if level.statistic == "rms":
            square = _sum(self.counts * self.values.astype(np.float64) ** 2) / self.counts.sum()
            statistic = min(float(level.parameter) * math.sqrt(square), float(np.finfo(np.float32).max))
        elif level.statistic == "percentile":
            order = np.argsort(np.abs(self.values), kind="stable")
            rank = max(math.ceil(int(self.counts.sum()) * level.parameter / 100), 1)
            statistic = float(np.abs(self.values[order])[np.searchsorted(np.cumsum(self.counts[order]), rank)])
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

    def _clipped(self, plan: Plan, known: Float32 | None) -> NDArray[np.float64]:
        """1 for each value beyond the largest or lowest representable one."""
        v, element = self.values, plan.levels[0].rounding
        if plan.scaled:
            b = cpu.scale(v.reshape(1, 1, -1), plan, known).blocks
            with np.errstate(all="ignore"):
                v = (np.clip(v + b.shift, -LARGEST, LARGEST) * b.factor / b.divisor).reshape(-1)
                v = np.rint(v) + b.zero_point.reshape(-1) if plan.zero_point else v
        return ((v > np.float32(element.highest)) | (v < np.float32(element.lowest))).astype(np.float64)


def _sum(v: NDArray[np.float64]) -> float:
    return float(lane_sum(np.ascontiguousarray(v), np.empty(LANES)))
