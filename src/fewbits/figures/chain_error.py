"""Error along chains of conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewbits.figures.channels import number
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import MUTED, headed, series_color, styled

if TYPE_CHECKING:
    import polars

__all__ = ["chain_error"]

NEEDS = ("chain", "step", "format", "sqnr_db", "previous_sqnr_db")
WIDTH, HEIGHT = 620, 320


@register("Error along chains of conversions", NEEDS, metric=False)
def chain_error(table: polars.DataFrame, /) -> Spec:
    """SQNR against the original after each step, a line a chain, each step named by its format; steps without error so far are not drawn."""
    every = chart_rows(table, NEEDS)
    chains = list(dict.fromkeys(row["chain"] for row in every))
    rows = [row for row in every if row["sqnr_db"] is not None]
    steps = max((row["step"] for row in rows), default=1)
    levels = [row["sqnr_db"] for row in rows] or [0.0, 60.0]
    spread = (max(levels) - min(levels)) or 10.0
    x = number("step", "step of the chain", (0.75, steps + 0.75), values=list(range(1, steps + 1)), format="d", grid=False)
    y = number("sqnr_db", "SQNR against the original, dB (higher is better)", (min(levels) - 0.1 * spread, max(levels) + 0.1 * spread))
    color = {
        "field": "chain",
        "type": "nominal",
        "scale": {"domain": chains, "range": [series_color(i) for i in range(len(chains))]},
        "legend": {"title": None, "orient": "top", "columns": 2, "labelLimit": 420, "symbolType": "stroke"},
    }
    shown = {"x": x, "y": y, "color": color}
    tooltip = [
        {"field": "chain"},
        {"field": "format"},
        {"field": "sqnr_db", "type": "quantitative", "title": "SQNR against the original, dB", "format": ".2f"},
        {"field": "previous_sqnr_db", "type": "quantitative", "title": "of this step alone, dB", "format": ".2f"},
    ]
    lines: Spec = {"name": "lines", "mark": {"type": "line", "strokeWidth": 1.5}, "encoding": shown}
    points: Spec = {
        "name": "points",
        "mark": {"type": "point", "filled": True, "size": 46, "opacity": 1},
        "encoding": {**shown, "tooltip": tooltip},
    }
    labels: Spec = {
        "name": "labels",
        "mark": {"type": "text", "align": "left", "dx": 7, "dy": -7, "fontSize": 10.5, "color": MUTED, "aria": False},
        "encoding": {"x": x, "y": y, "text": {"field": "format"}},
    }
    title = headed("Error along chains of conversions", "each step works on the result of the step before")
    return styled(rows, [lines, points, labels], title=title, width=WIDTH, height=HEIGHT)
