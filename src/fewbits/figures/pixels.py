"""Positions in pixels and back: what a chart's scales do, for layout that is decided before the chart is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["BEND", "Pixels"]

BEND = 4.0  # where a `symlog` scale turns from linear to logarithmic


@dataclass(frozen=True)
class Pixels:
    """A continuous scale from `domain` to 0 … `length` pixels, or down from `length` when `flipped`."""

    kind: Literal["linear", "log", "symlog"]
    domain: tuple[float, float]
    length: float
    flipped: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, at, high = (self._forward(v) for v in (self.domain[0], value, self.domain[1]))
        share = (at - low) / (high - low)
        return (1 - share if self.flipped else share) * self.length

    def value(self, pixel: float) -> float:
        """The value at a pixel."""
        low, high = (self._forward(v) for v in self.domain)
        share = 1 - pixel / self.length if self.flipped else pixel / self.length
        at = low + share * (high - low)
        return 10**at if self.kind == "log" else BEND * math.expm1(at) if self.kind == "symlog" else at

    def _forward(self, value: float) -> float:
        if self.kind == "log":
            return math.log10(value)
        return math.log1p(value / BEND) if self.kind == "symlog" else value
