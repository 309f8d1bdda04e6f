"""Axes of powers of ten: labels a reader can take in, 0.001 and 1e−9 instead of 1e-3 and 0.000000001."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["decades"]

MOST = 13  # labels on an axis


def decades(low: float, high: float, *, percent: bool = False, most: int = MOST) -> dict[str, Any]:
    """Properties of an axis from low to high, both positive, with at most so many labels; `percent` labels 0.01 as 1 %."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = next((s for s in (1, 2, 5, 10, 20, 50) if (last - first) / s < most), 100)
    exponents = [e for e in range(first, last + 1) if e % step == 0]
    words = {f"{10.0**e:.0e}".replace("e-0", "e-").replace("e+0", "e+"): _word(e, percent) for e in exponents}
    return {
        "values": [float(f"1e{e}") for e in exponents],
        "labelExpr": f"{json.dumps(words, ensure_ascii=False)}[format(datum.value, '.0e')]",
    }


def _word(exponent: int, percent: bool) -> str:
    if percent:
        return f"{_word(exponent + 2, False)} %"
    if -4 <= exponent <= 5:
        return f"{10.0**exponent:g}" if exponent < 0 else f"{10**exponent}"
    return f"1e{exponent}".replace("-", "−")
