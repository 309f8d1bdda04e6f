"""Stored number types become the float32 values that they stand for."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from checkpoints import NAMES, safetensors
from fewbits.errors import SourceError
from fewbits.sources import open_source
from fewbits.sources.dtypes import DTYPES

BYTE_FLOATS = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu")


def stored(folder: Path, array: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    path = folder / "model.safetensors"
    path.write_bytes(safetensors({"pad": np.zeros(3, np.uint8), "t": array}))
    return open_source(path)["t"].read()


def same_bits(found: np.ndarray, expected: np.ndarray) -> None:  # type: ignore[type-arg]
    assert found.dtype == np.float32
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), nan)
    np.testing.assert_array_equal(found.view(np.uint32)[~nan], expected.astype(np.float32).view(np.uint32)[~nan])


@pytest.mark.parametrize("name", BYTE_FLOATS)
def test_every_code_of_the_8_bit_floats(tmp_path: Path, name: str) -> None:
    codes = np.arange(256, dtype=np.uint8).view(getattr(ml_dtypes, name)).reshape(16, 16)
    same_bits(stored(tmp_path, codes), codes.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_every_pattern_of_the_16_bit_floats(tmp_path: Path, dtype: type) -> None:
    patterns = np.arange(1 << 16, dtype=np.uint16).view(dtype).reshape(256, 256)
    same_bits(stored(tmp_path, patterns), patterns.astype(np.float32))
    bits = open_source(tmp_path / "model.safetensors")["t"].read16(3, 5)
    assert bits is not None
    assert bits.dtype == np.uint16
    np.testing.assert_array_equal(bits, patterns[3:5].view(np.uint16))


def test_float64_is_rounded_to_nearest_even(tmp_path: Path) -> None:
    one = 2.0**-24  # half a unit in the last place of 1
    values = np.array([[1 + one, 1 + 3 * one, 1 + one + 2.0**-50, 1e300, -1e300, 1e-300, -0.0, np.nan, 2.0**-149]])
    expected = np.array([[1, 1 + 4 * one, 1 + 2 * one, np.inf, -np.inf, 0, -0.0, np.nan, 2.0**-149]], np.float32)
    same_bits(stored(tmp_path, values), expected)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_integers_are_their_nearest_float32(tmp_path: Path, dtype: type) -> None:
    limits = np.iinfo(dtype)
    numbers = [limits.min, limits.min + 1, 0, 1, 127, limits.max - 1, limits.max]
    values = np.array([[n for n in (*numbers, 2**24 + 1, 2**24 + 3) if n <= limits.max]], dtype)
    found = stored(tmp_path, values)
    same_bits(found, np.array([[np.float32(int(v)) for v in values[0]]], np.float32))
    assert open_source(tmp_path / "model.safetensors")["t"].dtype == np.dtype(dtype).name


def test_booleans_are_zero_and_one(tmp_path: Path) -> None:
    same_bits(stored(tmp_path, np.array([[True, False, True]])), np.array([[1, 0, 1]], np.float32))


@pytest.mark.parametrize("kind", NAMES, ids=str)
def test_dtype_is_torchs_name_and_nbytes_what_is_stored(tmp_path: Path, kind: np.dtype) -> None:  # type: ignore[type-arg]
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors({"t": np.zeros((3, 5), kind)}))
    tensor = open_source(path)["t"]
    assert (tensor.dtype, tensor.nbytes, tensor.layout) == (kind.name, 15 * kind.itemsize, "")
    assert (tensor.read16() is None) == (kind.name not in ("float16", "bfloat16"))


@pytest.mark.parametrize(
    ("dtype", "shape", "size", "name"),
    [
        ("F4", [2, 3], 3, "float4_e2m1fn"),
        ("F6_E2M3", [4], 3, "float6_e2m3fn"),
        ("F6_E3M2", [2, 4], 6, "float6_e3m2fn"),
        ("C64", [2], 16, "complex64"),
        ("Q9_X", [5], 7, "unknown"),
        ("F128", [1], 16, "f128"),
    ],
)
def test_unsupported_types_are_listed_but_not_read(
    tmp_path: Path, dtype: str, shape: list[int], size: int, name: str
) -> None:
    from checkpoints import entry, raw

    path = tmp_path / "odd.safetensors"
    path.write_bytes(raw({"t": entry(dtype, shape, [0, size])}, bytes(size)))
    tensor = open_source(path)["t"]
    assert (tensor.dtype, tensor.shape, tensor.nbytes) == (name, tuple(shape), size)
    assert tensor.unreadable
    for read in (tensor.read, tensor.read16):
        with pytest.raises(SourceError, match=rf"'t' holds {name}"):
            read()


@pytest.mark.parametrize("name", sorted(name for name, dtype in DTYPES.items() if dtype.widen))
def test_compiled_decoders_give_the_same_bits(name: str) -> None:
    dtype = DTYPES[name]
    raw = np.arange(1 << dtype.bits, dtype=f"<u{dtype.bits // 8}").view(np.uint8)
    assert dtype.decode is not None
    expected, found = dtype.decode(raw), np.empty(1 << dtype.bits, np.float32)
    dtype.decode_into(raw, found)
    same = (expected.view(np.uint32) == found.view(np.uint32)) | (np.isnan(expected) & np.isnan(found))
    assert same.all()
