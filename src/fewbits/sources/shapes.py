"""Shapes from strangers: what no array could have."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["impossible"]

LARGEST = 1 << 32  # values, of axes that have any; whoever goes through empty rows has to come to an end


def impossible(shape: Sequence[int]) -> bool:
    """Whether an array of no values has a shape that none can have, by its other axes; the size tells others."""
    return 0 in shape and math.prod(side for side in shape if side) > LARGEST
