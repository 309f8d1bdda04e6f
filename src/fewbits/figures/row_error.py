"""The error of rows against how large they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewbits.figures.channels import number
from fewbits.figures.registry import Spec, register
from fewbits.figures.style import ACCENT, headed, styled

if TYPE_CHECKING:
    import polars

__all__ = ["row_error"]

NEEDS = ("row", "amax", "rms_error")
WIDTH, HEIGHT = 440, 260


@register("Error of rows", NEEDS, metric=False)
def row_error(table: polars.DataFrame, /) -> Spec:
    """RMS error of a row against its largest magnitude, both logarithmic; rows without error are counted, not drawn."""
    every = table.select(NEEDS).to_dicts()
    rows = [row for row in every if row["amax"] > 0 and row["rms_error"] > 0]
    encoding = {
        "x": number("amax", "largest magnitude of the row (logarithmic)", _ends(rows, "amax"), log=True, format=".2~g"),
        "y": number(
            "rms_error",
            "RMS error of the row (logarithmic, lower is better)",
            _ends(rows, "rms_error"),
            log=True,
            format=".2~g",
        ),
        "tooltip": [
            {"field": "row"},
            {"field": "amax", "type": "quantitative", "title": "largest magnitude", "format": ".4~g"},
            {"field": "rms_error", "type": "quantitative", "title": "RMS error", "format": ".3~g"},
        ],
    }
    points = {
        "name": "points",
        "mark": {"type": "point", "filled": True, "size": 14, "opacity": 0.5, "color": ACCENT},
        "encoding": encoding,
    }
    exact = len(every) - len(rows)
    text = f"{len(rows)} rows" + (f"; {exact} without error are not drawn" if exact else "")
    return styled(rows, [points], title=headed("Error of rows", text), width=WIDTH, height=HEIGHT)


def _ends(rows: list[dict[str, float]], name: str) -> tuple[float, float]:
    """The range of a column, with a margin: a factor of 1.15 either way."""
    found = [row[name] for row in rows] or [0.1, 1.0]
    return min(found) / 1.15, max(found) * 1.15
