"""How every figure looks on its own: one typeface, one accent, quiet axes. A page may restyle it with CSS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

__all__ = ["ACCENT", "DIFFERENCE", "FONT", "HEAT", "INK", "LINE", "MUTED", "OTHER", "styled"]

FONT = "Helvetica Neue, Arial, Liberation Sans, sans-serif"
INK, MUTED, LINE = "#1a1d21", "#5b636d", "#dfe3e8"
ACCENT, OTHER = "#0b62c4", "#8a929c"

# Worst to best: lightness grows evenly, so it reads without colour vision and in print.
HEAT = ["#3b1a4f", "#403a76", "#2f5f8a", "#2a828c", "#3aa57f", "#8bc25f", "#f0dc5a"]
# Around a middle: worse than others of its kind … better.
DIFFERENCE = ["#a6321f", "#d9744f", "#f0bfa0", "#f4f2ee", "#a8cbe2", "#4e94c6", "#1a5c99"]


def styled(*layers: alt.Chart, params: Sequence[alt.Parameter] = (), **properties: Any) -> alt.LayerChart:
    """Layers as one chart with the common configuration."""
    import altair as alt

    label = {"labelColor": MUTED, "labelFontSize": 11, "titleColor": INK, "titleFontSize": 12, "titleFontWeight": 500}
    title = {"color": INK, "fontSize": 14, "fontWeight": 600, "subtitleColor": MUTED, "anchor": "start", "offset": 10}
    line = {"gridColor": LINE, "domainColor": LINE, "tickColor": LINE, "titlePadding": 8, "labelPadding": 4}
    config = {
        "font": FONT,
        "background": "white",
        "padding": 8,
        "axis": {**label, **line},
        "legend": {**label, "titlePadding": 6},
        "title": title,
        "view": {"stroke": None},
    }
    return alt.LayerChart(layer=list(layers), config=config, **properties).add_params(*params)
