"""--json and --csv of commands whose rows come one tensor at a time: written as they come, never all held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from fewbits.cli.outputs import finite, stdout

__all__ = ["Add", "growing"]

Rows = Sequence[Mapping[str, Any]]
Add = Callable[[Rows], None]


@contextmanager
def growing(columns: Sequence[str], *, json: bool, csv: str | None) -> Iterator[Add]:
    """A function that takes rows of these columns and writes them where the options say; the same files as `outputs.emit` makes.

    A CSV file is there when the block ends well, and not at all when it does not.
    """
    from fewbits.table.files import atomic

    with ExitStack() as stack:
        sinks: list[Callable[[Rows], None]] = []
        if csv is not None and csv != "-":
            sinks.append(_Csv(stack.enter_context(atomic(Path(csv))), columns, escaped=False))
        if json:
            sinks.append(stack.enter_context(_array(stdout())))
        elif csv == "-":
            sinks.append(_Csv(stdout(), columns, escaped=True))

        def add(rows: Rows) -> None:
            own = finite(rows)
            for sink in sinks:
                sink(own)

        add([])  # the head of the table, also of one that stays empty
        yield add
        stack.close()
        stdout().flush()


class _Csv:
    def __init__(self, file: IO[bytes], columns: Sequence[str], *, escaped: bool) -> None:
        self._file, self._columns, self._escaped, self._started = file, columns, escaped, False

    def __call__(self, rows: Rows) -> None:
        from fewbits.table.files import write_csv

        write_csv(rows, self._file, self._columns, header=not self._started, escaped=self._escaped)
        self._started = True


@contextmanager
def _array(file: IO[bytes]) -> Iterator[Callable[[Rows], None]]:
    from fewbits.table.files import json_object

    between = "["

    def write(rows: Rows) -> None:
        nonlocal between
        for row in rows:
            file.write((between + json_object(row)).encode("utf-8", "backslashreplace"))
            between = ",\n"

    yield write
    file.write(b"[]\n" if between == "[" else b"]\n")
