"""A few formats on every tensor of a model that holds no integers, transposed where asked for; kept in a run directory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fewbits import catalog
from fewbits.formats import Format
from fewbits.run import RunDirectory, default_path
from fewbits.scan.job import measure_cpu
from fewbits.scan.loop import Options, scan
from fewbits.table import Record
from fewbits.transposed import transposed

if TYPE_CHECKING:
    from fewbits.sources import Source
    from fewbits.tensor import Tensor

__all__ = ["Survey"]

TRANSPOSED = ".t"  # any case, behind a format: its blocks run along the other axis

Named = tuple[str, Format]


class Survey:
    """Formats on tensors; `formats` are (as typed, spec), in the order asked for. Nothing is written before `measure`."""

    def __init__(
        self,
        source: Source,
        tensors: Sequence[Tensor],
        formats: Sequence[str],
        query: str = "",
        run: Path | None = None,
    ) -> None:
        from fewbits.sources.select import holds_integers

        self.source = source
        self.tensors = [t for t in tensors if not t.unreadable and not holds_integers(t)]
        self.straight: list[Named] = catalog.resolve([text for text in formats if not _turned(text)])
        self.turned: list[Named] = catalog.resolve([text[: -len(TRANSPOSED)] for text in formats if _turned(text)])
        self.formats = [typed for typed, _ in self.straight] + [f"{typed}.T" for typed, _ in self.turned]
        facts = {"model": source.title, "revision": source.revision, "filter": query, "every": True}
        self.path = run or default_path(source.title, query, facts)

    @property
    def work(self) -> int:
        """Weights × formats."""
        return sum(math.prod(t.shape) for t in self.tensors) * len(self.formats)

    def measure(
        self, *, jobs: int = 1, progress: Callable[[int], None] | None = None
    ) -> Iterator[tuple[Tensor, list[Record]]]:
        """Each tensor with its records, by `formats`; what the run directory has already is not measured again."""
        facts = {"model": self.source.title, "revision": self.source.revision, "uri": self.source.uri}
        named = [(typed, str(f), f.limit_bits) for typed, f in (*self.straight, *self.turned)]
        with RunDirectory(self.path, facts, named) as store:
            for tensor in self.tensors:
                records: list[Record] = []
                for subject, formats in ((tensor, self.straight), (transposed(tensor), self.turned)):
                    if formats:
                        found = scan(
                            [subject],
                            formats,
                            store,
                            model=self.source.title,
                            backends={"cpu": measure_cpu},
                            options=Options(jobs=jobs),
                            progress=progress,
                        )
                        records += [record for measured in found for record in measured.records]
                yield tensor, records


def _turned(text: str) -> bool:
    return text.lower().endswith(TRANSPOSED)
