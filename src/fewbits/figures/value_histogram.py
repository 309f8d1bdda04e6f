"""How the values of a tensor are distributed, before and after a format, with the format's levels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fewbits.figures.channels import number
from fewbits.figures.registry import Spec, register
from fewbits.figures.style import ACCENT, INK, OTHER, SERIES, headed, styled

if TYPE_CHECKING:
    import polars

__all__ = ["value_histogram"]

NEEDS = ("part", "x", "x2", "original", "reconstructed")
WIDTH, HEIGHT = 440, 260
LEAST = 0.5  # where the logarithmic axis begins: a single value is seen
QUIET = {"aria": False}


@register("Values and levels", NEEDS, metric=False)
def value_histogram(table: polars.DataFrame, /) -> Spec:
    """Counts of values per bin (`part` bin), levels of the typical block (level) and the ends beyond which it clips (clip)."""
    rows = table.select(NEEDS).to_dicts()
    bins = [row for row in rows if row["part"] == "bin"]
    most = max([1.0, *(float(max(row["original"], row["reconstructed"])) for row in bins)])
    edges = [row["x"] for row in bins] + [row["x2"] for row in bins] or [0.0, 1.0]
    x = number("x", "value", (min(edges), max(edges)))
    inside = f"datum.x >= {min(edges)!r} && datum.x <= {max(edges)!r}"
    counts = (LEAST, most * 1.6)
    powers = [10**e for e in range(round(math.log10(counts[1])) + 1)]
    levels = sum(row["part"] == "level" for row in rows)
    ticks = f"ticks: {levels} levels of the typical block" if levels else "too many levels for ticks"
    clips = [row["x"] for row in rows if row["part"] == "clip" and min(edges) <= row["x"] <= max(edges)]
    layers: list[Spec] = [
        {
            "name": "original",
            "transform": [{"filter": "datum.part === 'bin' && datum.original > 0"}, {"calculate": f"{LEAST}", "as": "base"}],
            "mark": {"type": "rect", "color": OTHER, "opacity": 0.55},
            "encoding": {
                "x": x,
                "x2": {"field": "x2"},
                "y": number("original", "values in a bin (logarithmic)", counts, log=True, format="~s", values=powers),
                "y2": {"field": "base"},
                "tooltip": [
                    {"field": "x", "type": "quantitative", "title": "from", "format": ".4~g"},
                    {"field": "x2", "type": "quantitative", "title": "to", "format": ".4~g"},
                    {"field": "original", "type": "quantitative", "title": "values", "format": ","},
                    {"field": "reconstructed", "type": "quantitative", "title": "after", "format": ","},
                ],
            },
        },
        {
            "name": "reconstructed",
            "transform": [
                {"filter": "datum.part === 'bin'"},
                {"calculate": f"max(datum.reconstructed, {LEAST})", "as": "after"},
            ],
            "mark": {"type": "line", "interpolate": "step-after", "color": ACCENT, "strokeWidth": 1, **QUIET},
            "encoding": {"x": x, "y": number("after", "values in a bin (logarithmic)", counts, log=True, format="~s", values=powers)},
        },
        {
            "name": "levels",
            "transform": [{"filter": f"datum.part === 'level' && {inside}"}],
            "mark": {"type": "rule", "color": INK, "strokeWidth": 1, **QUIET},
            "encoding": {"x": x, "y": {"value": -2}, "y2": {"value": -11}},
        },
        {
            "name": "clips",
            "transform": [{"filter": f"datum.part === 'clip' && {inside}"}],
            "mark": {"type": "rule", "color": SERIES[6], "strokeWidth": 1.5, "strokeDash": [5, 3]},
            "encoding": {"x": x, "tooltip": [{"field": "x", "type": "quantitative", "title": "clips at", "format": ".4~g"}]},
        },
    ]  # fmt: skip
    text = f"grey: tensor; blue: reconstructed; {ticks}" + ("; dashed: where it clips" if clips else "")
    return styled(rows, layers, title=headed("Values and levels", text), width=WIDTH, height=HEIGHT)
