"""Initializers of ONNX models, read without its package. tests/canned/make_containers.py made the files, with onnx 1.23.2."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewbits.errors import SourceError
from fewbits.sources import open_source
from fewbits.sources.file import File
from fewbits.sources.onnx_file import read_onnx
from fewbits.tensor import Tensor
from held_file import Held, refused, tried

CANNED = Path(__file__).parent / "canned" / "containers"
ALL = (CANNED / "all.onnx").read_bytes()
PLAIN = np.arange(6)
WHOLE = [-2, -1, 0, 1, 300, 70000]
VALUES: dict[str, Any] = {
    **{f"raw.{kind}": PLAIN for kind in ("float32", "float16", "float64", "int64", "uint8")},
    **{f"typed.{kind}": PLAIN for kind in ("float32", "float64", "float16", "bfloat16")},
    "raw.bool": PLAIN > 0,
    "typed.int64": WHOLE,
    "typed.int32": WHOLE,
    "typed.uint64": [1, 2**40],
    "typed.float8": [1, 2, -4, 0.5],
    "typed.bool": [1, 0, 1],
    "scalar": 2.5,
    "empty": [],
}


def varint(value: int) -> bytes:
    value %= 1 << 64
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def item(number: int, value: int | bytes) -> bytes:
    """A field of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def initializer(*parts: bytes, dims: tuple[int, ...] = (2,), kind: int = 1, name: bytes = b"w") -> bytes:
    return b"".join(item(1, length) for length in dims) + item(2, kind) + item(8, name) + b"".join(parts)


def model(*initializers: bytes) -> bytes:
    return item(1, 10) + item(7, item(2, b"graph") + b"".join(item(5, content) for content in initializers))


RAW = item(9, np.array([1, 2], "<f4").tobytes())


def read_alone(file: File) -> list[Tensor]:
    """The initializers of a model that needs no other file."""

    def never(name: str) -> File:
        raise AssertionError(name)

    return read_onnx(file, never)


def test_values_of_all_kinds() -> None:
    source = open_source(CANNED / "all.onnx")
    assert {tensor.name for tensor in source} == set(VALUES) | {"four", "texts"}
    assert len({tensor.identity for tensor in source}) == len(source)
    for name, values in VALUES.items():
        tensor = source[name]
        expected = np.array(values, np.float32).reshape(tensor.rows, tensor.columns)
        np.testing.assert_array_equal(tensor.read(), expected)
        if tensor.rows > 1:
            np.testing.assert_array_equal(tensor.read(1, 2), expected[1:2])
    for name in ("float16", "bfloat16"):
        assert source[f"typed.{name}"].dtype == name
        bits = source[f"typed.{name}"].read16()
        assert bits is not None
        assert bits.shape == (2, 3)
    assert source["typed.int64"].layout == "typed fields"
    for name in ("four", "texts"):
        with pytest.raises(SourceError, match="which fewbits does not read as numbers"):
            source[name].read()


def test_values_in_external_files(tmp_path: Path) -> None:
    source = open_source(CANNED / "external.onnx")
    np.testing.assert_array_equal(source["w0"].read(), np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(source["w1"].read(1, 2), np.arange(12).reshape(3, 4)[1:2] + 1)
    assert source["w0"].layout == "external"
    assert [name for name, _ in source.files] == ["external.onnx", "external.data"]
    assert source.files[1][1] == (CANNED / "external.data").stat().st_size

    (tmp_path / "external.onnx").write_bytes((CANNED / "external.onnx").read_bytes())
    with pytest.raises(SourceError, match=r"external.data: no such file"):
        open_source(tmp_path / "external.onnx")
    (tmp_path / "external.data").symlink_to(CANNED / "external.data")
    for place in (tmp_path, tmp_path / "external.onnx"):
        with pytest.raises(SourceError, match=r"'external.data' is a link out of the folder"):
            open_source(place)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "C:x", "a\\b", "", "a\nb"])
def test_external_files_stay_in_the_folder(name: str) -> None:
    outside = item(14, 1) + item(13, item(1, b"location") + item(2, name.encode()))
    assert "is no file name in the model's folder" in refused(read_alone, model(initializer(outside)))


@pytest.mark.parametrize(
    ("offset", "length", "line"),
    [
        (b"0", b"9", "9 bytes, but float32"),
        (b"20", b"8", "its values end at 28 of 24 bytes"),
        (b"-1", b"8", "is not a number of bytes"),
        (b"1e3", b"8", "is not a number of bytes"),
        (b"9" * 30, b"8", "is not a number of bytes"),
        (b"16", b"8", ""),
    ],
)
def test_external_places_are_checked(offset: bytes, length: bytes, line: str) -> None:
    pairs = {b"location": b"w.data", b"offset": offset, b"length": length}
    parts = item(14, 1) + b"".join(item(13, item(1, key) + item(2, value)) for key, value in pairs.items())
    content = model(initializer(parts))
    tensors, found = tried(lambda file: read_onnx(file, lambda name: Held(bytes(24))), content)
    assert line in found
    assert bool(tensors) == (not line)


def test_raw_data_is_read_where_it_lies() -> None:
    rows = np.arange(100_000, dtype="<f4").reshape(1_000, 100)
    file = Held(model(initializer(item(9, rows.tobytes()), dims=rows.shape), initializer(RAW, name=b"v")))
    tensor, _ = read_alone(file)
    assert sum(end - begin for begin, end in file.reads) < 200_000  # of 400,000; blocks are read ahead
    file.reads.clear()
    np.testing.assert_array_equal(tensor.read(10, 20), rows[10:20])
    assert file.reads[0][1] - file.reads[0][0] == 4_000
    assert len(file.reads) == 1


def test_values_without_packing_and_in_parts() -> None:
    """As proto2 writers did: a tag for each value; and packed fields may come in several parts."""
    floats = b"".join(varint(4 << 3 | 5) + struct.pack("<f", value) for value in (1.5, -2.0))
    (tensor,) = read_alone(Held(model(initializer(floats))))
    np.testing.assert_array_equal(tensor.read(), [[1.5, -2]])
    parts = item(7, 3) + item(7, varint(-1) + varint(2**62)) + item(7, b"")
    (tensor,) = read_alone(Held(model(initializer(parts, dims=(3,), kind=7))))
    np.testing.assert_array_equal(tensor.read(), np.array([[3, -1, 2**62]], np.float32))
    packed = item(1, varint(2) + varint(1)) + item(2, 1) + item(8, b"w") + RAW
    (tensor,) = read_alone(Held(model(packed)))
    assert tensor.shape == (2, 1)


WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it has 0 graphs"),
    "text": (b"hello, world", ""),
    "no graph": (item(1, 10), "it has 0 graphs"),
    "two graphs": (model() + model(), "it has 2 graphs"),
    "graph is a number": (item(7, 1), "it has 1 graphs"),
    "initializer is a number": (item(7, item(5, 1)), "is no message"),
    "field 0": (b"\x00\x01", "no field of its model"),
    "groups": (b"\x0b\x0c", "no field of its model"),
    "long varint": (b"\x08" + b"\xff" * 20, "more than 64 bits"),
    "beyond the end": (item(7, b"")[:-1] + b"\x7f", "ends at byte"),
    "far beyond the end": (b"\x3a" + b"\xff" * 9 + b"\x01", "ends at byte"),
    "negative length": (model(initializer(RAW, dims=(-2,))), "negative lengths"),
    "size lies": (model(initializer(RAW, dims=(3,))), "8 bytes, but float32 of shape [3] takes 12"),
    "overflow": (model(initializer(RAW, dims=(2**40, 2**40))), "far more bytes"),
    "many axes": (model(initializer(RAW, dims=(1,) * 65)), "too many parts"),
    "many axes, packed": (model(item(1, b"\1" * 10_000) + item(2, 1)), "too many parts"),
    "raw and typed": (model(initializer(RAW, item(4, bytes(8)))), "both raw_data and typed values"),
    "missing values": (model(initializer(kind=7)), "has 0 values, not 2"),
    "too many values": (model(initializer(item(7, b"\1\1\1"), kind=7)), "has 3 values, not 2"),
    "open varint": (model(initializer(item(7, b"\1\x81"), kind=7)), "damaged integers"),
    "huge typed": (model(initializer(item(7, b"\1"), dims=(2**30,), kind=7)), "at most 67,108,864 are read so"),
    "name twice": (model(initializer(RAW), initializer(RAW)), "two initializers are called 'w'"),
    "name is not UTF-8": (model(initializer(RAW, name=b"\xff")), "is not UTF-8"),
    "long name": (model(initializer(RAW, name=b"x" * 20_000)), "is no text of at most"),
    "name is a number": (model(item(8, 5)), "is no text"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_models_are_refused_in_one_line(case: str) -> None:
    content, line = WRONG[case]
    assert line in refused(read_alone, content)


def test_truncated_at_every_byte() -> None:
    """What follows the graph (versions of operators) may be missing: it says nothing about tensors."""
    whole = {tensor.name for tensor in read_alone(Held(ALL))}
    for length in range(len(ALL)):
        tensors, line = tried(read_alone, ALL[:length])
        assert line or ({tensor.name for tensor in tensors} == whole and len(ALL) - length < 20)


@settings(max_examples=500)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(ALL) - 1), st.binary(max_size=2), st.integers(0, 3)), min_size=1, max_size=4
    )
)
def test_damaged_models_are_read_or_refused(changes: list[tuple[int, bytes, int]]) -> None:
    content = ALL
    for at, added, taken in changes:
        content = content[:at] + added + content[at + taken :]
    tried(read_alone, content)


@settings(max_examples=300)
@given(content=st.binary(max_size=60))
def test_anything_is_read_or_refused(content: bytes) -> None:
    tried(read_alone, content)
    tried(read_alone, model(content))
