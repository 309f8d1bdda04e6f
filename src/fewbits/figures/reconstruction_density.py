"""Original against reconstructed values of a tensor, as a density."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewbits.figures.channels import number
from fewbits.figures.registry import Spec, register
from fewbits.figures.style import DENSITY, MUTED, headed, styled

if TYPE_CHECKING:
    import polars

__all__ = ["reconstruction_density"]

NEEDS = ("x", "x2", "y", "y2", "count")
WIDTH, HEIGHT = 380, 260


@register("Original and reconstructed", NEEDS, metric=False)
def reconstruction_density(table: polars.DataFrame, /) -> Spec:
    """Counts of (value, reconstruction) pairs in cells, coloured by their logarithm; the diagonal is no error."""
    rows = [row for row in table.select(NEEDS).to_dicts() if row["count"] > 0]
    xs = [row["x"] for row in rows] + [row["x2"] for row in rows] or [0.0, 1.0]
    ys = [row["y"] for row in rows] + [row["y2"] for row in rows] or [0.0, 1.0]
    x_ends, y_ends = (min(xs), max(xs)), (min(ys), max(ys))
    most = max([2, *(row["count"] for row in rows)])
    if x_ends[1] <= y_ends[0] or y_ends[1] <= x_ends[0]:  # of a constant, say: both axes show both, and the diagonal
        x_ends = y_ends = min(xs + ys), max(xs + ys)
    diagonal = max(x_ends[0], y_ends[0]), min(x_ends[1], y_ends[1])
    x, y = number("x", "value", x_ends), number("y", "reconstructed value (nearer the diagonal is better)", y_ends)
    cells: Spec = {
        "name": "cells",
        "mark": {"type": "rect", "stroke": None},
        "encoding": {
            "x": x,
            "x2": {"field": "x2"},
            "y": y,
            "y2": {"field": "y2"},
            "color": {
                "field": "count",
                "type": "quantitative",
                "scale": {"type": "log", "domain": [1, most], "range": DENSITY},
                "legend": {"title": "values", "format": "~s", "gradientLength": 160, "tickCount": 4},
            },
            "tooltip": [
                {"field": "x", "type": "quantitative", "title": "value from", "format": ".4~g"},
                {"field": "y", "type": "quantitative", "title": "reconstructed from", "format": ".4~g"},
                {"field": "count", "type": "quantitative", "title": "values", "format": ","},
            ],
        },
    }
    line: Spec = {
        "name": "diagonal",
        "data": {"values": [{"x": at, "y": at} for at in diagonal]},
        "mark": {"type": "line", "color": MUTED, "strokeWidth": 1, "strokeDash": [4, 3]},
        "encoding": {"x": x, "y": y},
    }
    title = headed("Original and reconstructed", "colour: values in a cell (logarithmic); dashed: no error")
    return styled(rows, [line, cells], title=title, width=WIDTH, height=HEIGHT)
