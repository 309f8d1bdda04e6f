"""One tensor in every format: bars, and where the format stands over all tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewbits.errors import UsageError
from fewbits.figures.axes import axis_of
from fewbits.figures.registry import register
from fewbits.figures.rows import chart_rows, formats_by_bits
from fewbits.figures.style import ACCENT, MUTED, styled

if TYPE_CHECKING:
    import altair as alt
    import polars

__all__ = ["tensor_formats"]

NEEDS = ("tensor", "shape", "format", "spec", "bits", "flags")
ALL = "(all)"


@register("One tensor in every format", NEEDS)
def tensor_formats(table: polars.DataFrame, metric: str = "sqnr_db", /, *, tensor: str = "") -> alt.LayerChart:
    """A metric of one tensor (default: the first) in every format, by bits; the tensor `(all)` is drawn as ticks."""
    import altair as alt

    axis = axis_of(metric)
    everything = chart_rows(table, (*NEEDS, metric))
    names = [name for row in everything if (name := row["tensor"]) != ALL]
    if not names or (tensor and tensor not in names):
        raise UsageError(f"the table has no tensor '{tensor}'")
    rows = [row for row in everything if row["tensor"] in (tensor or names[0], ALL)]
    domain = axis.domain(place for row in everything if (place := axis.place(row)) is not None)
    base = (
        alt.Chart(alt.InlineData(values=rows))
        .transform_calculate(exact=axis.exact, drawn=axis.drawn, at=f"({axis.drawn}) ? {axis.position} : null")
        .encode(y=alt.Y("format:N", sort=formats_by_bits(rows), title=None,
                        axis=alt.Axis(labelLimit=200, domain=False, ticks=False, labelPadding=6)))
    )  # fmt: skip
    x = alt.X(
        "at:Q",
        title=f"{axis.title} ({axis.direction})",
        scale=alt.Scale(type=axis.scale, domain=list(domain), nice=False, zero=False, reverse=axis.kind == "nines"),
        axis=alt.Axis(**axis.labels(domain), domain=False, ticks=False),
    )
    tooltip = [
        alt.Tooltip("tensor:N"),
        alt.Tooltip("format:N"),
        alt.Tooltip("spec:N"),
        alt.Tooltip("bits:Q", title="bits a weight", format=".4~f"),
        alt.Tooltip(f"{metric}:Q", title=axis.title, format=axis.format),
    ]
    one = base.transform_filter(f"datum.tensor !== '{ALL}'")
    points = (
        one.transform_filter("datum.drawn")
        .mark_point(filled=True, size=90, opacity=1, color=ACCENT)
        .encode(x, tooltip=tooltip)
    )
    everywhere = (
        base.transform_filter(f"datum.tensor === '{ALL}' && datum.drawn")
        .mark_tick(color=MUTED, thickness=2, size=14)
        .encode(x, tooltip=tooltip)
    )
    words = (
        one.transform_filter("!datum.drawn")
        .transform_calculate(word="datum.exact ? 'exact' : 'undefined'")
        .mark_text(align="left", dx=4, color=MUTED, fontSize=11, fontStyle="italic")
        .encode(x=alt.value(0), text="word:N")
    )
    layers = {"everywhere": everywhere, "points": points, "words": words}
    named = [layer.properties(name=name) for name, layer in layers.items()]
    return styled(*named, width=620, height={"step": 20})
