"""Pages under test: names that want to be code, and what a parser finds in HTML."""

from __future__ import annotations

from html.parser import HTMLParser

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
