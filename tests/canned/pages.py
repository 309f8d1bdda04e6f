"""Pages under test: names that want to be code, and what a parser finds in HTML."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np

HOSTILE = (
    "</script><script>document.documentElement.dataset.pwned = 1</script>",
    "<!--<script>",
    '<img src=x onerror="document.documentElement.dataset.pwned = 1">',
    "'\"; document.documentElement.dataset.pwned = 1; //",
    "{{ 7 * 7 }} {% raw %}",
    "${document.documentElement.dataset.pwned = 1}",
    "__proto__",
    "constructor",
    "datum.tensor",
    "with\nnew line\tand tab",
    "\u202eright to left",
    "\u2028",
    "javascript:alert(1)",
    "a" * 3000,
    "",
    "0",
    "false",
)


class Page(HTMLParser):
    """The elements and the visible text of a page, as a browser's parser would find them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data


def payload_of(html: str) -> dict[str, Any]:
    """What a report carries, read as its page reads it: JSON, with numpy arrays in their places."""
    found = re.search(r'<script type="text/plain" id="payload">([A-Za-z0-9+/=]*)</script>', html)
    assert found
    return dict(unpacked(base64.b64decode(found[1])))


def unpacked(content: bytes) -> Any:
    """The tree that `report.payload.pack` made bytes of."""
    raw = gzip.decompress(content)
    start = 4 + int.from_bytes(raw[:4], "little")

    def revived(node: Any) -> Any:
        if isinstance(node, list):
            return [revived(child) for child in node]
        if not isinstance(node, dict):
            return node
        if "$" not in node:
            return {key: revived(child) for key, child in node.items()}
        at, count = start + node["at"], node["n"]
        assert at % 8 == 0
        if node["$"] == "f32":  # all first bytes, all second bytes, …
            planes = np.frombuffer(raw, np.uint8, 4 * count, at).reshape(4, count)
            return np.ascontiguousarray(planes.T).view("<f4").reshape(-1)
        return np.frombuffer(raw, {"u8": "<u1", "u16": "<u2", "u32": "<u4"}[node["$"]], count, at)

    return revived(json.loads(raw[4:start]))
