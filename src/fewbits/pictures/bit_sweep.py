"""Error against the width of integers, measured and as the model of uniform noise has it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from fewbits import metrics
from fewbits.errors import DataError
from fewbits.measurement import measure_tensor
from fewbits.spec import parse
from fewbits.tensor import Tensor

__all__ = ["BITS", "bit_sweep", "uniform_sqnr_db"]

BITS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16)
UNCOMPRESSED = 32


def bit_sweep(tensor: Tensor, bits: Iterable[int] = BITS, *, jobs: int = 1) -> list[dict[str, Any]]:
    """A row for each width of symmetric integers with one scale (`sN@tensor:f32`): bits, spec, mse, sqnr_db, theory_db, compression.

    theory_db: `uniform_sqnr_db` at the tensor's own largest magnitude and mean square; compression: against 32 bits a weight.
    Raises `DataError` for a tensor of zeros or without a finite value.
    """
    formats = [(n, parse(f"s{n}@tensor:f32")) for n in bits]
    found = measure_tensor(tensor, [f for _, f in formats], jobs=jobs)
    signal = found.signal
    if not signal["sum_sq"] > 0:
        raise DataError(f"{tensor.name}: a sweep needs a finite value other than 0")
    crest = signal["max_abs"] / math.sqrt(signal["sum_sq"] / signal["count"])
    rows = []
    for (n, f), error in zip(formats, found.errors, strict=True):
        values, _ = metrics.compute(signal, error)
        measured = {"bits": n, "spec": str(f), "mse": values["mse"], "sqnr_db": values["sqnr_db"]}
        rows.append(measured | {"theory_db": uniform_sqnr_db(n, crest), "compression": UNCOMPRESSED / n})
    return rows


def uniform_sqnr_db(bits: int, crest: float) -> float:
    """SQNR of `bits`-bit symmetric integers scaled by the largest magnitude, were the error uniform over a step: mean square step²/12.

    20·log10(2^(bits − 1) − 1) + 10·log10(12) − 20·log10(crest); crest: largest magnitude over root mean square.
    """
    return 20 * math.log10(2 ** (bits - 1) - 1) + 10 * math.log10(12) - 20 * math.log10(crest)
