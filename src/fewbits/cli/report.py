"""`fewbits report`: the report of a run, made again from its records, or of several runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run directories.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE.html",
            help="Default: report.html in the run directory; of several runs, comparison.html in the first.",
            show_default=False,
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show/--no-show", help="Open the page in the browser as well.")] = False,
) -> None:
    """Write one offline HTML page of a run, or of several side by side, and print where it is.

    \b
    fewbits report results/sample/nvfp4
    fewbits report before after -o comparison.html
    """
    from fewbits.cli.browser import open_page
    from fewbits.cli.terminal import printable
    from fewbits.errors import UsageError
    from fewbits.report import write_report
    from fewbits.run import derive, read

    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"-o '{output}': a report is an .html file")
    places = [run.resolve() for run in runs]
    if len(set(places)) < len(places):
        raise UsageError(f"{next(run for run in runs if places.count(run.resolve()) > 1)} is given twice")
    for run in runs:
        read(run)
        derive(run)
    page = write_report(*runs, out=output)
    typer.echo(printable(str(page)))
    if show:
        open_page(page)
