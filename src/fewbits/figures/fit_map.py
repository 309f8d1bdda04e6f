"""Which model fits which GPU in which format: cells that say the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.palette import FIT, ON_COLOUR
from fewbits.figures.panels import heading, stacked
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import MUTED, styled

if TYPE_CHECKING:
    import polars

__all__ = ["fit_map"]

NEEDS = ("model", "format", "bits", "gib", "gpu", "capacity", "fit")


@register("What fits which GPU", NEEDS, metric=False)
def fit_map(table: polars.DataFrame, /) -> Spec:
    """Formats in columns; rows are GPUs where there is one model, else models, with a panel for each GPU. Cells say GiB."""
    rows = chart_rows(table, NEEDS)
    for row in rows:
        row["says"] = f"{row['gib']:.1f}"
        row["device"] = f"{row['gpu']} ({row['capacity']:g} GiB)"
        row["spoken"] = f"{row['model']} in {row['format']}, {row['says']} GiB: {row['fit']} on {row['device']}"
    models = list(dict.fromkeys(row["model"] for row in rows))
    devices = list(dict.fromkeys(row["device"] for row in rows))
    if len(models) <= 1:
        return _panel(rows, "device", devices, heading(f"{''.join(models)}: GiB of weights"))
    panels = [
        _panel(
            [r for r in rows if r["device"] == device], "model", models, heading(f"{device}: GiB of weights"), i == 0
        )
        for i, device in enumerate(devices)
    ]
    return panels[0] if len(panels) == 1 else stacked(panels)


def _panel(rows: list[dict[str, Any]], down: str, order: list[str], title: dict[str, Any], legend: bool = True) -> Spec:
    quiet = {"domain": False, "ticks": False, "labelLimit": 220}
    formats = list(dict.fromkeys(row["format"] for row in rows))
    angle = -40 if max(map(len, formats), default=0) > 9 else 0
    place = {
        "x": {
            "field": "format",
            "type": "nominal",
            "sort": formats,
            "title": None,
            "axis": {**quiet, "orient": "top", "labelAngle": angle},
        },
        "y": {"field": down, "type": "nominal", "sort": order, "title": None, "axis": {**quiet, "labelPadding": 8}},
    }
    shown = {"title": None, "orient": "bottom", "symbolType": "square", "symbolSize": 160, "labelExpr": _LEGEND}
    color = {
        "field": "fit",
        "type": "nominal",
        "scale": {"domain": list(FIT), "range": list(FIT.values())},
        "legend": {**shown, "labelLimit": 400, "columnPadding": 30} if legend else None,
    }
    layers: list[Spec] = [
        {
            "name": "cells",
            "mark": {"type": "rect", "cornerRadius": 2, "width": {"band": 0.96}, "height": {"band": 0.92}},
            "encoding": {
                **place,
                "color": color,
                "description": {"field": "spoken"},
                "tooltip": [{"field": n} for n in ("model", "format", "device", "says", "fit")],
            },
        },
        {
            "name": "values",
            "mark": {"type": "text", "fontSize": 11, "aria": False},
            "encoding": {
                **place,
                "text": {"field": "says"},
                "color": {"condition": {"test": "datum.fit === 'does not fit'", "value": MUTED}, "value": ON_COLOUR},
            },
        },
    ]
    return styled(rows, layers, width={"step": 66}, height={"step": 26}, title=title)


_LEGEND = "datum.value === 'fits' ? 'fits: up to 85 %' : datum.value === 'tight' ? 'tight: up to 100 %' : datum.value"
