"""Position channels: a number on an axis that says what it is."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["number", "short"]


def number(
    field: str,
    title: str,
    domain: tuple[float, float] | None = None,
    *,
    log: bool = False,
    **axis: Any,
) -> dict[str, Any]:
    """A quantitative channel with a title; `domain` as given, not rounded to nice ends; a logarithmic one has ticks of its own."""
    scale: dict[str, Any] = {"type": "log" if log else "linear", "nice": False, "zero": False}
    if domain is not None:
        scale["domain"] = list(domain)
    shown: dict[str, Any] = {"format": "~g", "labelOverlap": True, "tickCount": 6}
    if log and domain is not None:
        shown["values"] = _ticks(*domain)
    shown |= axis
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": shown}


def short(characters: int = 60) -> dict[str, Any]:
    """Properties of an axis of names: of long ones the beginning and the end. Vega's own limit measures each name many times."""
    ends = characters // 2
    cut = f"slice(datum.label, 0, {ends}) + '…' + slice(datum.label, length(datum.label) - {characters - ends - 1})"
    return {"labelLimit": 0, "labelExpr": f"length(datum.label) > {characters} ? {cut} : datum.label"}


def _ticks(low: float, high: float) -> list[float]:
    """Powers of ten, every so many that there are at most eight; 1, 2 and 5 of each where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    digits, step = ((1, 2, 5), 1) if math.log10(high / low) < 2 else ((1,), -(-(last - first) // 8))
    found = [float(f"{d}e{e}") for e in range(first, last + 1, step) for d in digits]
    return [tick for tick in found if low <= tick <= high]
