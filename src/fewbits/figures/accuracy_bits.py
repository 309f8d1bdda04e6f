"""Accuracy against bits: one point a format, all tensors merged, and the front of those worth their bits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fewbits.figures.axes import Axis, axis_of
from fewbits.figures.labels import place
from fewbits.figures.pixels import BEND, Pixels
from fewbits.figures.registry import register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import ACCENT, INK, MUTED, OTHER, styled

if TYPE_CHECKING:
    import altair as alt
    import polars

__all__ = ["accuracy_bits"]

NEEDS = ("format", "spec", "bits", "flags")
WIDTH, HEIGHT = 820, 460
WIDE = 12  # bits; beyond it the axis is compressed, so that 16 and 32 bits do not take most of the width
TICKS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)


@register("Accuracy against bits", NEEDS)
def accuracy_bits(table: polars.DataFrame, metric: str = "sqnr_db", /) -> alt.LayerChart:
    """A metric against bits a weight, one row a format; the front moves when formats are put on the parameter `hidden`.

    Exact formats are triangles on the better edge; formats whose value is undefined are not drawn.
    """
    import altair as alt

    axis = axis_of(metric)
    every = chart_rows(table, (*NEEDS, metric))
    rows = [row for row in every if axis.place(row) is not None or axis.is_exact(row)]
    y_at = Pixels(axis.scale, axis.domain(p for row in rows if (p := axis.place(row)) is not None), HEIGHT,
                  flipped=axis.kind != "nines")  # fmt: skip
    x_at = _bits_scale([row["bits"] for row in rows])
    rows = _labelled(rows, axis, x_at, y_at)

    hidden = alt.param(name="hidden", value=[])
    base = _with_front(alt.Chart(alt.InlineData(values=rows)), axis)
    bend = {"constant": BEND} if x_at.kind == "symlog" else {}
    ticks = [b for b in TICKS if x_at.domain[0] <= b <= x_at.domain[1]]
    x_scale = alt.Scale.from_dict({"type": x_at.kind, "domain": list(x_at.domain), "nice": False, "zero": False} | bend)
    x = alt.X(
        "bits:Q",
        title="bits a weight, scales and offsets included",
        scale=x_scale,
        axis=alt.Axis(values=ticks, format="~g", grid=False),
    )
    y_scale = alt.Scale(type=axis.scale, domain=list(y_at.domain), nice=False, zero=False, reverse=axis.kind == "nines")
    y = alt.Y(
        "y:Q",
        title=f"{axis.title} ({axis.direction})",
        scale=y_scale,
        axis=alt.Axis(**axis.labels(y_at.domain), domain=False, ticks=False),
    )
    tooltip = [
        alt.Tooltip("format:N"),
        alt.Tooltip("spec:N"),
        alt.Tooltip("bits:Q", title="bits a weight", format=".4~f"),
        alt.Tooltip(f"{metric}:Q", title=axis.title, format=axis.format),
        alt.Tooltip("note:N", title="on the front"),
    ]
    line = base.transform_filter("datum.front").mark_line(
        interpolate="step-after", strokeWidth=1.5, color=ACCENT, opacity=0.55
    )
    points = base.transform_calculate(
        note="datum.front ? 'yes' : 'no: another has fewer bits and less error'"
    ).mark_point(size=64, filled=True, opacity=1)
    leaders = base.transform_filter("datum.leader").mark_rule(color=OTHER, strokeWidth=0.75)
    layers = {
        "front": line.encode(x, y, alt.Order("bits:Q")),
        "leaders": leaders.encode(x, y, alt.X2("label_x:Q"), alt.Y2("label_y:Q")),
        "points": points.encode(
            x,
            y,
            shape=alt.condition("datum.exact", alt.value("triangle-up"), alt.value("circle")),
            color=alt.condition("datum.front", alt.value(ACCENT), alt.value(OTHER)),
            tooltip=tooltip,
        ),
    }
    at = {"x": alt.X("label_x:Q", scale=x_scale), "y": alt.Y("label_y:Q", scale=y_scale)}
    for align in ("left", "center", "right"):
        here = base.transform_filter(f"datum.align === '{align}'")
        front = here.transform_filter("datum.front").mark_text(align=align, fontSize=11, color=INK, fontWeight="bold")
        other = here.transform_filter("!datum.front").mark_text(align=align, fontSize=11, color=MUTED)
        layers[f"label_front_{align}"] = front.encode(**at, text="label:N")
        layers[f"label_other_{align}"] = other.encode(**at, text="label:N")
    named = [layer.properties(name=name) for name, layer in layers.items()]
    return styled(*named, params=[hidden], width=WIDTH, height=HEIGHT)


def _with_front(chart: alt.Chart, axis: Axis) -> alt.Chart:
    """`y`, and `front`: no format that is shown has as few bits and as little error."""
    import altair as alt

    order: list[alt.SortField | dict[str, str]] = [
        alt.SortField("bits", "ascending"),
        alt.SortField("good", "descending"),
    ]
    running = alt.WindowFieldDef.from_dict({"op": "max", "field": "good", "as": "best"})
    before = alt.WindowFieldDef.from_dict({"op": "lag", "field": "best", "as": "before"})
    return (
        chart.transform_filter("indexof(hidden, datum.format) < 0")
        .transform_calculate(
            exact=axis.exact,
            y=f"({axis.exact}) ? datum.edge : {axis.position}",
            good=f"({axis.exact}) ? 1e308 : {'' if axis.higher else '-'}{axis.value}",
        )
        .transform_window([running], sort=order, frame=[None, 0], ignorePeers=True)
        .transform_window([before], sort=order)
        .transform_calculate(front="!isValid(datum.before) || datum.good > datum.before")
    )


def _bits_scale(bits: list[float]) -> Pixels:
    low, high = min(bits, default=0.0), max(bits, default=8.0)
    if high > WIDE:
        return Pixels("symlog", (max(0.0, low * 0.85 - 0.05), high * 1.1), WIDTH)
    margin = 0.1 * ((high - low) or 1)
    return Pixels("linear", (max(0.0, low - margin), high + margin), WIDTH)


def _labelled(rows: list[dict[str, Any]], axis: Axis, x_at: Pixels, y_at: Pixels) -> list[dict[str, Any]]:
    """Rows with `edge`, `label` and its place; formats on the front choose a place first, then those with more bits."""
    edge = y_at.domain[1] if axis.up_is_better else y_at.domain[0]
    best, keyed = -math.inf, []
    for row in sorted(rows, key=lambda row: (row["bits"], -_good(row, axis))):
        keyed.append((_good(row, axis) <= best, -row["bits"], -_good(row, axis), row))
        best = max(best, _good(row, axis))
    order = [row for *_, row in sorted(keyed, key=lambda item: item[:3])]
    texts = [f"{row['format']} (exact)" if axis.is_exact(row) else row["format"] for row in order]
    at = [edge if axis.is_exact(row) or (p := axis.place(row)) is None else p for row in order]
    points = [(x_at(row["bits"]), y_at(p), text) for row, p, text in zip(order, at, texts, strict=True)]
    found = []
    for row, text, label in zip(order, texts, place(points, (WIDTH, HEIGHT)), strict=True):
        where = {} if label is None else {"align": label.align, "leader": label.leader,
                                          "label_x": x_at.value(label.x), "label_y": y_at.value(label.y)}  # fmt: skip
        found.append({**row, "edge": edge, "label": text, **where})
    return found


def _good(row: dict[str, Any], axis: Axis) -> float:
    if axis.is_exact(row):
        return math.inf
    return float(row[axis.metric]) if axis.higher else -float(row[axis.metric])
