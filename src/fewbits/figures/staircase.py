"""Staircase: what a value becomes when a format stores it, against the value, from 0 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.legend import checkboxes, legend, visible
from fewbits.figures.registry import Spec, register
from fewbits.figures.style import INK, MUTED, headed, series_color, styled

if TYPE_CHECKING:
    import polars

__all__ = ["staircase"]

NEEDS = ("series", "group", "variant", "x", "y")
WIDTH, HEIGHT = 640, 460

# How a variant's line looks: dashes (the others are solid; a scale of dashes would draw them as many strokes) and width.
DASHES = {"shared": [2, 2], "tensor": [8, 4]}
WIDTHS = {"ideal": 2.5, "zero": 1.4, "plain": 1.4, "own": 1.4, "shared": 1.6, "tensor": 2.2}
GREY = ("ideal", "zero")
MEANING = {
    "own": "solid: own exponent, the value alone sets the scale of its block; scales of the whole tensor are set by 1",
    "shared": "dotted: shared exponent, the value among normal values (σ = 0.5) in random blocks of the format's size; "
    "the largest magnitude sets the scale",
    "tensor": "dashed: the value among real values, each block scaled to mean magnitude 0.5",
}


@register("Staircase", NEEDS, metric=False)
def staircase(table: polars.DataFrame, /, *, note: str = "") -> Spec:
    """Reconstruction against value, one line a series; a checkbox each, and a legend of the visible ones.

    `group` (a format or a tensor) has one colour, `variant` one kind of line. `note` is a last line under the title.
    """
    rows = table.select(NEEDS).to_dicts()
    names = list(dict.fromkeys(row["series"] for row in rows))
    grey = {row["group"]: INK if row["variant"] == "ideal" else MUTED for row in rows if row["variant"] in GREY}
    colored = list(dict.fromkeys(row["group"] for row in rows if row["group"] not in grey))
    colors = grey | {group: series_color(i) for i, group in enumerate(colored)}
    order = {name: i for i, name in enumerate(names)}
    rows = [row | {"order": order[row["series"]]} for row in rows]
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    styles: dict[str, Any] = {
        "color": {
            "field": "group",
            "type": "nominal",
            "scale": {"domain": list(colors), "range": list(colors.values())},
            "legend": None,
        },
        "strokeDash": {
            "condition": [{"test": f"datum.variant === '{v}'", "value": dashes} for v, dashes in DASHES.items()],
            "value": [],
        },
        "strokeWidth": {
            "field": "variant",
            "type": "nominal",
            "scale": {"domain": list(WIDTHS), "range": list(WIDTHS.values())},
            "legend": None,
        },
    }
    ys = [0.0, 1.0, *(row["y"] for row in rows)]
    encoding = {
        "x": {
            "field": "x",
            "type": "quantitative",
            "title": "value, in units of the largest",
            "scale": {"domain": [0, 1], "nice": False},
            "axis": {"format": "~g", "tickCount": 10},
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": "reconstructed value (nearer the diagonal is better)",
            "scale": {"domain": [min(ys), max(ys)], "nice": False},
            "axis": {"format": "~g", "tickCount": 10},
        },
    }
    lines = {
        "name": "lines",
        "mark": {"type": "line", "strokeJoin": "round"},
        "encoding": {
            **encoding,
            **styles,
            "detail": {"field": "series"},
            "order": {"field": "x"},
            "tooltip": [
                {"field": "series"},
                {"field": "x", "type": "quantitative", "title": "value", "format": ".4~f"},
                {"field": "y", "type": "quantitative", "title": "reconstructed", "format": ".5~f"},
            ],
        },
    }
    text = [line for variant, line in MEANING.items() if variant in variants] + ([note] if note else [])
    return styled(
        rows,
        [lines, *legend(WIDTH + 16, styles)],
        title=headed("Reconstructed value against value", *text),
        params=checkboxes(names),
        transform=[visible(len(names))],
        width=WIDTH,
        height=HEIGHT,
    )
