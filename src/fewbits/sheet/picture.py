"""A chart inside a page: drawn already, coloured by the page's theme, and saying what is under the pointer."""

from __future__ import annotations

import json
import re

from fewbits.figures import Spec
from fewbits.figures.style import DARK

__all__ = ["inline", "theme"]

# Marks that speak (`description`) also answer the pointer.
SPEAKING = re.compile(r'<(path|line) aria-label="([^"]*)"([^>]*)/>')
WIDE = 600  # pixels; a wider picture scrolls on a narrow screen, so that its text stays large enough
IDENTIFIER = re.compile(r'(\bid="|url\(#)([^")]+)')


def inline(chart: Spec, name: str) -> str:
    """SVG without a ground; identifiers start with `name`, so that several pictures stand in one page."""
    import vl_convert

    clear = {**chart, "config": {**chart.get("config", {}), "background": None}}
    svg = str(vl_convert.vegalite_to_svg(json.dumps(clear, allow_nan=False)))
    svg = SPEAKING.sub(r'<\1 aria-label="\2"\3><title>\2</title></\1>', svg)
    width = re.match(r'<svg[^>]* width="([0-9.]+)"', svg)
    if width and float(width[1]) > WIDE:
        svg = svg.replace("<svg ", "<svg data-wide ", 1)
    return IDENTIFIER.sub(rf"\g<1>{name}-\2", svg)


def theme() -> str:
    """CSS that gives the colours of drawings their dark ones where the reader's screen is dark."""
    rules = "\n".join(
        f'  svg [{what}="{light}"] {{ {what}: {dark}; }}' for light, dark in DARK.items() for what in ("fill", "stroke")
    )
    return f"@media screen and (prefers-color-scheme: dark) {{\n{rules}\n}}\n"
