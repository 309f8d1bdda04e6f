"""`fewbits formats`: every named format, or those asked for, in numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import Csv, Json, Output

if TYPE_CHECKING:
    from rich.console import Console

    from fewbits.element import Element
    from fewbits.formats import Format

__all__ = ["describe", "distinct", "formats"]

COLUMNS = (
    "format",
    "spec",
    "bits",
    "element",
    "max",
    "min_normal",
    "min_subnormal",
    "epsilon",
    "values",
    "dynamic_range_db",
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
    output: Output = None,
) -> None:
    """List number formats: bits per weight with scales, and the range and precision of their elements.

    \b
    fewbits formats
    fewbits formats mx e2m1@16:e4m3@tensor:f32
    """
    from fewbits import catalog
    from fewbits.cli import outputs

    outputs.check(json, csv, output)
    rows = [describe(name, f) for name, f in catalog.resolve(specs or ["catalog"])]
    outputs.emit(rows, COLUMNS, json=json, csv=csv, output=output, show=lambda console: _show(console, rows))


def describe(typed: str, f: Format) -> dict[str, Any]:
    """A format's row: bits of large tensors; range, precision and number of values of its element, before any scale."""
    from fewbits import catalog

    e, name = f.element, catalog.name_of(f)
    named = next((row for row in catalog.rows() if row.name == name), None)
    highest, smallest = abs(e.extreme), e.smallest if e.highest > 0 else None
    return {
        "format": typed,
        "spec": str(f),
        "bits": f.limit_bits,
        "element": str(e),
        "max": highest,
        "min_normal": e.smallest_normal if smallest else None,
        "min_subnormal": smallest if smallest and smallest < e.smallest_normal else None,
        "epsilon": e.epsilon,
        "values": distinct(e),
        "dynamic_range_db": 20 * math.log10(highest / smallest) if smallest else None,
        "title": named.title if named else "",
        "reference": named.reference if named else "",
    }


def distinct(e: Element) -> int:
    """How many different finite values an element has; wide floats are counted, not listed."""
    if e.kind == "wide":
        return ((1 << e.exponent_bits) - 1 << e.mantissa_bits + 1) - 1
    return len(e.values)


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
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
    return "–" if value is None else f"{value:.4g}"
