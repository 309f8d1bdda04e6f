"""The error of a format against the value it falls on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewbits.figures.channels import number
from fewbits.figures.registry import Spec, register
from fewbits.figures.style import ACCENT, INK, headed, styled

if TYPE_CHECKING:
    import polars

__all__ = ["error_value"]

NEEDS = ("part", "x", "x2", "error")
WIDTH, HEIGHT = 440, 260


@register("Error against value", NEEDS, metric=False)
def error_value(table: polars.DataFrame, /) -> Spec:
    """Errors of a sample of values as points (`part` sample), and the RMS error of all values per bin as bands (`part` bin)."""
    rows = [row for row in table.select(NEEDS).to_dicts() if row["error"] is not None]
    xs = [row["x"] for row in rows] + [row["x2"] for row in rows if row["part"] == "bin"] or [0.0, 1.0]
    most = max([abs(row["error"]) for row in rows], default=0.0) * 1.05 or 1.0
    x = number("x", "value", (min(xs), max(xs)))
    title = "error: reconstructed − value (nearer 0 is better)"
    y = number("error", title, (-most, most))
    steps: list[Spec] = [
        {
            "name": f"rms_{name}",
            "transform": [{"filter": "datum.part === 'bin'"}, {"calculate": f"{sign} * datum.error", "as": "rms"}],
            "mark": {"type": "rule", "color": INK, "strokeWidth": 1.5},
            "encoding": {
                "x": x,
                "x2": {"field": "x2"},
                "y": number("rms", title, (-most, most)),
                "tooltip": [{"field": "error", "type": "quantitative", "title": "RMS error", "format": ".3~g"}],
            },
        }
        for name, sign in (("above", 1), ("below", -1))
    ]
    points: Spec = {
        "name": "points",
        "transform": [{"filter": "datum.part === 'sample'"}],
        "mark": {"type": "point", "filled": True, "size": 7, "opacity": 0.4, "color": ACCENT},
        "encoding": {
            "x": x,
            "y": y,
            "tooltip": [
                {"field": "x", "type": "quantitative", "title": "value", "format": ".5~g"},
                {"field": "error", "type": "quantitative", "format": ".3~g"},
            ],
        },
    }
    text = "points: values drawn by a seed; lines: RMS error of all values in a bin, either way"
    return styled(rows, [points, *steps], title=headed("Error against value", text), width=WIDTH, height=HEIGHT)
