"""The bits of codes: a box a bit, coloured by its field."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from fewbits.figures.palette import FIELDS, ON_COLOUR
from fewbits.figures.registry import Spec, register
from fewbits.figures.rows import chart_rows
from fewbits.figures.style import MUTED, styled

if TYPE_CHECKING:
    import polars

__all__ = ["bit_layout"]

NEEDS = ("format", "element", "position", "field", "text", "formula")
BOX, GAP = 27, 0.05  # pixels a bit, share of it that stays free on each side


@register("Bits of a code", NEEDS, metric=False)
def bit_layout(table: polars.DataFrame, /) -> Spec:
    """The code of each format, most significant bit first, with the number of bits of each field below.

    Floats have letters in their boxes; integers, which are two's complement and have no fields, the weight of each bit.
    """
    rows = chart_rows(table, NEEDS)
    for row in rows:
        row |= {"part": FIELDS[row["field"]][0], "left": row["position"] + GAP, "right": row["position"] + 1 - GAP}
        row["spoken"] = f"{row['format']}, bit {row['position']} from the left: {row['part']} {row['text']}"
    formats = list(dict.fromkeys(row["format"] for row in rows))
    longest = max((row["position"] + 1 for row in rows), default=8)
    parts = [FIELDS[field] for field in FIELDS if any(row["field"] == field for row in rows)]
    y = {
        "field": "format",
        "type": "nominal",
        "sort": formats,
        "title": None,
        "axis": {"domain": False, "ticks": False, "labelPadding": 10, "labelLimit": 240, "labelFontSize": 12},
    }
    scale = {"domain": [0, longest], "nice": False, "zero": False}
    across = {"type": "quantitative", "scale": scale, "axis": None}
    boxes = {
        "name": "boxes",
        "mark": {"type": "bar", "height": 26, "cornerRadius": 3},
        "encoding": {
            "x": {"field": "left", **across},
            "x2": {"field": "right"},
            "y": y,
            "color": {
                "field": "part",
                "type": "nominal",
                "scale": {"domain": [name for name, _ in parts], "range": [colour for _, colour in parts]},
                "legend": {
                    "title": None,
                    "orient": "top",
                    "symbolType": "square",
                    "symbolSize": 160,
                    "columnPadding": 24,
                    "labelLimit": 320,
                },
            },
            "description": {"field": "spoken"},
            "tooltip": [{"field": name} for name in ("format", "element", "part", "text", "formula")],
        },
    }
    text = {"type": "text", "fontSize": 10, "color": ON_COLOUR, "aria": False}
    letters = {
        "name": "letters",
        "transform": [{"calculate": "datum.position + 0.5", "as": "middle"}],
        "mark": {**text, "fontSize": {"expr": "length(datum.text) > 4 ? 8 : length(datum.text) > 2 ? 9.5 : 12"}},
        "encoding": {"x": {"field": "middle", **across}, "y": y, "text": {"field": "text"}},
    }
    counts = {
        "name": "counts",
        "data": {"values": _counts(rows)},
        "mark": {"type": "text", "dy": 21, "fontSize": 10.5, "color": MUTED, "aria": False},
        "encoding": {"x": {"field": "middle", **across}, "y": y, "text": {"field": "count"}},
    }
    return styled(rows, [boxes, letters, counts], width=max(longest, 8) * BOX, height={"step": 58})


def _counts(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What stands below the boxes: the bits of each field, or of the whole where there are no fields."""
    found = []
    for name, group in groupby(rows, key=lambda row: str(row["format"])):
        bits = list(group)
        if bits[0]["field"] in ("sign", "exponent", "mantissa"):
            for _, part in groupby(bits, key=lambda row: str(row["field"])):
                own = list(part)
                middle = (own[0]["position"] + own[-1]["position"] + 1) / 2
                found.append({"format": name, "middle": middle, "count": str(len(own))})
            continue
        kind = {"index": "index", "minus": "two's complement"}.get(bits[0]["field"], "unsigned")
        found.append({"format": name, "middle": len(bits) / 2, "count": f"{len(bits)}-bit {kind}"})
    return found
