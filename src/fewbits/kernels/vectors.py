"""Sixteen or thirty-two neighbours at once, for compiled kernels: loops this short are not turned into vector instructions.

The caller answers for the bounds.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WORD, NUMBER = ir.IntType(32), ir.FloatType()


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, at: Any, kind: Any) -> Any:
    start = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(start, [at]), kind.as_pointer())


def _fill(width: int) -> Any:
    @intrinsic
    def fill(typing: Any, array: Any, at: Any, value: Any) -> Any:
        """array[at : at + width] = value"""

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            kind = ir.VectorType(NUMBER, width)
            one = builder.insert_element(ir.Constant(kind, ir.Undefined), values[2], ir.Constant(WORD, 0))
            every = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(WORD, width), [0] * width))
            builder.store(every, _pointer(context, builder, signature.args[0], values[0], values[1], kind), align=4)
            return context.get_dummy_value()

        return types.void(array, types.intp, types.float32), generate

    return fill


def _top(width: int) -> Any:
    @intrinsic
    def top(typing: Any, array: Any, at: Any) -> Any:
        """The largest magnitude of array[at : at + width], as bits."""

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            kind = ir.VectorType(WORD, width)
            patterns = builder.load(_pointer(context, builder, signature.args[0], values[0], values[1], kind), align=4)
            sizes = builder.and_(patterns, ir.Constant(kind, [0x7FFFFFFF] * width))
            name = f"llvm.vector.reduce.umax.v{width}i32"
            reduce = cgutils.get_or_insert_function(builder.module, ir.FunctionType(WORD, (kind,)), name)  # type: ignore[no-untyped-call]
            return builder.call(reduce, (sizes,))

        return types.int32(array, types.intp), generate

    return top


@intrinsic
def fold(typing: Any, array: Any) -> Any:
    """Add halves of array[:256] to each other until array[:16] holds 16 sums: v[i] + v[i + 128], then + v[i + 64] …"""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.VectorType(NUMBER, 16)
        at = [ir.Constant(ir.IntType(64), 16 * k) for k in range(16)]
        places = [_pointer(context, builder, signature.args[0], values[0], k, kind) for k in at]
        sums = [builder.load(place, align=4) for place in places]
        while len(sums) > 1:
            half = len(sums) // 2
            sums = [builder.fadd(low, high) for low, high in zip(sums[:half], sums[half:], strict=True)]
        builder.store(sums[0], places[0], align=4)
        return context.get_dummy_value()

    return types.void(array), generate


fill16, fill32 = _fill(16), _fill(32)
top16, top32 = _top(16), _top(32)
