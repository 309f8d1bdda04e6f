"""Transfer curves of one tensor: what each of its values becomes, format by format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.legend import checkboxes, legend, visible
from fewbits.figures.registry import Spec, register
from fewbits.figures.style import INK, headed, series_color, styled

if TYPE_CHECKING:
    import polars

__all__ = ["transfer"]

NEEDS = ("tensor", "shape", "format", "mae", "x", "y")
WIDTH, HEIGHT = 640, 440
IDEAL = "Ideal"
MEANING = (
    "each point is rounded alone, in a typical block: the one whose largest magnitude is the median of the blocks'",
    "MAE: mean absolute error over the tensor's own values, in its own layout",
)


@register("Transfer curves", NEEDS, metric=False)
def transfer(table: polars.DataFrame, /, *, label: str = "") -> Spec:
    """Reconstruction against value over the range of one tensor, a line a format, with the format's MAE in the legend."""
    rows = table.select(NEEDS).to_dicts()
    formats = list(dict.fromkeys(row["format"] for row in rows))
    mae = {row["format"]: row["mae"] for row in rows}
    names = [IDEAL, *(f"{name}: MAE {_number(mae[name])}" for name in formats)]
    order = {name: i + 1 for i, name in enumerate(formats)}
    lines = [{"series": names[order[r["format"]]], "order": order[r["format"]], "x": r["x"], "y": r["y"]} for r in rows]
    xs = [row["x"] for row in rows] or [0.0, 1.0]
    low, high = min(xs), max(xs)
    lines = [{"series": IDEAL, "order": 0, "x": at, "y": at} for at in (low, high)] + lines
    ys = [row["y"] for row in lines]
    scale = {"nice": False, "zero": False}
    colors = [INK, *(series_color(i) for i in range(len(formats)))]
    styles: dict[str, Any] = {
        "color": {
            "field": "series",
            "type": "nominal",
            "scale": {"domain": names, "range": colors},
            "legend": None,
        },
        "strokeWidth": {"condition": {"test": "datum.order === 0", "value": 2.5}, "value": 1.3},
    }
    encoding = {
        "x": {
            "field": "x",
            "type": "quantitative",
            "title": "value of the tensor",
            "scale": {"domain": [low, high], **scale},
            "axis": {"format": "~g", "labelOverlap": True, "tickCount": 10},
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": "reconstructed value (nearer the diagonal is better)",
            "scale": {"domain": [min(ys), max(ys)], **scale},
            "axis": {"format": "~g"},
        },
    }
    shape = "×".join(map(str, table["shape"][0])) if rows else ""
    name = table["tensor"][0] if rows else ""
    layer = {
        "name": "lines",
        "mark": {"type": "line", "strokeJoin": "round"},
        "encoding": {
            **encoding,
            **styles,
            "detail": {"field": "series"},
            "order": {"field": "x"},
            "tooltip": [
                {"field": "series"},
                {"field": "x", "type": "quantitative", "title": "value", "format": ".5~g"},
                {"field": "y", "type": "quantitative", "title": "reconstructed", "format": ".5~g"},
            ],
        },
    }
    return styled(
        lines,
        [layer, *legend(WIDTH + 16, styles)],
        title=headed(f"{label}: {name}" if label else name, f"{shape}; {MEANING[0]}", MEANING[1]),
        params=checkboxes(names),
        transform=[visible(len(names))],
        width=WIDTH,
        height=HEIGHT,
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2e}"
