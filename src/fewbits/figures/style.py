"""How every figure looks on its own: one typeface, one accent, quiet axes. A page may restyle it with CSS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "ACCENT",
    "CONFIG",
    "DARK",
    "DARK_GROUND",
    "DENSITY",
    "DIFFERENCE",
    "EMPTY",
    "FONT",
    "GROUND",
    "HEAT",
    "INK",
    "LINE",
    "MUTED",
    "OTHER",
    "SCHEMA",
    "SERIES",
    "dark",
    "headed",
    "series_color",
    "styled",
]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONT = "Helvetica Neue, Arial, Liberation Sans, sans-serif"
INK, MUTED, LINE, EMPTY, GROUND = "#1a1d21", "#5b636d", "#dfe3e8", "#e4e7eb", "#ffffff"
ACCENT, OTHER = "#0b62c4", "#8a929c"

# Worst to best: lightness grows evenly, so it reads without colour vision and in print.
HEAT = ["#3b1a4f", "#403a76", "#2f5f8a", "#2a828c", "#3aa57f", "#8bc25f", "#f0dc5a"]
# Around a middle: worse than others of its kind … better.
DIFFERENCE = ["#a6321f", "#d9744f", "#f0bfa0", "#f4f2ee", "#a8cbe2", "#4e94c6", "#1a5c99"]

# Series: any two stay apart under normal, protan, deutan and tritan vision (OKLab distance at least 0.12), also as in DARK.
SERIES = [ACCENT, "#98622e", "#d66ba4", "#a09d24", "#5c396f", "#4894f7", "#861c14"]

# Few … many: away from the ground.
DENSITY = ["#c6dbef", "#6baed6", "#2171b5", "#08306b"]

# What each colour is on a dark ground; HEAT and DIFFERENCE, which fill cells, are the same there.
DARK_GROUND = "#14171a"
DARK = {
    INK: "#e8eaed",
    MUTED: "#a2abb5",
    LINE: "#363c44",
    EMPTY: "#2b3036",
    GROUND: DARK_GROUND,
    OTHER: "#7d8690",
    **dict(zip(DENSITY, ("#1d3a5c", "#2f74b8", "#7fb8ea", "#e6f2ff"), strict=True)),
    **dict(zip(SERIES, ("#5aa2f5", "#e2de33", "#bf5995", "#8f9a24", "#5f72ec", "#47e8f7", "#e99e94"), strict=True)),
}

_LABEL = {"labelColor": MUTED, "labelFontSize": 11, "titleColor": INK, "titleFontSize": 12, "titleFontWeight": 500}
_LINE = {"gridColor": LINE, "domainColor": LINE, "tickColor": LINE, "titlePadding": 8, "labelPadding": 4}
CONFIG = {
    "font": FONT,
    "background": "white",
    "padding": 8,
    "axis": {**_LABEL, **_LINE},
    "legend": {**_LABEL, "titlePadding": 6},
    "title": {"color": INK, "subtitleColor": MUTED},
    "text": {"color": INK},
    "view": {"stroke": None},
}


def styled(rows: Sequence[dict[str, Any]], layers: Sequence[dict[str, Any]], **properties: Any) -> dict[str, Any]:
    """Layers over the same rows as one Vega-Lite specification with the common configuration."""
    return {"$schema": SCHEMA, "config": CONFIG, "data": {"values": list(rows)}, **properties, "layer": list(layers)}


def headed(title: str, *lines: str) -> dict[str, Any]:
    """A title on the left, with lines under it that say what is drawn and how."""
    return {
        "text": title,
        "subtitle": list(lines),
        "anchor": "start",
        "frame": "group",
        "offset": 12,
        "color": INK,
        "fontSize": 14,
        "fontWeight": 600,
        "subtitleColor": MUTED,
        "subtitleFontSize": 11,
        "subtitlePadding": 5,
    }


def series_color(at: int) -> str:
    """The colour of series number `at`; after the last colour the first comes again."""
    return SERIES[at % len(SERIES)]


def dark(chart: dict[str, Any]) -> dict[str, Any]:
    """The same chart on a dark ground; its data are left as they are."""
    found: dict[str, Any] = _darkened(chart)
    return {**found, "config": {**found.get("config", {}), "background": DARK_GROUND}}


def _darkened(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: value if key in ("data", "datasets") else _darkened(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_darkened(value) for value in part]
    return DARK.get(part, part) if isinstance(part, str) else part
