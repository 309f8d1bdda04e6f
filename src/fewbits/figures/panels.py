"""Several panels as one picture: charts below or beside each other with one configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fewbits.figures.chart import Chart
from fewbits.figures.registry import Spec
from fewbits.figures.style import CONFIG, INK, MUTED, SCHEMA

__all__ = ["beside", "heading", "stacked"]

APART = {"scale": {"color": "independent", "size": "independent"}}
JOINED = ("layer", "concat", "vconcat", "hconcat")


def stacked(panels: Sequence[Spec], **properties: Any) -> Spec:
    """Charts below each other."""
    return _joined("vconcat", panels, properties)


def beside(panels: Sequence[Spec], columns: int = 2, **properties: Any) -> Spec:
    """Charts beside each other, so many in a line."""
    return _joined("concat", panels, {"columns": columns, **properties})


def heading(text: str, note: str = "") -> dict[str, Any]:
    """The title of a panel: text, and a note in smaller letters."""
    found: dict[str, Any] = {"text": text, "anchor": "start", "fontSize": 12.5, "fontWeight": 600, "color": INK}
    return found | ({"subtitle": note, "subtitleColor": MUTED, "subtitleFontSize": 11} if note else {})


def _renamed(part: Any, suffix: str) -> Any:
    """A panel whose layers have names of their own: Vega-Lite takes those of one name for the same."""
    if isinstance(part, list):
        return [_renamed(each, suffix) for each in part]
    if not isinstance(part, dict):
        return part
    found = {k: _renamed(v, suffix) if k in JOINED else v for k, v in part.items() if k not in ("$schema", "config")}
    return found | ({"name": f"{part['name']}_{suffix}"} if "name" in part else {})


def _joined(how: str, panels: Sequence[Spec], properties: dict[str, Any]) -> Spec:
    own = [_renamed(panel, str(i)) for i, panel in enumerate(panels)]
    return Chart({"$schema": SCHEMA, "config": CONFIG, "spacing": 24, "resolve": APART, **properties, how: own})
