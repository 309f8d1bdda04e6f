"""How large the blocks of a tensor are: what their scales have to cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewbits.figures.channels import number
from fewbits.figures.registry import Spec, register
from fewbits.figures.style import ACCENT, INK, headed, styled

if TYPE_CHECKING:
    import polars

__all__ = ["block_amax"]

NEEDS = ("part", "x", "x2", "blocks")
WIDTH, HEIGHT = 440, 260


@register("Largest magnitudes of blocks", NEEDS, metric=False)
def block_amax(table: polars.DataFrame, /, *, what: str = "block") -> Spec:
    """Blocks per bin of their largest magnitude, on a scale of powers of two (`part` bin); `part` typical marks the median.

    `what` is a block's name: of a format without blocks, rows are counted.
    """
    rows = table.select(NEEDS).to_dicts()
    ends = [row["x"] for row in rows if row["x"] > 0] + [row["x2"] for row in rows if row["x2"] > 0] or [0.5, 1.0]
    most = max([1, *(row["blocks"] for row in rows)])
    x = number("x", f"largest magnitude of a {what} (logarithmic, base 2)", (min(ends), max(ends)), log=True)
    x["scale"]["base"] = 2
    x["axis"] = {"format": ".3~g", "labelOverlap": True, "tickCount": 6}
    y = number("blocks", f"{what}s", (0, most * 1.08), format=",.0f", tickMinStep=1)
    layers: list[Spec] = [
        {
            "name": "bars",
            "transform": [{"filter": "datum.part === 'bin'"}, {"calculate": "0", "as": "base"}],
            "mark": {"type": "rect", "color": ACCENT, "opacity": 0.75, "stroke": None},
            "encoding": {
                "x": x,
                "x2": {"field": "x2"},
                "y": y,
                "y2": {"field": "base"},
                "tooltip": [
                    {"field": "x", "type": "quantitative", "title": "from", "format": ".4~g"},
                    {"field": "x2", "type": "quantitative", "title": "to", "format": ".4~g"},
                    {"field": "blocks", "type": "quantitative", "title": f"{what}s", "format": ","},
                ],
            },
        },
        {
            "name": "typical",
            "transform": [{"filter": "datum.part === 'typical'"}],
            "mark": {"type": "rule", "color": INK, "strokeWidth": 1.5, "strokeDash": [5, 3]},
            "encoding": {"x": x},
        },
    ]
    text = f"each {what} by its largest magnitude, four bins an octave; dashed: the typical {what}"
    title = headed(f"Largest magnitudes of {what}s", text)
    return styled(rows, layers, title=title, width=WIDTH, height=HEIGHT)
