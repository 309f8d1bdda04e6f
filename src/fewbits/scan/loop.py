"""Tensor by tensor: look up what is known, measure the rest, keep it, hand it on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from fewbits import table
from fewbits.errors import DataError
from fewbits.formats import Format
from fewbits.profile import Profile
from fewbits.profile import key as profile_key
from fewbits.scan import sample
from fewbits.table import Record
from fewbits.tensor import Tensor

__all__ = ["Measured", "Measurer", "Options", "Profiler", "Store", "Sums", "keys", "scan"]

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

    def identity(self, tensor: str) -> str:
        """The identity in the newest record of a tensor of that name, "" when there is none."""

    def profiled(self, key: str) -> Container[str]:
        """The specs that the profile of a key covers."""

    def append_profile(self, profile: Profile) -> None:
        """Keep a profile."""


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


class Profiler(Protocol):
    """Makes the profile of a tensor from its records, each with its format and the rows that were measured (None: all)."""

    def __call__(
        self, tensor: Tensor, measured: Sequence[tuple[Format, Record, Rows | None]], *, sampling: str, jobs: int
    ) -> Profile:
        """The profile; formats whose records are of another backend are left out of the pictures."""


@dataclass(frozen=True)
class Options:
    """How to scan: threads, rows to sample (None: all), its seed, measure again, refuse NaN and infinities, make profiles."""

    jobs: int = 1
    sample_rows: int | None = None
    seed: int = 0
    recompute: bool = False
    strict: bool = False
    profile: bool = True


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
    profiler: Profiler | None = None,
) -> Iterator[Measured]:
    """Measure formats (as typed, parsed) on tensors; records are kept in `store` before they are handed on.

    `backend_of` says which of `backends` measures a format; `progress` gets weights × formats newly done or found;
    `profiler` makes what pictures need (unless the options say no), of the formats that the tensor's profile lacks.
    """
    options = options or Options()
    for tensor in tensors:
        parts = _parts(tensor, formats, options)
        known = {} if options.recompute else _known(store, _keys(tensor, parts, backend_of))
        cached = frozenset(known)
        if known and store.identity(tensor.name) != tensor.identity:  # the bytes of before are back: theirs count again
            store.append([replace(r, model=model, tensor=tensor.name, time=time.time()) for r in known.values()])
        for part in parts:
            if progress and known:
                progress(_weights(tensor, part.rows) * sum(str(f) in known for _, f in part.formats))
            for name, measurer in backends.items():
                missing = [(typed, f) for typed, f in part.formats if str(f) not in known and backend_of(f) == name]
                if missing:
                    asked = [f for _, f in missing]
                    found = measurer(tensor, asked, jobs=options.jobs, rows=part.rows, progress=progress)
                    made = _records(tensor, missing, found, part, model=model, backend=name)
                    store.append(made)
                    known.update((record.spec, record) for record in made)
        records = [replace(known[str(f)], model=model, tensor=tensor.name, format=typed) for typed, f in formats]
        if profiler and options.profile:
            _profile(tensor, parts, known, store, profiler, options)
        if options.strict:
            _refuse_nonfinite(max(records, key=lambda r: r.signal["nan"] + r.signal["inf"]))
        yield Measured(tensor, records, cached)


def keys(
    tensor: Tensor, formats: Sequence[tuple[str, Format]], backend_of: Callable[[Format], str], options: Options
) -> dict[str, str]:
    """The keys of the records that a scan makes or finds, by spec."""
    return _keys(tensor, _parts(tensor, formats, options), backend_of)


def _keys(tensor: Tensor, parts: Sequence[_Part], backend_of: Callable[[Format], str]) -> dict[str, str]:
    return {
        str(f): table.key(tensor.identity, str(f), sampling=part.sampling, backend=backend_of(f))
        for part in parts
        for _, f in part.formats
    }


def _known(store: Store, keys: Mapping[str, str]) -> dict[str, Record]:
    found = {spec: record for spec, key in keys.items() if (record := store.get(key))}
    if len(found) < len(keys):
        store.refresh()
        found = {spec: record for spec, key in keys.items() if (record := store.get(key))}
    return found


def _profile(
    tensor: Tensor,
    parts: Sequence[_Part],
    records: Mapping[str, Record],
    store: Store,
    profiler: Profiler,
    options: Options,
) -> None:
    """Make and keep the profile of a tensor in the formats that it is not known in."""
    sampling = parts[0].sampling
    known = () if options.recompute else store.profiled(profile_key(tensor.identity, sampling))
    missing = [(f, records[str(f)], part.rows) for part in parts for _, f in part.formats if str(f) not in known]
    if missing:
        store.append_profile(profiler(tensor, missing, sampling=sampling, jobs=options.jobs))


def _records(
    tensor: Tensor,
    formats: Sequence[tuple[str, Format]],
    found: Sums,
    part: _Part,
    *,
    model: str,
    backend: str,
) -> list[Record]:
    share = _weights(tensor, part.rows) / max(math.prod(tensor.shape), 1)
    records = []
    for i, (typed, f) in enumerate(formats):
        groups = [(signal, errors[i]) for signal, errors in found.groups or ()] if part.rows else []
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
                sampling=part.sampling,
                errors=sample.standard_errors(groups, share),
                backend=backend,
                time=time.time(),
            )
        )
    return records


@dataclass(frozen=True)
class _Part:
    """Formats that are measured on the same rows (None: all) of a tensor; `sampling` is what the numbers depend on."""

    formats: Sequence[tuple[str, Format]]
    rows: Rows | None = None
    sampling: str = ""


def _parts(tensor: Tensor, formats: Sequence[tuple[str, Format]], options: Options) -> list[_Part]:
    """The formats that are sampled, and those that no sample of rows stands for, which are measured in full."""
    if options.sample_rows is None:
        return [_Part(formats)]
    whole = [named for named in formats if sample.in_full(named[1], tensor.shape)]
    rest = [named for named in formats if named not in whole]
    rows = sample.draw(tensor.shape, options.sample_rows, options.seed, tensor.name, [f for _, f in rest])
    if rows is None:
        return [_Part(formats)]
    return [part for part in (_Part(rest, rows, _sampling(tensor, rows, options)), _Part(whole)) if part.formats]


def _sampling(tensor: Tensor, rows: Rows, options: Options) -> str:
    """What the numbers of a sample depend on."""
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
