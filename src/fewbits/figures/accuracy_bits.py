"""Accuracy against bits: one point a format, all tensors merged, and the front of those worth their bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.axes import Axis, axis_of
from fewbits.figures.front import front, goodness
from fewbits.figures.labels import place
from fewbits.figures.pixels import BEND, Pixels
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import ACCENT, INK, MUTED, OTHER, styled

if TYPE_CHECKING:
    import polars

__all__ = ["accuracy_bits"]

NEEDS = ("format", "spec", "bits", "flags")
WIDTH, HEIGHT = 820, 460
WIDE = 12  # bits; beyond it the axis is compressed, so that 16 and 32 bits do not take most of the width
TICKS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)

QUIET = {"aria": False}  # points speak for their labels
LOOKS: tuple[tuple[str, str, Spec], ...] = (
    ("front", "datum.front", {"color": INK, "fontWeight": "bold"}),
    ("other", "!datum.front", {"color": MUTED}),
)


@register("Accuracy against bits", NEEDS)
def accuracy_bits(table: polars.DataFrame, metric: str = "sqnr_db", /) -> Spec:
    """A metric against bits a weight, one row a format. The line is the front (`front`).

    Exact formats are triangles on the better edge; formats whose value is undefined are not drawn. A page can take
    formats away by the parameter `hidden`, and then says by the parameter `worth` which are on the front.
    """
    axis = axis_of(metric)
    every = chart_rows(table, (*NEEDS, metric))
    rows = [row for row in every if axis.place(row) is not None or axis.is_exact(row)]
    places = (at for row in rows if (at := axis.place(row)) is not None)
    y_at = Pixels(axis.scale, axis.domain(places), HEIGHT, flipped=axis.kind != "nines")
    x_at = _bits_scale([row["bits"] for row in rows])

    fixed = {"nice": False, "zero": False}
    x_scale: dict[str, Any] = {"type": x_at.kind, "domain": list(x_at.domain), **fixed}
    if x_at.kind == "symlog":
        x_scale["constant"] = BEND
    y_scale = {"type": axis.scale, "domain": list(y_at.domain), "reverse": axis.kind == "nines", **fixed}
    ticks = [b for b in TICKS if x_at.domain[0] <= b <= x_at.domain[1]]
    encoding = {
        "x": {
            "field": "bits",
            "type": "quantitative",
            "title": "bits a weight, scales and offsets included",
            "scale": x_scale,
            "axis": {"values": ticks, "format": "~g", "grid": False},
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": f"{axis.title} ({axis.direction})",
            "scale": y_scale,
            "axis": {**axis.labels(y_at.domain), "domain": False, "ticks": False},
        },
    }
    layers = [
        {
            "name": "front",
            "transform": [{"filter": "datum.front"}],
            "mark": {"type": "line", "interpolate": "step-after", "color": ACCENT, "opacity": 0.55, **QUIET},
            "encoding": {**encoding, "order": {"field": "bits", "type": "quantitative"}},
        },
        {
            "name": "leaders",
            "transform": [{"filter": "datum.leader"}],
            "mark": {"type": "rule", "color": OTHER, "strokeWidth": 0.75, **QUIET},
            "encoding": {**encoding, "x2": {"field": "label_x"}, "y2": {"field": "label_y"}},
        },
        _points(encoding, axis),
        *_labels(x_scale, y_scale),
    ]
    worth = front(rows, axis)
    return styled(
        _labelled(rows, worth, axis, x_at, y_at),
        layers,
        params=[{"name": "hidden", "value": []}, {"name": "worth", "value": worth}],
        transform=[
            {"filter": "indexof(hidden, datum.format) < 0"},
            {"calculate": axis.exact, "as": "exact"},
            {"calculate": axis.says, "as": "says"},
            {"calculate": f"({axis.exact}) ? datum.edge : {axis.position}", "as": "y"},
            {"calculate": "indexof(worth, datum.format) >= 0", "as": "front"},
        ],
        width=WIDTH,
        height=HEIGHT,
    )


def _points(encoding: dict[str, Any], axis: Axis) -> Spec:
    note = "datum.front ? 'yes' : 'no: another has less error at its bits'"
    bits = "format(datum.bits, '.4~f') + ' bits a weight'"
    spoken = f"datum.format + ': ' + datum.says + ', ' + {bits} + ', on the front: ' + datum.note"
    return {
        "name": "points",
        "transform": [{"calculate": note, "as": "note"}, {"calculate": spoken, "as": "spoken"}],
        "mark": {"type": "point", "size": 64, "filled": True, "opacity": 1},
        "encoding": {
            **encoding,
            "shape": {"condition": {"test": "datum.exact", "value": "triangle-up"}, "value": "circle"},
            "color": {"condition": {"test": "datum.front", "value": ACCENT}, "value": OTHER},
            "description": {"field": "spoken"},
            "tooltip": [
                {"field": "format"},
                {"field": "spec"},
                {"field": "bits", "type": "quantitative", "title": "bits a weight", "format": ".4~f"},
                axis.tooltip,
                {"field": "note", "title": "on the front"},
            ],
        },
    }


def _labels(x_scale: dict[str, Any], y_scale: dict[str, Any]) -> list[Spec]:
    """A layer of text for each side that texts may stand on, those on the front in bold."""
    encoding = {
        "x": {"field": "label_x", "type": "quantitative", "scale": x_scale},
        "y": {"field": "label_y", "type": "quantitative", "scale": y_scale},
        "text": {"field": "label"},
    }
    layers: list[Spec] = []
    for align in ("left", "center", "right"):
        for name, test, look in LOOKS:
            layers.append(
                {
                    "name": f"label_{name}_{align}",
                    "transform": [{"filter": f"datum.align === '{align}' && {test}"}],
                    "mark": {"type": "text", "align": align, "baseline": "middle", "fontSize": 11, **look, **QUIET},
                    "encoding": encoding,
                }
            )
    return layers


def _bits_scale(bits: list[float]) -> Pixels:
    low, high = min(bits, default=0.0), max(bits, default=8.0)
    if high > WIDE:
        return Pixels("symlog", (max(0.0, low * 0.85 - 0.05), high * 1.1), WIDTH)
    margin = 0.1 * ((high - low) or 1)
    return Pixels("linear", (max(0.0, low - margin), high + margin), WIDTH)


def _labelled(
    rows: list[dict[str, Any]], worth: list[str], axis: Axis, x_at: Pixels, y_at: Pixels
) -> list[dict[str, Any]]:
    """Rows with `edge`, `label` and its place; formats on the front choose a place first, then those with more bits."""
    edge = y_at.domain[1] if axis.up_is_better else y_at.domain[0]
    order = sorted(rows, key=lambda row: (row["format"] not in worth, -row["bits"], -goodness(row, axis)))
    texts = [f"{row['format']} ({axis.exact_word})" if axis.is_exact(row) else row["format"] for row in order]
    at = [edge if axis.is_exact(row) or (p := axis.place(row)) is None else p for row in order]
    points = [(x_at(row["bits"]), y_at(p), text) for row, p, text in zip(order, at, texts, strict=True)]
    found = []
    for row, text, label in zip(order, texts, place(points, (WIDTH, HEIGHT)), strict=True):
        where = {}
        if label is not None:
            where = {"align": label.align, "label_x": x_at.value(label.x), "label_y": y_at.value(label.y)}
        found.append({**row, "edge": edge, "label": text, "leader": bool(label and label.leader), **where})
    return found
