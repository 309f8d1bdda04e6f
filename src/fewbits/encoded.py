"""`Encoded`: the codes that a format stores for a tensor, unpacked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fewbits.formats import Format

__all__ = ["Encoded"]

Codes = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Everything a decoder needs; `fewbits.decode` gives the values back.

    codes       of the element, in `shape`, 0 to 2^bits − 1 or the last value of a table: uint8, uint16 for more than 8 bits,
                uint32 for float32
    scale       of the blocks, in the shape of their grid: `Encoded`, or a float32 array where scales are float32; None without
    offset      stored minima like `scale`, or the codes of integer zero points; None without
    mean        what was taken off before; None without
    outliers    (positions in the flattened tensor int64, codes of their element); None without
    """

    format: Format
    shape: tuple[int, ...]
    codes: Codes = field(repr=False)
    scale: Encoded | NDArray[np.float32] | None = field(default=None, repr=False)
    offset: Encoded | NDArray[np.float32] | Codes | None = field(default=None, repr=False)
    mean: np.float32 | None = None
    outliers: tuple[NDArray[np.int64], Codes] | None = field(default=None, repr=False)
