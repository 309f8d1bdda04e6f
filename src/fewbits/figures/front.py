"""The Pareto front of bits and accuracy: formats that no other one beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fewbits.figures.axes import Axis
from fewbits.scan.summary import SAME_BITS

__all__ = ["front", "goodness"]


def goodness(row: dict[str, Any], axis: Axis) -> float:
    """A number that is larger for the better of two rows; infinite for an exact one."""
    if axis.is_exact(row):
        return math.inf
    return float(row[axis.metric]) if axis.higher else -float(row[axis.metric])


def front(rows: Sequence[dict[str, Any]], axis: Axis) -> list[str]:
    """The formats that none beats: more accurate at as many bits or fewer, or as accurate at fewer.

    Bits that differ by less than `SAME_BITS` count as equal.
    """
    points = [(row["bits"], goodness(row, axis)) for row in rows]

    def beaten(bits: float, good: float) -> bool:
        return any((g > good and b <= bits + SAME_BITS) or (g >= good and b < bits - SAME_BITS) for b, g in points)

    return [row["format"] for row, point in zip(rows, points, strict=True) if not beaten(*point)]
