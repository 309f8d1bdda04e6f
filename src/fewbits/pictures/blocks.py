"""Real blocks of a tensor: some of them, drawn by a seed, and the typical one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import DataError
from fewbits.formats import Format
from fewbits.pictures.local import localised, unit
from fewbits.plan import Float32
from fewbits.tensor import Tensor

__all__ = ["LONGEST", "LOOKED_AT", "draw_blocks", "least_places", "typical"]

LOOKED_AT = 1024  # blocks among which the typical one is found
LONGEST = 4096  # values of a block; of a longer one evenly spaced values stand for it, with its extremes


def draw_blocks(tensor: Tensor, f: Format, count: int, seed: int = 0) -> Float32:
    """(blocks, rows, columns): at most `count` whole blocks of the tensor, in its order, drawn without replacement by the seed.

    With a block the units that share a scale of scales come along (`local.unit`). What is not finite is 0; blocks of zeros
    only are left out. Raises `DataError` where none is left.
    """
    if not tensor.size:
        raise DataError(f"{tensor.name}: empty, it has no values")
    block = f.block
    whole = block is not None and (block.kind == "tensor" or not (block.rows and block.columns))
    found = _long(tensor, f, count, seed) if whole else _units(tensor, f, count, seed)
    found = np.where(np.isfinite(found), found, np.float32(0))
    kept: Float32 = found[np.abs(found).max(axis=(1, 2), initial=0) > 0]
    if not len(kept):
        raise DataError(f"{tensor.name}: no block with a finite value other than 0 among {len(found)}")
    return kept


def typical(blocks: Float32) -> Float32:
    """The block whose largest magnitude is the (lower) median of the blocks', of equal ones the first; (1, rows, columns)."""
    amax = np.abs(blocks).max(axis=(1, 2))
    at = int(np.argsort(amax, kind="stable")[(len(amax) - 1) // 2])
    return blocks[at : at + 1]


def least_places(blocks: Float32) -> NDArray[np.int64]:
    """The place of each block's least magnitude, of equal ones the first: what makes way for a probed value."""
    places: NDArray[np.int64] = np.abs(blocks.reshape(len(blocks), -1)).argmin(axis=1)
    return places


def _units(tensor: Tensor, f: Format, count: int, seed: int) -> Float32:
    """Blocks with both sides given, flat ones too."""
    height, width = unit(f)
    if f.block is None or f.block.kind == "flat":
        width = min(width, tensor.size)
        starts = [at * width for at in _chosen(tensor.size // width, count, seed)]
        return np.stack([_flat(tensor, start, width) for start in starts])[:, None]
    rows = tensor.shape[-2] if len(tensor.shape) > 1 else 1
    height, width = min(height, rows), min(width, tensor.columns)
    tall, wide = rows // height, tensor.columns // width
    found = []
    for at in _chosen(tensor.rows // rows * tall * wide, count, seed):
        matrix, place = divmod(at, tall * wide)
        row, column = matrix * rows + place // wide * height, place % wide * width
        found.append(tensor.read(row, row + height)[:, column : column + width])
    return np.stack(found)


def _long(tensor: Tensor, f: Format, count: int, seed: int) -> Float32:
    """Blocks as long as an axis, or the tensor: at most `LONGEST` of their values, extremes included."""
    block = localised(f).block
    assert block is not None
    if f.block is not None and f.block.kind != "tensor" and block.rows == 1:
        rows = [tensor.read(row, row + 1)[0] for row in _chosen(tensor.rows, min(count, 64), seed)]
        return np.stack([_thinned(row) for row in rows])[:, None]
    step = max(-(-tensor.rows // LONGEST), 1) if block.columns else max(-(-tensor.rows // 64), 1)
    bands = [tensor.read(row, row + 1)[0] for row in range(0, tensor.rows, step)]
    if block.columns:  # a column each
        columns = _chosen(tensor.columns, min(count, 64), seed)
        return np.stack([np.array([band[column] for band in bands], np.float32) for column in columns])[:, :, None]
    return _thinned(np.concatenate([_thinned(band) for band in bands]))[None, None]


def _flat(tensor: Tensor, start: int, width: int) -> Float32:
    first = start // tensor.columns
    rows = tensor.read(first, -(-(start + width) // tensor.columns))
    run: Float32 = rows.reshape(-1)[start - first * tensor.columns :][:width]
    return run


def _thinned(row: Float32) -> Float32:
    """At most `LONGEST` evenly spaced values, the least and the largest among them."""
    if row.size <= LONGEST:
        return row
    finite = np.where(np.isfinite(row), row, np.float32(0))
    ends = np.array([finite.argmin(), finite.argmax()])
    thinned: Float32 = row[
        np.unique(np.concatenate((np.linspace(0, row.size - 1, LONGEST - 2).astype(np.int64), ends)))
    ]
    return thinned


def _chosen(among: int, count: int, seed: int) -> list[int]:
    """At most `count` of the numbers below `among`, ascending."""
    if among <= count:
        return list(range(among))
    chosen: list[int] = sorted(np.random.default_rng(seed).choice(among, count, replace=False).tolist())
    return chosen
