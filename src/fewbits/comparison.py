"""`measure`: formats side by side on one array, as a table of metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from fewbits import catalog, table
from fewbits.errors import UsageError, kind_of
from fewbits.formats import Format
from fewbits.measurement import measure_tensor
from fewbits.table import Record
from fewbits.tensor import Tensor
from fewbits.verbs import as_array

if TYPE_CHECKING:
    import polars

__all__ = ["measure"]


def measure(
    x: Tensor | ArrayLike, formats: Iterable[str | Format] | str | Format, *, jobs: int = 1
) -> polars.DataFrame:
    """One row a format with bits and every metric (`fewbits.metrics`), in the order of `formats`: names, specs, groups or `Format`s.

    `jobs`: threads, at least 1. Raises `UsageError` for what is no format or number of jobs, `DataError` for other data.
    """
    if type(jobs) is not int or jobs < 1:
        raise UsageError(f"jobs is a number of threads, at least 1, not {kind_of(jobs)}")
    alone = isinstance(formats, str | Format) or not isinstance(formats, Iterable)
    named = catalog.resolve([formats] if alone else formats)  # type: ignore[list-item,arg-type]
    x = x if isinstance(x, Tensor) else as_array(x)
    found = measure_tensor(x, [f for _, f in named], jobs=jobs)
    name, array = (x.name, x) if isinstance(x, Tensor) else ("", x)
    shape, dtype = tuple(array.shape), str(array.dtype)
    records = [
        Record(
            model="",
            tensor=name,
            identity="",
            shape=shape,
            dtype=dtype,
            layout="",
            format=typed,
            spec=str(f),
            bits=f.bits(shape),
            signal=found.signal,
            error=error,
            seconds=seconds,
        )
        for (typed, f), error, seconds in zip(named, found.errors, found.seconds, strict=True)
    ]
    return table.from_records(records)
