"""Writing torch's archives without torch: state dicts for `torch.load`, TorchScript modules for `torch.jit.load`.

Both are zip archives of a pickle and one entry for each storage. A TorchScript module is flat: its parameters are the
tensors, and a `.` in their names is `|`, as libtorch's C++ and OCaml interfaces (tch's VarStore) expect.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import IO

from fewbits.convert.item import Item, Kind
from fewbits.convert.zip_writer import ZipWriter
from fewbits.sources.dtypes import DTYPES
from fewbits.sources.torch_records import DTYPE_OF_STORAGE

__all__ = ["SCRIPT", "STATE_DICT", "refuses_in_script", "write_script", "write_state_dict"]

STORAGES = {dtype: f"{name}Storage" for name, dtype in DTYPE_OF_STORAGE.items() if dtype in DTYPES}
UNTYPED = ("uint16", "uint32", "uint64")  # and 8-bit floats: torch.load knows no storages of those types
ROOT = "archive/"
CLASS = "Tensors"
PROTOCOL = b"\x80\x02"


def write_state_dict(items: Sequence[Item], file: IO[bytes]) -> None:
    """A dict of tensors, as `torch.load(weights_only=True)` reads."""
    pairs = (_text(item.name) + _tensor(item, key, script=False) for key, item in enumerate(items))
    _write(file, items, PROTOCOL + b"}(" + b"".join(pairs) + b"u.", {})


def write_script(items: Sequence[Item], file: IO[bytes]) -> None:
    """A module whose parameters are the tensors, as `torch.jit.load` reads."""
    names = [item.name.replace(".", "|") for item in items]
    pairs = (
        _text(name) + _tensor(item, key, script=True) for key, (name, item) in enumerate(zip(names, items, strict=True))
    )
    made = PROTOCOL + _global("__torch__", CLASS) + b")\x81}("
    notes = {"code/__torch__.py": "".join(_class(names)).encode(), "constants.pkl": PROTOCOL + b")."}
    _write(file, items, made + b"".join(pairs) + b"ub.", notes)


def _write(file: IO[bytes], items: Sequence[Item], pickle: bytes, notes: dict[str, bytes]) -> None:
    with ZipWriter(file) as archive:
        for name, content in {"data.pkl": pickle, **notes, "version": b"3\n", "byteorder": b"little"}.items():
            archive.add(ROOT + name, len(content), [content])
        for key, item in enumerate(items):
            archive.add(f"{ROOT}data/{key}", item.nbytes, item.pieces())


def _class(names: Sequence[str]) -> Iterator[str]:
    """The class of the module in TorchScript."""
    yield f"class {CLASS}(Module):\n"
    yield f"  __parameters__ = [{''.join(f'{_quoted(name)}, ' for name in names)}]\n"
    yield "  __buffers__ = []\n  __annotations__ = []\n"
    for name in names:
        yield f"  __annotations__[{_quoted(name)}] = Tensor\n"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _tensor(item: Item, key: int, script: bool) -> bytes:
    """A call of the function that rebuilds a tensor from its storage."""
    count = math.prod(item.shape)
    typed = script or not (item.dtype in UNTYPED or item.dtype.startswith("float8"))
    kind = _global("torch", STORAGES[item.dtype]) if typed else _global("torch.storage", "UntypedStorage")
    length = count if typed else item.nbytes
    storage = b"(" + _text("storage") + kind + _text(str(key)) + _text("cpu") + _integer(length) + b"tQ"
    view = storage + _integer(0) + _integers(item.shape) + _integers(_strides(item.shape)) + b"\x89"
    hooks = _global("collections", "OrderedDict") + b")R"
    if typed:
        return _global("torch._utils", "_rebuild_tensor_v2") + b"(" + view + hooks + b"tR"
    return _global("torch._utils", "_rebuild_tensor_v3") + b"(" + view + hooks + _global("torch", item.dtype) + b"tR"


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(max(length, 1) for length in shape[axis + 1 :]) for axis in range(len(shape)))


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    raw = text.encode("utf-8")
    return b"X" + len(raw).to_bytes(4, "little") + raw


def _integers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(_integer, values)) + b"t"


def _integer(value: int) -> bytes:
    if value < 1 << 8:
        return b"K" + value.to_bytes(1, "little")
    if value < 1 << 31:
        return b"J" + value.to_bytes(4, "little")
    return b"\x8a\x08" + value.to_bytes(8, "little")


def refuses_in_script(name: str) -> str:
    """Why a TorchScript module cannot have the name."""
    if "|" in name:
        return "it has a |, which stands for . there"
    if not name or not name.isprintable() or '"' in name or "\\" in name:
        return "TorchScript cannot spell it"
    return ""


STATE_DICT = Kind("torch", frozenset(STORAGES), lambda name: "", write_state_dict)
SCRIPT = Kind("TorchScript", frozenset(STORAGES), refuses_in_script, write_script)
