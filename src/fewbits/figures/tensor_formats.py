"""One tensor in every format, and where each format stands over all tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.errors import UsageError
from fewbits.figures.axes import axis_of
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows, formats_by_bits
from fewbits.figures.style import ACCENT, MUTED, styled

if TYPE_CHECKING:
    import polars

__all__ = ["tensor_formats"]

NEEDS = ("tensor", "shape", "format", "spec", "bits", "flags")
ALL = "(all)"


@register("One tensor in every format", NEEDS)
def tensor_formats(table: polars.DataFrame, metric: str = "sqnr_db", /, *, tensor: str = "") -> Spec:
    """A metric of one tensor (default: the first) in every format, by bits; the tensor `(all)` is drawn as ticks."""
    axis = axis_of(metric)
    everything = chart_rows(table, (*NEEDS, metric))
    names = [name for row in everything if (name := row["tensor"]) != ALL]
    if not names or (tensor and tensor not in names):
        raise UsageError(f"the table has no tensor '{tensor}'")
    rows = [row for row in everything if row["tensor"] in (tensor or names[0], ALL)]
    # Of the whole table, so that the axis stays where it is when another tensor is shown.
    domain = axis.domain(place for row in everything if (place := axis.place(row)) is not None)
    scale = {"type": axis.scale, "domain": list(domain), "nice": False, "zero": False, "reverse": axis.kind == "nines"}
    y = {
        "field": "format",
        "type": "nominal",
        "sort": formats_by_bits(everything),
        "title": None,
        "axis": {"labelLimit": 200, "domain": False, "ticks": False, "labelPadding": 10},
    }
    x = {
        "field": "at",
        "type": "quantitative",
        "title": f"{axis.title} ({axis.direction})",
        "scale": scale,
        "axis": {**axis.labels(domain), "domain": False, "ticks": False},
    }
    tooltip: list[dict[str, Any]] = [
        {"field": "tensor"},
        {"field": "format"},
        {"field": "spec"},
        {"field": "bits", "type": "quantitative", "title": "bits a weight", "format": ".4~f"},
        axis.tooltip,
    ]
    word = f"datum.exact ? '{axis.exact_word}' : 'undefined'"
    layers: list[Spec] = [
        {
            "name": "everywhere",
            "transform": [{"filter": f"datum.tensor === '{ALL}' && datum.drawn"}],
            "mark": {"type": "tick", "color": MUTED, "thickness": 2, "size": 14},
            "encoding": {"x": x, "y": y, "tooltip": tooltip, "description": {"field": "spoken"}},
        },
        {
            "name": "points",
            "transform": [{"filter": f"datum.tensor !== '{ALL}' && datum.drawn"}],
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "color": ACCENT},
            "encoding": {"x": x, "y": y, "tooltip": tooltip, "description": {"field": "spoken"}},
        },
        {
            "name": "words",
            "transform": [{"filter": f"datum.tensor !== '{ALL}' && !datum.drawn"}, {"calculate": word, "as": "word"}],
            "mark": {"type": "text", "align": "left", "dx": 4, "color": MUTED, "fontSize": 11, "fontStyle": "italic"},
            "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "word"}},
        },
    ]
    transform = [
        {"calculate": axis.exact, "as": "exact"},
        {"calculate": axis.says, "as": "says"},
        {"calculate": "datum.tensor + ', ' + datum.format + ': ' + datum.says", "as": "spoken"},
        {"calculate": axis.drawn, "as": "drawn"},
        {"calculate": f"({axis.drawn}) ? {axis.position} : null", "as": "at"},
    ]
    return styled(rows, layers, transform=transform, width=620, height={"step": 20})
