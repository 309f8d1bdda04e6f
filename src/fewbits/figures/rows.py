"""Rows of a table for a chart: plain values, shapes as text, in an order that a reader expects."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars

__all__ = ["chart_rows", "formats_by_bits", "natural"]


def chart_rows(table: polars.DataFrame, columns: Iterable[str]) -> list[dict[str, Any]]:
    """These columns of a table as objects for Vega-Lite; a shape as `1024×4096`."""
    found = table.select(list(dict.fromkeys(columns))).to_dicts()
    for row in found:
        if "shape" in row:
            row["shape"] = "×".join(map(str, row["shape"] or []))
    return found


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key that counts: `layer.2` before `layer.10`."""
    return [
        (0, int(part), "") if part[0] in "0123456789" else (1, 0, part)
        for part in re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    ]


def formats_by_bits(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The formats in rows, by the least bits they take anywhere."""
    bits: dict[str, float] = {}
    for row in rows:
        bits[row["format"]] = min(row["bits"], bits.get(row["format"], row["bits"]))
    return sorted(bits, key=lambda name: bits[name])
