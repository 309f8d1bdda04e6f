"""Tensors by their error, worst first: which ones a checkpoint pays for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fewbits.figures.axes import Axis, axis_of
from fewbits.figures.channels import short
from fewbits.figures.front import goodness
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import INK, SERIES, styled

if TYPE_CHECKING:
    import polars

__all__ = ["tensor_errors"]

NEEDS = ("tensor", "shape", "format", "spec", "bits", "flags")
MOST = 60  # tensors that are drawn
LEAST = 6.0  # decibels that the axis spans, so that tensors that are alike look alike


@register("Tensors by their error", NEEDS)
def tensor_errors(table: polars.DataFrame, metric: str = "sqnr_db", /) -> Spec:
    """A metric of every tensor as a point, the worst on top; beyond `MOST` tensors, the worst of them, and a title that says so.

    Colours are formats; of one format alone, specs. Exact tensors are triangles on the better edge; undefined ones are not drawn.
    """
    axis = axis_of(metric)
    rows = [r for r in chart_rows(table, (*NEEDS, metric)) if axis.place(r) is not None or axis.is_exact(r)]
    worst: dict[str, float] = {}
    for row in rows:
        worst[row["tensor"]] = min(goodness(row, axis), worst.get(row["tensor"], math.inf))
    names = sorted(worst, key=lambda name: worst[name])[:MOST]
    kept = set(names)
    formats = list(dict.fromkeys(row["format"] for row in rows))
    series = "spec" if len(formats) == 1 else "format"
    rows = [row for row in rows if row["tensor"] in kept]
    left_out = f": the worst {MOST} of {len(worst)} tensors" if len(worst) > MOST else ""
    domain = _domain(axis, [place for row in rows if (place := axis.place(row)) is not None])
    edge = domain[1] if axis.up_is_better else domain[0]
    scale = {"type": axis.scale, "domain": list(domain), "nice": False, "zero": False, "reverse": axis.kind == "nines"}
    encoding: dict[str, Any] = {
        "y": {
            "field": "tensor",
            "type": "nominal",
            "sort": names,
            "title": None,
            "axis": {**short(70), "labelPadding": 6, "domain": False, "ticks": False, "grid": True},
        },
        "x": {
            "field": "at",
            "type": "quantitative",
            "title": f"{axis.title} ({axis.direction})",
            "scale": scale,
            "axis": {**axis.labels(domain), "domain": False, "ticks": False},
        },
        "color": {
            "field": series,
            "type": "nominal",
            "sort": None,
            "scale": {"range": SERIES},
            "legend": {
                "title": "stored as" if series == "spec" else None,
                "orient": "top",
                "labelLimit": 400,
                "columns": 2,
            },
        },
        "shape": {"condition": {"test": "datum.exact", "value": "triangle-right"}, "value": "circle"},
        "description": {"field": "spoken"},
        "tooltip": [
            {"field": "tensor"},
            {"field": "shape"},
            {"field": "format"},
            {"field": "spec"},
            {"field": "bits", "type": "quantitative", "title": "bits a weight", "format": ".4~f"},
            axis.tooltip,
        ],
    }
    points = {"type": "point", "filled": True, "size": 60, "opacity": 0.9}
    transform = [
        {"calculate": axis.exact, "as": "exact"},
        {"calculate": axis.says, "as": "says"},
        {"calculate": "datum.tensor + ', ' + datum.format + ': ' + datum.says", "as": "spoken"},
        {"calculate": f"({axis.exact}) ? {edge!r} : {axis.position}", "as": "at"},
    ]
    title = {
        "text": (formats[0] if len(formats) == 1 else "") + left_out,
        "anchor": "start",
        "fontSize": 13,
        "color": INK,
    }
    layers = [{"name": "points", "mark": points, "encoding": encoding}]
    return styled(rows, layers, transform=transform, title=title, width=520, height={"step": 15})


def _domain(axis: Axis, values: list[float]) -> tuple[float, float]:
    """The range of the positions; points need no zero, so decibels start where the worst is."""
    if axis.kind != "linear" or not values or max(values) <= 1:
        return axis.domain(values)
    low, high = min(values), max(values)
    margin = max(0.06 * (high - low), (LEAST - (high - low)) / 2)
    return low - margin, high + margin
