"""Sixteen neighbours as one value for compiled kernels: numba types `FLOATS` (16 × float32) and `WORDS` (16 × int32).

`load` and `store` move them, `+ − × ÷` and the functions of `bits` work on them as on numbers, lane by lane, and a number
beside them stands for 16 equal ones. Loops written with them need no luck with the compiler; what it makes of them is 512-bit
instructions where the machine has them, else two or four narrower ones. The caller answers for the bounds.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

LANES = 16

_intrinsic: Any = intrinsic  # its type would have the typing context as a first argument of every call
declared: Any = cgutils.get_or_insert_function  # (module, type, name) → the function of that name


class Lanes(types.Type):
    """Sixteen numbers of a type."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"{dtype} x {LANES}")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.dtype).get_value_type(), LANES))


FLOATS, WORDS = Lanes(types.float32), Lanes(types.int32)


def spread(builder: Any, value: Any) -> Any:
    """Sixteen of a number; lanes as they are."""
    if isinstance(value.type, ir.VectorType):
        return value
    word, kind = ir.IntType(32), ir.VectorType(value.type, LANES)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(word, 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(word, LANES), [0] * LANES))


def _operator(operation: Any, generate: str) -> None:
    cases = [(FLOATS, FLOATS), (FLOATS, types.float32), (types.float32, FLOATS)]

    template = {"cases": [signature(FLOATS, *case) for case in cases]}
    infer_global(operation)(type("Operator", (ConcreteTemplate,), template))

    def lower(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        return getattr(builder, generate)(*(spread(builder, v) for v in values))

    for case in cases:
        lower_builtin(operation, *case)(lower)


for _operation, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_operation, _name)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, at: Any, kind: Any) -> Any:
    """Where array[at] is, as a pointer to a kind."""
    start = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(start, [at]), kind.as_pointer())


@_intrinsic
def load(typing: Any, array: Any, at: Any) -> Any:
    """array[at : at + 16]"""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = context.get_value_type(FLOATS)
        array, at = values
        return builder.load(_pointer(context, builder, signature.args[0], array, at, kind), align=4)

    return FLOATS(array, types.intp), generate


@_intrinsic
def store(typing: Any, array: Any, at: Any, lanes: Any) -> Any:
    """array[at : at + 16] = lanes, or one number"""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array, at, value = values
        kind = context.get_value_type(FLOATS)
        place = _pointer(context, builder, signature.args[0], array, at, kind)
        builder.store(spread(builder, value), place, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@_intrinsic
def every(typing: Any, number: Any) -> Any:
    """Sixteen of a number."""
    return Lanes(number)(number), lambda context, builder, signature, values: spread(builder, values[0])


def _reduce(name: str) -> Callable[..., Any]:
    @_intrinsic
    def reduce(typing: Any, words: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            kind = values[0].type
            function = ir.FunctionType(kind.element, (kind,))
            called = declared(builder.module, function, f"llvm.vector.reduce.{name}.v{LANES}i32")
            return builder.call(called, values)

        return types.int32(words), generate

    return reduce  # type: ignore[no-any-return]


sum_of, largest_of = _reduce("add"), _reduce("smax")


@_intrinsic
def fold(typing: Any, array: Any) -> Any:
    """The sixteen sums of array[:256]: halves are added to each other, v[i] + v[i + 128], then + v[i + 64] …"""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = context.get_value_type(FLOATS)
        at = [ir.Constant(ir.IntType(64), LANES * k) for k in range(16)]
        sums = [builder.load(_pointer(context, builder, signature.args[0], values[0], k, kind), align=4) for k in at]
        while len(sums) > 1:
            half = len(sums) // 2
            sums = [builder.fadd(low, high) for low, high in zip(sums[:half], sums[half:], strict=True)]
        return sums[0]

    return FLOATS(array), generate


@_intrinsic
def prefetch(typing: Any, array: Any, at: Any) -> Any:
    """Ask for array[at : at + 1024] to be brought into the nearest cache; it may lie beyond the array."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        byte, word = ir.IntType(8), ir.IntType(32)
        start = context.make_array(signature.args[0])(context, builder, values[0]).data
        function = ir.FunctionType(ir.VoidType(), (byte.as_pointer(), word, word, word))
        called = declared(builder.module, function, "llvm.prefetch.p0i8")
        for line in range(0, 1024, LANES):
            place = builder.gep(start, [builder.add(values[1], ir.Constant(values[1].type, line))])
            place = builder.bitcast(place, byte.as_pointer())
            builder.call(called, (place, ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)))
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
