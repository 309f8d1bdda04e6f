"""How heavy the tails of a tensor are, beside a normal distribution of the same spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewbits.figures.channels import number
from fewbits.figures.decades import decades
from fewbits.figures.registry import Spec, register
from fewbits.figures.style import ACCENT, MUTED, headed, styled

if TYPE_CHECKING:
    import polars

__all__ = ["outliers"]

NEEDS = ("deviations", "share", "normal")
WIDTH, HEIGHT = 440, 260


@register("Outliers", NEEDS, metric=False)
def outliers(table: polars.DataFrame, /) -> Spec:
    """The share of values at least so many standard deviations from the mean, and that of a normal distribution."""
    rows = table.select(NEEDS).to_dicts()
    least = min([row["share"] for row in rows if row["share"] > 0], default=1e-3)
    ends = (least / 2, 1.0)
    far = max([row["deviations"] for row in rows], default=1.0)
    x = number("deviations", "distance from the mean, in standard deviations", (0, far or 1.0), format="~r")
    text = "share of values at least as far (logarithmic)"
    share = {"log": True, **decades(*ends, percent=True, most=9)}
    layers: list[Spec] = [
        {
            "name": "normal",
            "transform": [{"filter": f"datum.normal >= {ends[0]}"}],
            "mark": {"type": "line", "color": MUTED, "strokeDash": [5, 3], "strokeWidth": 1.5},
            "encoding": {"x": x, "y": number("normal", text, ends, **share)},
        },
        {
            "name": "tensor",
            "transform": [{"filter": "datum.share > 0"}],
            "mark": {"type": "line", "color": ACCENT, "strokeWidth": 2},
            "encoding": {
                "x": x,
                "y": number("share", text, ends, **share),
                "tooltip": [
                    {"field": "deviations", "type": "quantitative", "format": ".3~g"},
                    {"field": "share", "type": "quantitative", "format": ".3~g"},
                    {"field": "normal", "type": "quantitative", "title": "of a normal", "format": ".3~g"},
                ],
            },
        },
    ]
    title = headed("Outliers", "blue: the tensor; dashed: a normal distribution of the same standard deviation")
    return styled(rows, layers, title=title, width=WIDTH, height=HEIGHT)
