"""What is made of the records, and can be made again: the table and its files."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from fewbits.errors import FewbitsError
from fewbits.run.records import current
from fewbits.table import COLUMNS, atomic, from_records, standard_error_columns
from fewbits.table.files import write_csv

if TYPE_CHECKING:
    import polars

__all__ = ["derive", "table"]

CHUNK = 20_000  # records at a time: bounds memory for models of any size


def table(directory: Path) -> polars.DataFrame:
    """The table of a run, from its records; FewbitsError when it has none."""
    import polars

    records, chunks = current(directory), []
    while chunk := list(islice(records, CHUNK)):
        chunks.append(from_records(chunk))
    if not chunks:
        raise FewbitsError(f"{directory} has no measurements")
    found = polars.concat(chunks, how="diagonal")
    names = [name for name in (*COLUMNS, *standard_error_columns()) if name in found.columns]
    return found.select(names)


def derive(directory: Path) -> polars.DataFrame:
    """Write measurements.parquet and measurements.csv; the table."""
    found = table(directory)
    with atomic(directory / "measurements.parquet") as file:
        file.write(_parquet(found))
    with atomic(directory / "measurements.csv") as file:
        for number, start in enumerate(range(0, found.height, CHUNK)):
            write_csv(found.slice(start, CHUNK).to_dicts(), file, header=number == 0)
    return found


def _parquet(found: polars.DataFrame) -> bytes:
    import io

    buffer = io.BytesIO()
    found.write_parquet(buffer)
    return buffer.getvalue()
