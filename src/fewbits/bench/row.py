"""One line of the table: a figure, and what it must reach."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["COLUMNS", "Row"]

COLUMNS = ("what", "figure", "unit", "must", "goal", "verdict", "detail")


@dataclass(frozen=True)
class Row:
    """`figure` in `unit`; `must` and `goal` are reached from below (`at` "least") or above ("most"); None: nothing is asked."""

    what: str
    figure: float | None
    unit: str
    must: float | None = None
    goal: float | None = None
    at: Literal["least", "most"] = "least"
    detail: str = ""

    @property
    def verdict(self) -> str:
        """goal | reached | not reached | measured (nothing is asked) | not installed."""
        if self.figure is None:
            return "not installed"
        if self.must is None:
            return "measured"
        sign = 1 if self.at == "least" else -1
        if self.goal is not None and sign * self.figure >= sign * self.goal:
            return "goal"
        return "reached" if sign * self.figure >= sign * self.must else "not reached"

    def record(self) -> dict[str, Any]:
        """The row as `COLUMNS`."""
        found = asdict(self) | {"verdict": self.verdict}
        return {name: found[name] for name in COLUMNS}
