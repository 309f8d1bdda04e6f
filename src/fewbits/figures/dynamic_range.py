"""Range and precision: from the smallest to the largest value of each format, and how fine it is at 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.decades import decades
from fewbits.figures.palette import ZONES
from fewbits.figures.panels import beside, heading
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import ACCENT, INK, MUTED, styled

if TYPE_CHECKING:
    import polars

__all__ = ["dynamic_range"]

NEEDS = ("format", "element", "bits", "max", "min_normal", "min_positive", "epsilon", "values", "dynamic_range_db")
NORMAL, SUBNORMAL = ZONES["in range"], ZONES["subnormal: fewer digits"]


@register("Range and precision", NEEDS, metric=False)
def dynamic_range(table: polars.DataFrame, /) -> Spec:
    """Left the positive values of each format's element, with its range in decibels; right the distance from 1 to the next value.

    The yellow part is subnormal: there are values, but with fewer digits. Scales are not counted: they move the bar, not its length.
    """
    rows = chart_rows(table, NEEDS)
    for row in rows:
        row["db"] = "–" if row["dynamic_range_db"] is None else f"{row['dynamic_range_db']:.1f} dB"
        row["spoken"] = f"{row['format']}: {row['db']}, largest {row['max']:.6g}"
        row["fine"] = "–" if row["epsilon"] is None else f"{row['epsilon']:.3g}"
    reach = [value for row in rows for value in (row["min_positive"], row["max"]) if value]
    ends = [min(reach, default=0.1) / 2, max(reach, default=10.0) * 2]
    y = {
        "field": "format",
        "type": "nominal",
        "sort": None,
        "scale": {"domain": [row["format"] for row in rows]},
        "title": None,
        "axis": {"domain": False, "ticks": False, "labelPadding": 8, "labelLimit": 220},
    }
    tooltip = [
        {"field": "format"},
        {"field": "element"},
        {"field": "bits", "type": "quantitative", "title": "bits a weight, with scales", "format": ".4~f"},
        {"field": "max", "type": "quantitative", "format": ".6~g"},
        {"field": "min_normal", "type": "quantitative", "format": ".4~g"},
        {"field": "min_positive", "type": "quantitative", "format": ".4~g"},
        {"field": "values", "type": "quantitative", "title": "distinct finite values"},
        {"field": "db", "title": "range"},
    ]
    x: dict[str, Any] = {
        "type": "quantitative",
        "scale": {"type": "log", "domain": ends, "nice": False},
        "title": "positive values, before any scale (wider is more range)",
        "axis": decades(*ends),
    }
    parts = (("normal", "min_normal", "max", NORMAL), ("subnormal", "min_positive", "min_normal", SUBNORMAL))
    bars: list[Spec] = [
        {
            "name": name,
            "transform": [{"filter": f"datum.{low} > 0 && datum.{low} < datum.{high}"}],
            "mark": {"type": "bar", "height": 13, "color": colour},
            "encoding": {
                "x": {**x, "field": low},
                "x2": {"field": high},
                "y": y,
                "tooltip": tooltip,
                "description": {"field": "spoken"},
            },
        }
        for name, low, high, colour in parts
    ]
    text = {"type": "text", "align": "left", "dx": 6, "fontSize": 11, "color": INK, "aria": False}
    bars.append(
        {
            "name": "decibels",
            "transform": [{"filter": "datum.min_positive > 0"}],
            "mark": text,
            "encoding": {"x": {**x, "field": "max"}, "y": y, "text": {"field": "db"}},
        }
    )
    bars.append(
        {
            "name": "none",
            "transform": [{"filter": "!(datum.max > 0 && datum.min_positive > 0)"}],
            "mark": {**text, "color": MUTED, "fontStyle": "italic"},
            "encoding": {"x": {"value": 0}, "y": y, "text": {"value": "no positive value"}},
        }
    )
    left = styled(rows, bars, width=470, height={"step": 24}, title=heading("Range", "yellow: subnormal"))
    finest = _around([row["epsilon"] for row in rows])
    fine: dict[str, Any] = {
        "field": "epsilon",
        "type": "quantitative",
        "scale": {"type": "log", "reverse": True, "nice": False, "domain": list(finest)},
        "title": "distance from 1 to the next larger value (right is finer)",
        "axis": decades(*finest, most=6),
    }
    bare = {**y, "axis": None}
    right = styled(
        rows,
        [
            {
                "name": "precision",
                "transform": [{"filter": "datum.epsilon > 0"}],
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "color": ACCENT},
                "encoding": {
                    "x": fine,
                    "y": bare,
                    "tooltip": [{"field": "format"}, {"field": "fine", "title": "at 1"}],
                },
            },
            {
                "name": "distance",
                "transform": [{"filter": "datum.epsilon > 0"}],
                "mark": {**text, "dx": 9, "color": MUTED},
                "encoding": {"x": fine, "y": bare, "text": {"field": "fine"}},
            },
        ],
        width=280,
        height={"step": 24},
        title=heading("Precision at 1", "no point: 1 or the next value does not exist"),
    )
    return beside([left, right])


def _around(values: list[float | None]) -> tuple[float, float]:
    known = [value for value in values if value]
    return min(known, default=0.1) / 8, max(known, default=1.0) * 2
