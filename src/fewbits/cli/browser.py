"""Opening a page in the reader's browser."""

from __future__ import annotations

from pathlib import Path

__all__ = ["open_page"]


def open_page(page: Path) -> None:
    """Open an HTML file; a warning that says where it is when no browser can be opened."""
    import webbrowser

    from fewbits.cli.tensor_pictures import warn

    if not webbrowser.open(page.resolve().as_uri()):
        warn(f"no browser could be opened; the page is {page}")
