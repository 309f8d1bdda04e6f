"""Distributions: a tensor and what a format makes of it, counted in one pass over its slabs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fewbits.errors import DataError
from fewbits.formats import Format
from fewbits.measurement import measure_tensor
from fewbits.metrics import compute
from fewbits.passes import reconstructions
from fewbits.pictures.blocks import least_places
from fewbits.pictures.counts import Blocks, Pairs, Sampled, Tail
from fewbits.pictures.probe import probe
from fewbits.pictures.transfer import context
from fewbits.plan import plan
from fewbits.tensor import Tensor

__all__ = ["COLUMNS", "LEVELS", "Distribution", "distribution", "levels"]

COLUMNS = (
    *("tensor", "shape", "format", "spec", "bits", "figure", "part", "x", "x2", "y", "y2"),
    *(
        "original",
        "reconstructed",
        "blocks",
        "error",
        "count",
        "row",
        "amax",
        "rms_error",
        "deviations",
        "share",
        "normal",
    ),
)
LEVELS = 64  # more levels are not listed
PROBED = 8191  # values that levels are found with

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Distribution:
    """Tables by the figure that draws them, and the metrics of the whole tensor; `blocks` is what amax is counted of."""

    tables: dict[str, Rows]
    metrics: dict[str, float | None]
    flags: list[str]
    blocks: str

    def rows(self, **same: Any) -> Rows:
        """All tables as one of `COLUMNS`: `figure` says whose a row is, a column that it does not have is None; `same` is in every row."""
        empty = dict.fromkeys(COLUMNS)
        return [{**empty, **same, "figure": name, **row} for name, table in self.tables.items() for row in table]


def distribution(
    tensor: Tensor,
    f: Format,
    *,
    sample: int = 2000,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Distribution:
    """Tables value_histogram, block_amax, error_value, reconstruction_density, row_error and outliers of a tensor in a format.

    Counts are of every finite value; points are `sample` values, and as many rows at most, drawn by the seed. One slab is
    held at a time. Raises `DataError` for a tensor without a finite value.
    """
    if not tensor.size:
        raise DataError(f"{tensor.name}: empty, it has no values to draw")
    found = measure_tensor(tensor, [f], jobs=jobs, progress=progress)
    signal = found.signal
    if not signal["count"]:
        raise DataError(f"{tensor.name}: none of its values is finite")
    low, high = _range(signal["minimum"], signal["maximum"])
    mean = signal["sum"] / signal["count"]
    deviation = math.sqrt(max(signal["sum_sq"] / signal["count"] - mean * mean, 0.0))
    farthest = max(signal["maximum"] - mean, mean - signal["minimum"])
    pairs, sampled = Pairs(low, high), Sampled.of(tensor, sample, seed)
    blocks, tail = Blocks(f, tensor.shape), Tail(mean, deviation, farthest)
    for start, x, y in reconstructions(tensor.read, tensor.shape, plan(f)):
        blocks.add(x)
        sampled.add(start, x, y)
        finite = np.isfinite(x) & np.isfinite(y)
        values = x[finite].astype(np.float64)
        pairs.add(values, y[finite].astype(np.float64))
        tail.add(values)
        if progress:
            progress(x.size)
    peak = signal["maximum"] if signal["maximum"] >= -signal["minimum"] else signal["minimum"]
    listed, typical = levels(tensor, f, peak)
    tables = {
        "value_histogram": pairs.histogram() + _marks(listed, f, 2 * low - high, 2 * high - low),
        "block_amax": blocks.rows() + blocks.typical(typical),
        "error_value": sampled.points() + pairs.errors(),
        "reconstruction_density": pairs.density(),
        "row_error": sampled.rows(),
        "outliers": tail.rows(),
    }
    return Distribution(tables, *compute(signal, found.errors[0]), blocks.what)


def levels(tensor: Tensor, f: Format, peak: float) -> tuple[list[float], float]:
    """(what the values up to the typical block's largest magnitude become in it, ascending; that magnitude)."""
    blocks = context(tensor, f)
    amax = float(np.abs(blocks).max())
    reach = amax or abs(peak) or 1.0
    x = np.linspace(-reach, reach, PROBED).astype(np.float32)
    y = probe(f, blocks, least_places(blocks), x, peak)[:, 0]
    return np.unique(y[np.isfinite(y)] + np.float32(0)).tolist(), amax


def _range(low: float, high: float) -> tuple[float, float]:
    """What is counted: from the least to the largest value; of a constant, as far again as it is from 0 on either side."""
    reach = 0.0 if low < high else 2 * abs(low) or 1.0
    return low - reach, high + reach


def _marks(listed: list[float], f: Format, low: float, high: float) -> Rows:
    """Levels, where there are few, and the ends of formats that have blocks and so clip; those near the values alone."""
    marks = [("level", level) for level in (listed if len(listed) <= LEVELS else [])]
    if f.block is not None and len(listed) > 1:
        marks += [("clip", end) for end in (listed[0], listed[-1])]
    return [
        {"part": part, "x": x, "x2": x, "original": 0, "reconstructed": 0}
        for part, x in marks
        if low <= x <= high  # one far outside would make the canvas as wide
    ]
