"""Data inside the page: the table by columns, and charts without it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars

__all__ = ["columnar", "without_data"]


def columnar(table: polars.DataFrame) -> dict[str, Any]:
    """A table by columns: repeated texts, lists and other values once each (`values`, `at`), numbers as they are."""
    found: dict[str, Any] = {}
    for name in table.columns:
        values = table[name].to_list()
        if table[name].dtype.is_float():
            found[name] = [value if value is None else float(f"{value:.7g}") for value in values]
            continue
        places: dict[str, int] = {}
        at = [places.setdefault(json.dumps(value), len(places)) for value in values]
        found[name] = {"values": [json.loads(text) for text in places], "at": at}
    return found


def without_data(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A Vega-Lite specification whose data, named `table`, the page supplies."""
    return {**spec, "data": {"name": "table"}}
