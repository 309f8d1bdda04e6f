"""Searched encoders: golden vectors of ggml, and bit-equality of the compiled backend with its definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fewbits.kernels import search, search_reference
from fewbits.kernels.super_block import SuperBlocks, float16, nearest_int, reconstruct
from fewbits.packing.ggml import pack
from fewbits.packing.layouts import IQ4, LAYOUTS

GOLDEN = np.load(Path(__file__).parent / "golden" / "ggml.npz")
BACKENDS = [search_reference, search]
TABLE = np.array(IQ4, np.float32)
RULES = {
    "Q2_K": ("qkx2", {"bits": 2, "sub_block": 16, "scale_bits": 4}),
    "Q3_K": ("q3k", {"bits": 3, "sub_block": 16, "scale_bits": 6}),
    "Q4_K": ("qkx2", {"bits": 4, "sub_block": 32, "scale_bits": 6}),
    "Q5_K": ("qkx2", {"bits": 5, "sub_block": 32, "scale_bits": 6}),
    "Q6_K": ("q6k", {"bits": 6, "sub_block": 16, "scale_bits": 8}),
    "IQ4_NL": ("iq4", {"values": TABLE, "sub_block": 32, "scale_bits": 0}),
    "IQ4_XS": ("iq4", {"values": TABLE, "sub_block": 32, "scale_bits": 6}),
}
# layouts that ggml does not have
OTHERS = [
    ("qkx2", {"bits": 1, "sub_block": 24, "scale_bits": 3}),
    ("qkx2", {"bits": 3, "sub_block": 32, "scale_bits": 6}),
    ("qkx2", {"bits": 8, "sub_block": 256, "scale_bits": 0}),
    ("q3k", {"bits": 5, "sub_block": 20, "scale_bits": 4}),
    ("q3k", {"bits": 4, "sub_block": 256, "scale_bits": 0}),
    ("q6k", {"bits": 2, "sub_block": 256, "scale_bits": 2}),
    ("q6k", {"bits": 8, "sub_block": 256, "scale_bits": 0}),
    ("iq4", {"values": np.array([-1, -0.25, 0.3, 1], np.float32), "sub_block": 40, "scale_bits": 8}),
]
ENTRIES = [key.split("/")[1:3] for key in GOLDEN if key.startswith("ggml/") and key.endswith("/bytes")]


def encode(backend, rule, x):
    name, parameters = rule
    return getattr(backend, name)(x, **parameters)


def bits(x):
    return np.ascontiguousarray(x).view(np.uint32)


def fields(blocks: SuperBlocks):
    return {k: v for k, v in vars(blocks).items() if v is not None}


@pytest.mark.parametrize("backend", BACKENDS, ids=["reference", "compiled"])
@pytest.mark.parametrize(("type_name", "suite"), [e for e in ENTRIES if e[0] in RULES])
def test_bytes_and_values_are_those_of_ggml(type_name, suite, backend):
    layout = LAYOUTS[type_name]
    x = GOLDEN[f"input/{suite}"].reshape(-1, layout.values)
    stored = GOLDEN[f"ggml/{type_name}/{suite}/bytes"].reshape(-1, layout.bytes)
    values = GOLDEN[f"ggml/{type_name}/{suite}/deq"].reshape(-1, layout.values)
    blocks = encode(backend, RULES[type_name], x)
    packed = pack(type_name, fields(blocks))
    y = reconstruct(blocks, np.array(layout.code_values, np.float32), layout.sub_block)
    # ggml leaves the codes of an IQ4_NL block of zeros unwritten: no answer to compare with but the value, ±0
    written = (x != 0).any(1) if type_name == "IQ4_NL" else np.ones(len(x), bool)
    assert written.sum() > len(x) // 2
    np.testing.assert_array_equal(packed[written], stored[written])
    np.testing.assert_array_equal(bits(y[written]), bits(values[written]))
    np.testing.assert_array_equal(y, values)


def test_every_searched_type_has_golden_entries():
    assert {t for t, _ in ENTRIES} >= set(RULES)


def nasty(kind, rng, count=6, length=256):
    x = rng.standard_normal((count, length)).astype(np.float32)
    magnitudes = np.array([0, -0.0, 1e-45, -1e-45, 1e-38, 1e38, -1e38, 3.4e38, 1, -1, 1e-15, 9e-16, 65504, 7e4, 1e-7])
    per_sub_block = np.repeat(rng.integers(-140, 120, (count, length // 16)), 16, axis=1)
    choices = {
        "gauss": lambda: x,
        "integers": lambda: rng.integers(-8, 9, x.shape),
        "halves": lambda: rng.integers(-31, 32, x.shape) / 2,
        "positive": lambda: np.abs(x),
        "constant": lambda: np.repeat(x[:, ::16], 16, axis=1),
        "nearly constant": lambda: 1 + x * np.float32(3e-7),
        "sparse": lambda: np.where(rng.random(x.shape) < 0.03, x, 0),
        "zero": lambda: np.zeros_like(x),
        "exponents": lambda: np.ldexp(np.float64(x), rng.integers(-120, 120, x.shape)),
        "sub-block exponents": lambda: np.ldexp(np.float64(x), per_sub_block),
        "extreme": lambda: rng.choice(magnitudes, x.shape),
    }
    return np.clip(choices[kind](), -3.4e38, 3.4e38).astype(np.float32)


KINDS = ["gauss", "integers", "halves", "positive", "constant", "nearly constant", "sparse", "zero", "exponents"]
KINDS += ["sub-block exponents", "extreme"]


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_is_bit_equal_to_the_reference(kind):
    for n, rule in enumerate([*RULES.values(), *OTHERS]):
        for length in (256, 200, 9, 1):
            length = min(length, rule[1]["sub_block"]) if rule[1]["scale_bits"] == 0 else length
            x = np.ascontiguousarray(nasty(kind, np.random.default_rng([n, length]))[:, :length])
            a, b = (fields(encode(backend, rule, x)) for backend in BACKENDS)
            assert a.keys() == b.keys()
            for key in a:
                assert (a[key].dtype, a[key].shape) == (b[key].dtype, b[key].shape)
                assert a[key].tobytes() == b[key].tobytes(), (rule, length, key)


@pytest.mark.parametrize("rule", [*RULES.values(), *OTHERS], ids=lambda r: f"{r[0]}-{r[1]['sub_block']}")
def test_shapes_and_ranges(rule):
    length = min(200, rule[1]["sub_block"]) if rule[1]["scale_bits"] == 0 else 200
    x = nasty("gauss", np.random.default_rng(5))[:, :length]
    blocks = encode(search, rule, x)
    sub_blocks = -(-length // rule[1]["sub_block"])
    count = len(rule[1]["values"]) if rule[0] == "iq4" else 2 ** rule[1]["bits"]
    assert blocks.codes.shape == x.shape
    assert blocks.codes.max() < count
    assert blocks.scales.shape == (len(x), sub_blocks)
    np.testing.assert_array_equal(blocks.d, float16(blocks.d))
    half = 2 ** max(rule[1]["scale_bits"] - 1, 1)
    low, high = (0, 2 * half - 1) if rule[0] == "qkx2" else (-half, half - 1)
    assert low <= blocks.scales.min() <= blocks.scales.max() <= high
    assert (blocks.mins is not None) == (rule[0] == "qkx2")


def test_short_last_sub_block_is_searched_by_itself():
    x = nasty("gauss", np.random.default_rng(8), 1)
    whole = search.qkx2(x[:, :64], bits=4, sub_block=32, scale_bits=8)
    tail = np.concatenate([x[:, :64], x[:, :7]], axis=1)  # its range is no larger, so the outer scales stay
    short = search.qkx2(tail, bits=4, sub_block=32, scale_bits=8)
    np.testing.assert_array_equal(short.codes[:, :64], whole.codes)
    assert short.scales.shape == (1, 3)


@pytest.mark.parametrize("backend", BACKENDS, ids=["reference", "compiled"])
def test_no_super_blocks(backend):
    blocks = backend.qkx2(np.zeros((0, 256), np.float32), bits=4, sub_block=32, scale_bits=6)
    assert blocks.codes.shape == (0, 256)
    assert blocks.scales.shape == (0, 8)


def test_refuses_what_it_cannot_store():
    x = np.ones((1, 512), np.float32)
    with pytest.raises(ValueError, match="sub-blocks of at most 256 values"):
        search.qkx2(x, bits=4, sub_block=512, scale_bits=6)
    with pytest.raises(ValueError, match="1 to 8 bits"):
        search.q6k(x, bits=9, sub_block=16, scale_bits=8)
    with pytest.raises(ValueError, match="blocks of at most 32 values, not 512"):
        search.iq4(x, values=TABLE, sub_block=32, scale_bits=0)


def test_nearest_int_ties_to_even():
    v = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, 4194303.0, np.nan], np.float32)
    assert nearest_int(v).tolist() == [0, 2, 2, 0, -2, 0, 4194303, 0]
