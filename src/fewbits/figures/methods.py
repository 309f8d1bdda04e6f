"""Methods side by side: error as bars, and where the Gaussian bound is at the bits of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fewbits.figures.axes import axis_of
from fewbits.figures.registry import Spec, register
from fewbits.figures.style import ACCENT, CONFIG, INK, LINE, SCHEMA, headed

if TYPE_CHECKING:
    import polars

__all__ = ["methods"]

NEEDS = ("format", "mse", "bits", "gap")
DECIBELS = 20 * math.log10(2)  # a bit
WIDTH = 300
TOOLTIP = [
    {"field": "method"},
    {"field": "bits", "type": "quantitative", "title": "bits a weight", "format": ".4~f"},
    {"field": "mse", "type": "quantitative", "title": "MSE", "format": ".3e"},
    {"field": "sqnr_db", "type": "quantitative", "title": "SQNR, dB", "format": ".2f"},
    {"field": "gap", "type": "quantitative", "title": "gap to the Gaussian bound, bits", "format": "+.3f"},
]


@register("Methods and the Gaussian bound at their bits", NEEDS)
def methods(table: polars.DataFrame, metric: str = "sqnr_db", /) -> Spec:
    """Two panels of bars, least error on top: MSE (log) and SQNR; a tick is a Gaussian source's bound at the method's own rate.

    Methods without error have neither bar: their MSE is 0 and their SQNR infinite. They are named as exact.
    """
    rows = [_row(row) for row in table.iter_rows(named=True) if row["mse"] is not None and row["bits"] is not None]
    rows.sort(key=lambda row: (row["mse"], row["bits"]))
    panels = [_panel(rows, "mse", "MSE (lower is better)", "log", first=True)]
    panels.append(_panel(rows, "sqnr_db", "SQNR, dB (higher is better)", "linear", first=False))
    title = headed("Error of methods", "ticks: the bound of a Gaussian source at the method's bits") | {
        "frame": "bounds"
    }
    return {"$schema": SCHEMA, "config": CONFIG, "title": title, "data": {"values": rows}, "hconcat": panels}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    sqnr, gap = row["sqnr_db"], row["gap"]
    exact = row["mse"] == 0
    known = not exact and gap is not None and sqnr is not None
    return {
        "method": f"{row['format']}, {row['bits']:.4g} bits" + (", exact" if exact else ""),
        "bits": row["bits"],
        "mse": row["mse"],
        "sqnr_db": None if exact else sqnr,
        "gap": gap,
        "mse_bound": row["mse"] * 4.0**-gap if known else None,
        "sqnr_db_bound": sqnr + DECIBELS * gap if known else None,
    }


def _panel(rows: list[dict[str, Any]], field: str, title: str, scale: str, *, first: bool) -> dict[str, Any]:
    values = [row[name] for row in rows for name in (field, f"{field}_bound") if row[name]]
    low, high = (min(values), max(values)) if values else (1.0, 1.0)
    domain = [low / 2, high * 1.2] if scale == "log" else [min(low, 0.0), high * 1.05]
    x = {
        "type": "quantitative",
        "title": title,
        "scale": {"type": scale, "domain": domain, "nice": False, "clamp": True},
        "axis": {
            "domain": False,
            "ticks": False,
            "tickCount": 4,
            "gridColor": LINE,
            **(axis_of("mse").labels((domain[0], domain[1])) if scale == "log" else {"format": "d"}),
        },
    }
    axis = {"labelLimit": 360, "labelPadding": 6, "domain": False, "ticks": False, "title": None} if first else None
    order = [row["method"] for row in rows]  # the whole domain: exact methods have a line and no bar
    y = {"field": "method", "type": "nominal", "sort": None, "scale": {"domain": order}, "axis": axis}
    bar = {"type": "bar", "color": ACCENT, "height": {"band": 0.6}}
    bars = {
        "name": f"{field}_bars",
        "transform": [{"filter": f"isValid(datum.{field}) && datum.{field} > 0"}],
        "mark": bar,
        "encoding": {"x": x | {"field": field}, "x2": {"datum": domain[0]}, "y": y, "tooltip": TOOLTIP},
    }
    tick = {"type": "tick", "color": INK, "thickness": 2, "size": 18}
    ticks = {
        "name": f"{field}_bounds",
        "transform": [{"filter": f"isValid(datum.{field}_bound)"}],
        "mark": tick,
        "encoding": {"x": x | {"field": f"{field}_bound"}, "y": y, "tooltip": TOOLTIP},
    }
    return {"width": WIDTH, "height": {"step": 26}, "layer": [bars, ticks]}
