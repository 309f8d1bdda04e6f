"""`measure`: formats side by side on one array, as a table of metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from fewbits import catalog, table
from fewbits.formats import Format
from fewbits.measurement import measure_tensor
from fewbits.table import Record
from fewbits.tensor import Tensor

if TYPE_CHECKING:
    import polars

__all__ = ["measure"]


def measure(
    x: Tensor | ArrayLike, formats: Iterable[str | Format] | str | Format, *, jobs: int = 1
) -> polars.DataFrame:
    """One row a format with bits and every metric (`fewbits.metrics`), in the order of `formats`: names, specs, groups or `Format`s."""
    wanted = [formats] if isinstance(formats, str | Format) else list(formats)
    texts = [catalog.name_of(f) or str(f) if isinstance(f, Format) else f for f in wanted]
    named = catalog.resolve(texts)
    found = measure_tensor(x, [f for _, f in named], jobs=jobs)
    name, array = (x.name, x) if isinstance(x, Tensor) else ("", np.asarray(x))
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
