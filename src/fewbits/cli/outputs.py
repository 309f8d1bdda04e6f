"""Where the rows of a command go: terminal, --json, --csv, -o. The same for every command."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from fewbits.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["check", "emit", "finite", "machine_readable", "refuse_empty", "stdout"]

Rows = Sequence[Mapping[str, Any]]


def check(json: bool, csv: str | None, output: Path | None = None) -> None:
    """Refuse outputs that cannot be, before any work: UsageError."""
    from fewbits.table.files import WRITERS

    if json and csv == "-":
        raise UsageError("--json and --csv - both want stdout")
    if output is not None and output.suffix.lower() not in WRITERS:
        raise UsageError(f"-o '{output}': the suffix says the kind of file, one of {', '.join(WRITERS)}")


def refuse_empty(wanted: bool, reason: str) -> None:
    """Refuse to write rows where a command has none to write: UsageError."""
    if wanted:
        raise UsageError(f"--json, --csv and -o: {reason}")


def machine_readable(json: bool, csv: str | None) -> bool:
    """Whether stdout belongs to rows for programs, and nothing else may be on it."""
    return json or csv == "-"


def emit(
    rows: Rows,
    columns: Sequence[str],
    *,
    json: bool = False,
    csv: str | None = None,
    output: Path | None = None,
    show: Callable[[Console], None] | None = None,
) -> None:
    """Write rows where the options say; `show` draws them on the terminal unless stdout is for programs."""
    from fewbits.table.files import atomic, write, write_csv, write_json

    rows = finite(rows)
    if output is not None:
        write(rows, output, columns)
    if csv is not None and csv != "-":
        with atomic(Path(csv)) as file:
            write_csv(rows, file, columns)
    if json:
        write_json(rows, stdout(), columns)
    elif csv == "-":
        write_csv(rows, stdout(), columns, escaped=True)
    elif show:
        from fewbits.cli.terminal import console

        show(console())
    sys.stdout.flush()


def finite(rows: Rows) -> list[dict[str, Any]]:
    """Rows as every file has them: infinities and NaN, which JSON does not have, are null."""
    return [{name: _number(value) for name, value in row.items()} for row in rows]


def stdout() -> IO[bytes]:
    """The bytes of stdout, after what was printed before."""
    sys.stdout.flush()
    return sys.stdout.buffer


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
