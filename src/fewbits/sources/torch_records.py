"""What the names in torch's pickles become: inert records of storages and tensors; nothing else may be named.

The names are those that torch's own `torch.load(weights_only=True)` allows (torch/_weights_only_unpickler.py), a few
harmless ones of training checkpoints, and those of TorchScript (torch/csrc/jit/serialization/pickler.cpp).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fewbits.errors import SourceError
from fewbits.sources.dtypes import DTYPES, Dtype
from fewbits.sources.restricted_pickle import Builder, Global, Record
from fewbits.sources.shapes import impossible
from fewbits.sources.strict_json import quoted

__all__ = ["DTYPE_OF_STORAGE", "Storage", "StoredView", "found_global", "storage"]

DEEPEST = 64  # axes
SCRIPT = "__torch__."  # classes of TorchScript

UNREAD = {
    "complex32": 32, "complex64": 64, "complex128": 128, "qint8": 8, "quint8": 8, "qint32": 32,
    "float4_e2m1fn_x2": 8, "bits8": 8, "bits16": 16,
}  # fmt: skip
KNOWN: Mapping[str, Dtype] = {**DTYPES, **{name: Dtype(name, bits) for name, bits in UNREAD.items()}}

DTYPE_OF_STORAGE: Mapping[str, str] = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64", "Int": "int32",
    "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool", "UInt16": "uint16", "UInt32": "uint32",
    "UInt64": "uint64", "Float8_e4m3fn": "float8_e4m3fn", "Float8_e5m2": "float8_e5m2",
    "Float8_e4m3fnuz": "float8_e4m3fnuz", "Float8_e5m2fnuz": "float8_e5m2fnuz", "Float8_e8m0fnu": "float8_e8m0fnu",
    "ComplexHalf": "complex32", "ComplexFloat": "complex64", "ComplexDouble": "complex128", "QInt8": "qint8",
    "QUInt8": "quint8", "QInt32": "qint32",
}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Storage:
    """`count` values of a type, kept under a key; without a type they are bytes."""

    key: str
    dtype: Dtype | None
    count: int

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return self.count * (self.dtype.bits if self.dtype else 8) // 8


@dataclass(frozen=True, repr=False)
class StoredView:
    """A tensor: values of a storage from `offset`, `strides` values apart; `problem` says why it cannot be read."""

    storage: Storage
    dtype: Dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    problem: str = field(default="")


def storage(reference: Any) -> Storage:
    """The storage that a persistent id means: ('storage', type, key, device, values[, view])."""
    if not isinstance(reference, tuple) or not 5 <= len(reference) <= 6 or reference[0] != "storage":
        raise ValueError("a reference that is not to a storage")
    _, kind, key, _, count = reference[:5]
    if len(reference) == 6 and reference[5] is not None:
        raise ValueError("a storage that is a view of another, as torch before 0.4 wrote")
    if not isinstance(kind, Global) or not isinstance(key, str) or len(key) > 100 or not _count(count):
        raise ValueError("a storage without type, key or count")
    name = kind.name.rpartition(".")[2]
    if not name.endswith("Storage"):
        raise ValueError("a storage without a type")
    found = DTYPE_OF_STORAGE.get(name.removesuffix("Storage"))
    return Storage(key, KNOWN[found] if found else None, count)


def found_global(name: str, where: str) -> Global:
    """The global of a name; raises `SourceError` for one that is not allowed."""
    if name in BUILDERS:
        return Global(name, BUILDERS[name])
    module, _, last = name.rpartition(".")
    if module == "torch" and last in KNOWN:
        return Global(name, None)
    if module in ("torch", "torch.cuda", "torch.storage") and _is_storage(last):
        return Global(name, None)
    if name.startswith(SCRIPT):
        return Global(name, lambda *arguments: Record(name, arguments))
    raise SourceError(
        f"{where}: names {quoted(name)}, which is not part of tensors and is not loaded (nothing was executed); a file "
        "with a state_dict alone can be read"
    )


def _is_storage(name: str) -> bool:
    kind = name.removesuffix("Storage")
    return name.endswith("Storage") and (kind in DTYPE_OF_STORAGE or kind in ("Untyped", "Typed"))


def _view(source: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> StoredView:
    """`torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`; the rest is requires_grad, hooks and metadata."""
    if not isinstance(source, Storage) or source.dtype is None:
        raise ValueError("a tensor without a typed storage")
    return _checked(source, source.dtype, offset, shape, strides, rest[2:3])


def _typed_view(
    source: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, *metadata: Any
) -> StoredView:
    """`torch._utils._rebuild_tensor_v3`."""
    named = dtype.name.rpartition(".")[2] if isinstance(dtype, Global) else ""
    if not isinstance(source, Storage) or named not in KNOWN:
        raise ValueError("a tensor without a storage or a type")
    return _checked(source, KNOWN[named], offset, shape, strides, metadata[:1])


def _checked(
    source: Storage, dtype: Dtype, offset: Any, shape: Any, strides: Any, metadata: tuple[Any, ...]
) -> StoredView:
    if not _counts(shape) or not _counts(strides) or len(shape) != len(strides) or not _count(offset):
        raise ValueError("a tensor without shape, strides and offset")
    if impossible(shape):
        raise ValueError(f"a tensor of shape {quoted(list(shape))}, which is one that no array can have")
    problem = "" if dtype.decode else f"holds {dtype.name}, which fewbits does not read as numbers"
    if metadata and metadata[0]:
        problem = problem or "is stored negated or conjugated, which fewbits does not read"
    return StoredView(source, dtype, offset, tuple(shape), tuple(strides), problem)


def _parameter(data: Any, *rest: Any) -> Any:
    """A parameter is its tensor."""
    if not isinstance(data, StoredView):
        raise ValueError("a parameter without a tensor")
    return replace(data)


def _of_type(function: Any, kind: Any, arguments: Any, state: Any) -> Any:
    """`torch._tensor._rebuild_from_type_v2`: a tensor with attributes, or of a subclass that only adds some."""
    made = isinstance(function, Global) and function.build in (_view, _typed_view, _parameter)
    if not made or not isinstance(arguments, tuple) or len(arguments) > DEEPEST:
        raise ValueError("a tensor of a type that cannot be made")
    return function.build(*arguments)


def _dict(*items: Any) -> dict[Any, Any]:
    """An ordered dict: empty, or of pairs."""
    if not items:
        return {}
    pairs = items[0]
    keyed = isinstance(pairs, list) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs
    )
    if len(items) > 1 or not keyed:
        raise ValueError("a dict that is not made of pairs")
    return dict(pairs)


def _same(first: Any = None, *rest: Any) -> Any:
    return first


def _size(values: Any = ()) -> tuple[int, ...]:
    if not _counts(values):
        raise ValueError("a size that is not lengths")
    return tuple(values)


def _record(name: str) -> Builder:
    return lambda *arguments: Record(name, arguments)


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _counts(values: Any) -> bool:
    return isinstance(values, tuple | list) and len(values) <= DEEPEST and all(map(_count, values))


INERT = (
    *("torch.device", "torch.Tensor", "torch.Generator", "argparse.Namespace", "_codecs.encode"),
    *("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
    *("builtins.set", "builtins.slice", "__builtin__.set", "pathlib.PosixPath", "pathlib.WindowsPath"),
)
BUILDERS: Mapping[str, Builder] = {
    "collections.OrderedDict": _dict,
    "collections.defaultdict": lambda *arguments: {},
    "collections.Counter": lambda *arguments: {},
    "torch._utils._rebuild_tensor": _view,
    "torch._utils._rebuild_tensor_v2": _view,
    "torch._utils._rebuild_tensor_v3": _typed_view,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch._tensor._rebuild_from_type_v2": _of_type,
    "torch.Size": _size,
    **{f"torch.jit._pickle.build_{kind}list": _same for kind in ("int", "tensor", "double", "bool")},
    "torch.jit._pickle.restore_type_tag": _same,
    **{name: _record(name) for name in INERT},
}
