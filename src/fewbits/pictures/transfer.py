"""Transfer curves: what the values between a tensor's least and largest become in each format, and its mean error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fewbits import metrics
from fewbits.errors import DataError, UsageError
from fewbits.formats import Format
from fewbits.measurement import measure_tensor
from fewbits.pictures.blocks import LOOKED_AT, draw_blocks, least_places, typical
from fewbits.pictures.probe import probe
from fewbits.plan import Float32
from fewbits.tensor import Tensor

__all__ = ["COLUMNS", "context", "sweep", "transfer"]

COLUMNS = ("tensor", "shape", "format", "spec", "bits", "mae", "x", "y")
LEAST = 1e-6  # half of the range of a constant tensor, as a share of its value, and at least


def transfer(
    tensor: Tensor,
    formats: Sequence[tuple[str, Format]],
    *,
    points: int = 1200,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[dict[str, Any]]:
    """A row for every format and point: x, y, and the format's MAE over the tensor's values as they lie.

    Raises `DataError` for a tensor without a finite value.
    """
    if points < 2:
        raise UsageError(f"a curve needs at least 2 points, not {points}")
    if not tensor.size:
        raise DataError(f"{tensor.name}: empty, it has no values to draw")
    found = measure_tensor(tensor, [f for _, f in formats], jobs=jobs, progress=progress)
    signal = found.signal
    if not signal["count"]:
        raise DataError(f"{tensor.name}: none of its values is finite")
    x = sweep(signal["minimum"], signal["maximum"], points)
    peak = signal["maximum"] if signal["maximum"] >= -signal["minimum"] else signal["minimum"]
    rows: list[dict[str, Any]] = []
    for (name, f), error in zip(formats, found.errors, strict=True):
        blocks = context(tensor, f)
        y = probe(f, blocks, least_places(blocks), x, peak)[:, 0]
        same = {
            "tensor": tensor.name,
            "shape": list(tensor.shape),
            "format": name,
            "spec": str(f),
            "bits": f.bits(tensor.shape),
            "mae": metrics.compute(signal, error)[0]["mae"],
        }
        rows += [same | {"x": a, "y": b} for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return rows


def context(tensor: Tensor, f: Format) -> Float32:
    """The typical block of a tensor, (1, rows, columns): of up to 1,024 blocks drawn by seed 0, that of median magnitude.

    One zero for formats without blocks, and where the tensor holds nothing else.
    """
    if f.block is None and not f.hadamard:
        return np.zeros((1, 1, 1), np.float32)
    try:
        return typical(draw_blocks(tensor, f, LOOKED_AT))
    except DataError:
        return np.zeros((1, 1, 1), np.float32)


def sweep(low: float, high: float, points: int) -> Float32:
    """`points` equally spaced values from least to largest; around a constant, 1e-6 of it on either side (1e-6 at least)."""
    if low == high:
        half = max(LEAST * abs(low), LEAST)
        low, high = low - half, high + half
    x = np.linspace(low, high, points)
    return np.clip(x, -np.finfo(np.float32).max, np.finfo(np.float32).max).astype(np.float32)
