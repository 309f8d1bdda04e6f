"""Arrays of numpy, alone and in zip archives; damaged, lying and swelling ones are refused before they cost anything."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewbits.errors import SourceError
from fewbits.sources import open_source
from fewbits.sources.numpy_file import read_npy, read_npz
from fewbits.sources.zip_directory import read_directory
from fewbits.tensor import Tensor
from held_file import Held, refused, tried

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)


def npy(array: Array, version: tuple[int, int] | None = None) -> bytes:
    held = io.BytesIO()
    np.lib.format.write_array(held, array, version)
    return held.getvalue()


def npz(arrays: Mapping[str, Array], packed: bool = False) -> bytes:
    held = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(held, **arrays)
    return held.getvalue()


def raw_npy(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(header.encode()))
    return b"\x93NUMPY" + version + length + header.encode() + data


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytearray:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return bytearray(held.getvalue())


def only(content: bytes) -> Tensor:
    (tensor,) = read_npy(Held(content))
    return tensor


KINDS = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?")
SHAPES = ((), (5,), (3, 4), (2, 3, 4), (0, 4), (4, 0), (1, 1), (2, 1, 3, 2))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("fortran", [False, True])
def test_all_types_orders_and_shapes(kind: str, order: str, fortran: bool) -> None:
    for shape in SHAPES:
        array = (100 * RNG.standard_normal(shape)).clip(0, 100) if kind[0] in "u?" else 50 * RNG.standard_normal(shape)
        array = np.asarray(array, order="F" if fortran else "C").astype(order + kind)
        tensor = only(npy(array))
        assert tensor.shape == shape
        assert tensor.dtype == np.dtype(kind).name
        assert tensor.nbytes == array.nbytes
        expected = array.astype(np.float32).reshape(tensor.rows, tensor.columns)
        np.testing.assert_array_equal(tensor.read(), expected)
        for row in range(tensor.rows):
            np.testing.assert_array_equal(tensor.read(row, row + 1), expected[row : row + 1])
        if kind == "f2":
            np.testing.assert_array_equal(tensor.read16(), array.astype("<f2").reshape(expected.shape).view("<u2"))
        else:
            assert tensor.read16() is None


def test_layout_says_what_is_unusual() -> None:
    matrix = np.ones((2, 3), ">f4", order="F")
    assert only(npy(matrix)).layout == "big-endian, column by column"
    assert only(npy(matrix.astype("<f4", order="C"))).layout == ""
    assert only(npy(np.ones(3, ">f4"))).layout == "big-endian"
    (deflated,) = read_npz(Held(npz({"a": np.ones((2, 3), "f4")}, packed=True)))
    assert deflated.layout == "deflated"


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions_of_the_format(version: tuple[int, int]) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(only(npy(array, version)).read(), array)


@pytest.mark.parametrize("kind", [ml_dtypes.bfloat16, ml_dtypes.float8_e5m2], ids=lambda kind: kind.__name__)
def test_types_of_ml_dtypes_that_numpy_tells_apart(kind: type) -> None:
    array = RNG.standard_normal((3, 4)).astype(kind)
    tensor = only(npy(array))
    assert tensor.dtype == kind.__name__
    np.testing.assert_array_equal(tensor.read(), array.astype(np.float32))


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (np.array([{}, 1], object), "Python objects"),
        (np.ones(3, np.complex64), "complex64"),
        (np.array(["a", "bc"]), "U2"),
        (np.array([b"a"]), "S1"),
        (np.zeros(2, "M8[s]"), "M8"),
        (np.zeros(2, [("x", "f4"), ("y", "i4")]), "records"),
        (np.zeros(2, np.longdouble), "float128"),
        (np.ones(3, ml_dtypes.float8_e4m3fn), "does not store which 8-bit type"),
        (np.zeros(2, "V3"), "V3"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value.dtype),
)
@pytest.mark.filterwarnings("ignore:.*metadata.*")
def test_what_is_not_numbers_is_listed_and_not_read(array: Array, what: str) -> None:
    tensor = only(npy(array))
    assert what in tensor.unreadable
    with pytest.raises(SourceError, match=r"held: tensor '0' holds .*, which fewbits does not read as numbers"):
        tensor.read()


HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "does not begin with"),
    "another kind": (b"PK\3\4" + bytes(20), "does not begin with"),
    "version 4": (raw_npy(HEADER, bytes(8), b"\4\0"), "version 4.0"),
    "version 1.1": (raw_npy(HEADER, bytes(8), b"\1\1"), "version 1.1"),
    "header beyond the end": (b"\x93NUMPY\1\0\xff\x0f{}", "truncated, its header is 4,095 bytes"),
    "header beyond reason": (b"\x93NUMPY\2\0\xff\xff\xff\xff{}", "at most 10,000 are read"),
    "no literal": (raw_npy("{'descr': f()}"), "is not one of numpy"),
    "code": (raw_npy("__import__('os')"), "is not one of numpy"),
    "a name": (raw_npy("{'descr': x}"), "is not one of numpy"),
    "deep": (raw_npy("{'descr':" + "(" * 4_000), "is not one of numpy"),
    "deep lists": (raw_npy("{'descr':" + "[" * 4_000 + "]" * 4_000 + "}"), "is not one of numpy"),
    "many signs": (raw_npy("{'descr':" + "-" * 9_000 + "1}"), "is not one of numpy"),
    "escapes": (raw_npy(r"{'descr': '\d'}"), "is not one of numpy"),
    "a warning": (raw_npy("{'descr': 1if 1else 2}"), "is not one of numpy"),
    "long number": (raw_npy("{'descr': " + "9" * 9_000 + "}"), "is not one of numpy"),
    "NUL": (raw_npy("{'descr':\0}"), "is not one of numpy"),
    "not Latin, version 3": (raw_npy("{}", version=b"\3\0")[:-2] + b"\xff\xff", "is not one of numpy"),
    "unhashable": (raw_npy("{[]: 1}"), "is not one of numpy"),
    "a list": (raw_npy("[1]"), "is not one of numpy"),
    "a key missing": (raw_npy("{'descr': '<f4', 'shape': (2,)}"), "is not descr, fortran_order and shape"),
    "a key more": (raw_npy(HEADER[:-1] + "'x': 1}"), "is not descr, fortran_order and shape"),
    "shape of text": (raw_npy(HEADER.replace("(2,)", "'2'")), "is not a tuple"),
    "shape is negative": (raw_npy(HEADER.replace("2,", "-2,")), "is not a tuple"),
    "shape is true": (raw_npy(HEADER.replace("2,", "True,")), "is not a tuple"),
    "many axes": (raw_npy(HEADER.replace("2,", "1," * 65)), "is not a tuple"),
    "order is 1": (raw_npy(HEADER.replace("False", "1")), "is neither True nor False"),
    "descr is a number": (raw_npy(HEADER.replace("'<f4'", "4")), "is not a type of numpy"),
    "descr without order": (raw_npy(HEADER.replace("<f4", "f4"), bytes(8)), "is not a type of numpy"),
    "too short": (raw_npy(HEADER, bytes(7)), "truncated, 7 bytes after the header, but float32 of shape [2] takes 8"),
    "too long": (raw_npy(HEADER, bytes(9)), "longer than its array"),
    "overflow": (raw_npy(HEADER.replace("2,", f"{2**62}, {2**62}"), bytes(8)), "takes far more"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays_are_refused_in_one_line(case: str) -> None:
    content, line = WRONG[case]
    assert line in refused(read_npy, content)


def arrays() -> dict[str, Array]:
    return {
        "a": RNG.standard_normal((40, 30)).astype(np.float32),
        "layer.weight": np.arange(12, dtype=np.int32).reshape(3, 4),
        "x/y": np.float64(2.5).reshape(()),
        "wéird": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "zeros": np.zeros((200, 100), np.float32),
    }


@pytest.mark.parametrize("packed", [False, True])
def test_archives(tmp_path: Path, packed: bool) -> None:
    expected = arrays()
    path = tmp_path / "a.npz"
    path.write_bytes(npz(expected, packed))
    source = open_source(path)
    assert {tensor.name for tensor in source} == set(expected)
    assert len({tensor.identity for tensor in source}) == len(expected)
    for tensor in source:
        array = expected[tensor.name].astype(np.float32).reshape(tensor.rows, tensor.columns)
        np.testing.assert_array_equal(tensor.read(), array)
        for start in reversed(range(0, tensor.rows, 7)):
            np.testing.assert_array_equal(tensor.read(start, min(start + 7, tensor.rows)), array[start : start + 7])


def test_rows_of_stored_arrays_are_read_by_themselves() -> None:
    array = RNG.standard_normal((1_000, 100)).astype(np.float32)
    file = Held(npz({"a": array}))
    (tensor,) = read_npz(file)
    assert sum(end - begin for begin, end in file.reads) < 67_000
    file.reads.clear()
    np.testing.assert_array_equal(tensor.read(500, 510), array[500:510])
    assert sum(end - begin for begin, end in file.reads) == 4_000


def test_deflated_arrays_are_read_in_any_order_in_little_memory() -> None:
    array = np.repeat(RNG.standard_normal((600, 100)).astype(np.float32), 100, axis=1)
    content = npz({"a": array}, packed=True)
    tracemalloc.start()
    try:
        (tensor,) = read_npz(Held(content))
        for start in (0, 100, 590, 300, 310, 0):
            np.testing.assert_array_equal(tensor.read(start, start + 10), array[start : start + 10])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert array.nbytes == 24_000_000
    assert peak < 4_000_000


def test_damage_of_deflated_arrays_is_noticed() -> None:
    (name, entry), *_ = read_directory(Held(npz({"a": np.arange(1000.0)}, packed=True))).items()
    content = bytearray(npz({"a": np.arange(1000.0)}, packed=True))
    assert name == "a.npy"
    content[entry.bound - 60] ^= 1
    line = refused(read_npz, bytes(content))
    assert "damaged" in line or "packed bytes" in line


def with_directory(content: bytearray, **changes: int) -> bytes:
    """The archive with fields of its first entry in the directory changed."""
    at = content.rindex(b"PK\1\2") if changes.pop("last", 0) else content.index(b"PK\1\2")
    places = {
        "flags": (8, "H"),
        "method": (10, "H"),
        "crc": (16, "I"),
        "packed": (20, "I"),
        "size": (24, "I"),
        "header": (42, "I"),
    }
    for key, value in changes.items():
        offset, code = places[key]
        struct.pack_into("<" + code, content, at + offset, value)
    return bytes(content)


ARRAY = npy(np.zeros(1000, np.float32))
DEFLATED = zipfile.ZIP_DEFLATED
TWO = (("a.npy", ARRAY), ("b.npy", ARRAY))


def renamed(old: str, new: bytes) -> bytes:
    content = bytes(zipped((old, ARRAY), ("b.npy", ARRAY)))
    assert len(old.encode()) == len(new)
    return content.replace(old.encode(), new)


def swelling() -> bytes:
    """Deflated zeros: 100 MB that are said to be an array of 4,000 bytes."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", DEFLATED) as archive:
        archive.writestr("a.npy", ARRAY + bytes(100_000_000))
    content = bytearray(held.getvalue())
    return with_directory(content, size=len(ARRAY), crc=zlib.crc32(ARRAY))


WRONG_ARCHIVES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "truncated or no zip archive"),
    "text": (b"x" * 100, "truncated or no zip archive"),
    "leads out": (renamed("xxxx.npy", b"../x.npy"), "no name of a file inside"),
    "leads out inside": (renamed("a/xx/xx.npy", b"a/../xx.npy"), "no name of a file inside"),
    "absolute": (renamed("xxxx.npy", b"/etc.npy"), "no name of a file inside"),
    "drive": (renamed("xxxx.npy", b"C:xx.npy"), "no name of a file inside"),
    "backslash": (renamed("xxxx.npy", b"x\\xx.npy"), "no name of a file inside"),
    "line feed": (renamed("xxxx.npy", b"x\nxx.npy"), "no name of a file inside"),
    "escape": (renamed("xxxx.npy", b"\x1b[2J.npy"), "no name of a file inside"),
    "NUL": (renamed("xxxx.npy", b"xx\0x.npy"), "no name of a file inside"),
    "one name twice": (renamed("c.npy", b"b.npy"), "'b.npy' is in the archive twice"),
    "not UTF-8": (renamed("é.npy", b"\xff\xff.npy"), "is not UTF-8"),
    "one place twice": (with_directory(zipped(*TWO), last=1, header=0), "reaches into another entry"),
    "overlap": (with_directory(zipped(*TWO), packed=len(ARRAY) + 200, size=len(ARRAY) + 200), "reaches into another entry"),
    "beyond the end": (with_directory(zipped(*TWO), last=1, header=1 << 30), "reaches into the directory"),
    "sizes differ": (with_directory(zipped(*TWO), size=9), "is stored as it is"),
    "encrypted": (with_directory(zipped(*TWO), flags=1), "is encrypted"),
    "another method": (with_directory(zipped(*TWO), method=12), "is packed with method 12"),
    "method lies": (with_directory(zipped(*TWO), method=8), "in another way than the zip directory says"),
    "header elsewhere": (with_directory(zipped(*TWO), header=1), "reaches into another entry"),
    "bomb": (with_directory(zipped(*TWO, method=DEFLATED), size=(1 << 32) - 2), "which no compression of zip reaches"),
    "zip64 missing": (with_directory(zipped(*TWO), size=(1 << 32) - 1), "has no zip64 sizes"),
    "more than said": (swelling(), "hold more than"),
    "checksum": (with_directory(zipped(*TWO, method=DEFLATED), crc=1), "checksum"),
    "prefixed": (b"MZ" + bytes(zipped(*TWO)), "its zip directory is at"),
    "no end": (bytes(zipped(*TWO))[:-22], "truncated or no zip archive"),
    "an array within is wrong": (bytes(zipped(("a.npy", b"nonsense"))), "does not begin with"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_ARCHIVES)
def test_wrong_archives_are_refused_in_one_line(case: str) -> None:
    content, line = WRONG_ARCHIVES[case]
    tracemalloc.start()
    try:
        assert line in refused(read_npz, content)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_zip64(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = read_npz(Held(bytes(zipped(*TWO))))
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    content = bytes(zipped(*TWO))
    assert b"PK\6\6" in content
    assert b"PK\6\7" in content
    wide = read_npz(Held(content))
    assert [t.name for t in wide] == [t.name for t in plain]
    np.testing.assert_array_equal(wide[1].read(), plain[1].read())
    at = content.index(b"PK\6\6")
    for change in range(at, len(content)):
        tried(read_npz, content[:change] + b"\xff" + content[change + 1 :])


def test_comments_folders_and_other_files_do_no_harm() -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("folder/", b"")
        archive.writestr("readme.txt", b"text")
        archive.writestr("folder/a.npy", ARRAY)
        archive.comment = b"PK\5\6 a comment that looks like an end" + bytes(30)
    assert [tensor.name for tensor in read_npz(Held(held.getvalue()))] == ["folder/a"]
    empty = bytes(zipped())
    assert read_npz(Held(empty)) == []


@pytest.mark.parametrize("packed", [False, True])
def test_truncated_at_every_byte(packed: bool) -> None:
    content = npz({"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.ones(2)}, packed)
    for length in range(len(content)):
        refused(read_npz, content[:length])
    alone = npy(np.arange(12, dtype=np.float32).reshape(3, 4))
    for length in range(len(alone)):
        refused(read_npy, alone[:length])


@settings(max_examples=400)
@given(
    packed=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_damaged_archives_are_read_or_refused(packed: bool, changes: list[tuple[int, int]]) -> None:
    content = bytearray(npz({"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.ones(2)}, packed))
    for at, value in changes:
        content[at % len(content)] = value
    tried(read_npz, bytes(content))


@settings(max_examples=300)
@given(
    text=st.text(max_size=80)
    | st.from_regex(r"\{'descr': '[<>|][fiubV][0-9]', 'fortran_order': (True|False), 'shape': \([0-9, ]*\)\}"),
    data=st.binary(max_size=40),
    version=st.sampled_from([b"\1\0", b"\2\0", b"\3\0"]),
)
def test_any_header_is_read_or_refused(text: str, data: bytes, version: bytes) -> None:
    tried(read_npy, raw_npy(text, data, version))


@settings(max_examples=200)
@given(
    array=st.integers(0, 2**32).map(
        lambda seed: np.random.default_rng(seed).standard_normal((4, 3, 2, 5)).astype("f4")
    ),
    axes=st.permutations(range(4)),
    start=st.integers(0, 24),
    stop=st.integers(0, 24),
)
def test_any_range_of_a_transposed_array(array: Array, axes: list[int], start: int, stop: int) -> None:
    from fewbits.sources.dtypes import DTYPES
    from fewbits.sources.strided import placed

    view = array.transpose(axes)
    values = placed(Held(array.tobytes()), "a", DTYPES["float32"], 0, view.shape, tuple(s // 4 for s in view.strides))
    rows = view.reshape(-1, view.shape[-1])
    start, stop = sorted((min(start, len(rows)), min(stop, len(rows))))
    np.testing.assert_array_equal(values.read(start, stop), rows[start:stop])
