"""Files of a table: CSV, JSON and Parquet, written whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from fewbits.errors import DataError, FewbitsError, UsageError
from fewbits.table.columns import COLUMNS, flat, frame

if TYPE_CHECKING:
    import polars

__all__ = ["WRITERS", "atomic", "json_object", "printable", "read", "write", "write_csv", "write_json", "write_parquet"]

Rows = Sequence[Mapping[str, Any]]


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of `path` when the block ends well, and leaves no trace when it does not.

    Written beside it, flushed to the disk, renamed. Any failure of the file system is one clear `FewbitsError`.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            os.chmod(temporary, 0o666 & ~_umask())
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = ""
    except OSError as error:
        raise FewbitsError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def write(data: Rows, path: Path, columns: Sequence[str] = COLUMNS) -> None:
    """Rows to a file whose suffix says the kind: .csv, .json or .parquet; UsageError for other suffixes."""
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UsageError(f"cannot write '{path}': the suffix says the kind, one of {', '.join(WRITERS)}")
    with atomic(path) as file:
        writer(data, file, columns)


def write_csv(
    data: Rows, file: IO[bytes], columns: Sequence[str] = COLUMNS, *, header: bool = True, escaped: bool = False
) -> None:
    """UTF-8 CSV (RFC 4180, but lines end with a line feed); None is an empty field.

    Text that a spreadsheet would take for a formula (it starts with = + - @) has a ' in front; JSON and Parquet have none.
    With `escaped`, control characters and marks of direction are written as on the terminal.
    """
    import io

    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    names = list(data[0]) if data else list(columns)
    writer = csv.DictWriter(text, names, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows({k: _text(v, escaped) if isinstance(v, str) else v for k, v in row.items()} for row in flat(data))
    text.detach()


def write_json(data: Rows, file: IO[bytes], columns: Sequence[str] = COLUMNS) -> None:
    """One JSON array of row objects, one row a line; nothing infinite or NaN, and no control character is ever in it."""
    lines = ",\n".join(map(json_object, data))
    file.write(f"[{lines}]\n".encode("utf-8", "backslashreplace"))


def json_object(row: Mapping[str, Any]) -> str:
    """A row as a JSON object on one line, in which whatever does not print is written \\uXXXX, which means the same."""
    text = json.dumps(row, allow_nan=False, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def write_parquet(data: Rows, file: IO[bytes], columns: Sequence[str] = COLUMNS) -> None:
    """Parquet with the table's types."""
    import io

    buffer = io.BytesIO()
    frame(data, columns).write_parquet(buffer)
    file.write(buffer.getbuffer())


def read(path: Path) -> polars.DataFrame:
    """The table in a .parquet file; DataError when it is not one."""
    import polars

    try:
        return polars.read_parquet(path, hive_partitioning=False)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise DataError(f"cannot read the table {path}: {str(error).splitlines()[0]}") from error


WRITERS = {".csv": write_csv, ".json": write_json, ".parquet": write_parquet}


def printable(text: str) -> str:
    """Foreign text without control characters and marks of direction: \\x1b stays four letters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _text(value: str, escaped: bool) -> str:
    if value.startswith(("=", "+", "-", "@", "\t", "\r")) and not _is_number(value):
        value = "'" + value
    return printable(value) if escaped else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
