"""Values of an element ⇄ its code points."""

from __future__ import annotations

from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from fewbits.element import Element
from fewbits.errors import DataError

__all__ = ["codes_of", "values_of"]

WIDE: dict[str, tuple[Any, Any]] = {
    "f32": (np.float32, np.uint32),
    "f16": (np.float16, np.uint16),
    "bf16": (ml_dtypes.bfloat16, np.uint16),
}


def codes_of(values: NDArray[np.float32], e: Element) -> NDArray[Any]:
    """The code of each value, which must be one that `e` represents; raises `DataError` for what it has no code for."""
    if e.kind == "wide":
        kind, code = WIDE[e.name]
        return values.astype(kind).view(code)
    table, codes = _sorted(e)
    found = codes[np.clip(np.searchsorted(table, values), 0, len(table) - 1)]
    if e.negative_zero:
        found = np.where((values == 0) & np.signbit(values), 1 << (e.bits - 1), found)
    if not np.isfinite(values).all():
        found = _with_specials(values, found, e)
    return found.astype(np.uint8 if e.bits <= 8 else np.uint16)


def values_of(codes: NDArray[Any], e: Element) -> NDArray[np.float32]:
    """The float32 value of each code; raises `DataError` for what is no code of `e`."""
    codes = np.asarray(codes)
    count = 2**e.bits if e.kind == "wide" else len(_decoded(e))
    if codes.dtype.kind not in "iu":
        raise DataError(f"codes of element {e} are unsigned integers, not {codes.dtype}")
    if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < count:
        wrong = int(codes.max()) if codes.max() >= count else int(codes.min())
        raise DataError(f"code {wrong} is none of element {e}, whose codes are 0 to {count - 1}")
    if e.kind == "wide":
        kind, code = WIDE[e.name]
        wide: NDArray[np.float32] = np.asarray(codes, code, order="C").view(kind).astype(np.float32)
        return wide
    values: NDArray[np.float32] = _decoded(e)[codes]
    return values


def _with_specials(values: NDArray[np.float32], found: NDArray[Any], e: Element) -> NDArray[Any]:
    decoded = _decoded(e)
    kinds = {
        "NaN": (np.isnan(values), np.isnan(decoded) & (e.kind in ("float", "exponent"))),
        "infinity": (np.isposinf(values), np.isposinf(decoded)),
        "-infinity": (np.isneginf(values), np.isneginf(decoded)),
    }
    for name, (present, possible) in kinds.items():
        if present.any() and not possible.any():
            at = tuple(int(i) for i in np.argwhere(present)[0])
            raise DataError(f"encode: element {e} has no code for {name}, the value at {at}")
        if present.any():
            found = np.where(present, np.flatnonzero(possible)[0], found)
    return found


@cache
def _decoded(e: Element) -> NDArray[np.float32]:
    return np.array(e.decoded, np.float32)


@cache
def _sorted(e: Element) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(values ascending, their codes); of two codes for one value the lower, so that zero is +0."""
    decoded = _decoded(e)
    finite = np.flatnonzero(np.isfinite(decoded))
    values, first = np.unique(decoded[finite] + np.float32(0), return_index=True)
    return values, finite[first]
