"""Effects of quantization on a small tensor, several formats at once: sorted values, errors, levels, pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import DataError
from fewbits.formats import Format
from fewbits.pictures.distribution import LEVELS, levels
from fewbits.tensor import Tensor
from fewbits.verbs import quantize

__all__ = ["ORIGINAL", "effects"]

ORIGINAL = "original"
BINS = 25  # of errors; twice as many of values
Float64 = NDArray[np.float64]
Rows = list[dict[str, Any]]


def effects(
    tensor: Tensor, formats: Sequence[tuple[str, Format]], *, shown: int = 100, sample: int = 200, seed: int = 0
) -> Rows:
    """Rows (part, format, x, x2, y) of a tensor in named formats; it is held in memory whole. Raises `DataError` without a finite value.

    sorted   `shown` values evenly spaced in rank, the least and the largest among them: rank x from 0 to 1, and what it became y
    error    y: share of the errors from x to x2; bins of their own for each format
    value    y: share of the values from x to x2
    level    x: a level of the typical block, of the format that has fewest
    pair     value x and what it became y, of `sample` values drawn by the seed
    """
    x = tensor.read().ravel()
    finite = np.isfinite(x)
    if not finite.any():
        raise DataError(f"{tensor.name}: none of its values is finite")
    original = x[finite].astype(np.float64)
    whole = tensor.read().reshape(tensor.shape)
    made = {name: quantize(whole, f).ravel()[finite].astype(np.float64) for name, f in formats}
    order = np.argsort(original, kind="stable")
    rows = _sorted(order, {ORIGINAL: original} | made, shown)
    for name, y in made.items():
        rows += _shares("error", name, (y - original)[np.isfinite(y)], BINS)
    rows += _shares("value", ORIGINAL, original, 2 * BINS)
    rows += _levels(tensor, formats, float(original[np.argmax(np.abs(original))]))
    chosen = np.sort(np.random.default_rng(seed).choice(original.size, min(sample, original.size), replace=False))
    for name, y in made.items():
        rows += [
            _row("pair", name, a, a, b) for a, b in zip(original[chosen].tolist(), y[chosen].tolist(), strict=True)
        ]
    return rows


def _sorted(order: NDArray[np.int64], columns: dict[str, Float64], shown: int) -> Rows:
    """Values in the order of the originals, evenly spaced in rank."""
    ranks = np.unique(np.linspace(0, order.size - 1, shown).round().astype(np.int64))
    last = max(order.size - 1, 1)
    return [
        _row("sorted", name, rank / last, rank / last, float(values[order[rank]]))
        for name, values in columns.items()
        for rank in ranks.tolist()
    ]


def _shares(part: str, name: str, values: Float64, bins: int) -> Rows:
    """The shares of values in equal bins between their ends; one bin where all are the same."""
    if not values.size:
        return []
    if values.min() == values.max():
        return [_row(part, name, float(values[0]), float(values[0]), 1.0)]
    counts, edges = np.histogram(values, bins)
    shares = (counts / values.size).tolist()
    return [_row(part, name, a, b, s) for a, b, s in zip(edges[:-1].tolist(), edges[1:].tolist(), shares, strict=True)]


def _levels(tensor: Tensor, formats: Sequence[tuple[str, Format]], peak: float) -> Rows:
    """The levels of the format that has fewest, where they are few enough to be drawn."""
    found = [(levels(tensor, f, peak)[0], name) for name, f in formats]
    fewest = min(found, key=lambda one: len(one[0]), default=([], ""))
    return [_row("level", fewest[1], at, at, 0.0) for at in fewest[0] if len(fewest[0]) <= LEVELS]


def _row(part: str, name: str, x: float, x2: float, y: float) -> dict[str, Any]:
    return {"part": part, "format": name, "x": x, "x2": x2, "y": y if np.isfinite(y) else None}
