"""Tensors stored with one scale a block: `X` beside `X_scale_inv` means X × scale, as in DeepSeek's checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import SourceError
from fewbits.sources.stored import Missing, digest
from fewbits.sources.strict_json import Json, quoted
from fewbits.tensor import Tensor

__all__ = ["SUFFIX", "BlockScaled", "block_scaled_tensor", "block_size", "configured_block"]

SUFFIX = "_scale_inv"
USUAL = 128

Block = tuple[int, int]


@dataclass(frozen=True)
class BlockScaled:
    """float32(stored) × scale, one scale for each `block` (rows, columns) of each matrix; rounded once."""

    stored: Tensor
    scale: Tensor
    block: Block

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        slab = self.stored.read(start, stop)
        if not slab.size:
            return slab
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is counted later, like stored ones
            if self.scale.size == 1:
                slab *= self.scale.read()
                return slab
            height, width = self.block
            tall, _ = _matrix(self.stored.shape)
            rows = np.arange(start, stop)
            of_row = rows // tall * _blocks(tall, height) + rows % tall // height  # the row of scales
            first = int(of_row[0])
            scale = self.scale.read(first, int(of_row[-1]) + 1)
            edges = np.flatnonzero(np.diff(of_row, prepend=-1, append=-1))
            for begin, end in pairwise(edges):
                slab[begin:end] *= np.repeat(scale[of_row[begin] - first], width)[: slab.shape[1]]
        return slab

    def read16(self, start: int, stop: int) -> None:
        """Not stored as plain 16-bit floats."""


def block_scaled_tensor(stored: Tensor, scale: Tensor, configured: Block | None) -> Tensor:
    """The tensor that `stored` and its companion stand for; where they do not fit, it is listed but not readable."""
    name = scale.name.rpartition(".")[2]
    whole = replace(
        stored,
        dtype="float32",
        nbytes=stored.nbytes + scale.nbytes,
        layout=f"{stored.dtype}, blocks of {name}",
        unreadable=stored.unreadable or (f"its scale {name} {scale.unreadable}" if scale.unreadable else ""),
    )
    if whole.unreadable:
        return replace(whole, values=(stored if stored.unreadable else scale).values)
    try:
        height, width = block_size(stored.shape, scale.shape, configured)
    except ValueError as error:
        problem = f"of shape {list(stored.shape)}: {error}"
        return replace(whole, values=Missing(f"tensor {quoted(stored.name)} {problem}"), unreadable=problem)
    inferred = "" if configured or scale.size == 1 else " (inferred)"
    return replace(
        whole,
        layout=f"{stored.dtype}, {height}x{width} blocks of {name}{inferred}",
        identity=digest("block scaled", stored.identity, scale.identity, height, width),
        values=BlockScaled(stored, scale, (height, width)),
    )


def block_size(shape: tuple[int, ...], scales: tuple[int, ...], configured: Block | None = None) -> Block:
    """Rows and columns of a block: as configured, else along each axis what gives so many scales, 128 if it does.

    The least that does is wrong where the block does not divide: 576 rows with 5 scales are blocks of 128, not of 116.
    One scale alone is that of the whole tensor. `ValueError` where nothing fits.
    """
    sides = _matrix(shape)
    if len(shape) == len(scales) and shape[:-2] == scales[:-2]:
        counts = _matrix(scales)
        block = configured or _guess(sides, counts)
        if (_blocks(sides[0], block[0]), _blocks(sides[1], block[1])) == counts:
            return block
    if math.prod(scales) == 1:
        return max(sides[0], 1), max(sides[1], 1)
    tried = f" of {configured[0]}x{configured[1]} (weight_block_size of config.json)" if configured else ""
    raise ValueError(f"scales of shape {list(scales)} do not fit blocks{tried}")


def configured_block(config: Mapping[str, Json], where: str) -> Block | None:
    """`quantization_config.weight_block_size` of a config.json; None where it says nothing; raises `SourceError`."""
    quantization = config.get("quantization_config")
    size = quantization.get("weight_block_size") if isinstance(quantization, dict) else None
    if size is None:
        return None
    sides = [side for side in size if type(side) is int and side > 0] if isinstance(size, list) else []
    if not isinstance(size, list) or len(size) != 2 or len(sides) != 2:
        raise SourceError(f"{where}: weight_block_size {quoted(size)} is not [rows, columns], both at least 1")
    return sides[0], sides[1]


def _guess(sides: tuple[int, int], counts: tuple[int, int]) -> Block:
    def length(side: int, count: int) -> int:
        least = max(_blocks(side, max(count, 1)), 1)
        power = 1 << (least - 1).bit_length()
        inexact = side % max(count, 1) != 0
        candidates = (USUAL, power if inexact else least)
        return next((length for length in candidates if _blocks(side, length) == count), least)

    return length(sides[0], counts[0]), length(sides[1], counts[1])


def _blocks(side: int, length: int) -> int:
    """How many blocks of `length` cover `side`."""
    return -(-side // length)


def _matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of each matrix; rank 1 is one row."""
    return (shape[-2] if len(shape) > 1 else 1), (shape[-1] if shape else 1)
