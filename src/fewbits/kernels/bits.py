"""float32 ⇄ int32 patterns and 32-bit arithmetic for compiled kernels, on numbers and on the lanes of `vectors`.

Numba widens int32 arithmetic to int64, which halves the width of every vector loop; these intrinsics stay in 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fewbits.kernels.vectors import Lanes, declared, spread

MAGNITUDE = np.int32(0x7FFFFFFF)
SIGN = np.int32(-(2**31))
EXPONENT = np.int32(0x7F800000)

WORD, NUMBER, LONG, DOUBLE = ir.IntType(32), ir.FloatType(), ir.IntType(64), ir.DoubleType()

Generate = Callable[..., Any]


def _signature(result: Any, arguments: tuple[Any, ...], given: tuple[Any, ...]) -> Any:
    """Numbers to a number; where one is lanes, lanes and numbers to lanes."""
    wide = any(isinstance(kind, Lanes) for kind in given)
    kinds = [kind if isinstance(kind, Lanes) else own for kind, own in zip(given, arguments, strict=True)]
    return (Lanes(result) if wide else result)(*kinds)


def _lowering(generate: Generate) -> Generate:
    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        wide = isinstance(signature.return_type, Lanes)
        return generate(builder, *((spread(builder, v) for v in values) if wide else values))

    return lower


def _unary(result: Any, argument: Any, generate: Generate) -> Any:
    @intrinsic
    def operation(typing: Any, a: Any) -> Any:
        return _signature(result, (argument,), (a,)), _lowering(generate)

    return operation


def _binary(result: Any, argument: Any, generate: Generate) -> Any:
    @intrinsic
    def operation(typing: Any, a: Any, b: Any) -> Any:
        return _signature(result, (argument, argument), (a, b)), _lowering(generate)

    return operation


def _word(generate: Generate) -> Any:
    return _binary(types.int32, types.int32, generate)


def _number(generate: Generate) -> Any:
    return _binary(types.float32, types.float32, generate)


def _as(kind: Any, like: Any) -> Any:
    """A kind of number, or lanes of it."""
    return ir.VectorType(kind, like.count) if isinstance(like, ir.VectorType) else kind


def _cast(kind: Any) -> Generate:
    return lambda b, x: b.bitcast(x, _as(kind, x.type))


def _truncate(b: Any, x: Any) -> Any:
    name = "llvm.trunc.v16f32" if isinstance(x.type, ir.VectorType) else "llvm.trunc.f32"
    return b.call(declared(b.module, ir.FunctionType(x.type, (x.type,)), name), (x,))


def _shift(bits: int, left: bool = False) -> Any:
    def generate(b: Any, x: Any) -> Any:
        constant = ir.Constant(x.type, [bits] * x.type.count if isinstance(x.type, ir.VectorType) else bits)
        return (b.shl if left else b.ashr)(x, constant)

    return _unary(types.int32, types.int32, generate)


def _truth(relation: str) -> Any:
    """1 where the relation holds of two float32, else 0."""
    return _binary(
        types.int32, types.float32, lambda b, x, y: b.zext(b.fcmp_ordered(relation, x, y), _as(WORD, x.type))
    )


to_bits = _unary(types.int32, types.float32, _cast(WORD))
from_bits = _unary(types.float32, types.int32, _cast(NUMBER))
to_bits64 = _unary(types.int64, types.float64, _cast(LONG))
from_bits64 = _unary(types.float64, types.int64, _cast(DOUBLE))
truncate = _unary(types.float32, types.float32, _truncate)
bit_and = _word(lambda b, x, y: b.and_(x, y))
bit_xor = _word(lambda b, x, y: b.xor(x, y))
bit_or = _word(lambda b, x, y: b.or_(x, y))
add = _word(lambda b, x, y: b.add(x, y))
subtract = _word(lambda b, x, y: b.sub(x, y))
smallest = _word(lambda b, x, y: b.select(b.icmp_signed("<", x, y), x, y))
largest = _word(lambda b, x, y: b.select(b.icmp_signed(">", x, y), x, y))
reaches = _word(lambda b, x, y: b.sext(b.icmp_signed(">=", x, y), _as(WORD, x.type)))  # all bits where x ≥ y, else none
lower = _number(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y))
higher = _number(lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y))
equals, differs = _truth("=="), _truth("!=")
shift_left, shift_right, shift_right_16, sign_mask = _shift(23, left=True), _shift(23), _shift(16), _shift(31)
