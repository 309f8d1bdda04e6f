"""ggml's byte layouts: golden bytes and values, and bytes ⇄ arrays."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from fewbits.errors import SourceError
from fewbits.packing.ggml import dequantize_bytes, pack, unpack
from fewbits.packing.layouts import LAYOUTS

GOLDEN = np.load(Path(__file__).parent / "golden" / "ggml.npz")
ENTRIES = [key.removesuffix("/bytes") for key in GOLDEN if key.endswith("/bytes")]


def random_fields(type_name, count=7):
    layout, rng = LAYOUTS[type_name], np.random.default_rng(3)
    codes = rng.integers(0, 2**layout.bits, (count, layout.values)).astype(np.uint8)
    if type_name in ("TQ1_0", "TQ2_0"):
        codes[codes == 2] = 3  # two's complement of −1, 0, 1
    fields = {"codes": codes}
    for plane in layout.planes:
        if plane.field != "codes":
            top = max(p.weight + p.width for p in layout.planes if p.field == plane.field)
            stored = rng.integers(0, 2**top, (count, layout.scale_count)).astype(np.int16)
            stored -= layout.scale_bias if plane.field == "scales" else 0
            fields[plane.field] = stored.astype(np.int8).astype(np.int16) if layout.scale_signed else stored
    halves = rng.standard_normal((len(layout.halves), count)).astype(np.float16).astype(np.float32)
    return fields | dict(zip(layout.halves, halves, strict=True))


def test_golden_has_every_layout():
    assert {e.split("/")[1] for e in ENTRIES} >= set(LAYOUTS)


@pytest.mark.parametrize("entry", ENTRIES)
def test_values_are_those_of_ggml_and_gguf(entry):
    data, values = GOLDEN[f"{entry}/bytes"], GOLDEN[f"{entry}/deq"]
    y = dequantize_bytes(entry.split("/")[1], data)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.view(np.uint32), values.view(np.uint32))


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.split("/")[1] in LAYOUTS and e != "gguf/TQ1_0/random"])
def test_packing_is_the_inverse_of_unpacking(entry):
    type_name, data = entry.split("/")[1], GOLDEN[f"{entry}/bytes"]
    np.testing.assert_array_equal(pack(type_name, unpack(type_name, data)).reshape(data.shape), data)


@pytest.mark.parametrize("type_name", LAYOUTS)
def test_unpacking_is_the_inverse_of_packing(type_name):
    fields = random_fields(type_name)
    back = unpack(type_name, pack(type_name, fields))
    assert back.keys() == fields.keys()
    for name in fields:
        np.testing.assert_array_equal(back[name], fields[name], err_msg=name)
        assert back[name].dtype == fields[name].dtype


@pytest.mark.parametrize("type_name", list(LAYOUTS))
def test_sizes_are_those_of_gguf(type_name):
    kind = gguf.GGMLQuantizationType[type_name]
    layout = LAYOUTS[type_name]
    assert gguf.GGML_QUANT_SIZES[kind] == (layout.values, layout.bytes)
    stored = sum(len(p.bit_shifts) * p.width * p.size for p in layout.planes) // 8 + 2 * len(layout.halves)
    assert stored == layout.bytes


def test_rows_of_several_blocks_keep_their_order():
    data = GOLDEN["ggml/Q4_K/wide/bytes"]
    one_by_one = [dequantize_bytes("Q4_K", np.ascontiguousarray(data[:, i : i + 144])) for i in (0, 144)]
    np.testing.assert_array_equal(dequantize_bytes("Q4_K", data), np.concatenate(one_by_one, axis=1))


def test_plain_types_are_read_too():
    x = np.array([[1.5, -2.0, 0.0]], np.float16)
    np.testing.assert_array_equal(dequantize_bytes("F16", x.view(np.uint8)), x.astype(np.float32))


def test_errors_name_the_type_and_what_is_allowed():
    data = np.zeros((2, 17), np.uint8)
    with pytest.raises(SourceError, match="Q4_0: rows of whole 18-byte blocks are needed, not uint8 of shape"):
        unpack("Q4_0", data)
    with pytest.raises(SourceError, match="IQ2_XXS: rows of whole 66-byte blocks"):
        dequantize_bytes("IQ2_XXS", data)
    with pytest.raises(SourceError, match="unknown ggml type 'Q9_X'; known are F32"):
        dequantize_bytes("Q9_X", data)
    with pytest.raises(SourceError, match="'IQ1_S' has no layout of codes and scales"):
        unpack("IQ1_S", data)
    with pytest.raises(ValueError, match="codes has shape"):
        pack("Q4_0", {"codes": np.zeros((2, 31), np.uint8), "d": np.zeros(2, np.float32)})
