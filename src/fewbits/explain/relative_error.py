"""Relative error of an element against magnitude, with the zones where it overflows or flushes to zero."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.element import MAX_BITS, Element
from fewbits.formats import Format
from fewbits.kernels import reference
from fewbits.plan import plan

__all__ = ["magnitudes", "relative_error", "zones"]

POINTS = 1000
OCTAVE = 2.0
LOWEST, HIGHEST = 1e-6, 1e5  # magnitudes that are looked at, at most


def magnitudes(formats: Iterable[tuple[str, Format]], points: int = POINTS) -> NDArray[np.float64]:
    """Magnitudes in equal steps of their logarithm, whole decades that hold the range of the formats; within 1e-6 … 1e5."""
    elements = [f.element for _, f in formats if f.element.highest > 0]
    low = min((max(e.smallest / 4, LOWEST) for e in elements), default=LOWEST)
    high = max((min(e.highest * 4, HIGHEST) for e in elements), default=HIGHEST)
    return np.logspace(math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9), points)


def relative_error(formats: Sequence[tuple[str, Format]], points: int = POINTS) -> list[dict[str, Any]]:
    """A row for each format and magnitude x: format, element, x, result, error = |result − x| / x, worst, and its `zones`.

    The element alone is rounded, scale 1, by the arithmetic of `quantize`; `worst` is the largest within half
    an octave. error is None where the result is infinite.
    """
    x = magnitudes(formats, points)
    rows = []
    for name, f in formats:
        e = f.element
        with np.errstate(all="ignore"):
            made = reference.encode(x.astype(np.float32).reshape(1, 1, -1), plan(Format(e))).values.ravel()
            error = np.abs(made.astype(np.float64) - x) / x
        worst = _worst(e, x, error)
        base = {"format": name, "element": str(e)} | zones(e)
        for at, result, found, bound in zip(x.tolist(), made.tolist(), error.tolist(), worst.tolist(), strict=True):
            known = math.isfinite(result)
            row = {"x": at, "result": result if known else None, "error": found if known else None}
            rows.append({**base, **row, "worst": bound if math.isfinite(bound) else None})
    return rows


def zones(e: Element) -> dict[str, float | str | None]:
    """Magnitudes where precision ends: `zero_to` (what is smaller may become 0), `subnormal_to`, `highest`, and what is beyond it."""
    if e.highest <= 0:
        return {"zero_to": None, "subnormal_to": None, "highest": None, "beyond": "saturates"}
    subnormal = e.smallest_normal if e.smallest < e.smallest_normal else None
    zero = e.smallest / 2 if 0.0 in (e.values if e.bits <= MAX_BITS else (0.0,)) else None
    beyond = "overflows" if e.kind == "wide" else "saturates"
    return {"zero_to": zero, "subnormal_to": subnormal, "highest": e.highest, "beyond": beyond}


def _worst(e: Element, x: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest relative error within half an octave of each x, halfway between two values; beyond the range that at its end or at x."""
    if e.highest <= 0:
        return error
    if e.bits > MAX_BITS:
        spacing = np.exp2(np.maximum(np.floor(np.log2(x)), e.min_exponent) - e.mantissa_bits)
        middle, halfway = x, spacing / 2 / x
    else:
        positive = np.array([v for v in e.values if v >= 0], np.float64)
        middle = (positive[:-1] + positive[1:]) / 2
        halfway = (positive[1:] - positive[:-1]) / 2 / np.maximum(middle, 1e-300)
    inside = np.searchsorted(x, e.highest, side="right")
    worst = error.copy()
    for i, at in enumerate(x.tolist()):
        near = min(at, e.highest) / OCTAVE**0.5, min(at, e.highest) * OCTAVE**0.5
        a, b = np.searchsorted(middle, near)
        c, d = np.minimum(np.searchsorted(x, near), inside)
        worst[i] = max(worst[i], halfway[a:b].max(initial=0), error[c:d].max(initial=0))
    return worst
