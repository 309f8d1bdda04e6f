"""Layer × format heat map: which tensors a format hurts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.figures.axes import Axis, axis_of
from fewbits.figures.registry import register
from fewbits.figures.rows import chart_rows, formats_by_bits, natural
from fewbits.figures.style import DIFFERENCE, HEAT, styled

if TYPE_CHECKING:
    import altair as alt
    import polars

__all__ = ["heat_map"]

NEEDS = ("tensor", "shape", "format", "spec", "bits", "flags")
READABLE = 4000  # cells; with more, values are in the tooltip only
SPREAD = 6  # dB either side of the median; differences beyond have the colour of the end


@register("Layers and formats", NEEDS)
def heat_map(table: polars.DataFrame, metric: str = "sqnr_db", /, *, relative: bool = False) -> alt.LayerChart:
    """A metric for every tensor (rows, in natural order) and format (columns, by bits); the table's rows are its data.

    `relative` colours the difference, in decibels, from the median of the same format: what stands out is a tensor
    that is harder than the others. Exact cells say so, undefined ones show a dash; neither has a colour of the scale.
    """
    import altair as alt

    axis = axis_of(metric)
    rows = sorted(chart_rows(table, (*NEEDS, metric)), key=lambda row: natural(row["tensor"]))
    formats = formats_by_bits(rows)
    base = (
        alt.Chart(alt.InlineData(values=rows))
        .transform_calculate(drawn=axis.drawn, exact=axis.exact, level=f"({axis.drawn}) ? {axis.level} : null")
        .transform_joinaggregate(median="median(level)", groupby=["format"])
        .transform_calculate(
            shade="datum.level - datum.median" if relative else axis.position,
            shown=_shown(axis.value, axis.format, relative),
        )
        .encode(
            x=alt.X("format:N", sort=formats, title=None,
                    axis=alt.Axis(orient="top", labelAngle=-45, labelLimit=160, domain=False, ticks=False)),
            y=alt.Y("tensor:N", sort=None, title=None,
                    axis=alt.Axis(labelLimit=340, domain=False, ticks=False, labelPadding=6)),
        )
    )  # fmt: skip
    tooltip = [
        alt.Tooltip("tensor:N"),
        alt.Tooltip("shape:N"),
        alt.Tooltip("format:N"),
        alt.Tooltip("bits:Q", title="bits a weight", format=".4~f"),
        alt.Tooltip(f"{metric}:Q", title=axis.title, format=axis.format),
        alt.Tooltip("difference:N", title="from the median of this format"),
        alt.Tooltip("notes:N", title="flags"),
    ]
    if relative:
        better = axis.up_is_better
        scale = alt.Scale(domain=[-SPREAD, SPREAD], range=DIFFERENCE if better else DIFFERENCE[::-1], clamp=True)
        legend = alt.Legend(
            title="difference from the format's median, dB", orient="top", gradientLength=240, format="+"
        )
    else:
        domain = _domain(rows, axis)
        colors = HEAT if axis.up_is_better else HEAT[::-1]
        scale = alt.Scale(type=axis.scale, domain=list(domain), range=colors, nice=False, zero=False, clamp=True)
        labels = {"tickCount": 4} | axis.labels(domain)
        legend = alt.Legend(title=f"{axis.title} ({axis.direction})", orient="top", gradientLength=240, **labels)
    cells = (
        base.transform_calculate(
            difference="isValid(datum.level) ? format(datum.level - datum.median, '+.2f') + ' dB' : '–'",
            notes="join(datum.flags || [], ', ') || 'none'",
        )
        .mark_rect(cursor="pointer", invalid="show")
        .encode(
            color=alt.condition("datum.drawn", alt.Color("shade:Q", scale=scale, legend=legend), alt.value("#e4e7eb")),
            tooltip=tooltip,
        )
        .properties(name="cells")
    )
    layers = [cells]
    if len(rows) <= READABLE:
        dark = "datum.drawn && luminance(scale('color', datum.shade)) < 0.2"
        text = base.mark_text(fontSize=10, cursor="pointer").encode(
            text="shown:N",
            color=alt.condition(dark, alt.value("white"), alt.value("#14171a")),
            tooltip=alt.value(None),
        )
        layers.append(text.properties(name="values"))
    width = 44 if metric == "sqnr_db" or relative else 58
    return styled(*layers, width={"step": width}, height={"step": 17})


def _domain(rows: list[dict[str, Any]], axis: Axis) -> tuple[float, float]:
    """From the worst to the best position; something around a single one."""
    found = [place for row in rows if (place := axis.place(row)) is not None]
    low, high = min(found, default=0.1), max(found, default=1.0)
    return (low, high) if low < high else axis.domain(found)


def _shown(value: str, form: str, relative: bool) -> str:
    """Vega expression for the text of a cell."""
    short = {".2f": ".1f", ".5f": ".4f"}.get(form, ".1e")
    number = "format(datum.level - datum.median, '+.1f')" if relative else f"format({value}, '{short}')"
    return f"datum.exact ? 'exact' : datum.drawn ? {number} : '–'"
