"""Error row by row in several formats, and what each gains over the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.channels import number
from fewbits.figures.panels import beside, heading
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import MUTED, series_color, styled

if TYPE_CHECKING:
    import polars

__all__ = ["row_gain"]

NEEDS = ("row", "amax", "format", "mse", "gain")
SIDES = {"width": 360, "height": 260}
POINT = {"type": "point", "filled": True, "size": 26, "opacity": 0.8}


@register("Error of rows in several formats", NEEDS, metric=False)
def row_gain(table: polars.DataFrame, /) -> Spec:
    """Left the MSE of each row in each format, right how many times less it is than in the first format, against the row's scale."""
    rows = chart_rows(table, NEEDS)
    formats = list(dict.fromkeys(row["format"] for row in rows))
    color = {
        "field": "format",
        "type": "nominal",
        "scale": {"domain": formats, "range": [series_color(i) for i in range(len(formats))]},
        "legend": {"title": None, "orient": "top"},
    }
    errors = _points(
        [row for row in rows if row["mse"] > 0],
        {
            "x": number("row", "row", _wide([row["row"] for row in rows]), format="d"),
            "y": number("mse", "MSE (logarithmic, lower is better)", _far(rows, "mse"), log=True, format=".0e"),
            "color": color,
        },
        "Error of each row",
    )
    first = formats[0] if formats else ""
    others = [row for row in rows if row["format"] != first and row["gain"]]
    x = number("amax", "largest magnitude of the row (logarithmic)", _far(rows, "amax"), log=True, format=".2~g")
    y = number("gain", "improvement (logarithmic, higher is better)", _far(others, "gain", 1.0), log=True, format="~g")
    gains = _points(others, {"x": x, "y": y, "color": color}, f"How many times less than in {first}")
    gains["layer"].insert(
        0,
        {
            "name": "equal",
            "data": {"values": [{"gain": 1}]},
            "mark": {"type": "rule", "color": MUTED, "strokeDash": [4, 3]},
            "encoding": {"y": y},
        },
    )
    return beside([errors, gains], resolve={"scale": {"color": "shared"}}, spacing=40)


def _points(rows: list[dict[str, Any]], encoding: Spec, title: str) -> Spec:
    tooltip = [
        {"field": "row"},
        {"field": "format"},
        {"field": "mse", "type": "quantitative", "title": "MSE", "format": ".3e"},
        {"field": "gain", "type": "quantitative", "format": ".3~g"},
    ]
    points = {"name": "points", "mark": POINT, "encoding": {**encoding, "tooltip": tooltip}}
    return styled(rows, [points], title=heading(title), **SIDES)


def _wide(values: list[float]) -> tuple[float, float]:
    """The range of numbers of rows, with room at the ends."""
    return (min(values) - 1, max(values) + 1) if values else (0, 1)


def _far(rows: list[dict[str, Any]], name: str, *more: float) -> tuple[float, float]:
    """The range of the positive values of a column, with a margin: a factor of 1.3 either way."""
    found = [row[name] for row in rows if row[name]] + list(more) or [0.1, 1.0]
    return min(found) / 1.3, max(found) * 1.3
