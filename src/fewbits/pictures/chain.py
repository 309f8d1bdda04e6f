"""Conversion chains: values through one format after the other, and the error that gathers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits import metrics
from fewbits.formats import Format
from fewbits.measurement import measure_tensor
from fewbits.passes import pair_sums
from fewbits.plan import Float32
from fewbits.verbs import as_float32, quantize

__all__ = ["METRICS", "chain"]

METRICS = ("mse", "sqnr_db", "atol", "rel_mae")


def chain(x: ArrayLike, formats: Sequence[tuple[str, Format]], name: str = "") -> list[dict[str, Any]]:
    """A row for each step, which works on the result of the step before: chain, step from 1, format, spec, `METRICS`, counts.

    Metrics are against `x`, and with `previous_` before their name against what the step was given; both over values that are
    finite before and after. Counts are of this step: `overflowed` became infinite, `clipped` were beyond the largest of their
    block, `zeroed` were not zero and became it. `chain` is `name`, else the formats. Values of `x` are rounded to float32 first.
    """
    original = as_float32(x)
    given, rows = original, []
    title = name or " → ".join(typed for typed, _ in formats)
    for step, (typed, f) in enumerate(formats, 1):
        result = quantize(given, f)
        zeroed = np.isfinite(given) & (given != 0) & (result == 0)
        rows.append(
            {"chain": title, "step": step, "format": typed, "spec": str(f)}
            | _metrics(original, result)
            | {f"previous_{key}": value for key, value in _metrics(given, result).items()}
            | {
                "overflowed": int(np.count_nonzero(np.isfinite(given) & np.isinf(result))),
                "clipped": int(measure_tensor(given, [f]).errors[0]["clipped"]),
                "zeroed": int(np.count_nonzero(zeroed)),
            }
        )
        given = result
    return rows


def _metrics(x: NDArray[np.float32], y: NDArray[np.float32]) -> dict[str, float | None]:
    """`METRICS` of what is finite in both."""
    both = np.isfinite(x) & np.isfinite(y)
    known: Float32 = np.ascontiguousarray(x[both]).reshape(1, -1)
    values, _ = metrics.compute(*pair_sums(known, np.ascontiguousarray(y[both]).reshape(1, -1)))
    return {key: values[key] for key in METRICS}
