"""The values of an element on the number line: how many lie in a window, and where."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.element import MAX_BITS, Element
from fewbits.formats import Format

__all__ = ["count", "number_line", "windows"]

BINS = 800  # parts of a window that are told apart
WHOLE = 1000.0  # elements that reach no further are drawn whole
USUAL = 4.0

Window = tuple[float, float]


def windows(formats: Iterable[tuple[str, Format]]) -> list[Window]:
    """Windows worth looking at for all the formats: the whole range where it is small, −4 … 4, and around zero."""
    elements = [f.element for _, f in formats]
    lowest = min((e.lowest for e in elements), default=-USUAL)
    highest = max((e.highest for e in elements), default=USUAL)
    if highest - lowest <= 0:
        return [(-USUAL, USUAL)]
    found = [(lowest, highest)] if max(-lowest, highest) <= WHOLE else []
    if not found or max(-lowest, highest) > 2 * USUAL:
        found.append((-USUAL if lowest < 0 else 0.0, USUAL))
    normal = max((e.smallest_normal for e in elements if e.kind in ("float", "wide")), default=math.inf)
    if 4 * normal <= 1:  # around zero, where the subnormals of the coarsest lie
        found.append((-4 * normal if lowest < 0 else 0.0, 4 * normal))
    return found


def count(e: Element, low: float, high: float) -> int:
    """How many distinct values lie in low ≤ v ≤ high."""
    edges = np.array([low, high], np.float64)
    return int(_below(e, edges, True)[1] - _below(e, edges, False)[0])


def number_line(
    formats: Iterable[tuple[str, Format]], shown: Sequence[Window] = (), *, bins: int = BINS
) -> list[dict[str, Any]]:
    """A row for each format, window and part of it that holds values: format, element, low, high, start, stop, values, total.

    `start` … `stop` is where the values of the part lie: equal for one value alone. `total` counts those of the window.
    """
    named = list(formats)
    rows = []
    for low, high in shown or windows(named):
        edges = np.linspace(low, high, bins + 1)
        for name, f in named:
            e = f.element
            base = {"format": name, "element": str(e), "low": low, "high": high, "total": count(e, low, high)}
            before = _below(e, edges, False)
            before[-1] = _below(e, edges[-1:], True)[0]
            held = np.diff(before)
            for i in np.flatnonzero(held).tolist():
                start, stop = _ends(e, float(edges[i]), float(edges[i + 1]), int(before[i]), int(held[i]))
                rows.append(base | {"start": start, "stop": stop, "values": int(held[i])})
            if not held.any():
                rows.append(base | {"start": None, "stop": None, "values": 0})
    return rows


def _ends(e: Element, low: float, high: float, before: int, held: int) -> tuple[float, float]:
    """The first and the last value of a part; of many, its edges."""
    if e.bits > MAX_BITS:
        return low, high
    return e.values[before], e.values[before + held - 1]


def _below(e: Element, x: NDArray[np.float64], including: bool) -> NDArray[np.int64]:
    """How many values are below each x, or equal to it."""
    if e.bits <= MAX_BITS:
        return np.asarray(np.searchsorted(np.array(e.values), x, side="right" if including else "left"), np.int64)
    side = np.where(x < 0, -1, 1)
    positive = _up_to(e, np.abs(x), including)
    negative = _up_to(e, np.abs(x), not including)
    whole = int(_up_to(e, np.array([e.highest]), True)[0])
    at_zero = np.where((x > 0) | ((x == 0) & including), 1, 0)
    return np.where(side < 0, whole - negative, whole + at_zero + np.where(x > 0, positive, 0)).astype(np.int64)


def _up_to(e: Element, x: NDArray[np.float64], including: bool) -> NDArray[np.int64]:
    """How many positive values of a binade float are below each x ≥ 0, or equal to it."""
    clipped = np.minimum(x, e.highest)
    exponent = np.maximum(np.frexp(np.maximum(clipped, 1e-300))[1] - 1, e.min_exponent)
    steps = clipped / np.exp2(exponent - e.mantissa_bits)  # in units of the spacing there
    codes = (exponent - e.min_exponent).astype(np.float64) * 2.0**e.mantissa_bits + np.floor(steps)
    exact = (np.floor(steps) == steps) & (x <= e.highest) & (x > 0) & (not including)
    found: NDArray[np.int64] = (codes - exact).astype(np.int64)
    return found
