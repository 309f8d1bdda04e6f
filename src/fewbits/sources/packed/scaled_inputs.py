"""Weights whose inputs are multiplied first (nvidia-modelopt 0.47.0, AWQ): `X.pre_quant_scale`, one number an input, beside `X.weight`.

The layer computes W·(s ∘ x), so that what stands in the place of the base model's weight is W·diag(s).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fewbits.sources.packed.view import FLOATS, Misfit, Packed, expect, numbers, unreadable
from fewbits.sources.stored import digest
from fewbits.tensor import Tensor, Values

__all__ = ["ScaledInputs", "with_scaled_inputs"]

WEIGHT, SCALE = ".weight", ".pre_quant_scale"


@dataclass(frozen=True)
class ScaledInputs:
    """Columns of values times one number each, in float32."""

    values: Values
    scale: Tensor

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is counted later
            return self.values.read(start, stop) * numbers(self.scale)

    def read16(self, start: int, stop: int) -> None:
        """Not stored as plain 16-bit floats."""


def with_scaled_inputs(found: Packed, stored: Mapping[str, Tensor]) -> Packed:
    """A packed weight with the scale of its inputs, where the checkpoint has one."""
    weight = found.weight
    scale = stored.get(weight.name.removesuffix(WEIGHT) + SCALE)
    if scale is None or weight.unreadable or not weight.name.endswith(WEIGHT):
        return found
    parts = (*found.parts, scale.name)
    try:
        expect(scale, SCALE, FLOATS, weight.shape[-1:])
    except Misfit as misfit:
        return Packed(unreadable(weight, f"is packed as {weight.layout}, but {misfit}"), parts)
    scaled = replace(
        weight,
        nbytes=weight.nbytes + scale.nbytes,
        identity=digest("scaled inputs", weight.identity, scale.identity),
        values=ScaledInputs(weight.values, scale),
        layout=f"{weight.layout} × pre_quant_scale",
    )
    return Packed(scaled, parts)
