"""`explain` on the terminal: one format in depth, or several side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fewbits import catalog
from fewbits.cli.explain_steps import show_beside, show_steps
from fewbits.cli.terminal import counted, styled
from fewbits.explain import (
    LISTED_BITS,
    bits_of,
    codes,
    count,
    formula,
    levels,
    number_line,
    relative_error,
    specials,
    windows,
)

if TYPE_CHECKING:
    from rich.console import Console

    from fewbits.formats import Format

__all__ = ["View"]

PER_LINE = 8  # codes side by side
LINE = 100  # characters of a number line
# Letters and weights say the same where there is no colour.
FIELDS = {
    "sign": "black on yellow",
    "exponent": "black on bright_cyan",
    "mantissa": "black on bright_green",
    "minus": "black on bright_magenta",
    "weight": "black on bright_yellow",
    "index": "black on white",
}
TICKS = ((1, "│"), (3, "┃"), (8, "▌"), (10**12, "█"))  # up to so many values in a place


@dataclass(frozen=True)
class View:
    """Formats, the steps of values by format, and the part of the number line that was asked for."""

    formats: list[tuple[str, Format]]
    steps: dict[str, list[dict[str, Any]]]
    window: tuple[float, float] | None = None

    def show(self, console: Console) -> None:
        """Draw it."""
        if len(self.formats) > 1:
            self._compare(console)
            return
        name, f = self.formats[0]
        _head(console, name, f)
        if self.steps:
            show_steps(console, self.steps[name], f)
            return
        self._bits(console)
        if 0 < f.element.bits <= LISTED_BITS:
            console.print()
            console.print(styled((f"all values of {f.element}", "bold"), (" (code, value)", "dim")))
            cells = [f"{pattern} {value:<11.6g}" for _, pattern, value in codes(f.element)]
            rest = -(-len(cells) // PER_LINE)
            for i in range(rest):
                console.print(styled(("  " + " ".join(cells[i::rest]), "")))
        self._lines(console)
        self._errors(console)

    def _compare(self, console: Console) -> None:
        from fewbits.cli.formats import show_table
        from fewbits.explain import properties

        show_table(console, [properties(*one) for one in self.formats])
        self._bits(console)
        if self.steps:
            show_beside(console, self.steps)
            return
        self._lines(console)
        self._errors(console)

    def _bits(self, console: Console) -> None:
        console.print()
        console.print(styled(("bits of a code", "bold"), (", value", "dim")))
        width = max(len(name) for name, _ in self.formats)
        for name, f in self.formats:
            bits = bits_of(f.element)
            gap = " " if any(len(bit.text) > 1 for bit in bits) else ""
            parts = [(f"{gap}{bit.text}{gap}", FIELDS[bit.field]) for bit in bits]
            console.print(styled((f"  {name:<{width}}  ", ""), *parts))
            note = "; ".join(text for text in (formula(f.element), specials(f.element)) if text)
            console.print(styled((f"  {'':<{width}}  {note}", "dim")))

    def _lines(self, console: Console) -> None:
        width = max(len(name) for name, _ in self.formats)
        for low, high in [self.window] if self.window else windows(self.formats):
            console.print()
            console.print(styled((f"number line {low:g} … {high:g}", "bold"), (", before any scale; █ many", "dim")))
            rows = number_line(self.formats, [(low, high)], bins=LINE)
            for name, f in self.formats:
                places = ["─"] * LINE
                for row in rows:
                    if row["format"] == name and row["values"]:
                        at = min(int((row["start"] - low) / (high - low) * LINE + 1e-9), LINE - 1)
                        places[at] = next(mark for most, mark in TICKS if row["values"] <= most)
                total = f"  {counted(count(f.element, low, high), 'value')}"
                console.print(styled((f"  {name:<{width}}  ", ""), ("".join(places), "cyan"), (total, "dim")))

    def _errors(self, console: Console) -> None:
        """The worst relative error at each power of ten."""
        positive = [(name, f) for name, f in self.formats if f.element.highest > 0]
        if not positive:
            return
        rows = relative_error(positive, 1 + 24 * 11)
        decades = sorted({row["x"] for row in rows if math.isclose(row["x"], 10.0 ** round(math.log10(row["x"])))})
        width = max(12, *(len(name) + 2 for name, _ in positive))
        console.print()
        console.print(styled(("worst relative error near a magnitude", "bold"), (", before any scale", "dim")))
        console.print(styled((f"  {'MAGNITUDE':<11}" + "".join(f"{name:>{width}}" for name, _ in positive), "bold")))
        found = {(row["format"], row["x"]): row for row in rows}
        for x in decades:
            cells = "".join(f"{_worst(found[name, x]):>{width}}" for name, _ in positive)
            console.print(styled((f"  {x:<11.0e}{cells}", "")))


def _worst(row: dict[str, Any]) -> str:
    if row["x"] > row["highest"]:
        return row["beyond"] if row["beyond"] == "saturates" else "∞"
    return "–" if row["worst"] is None else f"{100 * row['worst']:.3g} %"


def _head(console: Console, typed: str, f: Format) -> None:
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
