"""How every figure looks on its own: one typeface, one accent, quiet axes. A page may restyle it with CSS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["ACCENT", "DIFFERENCE", "EMPTY", "FONT", "HEAT", "INK", "LINE", "MUTED", "OTHER", "styled"]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONT = "Helvetica Neue, Arial, Liberation Sans, sans-serif"
INK, MUTED, LINE, EMPTY = "#1a1d21", "#5b636d", "#dfe3e8", "#e4e7eb"
ACCENT, OTHER = "#0b62c4", "#8a929c"

# Worst to best: lightness grows evenly, so it reads without colour vision and in print.
HEAT = ["#3b1a4f", "#403a76", "#2f5f8a", "#2a828c", "#3aa57f", "#8bc25f", "#f0dc5a"]
# Around a middle: worse than others of its kind … better.
DIFFERENCE = ["#a6321f", "#d9744f", "#f0bfa0", "#f4f2ee", "#a8cbe2", "#4e94c6", "#1a5c99"]

_LABEL = {"labelColor": MUTED, "labelFontSize": 11, "titleColor": INK, "titleFontSize": 12, "titleFontWeight": 500}
_LINE = {"gridColor": LINE, "domainColor": LINE, "tickColor": LINE, "titlePadding": 8, "labelPadding": 4}
CONFIG = {
    "font": FONT,
    "background": "white",
    "padding": 8,
    "axis": {**_LABEL, **_LINE},
    "legend": {**_LABEL, "titlePadding": 6},
    "view": {"stroke": None},
}


def styled(rows: Sequence[dict[str, Any]], layers: Sequence[dict[str, Any]], **properties: Any) -> dict[str, Any]:
    """Layers over the same rows as one Vega-Lite specification with the common configuration."""
    return {"$schema": SCHEMA, "config": CONFIG, "data": {"values": list(rows)}, **properties, "layer": list(layers)}
