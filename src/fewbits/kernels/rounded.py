"""What every backend returns: elements, scales, offsets and the values they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fewbits.plan import Float32


@dataclass(frozen=True)
class Scales:
    """One number per block: `elements` as stored (in units of the next scale), `inner` their own scales, the `values` they stand for.

    `exact` are the values before they were stored; `mean` was taken off before they were scaled; encoders multiply by `factors`
    where these are given, instead of dividing by `values`.
    """

    elements: Float32
    inner: Scales | None
    values: Float32
    exact: Float32
    mean: np.float32
    factors: Float32 | None = None


@dataclass(frozen=True)
class Rounded:
    """What an encoder decides: `elements` (before scaling), scales, offsets, zero points, and the reconstruction `values`."""

    elements: Float32
    scales: Scales | None
    offsets: Scales | None
    zero_points: Float32 | None
    values: Float32
