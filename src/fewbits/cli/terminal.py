"""The terminal: consoles, colour, and text that is safe to show."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import IO, TYPE_CHECKING

from fewbits import metrics
from fewbits.table.files import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from fewbits.sources import Source

__all__ = [
    "COLOURS",
    "amount",
    "console",
    "counted",
    "interactive",
    "moved",
    "number",
    "printable",
    "seconds",
    "shape_text",
    "size",
    "styled",
]

COLOURS = {"good": "green", "fair": "yellow", "bad": "red", "": ""}
PIPE_WIDTH = 140  # columns where there is no terminal to ask


def console(file: IO[str] | None = None, *, plain: bool = False) -> Console:
    """A console on `file` (stdout). Colour on terminals or with FORCE_COLOR only; never with NO_COLOR or `plain`."""
    from rich.console import Console

    class Quiet(Console):
        """A console that leaves a broken pipe to `main`, which ends in silence."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    file = file or sys.stdout
    quiet = plain or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    terminal = hasattr(file, "isatty") and file.isatty()
    return Quiet(
        file=file,
        color_system=None if quiet else "auto",
        force_terminal=False if plain else None,
        no_color=quiet,
        width=None if terminal or os.environ.get("COLUMNS", "").isdecimal() else PIPE_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )


def interactive(file: IO[str]) -> bool:
    """Whether moving lines (progress) make sense there: a terminal that can, and nobody said CI."""
    return file.isatty() and os.environ.get("TERM") not in ("dumb", "") and not os.environ.get("CI")


def styled(*parts: tuple[str, str]) -> Text:
    """One line of (text, style) parts; whatever does not print is escaped."""
    from rich.text import Text

    line = Text(no_wrap=True, overflow="ignore")
    for text, style in parts:
        line.append(printable(text), style)
    return line


def number(name: str, value: float | None, flags: Collection[str] = ()) -> str:
    """A metric's value in its usual digits; ∞ where the flags say so, an en dash where it is undefined."""
    if value is None:
        return "∞" if f"{name}:inf" in flags else "-∞" if f"{name}:-inf" in flags else "–"
    text = format(value, metrics.metric(name).digits)
    return text.removeprefix("-") if float(text) == 0 else text


def shape_text(shape: tuple[int, ...] | list[int]) -> str:
    """A shape as 4096×1024; `scalar` for rank 0."""
    return "×".join(map(str, shape)) or "scalar"


def size(nbytes: float) -> str:
    """Bytes in decimal units: 33.6 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 999.5:
            return f"{nbytes:.0f} B" if unit == "B" else f"{nbytes:.3g} {unit}"
        nbytes /= 1000
    return f"{nbytes:.3g} TB"


def moved(source: Source) -> str:
    """How much of a remote model came over the network: 3.2 MB of 1.4 GB; "" where nothing is remote."""
    return "" if source.moved is None else f"{size(source.moved)} of {size(sum(count for _, count in source.files))}"


def amount(count: float) -> str:
    """A number of weights: 22.7 M."""
    for unit in ("", " k", " M", " G"):
        if count < 999.5:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g} T"


def counted(count: int, noun: str) -> str:
    """A number of things: 1 tensor, 2 tensors."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def seconds(value: float) -> str:
    """A short duration: 12 ms, 3.4 s."""
    return f"{value * 1e6:.0f} µs" if value < 1e-3 else f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"
