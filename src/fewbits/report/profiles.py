"""Profiles as arrays: what the page draws one tensor with, for as many tensors as a page can carry."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.profile import Profile
from fewbits.profile.record import AMAX_BLOCKS, BINS, PERCENT, SCALE_PERCENT
from fewbits.report.payload import KEPT, rounded, smallest

__all__ = ["arrays", "importance", "most"]

NUMBERS = 2_500_000  # of all profiles in a page, worst blocks apart: 10,000 tensors in 20 formats
BLOCKS = 32_000  # worst blocks in a page
FEW = 1000  # tensors whose numbers are not rounded
BITS = {"histogram": 5, "block_amax": 9, "scales": 10}  # significant ones that are kept of more
WORST_BITS = {"share": 8, "sqnr": 10, "amax": 10, "scale": 10}


def most(formats: int) -> int:
    """How many tensors have a profile in a page, at most."""
    return NUMBERS // (BINS + len(AMAX_BLOCKS) * len(PERCENT) + formats * len(SCALE_PERCENT))


def importance(squared_errors: NDArray[np.float64]) -> NDArray[np.int64]:
    """Tensors in the order of their share of the squared error, on average over formats; `squared_errors`: tensors × formats."""
    known = np.where(np.isfinite(squared_errors), squared_errors, 0)
    total = known.sum(axis=0)
    share = (known / np.where(total > 0, total, 1)).sum(axis=1)
    return np.argsort(-share, kind="stable")


def arrays(profiles: Iterable[Profile], tensors: Mapping[str, int], specs: Sequence[str]) -> dict[str, Any] | None:
    """What design note 0010 says, of the first `most` of the profiles; None without any.

    The first profiles have all of their worst blocks, `BLOCKS` together, the others none.
    """
    places, kept = array("q"), {name: array("d") for name in ("amax", "looked_at", "histogram", "block_amax", "scales")}
    start, left = array("q", [0]), BLOCKS
    worst = [array("d") for _ in range(6)]
    for profile in islice(profiles, most(len(specs))):
        places.append(tensors[profile.tensor])
        kept["amax"].append(profile.amax)
        kept["looked_at"].append(profile.looked_at)
        kept["histogram"].extend(profile.histogram)
        for quantiles in profile.block_amax:
            kept["block_amax"].extend(quantiles)
        found = [profile.formats.get(spec) for spec in specs]
        left -= sum(len(one.worst) for one in found if one)
        for one in found:
            kept["scales"].extend(map(_number, (one and one.scale) or (None,) * len(SCALE_PERCENT)))
            for block in one.worst if one and left >= 0 else ():
                for column, value in zip(worst, block, strict=True):
                    column.append(_number(value))
            start.append(len(worst[0]))
    if not places:
        return None
    row, column, *rest = worst
    bits, worst_bits = (BITS, WORST_BITS) if len(places) > FEW else ({}, {})
    numbers = dict(zip(("share", "sqnr", "amax", "scale"), rest, strict=True))
    return {
        "rounded": bool(bits),
        "tensor": np.array(places, np.uint32),
        **{name: _rounded(values, bits.get(name, KEPT)) for name, values in kept.items()},
        "worst": {
            "start": np.array(start, np.uint32),
            "row": smallest(np.array(row, np.int64)),
            "column": smallest(np.array(column, np.int64)),
            **{name: _rounded(values, worst_bits.get(name, KEPT)) for name, values in numbers.items()},
        },
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _rounded(values: Sequence[float], kept: int) -> NDArray[np.float32]:
    return rounded(np.array(values, np.float64), kept)
