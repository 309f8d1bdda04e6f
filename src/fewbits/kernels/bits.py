"""float32 ⇄ int32 patterns and 32-bit integer arithmetic for compiled kernels.

Numba widens int32 arithmetic to int64, which halves the width of every vector loop; these intrinsics stay in 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

MAGNITUDE = np.int32(0x7FFFFFFF)
SIGN = np.int32(-(2**31))
EXPONENT = np.int32(0x7F800000)

Generate = Callable[..., Any]


def _unary(result: Any, argument: Any, generate: Generate) -> Any:
    @intrinsic
    def operation(typing: Any, a: Any) -> Any:
        return result(argument), lambda context, builder, signature, values: generate(builder, *values)

    return operation


def _binary(generate: Generate) -> Any:
    @intrinsic
    def operation(typing: Any, a: Any, b: Any) -> Any:
        return types.int32(types.int32, types.int32), lambda context, builder, signature, values: generate(
            builder, *values
        )

    return operation


def _call(name: str, kind: Any) -> Generate:
    def generate(builder: Any, value: Any) -> Any:
        function = builder.module.declare_intrinsic(name, (kind(),), ir.FunctionType(kind(), (kind(),)))
        return builder.call(function, (value,))

    return generate


to_bits = _unary(types.int32, types.float32, lambda b, x: b.bitcast(x, ir.IntType(32)))
from_bits = _unary(types.float32, types.int32, lambda b, x: b.bitcast(x, ir.FloatType()))
to_bits64 = _unary(types.int64, types.float64, lambda b, x: b.bitcast(x, ir.IntType(64)))
from_bits64 = _unary(types.float64, types.int64, lambda b, x: b.bitcast(x, ir.DoubleType()))
truncate = _unary(types.float32, types.float32, _call("llvm.trunc", ir.FloatType))
bit_and = _binary(lambda b, x, y: b.and_(x, y))
bit_xor = _binary(lambda b, x, y: b.xor(x, y))
bit_or = _binary(lambda b, x, y: b.or_(x, y))
add = _binary(lambda b, x, y: b.add(x, y))
subtract = _binary(lambda b, x, y: b.sub(x, y))
smallest = _binary(lambda b, x, y: b.select(b.icmp_signed("<", x, y), x, y))
largest = _binary(lambda b, x, y: b.select(b.icmp_signed(">", x, y), x, y))
shift_left = _unary(types.int32, types.int32, lambda b, x: b.shl(x, ir.Constant(ir.IntType(32), 23)))
shift_right = _unary(types.int32, types.int32, lambda b, x: b.ashr(x, ir.Constant(ir.IntType(32), 23)))
shift_right_16 = _unary(types.int32, types.int32, lambda b, x: b.ashr(x, ir.Constant(ir.IntType(32), 16)))
sign_mask = _unary(types.int32, types.int32, lambda b, x: b.ashr(x, ir.Constant(ir.IntType(32), 31)))
