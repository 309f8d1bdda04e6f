"""A chart to a file, without a browser and without a network."""

from __future__ import annotations

import json
from pathlib import Path

from fewbits.errors import UsageError
from fewbits.figures.libraries import libraries
from fewbits.figures.registry import Spec
from fewbits.figures.script import json_script
from fewbits.table import atomic

__all__ = ["KINDS", "save"]

KINDS = (".png", ".svg", ".pdf", ".html", ".json")

# vl-convert's own page would let a name in the data end the script element.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>fewbits</title>
<div id="chart"></div>
<script>%s</script>
<script>
const spec = %s;
vegaEmbed("#chart", spec, {renderer: "svg", ast: true, actions: {export: true, source: false, editor: false}});
</script>
</html>
"""


def save(chart: Spec, path: Path, *, scale: float = 2.0) -> None:
    """Write a chart whole or not at all; the suffix says the kind, UsageError for another.

    `scale`: pixels a point in PNG. .html is one file with its libraries inside; .json is the Vega-Lite specification.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise UsageError(f"cannot write '{path}': the suffix says the kind, one of {', '.join(KINDS)}")
    if not scale > 0:
        raise UsageError(f"the scale of a picture is a positive number, not {scale:g}")
    content = _content(chart, kind, scale)
    with atomic(path) as file:
        file.write(content)


def _content(chart: Spec, kind: str, scale: float) -> bytes:
    text = json.dumps(chart, allow_nan=False)
    if kind == ".json":
        return text.encode() + b"\n"
    import vl_convert

    match kind:
        case ".png":
            return bytes(vl_convert.vegalite_to_png(text, scale=scale))
        case ".pdf":
            return bytes(vl_convert.vegalite_to_pdf(text))
        case ".svg":
            return str(vl_convert.vegalite_to_svg(text)).encode("utf-8", "backslashreplace")
        case _:
            return (PAGE % (libraries(), json_script(chart))).encode()
