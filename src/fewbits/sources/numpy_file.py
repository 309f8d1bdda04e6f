"""Arrays of numpy: `.npy` (versions 1 to 3 of its format, numpy.lib.format) and `.npz`, a zip archive of them."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from fewbits.errors import SourceError
from fewbits.sources.dtypes import DTYPES, Dtype
from fewbits.sources.file import File
from fewbits.sources.shapes import impossible
from fewbits.sources.stored import Missing, digest
from fewbits.sources.strict_json import quoted
from fewbits.sources.strided import Swapped, placed
from fewbits.sources.zip_directory import DEFLATED, read_directory
from fewbits.sources.zip_entry import open_entry
from fewbits.tensor import Tensor, Values

__all__ = ["MAGIC", "read_npy", "read_npz"]

MAGIC = b"\x93NUMPY"
SUFFIX = ".npy"
LONGEST = 10_000  # characters of a header, as numpy itself reads from strangers
DEEPEST = 64  # axes
TEXTS = re.compile(r"'[^'\\]*'|\"[^\"\\]*\"")
STRANGE = re.compile(r"[^\x00-\x7f]|[\\#]|''|[A-Za-z]'|[0-9]\.?[A-Za-z_]")  # where texts are ': 0x1, 1or, f'' …

KINDS: Mapping[str, str] = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
OTHERS: Mapping[str, Dtype] = {
    "b1": DTYPES["bool"],
    "V2": DTYPES["bfloat16"],  # how numpy stores it: of ml_dtypes' types it alone has two bytes
    "f1": DTYPES["float8_e5m2"],
}


@dataclass(frozen=True)
class _Header:
    descr: str
    fortran: bool
    shape: tuple[int, ...]
    data: int  # offset of the first value


def read_npy(file: File, name: str = "") -> list[Tensor]:
    """The array of a `.npy` file as one tensor, called `name`, else 0; raises `SourceError`."""
    return [_tensor(file, name or "0", _read_header(file))]


def read_npz(file: File) -> list[Tensor]:
    """The arrays of a `.npz` file; raises `SourceError`."""
    tensors = []
    for entry in read_directory(file).values():
        if entry.name.endswith(SUFFIX) and entry.name != SUFFIX:
            array = open_entry(file, entry)
            name, packed = entry.name.removesuffix(SUFFIX), entry.method == DEFLATED
            tensors.append(_tensor(array, name, _read_header(array), ["deflated"] if packed else []))
    return tensors


def _tensor(file: File, name: str, header: _Header, layout: list[str] | None = None) -> Tensor:
    order, kind = header.descr[:1], header.descr[1:]
    dtype = _dtype(kind)
    size, problem = file.size - header.data, ""
    strides = _strides(header.shape, header.fortran)
    notes = list(layout or [])
    if dtype.decode is None:
        problem = f"holds {dtype.name}, which fewbits does not read as numbers"
        values: Values = Missing(f"{file.where}: tensor {quoted(name)} {problem}")
    else:
        _check_size(file, name, header, dtype)
        swapped = order == ">" and dtype.bits > 8
        bytes_ = Swapped(file, dtype.bits // 8) if swapped else file
        values = placed(bytes_, name, dtype, header.data, header.shape, strides)
        column_major = header.fortran and len(header.shape) > 1
        notes += ["big-endian"] * swapped + ["column by column"] * column_major
    return Tensor(
        name=name,
        shape=header.shape,
        dtype=dtype.name,
        nbytes=size,
        identity=digest(
            "npy", file.key, name, header.descr, header.fortran, "x".join(map(str, header.shape)), header.data
        ),
        values=values,
        layout=", ".join(notes),
        unreadable=problem,
    )


def _dtype(kind: str) -> Dtype:
    """The type that numpy writes so, after the mark of byte order; one that is not read has no decoder."""
    if kind in OTHERS:
        return OTHERS[kind]
    if kind.startswith("O"):
        return Dtype("Python objects", 0)
    width = kind[1:]
    if kind[:1] in KINDS and width.isdecimal() and len(width) <= 2:
        name = f"{KINDS[kind[0]]}{8 * int(width)}"
        return DTYPES.get(name) or Dtype(name, 0)
    if kind == "V1":
        return Dtype("void8 (numpy does not store which 8-bit type it was)", 0)
    return Dtype(f"numpy type {quoted(kind)}", 0)


def _check_size(file: File, name: str, header: _Header, dtype: Dtype) -> None:
    needed, found = math.prod(header.shape) * dtype.bits // 8, file.size - header.data
    if needed != found:
        what = "truncated" if found < needed else "longer than its array"
        amount = f"{needed:,}" if needed < 1 << 63 else "far more"
        raise SourceError(
            f"{file.where}: {what}, {found:,} bytes after the header, but {dtype.name} of shape "
            f"{quoted(list(header.shape))} takes {amount}"
        )


def _strides(shape: tuple[int, ...], fortran: bool) -> tuple[int, ...]:
    axes = range(len(shape))
    return tuple(math.prod(shape[:axis] if fortran else shape[axis + 1 :]) for axis in axes)


def _read_header(file: File) -> _Header:
    prefix = bytearray(min(12, file.size))
    file.read_into(0, memoryview(prefix), "its header")
    if len(prefix) < 10 or prefix[:6] != MAGIC:
        raise SourceError(f"{file.where}: not an array of numpy, it does not begin with \\x93NUMPY")
    major, minor = prefix[6], prefix[7]
    if major not in (1, 2, 3) or minor:
        raise SourceError(f"{file.where}: version {major}.{minor} of numpy's format, known are 1.0, 2.0 and 3.0")
    begin = 10 if major == 1 else 12
    length = int.from_bytes(prefix[8:begin], "little")
    if length > LONGEST:
        raise SourceError(f"{file.where}: a header of {length:,} bytes, at most {LONGEST:,} are read")
    if begin + length > file.size:
        raise SourceError(f"{file.where}: truncated, its header is {length:,} bytes of {file.size - len(prefix):,}")
    text = bytearray(length)
    file.read_into(begin, memoryview(text), "its header")
    return _parse(bytes(text), "utf-8" if major == 3 else "latin-1", begin + length, file.where)


def _parse(raw: bytes, encoding: str, data: int, where: str) -> _Header:
    try:
        content = _literal(raw.decode(encoding).rstrip("\0 \n"))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise SourceError(f"{where}: its header {quoted(raw)} is not one of numpy") from error
    if not isinstance(content, dict) or set(content) != {"descr", "fortran_order", "shape"}:
        raise SourceError(f"{where}: its header {quoted(raw)} is not descr, fortran_order and shape")
    descr, fortran, shape = content["descr"], content["fortran_order"], content["shape"]
    if not isinstance(fortran, bool):
        raise SourceError(f"{where}: fortran_order {quoted(fortran)} is neither True nor False")
    if not isinstance(shape, tuple) or len(shape) > DEEPEST or not all(_length(item) for item in shape):
        raise SourceError(f"{where}: shape {quoted(shape)} is not a tuple of at most {DEEPEST} lengths ≥ 0")
    if impossible(shape):
        raise SourceError(f"{where}: shape {quoted(shape)} is one that no array can have")
    if isinstance(descr, list):
        descr = "|records"
    if not isinstance(descr, str) or descr[:1] not in ("<", ">", "|", "="):
        raise SourceError(f"{where}: descr {quoted(descr)} is not a type of numpy")
    return _Header(descr, fortran, shape, data)


def _literal(text: str) -> object:
    """A Python literal without escapes, of which numpy writes none, and without what the parser would warn of."""
    if not text.startswith("{") or STRANGE.search(TEXTS.sub("'", text)):
        raise ValueError("no header")
    found: object = ast.literal_eval(text)
    return found


def _length(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63
