"""compressed-tensors, pack-quantized: integers of 1 to 8 bits, dense in 32-bit words, less half their range.

`weight_packed` (…, out, words), `weight_shape`, `weight_scale` for each group, row or tensor, `weight_zero_point` packed
down the rows, `weight_g_idx` where columns were reordered. As compressed-tensors 0.20.0 reads it (pack_quantized).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import SourceError
from fewbits.sources.packed.bits import unpack
from fewbits.sources.packed.columns import group_order
from fewbits.sources.packed.scaled import Grid, RowReader, Scaled, integers, table
from fewbits.sources.packed.settings import weight_settings
from fewbits.sources.packed.spec_text import ELEMENTS, block_text, layout_text
from fewbits.sources.packed.view import FLOATS, Checkpoint, Decoded, Layout, Misfit, Packed, expect, packed, stored_of
from fewbits.sources.packed.weight_blocks import Told, grid_of, told
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["PACK_QUANTIZED"]

NAME = "compressed-tensors pack-quantized"
SUFFIXES = ("_packed", "_shape", "_scale", "_zero_point", "_g_idx")
WIDEST = 1 << 40  # of an axis of weight_shape


def _find(checkpoint: Checkpoint) -> Iterator[Packed]:
    for stem, codes in checkpoint.ending("_packed"):
        parts = checkpoint.parts(stem, *SUFFIXES)
        if codes.dtype in ("int32", "uint32") and ("_scale" in parts or "_shape" in parts):
            yield packed(stem, NAME, parts, partial(_decode, parts, checkpoint))


def _decode(parts: Mapping[str, Tensor], checkpoint: Checkpoint) -> Decoded:
    codes = parts["_packed"]
    if len(codes.shape) < 2:
        raise Misfit(f"{quoted(codes.name)} has shape {quoted(list(codes.shape))}, not rows of words")
    scale = expect(parts.get("_scale"), "weight_scale", FLOATS)
    settings = [w for w in map(told, weight_settings(checkpoint.settings)) if w.kind == "int"]
    if weight_settings(checkpoint.settings) and not settings:
        raise Misfit("the config has no integer weights")
    shape, bits, check = _shape(parts, settings)
    grid = grid_of(shape, scale, [w for w in settings if w.bits == bits])
    words, half = codes.shape[-1], 1 << (bits - 1)
    values = Scaled(
        grid=grid,
        codes=integers(codes, bits, shape[-1], words, half),
        scales=table(scale, grid.across),
        dtype=scale.dtype,
        zeros=_zeros(parts.get("_zero_point"), bits, grid, shape),
        order=_order(parts.get("_g_idx"), grid),
        check=check,
    )
    block = block_text(grid, math.prod(shape[:-1]))
    rule, zero = ("shiftrange", "+zero") if "_zero_point" in parts else ("half", "")
    group = f" g{block}" if block.isdecimal() else f" {block}"
    if "_g_idx" in parts:
        return Decoded(shape, scale.dtype, f"{NAME} int{bits}{group} act-order", values)
    spec = f"i{bits}@{block}-{rule}:{ELEMENTS[scale.dtype]}{zero}"
    return Decoded(shape, scale.dtype, layout_text(f"{NAME} int{bits}{group}", spec), values)


def _shape(parts: Mapping[str, Tensor], settings: list[Told]) -> tuple[tuple[int, ...], int, Callable[[], None] | None]:
    """Shape, bits, and what is left to be checked when values are read.

    Groups tell both without reading, where the words are full; else `weight_shape` is read now.
    """
    codes, scale, stored = parts["_packed"], parts["_scale"], parts.get("_shape")
    lead, words = codes.shape[:-1], codes.shape[-1]
    fitting = {
        (w.bits, words * 32 // w.bits)
        for w in settings
        if w.bits and w.width and words * 32 % w.bits == 0 and scale.columns * w.width == words * 32 // w.bits
    }
    if stored is not None:
        expect(stored, "weight_shape", ("int64", "int32"), (len(codes.shape),))
    if len(fitting) == 1:
        ((bits, columns),) = fitting
        return (*lead, columns), bits, partial(_check, stored, (*lead, columns)) if stored is not None else None
    if stored is None:
        raise Misfit("weight_shape is missing")
    shape = _numbers(stored)
    if shape[:-1] != lead or not 0 < shape[-1] <= WIDEST:
        raise Misfit(
            f"{quoted(stored.name)} is {quoted(list(shape))}, but codes have shape {quoted(list(codes.shape))}"
        )
    possible = {w.bits for w in settings if w.bits} or set(range(1, 9))
    exact = [bits for bits in sorted(possible) if -(-shape[-1] * bits // 32) == words]
    if len(exact) != 1:
        what = "no number of bits" if not exact else f"{' and '.join(map(str, exact))} bits alike"
        raise Misfit(f"rows of {words} words fit {what} for {quoted(stored.name)} {quoted(list(shape))}")
    return shape, exact[0], None


def _numbers(stored: Tensor) -> tuple[int, ...]:
    raw = stored_of(stored).raw(0, stored.size)
    return tuple(int(number) for number in raw.view("<i8" if stored.dtype == "int64" else "<i4"))


def _check(stored: Tensor, shape: tuple[int, ...]) -> None:
    if _numbers(stored) != shape:
        what = f"is {quoted(list(_numbers(stored)))}, but its codes and scales are for {quoted(list(shape))}"
        raise SourceError(f"{stored_of(stored).file.where}: tensor {quoted(stored.name)} {what}")


def _zeros(zeros: Tensor | None, bits: int, grid: Grid, shape: tuple[int, ...]) -> RowReader | None:
    """Zero points, one a scale: plain, or packed down the rows like the codes of a transposed weight."""
    if zeros is None:
        return None
    rows, across = math.prod(shape[:-2]) * grid.down, grid.across
    if zeros.dtype in ("int8", "uint8"):
        if zeros.size != rows * across:
            raise Misfit(f"{quoted(zeros.name)} has {zeros.size} zero points for {rows * across} scales")
        return table(zeros, across)
    expect(zeros, "weight_zero_point", ("int32", "uint32", "int8"), (-(-rows * bits // 32), across))
    if len(shape) != 2:
        raise Misfit(f"{quoted(zeros.name)} is packed for {len(shape)} axes")
    stored, half, words = stored_of(zeros), 1 << (bits - 1), zeros.shape[0]

    def read(start: int, stop: int) -> NDArray[np.float32]:
        first = start // 32  # 32 codes end where a word ends
        begin, end = first * bits, min(-(-stop // 32) * bits, words)
        found = stored.raw(begin * across, end * across).view("<u4").reshape(-1, across)
        codes = unpack(np.ascontiguousarray(found.T).view(np.uint8), bits, stop - first * 32)
        return codes[:, start - first * 32 :].T.astype(np.float32) - np.float32(half)

    return read


def _order(index: Tensor | None, grid: Grid) -> Callable[[], NDArray[np.intp]] | None:
    if index is None:
        return None
    expect(index, "weight_g_idx", ("int32", "int64"), (grid.columns,))
    return group_order(index, grid.across, grid.columns)


PACK_QUANTIZED = Layout(_find, frozenset({"compressed-tensors"}))
