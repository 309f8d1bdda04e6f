"""The first use of the kernels on a machine compiles them; a command says so instead of standing still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from fewbits.formats import Format

__all__ = ["compile_kernels"]


def compile_kernels(formats: Sequence[Format], *, silent: bool) -> None:
    """Compile what the formats need, if it is not there; say so on stderr unless `silent`."""
    from fewbits.compilation import compile_for, missing
    from fewbits.plan import plan

    plans = [plan(f) for f in formats]
    if missing(plans):
        if not silent:
            typer.echo("fewbits: compiling the kernels for this machine, once (about 20 seconds)", err=True)
        compile_for(plans)
