"""A scan from a request to a run directory: source, selection, formats, backend, records, table."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewbits import catalog
from fewbits.errors import SourceError, UsageError
from fewbits.formats import Format
from fewbits.run import RunDirectory, default_path, derive
from fewbits.scan import ttnn
from fewbits.scan.loop import Measured, Measurer, Options, Rows, keys, scan

if TYPE_CHECKING:
    from fewbits.measurement import Measurement
    from fewbits.profile import Profile
    from fewbits.sources import Source
    from fewbits.table import Record
    from fewbits.tensor import Tensor

__all__ = ["BACKENDS", "Job", "Request", "measure_cpu", "profile_cpu"]

BACKENDS = ("cpu", "ttnn")


@dataclass(frozen=True)
class Request:
    """What a user asks for. No formats: those of `all`. `run` None: a place of its own in results/."""

    model: str
    query: str = ""
    formats: tuple[str, ...] = ()
    limit: int | None = None
    revision: str | None = None
    cache_dir: Path | None = None
    backend: str = "cpu"
    run: Path | None = None
    options: Options = field(default_factory=Options)


class Job:
    """A request, its names resolved and headers read; `measure` does the work. Nothing is written before."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.formats: list[tuple[str, Format]] = list(catalog.resolve(list(request.formats) or ["all"]))
        self.backends = _backends(request.backend)
        from fewbits.sources import open_source, select

        self.source: Source = open_source(request.model, revision=request.revision, cache_dir=request.cache_dir)
        own = [t for t in self.source if not t.companion_of]  # scales are read with what they scale
        self.tensors_in_all: int = len(own)
        matching = select(own, request.query)
        self.left_out: int = len(select(own, request.query, every=True)) - len(matching)
        chosen = matching if request.limit is None else select(own, request.query, request.limit)
        self.tensors: list[Tensor] = [t for t in chosen if not t.unreadable]
        self.skipped: list[Tensor] = [t for t in chosen if t.unreadable]
        if not self.tensors:
            raise SourceError(f"{chosen[0].name}: {chosen[0].unreadable}")
        self.weights: int = sum(math.prod(t.shape) for t in self.tensors)
        self.facts = self._facts()
        self.path: Path = request.run or default_path(self.source.title, request.query, self._identity())

    @property
    def work(self) -> int:
        """Weights × formats to measure in all; exact without sampling."""
        return self.weights * len(self.formats)

    def known(self, store: Container[str]) -> int:
        """How many of the measurements that are asked for are there already."""
        options = self.request.options
        asked = (keys(tensor, self.formats, self.backend_of, options).values() for tensor in self.tensors)
        return 0 if options.recompute else sum(key in store for found in asked for key in found)

    @property
    def notice(self) -> str:
        """What is left out and why, in one line; "" when nothing is."""
        if not self.skipped:
            return ""
        first = self.skipped[0]
        return f"{len(self.skipped)} unreadable, first {first.name}: {first.unreadable}"

    def backend_of(self, f: Format) -> str:
        """The backend that measures a format: the one asked for where it has the format, else `cpu`."""
        return "ttnn" if "ttnn" in self.backends and str(f) in ttnn.DTYPES else "cpu"

    def measure(
        self, progress: Callable[[int], None] | None = None, opened: Callable[[RunDirectory], None] | None = None
    ) -> Iterator[Measured]:
        """Measure tensor by tensor; every one handed on is kept. `opened` gets the run directory before the first."""
        formats = [(typed, str(f), f.limit_bits) for typed, f in self.formats]
        with RunDirectory(self.path, self.facts, formats) as store:
            if opened:
                opened(store)
            yield from scan(
                self.tensors,
                self.formats,
                store,
                model=self.source.title,
                backends=self.backends,
                backend_of=self.backend_of,
                options=self.request.options,
                progress=progress,
                profiler=profile_cpu,
            )

    def derive(self) -> None:
        """Write the table's files from the records."""
        derive(self.path)

    def _facts(self) -> dict[str, Any]:
        """What run.json says about the request."""
        request, source = self.request, self.source
        identities = "\n".join(f"{t.name} {t.identity}" for t in self.tensors)
        selection = sha256(identities.encode("utf-8", "backslashreplace"))
        return {
            "model": source.title,
            "uri": source.uri,
            "revision": source.revision,
            "files": [{"name": name, "bytes": size} for name, size in source.files],
            "filter": request.query,
            "limit": request.limit,
            "tensors": len(self.tensors),
            "skipped": {t.name: t.unreadable for t in self.skipped},
            "weights": self.weights,
            "selection": selection.hexdigest(),
            "backend": request.backend,
            "sample_rows": request.options.sample_rows,
            "seed": request.options.seed,
        }

    def _identity(self) -> dict[str, Any]:
        """What the place of a run depends on: not formats, threads or file contents (records know those)."""
        names = ("model", "uri", "revision", "filter", "limit", "backend", "sample_rows", "seed")
        return {name: self.facts[name] for name in names}


def _backends(name: str) -> Mapping[str, Measurer]:
    if name not in BACKENDS:
        raise UsageError(f"unknown backend '{name}'; backends are {', '.join(BACKENDS)}")
    if name == "ttnn":
        ttnn.available()
    backends: dict[str, Measurer] = {"cpu": measure_cpu}
    return backends | ({"ttnn": ttnn.measure} if name == "ttnn" else {})


def measure_cpu(
    tensor: Tensor,
    formats: Sequence[Format],
    *,
    jobs: int,
    rows: Sequence[tuple[int, int]] | None,
    progress: Callable[[int], None] | None,
) -> Measurement:
    """The backend `cpu`: our kernels, loaded when there is something to measure."""
    from fewbits.measurement import measure_tensor

    return measure_tensor(tensor, formats, jobs=jobs, rows=rows, progress=progress)


def profile_cpu(
    tensor: Tensor, measured: Sequence[tuple[Format, Record, Rows | None]], *, sampling: str, jobs: int
) -> Profile:
    """The profile of a tensor; None in it for formats that another backend measured, whose values are not ours."""
    from fewbits.profile.make import Wanted, profile

    def wanted(f: Format, record: Record, rows: Rows | None) -> Wanted:
        read = tensor.rows if rows is None else sum(stop - start for start, stop in rows)
        return Wanted(f, record.signal["max_abs"], record.error["err_sq"] * tensor.rows / max(read, 1), rows)

    ours = [wanted(*each) for each in measured if each[1].backend == "cpu"]
    made = profile(tensor, ours, sampling=sampling, jobs=jobs)
    return replace(made, formats={**{str(f): None for f, *_ in measured}, **made.formats}, time=time.time())
