"""Layer × format heat map: which tensors a format hurts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fewbits.figures.axes import Axis, axis_of
from fewbits.figures.channels import short
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows, formats_by_bits, natural
from fewbits.figures.style import DIFFERENCE, EMPTY, HEAT, INK, styled

if TYPE_CHECKING:
    import polars

__all__ = ["heat_map"]

NEEDS = ("tensor", "shape", "format", "spec", "bits", "flags")
READABLE = 4000  # cells; with more, values are in the tooltip only
STEP, TALL = 17, 1360  # pixels: of a row, and of all rows of a large map, whose rows are lower and not all named
SPREAD = 6  # dB either side of the median; differences beyond have the colour of the end


@register("Layers and formats", NEEDS)
def heat_map(
    table: polars.DataFrame, metric: str = "sqnr_db", /, *, relative: bool = False, values: bool | None = None
) -> Spec:
    """A metric for every tensor (rows, in natural order) and format (columns, by bits); its data are the table's rows.

    `relative` colours the difference, in decibels, from the median of the same format: what stands out is a tensor
    that is harder than the others. Exact cells say so, undefined ones show a dash; neither has a colour of the scale.
    `values` writes the numbers into the cells; by default where there are not too many. Of more tensors than fit into
    1,360 pixels some are named, and rows are lower.
    """
    axis = axis_of(metric)
    rows = sorted(chart_rows(table, (*NEEDS, metric)), key=lambda row: natural(row["tensor"]))
    shade = "datum.level - datum.median" if relative else axis.position
    names = {"domain": False, "ticks": False}
    tensors = list(dict.fromkeys(row["tensor"] for row in rows))
    step = min(STEP, max(TALL // max(len(tensors), 1), 1))  # whole pixels: no seams
    few = {"values": tensors[:: math.ceil(STEP / step)]} if step < STEP else {}
    encoding = {
        "x": {
            "field": "format",
            "type": "nominal",
            "sort": formats_by_bits(rows),
            "title": None,
            "axis": {"orient": "top", "labelAngle": -45, **short(28), "zindex": 1, **names},
        },
        "y": {
            "field": "tensor",
            "type": "nominal",
            "sort": None,
            "title": None,
            "axis": {**short(), **few, "labelPadding": 6, "zindex": 1, **names},
        },
    }
    color = _relative_color(axis) if relative else _color(axis, rows)
    layers: list[Spec] = [
        {
            "name": "cells",
            "mark": {"type": "rect", "cursor": "pointer"},
            "encoding": {
                **encoding,
                "color": {"condition": {"test": "datum.drawn", **color}, "value": EMPTY},
                "description": {"field": "spoken"},
                "tooltip": [
                    {"field": "tensor"},
                    {"field": "shape"},
                    {"field": "format"},
                    {"field": "bits", "type": "quantitative", "title": "bits a weight", "format": ".4~f"},
                    axis.tooltip,
                    {"field": "difference", "title": "from the median of this format"},
                    {"field": "notes", "title": "flags"},
                ],
            },
        }
    ]
    if values or (values is None and len(rows) <= READABLE and step == STEP):
        dark = "datum.drawn && luminance(scale('color', datum.shade)) < 0.2"
        neutral = {"test": "!datum.drawn", "value": INK}  # a page may restyle it with the colour behind it
        layers.append(
            {
                "name": "values",
                "mark": {"type": "text", "fontSize": 10, "cursor": "pointer", "aria": False},
                "encoding": {
                    **encoding,
                    "text": {"field": "shown"},
                    "color": {"condition": [neutral, {"test": dark, "value": "white"}], "value": "#14171a"},
                },
            }
        )
    difference = "isValid(datum.level) ? format(datum.level - datum.median, '+.2f') + ' dB' : '–'"
    transform = [
        {"calculate": axis.drawn, "as": "drawn"},
        {"calculate": axis.exact, "as": "exact"},
        {"calculate": axis.says, "as": "says"},
        {"calculate": "datum.tensor + ', ' + datum.format + ': ' + datum.says", "as": "spoken"},
        {"calculate": f"({axis.drawn}) ? {axis.level} : null", "as": "level"},
        {"joinaggregate": [{"op": "median", "field": "level", "as": "median"}], "groupby": ["format"]},
        # A cell without a value has a number too: Vega-Lite draws null in the colour of 0 before it looks at `drawn`.
        {"calculate": f"({axis.drawn}) ? {shade} : 1", "as": "shade"},
        {"calculate": _shown(axis, relative), "as": "shown"},
        {"calculate": difference, "as": "difference"},
        {"calculate": "join(datum.flags || [], ', ') || 'none'", "as": "notes"},
    ]
    width = 44 if axis.kind == "linear" or relative else 58
    return styled(rows, layers, transform=transform, width={"step": width}, height={"step": step})


def _color(axis: Axis, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The colour of a value, from the worst to the best that there is."""
    found = [place for row in rows if (place := axis.place(row)) is not None]
    low, high = min(found, default=0.1), max(found, default=1.0)
    domain = (low, high) if low < high else axis.domain(found)
    colors = HEAT if axis.up_is_better else HEAT[::-1]
    title = f"{axis.title} ({axis.direction})"
    return {
        "field": "shade",
        "type": "quantitative",
        "scale": {"type": axis.scale, "domain": list(domain), "range": colors, "clamp": True},
        "legend": {"title": title, "titleLimit": 400, "orient": "top", "gradientLength": 240, "tickCount": 4}
        | axis.labels(domain),
    }


def _relative_color(axis: Axis) -> dict[str, Any]:
    """The colour of a difference from the median."""
    colors = DIFFERENCE if axis.up_is_better else DIFFERENCE[::-1]
    title = "difference from the format's median, dB"
    return {
        "field": "shade",
        "type": "quantitative",
        "scale": {"type": "linear", "domain": [-SPREAD, SPREAD], "range": colors, "clamp": True},
        "legend": {"title": title, "titleLimit": 400, "orient": "top", "gradientLength": 240, "format": "+"},
    }


def _shown(axis: Axis, relative: bool) -> str:
    """Vega expression for the text of a cell."""
    short = {".2f": ".1f", ".5f": ".4f"}.get(axis.format, ".1e")
    number = "format(datum.level - datum.median, '+.1f')" if relative else f"format({axis.value}, '{short}')"
    return f"datum.exact ? '{axis.exact_word}' : datum.drawn ? {number} : '–'"
