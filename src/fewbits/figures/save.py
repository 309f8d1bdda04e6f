"""A chart to a file, without a browser and without a network."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fewbits.errors import UsageError
from fewbits.table import atomic

if TYPE_CHECKING:
    import altair as alt

__all__ = ["KINDS", "save"]

KINDS = (".png", ".svg", ".pdf", ".html", ".json")


def save(chart: alt.TopLevelMixin, path: Path, *, scale: float = 2.0) -> None:
    """Write a chart whole or not at all; the suffix says the kind, UsageError for another.

    `scale`: pixels a point in PNG. .html is one file with its libraries inside; .json is the Vega-Lite specification.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise UsageError(f"cannot write '{path}': the suffix says the kind, one of {', '.join(KINDS)}")
    if not scale > 0:
        raise UsageError(f"the scale of a picture is a positive number, not {scale:g}")
    with atomic(path) as file:
        file.write(_content(chart, kind, scale))


def _content(chart: alt.TopLevelMixin, kind: str, scale: float) -> bytes:
    if kind == ".json":
        return (json.dumps(chart.to_dict(), indent=1, allow_nan=False) + "\n").encode()
    binary_kinds: dict[str, Literal["png", "pdf"]] = {".png": "png", ".pdf": "pdf"}
    if kind in binary_kinds:
        binary = io.BytesIO()
        chart.save(binary, format=binary_kinds[kind], scale_factor=scale)
        return binary.getvalue()
    text = io.StringIO()
    chart.save(text, **({"format": "svg"} if kind == ".svg" else {"format": "html", "inline": True}))
    return text.getvalue().encode("utf-8", "backslashreplace")
