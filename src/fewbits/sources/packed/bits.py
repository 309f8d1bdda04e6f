"""Codes of a few bits in a stream of bytes, and the values that they stand for."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["element_values", "unpack"]

BITS = {"float4_e2m1fn": 4, "float6_e2m3fn": 6}


def unpack(packed: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """The first `count` codes of 1 to 8 bits of each stream along the last axis: lowest bits of the first byte first."""
    if bits == 8:
        return packed[..., :count]
    mask = np.uint8((1 << bits) - 1)
    if 8 % bits == 0:
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        codes = (packed[..., np.newaxis] >> shifts) & mask
        return codes.reshape(*packed.shape[:-1], -1)[..., :count]
    at = np.arange(count) * bits
    low, high = at >> 3, np.minimum((at >> 3) + 1, max(packed.shape[-1] - 1, 0))
    pair = packed[..., low].astype(np.uint16) | (packed[..., high].astype(np.uint16) << np.uint16(8))
    return (pair >> (at & 7).astype(np.uint16)).astype(np.uint8) & mask


@cache
def element_values(element: str) -> NDArray[np.float32]:
    """What each code of a float of 4 or 6 bits stands for, by its name in ml_dtypes."""
    import ml_dtypes

    codes = np.arange(1 << BITS[element], dtype=np.uint8)
    values: NDArray[np.float32] = codes.view(getattr(ml_dtypes, element)).astype(np.float32)
    values.flags.writeable = False
    return values
