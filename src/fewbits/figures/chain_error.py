"""Error along chains of conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.channels import number
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import MUTED, headed, series_color, styled

if TYPE_CHECKING:
    import polars

__all__ = ["chain_error"]

NEEDS = ("chain", "step", "format", "sqnr_db", "previous_sqnr_db")
WIDTH, HEIGHT = 620, 320
NEAR = 14  # pixels; points no farther apart share a label


@register("Error along chains of conversions", NEEDS, metric=False)
def chain_error(table: polars.DataFrame, /) -> Spec:
    """SQNR against the original after each step, a line a chain, each step named by its format; steps without error are not drawn."""
    every = chart_rows(table, NEEDS)
    chains = list(dict.fromkeys(row["chain"] for row in every))
    rows = [row for row in every if row["sqnr_db"] is not None]
    steps = max((row["step"] for row in rows), default=1)
    levels = [row["sqnr_db"] for row in rows] or [0.0, 60.0]
    spread = (max(levels) - min(levels)) or 10.0
    x_at, y_at = (0.75, steps + 0.75), (min(levels) - 0.1 * spread, max(levels) + 0.1 * spread)
    x = number("step", "step of the chain", x_at, values=list(range(1, steps + 1)), format="d", grid=False)
    y = number("sqnr_db", "SQNR against the original, dB (higher is better)", y_at, format="d")
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
        "data": {"values": _labels(rows, NEAR * (y_at[1] - y_at[0]) / HEIGHT)},
        "mark": {"type": "text", "align": "left", "dx": 6, "dy": -8, "fontSize": 11, "color": MUTED, "aria": False},
        "encoding": {"x": x, "y": y, "text": {"field": "text"}},
    }
    title = headed("Error along chains of conversions", "each step works on the result of the step before")
    return styled(rows, [lines, points, labels], title=title, width=WIDTH, height=HEIGHT)


def _labels(rows: list[dict[str, Any]], near: float) -> list[dict[str, Any]]:
    """A label for the points of a step that lie within `near` dB of the highest of them: their formats, each once."""
    found: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: (row["step"], -row["sqnr_db"])):
        last = found[-1] if found else None
        if last is None or last["step"] != row["step"] or last["sqnr_db"] - row["sqnr_db"] > near:
            found.append({"step": row["step"], "sqnr_db": row["sqnr_db"], "formats": []})
        if row["format"] not in found[-1]["formats"]:
            found[-1]["formats"].append(row["format"])
    return [label | {"text": ", ".join(label.pop("formats"))} for label in found]
