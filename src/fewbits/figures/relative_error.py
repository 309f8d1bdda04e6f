"""Relative error against magnitude: the precision of a format, and where it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.decades import decades
from fewbits.figures.palette import ZONES
from fewbits.figures.panels import heading, stacked
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import series_color, styled

if TYPE_CHECKING:
    import polars

__all__ = ["relative_error"]

NEEDS = ("format", "element", "x", "error", "worst", "zero_to", "subnormal_to", "highest", "beyond")
WIDTH, HEIGHT = 800, 320


@register("Relative error against magnitude", NEEDS, metric=False)
def relative_error(table: polars.DataFrame, /) -> Spec:
    """The relative error of each format at each magnitude (thin) and the worst around it (bold); below, the zones it goes through.

    A shade marks where a format overflows. Exact results have no place on the logarithmic axis and are not drawn.
    """
    rows = chart_rows(table, NEEDS)
    formats = list(dict.fromkeys(row["format"] for row in rows))
    low, high = min((r["x"] for r in rows), default=1e-6), max((r["x"] for r in rows), default=1e5)
    worst = [row["worst"] for row in rows if row["worst"]]
    bottom = max(min(worst, default=1e-4) / 10, 1e-9)
    scale = {"type": "log", "domain": [low, high], "nice": False}
    x: dict[str, Any] = {
        "field": "x",
        "type": "quantitative",
        "scale": scale,
        "title": "magnitude |x| of the value, before any scale",
        "axis": {"grid": True, **decades(low, high)},
    }
    y: dict[str, Any] = {
        "type": "quantitative",
        "scale": {"type": "log", "domain": [bottom, 2], "nice": False, "clamp": True},
        "title": "relative error |q(x) − x| / |x| (lower is better)",
        "axis": decades(bottom, 2, percent=True),
    }
    color = {
        "field": "format",
        "type": "nominal",
        "sort": formats,
        "scale": {"domain": formats, "range": [series_color(i) for i in range(len(formats))]},
        "legend": {"title": None, "orient": "top", "symbolType": "square", "symbolOpacity": 1, "labelLimit": 260},
    }
    parts = _zones(rows, formats, low, high)
    over = [part for part in parts if part["zone"] == "overflows to ∞"]
    for i, part in enumerate(over):
        part |= {"text": f"{part['format']} overflows {part['says']}", "line": 10 + 15 * i}
    layers: list[Spec] = [
        {
            "name": "overflow",
            "data": {"values": over},
            "mark": {"type": "rect", "opacity": 0.12, "aria": False},
            "encoding": {
                "x": {**x, "field": "from"},
                "x2": {"field": "to"},
                "color": color,
            },
        },
        {
            "name": "overflows",
            "data": {"values": over},
            "mark": {"type": "text", "align": "right", "dx": -5, "fontSize": 11, "aria": False},
            "encoding": {
                "x": {**x, "field": "from"},
                "y": {"field": "line", "type": "quantitative", "scale": None, "axis": None},
                "text": {"field": "text"},
                "color": color,
            },
        },
        {
            "name": "errors",
            "transform": [{"filter": f"datum.error >= {bottom!r}"}],
            "mark": {"type": "line", "strokeWidth": 0.7, "opacity": 0.4, "aria": False},
            "encoding": {"x": x, "y": {**y, "field": "error"}, "color": color},
        },
        {
            "name": "worst",
            "transform": [{"filter": f"datum.worst >= {bottom!r}"}],
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"x": x, "y": {**y, "field": "worst"}, "color": color},
        },
    ]
    lines = [
        {key: row[key] for key in ("format", "x", "error", "worst")} for row in rows
    ]  # a page carries no more than it draws
    upper = styled(lines, layers, width=WIDTH, height=HEIGHT)
    return stacked([upper, _strip(parts, formats, x)])


def _strip(parts: list[dict[str, Any]], formats: list[str], x: dict[str, Any]) -> Spec:
    """A bar for each format, cut at the magnitudes where its precision changes."""
    present = {name: colour for name, colour in ZONES.items() if any(part["zone"] == name for part in parts)}
    y = {
        "field": "format",
        "type": "nominal",
        "sort": formats,
        "title": None,
        "axis": {"domain": False, "ticks": False, "labelPadding": 8, "labelLimit": 200},
    }
    color = {
        "field": "zone",
        "type": "nominal",
        "scale": {"domain": list(present), "range": list(present.values())},
        "legend": {"title": None, "orient": "bottom", "symbolType": "square", "symbolSize": 140, "columnPadding": 24},
    }
    bars = {
        "name": "zones",
        "mark": {"type": "bar", "height": 14},
        "encoding": {
            "x": {**x, "field": "from"},
            "x2": {"field": "to"},
            "y": y,
            "color": color,
            "description": {"field": "spoken"},
            "tooltip": [{"field": "format"}, {"field": "zone"}, {"field": "says", "title": "magnitudes"}],
        },
    }
    return styled(parts, [bars], width=WIDTH, height={"step": 22}, title=heading("Zones of magnitude"))


def _zones(rows: list[dict[str, Any]], formats: list[str], low: float, high: float) -> list[dict[str, Any]]:
    found = []
    for name in formats:
        row = next(r for r in rows if r["format"] == name)
        beyond = "overflows to ∞" if row["beyond"] == "overflows" else "saturates at the largest"
        zero, subnormal, highest = (row[key] for key in ("zero_to", "subnormal_to", "highest"))
        edges = [
            (0.0, zero or 0.0, "becomes 0"),
            (zero or 0.0, subnormal or 0.0, "subnormal: fewer digits"),
            (max(zero or 0.0, subnormal or 0.0), highest or high, "in range"),
            (highest or high, float("inf"), beyond),
        ]
        for start, stop, zone in edges:
            a, b = max(start, low), min(stop, high)
            if a < b:
                says = f"{start:.4g} … {stop:.4g}" if stop < float("inf") else f"above {start:.6g}"
                spoken = f"{name}: {zone}, {says}"
                found.append({"format": name, "zone": zone, "from": a, "to": b, "says": says, "spoken": spoken})
    return found
