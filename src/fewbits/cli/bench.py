"""`fewbits bench`: the performance contract, measured here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import Csv, Json, Output

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["bench"]

STYLES = {"goal": "bold green", "reached": "green", "not reached": "red", "measured": "", "not installed": "dim"}


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Small arrays, few repetitions: does it run, not how fast.")
    ] = False,
    history: Annotated[
        Path | None,
        typer.Option("--history", metavar="FILE", help="Add the figures to a file of JSON lines.", show_default=False),
    ] = None,
    json: Json = False,
    csv: Csv = None,
    output: Output = None,
) -> None:
    """Measure speed, memory and start-up on this machine against what they must reach. Takes a minute; leave the machine alone.

    \b
    fewbits bench
    fewbits bench --quick --json
    """
    import os

    for library in ("OPENBLAS", "MKL", "OMP"):  # read when numpy is imported: a plain read is one core's
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from fewbits.bench import COLUMNS, append, facts, run
    from fewbits.cli import outputs

    outputs.check(json, csv, output)
    rows = list(run(quick))
    records = [row.record() for row in rows]
    if history is not None:
        append(history, rows, facts(), history.resolve().parent)
    outputs.emit(records, COLUMNS, json=json, csv=csv, output=output, show=lambda c: _show(c, records, facts(), quick))


def _show(console: Console, rows: list[dict[str, Any]], facts: dict[str, Any], quick: bool) -> None:
    from fewbits.cli.terminal import size, styled

    width = max(len(row["what"]) for row in rows)
    console.print(styled((f"{'WHAT':<{width}}  {'FIGURE':>8}{'MUST':>7}{'GOAL':>6}  VERDICT", "bold")))
    for row in rows:
        figure = "–" if row["figure"] is None else f"{row['figure']:.3g}"
        must, goal = ("" if row[key] is None else f"{row[key]:g}" for key in ("must", "goal"))
        console.print(
            styled(
                (f"{row['what']:<{width}}  {figure:>8}", ""),
                (f"{must:>7}{goal:>6}", "dim"),
                (f"  {row['verdict']:<14}", STYLES[row["verdict"]]),
                (f"{row['unit']}; {row['detail']}", "dim"),
            )
        )
    machine, versions = facts["machine"], facts["versions"]
    console.print(f"\n{machine['processor']}, {machine['cores']} cores, {size(machine['memory'])}")
    console.print(", ".join(f"{name} {value}" for name, value in versions.items()))
    if quick:
        console.print("quick: these figures say little")
