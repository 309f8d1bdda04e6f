"""The sums of a scan for two tensors that both exist: those of x, and those of e = y − x, slab by slab."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fewbits.metrics import ERROR, SIGNAL, empty, merge
from fewbits.passes import pair_sums
from fewbits.slabs import Cut, slabs
from fewbits.tensor import Tensor

__all__ = ["PairSums", "sum_pair"]


@dataclass(frozen=True)
class PairSums:
    """Sums of x and of the error; `broken` counts values that are finite in x only."""

    signal: dict[str, float]
    error: dict[str, float]
    broken: int


def sum_pair(
    x: Tensor,
    y: Tensor,
    mapped: Callable[..., Iterator[Any]] = map,
    progress: Callable[[int], None] | None = None,
) -> PairSums:
    """The sums of x and y − x for tensors with the same rows and columns; `mapped` is `map` or that of a pool."""
    spans = list(slabs((x.rows, x.columns), Cut()))

    def one(span: tuple[int, int]) -> tuple[dict[str, float], dict[str, float], int]:
        a, b = x.read(*span), y.read(*span)
        signal, error = pair_sums(a, b)
        if progress:
            progress(a.size)
        known = all(math.isfinite(value) for value in error.values())
        broken = 0 if known else int(np.count_nonzero(np.isfinite(a) & ~np.isfinite(b)))
        return signal, error, broken

    parts = list(mapped(one, spans))
    signal = merge([empty(SIGNAL), *(part[0] for part in parts)])
    error = merge([empty(ERROR), *(part[1] for part in parts)])
    return PairSums(signal, error, sum(part[2] for part in parts))
