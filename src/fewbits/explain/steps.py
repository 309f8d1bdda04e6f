"""What a format does to values: every number between a value and its reconstruction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.codes import codes_of
from fewbits.errors import UsageError
from fewbits.formats import Format
from fewbits.kernels import reference
from fewbits.kernels.blocks import cut, statistics, uncut
from fewbits.kernels.rounded import Rounded, Scales
from fewbits.plan import Float32, Level, Plan, plan

__all__ = ["steps"]

SCALES = (
    *("block", "minimum", "statistic", "ideal_scale", "scale_element", "scale_bits", "outer_scale", "outer_bits"),
    *("scale_mean", "scale", "offset_element", "offset_outer", "offset_bits", "offset"),
)


def steps(values: Sequence[float], f: Format) -> list[dict[str, Any]]:
    """A row per value, quantized together as one row of a tensor: everything from statistic to error.

    Keys: value, block, minimum (of the range, where that is the statistic), statistic, ideal_scale, scale_element (the stored
    scale in units of its own scale), scale_bits (its code), outer_scale, outer_bits, scale_mean (added after), scale,
    offset_element, offset_outer, offset_bits, offset, scaled (value over scale, as it is rounded), below, above (the candidates),
    chosen, code, bits, reconstruction, error. None where a format has no such thing or the value is not finite.
    UsageError for options that mix values.
    """
    if f.hadamard or f.outliers or f.mean:
        raise UsageError(
            f"the steps of a single value are not defined with {' '.join(f.options)}; leave the option out"
        )
    with np.errstate(over="ignore"):
        x = np.asarray(values, np.float64).astype(np.float32).reshape(1, 1, -1)
    p = plan(f)
    finite = np.where(np.isfinite(x), x, np.float32(np.nan))
    made = reference.encode(finite, p)
    with np.errstate(over="ignore"):
        columns = _columns(finite, p, made) if p.scaled else {}
    e = f.element
    values_of_element = np.array(e.values if 0 < e.bits <= 16 else (), np.float64)
    stored = (
        codes_of(np.where(np.isnan(made.elements), np.float32(0), made.elements).ravel(), e) if e.bits else x.ravel()
    )
    rows = []
    for i, value in enumerate(x.ravel().tolist()):
        known = math.isfinite(value)
        row: dict[str, Any] = {"value": value, **dict.fromkeys(SCALES)}
        row |= {name: column[i] for name, column in columns.items()} if known else {}
        scaled = row.pop("scaled", None) if columns else value
        chosen = float(made.elements.ravel()[i]) if known else None
        below, above = _neighbours(values_of_element, scaled if known else None)
        y = float(made.values.ravel()[i]) if known else value
        code = int(stored[i]) if known and e.bits else None
        pattern = None if code is None else f"{code:0{e.bits}b}"
        rows.append(
            row
            | {
                "scaled": scaled,
                "below": below,
                "above": above,
                "chosen": chosen,
                "code": code,
                "bits": pattern,
                "reconstruction": y,
                "error": y - value if known else None,
            }
        )
    return rows


def _columns(x: Float32, p: Plan, made: Rounded) -> dict[str, list[Any]]:
    """Per value: number of its block, statistic, ideal and stored scale, offset, and what is rounded."""
    level, scales = p.levels[0], made.scales
    assert level.block is not None
    assert scales is not None
    grid = level.block.grid(x.shape)
    blocks = cut(x.reshape(grid.shape), grid)
    lows, statistic = statistics(blocks, level, zero=p.zero_point)

    def spread(per_block: np.ndarray) -> Float32:
        return uncut(np.broadcast_to(per_block[..., None], blocks.shape).astype(np.float32), grid).ravel()

    number = np.arange(statistic.size).reshape(statistic.shape)
    searched = p.rule is not None and bool(p.rule.search)  # the scale is then found by trying, not from a statistic
    found = {"block": spread(number)}
    if not searched:
        found |= {"statistic": spread(statistic), "ideal_scale": spread(scales.exact)}
        if level.statistic == "range":
            found["minimum"] = spread(lows)
    codes: dict[str, list[Any]] = {"scale_bits": _patterns(spread(scales.elements), p.levels[1])}
    if (outer := _outer(scales, p.levels[1], statistic.shape)) is not None and scales.inner is not None:
        found["scale_element"] = spread(scales.elements)
        found["outer_scale"] = spread(outer)
        found["scale_mean"] = spread(np.broadcast_to(scales.mean, statistic.shape))
        own = _outer(
            replace(scales, inner=replace(scales.inner, values=scales.inner.elements)), p.levels[1], statistic.shape
        )
        codes["outer_bits"] = _patterns(spread(own), p.levels[2]) if own is not None else []
    found["scale"] = spread(scales.values)
    divisor = spread(scales.exact) if p.exact else found["scale"]
    shifted = x.ravel()
    if made.offsets is not None:
        found["offset"] = np.float32(0) - spread(made.offsets.values)
        codes["offset_bits"] = _patterns(spread(made.offsets.elements), p.offset[0])
        if (outer := _outer(made.offsets, p.offset[0], statistic.shape)) is not None:
            found |= {"offset_element": spread(made.offsets.elements), "offset_outer": spread(outer)}
        shifted = shifted - (spread(lows) if p.exact else found["offset"])
    with np.errstate(all="ignore"):
        ratio = shifted / divisor if scales.factors is None else shifted * spread(scales.factors)
        found["scaled"] = np.where(divisor == 0, np.float32(0), ratio).astype(np.float32)
    if made.zero_points is not None:
        found["offset"] = spread(made.zero_points)
        found["scaled"] = found["scaled"] + found["offset"]
        codes["offset_bits"] = _patterns(found["offset"], level)
    return {name: column.tolist() for name, column in found.items()} | codes


def _outer(scales: Scales, level: Level, shape: tuple[int, ...]) -> Float32 | None:
    """For each block the scale of its scale; None where that has none. `level` is that of the scales, `shape` theirs."""
    if scales.inner is None or level.block is None:
        return None
    grid = level.block.grid(shape)
    each = np.broadcast_to(scales.inner.values[..., None], (*grid.counts, grid.rows * grid.columns))
    found: Float32 = uncut(each.astype(np.float32), grid).reshape(shape)
    return found


def _patterns(elements: Float32, level: Level) -> list[Any]:
    """The bits of the codes that are stored for some elements."""
    e = level.rounding.element
    return [f"{int(code):0{e.bits}b}" for code in codes_of(elements, e)]


def _neighbours(values: NDArray[np.float64], x: float | None) -> tuple[float | None, float | None]:
    """The largest of the ascending `values` ≤ x and the smallest ≥ x; None beyond the ends, or when there are none."""
    if x is None or not len(values):
        return None, None
    below, above = np.searchsorted(values, x, side="right") - 1, np.searchsorted(values, x, side="left")
    return (float(values[below]) if below >= 0 else None), (float(values[above]) if above < len(values) else None)
