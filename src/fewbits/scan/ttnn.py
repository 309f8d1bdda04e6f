"""Backend `ttnn`: Tenstorrent's own host conversion, for the formats that it has (S-055); needs ttnn and torch."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fewbits import metrics
from fewbits.errors import DataError, FewbitsError

if TYPE_CHECKING:
    from fewbits.formats import Format
    from fewbits.tensor import Tensor

__all__ = ["DTYPES", "Converted", "available", "measure"]

# Which of our formats the package converts, by the name of its dtype.
DTYPES = {"s8@16-align:e8m0": "bfloat8_b", "s4@16-align:e8m0": "bfloat4_b"}

QUIET = {"TT_METAL_LOGGER_LEVEL": "ERROR", "TT_LOGGER_LEVEL": "ERROR", "LOGURU_LEVEL": "ERROR"}
SLAB = 1 << 22  # values at a time, in whole tiles of 32 rows

Group = tuple[dict[str, float], list[dict[str, float]]]  # sums of x, and of the errors by format


@dataclass(frozen=True)
class Converted:
    """Sums of a tensor and of its reconstruction errors."""

    signal: dict[str, float]
    errors: list[dict[str, float]]
    seconds: list[float]
    groups: list[Group]


def available() -> tuple[Any, Any]:
    """The modules (ttnn, torch); FewbitsError with one line when they cannot be imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("ttnn"), importlib.import_module("torch")
    except ImportError as error:
        reason = f"--backend ttnn needs Tenstorrent's ttnn and torch, which cannot be imported: {error}"
        raise FewbitsError(reason) from error


def measure(
    tensor: Tensor,
    formats: Sequence[Format],
    *,
    jobs: int = 1,
    rows: Sequence[tuple[int, int]] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Converted:
    """Convert slabs of whole tiles there and back and sum the differences; `jobs` is the package's own affair."""
    ttnn, torch = available()
    height = max(32, SLAB // max(tensor.columns, 1) // 32 * 32)
    groups: list[Group] = []
    seconds = [0.0] * len(formats)
    for first, last in rows if rows is not None else [(0, tensor.rows)]:
        parts: list[Group] = []
        for start in range(first, last, height):
            x = tensor.read(start, min(start + height, last))
            errors = []
            for i, f in enumerate(formats):
                began = time.perf_counter()
                errors.append(_errors(x, _round_trip(ttnn, torch, x, DTYPES[str(f)])))
                seconds[i] += time.perf_counter() - began
                if progress:
                    progress(x.size)
            parts.append((_signal(x), errors))
        groups.append(_merged(parts, len(formats)))
    signal, errors = _merged(groups, len(formats))
    return Converted(signal, errors, seconds, groups)


def _round_trip(ttnn: Any, torch: Any, x: np.ndarray, dtype: str) -> np.ndarray:
    if not hasattr(ttnn, dtype):
        raise DataError(f"--backend ttnn: this version of ttnn has no {dtype}")
    converted = ttnn.from_torch(torch.from_numpy(x), dtype=getattr(ttnn, dtype), layout=ttnn.TILE_LAYOUT)
    return np.asarray(ttnn.to_torch(converted).float().numpy(), dtype=np.float32).reshape(x.shape)


def _merged(parts: Sequence[Group], count: int) -> Group:
    signal = metrics.merge([metrics.empty(metrics.SIGNAL), *(s for s, _ in parts)])
    return signal, [metrics.merge([metrics.empty(metrics.ERROR), *(e[i] for _, e in parts)]) for i in range(count)]


def _signal(x: np.ndarray) -> dict[str, float]:
    v = x[np.isfinite(x)].astype(np.float64)
    if not v.size:
        sums: dict[str, float] = metrics.empty(metrics.SIGNAL)
    else:
        sums = {
            "count": v.size,
            "sum": v.sum(),
            "sum_sq": v @ v,
            "sum_abs": abs(v).sum(),
            "max_abs": abs(v).max(),
            "minimum": v.min(),
            "maximum": v.max(),
            "zeros": float((v == 0).sum()),
        }
    sums |= {"nan": float(np.isnan(x).sum()), "inf": float(np.isinf(x).sum())}
    return {name: float(sums[name]) for name in metrics.SIGNAL}


def _errors(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Sums of the error; how many values were clipped the package does not say: NaN, so the metric is undefined."""
    finite = np.isfinite(x)
    v = x[finite].astype(np.float64)
    e = y[finite].astype(np.float64) - v
    if not v.size:
        return metrics.empty(metrics.ERROR)
    sums = {
        "err": e.sum(),
        "err_sq": e @ e,
        "err_x": e @ v,
        "err_abs": abs(e).sum(),
        "err_max": abs(e).max(),
        "zeros_made": np.count_nonzero((v != 0) & (v + e == 0)),
        "clipped": np.nan,
    }
    return {name: float(sums[name]) for name in metrics.ERROR}
