"""The verbs: `quantize`, `encode`, `decode`, `bits` for arrays of any rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits import catalog, kernels
from fewbits.block import as_matrices
from fewbits.codes import codes_of, values_of
from fewbits.encoded import Encoded
from fewbits.errors import DataError, kind_of
from fewbits.formats import Format
from fewbits.kernels.exact_mean import finite_mean
from fewbits.plan import Float32, Plan, plan
from fewbits.transform import LARGEST, hadamard, moved, outlier_mask, restored

__all__ = ["as_array", "as_float32", "as_format", "bits", "decode", "encode", "quantize", "rounded", "with_scales"]

NUMBERS = "biuf"


def quantize(x: ArrayLike, format: str | Format, *, backend: str = "cpu") -> NDArray[np.float32]:
    """The values that `x` becomes in a format ("fake quantization"): float32, same shape.

    `x`: float16, bfloat16, float32, float64 (rounded to float32 first: what is beyond its largest number, 3.4e38, becomes
    infinite) or integers, any rank; blocks lie in the last two axes. NaN and infinities pass through and take part in no
    scale. Raises `UsageError` for what is no format, `DataError` for other data.
    """
    values, shape = _prepared(x)
    return rounded(values, plan(as_format(format)), backend).reshape(shape)


def encode(x: ArrayLike, format: str | Format, *, backend: str = "cpu") -> Encoded:
    """The codes, scales and offsets that a format stores for `x`; `decode` of them equals `quantize`, bit for bit.

    Raises `DataError` for NaN and infinities unless the element has a code for them, and what `quantize` raises.
    """
    values, shape = _prepared(x)
    return _Options(values, plan(as_format(format)), kernels.backend(backend)).encode(shape)


def decode(q: Encoded) -> NDArray[np.float32]:
    """The values that codes, scales and offsets stand for: code value · scale − offset, in float32.

    Raises `DataError` for what is no `Encoded`, for codes that the element does not have and for parts that do not fit.
    """
    if not isinstance(q, Encoded):
        raise DataError(f"decode: an Encoded is expected, as encode gives it, not {kind_of(q)}")
    f = q.format
    with np.errstate(all="ignore"):
        y = _decode_blocks(q)
        if q.outliers is not None and f.outliers is not None:
            positions, codes = q.outliers
            y.reshape(-1)[positions] = values_of(codes, f.outliers.element)
        if f.hadamard:
            y = hadamard(y.reshape(as_matrices(q.shape)), f.hadamard).reshape(q.shape)
        return y + q.mean if q.mean is not None else y


def bits(
    format: str | Format, shape: int | Sequence[int] | NDArray[Any], *, padded: bool | tuple[int, int] = False
) -> float:
    """Exact average bits per weight that a tensor of `shape` takes, with scales, offsets and outliers; see `Format.bits`.

    `shape`: integers ≥ 0, one alone for one axis; `padded`: True, False or the (rows, columns) of a tile, both at least 1.
    Raises `DataError` for others.
    """
    tile = (
        padded if isinstance(padded, bool) else _integers(padded, 1, "padded is True, False or a tile (rows, columns)")
    )
    if isinstance(tile, tuple) and len(tile) != 2:
        raise DataError(f"padded is True, False or a tile (rows, columns), not {kind_of(padded)}")
    sides = _integers(shape, 0, "a shape is a tuple of integers")
    return float(as_format(format).bits(sides, tile))


def rounded(x: Float32, plan: Plan, backend: str = "cpu") -> Float32:
    """`quantize` for a plan and a (matrices, rows, columns) float32 array, options included."""
    return _Options(x, plan, kernels.backend(backend)).quantize()


def with_scales(x: Float32, plan: Plan, known: Float32 | None = None) -> tuple[Float32, Float32 | None]:
    """`rounded`, and the final scales of blocks: what element values are multiplied by; None without. `known` as in `cpu.quantize`."""
    return _Options(x, plan, kernels.backend("cpu")).with_scales(known)


def as_format(format: str | Format) -> Format:
    """A `Format` from itself, a catalogue name or a spec."""
    return catalog.format(format)


def as_float32(x: ArrayLike) -> NDArray[np.float32]:
    """Numbers as float32, ties to even; what is beyond its range becomes infinite. Raises `DataError` for what is no array of numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        return as_array(x).astype(np.float32)


def as_array(x: ArrayLike) -> NDArray[Any]:
    """Numbers as an array of their own dtype. Raises `DataError` for what is no array of numbers."""
    try:
        a = np.asarray(x)
    except (TypeError, ValueError):
        raise DataError(f"an array of numbers expected, with rows of one length, not {kind_of(x)}") from None
    if a.dtype.kind not in NUMBERS and "float" not in a.dtype.name:
        raise DataError(
            f"numbers expected (float16, bfloat16, float32, float64 or integers), not an array of {a.dtype}"
        )
    return a


def _integers(given: Any, least: int, what: str) -> tuple[int, ...]:
    """The integers of a tuple, list or array, or one alone; none below `least`."""
    try:
        found = (
            tuple(map(index, given)) if np.iterable(given) and not isinstance(given, str | bytes) else (index(given),)
        )
    except TypeError:
        found = (least - 1,)
    if any(side < least for side in found):
        raise DataError(f"{what}, none below {least}, not {kind_of(given)}")
    return found


def _prepared(x: ArrayLike) -> tuple[Float32, tuple[int, ...]]:
    values = as_float32(x)
    return np.ascontiguousarray(values).reshape(as_matrices(values.shape)), values.shape


@dataclass(frozen=True)
class _Options:
    """A format with its options around the rounding of blocks: mean off, rotation, outliers out, and back."""

    x: Float32
    plan: Plan
    kernels: ModuleType

    def quantize(self) -> Float32:
        f = self.plan.format
        if not (f.mean or f.hadamard or f.outliers):
            return self.kernels.quantize(self.x, self.plan)  # type: ignore[no-any-return]
        with np.errstate(all="ignore"):
            values, mean, mask = self._moved()
            y = self.kernels.quantize(np.where(mask, np.float32(np.nan), values), self.plan)
            return restored(self.x, values, y, mask, self._kept(values), f, mean)

    def with_scales(self, known: Float32 | None) -> tuple[Float32, Float32 | None]:
        f, plan, cpu = self.plan.format, self.plan, self.kernels
        if not plan.scaled:
            return self.quantize(), None
        with np.errstate(all="ignore"):
            values, mean, mask = self._moved()
            given = np.ascontiguousarray(np.where(mask, np.float32(np.nan), values) if f.outliers else values)
            if plan.rule is not None and plan.rule.search:
                made = cpu.encode(given, plan, known)
                y, scales = made.values, made.scales.values
            else:
                scaled = cpu.scale(given, plan, known)
                y, scales = cpu.reconstruct(given, plan, scaled), scaled.scales.values
            if f.options:
                y = restored(self.x, values, y, mask, self._kept(values), f, mean)
            return y, scales

    def encode(self, shape: tuple[int, ...]) -> Encoded:
        f = self.plan.format
        with np.errstate(all="ignore"):
            values, mean, mask = self._moved()
            if (f.mean or f.hadamard or f.outliers) and not np.isfinite(self.x).all():
                raise DataError("encode: NaN and infinities have no code under the options mean, hadamard and outliers")
            rounded = self.kernels.encode(np.where(mask, np.float32(np.nan), values), self.plan)
            elements = np.where(mask, np.float32(0), rounded.elements).reshape(shape)
            outliers = None
            if f.outliers is not None:
                positions = np.flatnonzero(mask)
                outliers = (positions, codes_of(self._kept(values).reshape(-1)[positions], f.outliers.element))
            offset: Any = None
            if f.offset is not None:
                offset = _encoded_scales(rounded.offsets, f.offset, shape, f)
            elif f.zero:
                offset = codes_of(rounded.zero_points, f.element)
            return Encoded(
                f, shape, codes_of(_codable(elements, f), f.element),
                _encoded_scales(rounded.scales, f.scale, shape, f) if f.scale is not None else None,
                offset, mean if f.mean else None, outliers,
            )  # fmt: skip

    def _moved(self) -> tuple[Float32, np.float32, NDArray[np.bool_]]:
        """(values as they are rounded, the mean, where outliers are)."""
        f, x = self.plan.format, self.x
        mean = finite_mean(x) if f.mean else np.float32(-0.0)
        values = moved(x, f, mean)
        mask = np.zeros(x.shape, bool)
        if f.outliers is not None and f.block is not None:
            mask = outlier_mask(values, f.block.grid(values.shape), f.outliers)
        return values, mean, mask

    def _kept(self, values: Float32) -> Float32:
        """Every value as an outlier would be kept."""
        o = self.plan.format.outliers
        return self.kernels.quantize(values, plan(Format(o.element))) if o else values


def _codable(elements: NDArray[np.float32], f: Format) -> NDArray[np.float32]:
    """Where a value was left out as an outlier, zero stands; for an element without a zero, any value of it does."""
    if f.outliers is None or f.element.kind != "table" or 0.0 in f.element.values:
        return elements
    return np.where(elements == 0, np.float32(f.element.values[0]), elements)


def _encoded_scales(scales: Any, f: Format, shape: tuple[int, ...], parent: Format) -> Encoded | NDArray[np.float32]:
    """Scales of blocks as they are stored."""
    if f.element.name == "f32" and f.scale is None:
        return scales.elements  # type: ignore[no-any-return]
    codes = codes_of(scales.elements, f.element)
    inner = _encoded_scales(scales.inner, f.scale, shape, f) if f.scale is not None else None
    return Encoded(f, codes.shape, codes, inner, None, scales.mean if f.mean else None)


def _decode_blocks(q: Encoded) -> NDArray[np.float32]:
    f = q.format
    y = values_of(q.codes, f.element)
    if y.shape != tuple(q.shape):
        raise DataError(f"decode: codes of shape {list(y.shape)} for a tensor of shape {list(q.shape)}")
    if f.block is None:
        return y
    parts = {"scale": q.scale, "offset": q.offset if f.zero or f.offset is not None else q.scale}
    if missing := [name for name, part in parts.items() if part is None]:
        raise DataError(f"decode: format {f} has a {missing[0]}, and there is none")
    grid = f.block.grid(q.shape)
    cells = y.reshape(grid.shape)
    if f.zero:
        cells = cells - _spread(values_of(q.offset, f.element), grid)  # type: ignore[arg-type]
    cells = cells * _spread(_numbers(q.scale), grid)
    if f.offset is not None:
        cells = cells - _spread(_numbers(q.offset), grid)
    return cells.reshape(q.shape)


def _numbers(stored: Any) -> NDArray[np.float32]:
    """Scales as encoders see them: products of finite numbers saturate."""
    if not isinstance(stored, Encoded):
        return stored  # type: ignore[no-any-return]
    y, f = _decode_blocks(stored), stored.format
    if f.block is not None:
        outer = _spread(_numbers(stored.scale), f.block.grid(stored.shape)).reshape(stored.shape)
        y = np.where(np.isfinite(outer), np.clip(y, -LARGEST, LARGEST), y)
    return y + stored.mean if stored.mean is not None else y


def _spread(numbers: NDArray[np.float32], grid: Any) -> NDArray[np.float32]:
    """One number per block as one per value."""
    if numbers.size != math.prod(grid.counts):
        raise DataError(f"decode: {numbers.size} scales or offsets for {math.prod(grid.counts)} blocks")
    by_row = np.repeat(numbers.reshape(grid.counts), grid.rows, axis=1)[:, : grid.shape[1]]
    return np.repeat(by_row, grid.columns, axis=2)[:, :, : grid.shape[2]]
