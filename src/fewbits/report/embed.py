"""What is put inside the page: data that cannot end its script element, and the libraries that draw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    import polars

__all__ = ["columnar", "json_script", "libraries", "without_data"]

# What could end a script element or open a comment in it. The rest of JSON is harmless there, being ASCII.
ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def json_script(data: Any) -> Markup:
    """JSON that is safe as the text of a script element, whatever strings are in it; ASCII, nothing infinite or NaN."""
    return Markup(json.dumps(data, allow_nan=False, separators=(",", ":")).translate(ESCAPES))


def columnar(table: polars.DataFrame) -> dict[str, Any]:
    """A table by columns: repeated texts, lists and other values once each (`values`, `at`), numbers as they are."""
    found: dict[str, Any] = {}
    for name in table.columns:
        values = table[name].to_list()
        if table[name].dtype.is_float():
            found[name] = [value if value is None else float(f"{value:.7g}") for value in values]
            continue
        places: dict[str, int] = {}
        at = [places.setdefault(json.dumps(value), len(places)) for value in values]
        found[name] = {"values": [json.loads(text) for text in places], "at": at}
    return found


@cache
def libraries() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script, from the package that also draws without a browser."""
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError("the bundle cannot be put inside a script element")
    return Markup(f"(() => {{\n{script}\n}})();")  # its names would be everybody's


def without_data(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A Vega-Lite specification whose data, named `table`, the page supplies."""
    return {**spec, "data": {"name": "table"}}
