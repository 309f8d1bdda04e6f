"""Number formats on the tensors of BASE, as methods beside the checkpoints that are compared with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from fewbits.diff.comparison import Difference
from fewbits.diff.pairs import Matching, Pair
from fewbits.formats import Format
from fewbits.measurement import measure_tensor
from fewbits.sources import Source
from fewbits.table import Record

__all__ = ["Simulated", "simulate"]


@dataclass
class Simulated:
    """What a format does to tensors, as if a checkpoint held them in it; like a `Comparison` in which nothing is unmatched."""

    label: str
    differences: list[Difference] = field(default_factory=list)
    matching: Matching = field(default_factory=Matching)


def simulate(
    base: Source,
    names: Collection[str],
    formats: Sequence[tuple[str, Format]],
    *,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[Simulated]:
    """Measure formats (as typed, parsed) on the tensors of `base` called `names`."""
    found = [Simulated(typed) for typed, _ in formats]
    for tensor in base:
        if tensor.name in names:
            measured = measure_tensor(tensor, [f for _, f in formats], jobs=jobs, progress=progress)
            sums = zip(found, formats, measured.errors, measured.seconds, strict=True)
            for method, (typed, f), error, seconds in sums:
                bits = f.bits(tensor.shape)
                stored = replace(tensor, nbytes=round(bits * tensor.size / 8), layout=str(f))
                record = Record(
                    model=base.title,
                    tensor=tensor.name,
                    identity=tensor.identity,
                    shape=tensor.shape,
                    dtype=tensor.dtype,
                    layout=tensor.layout,
                    format=typed,
                    spec=str(f),
                    bits=bits,
                    signal=dict(measured.signal),
                    error=dict(error),
                    seconds=seconds,
                    time=time.time(),
                )
                method.differences.append(Difference(record, Pair(tensor, stored, tensor.name), ()))
    return found
