"""The sums of a scan for two tensors that both exist: those of x, and those of e = y − x, slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fewbits.kernels import cpu, sums
from fewbits.metrics import ERROR, SIGNAL, empty, merge
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
        errors = np.zeros((1, 1, 1, sums.ERRORS))
        if a.size:
            sums.sum_errors(a[None], b[None], 0.0, 0, 0, errors)
        if progress:
            progress(a.size)
        broken = 0 if np.isfinite(errors).all() else int(np.count_nonzero(np.isfinite(a) & ~np.isfinite(b)))
        return _named(SIGNAL, cpu.sum_signal(a)), _named(ERROR, errors[0, 0, 0]), broken

    parts = list(mapped(one, spans))
    signal = merge([empty(SIGNAL), *(part[0] for part in parts)])
    error = merge([empty(ERROR), *(part[1] for part in parts)])
    return PairSums(signal, error, sum(part[2] for part in parts))


def _named(names: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return dict(zip(names, (float(value) for value in values), strict=True))
