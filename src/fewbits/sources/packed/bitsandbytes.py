"""bitsandbytes, 4 bits: NF4 or FP4 codes of the flattened weight, first in the high half, a scale for each block of them.

`absmax` are the scales, or with nested statistics 8-bit codes of them; shape, dtype and block sizes are JSON in the bytes
of `quant_state.bitsandbytes__nf4` or `__fp4`. As bitsandbytes 0.50.2 reads it (functional.QuantState).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import SourceError
from fewbits.sources.packed.scaled import PIECE, rounded
from fewbits.sources.packed.settings import count
from fewbits.sources.packed.spec_text import layout_text
from fewbits.sources.packed.view import (
    FLOATS,
    Checkpoint,
    Decoded,
    Layout,
    Misfit,
    Packed,
    expect,
    numbers,
    packed,
    stored_of,
)
from fewbits.sources.strict_json import Json, parse_json, quoted
from fewbits.tensor import Tensor

__all__ = ["BITSANDBYTES", "Flat"]

STATE = ".quant_state.bitsandbytes__"
KINDS = {"nf4": "nf4lut", "fp4": "bnbfp4"}  # quant_type → element
STATISTICS = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map")
LONGEST = 1 << 14  # bytes of JSON
LARGEST = 1 << 48  # of an axis

Range = Callable[[int, int], NDArray[np.float32]]


@dataclass(frozen=True)
class Flat:
    """table[code] × scale of the flattened tensor's block, rounded to `dtype`."""

    columns: int
    codes: Tensor
    table: Tensor
    scales: Range
    block: int
    dtype: str

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        slab = np.empty((stop - start, self.columns), np.float32)
        flat, first, table = slab.reshape(-1), start * self.columns, numbers(self.table)
        for begin in range(0, flat.size, PIECE):
            piece = flat[begin : begin + PIECE]
            piece[:] = self._piece(first + begin, first + begin + piece.size, table)
        return slab

    def _piece(self, first: int, last: int, table: NDArray[np.float32]) -> NDArray[np.float32]:
        stored = stored_of(self.codes)
        wide = stored.dtype.bits // 8  # codes may be stored as any type
        begin, end = first // 2 // wide, -(-last // (2 * wide))
        raw = stored.raw(begin, end)
        codes = np.stack((raw >> 4, raw & 15), axis=-1).reshape(-1)[first - 2 * wide * begin :][: last - first]
        blocks = np.arange(first, last) // self.block
        scales = self.scales(int(blocks[0]), int(blocks[-1]) + 1)
        with np.errstate(over="ignore", invalid="ignore"):
            return rounded(table[codes] * scales[blocks - blocks[0]], self.dtype)

    def read16(self, start: int, stop: int) -> None:
        """Not stored as plain 16-bit floats."""


def _find(checkpoint: Checkpoint) -> Iterator[Packed]:
    for kind in KINDS:
        for stem, state in checkpoint.ending(STATE + kind):
            parts = checkpoint.parts(stem, "", *STATISTICS, STATE + kind)
            if "" not in parts:
                parts = {STATE + kind: state, **parts}
            yield packed(stem, f"bitsandbytes {kind.upper()}", parts, partial(_decode, parts, kind))


def _decode(parts: Mapping[str, Tensor], kind: str) -> Decoded:
    state = _state(parts[STATE + kind])
    shape, size, dtype, block = _shape(state), math.prod(_shape(state)), state.get("dtype"), count(state, "blocksize")
    if state.get("quant_type") != kind or not isinstance(dtype, str) or dtype not in FLOATS or block is None:
        told = {key: state.get(key) for key in ("quant_type", "dtype", "blocksize")}
        raise Misfit(f"its quant_state says {quoted(told)}")
    codes = parts.get("")
    if codes is None:
        raise Misfit("the codes are missing")
    wide = stored_of(codes).dtype.bits // 8
    if codes.size * wide != -(-size // (2 * wide)) * wide:
        raise Misfit(f"{codes.size * wide} bytes of codes are not the {-(-size // 2)} of shape {quoted(list(shape))}")
    scales, spec = _scales(parts, state, -(-size // block))
    element, name = KINDS[kind], f"bitsandbytes {kind.upper()}{' nested' if '.nested_absmax' in parts else ''}"
    table = expect(parts.get(".quant_map"), "quant_map", ("float32",), (16,))
    values = Flat(shape[-1], codes, table, scales, block, dtype)
    return Decoded(shape, dtype, layout_text(name, f"{element}@flat{block}:{spec}"), values)


def _state(tensor: Tensor) -> Mapping[str, Json]:
    """The JSON in a tensor of bytes."""
    expect(tensor, "quant_state", ("uint8",))
    if not 0 < tensor.size <= LONGEST:
        raise Misfit(f"{quoted(tensor.name)} has {tensor.size:,} bytes, at most {LONGEST:,} of JSON are read")
    text = stored_of(tensor).raw(0, tensor.size).tobytes()
    try:
        return parse_json(text, f"{quoted(tensor.name)}")
    except SourceError as error:
        raise Misfit(str(error)) from error


def _shape(state: Mapping[str, Json]) -> tuple[int, ...]:
    shape = state.get("shape")
    sides = [side for side in shape if type(side) is int and 0 < side <= LARGEST] if isinstance(shape, list) else []
    if not isinstance(shape, list) or not 0 < len(sides) == len(shape) <= 16:
        raise Misfit(f"its quant_state has shape {quoted(shape)}, not lengths from 1")
    return tuple(sides)


def _scales(parts: Mapping[str, Tensor], state: Mapping[str, Json], blocks: int) -> tuple[Range, str]:
    """The scales of a range of blocks, and their format."""
    if ".nested_absmax" not in parts:
        absmax = expect(parts.get(".absmax"), "absmax", ("float32",), (blocks,))
        return (lambda first, last: numbers(absmax, first, last)), "f32"
    size, offset = count(state, "nested_blocksize"), state.get("nested_offset")
    if size is None or isinstance(offset, bool) or not isinstance(offset, (int, float)):
        told = {key: state.get(key) for key in ("nested_blocksize", "nested_offset")}
        raise Misfit(f"its quant_state says {quoted(told)}")
    codes = expect(parts.get(".absmax"), "absmax", ("uint8",), (blocks,))
    outer = expect(parts[".nested_absmax"], "nested_absmax", ("float32",), (-(-blocks // size),))
    table = expect(parts.get(".nested_quant_map"), "nested_quant_map", ("float32",), (256,))
    shift = _float32(offset)

    def read(first: int, last: int) -> NDArray[np.float32]:
        groups = np.arange(first, last) // size
        scales = numbers(outer, int(groups[0]), int(groups[-1]) + 1)[groups - groups[0]]
        with np.errstate(over="ignore", invalid="ignore"):
            result: NDArray[np.float32] = numbers(table)[stored_of(codes).raw(first, last)] * scales + shift
        return result

    return read, f"(dyn8@flat{size}:f32+mean)"


def _float32(number: float) -> np.float32:
    if abs(number) > float(np.finfo(np.float32).max):
        raise Misfit(f"its quant_state has nested_offset {quoted(number)}, beyond float32")
    return np.float32(number)


BITSANDBYTES = Layout(_find, frozenset({"bitsandbytes"}))
