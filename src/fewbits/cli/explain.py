"""`fewbits explain`: what a format really does to values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import Csv, Json, Output

if TYPE_CHECKING:
    from rich.console import Console

    from fewbits.formats import Format

__all__ = ["explain"]

COLUMNS = (
    "value",
    "block",
    "statistic",
    "ideal_scale",
    "scale_element",
    "outer_scale",
    "scale_mean",
    "scale",
    "offset",
    "scaled",
    "below",
    "above",
    "chosen",
    "code",
    "bits",
    "reconstruction",
    "error",
)
PER_LINE = 8  # codes side by side


def explain(
    spec: Annotated[
        str,
        typer.Argument(metavar="SPEC", help="A name (nvfp4) or spec (e2m1@16:e4m3@tensor:f32).", show_default=False),
    ],
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="VALUE", help="Numbers, quantized together as one row of a tensor.", show_default=False),
    ] = None,
    json: Json = False,
    csv: Csv = None,
    output: Output = None,
) -> None:
    """Explain a format: its bits, every value of small elements, and how VALUEs become codes and come back.

    \b
    fewbits explain mxfp4
    fewbits explain nvfp4 0.7 -1.3 6 0.01
    fewbits explain e4m3 448 500 --json
    """
    from fewbits import catalog
    from fewbits.cli import outputs

    outputs.check(json, csv, output)
    f = catalog.format(spec)
    rows: list[dict[str, Any]] = []
    if values:
        from fewbits.explain import steps

        rows = steps([_number(text) for text in values], f)
    else:
        outputs.refuse_empty(
            json or csv == "-" or output is not None, "the rows are those of VALUEs, and there is none"
        )
    outputs.emit(rows, COLUMNS, json=json, csv=csv, output=output, show=lambda console: _show(console, spec, f, rows))


def _number(text: str) -> float:
    from fewbits.errors import UsageError

    try:
        return float(text)
    except ValueError:
        raise UsageError(f"'{text}' is not a number, as VALUEs are") from None


def _show(console: Console, typed: str, f: Format, rows: list[dict[str, Any]]) -> None:
    from fewbits import catalog
    from fewbits.cli.terminal import styled
    from fewbits.explain import LISTED_BITS, codes, levels

    name = catalog.name_of(f)
    row = next((row for row in catalog.rows() if row.name == name), None)
    console.print(styled((name or typed, "bold"), (f"   {f}   {f.limit_bits:.4g} bits per weight", "")))
    if row:
        title = f"{row.title}; " if row.title != row.name else ""
        console.print(styled((f"{title}{row.reference}", "dim")))
    console.print()
    title = f"  {'STORED':<16}{'ELEMENT':<10}{'BITS':>4}  {'CODE':<32}{'ONE FOR':<28}{'BITS PER WEIGHT':>15}"
    console.print(styled((title, "bold")))
    for level in levels(f):
        what = f"  {level.what:<16}{level.element!s:<10}{level.element.bits:>4}  {level.pattern:<32}"
        console.print(styled((what, ""), (f"{level.shared:<28}", "dim"), (f"{level.bits:>15.4g}", "")))
    for option in f.options:
        console.print(styled((f"  option {option}", "dim")))
    if f.rule:
        console.print()
        console.print(styled(("rule ", "bold"), (f"{f.rule}", "cyan"), (f"  {f.rule.definition}", "")))
    if rows:
        _show_steps(console, rows)
    elif 0 < f.element.bits <= LISTED_BITS:
        console.print()
        console.print(styled((f"all values of {f.element}", "bold"), (" (code, value)", "dim")))
        cells = [f"{pattern} {value:<11.6g}" for _, pattern, value in codes(f.element)]
        rest = -(-len(cells) // PER_LINE)
        for i in range(rest):
            console.print(styled(("  " + " ".join(cells[i::rest]), "")))


def _show_steps(console: Console, rows: list[dict[str, Any]]) -> None:
    from fewbits.cli.terminal import styled

    shown = {name for name in COLUMNS if any(row[name] is not None for row in rows)}
    block = None
    if "block" in shown:
        console.print()
        console.print(styled(("scales", "bold")))
        for row in rows:
            if row["block"] is not None and row["block"] != block:
                block = row["block"]
                offset = f", offset {row['offset']:.8g}" if row["offset"] is not None else ""
                facts = f"stored scale {row['scale']:.8g}"
                if row["statistic"] is not None:
                    facts = f"statistic {row['statistic']:.8g}, ideal scale {row['ideal_scale']:.8g}, {facts}"
                if row["outer_scale"] is not None:
                    facts += f" = {row['scale_element']:.8g} × {row['outer_scale']:.8g}"
                    facts += f" + {row['scale_mean']:.8g}" if row["scale_mean"] else ""
                console.print(styled((f"  block {block:.0f}: {facts}{offset}", "")))
    titles = {
        "value": "VALUE",
        "scaled": "÷ SCALE",
        "below": "BELOW",
        "above": "ABOVE",
        "chosen": "CHOSEN",
        "bits": "CODE",
        "reconstruction": "RESULT",
        "error": "ERROR",
    }
    names = [name for name in titles if name in shown and not (name == "scaled" and "block" not in shown)]
    width = max(14, *(len(row["bits"] or "") + 2 for row in rows))
    console.print()
    console.print(styled(("".join(f"{titles[name]:>{width}}" for name in names), "bold")))
    for row in rows:
        console.print(styled(("".join(f"{_cell(row[name]):>{width}}" for name in names), "")))


def _cell(value: float | str | None) -> str:
    return "–" if value is None else value if isinstance(value, str) else f"{value:.7g}"
