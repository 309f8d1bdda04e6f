"""Error row by row in several formats, and what each gains over the first: per tensor against per channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fewbits.formats import Format
from fewbits.passes import reconstructions
from fewbits.plan import plan
from fewbits.tensor import Tensor

__all__ = ["row_gain"]


def row_gain(tensor: Tensor, formats: Sequence[tuple[str, Format]]) -> list[dict[str, Any]]:
    """A row for each format and row of the tensor: row, amax, format, mse, gain = MSE in the first format over MSE in this one.

    Of finite values; rows without one are left out. gain is None where this format makes no error.
    """
    rows: list[dict[str, Any]] = []
    first: dict[int, float] = {}
    for name, f in formats:
        for start, x, y in reconstructions(tensor.read, tensor.shape, plan(f)):
            for row, (a, b) in enumerate(zip(x.astype(np.float64), y.astype(np.float64), strict=True), start):
                good = np.isfinite(a) & np.isfinite(b)
                if not good.any():
                    continue
                mse = float(((b[good] - a[good]) ** 2).mean())
                base = first.setdefault(row, mse)
                gain = base / mse if mse else None
                rows.append(
                    {"row": row, "amax": float(np.abs(a[good]).max()), "format": name, "mse": mse, "gain": gain}
                )
    return rows
