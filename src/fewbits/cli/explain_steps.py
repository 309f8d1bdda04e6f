"""The steps of values on the terminal: block by block for one format, results side by side for several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.cli.terminal import counted, styled
from fewbits.explain import walk

if TYPE_CHECKING:
    from rich.console import Console

    from fewbits.formats import Format

__all__ = ["show_beside", "show_steps"]


def show_steps(console: Console, rows: list[dict[str, Any]], f: Format) -> None:
    """How the scale of each block came about, and each value on its way to a code and back."""
    shown = {name for name in rows[0] if any(row[name] is not None for row in rows)}
    blocks = list(dict.fromkeys(row["block"] for row in rows if row["block"] is not None))
    for block in blocks:
        count = sum(row["block"] == block for row in rows)
        console.print()
        console.print(styled((f"block {block:.0f}", "bold"), (f"  {counted(count, 'value')}", "dim")))
        for fact in walk(rows, block, f):
            parts = [(fact.code, "cyan"), (fact.how, "dim")]
            line = [(f"  {text}", style) for text, style in parts if text]
            console.print(styled((f"  {fact.what:<28}{_cell(fact.value):>14}", ""), *line))
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
    names = [name for name in titles if name in shown and not (name == "scaled" and not blocks)]
    several = len(blocks) > 1
    width = max(14, *(len(row["bits"] or "") + 2 for row in rows))
    console.print()
    console.print(styled((f"{'BLOCK':>7}" * several + "".join(f"{titles[name]:>{width}}" for name in names), "bold")))
    for row in rows:
        block = f"{_cell(row['block']):>7}" * several
        console.print(styled((block, "dim"), ("".join(f"{_cell(row[name]):>{width}}" for name in names), "")))


def show_beside(console: Console, steps: dict[str, list[dict[str, Any]]]) -> None:
    """What each format makes of each value, with the relative error; exact results say so."""
    console.print()
    console.print(styled(("results", "bold"), (", relative error; the values are one row of a tensor", "dim")))
    width = max(14, *(len(name) + 2 for name in steps))
    names = "".join(f"{name:>{width}}{'':>11}" for name in steps)
    console.print(styled((f"  {'VALUE':>12}{names}", "bold")))
    for own in zip(*steps.values(), strict=True):
        cells = "".join(f"{_cell(row['reconstruction']):>{width}}{_relative(row):>11}" for row in own)
        console.print(styled((f"  {_cell(own[0]['value']):>12}{cells}", "")))


def _relative(row: dict[str, Any]) -> str:
    if row["error"] is None:
        return "–"
    if row["error"] == 0:
        return "exact"
    return "∞" if not row["value"] else f"{100 * abs(row['error'] / row['value']):.3g} %"


def _cell(value: float | str | None) -> str:
    return "–" if value is None else value if isinstance(value, str) else f"{value:.7g}"
