"""Differences that several oracles share."""

from __future__ import annotations

import numpy as np

from fewbits.conformance.oracle import Float32, Known, Mask
from fewbits.formats import Format

__all__ = ["BEYOND_FLOAT32", "SIGN_OF_ZERO", "SUBNORMAL_SCALE", "block_amax", "overflow"]


def _zeros(f: Format, x: Float32, ours: Float32, theirs: Float32) -> Mask:
    both: Mask = (ours == 0) & (theirs == 0)
    return both


def _beyond(f: Format, x: Float32, ours: Float32, theirs: Float32) -> Mask:
    return (x > f.element.highest) | (x < f.element.lowest)


def block_amax(f: Format, x: Float32) -> Float32:
    """The largest magnitude of each value's block, for blocks along rows, of whole rows, or of everything."""
    if f.block is None:
        return np.abs(x)
    columns = f.block.grid(x.shape).columns
    if f.block.kind != "grid":
        flat = np.abs(x).reshape(-1)
        tops = np.maximum.reduceat(flat, np.arange(0, flat.size, columns))
        return np.repeat(tops, columns)[: flat.size].reshape(x.shape)
    tops = np.maximum.reduceat(np.abs(x), np.arange(0, x.shape[1], columns), axis=1)
    return np.repeat(tops, columns, axis=1)[:, : x.shape[1]]


def _tiny(f: Format, x: Float32, ours: Float32, theirs: Float32) -> Mask:
    least: Mask = block_amax(f, x) < np.float32(2.0 ** (f.element.emax - 125))
    return least


def _huge(f: Format, x: Float32, ours: Float32, theirs: Float32) -> Mask:
    return block_amax(f, x) > np.float32(1.7e38)


BEYOND_FLOAT32 = Known("the range of the block, or its rounded largest value, leaves float32 in the package", _huge)
SIGN_OF_ZERO = Known("zeros of the other sign", _zeros)
SUBNORMAL_SCALE = Known("blocks so small that their scale is subnormal in float32, or nearly", _tiny)


def overflow(becomes: str) -> Known:
    """Casts that do not saturate: what the package makes of values beyond the largest."""
    return Known(f"beyond the largest value the package gives {becomes}, we saturate", _beyond)
