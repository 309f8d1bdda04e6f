"""A chart to a file, without a browser and without a network."""

from __future__ import annotations

import json
from pathlib import Path

from fewbits.errors import UsageError
from fewbits.figures.libraries import libraries
from fewbits.figures.registry import Spec
from fewbits.figures.script import json_script
from fewbits.figures.style import DARK, DARK_GROUND, INK
from fewbits.table import atomic

__all__ = ["KINDS", "rendered", "save"]

KINDS = (".png", ".svg", ".pdf", ".html", ".json")

# vl-convert's own page would let a name in the data end the script element.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>fewbits</title>
<style>
body { margin: 16px; font: 13px Helvetica Neue, Arial, sans-serif; }
@media (prefers-color-scheme: dark) { body { background: %s; color: %s; } }
#chart.vega-embed { display: flex; flex-wrap: wrap; gap: 24px; padding-right: 40px; }
.vega-bindings { display: flex; flex-direction: column; gap: 4px; margin-top: 40px; }
.vega-bind label { cursor: pointer; }
.vega-bind .vega-bind-name { display: inline; }
.vega-bind input { float: left; margin: 1px 8px 0 0; }
</style>
<div id="chart"></div>
<script>%s</script>
<script>
const spec = %s, dark = %s;
const darkened = (part) => typeof part === "string" ? (dark[part] ?? part) : Array.isArray(part) ? part.map(darkened)
  : part && typeof part === "object" ? Object.fromEntries(Object.entries(part).map(
    ([key, value]) => [key, key === "data" || key === "datasets" ? value : darkened(value)])) : part;
const isDark = matchMedia("(prefers-color-scheme: dark)").matches && spec.config?.background === "white";
const shown = isDark ? {...darkened(spec), config: {...darkened(spec.config), background: "%s"}} : spec;
vegaEmbed("#chart", shown, {renderer: "svg", ast: true, actions: {export: true, source: false, editor: false}});
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
    content = rendered(chart, kind, scale)
    with atomic(path) as file:
        file.write(content)


def rendered(chart: Spec, kind: str, scale: float) -> bytes:
    """The bytes of a file of this kind, one of `KINDS`."""
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
            return (
                PAGE % (DARK_GROUND, DARK[INK], libraries(), json_script(chart), json_script(DARK), DARK_GROUND)
            ).encode()
