"""What a scan shows while it works: header, hierarchy, tables, summary; on the terminal and, plain, in table.txt."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fewbits.cli import scan_tables as tables
from fewbits.cli.layout import Line, cropped
from fewbits.cli.progress import progress
from fewbits.cli.terminal import console, counted, moved, printable, styled
from fewbits.errors import FewbitsError
from fewbits.scan import Measured, Summary, grow
from fewbits.scan.job import Job

if TYPE_CHECKING:
    from fewbits.run import RunDirectory
    from fewbits.table import Record

__all__ = ["View"]

COMPACT = 20  # more tensors than this are one line each on the terminal; table.txt always has every table
TREE_LINES = 40  # of the hierarchy on the terminal


class View:
    """Runs a job and shows it; `shown` is the terminal, `keep` collects the records."""

    def __init__(self, job: Job, *, summary: bool, shown: bool, keep: bool) -> None:
        self.job, self.keep = job, keep
        self.summary = Summary()
        self.records: list[Record] = []
        self.measured = 0
        self._with_summary = summary or len(job.tensors) > 1
        self._terminal = console() if shown else None
        self._file: Callable[[str], object] = lambda _: None
        self._closing = ExitStack()
        self._compact = len(job.tensors) > COMPACT

    @property
    def kept(self) -> str:
        """What is safe after an interruption or error, and how to go on."""
        count = f"{self.measured} of {counted(len(self.job.tensors), 'tensor')} {'is' if self.measured == 1 else 'are'}"
        return f"{count} measured and kept in {self.job.path}; the same command continues"

    def measure(self, *, with_progress: bool) -> None:
        """Measure everything, showing each tensor as it is done."""
        with progress(self.job.work, shown=with_progress) as bar:

            def opened(run: RunDirectory) -> None:
                with bar.aside():
                    self._open(run)

            for found in self.job.measure(bar.advance, opened):
                self.measured += 1
                bar.describe(f"{self.measured}/{len(self.job.tensors)}")
                for record in found.records:
                    self.summary.add(record, record.format)
                    if self.keep:
                        self.records.append(record)
                with bar.aside():
                    self._tensor(found)

    def finish(self, report: Path) -> None:
        """The summary, and where everything is."""
        rows = self.summary.rows()
        if self._compact:
            self._print([])
        if self._with_summary:
            what = rows, self.job.weights, len(self.job.tensors)
            self._write([*tables.summary(*what), []])
            for line in [*tables.summary(*what, self._narrow), []]:
                self._print(line)
        else:
            self._both([tables.front(rows), []])
        if text := moved(self.job.source):
            self._print([("moved   ", "bold"), (text, "")])
        self._print([("report  ", "bold"), (str(report), "cyan")])
        self._print([("table   ", "bold"), (str(self.job.path / "measurements.parquet"), ""), ("  .csv", "")])
        self._closing.close()

    def stop(self) -> None:
        """After an interruption or error: what is measured becomes a table, as far as the disk allows."""
        with suppress(FewbitsError, OSError):
            self._closing.close()
        if self.measured:
            with suppress(FewbitsError, OSError):
                self.job.derive()

    def _open(self, run: RunDirectory) -> None:
        """The run directory is there: say what is going to happen."""
        name = "table.txt" if run.worker == "0" else f"table-{run.worker}.txt"
        try:
            file = self._closing.enter_context((run.path / name).open("w", encoding="utf-8", errors="backslashreplace"))
        except OSError as error:
            raise FewbitsError(f"cannot write {run.path / name}: {error.strerror}") from error

        def write(text: str) -> None:
            try:
                file.write(text)
                file.flush()
            except OSError as error:
                raise FewbitsError(f"cannot write {run.path / name}: {error.strerror}") from error

        self._file = write
        self._both(tables.header(self.job, self.job.known(run)))
        tree = tables.hierarchy(grow(self.job.tensors))
        self._write(tree)
        more = len(tree) - TREE_LINES
        for line in tree[:TREE_LINES] if more > 5 else tree:
            self._print(cropped(line, self._narrow))
        if more > 5:
            self._print([(f"  … {more} more lines in {name}", "dim")])
        self._both([[]])
        if self._compact:
            self._print(tables.compact_header(self.job.formats, self._width))

    def _tensor(self, found: Measured) -> None:
        self._write(tables.tensor(found))
        if self._terminal:
            compact = self._compact
            for line in [tables.compact(found, self._width)] if compact else tables.tensor(found, self._narrow):
                self._print(line)

    @property
    def _width(self) -> int:
        return self._terminal.width if self._terminal else 0

    @property
    def _narrow(self) -> int:
        """The width that tables keep to; 0 where there is no terminal to be too narrow."""
        asked = os.environ.get("COLUMNS", "").isdecimal()
        return self._width if self._terminal and (self._terminal.is_terminal or asked) else 0

    def _both(self, lines: Iterable[Line]) -> None:
        listed = list(lines)
        self._write(listed)
        for line in listed:
            self._print(line)

    def _write(self, lines: Iterable[Line]) -> None:
        self._file("".join(printable("".join(text for text, _ in line)).rstrip() + "\n" for line in lines))

    def _print(self, line: Line) -> None:
        if self._terminal:
            self._terminal.print(styled(*line))
