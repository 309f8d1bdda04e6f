"""What the table of methods says in words: which of two at the same bits is better, or that they are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

__all__ = ["ALIKE", "SAME_BITS", "verdicts"]

ALIKE = 0.05  # of the squared error: up to here two methods are alike
SAME_BITS = 0.02  # bits a weight that differ by less of themselves are the same


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each two neighbours of the table that take the same bits; improvement = 1 − least MSE ÷ other MSE."""
    found = [row for row in rows if not row["reason"] and row["mse"] is not None]
    return [
        _verdict(a, b)
        for a, b in pairwise(found)
        if abs(a["bits"] - b["bits"]) <= SAME_BITS * b["bits"] and b["mse"] > 0
    ]


def _verdict(better: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    improvement = 1 - better["mse"] / other["mse"]
    names, percent = (better["format"], other["format"]), f"{100 * improvement:.1f} %"
    if improvement > ALIKE:
        return f"{names[0]} has {percent} less squared error than {names[1]} at the same bits"
    return f"{names[0]} and {names[1]} are alike: {percent} of squared error between them"
