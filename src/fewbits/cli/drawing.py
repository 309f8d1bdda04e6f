"""-o of commands that also draw: rows for .csv, .json and .parquet, pictures for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.errors import UsageError

if TYPE_CHECKING:
    from fewbits.figures import Spec
    from fewbits.sheet import Sheet

__all__ = ["KINDS", "RowsOrPicture", "check", "drawn", "is_picture", "write"]

KINDS = (".png", ".svg", ".pdf", ".html")

RowsOrPicture = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="Write the rows to a .csv, .json or .parquet file, a picture to .png, .svg or .pdf, or a page with everything "
        "in it to .html.",
        show_default=False,
    ),
]


def is_picture(output: Path | None) -> bool:
    """Whether a file is to hold a picture or a page."""
    return output is not None and output.suffix.lower() in KINDS


def check(json: bool, csv: str | None, output: Path | None) -> None:
    """Refuse outputs that cannot be, before any work: UsageError."""
    from fewbits.cli import outputs
    from fewbits.table.files import WRITERS

    if output is not None and not is_picture(output) and output.suffix.lower() not in WRITERS:
        kinds = ", ".join((*WRITERS, *KINDS))
        raise UsageError(f"-o '{output}': the suffix says the kind of file, one of {kinds}")
    outputs.check(json, csv, None if is_picture(output) else output)


def drawn(name: str, rows: Sequence[dict[str, Any]]) -> Spec:
    """The figure `name` of some rows."""
    import polars

    from fewbits import figures

    return figures.draw(name, polars.DataFrame(rows, infer_schema_length=None))


def write(output: Path, charts: Callable[[], Sequence[Spec]], sheet: Callable[[], Sheet]) -> None:
    """Write the charts below each other as a picture, or the sheet as a page."""
    if output.suffix.lower() == ".html":
        from fewbits import sheet as sheets

        sheets.write(sheet(), output)
        return
    from fewbits import figures

    found = list(charts())
    figures.save(found[0] if len(found) == 1 else figures.stacked(found), output)
