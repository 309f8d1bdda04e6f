"""Memory of models in formats as bars, with the memory of GPUs as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.panels import beside, heading
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import ACCENT, GROUND, INK, MUTED, styled

if TYPE_CHECKING:
    import polars

__all__ = ["memory_bars"]

NEEDS = ("model", "format", "bits", "gib", "gpu", "capacity", "fit")
CAPACITY = 13  # pixels that the memory of GPUs takes above the bars


@register("Memory of the weights", NEEDS, metric=False)
def memory_bars(table: polars.DataFrame, /) -> Spec:
    """A panel for each model, a bar for each format; dashed lines are the memory of GPUs that stand near. Axes differ between panels."""
    rows = chart_rows(table, NEEDS)
    formats = list(dict.fromkeys(row["format"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    lines: dict[float, list[str]] = {}
    for row in rows:
        if row["gpu"] not in lines.setdefault(row["capacity"], []):
            lines[row["capacity"]].append(row["gpu"])
    wide = len(models) == 1
    panels = [_panel(model, [r for r in rows if r["model"] == model], formats, sorted(lines), wide) for model in models]
    note = ", ".join(f"{capacity:g} ({', '.join(lines[capacity])})" for capacity in sorted(lines))
    title = {**heading("Memory of the weights, GiB", f"dashed lines, memory of GPUs: {note}"), "offset": 16}
    return beside(panels or [styled([], [{"mark": "bar"}])], title=title)


def _panel(model: str, rows: list[dict[str, Any]], formats: list[str], capacities: list[float], wide: bool) -> Spec:
    bars = list({row["format"]: row for row in rows}.values())
    for row in bars:
        row["says"] = f"{row['gib']:.1f}" if row["gib"] >= 9.995 else f"{row['gib']:.2f}"
        row["spoken"] = f"{model} in {row['format']}: {row['says']} GiB"
    most = max((row["gib"] for row in bars), default=1.0)
    end = most * 1.15
    near = [capacity for capacity in capacities if capacity <= max(end, most * 1.5)]
    end = max(end, *(capacity * 1.05 for capacity in near)) if near else end
    apart = 0.02 if wide else 0.035  # labels need room
    named = [c for i, c in enumerate(near) if i == len(near) - 1 or near[i + 1] - c > apart * end]
    x: dict[str, Any] = {
        "field": "gib",
        "type": "quantitative",
        "scale": {"domain": [0, end], "nice": False},
        "title": "GiB (less is better)",
        "axis": {"grid": False, "tickCount": 5},
    }
    y = {
        "field": "format",
        "type": "nominal",
        "sort": formats,
        "title": None,
        "axis": {"domain": False, "ticks": False, "labelPadding": 6, "labelLimit": 200},
    }
    layers: list[Spec] = [
        {
            "name": "lines",
            "data": {"values": [{"capacity": capacity} for capacity in near]},
            "mark": {"type": "rule", "strokeDash": [4, 3], "color": MUTED, "aria": False},
            "encoding": {"x": {**x, "field": "capacity"}},
        },
        {
            "name": "bars",
            "mark": {"type": "bar", "height": 13, "color": ACCENT},
            "encoding": {
                "x": x,
                "y": y,
                "description": {"field": "spoken"},
                "tooltip": [
                    {"field": "format"},
                    {"field": "bits", "type": "quantitative", "title": "bits a parameter", "format": ".4~f"},
                    {"field": "says", "title": "GiB"},
                ],
            },
        },
        {
            "name": "capacities",
            "data": {"values": [{"capacity": capacity, "says": f"{capacity:g}"} for capacity in named]},
            "mark": {"type": "text", "baseline": "bottom", "dy": -3, "fontSize": 10, "color": MUTED, "aria": False},
            "encoding": {"x": {**x, "field": "capacity"}, "y": {"value": 0}, "text": {"field": "says"}},
        },
        *(
            {
                "name": name,
                "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 10.5, "aria": False, **colours},
                "encoding": {"x": x, "y": y, "text": {"field": "says"}},
            }
            # Where a line would run through a number, it stops around it.
            for name, colours in (("halos", {"stroke": GROUND, "strokeWidth": 4}), ("values", {"color": INK}))
        ),
    ]
    offset = 14 if named else 14 + CAPACITY  # titles of panels stand in line
    title = {**heading(model), "offset": offset}
    return styled(bars, layers, width=720 if wide else 330, height={"step": 19}, title=title)
