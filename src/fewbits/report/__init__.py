"""The report: one HTML file made of a run directory, which opens anywhere and asks nothing of the network."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_report"]


def write_report(run_directory: Path, *others: Path, out: Path | None = None) -> Path:
    """Write the report of a run, or of several side by side, whole or not at all; its path.

    `out`: default report.html in the run directory; of several, comparison.html in the first. FewbitsError when a directory
    is no run, has no measurements or cannot be written to.
    """
    from fewbits.report.content import collect
    from fewbits.report.page import render
    from fewbits.table import atomic

    path = out or run_directory / ("comparison.html" if others else "report.html")
    html = render(collect([run_directory, *others]))
    with atomic(path) as file:
        file.write(html.encode("utf-8", "backslashreplace"))
    return path
