"""Tensor by tensor: look up what is known, measure the rest, keep it, hand it on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from fewbits import table
from fewbits.errors import DataError
from fewbits.formats import Format
from fewbits.scan import sample
from fewbits.table import Record
from fewbits.tensor import Tensor

__all__ = ["Measured", "Measurer", "Options", "Store", "Sums", "scan"]

Progress = Callable[[int], None]
Rows = Sequence[tuple[int, int]]


class Store(Protocol):
    """Where records are kept: a run directory."""

    def get(self, key: str) -> Record | None:
        """The record of a key, if there is one."""

    def append(self, records: Sequence[Record]) -> None:
        """Keep records."""

    def refresh(self) -> None:
        """Take note of records that others have kept."""


class Sums(Protocol):
    """What measuring gives: sums of x; per format sums of the error and seconds; the sums again per row range."""

    @property
    def signal(self) -> Mapping[str, float]: ...
    @property
    def errors(self) -> Sequence[Mapping[str, float]]: ...
    @property
    def seconds(self) -> Sequence[float]: ...
    @property
    def groups(self) -> Sequence[tuple[Mapping[str, float], Sequence[Mapping[str, float]]]] | None: ...


class Measurer(Protocol):
    """A backend: measures formats on (rows of) a tensor."""

    def __call__(
        self, tensor: Tensor, formats: Sequence[Format], *, jobs: int, rows: Rows | None, progress: Progress | None
    ) -> Sums:
        """Sums of x and of the errors of `formats` over `rows` (None: all)."""


@dataclass(frozen=True)
class Options:
    """How to scan: threads, rows to sample (None: all), its seed, measure again, refuse NaN and infinities."""

    jobs: int = 1
    sample_rows: int | None = None
    seed: int = 0
    recompute: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Measured:
    """A tensor and its records, one per format as asked for; `cached` are the specs that were not measured now."""

    tensor: Tensor
    records: list[Record]
    cached: frozenset[str]


def scan(
    tensors: Iterable[Tensor],
    formats: Sequence[tuple[str, Format]],
    store: Store,
    *,
    model: str,
    backends: Mapping[str, Measurer],
    backend_of: Callable[[Format], str] = lambda _: "cpu",
    options: Options | None = None,
    progress: Progress | None = None,
) -> Iterator[Measured]:
    """Measure formats (as typed, parsed) on tensors; records are kept in `store` before they are handed on.

    `backend_of` says which of `backends` measures a format; `progress` gets weights × formats newly done or found.
    """
    options = options or Options()
    for tensor in tensors:
        rows = _rows(tensor, formats, options)
        sampling = _sampling(tensor, rows, options)
        keys = {
            str(f): table.key(tensor.identity, str(f), sampling=sampling, backend=backend_of(f)) for _, f in formats
        }
        known = {} if options.recompute else _known(store, keys)
        cached = frozenset(known)
        if progress and known:
            progress(_weights(tensor, rows) * len(known))
        for name, measurer in backends.items():
            missing = [(typed, f) for typed, f in formats if str(f) not in known and backend_of(f) == name]
            if missing:
                found = measurer(tensor, [f for _, f in missing], jobs=options.jobs, rows=rows, progress=progress)
                made = _records(tensor, missing, found, model=model, sampling=sampling, backend=name, rows=rows)
                store.append(made)
                known.update((record.spec, record) for record in made)
        records = [replace(known[str(f)], model=model, tensor=tensor.name, format=typed) for typed, f in formats]
        if options.strict:
            _refuse_nonfinite(records[0])
        yield Measured(tensor, records, cached)


def _known(store: Store, keys: Mapping[str, str]) -> dict[str, Record]:
    found = {spec: record for spec, key in keys.items() if (record := store.get(key))}
    if len(found) < len(keys):
        store.refresh()
        found = {spec: record for spec, key in keys.items() if (record := store.get(key))}
    return found


def _records(
    tensor: Tensor,
    formats: Sequence[tuple[str, Format]],
    found: Sums,
    *,
    model: str,
    sampling: str,
    backend: str,
    rows: Rows | None,
) -> list[Record]:
    share = _weights(tensor, rows) / max(math.prod(tensor.shape), 1)
    records = []
    for i, (typed, f) in enumerate(formats):
        groups = [(signal, errors[i]) for signal, errors in found.groups or ()] if rows else []
        records.append(
            Record(
                model=model,
                tensor=tensor.name,
                identity=tensor.identity,
                shape=tuple(tensor.shape),
                dtype=tensor.dtype,
                layout=tensor.layout,
                format=typed,
                spec=str(f),
                bits=f.bits(tuple(tensor.shape)),
                signal=dict(found.signal),
                error=dict(found.errors[i]),
                seconds=found.seconds[i],
                sampling=sampling,
                errors=sample.standard_errors(groups, share),
                backend=backend,
                time=time.time(),
            )
        )
    return records


def _rows(tensor: Tensor, formats: Sequence[tuple[str, Format]], options: Options) -> Rows | None:
    if options.sample_rows is None:
        return None
    return sample.draw(tensor.shape, options.sample_rows, options.seed, tensor.name, [f for _, f in formats])


def _sampling(tensor: Tensor, rows: Rows | None, options: Options) -> str:
    """What the numbers of a sample depend on; "" for whole tensors."""
    if rows is None:
        return ""
    height = max(stop - start for start, stop in rows)
    drawn = sum(stop - start for start, stop in rows)
    return f"{drawn} of {tensor.rows} rows, strata of {height}, seed {options.seed}"


def _weights(tensor: Tensor, rows: Rows | None) -> int:
    if rows is None:
        return math.prod(tensor.shape)
    return sum(stop - start for start, stop in rows) * tensor.columns


def _refuse_nonfinite(record: Record) -> None:
    nan, inf = record.signal["nan"], record.signal["inf"]
    if nan + inf > 0:
        counts = f"{nan:.0f} NaN and {inf:.0f} infinite values"
        raise DataError(f"{record.tensor} has {counts} of {math.prod(record.shape)}, which --strict refuses")
