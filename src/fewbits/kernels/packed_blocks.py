"""Values of packed blocks, by straight-line code that is generated from a description of their bytes.

Sixteen neighbours at a time are loaded, put in order by one shuffle, shifted, joined and scaled; places and shifts are constants
of the code, of which there is one for each layout.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import ast
from collections.abc import Callable
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from fewbits.kernels.arithmetic import OPTIONS
from fewbits.kernels.vectors import LANES

__all__ = ["Packing", "Run", "block_decoder"]

HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)  # the value of every float16
BYTE, WORD, LONG, NUMBER = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()

Bytes = NDArray[np.uint8]
Float32 = NDArray[np.float32]
_intrinsic: Any = intrinsic  # its type would have the typing context as a first argument of every call


class Run(NamedTuple):
    """Some bits of `length` neighbouring numbers, from number `to` on, in as many bytes, from byte `at` of the block on.

    They are (byte >> shift & mask) << weight; with `power` 3^i, digit i of five of base 3:
    ((byte · power mod 256) · 3 >> shift & mask) << weight. A number is all its bits.
    """

    to: int
    at: int
    length: int
    shift: int
    mask: int
    weight: int
    power: int = 0


class Packing(NamedTuple):
    """A layout of blocks: value = scale · (value of its scale code) · (value of its code) − minimum scale · minimum code + minimum.

    `scale`, `minimum_scale` and `minimum` say where these float16 lie, None if they do not. With `line` (flip, bias) the
    value of code c is (c xor flip) − bias; else it is found in a table, as are those of scale codes.
    """

    codes: tuple[Run, ...]
    scales: tuple[Run, ...]
    minima: tuple[Run, ...]
    bytes: int
    values: int
    sub_block: int
    scale: int | None
    minimum_scale: int | None
    minimum: int | None
    line: tuple[int, int] | None


def block_decoder(packing: Packing) -> Callable[[Bytes, Float32, Float32, Float32], None]:
    """A function of blocks, the tables of the values of codes and of scale codes, and the array for the blocks' values."""
    compiled = _compiled(_spelled(packing))

    def decode(data: Bytes, codes: Float32, scales: Float32, out: Float32) -> None:
        assert data.size * packing.values == out.size * packing.bytes, (data.size, out.size)
        compiled(data, codes, scales, HALVES, out)

    return decode


def _spelled(packing: Packing) -> str:
    """The packing as a text, which numba takes as a constant and tells from another one in its cache."""
    return repr((*([tuple(run) for run in runs] for runs in packing[:3]), *packing[3:]))


def _read(text: str) -> Packing:
    """The packing that a text spells."""
    *parts, bytes_, values, sub_block, scale, minimum_scale, minimum, line = ast.literal_eval(text)
    codes, scales, minima = (tuple(Run(*run) for run in runs) for runs in parts)
    return Packing(codes, scales, minima, bytes_, values, sub_block, scale, minimum_scale, minimum, line)


def _compiled(text: str) -> Any:
    """The loop over the blocks of one packing."""
    packing = _read(text)
    size, values = packing.bytes, packing.values

    @njit(**OPTIONS)
    def decode(data, codes, scales, halves, out):  # type: ignore[no-untyped-def]
        for k in range(data.shape[0] // size):
            _decode_block(text, data, k * size, codes, scales, halves, out, k * values)

    return decode


@_intrinsic(prefer_literal=True)
def _decode_block(
    typing: Any, text: Any, data: Any, at: Any, codes: Any, scales: Any, halves: Any, out: Any, to: Any
) -> Any:
    """out[to : to + values] = the values of the block at data[at]."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def pointer(array: int, at: int | None = None) -> Any:
            start = context.make_array(signature.args[array])(context, builder, values[array]).data
            return start if at is None else builder.gep(start, [values[at]])

        block = _Block(builder, pointer(1, 2), pointer(5))
        block.decode(_read(text.literal_value), pointer(3), pointer(4), pointer(6, 7))
        return context.get_dummy_value()

    return types.void(text, data, types.intp, codes, scales, halves, out, types.intp), generate


class _Block:
    """Writes the code that decodes one block."""

    def __init__(self, builder: Any, start: Any, halves: Any) -> None:
        self.builder, self.start, self.halves = builder, start, halves

    def decode(self, packing: Packing, codes: Any, scales: Any, out: Any) -> None:
        """Of all values of the block."""
        b, count = self.builder, packing.values // packing.sub_block
        scale, minimum_scale, minimum = map(self._half, (packing.scale, packing.minimum_scale, packing.minimum))
        if packing.scales:
            factors = self._look_up(scales, self._numbers(packing.scales, 0, count))
            factors = b.fmul(_spread(b, scale, count), factors) if scale else factors
        else:
            factors = _spread(b, scale, count)
        if minimum_scale:
            offsets = b.sitofp(self._numbers(packing.minima, 0, count), ir.VectorType(NUMBER, count))
            offsets = b.fmul(_spread(b, minimum_scale, count), offsets)
        for first in range(0, packing.values, LANES):
            words, own = self._numbers(packing.codes, first, LANES), first // packing.sub_block
            values = self._line(words, *packing.line) if packing.line else self._look_up(codes, words)
            values = b.fmul(_chosen(b, factors, own), values)
            values = b.fsub(values, _chosen(b, offsets, own)) if minimum_scale else values
            values = b.fadd(values, _spread(b, minimum, LANES)) if minimum else values
            place = b.bitcast(b.gep(out, [ir.Constant(LONG, first)]), values.type.as_pointer())
            b.store(values, place, align=4)

    def _numbers(self, runs: tuple[Run, ...], first: int, count: int) -> Any:
        """Numbers `first` … `first` + `count` − 1, as words."""
        own = [
            [run._replace(at=run.at + n - run.to) for run in runs if run.to <= n < run.to + run.length]
            for n in range(first, first + count)
        ]
        nothing = own[0][0]._replace(mask=0)
        words = None
        for layer in zip_longest(*own, fillvalue=nothing):
            bits = self._bits(layer)
            words = bits if words is None else self.builder.or_(words, bits)
        return words

    def _bits(self, runs: tuple[Run, ...]) -> Any:
        """For each number the bits at the start of a run."""
        b, begin, words = self.builder, min(run.at for run in runs), ir.VectorType(WORD, len(runs))
        some = ir.VectorType(BYTE, max(run.at for run in runs) - begin + 1)
        found = b.load(b.bitcast(b.gep(self.start, [ir.Constant(LONG, begin)]), some.as_pointer()), align=1)
        found = b.zext(b.shuffle_vector(found, found, ir.Constant(words, [run.at - begin for run in runs])), words)
        if runs[0].power:
            found = b.and_(b.mul(found, ir.Constant(words, [run.power for run in runs])), _every(words, 255))
            found = b.mul(found, _every(words, 3))
        found = b.lshr(found, ir.Constant(words, [run.shift for run in runs]))
        found = b.and_(found, ir.Constant(words, [run.mask for run in runs]))
        return b.shl(found, ir.Constant(words, [run.weight for run in runs]))

    def _line(self, words: Any, flip: int, bias: int) -> Any:
        """(words xor flip) − bias, as float32."""
        flipped = self.builder.xor(words, _every(words.type, flip))
        moved = self.builder.sub(flipped, _every(words.type, bias))
        return self.builder.sitofp(moved, ir.VectorType(NUMBER, LANES))

    def _look_up(self, table: Any, words: Any) -> Any:
        """table[w] for each word, one after the other: gathering instructions are slow where processors were patched."""
        b, found = self.builder, ir.Constant(ir.VectorType(NUMBER, words.type.count), ir.Undefined)
        for lane in range(words.type.count):
            at = b.zext(b.extract_element(words, ir.Constant(WORD, lane)), LONG)
            found = b.insert_element(found, b.load(b.gep(table, [at])), ir.Constant(WORD, lane))
        return found

    def _half(self, at: int | None) -> Any:
        """The value of the float16 that lies there."""
        if at is None:
            return None
        b = self.builder
        low, high = (b.zext(b.load(b.gep(self.start, [ir.Constant(LONG, at + i)])), LONG) for i in (0, 1))
        return b.load(b.gep(self.halves, [b.or_(low, b.shl(high, ir.Constant(LONG, 8)))]))


def _every(kind: Any, value: int) -> Any:
    """A vector of equal constants."""
    return ir.Constant(kind, [value] * kind.count)


def _spread(builder: Any, value: Any, count: int) -> Any:
    """`count` of a number."""
    empty = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
    return _chosen(builder, builder.insert_element(empty, value, ir.Constant(WORD, 0)), 0, count)


def _chosen(builder: Any, vector: Any, lane: int, count: int = LANES) -> Any:
    """`count` of one of the numbers."""
    return builder.shuffle_vector(vector, vector, _every(ir.VectorType(WORD, count), lane))
