"""A legend that is part of the chart: it lists the series that are visible, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fewbits.figures.registry import Spec

__all__ = ["checkboxes", "legend", "visible"]

LINE = 18  # pixels
QUIET = {"aria": False}


def checkboxes(names: Sequence[str]) -> list[Spec]:
    """One checkbox a series, all on: in a page they stand beside the chart, in a picture they do nothing."""
    return [
        {"name": f"show_{i}", "value": True, "bind": {"input": "checkbox", "name": name}}
        for i, name in enumerate(names)
    ]


def visible(count: int) -> Spec:
    """The transform that leaves the rows of checked series; rows have `order`, the number of their series."""
    shown = ", ".join(f"show_{i}" for i in range(count))
    return {"filter": f"[{shown}][datum.order]"}


def legend(left: float, styles: dict[str, Any], top: float = 4) -> list[Spec]:
    """Layers with a line and the name of each series, `left` pixels from the chart's left edge; `styles` are those of the lines.

    Rows have `series`, `order`, and what `styles` encode.
    """
    fields = {style["field"] for style in styles.values() if "field" in style}
    transform = [
        {"aggregate": [{"op": "count", "as": "points"}], "groupby": sorted({"series", "order"} | fields)},
        {"sort": [{"field": "order"}], "window": [{"op": "row_number", "as": "place"}]},
        {"calculate": f"{top} + (datum.place - 1) * {LINE}", "as": "legend_y"},
    ]
    y = {"field": "legend_y", "type": "quantitative", "scale": None, "axis": None}
    return [
        {
            "name": "legend_lines",
            "transform": transform,
            "mark": {"type": "rule", "clip": False, **QUIET},
            "encoding": {"x": {"value": left}, "x2": {"value": left + 30}, "y": y, **styles},
        },
        {
            "name": "legend_names",
            "transform": transform,
            "mark": {"type": "text", "align": "left", "baseline": "middle", "fontSize": 11, "clip": False, **QUIET},
            "encoding": {"x": {"value": left + 38}, "y": y, "text": {"field": "series"}},
        },
    ]
