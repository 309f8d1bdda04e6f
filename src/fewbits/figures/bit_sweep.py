"""Error against the width of integers: MSE, SQNR beside its theory, and what compression costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.channels import number
from fewbits.figures.panels import beside, heading
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import ACCENT, MUTED, styled

if TYPE_CHECKING:
    import polars

__all__ = ["bit_sweep"]

NEEDS = ("bits", "mse", "sqnr_db", "theory_db", "compression")
SIDES = {"width": 265, "height": 250}
DOT: Spec = {"type": "point", "filled": True, "size": 40, "opacity": 1, "color": ACCENT}
LINE: Spec = {"type": "line", "color": ACCENT, "point": {"filled": True, "size": 40, "color": ACCENT}}


@register("Error against the width of integers", NEEDS, metric=False)
def bit_sweep(table: polars.DataFrame, /) -> Spec:
    """MSE and SQNR against bits, SQNR against compression; dashed: what uniform rounding noise would give."""
    rows = [row for row in chart_rows(table, NEEDS) if row["mse"] and row["sqnr_db"] is not None]
    bits = [row["bits"] for row in rows] or [2, 16]
    even = [n for n in range(min(bits), max(bits) + 1) if n % 2 == 0]
    x = number("bits", "bits a value", (min(bits) - 0.5, max(bits) + 0.5), values=even, tickCount=len(even), format="d")
    mse = number(
        "mse", "MSE (logarithmic, lower is better)", _far([row["mse"] for row in rows]), log=True, format=".0e"
    )
    levels = [row[name] for row in rows for name in ("sqnr_db", "theory_db")] or [0.0, 1.0]
    domain = min(levels) - 4, max(levels) + 4
    y = number("sqnr_db", "SQNR, dB (higher is better)", domain, format="d")
    ratios = [row["compression"] for row in rows] or [1.0, 16.0]
    across = number("compression", "compression: 32 / bits", (0, 1.2 * max(ratios)))
    theory: Spec = {
        "name": "theory",
        "mark": {"type": "line", "color": MUTED, "strokeDash": [5, 3]},
        "encoding": {"x": x, "y": {**y, "field": "theory_db"}},
    }
    labels: Spec = {
        "name": "labels",
        "transform": [{"calculate": "datum.bits + ' bits'", "as": "text"}],
        "mark": {"type": "text", "align": "left", "dx": 7, "dy": -4, "fontSize": 10, "color": MUTED, "aria": False},
        "encoding": {"x": across, "y": y, "text": {"field": "text"}},
    }
    panels = [
        styled(rows, [_series("mse", LINE, x, mse)], title=heading("Mean squared error"), **SIDES),
        styled(rows, [theory, _series("sqnr", DOT, x, y)], title=heading("SQNR; dashed: uniform noise"), **SIDES),
        styled(rows, [_series("trade", LINE, across, y), labels], title=heading("What compression costs"), **SIDES),
    ]
    return beside(panels, columns=3)


def _series(name: str, mark: Spec, x: dict[str, Any], y: dict[str, Any]) -> Spec:
    tooltip = [
        {"field": "bits"},
        {"field": "mse", "type": "quantitative", "title": "MSE", "format": ".3e"},
        {"field": "sqnr_db", "type": "quantitative", "title": "SQNR, dB", "format": ".2f"},
        {"field": "theory_db", "type": "quantitative", "title": "uniform noise, dB", "format": ".2f"},
    ]
    return {"name": name, "mark": mark, "encoding": {"x": x, "y": y, "tooltip": tooltip}}


def _far(values: list[float]) -> tuple[float, float]:
    return (min(values) / 3, max(values) * 3) if values else (0.1, 1.0)
