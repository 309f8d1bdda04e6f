"""A format in numbers: bits with scales; range, precision and values of its element, before any scale."""

from __future__ import annotations

import bisect
import math
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from fewbits import catalog
from fewbits.element import Element
from fewbits.formats import Format

__all__ = ["distinct", "epsilon", "properties", "use"]


def properties(typed: str, f: Format) -> dict[str, Any]:
    """The row of a format, called as it was `typed`; None where an element has no such number."""
    e, name = f.element, catalog.name_of(f)
    named = next((row for row in catalog.rows() if row.name == name), None)
    highest, smallest = abs(e.extreme), e.smallest if e.highest > 0 else None
    return {
        "format": typed,
        "spec": str(f),
        "bits": f.limit_bits,
        "element": str(e),
        "max": highest,
        "min_normal": e.smallest_normal if smallest else None,
        "min_subnormal": smallest if smallest and smallest < e.smallest_normal else None,
        "min_positive": smallest,
        "epsilon": epsilon(e),
        "values": distinct(e),
        "dynamic_range_db": 20 * math.log10(highest / smallest) if smallest else None,
        "bytes_per_weight": f.limit_bits / 8,
        "title": named.title if named else "",
        "reference": named.reference if named else "",
    }


def distinct(e: Element) -> int:
    """How many different finite values an element has; wide floats are counted, not listed."""
    if e.kind == "wide":
        return ((1 << e.exponent_bits) - 1 << e.mantissa_bits + 1) - 1
    return len(e.values)


def epsilon(e: Element) -> float | None:
    """Precision at 1: the distance from 1 to the next larger value; None where one of them is no value."""
    if e.epsilon is not None or e.kind == "zero":
        return e.epsilon if e.highest > 1 else None
    after = bisect.bisect_right(e.values, 1.0)
    return e.values[after] - 1 if 0 < after < len(e.values) and e.values[after - 1] == 1 else None


def use(e: Element) -> str:
    """What an element is mostly used for; "" where there is no custom."""
    return _uses().get(e.name, "")


@cache
def _uses() -> dict[str, str]:
    data = tomllib.loads((Path(__file__).parent / "uses.toml").read_text(encoding="utf-8"))
    return dict(data["use"])
