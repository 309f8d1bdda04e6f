"""`fewbits conformance`: formats against the packages that implement them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import Csv, Json, Output

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["conformance"]

STYLES = {"agrees": "green", "known difference": "yellow", "differs": "red", "not covered": "dim"}


def conformance(
    formats: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FORMAT", help="Names, specs or groups; every named format if none.", show_default=False
        ),
    ] = None,
    json: Json = False,
    csv: Csv = None,
    output: Output = None,
) -> None:
    """Compare formats, value by value, with every installed package that implements them. Exit code 1 where one differs.

    ggml's C library is taken from a package that brings it along, such as pywhispercpp, or from the file that FEWBITS_GGML names.

    \b
    fewbits conformance
    fewbits conformance mx int4-g128-torchao
    """
    from fewbits import catalog
    from fewbits.cli import outputs
    from fewbits.conformance import COLUMNS, check

    outputs.check(json, csv, output)
    rows = list(check(catalog.resolve(formats or ["catalog"])))
    outputs.emit(rows, COLUMNS, json=json, csv=csv, output=output, show=lambda console: _show(console, rows))
    if any(row["verdict"] == "differs" for row in rows):
        raise typer.Exit(1)


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    from fewbits.cli.terminal import styled
    from fewbits.conformance import installed

    covered = [row for row in rows if row["verdict"] != "not covered"]
    width = max([len("FORMAT"), *(len(row["format"]) for row in covered)])
    console.print(
        styled((f"{'FORMAT':<{width}}  {'ORACLE':<20}{'VERDICT':<18}{'VALUES':>8}{'OTHER':>7}  FIRST", "bold"))
    )
    for row in covered:
        first = ""
        if row["verdict"] != "agrees":
            first = f"{row['where']} {row['x']} → {row['ours']}, theirs {row['theirs']}"
            first += f"  ({row['reason']})" if row["reason"] else ""
        console.print(
            styled(
                (f"{row['format']:<{width}}", "bold"),
                (f"  {row['oracle']:<20}", ""),
                (f"{row['verdict']:<18}", STYLES[row["verdict"]]),
                (f"{row['values']:>8}{row['differ']:>7}", ""),
                (f"  {first}", "dim"),
            )
        )
    bare = [row["format"] for row in rows if row["verdict"] == "not covered"]
    if bare:
        console.print()
        console.print(styled((f"not covered: {' '.join(bare)}", "dim")))
    found, missing = installed()
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in STYLES}
    console.print("\n" + " · ".join(f"{count} {verdict}" for verdict, count in counts.items() if count))
    console.print("oracles: " + ", ".join(f"{o.name} {o.version}" for o in found))
    if missing:
        console.print(f"not installed: {', '.join(missing)}  (pip install 'fewbits\\[oracles]')".replace("\\", ""))
