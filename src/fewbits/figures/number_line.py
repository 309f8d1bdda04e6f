"""The number line: every value that a format's element has, at several zooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.panels import heading, stacked
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import LINE, MUTED, series_color, styled

if TYPE_CHECKING:
    import polars

__all__ = ["number_line"]

NEEDS = ("format", "element", "low", "high", "start", "stop", "values", "total")
WIDTH = 800


@register("Values on the number line", NEEDS, metric=False)
def number_line(table: polars.DataFrame, /) -> Spec:
    """A panel for each window, a line for each format: a tick where there are values, taller where there are more.

    The number at the end of a line counts the distinct values in the window.
    """
    rows = chart_rows(table, NEEDS)
    formats = list(dict.fromkeys(row["format"] for row in rows))
    windows = list(dict.fromkeys((row["low"], row["high"]) for row in rows))
    shown = [_panel([r for r in rows if (r["low"], r["high"]) == window], window, formats) for window in windows]
    return shown[0] if len(shown) == 1 else stacked(shown or [styled([], [{"mark": "tick"}])])


def _panel(rows: list[dict[str, Any]], window: tuple[float, float], formats: list[str]) -> Spec:
    most = max((row["values"] for row in rows), default=1)
    for row in rows:
        alone = row["values"] == 1
        row["at"] = None if row["start"] is None else (row["start"] + row["stop"]) / 2
        row["says"] = f"{row['start']:.8g}" if alone else f"{row['values']} values" if row["values"] else "none"
        row["spoken"] = f"{row['format']}: {row['says']}"
    first = {row["format"]: row["total"] for row in rows}
    totals = [
        {"format": name, "low": window[0], "high": window[1], "text": f"{total:,}".replace(",", "\u2009")}
        for name, total in first.items()
    ]
    x: dict[str, Any] = {
        "field": "at",
        "type": "quantitative",
        "title": "value, before any scale",
        "scale": {"domain": list(window), "nice": False, "zero": False},
        "axis": {"grid": False, "format": "~g", "tickCount": 9},
    }
    y = {
        "field": "format",
        "type": "nominal",
        "sort": formats,
        "title": None,
        "axis": {"domain": False, "ticks": False, "labelPadding": 8, "labelLimit": 200},
    }
    height: dict[str, Any] = {"value": 14}
    if most > 1:
        height = {
            "field": "values",
            "type": "quantitative",
            "scale": {"type": "log", "domain": [1, most], "range": [12, 30]},
            "legend": None,
        }
    layers: list[Spec] = [
        {
            "name": "lines",
            "data": {"values": totals},
            "mark": {"type": "rule", "color": LINE, "aria": False},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y},
        },
        {
            "name": "ticks",
            "transform": [{"filter": "isValid(datum.at)"}],
            "mark": {"type": "tick", "orient": "vertical", "thickness": 1},
            "encoding": {
                "x": x,
                "y": y,
                "size": height,
                "color": {
                    "field": "format",
                    "type": "nominal",
                    "sort": formats,
                    "scale": {"domain": formats, "range": [series_color(i) for i in range(len(formats))]},
                    "legend": None,
                },
                "description": {"field": "spoken"},
                "tooltip": [{"field": "format"}, {"field": "element"}, {"field": "says", "title": "here"}],
            },
        },
        {
            "name": "totals",
            "data": {"values": totals},
            "mark": {"type": "text", "align": "left", "dx": 8, "fontSize": 11, "color": MUTED},
            "encoding": {"x": {**x, "field": "high"}, "y": y, "text": {"field": "text"}},
        },
    ]
    low, high = (f"{value:.6g}".replace("-", "−") for value in window)
    note = (
        "at the right the number of values; taller ticks stand for more values in 1/800 of the line"
        if most > 1
        else "at the right the number of values"
    )
    return styled(rows, layers, width=WIDTH, height={"step": 38}, title=heading(f"{low} … {high}", note))
