"""`fewbits formats`: every named format, or those asked for, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.drawing import RowsOrPicture
from fewbits.cli.options import Csv, Json

if TYPE_CHECKING:
    from rich.console import Console

    from fewbits.formats import Format
    from fewbits.sheet import Sheet

__all__ = ["formats", "show_table"]

COLUMNS = (
    "format",
    "spec",
    "bits",
    "element",
    "max",
    "min_normal",
    "min_subnormal",
    "min_positive",
    "epsilon",
    "values",
    "dynamic_range_db",
    "bytes_per_weight",
    "title",
    "reference",
)


def formats(
    specs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPEC", help="Names, specs or groups (mx, bfp, ggml, all, catalog).", show_default=False
        ),
    ] = None,
    json: Json = False,
    csv: Csv = None,
    output: RowsOrPicture = None,
) -> None:
    """List number formats: bits per weight with scales, and the range and precision of their elements, before any scale.

    MAX is the largest magnitude, EPSILON the distance from 1 to the next larger value, VALUES counts the distinct finite ones,
    RANGE is largest over smallest positive value.

    \b
    fewbits formats
    fewbits formats mx e2m1@16:e4m3@tensor:f32
    fewbits formats fp32 fp16 bf16 fp8-e4m3 fp8-e5m2 i8 i4 -o ranges.png
    """
    from fewbits import catalog
    from fewbits.cli import drawing, outputs
    from fewbits.properties import properties

    drawing.check(json, csv, output)
    named = catalog.resolve(specs or ["catalog"])
    rows = [properties(name, f) for name, f in named]
    picture = drawing.is_picture(output)
    if picture and output is not None:
        drawing.write(output, lambda: [drawing.drawn("dynamic_range", rows)], lambda: _sheet(named))
    kept = None if picture else output
    outputs.emit(rows, COLUMNS, json=json, csv=csv, output=kept, show=lambda console: show_table(console, rows))


def _sheet(named: list[tuple[str, Format]]) -> Sheet:
    from fewbits.sheet import ranges

    return ranges(named)


def show_table(console: Console, rows: list[dict[str, Any]]) -> None:
    """Draw the rows as a table."""
    from fewbits.cli.terminal import styled

    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in ("format", "spec")}
    title = f"{'FORMAT':<{widths['format']}}  {'SPEC':<{widths['spec']}}  {'BITS':>7}{'MAX':>11}{'MIN NORMAL':>12}"
    console.print(styled((f"{title}{'SUBNORMAL':>11}{'EPSILON':>11}{'VALUES':>12}{'RANGE dB':>10}", "bold")))
    for row in rows:
        numbers = f"{_short(row['max']):>11}{_short(row['min_normal']):>12}{_short(row['min_subnormal']):>11}"
        decibel = "–" if row["dynamic_range_db"] is None else f"{row['dynamic_range_db']:.1f}"
        console.print(
            styled(
                (f"{row['format']:<{widths['format']}}", "bold"),
                (f"  {row['spec']:<{widths['spec']}}", "dim"),
                (f"  {row['bits']:>7.3f}{numbers}{_short(row['epsilon']):>11}{row['values']:>12}{decibel:>10}", ""),
            )
        )


def _short(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value == int(value) and value < 1e6 else f"{value:.4g}"
