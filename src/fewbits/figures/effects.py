"""What quantization does to values: four panels, all formats in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.channels import number
from fewbits.figures.panels import beside, heading
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import INK, MUTED, OTHER, series_color, styled

if TYPE_CHECKING:
    import polars

__all__ = ["effects"]

NEEDS = ("part", "format", "x", "x2", "y")
SIDES = {"width": 360, "height": 250}
ORIGINAL = "original"
BAR = {"type": "rect", "color": OTHER, "opacity": 0.55}


@register("Effects of quantization", NEEDS, metric=False)
def effects(table: polars.DataFrame, /) -> Spec:
    """Values in order of size, shares of errors, values with the coarsest format's levels, and pairs beside the diagonal."""
    rows = [row for row in chart_rows(table, NEEDS) if row["y"] is not None]
    formats = [name for name in dict.fromkeys(row["format"] for row in rows) if name != ORIGINAL]
    names = [ORIGINAL, *formats]
    color = {
        "field": "format",
        "type": "nominal",
        "sort": names,
        "scale": {"domain": names, "range": [INK, *(series_color(i) for i in range(len(formats)))]},
        "legend": {"title": None, "orient": "top", "symbolType": "square", "symbolOpacity": 1},
    }
    parts: dict[str, list[dict[str, Any]]] = {name: [] for name in ("sorted", "error", "value", "level", "pair")}
    for row in rows:
        parts[row["part"]].append(row)
    panels = [
        _sorted(parts["sorted"], color),
        _errors(parts["error"], color),
        _values(parts["value"], parts["level"]),
        _pairs(parts["pair"], color),
    ]
    return beside(panels, resolve={"scale": {"color": "shared"}}, spacing={"row": 32, "column": 40})


def _sorted(rows: list[dict[str, Any]], color: Spec) -> Spec:
    encoding = {
        "x": number("x", "rank of the value, from least to largest", (0, 1), format=".0%"),
        "y": number("y", "value"),
        "color": color,
    }
    original = f"datum.format === '{ORIGINAL}'"
    layers: list[Spec] = [
        {
            "name": name,
            "transform": [{"filter": test}],
            "mark": {"type": "line", "interpolate": interpolate, "strokeWidth": width, "opacity": opacity},
            "encoding": encoding,
        }
        for name, test, interpolate, width, opacity in (
            ("original", original, "linear", 5, 0.25),
            ("sorted", f"!({original})", "step", 1.5, 1),
        )
    ]
    return styled(rows, layers, title=heading("Values in order of size"), **SIDES)


def _errors(rows: list[dict[str, Any]], color: Spec) -> Spec:
    found = [
        row | {"density": row["y"] / (row["x2"] - row["x"])} for row in rows if row["y"] > 0 and row["x2"] > row["x"]
    ]
    density = [row["density"] for row in found] or [1.0]
    low, high = min(density) / 3, 2 * max(density)
    bars: Spec = {
        "name": "errors",
        "transform": [{"calculate": f"{low!r}", "as": "base"}],
        "mark": {"type": "rect", "opacity": 0.6},
        "encoding": {
            "x": number("x", "error: reconstructed − value"),
            "x2": {"field": "x2"},
            "y": number("density", "density of the errors (logarithmic)", (low, high), log=True),
            "y2": {"field": "base"},
            "color": color,
        },
    }
    return styled(found, [bars], title=heading("Errors"), **SIDES)


def _values(rows: list[dict[str, Any]], levels: list[dict[str, Any]]) -> Spec:
    x = number("x", "value")
    most = max((row["y"] for row in rows), default=1.0)
    bars: Spec = {
        "name": "values",
        "mark": BAR,
        "encoding": {
            "x": x,
            "x2": {"field": "x2"},
            "y": number("y", "share of the values", (0, 1.05 * most), format="~%"),
            "y2": {"datum": 0},
        },
    }
    lines: Spec = {
        "name": "levels",
        "data": {"values": levels},
        "mark": {"type": "rule", "color": MUTED, "strokeDash": [3, 2]},
        "encoding": {"x": x},
    }
    title = "Values" + (f", and the {len(levels)} levels of {levels[0]['format']}" if levels else "")
    return styled(rows, [bars, lines], title=heading(title), **SIDES)


def _pairs(rows: list[dict[str, Any]], color: Spec) -> Spec:
    ends = [row[axis] for row in rows for axis in ("x", "y")] or [0.0, 1.0]
    low, high = min(ends), max(ends)
    margin = 0.04 * ((high - low) or 1.0)
    domain = low - margin, high + margin
    x, y = number("x", "value", domain), number("y", "reconstructed value", domain)
    diagonal: Spec = {
        "name": "diagonal",
        "data": {"values": [{"x": at, "y": at} for at in domain]},
        "mark": {"type": "line", "color": MUTED, "strokeWidth": 1, "strokeDash": [4, 3]},
        "encoding": {"x": x, "y": y},
    }
    points: Spec = {
        "name": "pairs",
        "mark": {"type": "point", "filled": True, "size": 16, "opacity": 0.7},
        "encoding": {"x": x, "y": y, "color": color},
    }
    count = len({row["x"] for row in rows})
    return styled(rows, [diagonal, points], title=heading(f"{count} values; dashed: no error"), **SIDES)
