"""How a metric becomes a position or a colour: which scale, and what has no place on it.

`linear`  decibels and shares
`log`     errors; an error of 0 has no logarithm and is drawn at the edge
`nines`   correlations: placed by the logarithm of 1 − value, labelled with the value; 1 is drawn at the edge
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from fewbits import metrics

__all__ = ["Axis", "axis_of"]

Kind = Literal["linear", "log", "nines"]

# Titles of axes; a metric that is not here is called by its name.
TITLES = {
    "pcc": "PCC",
    "mae": "mean absolute error",
    "atol": "largest absolute error",
    "mse": "mean squared error",
    "rmse": "root mean squared error",
    "nmse": "NMSE",
    "sqnr_db": "SQNR, dB",
    "rel_mae": "Σ|e| / Σ|x|",
    "max_rel": "largest error / largest |x|",
    "bias": "|mean error|",
    "zeroed": "share of values that became zero",
    "saturated": "share of values clipped",
}
SHARES = frozenset({"zeroed", "saturated"})


@dataclass(frozen=True)
class Axis:
    """The scale of one metric. Texts named `…` below are Vega expressions over `datum`, a row of the table."""

    metric: str
    title: str
    kind: Kind
    higher: bool
    format: str

    @property
    def value(self) -> str:
        """The metric's column."""
        return f"datum['{self.metric}']"

    @property
    def exact(self) -> str:
        """Whether the value is the best there is, and has no place on the scale."""
        if self.kind == "linear":
            return f"indexof(datum.flags || [], '{self.metric}:inf') >= 0" if self.higher else "false"
        return f"{self.value} === 1" if self.kind == "nines" else f"{self.value} === 0"

    @property
    def exact_word(self) -> str:
        """What to call an exact value: an error of 0 may be a mean that cancels."""
        return "0" if self.kind == "log" else "exact"

    @property
    def tooltip(self) -> dict[str, Any]:
        """The value in a tooltip: the field `says`."""
        return {"field": "says", "title": self.title}

    @property
    def says(self) -> str:
        """The value as text."""
        number = f"isValid({self.value}) ? format({self.value}, '{self.format}') : 'undefined'"
        return f"({self.exact}) ? '{self.exact_word}' : {number}"

    @property
    def drawn(self) -> str:
        """Whether there is a number to place on the scale."""
        return f"isValid({self.value}) && !({self.exact})"

    @property
    def position(self) -> str:
        """The number that the scale takes."""
        return f"1 - {self.value}" if self.kind == "nines" else self.value

    @property
    def level(self) -> str:
        """The position in decibels (linear: as it is), so that differences between rows are ratios."""
        return self.value if self.kind == "linear" else f"10 * log({self.position}) / LN10"

    @property
    def scale(self) -> Literal["linear", "log"]:
        """The type of the scale."""
        return "linear" if self.kind == "linear" else "log"

    @property
    def up_is_better(self) -> bool:
        """Whether larger positions are better."""
        return self.higher and self.kind != "nines"

    @property
    def direction(self) -> str:
        """What a reader has to know: which way is better."""
        return "higher is better" if self.higher else "lower is better"

    def place(self, row: dict[str, Any]) -> float | None:
        """The position of a row of the table as a number; None where it has none (`drawn`)."""
        value = row[self.metric]
        if value is None:
            return None
        position = 1 - value if self.kind == "nines" else value
        return None if self.kind != "linear" and position <= 0 else float(position)

    def is_exact(self, row: dict[str, Any]) -> bool:
        """`exact` for a row of the table."""
        if self.kind == "linear":
            return self.higher and f"{self.metric}:inf" in (row["flags"] or [])
        return bool(row[self.metric] == (1 if self.kind == "nines" else 0))

    def domain(self, values: Iterable[float]) -> tuple[float, float]:
        """The range of some positions, 0 where the scale is linear, and a margin, where exact values stand."""
        found = sorted(values) or [0.1, 1.0]
        if self.kind == "linear":
            low, high = min(found[0], 0.0), found[-1]
            margin = 0.06 * ((high - low) or 1.0)
            return (low - margin / 2 if low < 0 else low), high + margin
        low, high = math.log10(found[0]), math.log10(found[-1])
        margin = 0.06 * ((high - low) or 1.0)
        return 10 ** (low - margin), 10 ** (high + margin)

    def labels(self, domain: tuple[float, float]) -> dict[str, Any]:
        """Properties of an axis or legend that label the positions of a domain with values of the metric."""
        if self.kind == "linear":
            return {}
        low, high = (math.log10(v) for v in domain)
        digits = (1, 2, 5) if high - low < 2.5 else (1,)
        ticks = [d * 10.0**e for e in range(math.floor(low), math.ceil(high) + 1) for d in digits]
        values = [float(f"{t:.1g}") for t in ticks if domain[0] <= t <= domain[1]]
        if self.kind == "nines":
            return {"values": values, "labelExpr": "format(1 - datum.value, '.9~r')"}
        return {"values": values, "format": ".0e"}


def axis_of(name: str) -> Axis:
    """The axis of a metric: errors on a logarithmic scale, correlations by their nines, decibels and shares linear."""
    row = metrics.metric(name)
    higher = row.better == "higher"
    kind: Kind = "linear" if row.unit == "dB" or name in SHARES else "nines" if higher else "log"
    return Axis(name, TITLES.get(name, name), kind, higher, ".2f" if kind == "linear" else ".5f" if higher else ".2e")
