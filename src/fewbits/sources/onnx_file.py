"""Initializers of ONNX models (onnx.proto3): the tensors of the graph; their bytes stay where they are until read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fewbits.errors import SourceError
from fewbits.sources.dtypes import DTYPES, Dtype
from fewbits.sources.file import File
from fewbits.sources.onnx_values import TYPED, Listed
from fewbits.sources.scanner import Scanner
from fewbits.sources.shapes import impossible
from fewbits.sources.stored import Missing, Stored, digest
from fewbits.sources.strict_json import quoted
from fewbits.sources.wire import BYTES, VARINT, Field, fields, text_of, varint
from fewbits.sources.zip_directory import plain_name
from fewbits.tensor import Tensor, Values

__all__ = ["read_onnx"]

GRAPH, INITIALIZER = 7, 5  # fields of ModelProto and GraphProto
DEEPEST, MOST = 64, 1_000_000  # axes; pieces of a field of values
NEAR = 1 << 10  # bytes read at once of an initializer, whose values follow
LARGEST = 1 << 26  # bytes of values that are decoded at once

# TensorProto.DataType: our type, and the field that holds its values where raw_data does not.
TYPES: Mapping[int, tuple[Dtype, int]] = {
    number: (DTYPES[name], where)
    for number, name, where in (
        (1, "float32", 4), (2, "uint8", 5), (3, "int8", 5), (4, "uint16", 5), (5, "int16", 5), (6, "int32", 5),
        (7, "int64", 7), (9, "bool", 5), (10, "float16", 5), (11, "float64", 10), (12, "uint32", 11),
        (13, "uint64", 11), (16, "bfloat16", 5), (17, "float8_e4m3fn", 5), (18, "float8_e4m3fnuz", 5),
        (19, "float8_e5m2", 5), (20, "float8_e5m2fnuz", 5), (24, "float8_e8m0fnu", 5),
    )
}  # fmt: skip
UNREAD = {8: "string", 14: "complex64", 15: "complex128", 21: "uint4", 22: "int4", 23: "float4_e2m1fn"}


@dataclass
class _Found:
    """What a TensorProto says."""

    begin: int
    shape: list[int] = field(default_factory=list)
    kind: int = 0
    name: str = ""
    raw: Field | None = None
    typed: dict[int, list[Field]] = field(default_factory=dict)
    external: dict[str, str] = field(default_factory=dict)
    outside: bool = False


def read_onnx(file: File, beside: Callable[[str], File]) -> list[Tensor]:
    """The initializers of a model, `beside` opening the files of its folder that hold external values; raises `SourceError`."""
    tensors: dict[str, Tensor] = {}
    graphs = [found for found in fields(file, "its model", 0, file.size) if found.number == GRAPH]
    if len(graphs) != 1 or graphs[0].kind != BYTES:
        raise SourceError(f"{file.where}: no model of ONNX, it has {len(graphs)} graphs")
    for found in fields(file, "its graph", graphs[0].begin, graphs[0].end):
        if found.number == INITIALIZER:
            tensor = _tensor(file, _read(file, found), beside)
            if tensor.name in tensors:
                raise SourceError(f"{file.where}: two initializers are called {quoted(tensor.name)}")
            tensors[tensor.name] = tensor
    return list(tensors.values())


def _read(file: File, message: Field) -> _Found:
    if message.kind != BYTES:
        raise SourceError(f"{file.where}: an initializer at byte {message.begin:,} is no message")
    found, pieces = _Found(message.begin), 0
    for item in fields(file, "an initializer", message.begin, message.end, NEAR):
        match item.number:
            case 1:  # dims
                found.shape += _integers(file, item, DEEPEST)
            case 2 if item.kind == VARINT:  # data_type
                found.kind = item.value
            case 8:
                found.name = text_of(file, item, "the name of an initializer")
            case 9 if item.kind == BYTES:
                found.raw = item
            case 13 if item.kind == BYTES:  # external_data
                key, value = _pair(file, item)
                found.external[key] = value
            case 14 if item.kind == VARINT:  # data_location
                found.outside = item.value == 1
            case number if number in TYPED:
                found.typed.setdefault(number, []).append(item)
                pieces += 1
        if len(found.shape) > DEEPEST or pieces > MOST or len(found.external) > DEEPEST:
            raise SourceError(f"{file.where}: an initializer at byte {message.begin:,} has too many parts")
    return found


def _integers(file: File, item: Field, most: int) -> list[int]:
    """The integers of a field: one, or packed."""
    if item.kind == VARINT:
        return [item.value]
    if item.kind != BYTES:
        raise SourceError(f"{file.where}: lengths of an initializer at byte {item.begin:,} are no integers")
    scanner = Scanner(file, "lengths of an initializer", item.begin, item.end)
    values: list[int] = []
    while scanner.left and len(values) <= most:
        values.append(varint(scanner))
    return values


def _pair(file: File, item: Field) -> tuple[str, str]:
    texts = {
        part.number: text_of(file, part, "external_data")
        for part in fields(file, "external_data", item.begin, item.end)
    }
    return texts.get(1, ""), texts.get(2, "")


def _tensor(file: File, found: _Found, beside: Callable[[str], File]) -> Tensor:
    where = f"{file.where}: initializer {quoted(found.name)}"
    if any(length >= 1 << 63 for length in found.shape):
        raise SourceError(f"{where}: shape {quoted(found.shape)} has negative lengths")
    if impossible(found.shape):
        raise SourceError(f"{where}: shape {quoted(found.shape)} is one that no array can have")
    dtype = TYPES[found.kind][0] if found.kind in TYPES else Dtype(UNREAD.get(found.kind, "unknown values"), 0)
    values, nbytes, problem = _values(file, found, dtype, beside, where)
    if values is None:
        values = Missing(f"{file.where}: tensor {quoted(found.name)} {problem}")
    return Tensor(
        name=found.name,
        shape=tuple(found.shape),
        dtype=dtype.name,
        nbytes=nbytes,
        identity=digest("onnx", file.key, _key(values), found.begin, found.name, dtype.name, repr(found.shape)),
        values=values,
        layout="typed fields" if isinstance(values, Listed) else "external" if found.outside else "",
        unreadable=problem,
    )


def _key(values: Values) -> str:
    """Names the external file of the values."""
    return f"{values.file.key}:{values.offset}" if isinstance(values, Stored) else ""


def _values(
    file: File, found: _Found, dtype: Dtype, beside: Callable[[str], File], where: str
) -> tuple[Values | None, int, str]:
    """Where the values are, how many bytes they take, and why they cannot be read."""
    count = math.prod(found.shape)
    needed, columns = count * dtype.bits // 8, found.shape[-1] if found.shape else 1
    if dtype.decode is None:
        return (
            None,
            found.raw.end - found.raw.begin if found.raw else 0,
            f"holds {dtype.name}, which fewbits does not read as numbers",
        )
    if needed >= 1 << 63:
        raise SourceError(f"{where}: shape {quoted(found.shape)} takes far more bytes than there are")
    if found.outside:
        return _external(found, dtype, columns, needed, beside, where)
    parts = found.typed.get(TYPES[found.kind][1], [])
    if found.raw is not None and not parts:
        _check(found.raw.end - found.raw.begin, needed, dtype, found, where)
        return Stored(file, found.name, dtype, found.raw.begin, columns), needed, ""
    if len(parts) == 1 and parts[0].kind == BYTES and TYPED[parts[0].number] != VARINT and found.raw is None:
        _check(parts[0].end - parts[0].begin, needed, dtype, found, where)
        return Stored(file, found.name, dtype, parts[0].begin, columns), needed, ""
    if found.raw is not None and parts:
        raise SourceError(f"{where}: has both raw_data and typed values")
    nbytes = sum(part.end - part.begin for part in parts)
    if needed > LARGEST or nbytes > LARGEST:
        raise SourceError(f"{where}: {needed:,} bytes as typed values, at most {LARGEST:,} are read so")
    return Listed(file, found.name, dtype, tuple(parts), count, columns), nbytes, ""


def _external(
    found: _Found, dtype: Dtype, columns: int, needed: int, beside: Callable[[str], File], where: str
) -> tuple[Values | None, int, str]:
    name = found.external.get("location", "")
    if not plain_name(name) or ":" in name:
        raise SourceError(f"{where}: external file {quoted(name)} is no file name in the model's folder")
    offset, length = (
        _decimal(found.external.get(key, default), where) for key, default in (("offset", "0"), ("length", ""))
    )
    file = beside(name)
    _check(needed if length is None else length, needed, dtype, found, where)
    if (offset or 0) + needed > file.size:
        raise SourceError(
            f"{where}: its values end at {(offset or 0) + needed:,} of {file.size:,} bytes of {file.where}"
        )
    return Stored(file, found.name, dtype, offset or 0, columns), needed, ""


def _decimal(text: str, where: str) -> int | None:
    if text and not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise SourceError(f"{where}: external_data {quoted(text)} is not a number of bytes")
    return int(text) if text else None


def _check(present: int, needed: int, dtype: Dtype, found: _Found, where: str) -> None:
    if present != needed:
        raise SourceError(
            f"{where}: {present:,} bytes, but {dtype.name} of shape {quoted(found.shape)} takes {needed:,}"
        )
