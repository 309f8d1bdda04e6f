"""The answer in words: the best format within a budget of bits, and the formats worth their bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewbits.scan.summary import SAME_BITS

__all__ = ["BUDGET", "Answer", "answer"]

BUDGET = 4.5  # bits a weight

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """`best` has the least error of the formats that fit in the budget; `front` no format beats at its bits."""

    budget: float
    best: Row | None
    smallest: Row | None
    front: Sequence[Row]


def answer(rows: Sequence[Row], budget: float = BUDGET) -> Answer:
    """From merged rows, least error first (`better` empty: on the front). Formats that lose everything do not count.

    Bits that are above the budget by no more than `SAME_BITS` fit, as they count as equal on the front.
    """
    useful = [row for row in rows if _keeps_something(row)]
    fitting = [row for row in useful if row["bits"] <= budget + SAME_BITS]
    front = sorted((row for row in useful if not row["better"]), key=lambda row: row["bits"])
    smallest = min(useful, key=lambda row: row["bits"], default=None)
    return Answer(budget, fitting[0] if fitting else None, smallest, front)


def _keeps_something(row: Row) -> bool:
    """Whether the reconstruction is closer to the weights than zeros are, by more than sums can be off."""
    return "sqnr_db:inf" in row["flags"] or (row["sqnr_db"] is not None and row["sqnr_db"] > 0.005)
