"""The compiled decoder of ggml's block types gives what their definition gives, faster than the gguf package."""

from __future__ import annotations

import time
from collections.abc import Callable

import gguf
import numpy as np
import pytest

from fewbits.errors import SourceError
from fewbits.packing.decoder import decode
from fewbits.packing.ggml import dequantize_bytes
from fewbits.packing.layouts import LAYOUTS

LINEAR = ["Q4_0", "Q8_0", "Q4_K", "Q6_K"]


def random_blocks(type_name: str, count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, LAYOUTS[type_name].bytes), dtype=np.uint8)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Bit for bit, but for what a NaN holds."""
    there = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), ~there)
    np.testing.assert_array_equal(found[there].view(np.uint32), expected[there].view(np.uint32))


@pytest.mark.parametrize("type_name", LAYOUTS)
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_values_are_those_of_the_definition(type_name: str, count: int) -> None:
    data, values = random_blocks(type_name, count), LAYOUTS[type_name].values
    around = np.full(count * values + 34, 7, np.float32)
    decode(type_name, data.reshape(-1), around[17:-17])
    assert_same(around[17:-17], dequantize_bytes(type_name, data).reshape(-1))
    assert set(around[:17]) | set(around[-17:]) == {7}


def test_no_blocks() -> None:
    decode("Q4_K", np.empty(0, np.uint8), np.empty(0, np.float32))


@pytest.mark.parametrize("type_name", LAYOUTS)
def test_every_byte_in_every_place(type_name: str) -> None:
    """Blocks of one repeated byte, and of one that differs: no bit is taken from a wrong place."""
    size = LAYOUTS[type_name].bytes
    data = np.full((size, size), 0x11, np.uint8)
    np.fill_diagonal(data, 0x2D)
    data = np.concatenate([data, np.repeat(np.arange(256, dtype=np.uint8)[:, None], size, axis=1)])
    out = np.empty(len(data) * LAYOUTS[type_name].values, np.float32)
    decode(type_name, data.reshape(-1), out)
    assert_same(out, dequantize_bytes(type_name, data).reshape(-1))


def test_types_without_a_layout() -> None:
    data = np.random.default_rng(0).integers(0, 256, 5 * 66, dtype=np.uint8)
    out = np.empty(5 * 256, np.float32)
    decode("IQ2_XXS", data, out)
    assert_same(out, dequantize_bytes("IQ2_XXS", data.reshape(1, -1))[0])
    decode("IQ2_XXS", data[:0], out[:0])
    with pytest.raises(SourceError, match="unknown ggml type 'Q9_X'"):
        decode("Q9_X", data, out)


def best(run: Callable[[], object], times: int) -> float:
    def once() -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return min(once() for _ in range(times))


@pytest.mark.slow
@pytest.mark.parametrize("type_name", LINEAR)
def test_it_is_faster_than_the_gguf_package(type_name: str) -> None:
    """10 to 40 times on one core; a noisy machine must not fail the suite."""
    data = random_blocks(type_name, (1 << 18) // LAYOUTS[type_name].values)
    rows = data.reshape(64, -1)
    out = np.empty(1 << 18, np.float32)
    ours = best(lambda: decode(type_name, data.reshape(-1), out), 30)
    with np.errstate(all="ignore"):
        theirs = best(lambda: gguf.dequantize(rows, gguf.GGMLQuantizationType[type_name]), 5)
    assert theirs > 4 * ours
