"""`fewbits report`: the report of a run, made again from its records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run directories.", show_default=False)],
) -> None:
    """Write report.html of run directories again, from their records, and print where it is.

    \b
    fewbits report results/sample/*
    """
    from fewbits.report import write_report
    from fewbits.run import derive, read

    for run in runs:
        read(run)
        derive(run)
        typer.echo(str(write_report(run)))
