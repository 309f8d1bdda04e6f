"""JSON inside a page: what is written there cannot end its script element."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["json_script"]

# What could end a script element or open a comment in it. The rest of JSON is harmless there, being ASCII.
ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def json_script(data: Any) -> str:
    """JSON that is safe as the text of a script element, whatever strings are in it; ASCII, nothing infinite or NaN."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).translate(ESCAPES)
