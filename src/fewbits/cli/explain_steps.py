"""The steps of values on the terminal: block by block for one format, results side by side for several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.cli.terminal import styled

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["show_beside", "show_steps"]


def show_steps(console: Console, rows: list[dict[str, Any]]) -> None:
    """How the scale of each block came about, and each value on its way to a code and back."""
    shown = {name for name in rows[0] if any(row[name] is not None for row in rows)}
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
